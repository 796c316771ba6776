"""Answers of python-dateutil for the calendar: random rules with the occurrences that they give.

    python3 recurrence.py SEED COUNT     one JSON object per line

Recurrence is reckoned by dateutil.rrule on naive local times. The zones are those of
the system's tz database as dateutil reads them, and the two rules for gaps and overlaps are computed from them in the most pedestrian way.
"""

import json
import random
import sys
from datetime import datetime, timedelta, timezone

from dateutil import tz
from dateutil.rrule import rrulestr

# half of them with odd offsets or odd changes; none whose rules depend on the edition of the data,
# and not Dublin, whose winter time dateutil does not see as ambiguous; its data end with 2037
ZONES = """
    UTC Etc/GMT+12 Pacific/Kiritimati Pacific/Pago_Pago Pacific/Chatham Asia/Kathmandu Asia/Kolkata
    Australia/Adelaide Australia/Darwin Australia/Eucla Australia/Lord_Howe America/St_Johns
    America/New_York America/Chicago America/Phoenix America/Los_Angeles America/Caracas
    Europe/Berlin Europe/London Europe/Lisbon Europe/Athens Africa/Johannesburg Asia/Tokyo
    Asia/Yangon Pacific/Auckland Pacific/Marquesas Antarctica/Troll Atlantic/Azores Asia/Jerusalem
""".split()
DAYS = ["MO", "TU", "WE", "TH", "FR", "SA", "SU"]
EPOCH = datetime(1970, 1, 1, tzinfo=timezone.utc)


def millis(moment):
    return round((moment - EPOCH).total_seconds() * 1000)


def resolve(zone, local, last):
    """The first or last moment at which the clock shows `local`; the end of the gap if it never does."""
    aware = local.replace(tzinfo=zone)
    if tz.datetime_exists(aware):
        if tz.datetime_ambiguous(aware):
            aware = tz.enfold(aware, fold=1 if last else 0)
        return aware.astimezone(timezone.utc)
    # from well before, hour by hour, then minute by minute, then second by second
    moment = (local - timedelta(hours=20)).replace(tzinfo=timezone.utc)

    def shows(at):
        return at.astimezone(zone).replace(tzinfo=None)

    for step in (timedelta(hours=1), timedelta(minutes=1), timedelta(seconds=1)):
        while shows(moment + step) < local:
            moment += step
    return moment + timedelta(seconds=1)


def transitions(zone, start):
    """A day on which the clocks change, near a start."""
    moment = start.replace(tzinfo=timezone.utc)
    for _ in range(400):
        after = moment + timedelta(days=1)
        if moment.astimezone(zone).utcoffset() != after.astimezone(zone).utcoffset():
            return moment.replace(tzinfo=None)
        moment = after
    return None


def rule(dice):
    freq = dice.choice(["DAILY", "DAILY", "WEEKLY", "WEEKLY", "MONTHLY", "YEARLY"])
    parts = [f"FREQ={freq}"]
    if dice.random() < 0.4:
        parts.append(f"INTERVAL={dice.randint(1, 5)}")
    kind = dice.random()
    if freq == "WEEKLY" and kind < 0.7:
        parts.append("BYDAY=" + ",".join(dice.sample(DAYS, dice.randint(1, 4))))
    elif freq == "DAILY" and kind < 0.4:
        parts.append("BYDAY=" + ",".join(dice.sample(DAYS, dice.randint(2, 5))))
    elif freq == "DAILY" and kind < 0.6:
        parts.append("BYMONTH=" + ",".join(map(str, dice.sample(range(1, 13), 3))))
    elif freq == "MONTHLY" and kind < 0.3:
        parts.append(f"BYMONTHDAY={dice.choice([1, 15, 28, 29, 30, 31, -1, -2])}")
    elif freq == "MONTHLY" and kind < 0.6:
        parts.append(f"BYDAY={dice.choice([1, 2, 3, 4, -1])}{dice.choice(DAYS)}")
    elif freq == "MONTHLY" and kind < 0.8:
        parts.append("BYDAY=MO,TU,WE,TH,FR;BYSETPOS=" + str(dice.choice([1, -1])))
    elif freq == "YEARLY" and kind < 0.3:
        parts.append(f"BYMONTH={dice.randint(1, 12)};BYMONTHDAY={dice.choice([1, 29, 31, -1])}")
    elif freq == "YEARLY" and kind < 0.5:
        parts.append(f"BYYEARDAY={dice.choice([1, 59, 60, 365, 366, -1])}")
    elif freq == "YEARLY" and kind < 0.65:
        parts.append(f"BYWEEKNO={dice.choice([1, 9, 20, 52, 53])};BYDAY={dice.choice(DAYS)}")
    elif freq == "YEARLY" and kind < 0.8:
        parts.append(f"BYMONTH=3,10;BYDAY=-1SU")
    if dice.random() < 0.2:
        hours = sorted(dice.sample(range(24), dice.randint(1, 3)))
        parts.append("BYHOUR=" + ",".join(map(str, hours)))
    if freq == "WEEKLY" and dice.random() < 0.3:
        parts.append(f"WKST={dice.choice(DAYS)}")
    return parts


def case(dice):
    name = dice.choice(ZONES)
    zone = tz.gettz(name)
    start = datetime(dice.randint(2008, 2031), dice.randint(1, 12), dice.randint(1, 28))
    near = transitions(zone, start) if dice.random() < 0.6 else None
    edge = dice.random()
    if near:
        start = datetime(near.year, near.month, near.day) + timedelta(days=dice.randint(-40, 1))
    elif edge < 0.2:
        start = datetime(start.year, 12, 31)
    elif edge < 0.4:
        start = datetime(dice.choice([2008, 2012, 2020, 2024, 2028, 2032]), 2, 29)
    minute = dice.choice([0, 0, 15, 30, 45, dice.randint(0, 59)])
    start += timedelta(hours=dice.choice([0, 1, 2, 2, 3, 22, 23, dice.randint(0, 23)]), minutes=minute)
    lasts = dice.choice([1, 20, 30, 60, 90, 150, 360, 1440, 4320])
    parts = rule(dice) if dice.random() < 0.92 else []
    span = timedelta(days=dice.choice([3, 40, 400]))
    first = start + timedelta(days=dice.choice([-10, 0, 20, 300, 1500]))
    if near and dice.random() < 0.7:
        first = near - timedelta(days=2)
    until = None
    if parts and dice.random() < 0.15:
        parts.append(f"COUNT={dice.randint(1, 60)}")
    elif parts and dice.random() < 0.2:
        until = start + timedelta(days=dice.randint(0, 700), hours=dice.randint(0, 23))
    text = ";".join(parts)
    written = text
    if until:
        shape = dice.randint(0, 2)
        if shape == 0:
            written += until.strftime(";UNTIL=%Y%m%dT%H%M%S")
        elif shape == 1:
            moment = resolve(zone, until, False)
            until = moment.astimezone(zone).replace(tzinfo=None)
            written += moment.strftime(";UNTIL=%Y%m%dT%H%M%SZ")
        else:
            until = until.replace(hour=23, minute=59, second=59)
            written += until.strftime(";UNTIL=%Y%m%d")
        text += until.strftime(";UNTIL=%Y%m%dT%H%M%S")
    begin = first.replace(tzinfo=timezone.utc)
    end = begin + span
    if parts:
        found = rrulestr(text, dtstart=start)
        slack = timedelta(days=2, minutes=lasts)
        locals_ = found.between(first - slack, first + span + slack, inc=True)
    else:
        locals_ = [start]
    except_ = sorted({t.date().isoformat() for t in locals_ if dice.random() < 0.03})
    locals_ = [t for t in locals_ if t.date().isoformat() not in except_]
    times = []
    for local in locals_:
        opens = resolve(zone, local, False)
        closes = resolve(zone, local + timedelta(minutes=lasts), True)
        if opens < closes and opens < end and closes > begin:
            times.append([millis(opens), millis(closes)])
    return {
        "zone": name,
        "starts": start.strftime("%Y-%m-%dT%H:%M"),
        "lasts": f"{lasts}m",
        "repeats": written or None,
        "except": except_,
        "from": millis(begin),
        "to": millis(end),
        "times": times,
    }


def main():
    dice = random.Random(int(sys.argv[1]))
    for _ in range(int(sys.argv[2])):
        print(json.dumps(case(dice)))


main()
