//! When a rule of the calendar holds: a span of local time that may repeat.

use std::sync::Arc;

use chrono::{Datelike, NaiveDate, NaiveDateTime, TimeDelta, TimeZone};
use chrono_tz::Tz;
use rrule::{Frequency, RRule, RRuleSet, Unvalidated};
use serde::{Deserialize, Deserializer, Serialize};

use super::local::{clock, closes_at, opens_at};
use crate::domain::ids::{Span, Timestamp};
use crate::domain::plan::LocalTime;
use crate::domain::spelled::{self, Spelled};

/// How many occurrences are looked at in one go at most; a rule that repeats once a day has fewer in
/// fifty years.
const MOST: usize = 20_000;

/// When something happens: from a local time for a while, once or again and again.
///
/// Everything is reckoned on the wall clock of one zone and only then turned into moments. `lasts`
/// too: what starts at 22:00 and lasts 6h ends at 04:00, also in the night when the clocks change.
/// Where the clock skips or repeats the start, see [`opens_at`], the end, see [`closes_at`]. What
/// would end before it begins, because a gap swallows it, does not occur.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Series {
    /// IANA zone.
    pub zone: Arc<str>,
    /// The first start. It counts as an occurrence only if `repeats` gives it too.
    pub starts: LocalTime,
    /// How long each occurrence lasts on the wall clock.
    pub lasts: Span,
    /// How it repeats; once without.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub repeats: Option<Repeat>,
    /// Occurrences that are left out. They count where the rule has a COUNT.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub except: Vec<Except>,
    /// Further starts.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub also: Vec<LocalTime>,
}

/// One time that a rule holds: `start <= t < end`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Occurrence {
    /// When it begins.
    pub start: Timestamp,
    /// When it is over.
    pub end: Timestamp,
}

impl Occurrence {
    /// Whether a moment lies in it.
    pub fn holds(&self, at: Timestamp) -> bool {
        self.start <= at && at < self.end
    }

    /// Whether it shares a moment with another span.
    pub fn meets(&self, other: &Occurrence) -> bool {
        self.start < other.end && other.start < self.end
    }
}

/// A recurrence rule (RFC 5545, RRULE) by days, weeks, months or years: `FREQ=WEEKLY;BYDAY=SA`.
///
/// Rules by hours, minutes and seconds are refused: what happens several times a day is written
/// with BYHOUR, which stays predictable when the clocks change.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct Repeat(Arc<str>);

impl Repeat {
    /// The rule as written.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The rule in local time, where its UNTIL may be written as a moment, a local time or a day.
    fn rule(&self, zone: Tz) -> Result<RRule<Unvalidated>, String> {
        local_until(&self.0, zone)
            .parse::<RRule<Unvalidated>>()
            .map_err(|error| crate::domain::text::printable(&error.to_string(), 200))
    }
}

impl Spelled for Repeat {
    const EXPECTED: &'static str = "a recurrence rule like FREQ=WEEKLY;BYDAY=SA,SU";

    fn read(text: &str) -> Result<Repeat, String> {
        let text = text.trim();
        let text = text.strip_prefix("RRULE:").unwrap_or(text).to_uppercase();
        let repeat = Repeat(text.into());
        let rule = repeat.rule(chrono_tz::UTC)?;
        match rule.get_freq() {
            Frequency::Yearly | Frequency::Monthly | Frequency::Weekly | Frequency::Daily => {}
            other => {
                return Err(format!(
                    "FREQ={other} is not allowed; write FREQ=DAILY with BYHOUR"
                ));
            }
        }
        if rule.get_interval() == 0 {
            return Err("INTERVAL=0 never comes to the next time; write 1 or more".to_owned());
        }
        if rule.get_count().is_some() && rule.get_until().is_some() {
            return Err("COUNT and UNTIL exclude each other; write one of them".to_owned());
        }
        Ok(repeat)
    }
}

impl<'de> Deserialize<'de> for Repeat {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        spelled::deserialize(from)
    }
}

/// Occurrences to leave out: all that start on a day, or the one that starts at a time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(into = "String")]
pub enum Except {
    /// `2026-12-24`.
    Day(NaiveDate),
    /// `2026-12-24T22:00`.
    Time(LocalTime),
}

impl Except {
    fn is(self, start: NaiveDateTime) -> bool {
        match self {
            Except::Day(day) => start.date() == day,
            Except::Time(time) => start == time.0,
        }
    }
}

impl Spelled for Except {
    const EXPECTED: &'static str = "a day like 2026-12-24, or a time like 2026-12-24T22:00";

    fn read(text: &str) -> Result<Except, String> {
        NaiveDate::parse_from_str(text, "%Y-%m-%d")
            .map(Except::Day)
            .or_else(|_| LocalTime::read(text).map(Except::Time))
            .map_err(|_| format!("`{text}` is no day; write 2026-12-24 or 2026-12-24T22:00"))
    }
}

impl From<Except> for String {
    fn from(except: Except) -> String {
        match except {
            Except::Day(day) => day.format("%Y-%m-%d").to_string(),
            Except::Time(time) => time.into(),
        }
    }
}

impl<'de> Deserialize<'de> for Except {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        spelled::deserialize(from)
    }
}

impl Series {
    /// The zone; UTC where the name is none, which the reader of files refuses.
    pub fn tz(&self) -> Tz {
        self.zone.parse().unwrap_or(chrono_tz::UTC)
    }

    /// Whether the rule can be followed from its start.
    ///
    /// # Errors
    /// What is wrong with it, in a sentence.
    pub fn check(&self) -> Result<(), String> {
        let set = self.set(self.starts.0)?;
        let Some(set) = set else { return Ok(()) };
        let gives = set.limit().into_iter().next().is_some();
        match gives {
            true => Ok(()),
            false => Err("the rule never gives a time".to_owned()),
        }
    }

    /// All occurrences that share a moment with `from <= t < to`, in order.
    pub fn between(&self, from: Timestamp, to: Timestamp) -> Vec<Occurrence> {
        let zone = self.tz();
        // no offset differs by more than a day from what the clock shows
        let slack = TimeDelta::days(2);
        let lasts = TimeDelta::milliseconds(i64::try_from(self.lasts.0).unwrap_or(i64::MAX / 4));
        let (Some(first), Some(last)) = (
            clock(zone, from)
                .checked_sub_signed(slack)
                .and_then(|t| t.checked_sub_signed(lasts)),
            clock(zone, to).checked_add_signed(slack),
        ) else {
            return Vec::new();
        };
        self.starts(first, last)
            .into_iter()
            .filter_map(|start| {
                let found = Occurrence {
                    start: opens_at(zone, start),
                    end: closes_at(zone, start.checked_add_signed(lasts)?),
                };
                (found.start < found.end && found.start < to && found.end > from).then_some(found)
            })
            .collect()
    }

    /// The local starts in a span of local time, both ends included.
    fn starts(&self, first: NaiveDateTime, last: NaiveDateTime) -> Vec<NaiveDateTime> {
        let mut found: Vec<NaiveDateTime> = match self.set(first) {
            Ok(Some(set)) => set
                .limit()
                .into_iter()
                .map(|time| time.naive_utc())
                .skip_while(|time| *time < first)
                .take_while(|time| *time <= last)
                .take(MOST)
                .collect(),
            Ok(None) => vec![self.starts.0],
            // the reader of files has refused such a rule
            Err(_) => Vec::new(),
        };
        found.retain(|start| !self.except.iter().any(|e| e.is(*start)));
        found.extend(self.also.iter().map(|time| time.0));
        found.retain(|start| (first..=last).contains(start));
        found.sort();
        found.dedup();
        found
    }

    /// The rule over local times, which stand there as if they were UTC: so no clock change can
    /// disturb the reckoning. It begins as late before `first` as gives the same times from there.
    fn set(&self, first: NaiveDateTime) -> Result<Option<RRuleSet>, String> {
        let Some(repeat) = &self.repeats else {
            return Ok(None);
        };
        let rule = repeat.rule(self.tz())?;
        let starts = later_start(&rule, self.starts.0, first);
        let begin = rrule::Tz::UTC.from_utc_datetime(&starts);
        if rule.get_until().is_some_and(|until| *until < begin) {
            let own = rrule::Tz::UTC.from_utc_datetime(&self.starts.0);
            let over = rule.get_until().is_none_or(|until| *until >= own);
            return match over {
                // what it gave is over: an empty set
                true => Ok(Some(RRuleSet::new(begin))),
                false => Err("UNTIL lies before the first start".to_owned()),
            };
        }
        rule.build(begin)
            .map(Some)
            .map_err(|error| crate::domain::text::printable(&error.to_string(), 200))
    }
}

/// A start from which a rule by days or weeks gives the same times from `first` on; without this
/// every question would walk through all the years since the rule began.
fn later_start(
    rule: &RRule<Unvalidated>,
    starts: NaiveDateTime,
    first: NaiveDateTime,
) -> NaiveDateTime {
    let days = match rule.get_freq() {
        Frequency::Daily => 1,
        Frequency::Weekly => 7,
        _ => return starts,
    };
    if rule.get_count().is_some() || first <= starts {
        return starts;
    }
    let period = days * i64::from(rule.get_interval().max(1));
    // a week more: the week in which the rule begins may lie on both sides of its start
    let passed = (first - starts).num_days() - 7 - period;
    let skipped = passed / period * period;
    if skipped <= 0 || starts.year() < 1 {
        return starts;
    }
    starts
        .checked_add_signed(TimeDelta::days(skipped))
        .unwrap_or(starts)
}

/// The rule with its UNTIL in local time, written as the parser wants it.
fn local_until(rule: &str, zone: Tz) -> String {
    let parts = rule.split(';').map(|part| {
        let Some(until) = part.strip_prefix("UNTIL=") else {
            return part.to_owned();
        };
        let time = |text: &str| NaiveDateTime::parse_from_str(text, "%Y%m%dT%H%M%S").ok();
        let local = match until.strip_suffix('Z') {
            Some(moment) => time(moment).map(|t| zone.from_utc_datetime(&t).naive_local()),
            None => time(until).or_else(|| {
                let day = NaiveDate::parse_from_str(until, "%Y%m%d").ok()?;
                day.and_hms_opt(23, 59, 59)
            }),
        };
        match local {
            Some(local) => format!("UNTIL={}Z", local.format("%Y%m%dT%H%M%S")),
            None => part.to_owned(),
        }
    });
    parts.collect::<Vec<_>>().join(";")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn series(zone: &str, starts: &str, lasts: &str, rule: Option<&str>) -> Series {
        Series {
            zone: zone.into(),
            starts: LocalTime::read(starts).unwrap(),
            lasts: Span::parse(lasts).unwrap(),
            repeats: rule.map(|r| Repeat::read(r).unwrap()),
            except: Vec::new(),
            also: Vec::new(),
        }
    }

    fn moment(text: &str) -> Timestamp {
        Timestamp(
            chrono::DateTime::parse_from_rfc3339(text)
                .unwrap()
                .timestamp_millis(),
        )
    }

    fn shown(found: &[Occurrence]) -> Vec<String> {
        let words = |t: Timestamp| {
            let time = chrono::DateTime::from_timestamp_millis(t.0).unwrap();
            time.format("%m-%dT%H:%M").to_string()
        };
        found
            .iter()
            .map(|o| format!("{} {}", words(o.start), words(o.end)))
            .collect()
    }

    #[test]
    fn nights_keep_their_wall_clock_when_the_clocks_change() {
        let nights = series(
            "Europe/Berlin",
            "2020-01-06T22:00",
            "6h",
            Some("FREQ=DAILY"),
        );
        let found = nights.between(
            moment("2026-03-28T12:00:00Z"),
            moment("2026-03-30T12:00:00Z"),
        );
        assert_eq!(
            shown(&found),
            ["03-28T21:00 03-29T02:00", "03-29T20:00 03-30T02:00"]
        );
        let found = nights.between(
            moment("2026-10-24T12:00:00Z"),
            moment("2026-10-25T12:00:00Z"),
        );
        assert_eq!(shown(&found), ["10-24T20:00 10-25T03:00"]);
    }

    #[test]
    fn what_a_gap_swallows_does_not_occur() {
        let short = series(
            "Europe/Berlin",
            "2026-03-01T02:10",
            "30m",
            Some("FREQ=DAILY"),
        );
        let found = short.between(
            moment("2026-03-28T12:00:00Z"),
            moment("2026-03-30T12:00:00Z"),
        );
        assert_eq!(shown(&found), ["03-30T00:10 03-30T00:40"]);
    }

    #[test]
    fn leap_days_year_ends_and_until() {
        let leap = series("UTC", "2024-02-29T00:00", "1d", Some("FREQ=YEARLY"));
        let found = leap.between(
            moment("2025-01-01T00:00:00Z"),
            moment("2033-01-01T00:00:00Z"),
        );
        assert_eq!(
            shown(&found),
            ["02-29T00:00 03-01T00:00", "02-29T00:00 03-01T00:00"]
        );
        // the first of January in Kiritimati begins on the last of December elsewhere
        let until = "FREQ=YEARLY;UNTIL=20271231T100000Z";
        let year = series("Pacific/Kiritimati", "2026-01-01T00:00", "1d", Some(until));
        let found = year.between(
            moment("2025-01-01T00:00:00Z"),
            moment("2033-01-01T00:00:00Z"),
        );
        assert_eq!(found.len(), 3, "{:?}", shown(&found));
    }

    #[test]
    fn exceptions_and_further_times() {
        let mut weekly = series("UTC", "2026-01-03T20:00", "2h", Some("FREQ=WEEKLY;COUNT=3"));
        weekly.except = vec![Except::read("2026-01-10").unwrap()];
        weekly.also = vec![LocalTime::read("2026-01-12T09:00").unwrap()];
        let found = weekly.between(
            moment("2026-01-01T00:00:00Z"),
            moment("2027-01-01T00:00:00Z"),
        );
        assert_eq!(
            shown(&found),
            [
                "01-03T20:00 01-03T22:00",
                "01-12T09:00 01-12T11:00",
                "01-17T20:00 01-17T22:00"
            ]
        );
    }

    #[test]
    fn bad_rules_are_refused_in_words() {
        let bad = |text: &str| Repeat::read(text).unwrap_err();
        assert!(bad("FREQ=HOURLY").contains("BYHOUR"));
        assert!(bad("FREQ=SOMETIMES").len() > 10);
        assert!(bad("every night").len() > 10);
        assert!(bad("FREQ=DAILY;COUNT=2;UNTIL=20270101").contains("exclude"));
        let never = series(
            "UTC",
            "2026-01-01T00:00",
            "1h",
            Some("FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=30"),
        );
        assert!(never.check().unwrap_err().contains("never"));
    }
}
