//! From the clock on the wall to moments, where clocks skip and repeat hours.

use chrono::{NaiveDateTime, TimeDelta, TimeZone};
use chrono_tz::Tz;

use crate::domain::ids::Timestamp;

/// The first moment at which the clock in a zone shows this time or a later one.
///
/// That is the moment itself, the first of two where the time occurs twice, and the end of the gap
/// where the clock skips it.
pub fn opens_at(zone: Tz, local: NaiveDateTime) -> Timestamp {
    match zone.from_local_datetime(&local).earliest() {
        Some(time) => Timestamp(time.timestamp_millis()),
        None => after_gap(zone, local),
    }
}

/// The last moment up to which the clock in a zone shows no later time than this.
///
/// That is the moment itself, the second of two where the time occurs twice, and the end of the gap
/// where the clock skips it.
pub fn closes_at(zone: Tz, local: NaiveDateTime) -> Timestamp {
    match zone.from_local_datetime(&local).latest() {
        Some(time) => Timestamp(time.timestamp_millis()),
        None => after_gap(zone, local),
    }
}

/// The clock in a zone at a moment; the epoch for moments outside of the calendar.
pub fn clock(zone: Tz, at: Timestamp) -> NaiveDateTime {
    zone.timestamp_millis_opt(at.0)
        .single()
        .map_or(NaiveDateTime::default(), |time| time.naive_local())
}

/// The end of the gap in which a local time lies.
fn after_gap(zone: Tz, local: NaiveDateTime) -> Timestamp {
    // a zone may skip a whole day, and no offset is larger than 14 hours
    const AROUND: TimeDelta = TimeDelta::hours(40);
    let (mut before, mut after) = (local - AROUND, local + AROUND);
    // whole seconds between the two halve until they are neighbours
    while after - before > TimeDelta::seconds(1) {
        let middle = before + TimeDelta::seconds((after - before).num_seconds() / 2);
        if zone.from_utc_datetime(&middle).naive_local() < local {
            before = middle;
        } else {
            after = middle;
        }
    }
    Timestamp(after.and_utc().timestamp_millis())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> NaiveDateTime {
        NaiveDateTime::parse_from_str(text, "%Y-%m-%dT%H:%M:%S").unwrap()
    }

    fn utc(time: Timestamp) -> String {
        let time = chrono::DateTime::from_timestamp_millis(time.0).unwrap();
        time.format("%Y-%m-%dT%H:%M:%S").to_string()
    }

    #[test]
    fn a_skipped_time_is_the_end_of_the_gap_to_the_second() {
        let berlin = chrono_tz::Europe::Berlin;
        for local in ["02:00:00", "02:07:13", "02:59:59"] {
            let local = at(&format!("2026-03-29T{local}"));
            assert_eq!(utc(opens_at(berlin, local)), "2026-03-29T01:00:00");
            assert_eq!(utc(closes_at(berlin, local)), "2026-03-29T01:00:00");
        }
        // half an hour on Lord Howe, a whole day on Samoa
        let howe = opens_at(chrono_tz::Australia::Lord_Howe, at("2026-10-04T02:10:00"));
        assert_eq!(utc(howe), "2026-10-03T15:30:00");
        let apia = opens_at(chrono_tz::Pacific::Apia, at("2011-12-30T12:00:00"));
        assert_eq!(utc(apia), "2011-12-30T10:00:00");
    }

    #[test]
    fn a_repeated_time_opens_at_the_first_and_closes_at_the_second() {
        let berlin = chrono_tz::Europe::Berlin;
        let local = at("2026-10-25T02:30:00");
        assert_eq!(utc(opens_at(berlin, local)), "2026-10-25T00:30:00");
        assert_eq!(utc(closes_at(berlin, local)), "2026-10-25T01:30:00");
    }

    #[test]
    fn the_widest_offsets_are_exact() {
        let noon = at("2028-02-29T12:00:00");
        let kiritimati = opens_at(chrono_tz::Pacific::Kiritimati, noon);
        assert_eq!(utc(kiritimati), "2028-02-28T22:00:00");
        assert_eq!(
            utc(opens_at(chrono_tz::Etc::GMTPlus12, noon)),
            "2028-03-01T00:00:00"
        );
        assert_eq!(
            utc(opens_at(chrono_tz::Asia::Kathmandu, noon)),
            "2028-02-29T06:15:00"
        );
        assert_eq!(clock(chrono_tz::Pacific::Kiritimati, kiritimati), noon);
    }
}
