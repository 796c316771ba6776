//! iCalendar (RFC 5545): calendars of others become rules, and the room's calendar becomes a file for
//! others. Parsing and folding are the `icalendar` crate's.

use std::collections::BTreeMap;

use chrono::{NaiveDate, NaiveDateTime, TimeDelta, TimeZone};
use chrono_tz::Tz;
use icalendar::{Component, Event, Property};

use crate::domain::calendar::{Except, Occurrence, Repeat, Series, clock};
use crate::domain::plan::LocalTime;
use crate::domain::spelled::Spelled;
use crate::domain::text::printable;
use crate::domain::{Span, Timestamp};

/// The most events that one file may hold.
const MOST: usize = 2000;

/// An event of a calendar.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// A name made of its summary: letters, digits and `-`.
    pub name: String,
    /// Its summary, safe to show.
    pub summary: String,
    /// When it is.
    pub when: Series,
}

/// Reads the events of an iCalendar file. What has no zone of its own (all-day events, floating
/// times) is meant in `zone`. Cancelled events count for nothing; an occurrence that was moved is
/// taken out of its series and stands by itself.
///
/// # Errors
/// Everything in it that cannot be taken over, each in a sentence that names its event.
pub fn read(text: &str, zone: &str) -> Result<Vec<Entry>, Vec<String>> {
    if !text.trim_start().starts_with("BEGIN:VCALENDAR") {
        return Err(vec!["it is no iCalendar file".to_owned()]);
    }
    let calendar: icalendar::Calendar = text
        .parse()
        .map_err(|error: String| vec![printable(&error, 200)])?;
    let events: Vec<&Event> = calendar.events().take(MOST + 1).collect();
    if events.len() > MOST {
        return Err(vec![format!("it holds more than {MOST} events")]);
    }
    let mut problems = Vec::new();
    let mut entries: Vec<(Option<String>, Entry)> = Vec::new();
    let mut moved: BTreeMap<String, Vec<&Property>> = BTreeMap::new();
    for event in events {
        let uid = event.get_uid().map(str::to_owned);
        if let (Some(uid), Some(of)) = (&uid, event.properties().get("RECURRENCE-ID")) {
            moved.entry(uid.clone()).or_default().push(of);
        }
        let cancelled = event.property_value("STATUS") == Some("CANCELLED");
        if cancelled {
            continue;
        }
        match entry(event, zone) {
            Ok(found) => {
                let of_series = event.properties().contains_key("RECURRENCE-ID");
                entries.push((uid.filter(|_| !of_series), found));
            }
            Err(why) => {
                let summary = event.get_summary().unwrap_or("an event without a summary");
                problems.push(format!("{}: {why}", printable(summary, 80)));
            }
        }
    }
    for (uid, entry) in &mut entries {
        for property in uid.iter().filter_map(|uid| moved.get(uid)).flatten() {
            match times(property, &entry.when.zone) {
                Ok(found) => entry.when.except.extend(found),
                Err(why) => problems.push(format!("{}: {why}", entry.summary)),
            }
        }
    }
    match problems.is_empty() {
        true => Ok(entries.into_iter().map(|(_, entry)| entry).collect()),
        false => Err(problems),
    }
}

fn entry(event: &Event, zone: &str) -> Result<Entry, String> {
    let summary = printable(event.get_summary().unwrap_or("blackout"), 200);
    let properties = event.properties();
    let start = properties.get("DTSTART").ok_or("it has no DTSTART")?;
    let (starts, own_zone, all_day) = moment(start.value(), start, zone)?;
    let tz = tz(&own_zone)?;
    let length = match (properties.get("DTEND"), properties.get("DURATION")) {
        (Some(end), _) => {
            let (ends, end_zone, _) = moment(end.value(), end, zone)?;
            in_zone(ends, &end_zone, tz)? - starts
        }
        (None, Some(duration)) => length(duration.value())?,
        (None, None) if all_day => TimeDelta::days(1),
        (None, None) => return Err("it has neither DTEND nor DURATION".to_owned()),
    };
    let lasts = u64::try_from(length.num_milliseconds()).unwrap_or(0);
    if lasts == 0 {
        return Err("it is over before it begins".to_owned());
    }
    let mut except = Vec::new();
    let mut also = Vec::new();
    for property in all(event, "EXDATE") {
        except.extend(times(property, &own_zone)?);
    }
    for property in all(event, "RDATE") {
        if property.value().contains('/') {
            return Err("RDATE with periods is not supported".to_owned());
        }
        for time in times(property, &own_zone)? {
            also.push(match time {
                Except::Time(time) => time,
                Except::Day(day) => LocalTime(day.and_time(starts.time())),
            });
        }
    }
    if event.properties().contains_key("EXRULE") {
        return Err("EXRULE is not supported; RFC 5545 has taken it out".to_owned());
    }
    let rules = all(event, "RRULE");
    if rules.len() > 1 {
        return Err("several RRULEs in one event are not supported".to_owned());
    }
    let repeats = rules.first().map(|rule| Repeat::read(rule.value()));
    let when = Series {
        zone: own_zone.into(),
        starts: LocalTime(starts),
        lasts: Span(lasts),
        repeats: repeats.transpose()?,
        except,
        also,
    };
    when.check()?;
    Ok(Entry {
        name: slug(&summary),
        summary,
        when,
    })
}

/// Every property of a name, wherever the parser has put it.
fn all<'e>(event: &'e Event, name: &str) -> Vec<&'e Property> {
    let one = event.properties().get(name).into_iter();
    let many = event.multi_properties().get(name).into_iter().flatten();
    one.chain(many).collect()
}

/// A date or a time with its zone; whether it is a whole day.
fn moment(
    value: &str,
    property: &Property,
    zone: &str,
) -> Result<(NaiveDateTime, String, bool), String> {
    let shown = || printable(value, 40);
    if value.len() == 8 {
        let day = NaiveDate::parse_from_str(value, "%Y%m%d");
        let day = day.map_err(|_| format!("`{}` is no date", shown()))?;
        return Ok((day.and_time(chrono::NaiveTime::MIN), zone.to_owned(), true));
    }
    let (text, utc) = match value.strip_suffix('Z') {
        Some(text) => (text, true),
        None => (value, false),
    };
    let time = NaiveDateTime::parse_from_str(text, "%Y%m%dT%H%M%S");
    let time = time.map_err(|_| format!("`{}` is no time", shown()))?;
    let named = property.params().get("TZID").map(|p| p.value());
    let zone = match (utc, named) {
        (true, _) => "UTC",
        (false, Some(named)) => named.trim_matches('"').trim_start_matches('/'),
        (false, None) => zone,
    };
    Ok((time, zone.to_owned(), false))
}

fn tz(zone: &str) -> Result<Tz, String> {
    zone.parse().map_err(|_| {
        let shown = printable(zone, 60);
        format!("its zone `{shown}` is no IANA name such as Europe/Berlin")
    })
}

/// A time of one zone on the clock of another.
fn in_zone(time: NaiveDateTime, from: &str, to: Tz) -> Result<NaiveDateTime, String> {
    let from = tz(from)?;
    if from == to {
        return Ok(time);
    }
    let moment = crate::domain::calendar::opens_at(from, time);
    Ok(clock(to, moment))
}

/// The times of a property that lists some, on the clock of a zone.
fn times(property: &Property, zone: &str) -> Result<Vec<Except>, String> {
    property
        .value()
        .split(',')
        .map(|value| {
            let (time, own, all_day) = moment(value.trim(), property, zone)?;
            match all_day {
                true => Ok(Except::Day(time.date())),
                false => Ok(Except::Time(LocalTime(in_zone(time, &own, tz(zone)?)?))),
            }
        })
        .collect()
}

/// `P1DT6H`, `PT90M`, `P2W`.
fn length(text: &str) -> Result<TimeDelta, String> {
    let bad = || format!("`{}` is no duration", printable(text, 40));
    let rest = text
        .trim_start_matches('+')
        .strip_prefix('P')
        .ok_or_else(bad)?;
    let mut total = TimeDelta::zero();
    let mut digits = String::new();
    let mut in_day = false;
    for c in rest.chars() {
        if c.is_ascii_digit() {
            digits.push(c);
            continue;
        }
        if c == 'T' && digits.is_empty() && !in_day {
            in_day = true;
            continue;
        }
        let number: i64 = digits.parse().map_err(|_| bad())?;
        digits.clear();
        let seconds = match (c, in_day) {
            ('W', false) => 7 * 86_400,
            ('D', false) => 86_400,
            ('H', true) => 3600,
            ('M', true) => 60,
            ('S', true) => 1,
            _ => return Err(bad()),
        };
        let part = number.checked_mul(seconds).and_then(TimeDelta::try_seconds);
        total = part.and_then(|p| total.checked_add(&p)).ok_or_else(bad)?;
    }
    match digits.is_empty() {
        true => Ok(total),
        false => Err(bad()),
    }
}

/// A summary as the name of a rule.
fn slug(summary: &str) -> String {
    let mut name = String::new();
    for c in summary.chars().flat_map(char::to_lowercase) {
        match c {
            c if c.is_ascii_alphanumeric() => name.push(c),
            _ if name.ends_with('-') || name.is_empty() => {}
            _ => name.push('-'),
        }
        if name.len() == 48 {
            break;
        }
    }
    let name = name.trim_end_matches('-');
    match name.is_empty() {
        true => "blackout".to_owned(),
        false => name.to_owned(),
    }
}

/// Something to write into a calendar file.
#[derive(Clone, Debug)]
pub struct Written {
    /// Unique and stable: who reads the file again finds the same event.
    pub uid: String,
    /// What it is called.
    pub summary: String,
    /// More about it; may be empty.
    pub description: String,
    /// When it is.
    pub when: WrittenWhen,
}

/// When something in a calendar file is.
#[derive(Clone, Debug)]
pub enum WrittenWhen {
    /// By a rule.
    Series(Series),
    /// Once.
    Once(Occurrence),
}

/// An iCalendar file. Times of a rule are written in its zone, by its IANA name; moments in UTC.
pub fn write(name: &str, events: &[Written], now: Timestamp) -> String {
    let mut calendar = icalendar::Calendar::new();
    calendar.name(name);
    let stamp = utc(now);
    for written in events {
        let mut event = Event::new();
        event
            .uid(&written.uid)
            .summary(&written.summary)
            .add_property("DTSTAMP", &stamp);
        if !written.description.is_empty() {
            event.description(&written.description);
        }
        match &written.when {
            WrittenWhen::Once(when) => {
                event.add_property("DTSTART", utc(when.start));
                event.add_property("DTEND", utc(when.end));
            }
            WrittenWhen::Series(series) => by_rule(&mut event, series),
        }
        calendar.push(event.done());
    }
    calendar.to_string()
}

fn by_rule(event: &mut Event, series: &Series) {
    const LOCAL: &str = "%Y%m%dT%H%M%S";
    let zoned = |key: &str, value: String| {
        let mut property = Property::new(key, value);
        property.add_parameter("TZID", &series.zone);
        property.done()
    };
    let lasts = TimeDelta::milliseconds(i64::try_from(series.lasts.0).unwrap_or(i64::MAX / 4));
    let starts = series.starts.0;
    let ends = starts.checked_add_signed(lasts).unwrap_or(starts);
    event.append_property(zoned("DTSTART", starts.format(LOCAL).to_string()));
    event.append_property(zoned("DTEND", ends.format(LOCAL).to_string()));
    if let Some(repeats) = &series.repeats {
        event.add_property("RRULE", repeats.as_str());
    }
    for except in &series.except {
        let time = match except {
            Except::Day(day) => day.and_time(starts.time()),
            Except::Time(time) => time.0,
        };
        event.append_multi_property(zoned("EXDATE", time.format(LOCAL).to_string()));
    }
    for also in &series.also {
        event.append_multi_property(zoned("RDATE", also.0.format(LOCAL).to_string()));
    }
}

fn utc(at: Timestamp) -> String {
    let time = chrono::Utc.timestamp_millis_opt(at.0).single();
    time.unwrap_or_default()
        .format("%Y%m%dT%H%M%SZ")
        .to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    const BLACKOUT: &str = "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:-//x//y//EN\r\n\
        BEGIN:VEVENT\r\nUID:1\r\nSUMMARY:Year-end close\\, books\r\nDTSTART;VALUE=DATE:20261218\r\n\
        DTEND;VALUE=DATE:20270105\r\nEND:VEVENT\r\n\
        BEGIN:VEVENT\r\nUID:2\r\nSUMMARY:Payroll\r\nDTSTART;TZID=Europe/Berlin:20260131T180000\r\n\
        DURATION:PT6H\r\nRRULE:FREQ=MONTHLY;BYMONTHDAY=-1\r\n\
        EXDATE;TZID=Europe/Berlin:20260228T180000\r\nEND:VEVENT\r\n\
        BEGIN:VEVENT\r\nUID:2\r\nRECURRENCE-ID;TZID=Europe/Berlin:20260331T180000\r\n\
        SUMMARY:Payroll (early)\r\nDTSTART:20260330T160000Z\r\nDTEND:20260330T200000Z\r\n\
        END:VEVENT\r\n\
        BEGIN:VEVENT\r\nUID:3\r\nSTATUS:CANCELLED\r\nSUMMARY:No\r\nDTSTART:20260330T160000Z\r\n\
        DTEND:20260330T200000Z\r\nEND:VEVENT\r\nEND:VCALENDAR\r\n";

    #[test]
    fn a_blackout_calendar_becomes_series() {
        let found = read(BLACKOUT, "America/New_York").unwrap();
        let names: Vec<&str> = found.iter().map(|e| &*e.name).collect();
        assert_eq!(names, ["year-end-close-books", "payroll", "payroll-early"]);
        assert_eq!(found[0].summary, "Year-end close, books");
        assert_eq!(&*found[0].when.zone, "America/New_York");
        assert_eq!(found[0].when.lasts, Span::mins(18 * 24 * 60));
        assert_eq!(&*found[1].when.zone, "Europe/Berlin");
        let year = Timestamp(1_767_225_600_000);
        let times = found[1]
            .when
            .between(year, year.plus(Span::mins(160 * 1440)));
        // January, April and May: February is left out, March was moved
        assert_eq!(times.len(), 3);
        assert_eq!(&*found[2].when.zone, "UTC");
    }

    #[test]
    fn what_is_written_reads_back_as_it_was() {
        let found = read(BLACKOUT, "Europe/Berlin").unwrap();
        let events: Vec<Written> = found
            .iter()
            .map(|e| Written {
                uid: e.name.clone(),
                summary: e.summary.clone(),
                description: "a; b, c\nd".to_owned(),
                when: WrittenWhen::Series(e.when.clone()),
            })
            .collect();
        let text = write("room", &events, Timestamp(0));
        assert_eq!(read(&text, "UTC").unwrap(), found, "{text}");
        assert!(text.contains("DTSTAMP:19700101T000000Z"));
    }

    #[test]
    fn what_cannot_be_taken_over_is_named() {
        let event = |lines: &str| {
            let text = format!(
                "BEGIN:VCALENDAR\r\nBEGIN:VEVENT\r\nUID:1\r\nSUMMARY:Thing\r\n{lines}\r\n\
                 END:VEVENT\r\nEND:VCALENDAR\r\n"
            );
            read(&text, "UTC").unwrap_err().join("\n")
        };
        assert!(
            event("DTSTART;TZID=W. Europe Standard Time:20260101T000000\r\nDURATION:PT1H")
                .contains("IANA")
        );
        assert!(
            event("DTSTART:20260101T000000Z\r\nDURATION:PT1H\r\nRRULE:FREQ=HOURLY")
                .contains("BYHOUR")
        );
        assert!(event("DTSTART:20260101T000000Z").contains("Thing: it has neither"));
        assert!(event("DTSTART:yesterday\r\nDURATION:PT1H").contains("no time"));
        assert!(event("DTSTART:20260101T000000Z\r\nDURATION:P1H").contains("no duration"));
        assert!(read("hello", "UTC").is_err());
        assert!(read("BEGIN:VCALENDAR\r\nBEGIN:VEVENT\r\n", "UTC").is_err());
    }
}
