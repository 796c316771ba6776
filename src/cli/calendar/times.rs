//! Times as people type and read them.

use chrono::DateTime;
use chrono_tz::Tz;

use crate::domain::calendar::{Scope, opens_at};
use crate::domain::plan::LocalTime;
use crate::domain::spelled::Spelled;
use crate::domain::text::printable;
use crate::domain::words::nearest;
use crate::domain::{EnvName, Notice, Span, State, Timestamp};

/// A moment on the clock of a zone: `Tue 24 Nov 22:00`.
pub fn moment(at: Timestamp, zone: Tz) -> String {
    let time = DateTime::from_timestamp_millis(at.0).unwrap_or_default();
    let time = time.with_timezone(&zone);
    time.format("%a %-d %b %Y %H:%M").to_string()
}

/// A span on the clock of a zone; `?` where an end is not known.
pub fn span(start: Option<Timestamp>, end: Option<Timestamp>, zone: Tz) -> String {
    let shown = |at: Option<Timestamp>| at.map_or("?".to_owned(), |at| moment(at, zone));
    format!("{} – {}", shown(start), shown(end))
}

/// The environment of that name.
///
/// # Errors
/// When there is none.
pub fn environment(state: &State, name: &str) -> Result<EnvName, Notice> {
    let known = EnvName::from(name);
    if state.charter.environments.contains_key(&known) {
        return Ok(known);
    }
    let names = state.charter.environments.keys().map(EnvName::as_str);
    let next = match nearest(name, names) {
        Some(near) => format!("did you mean `{near}`?"),
        None => "catalog.toml says which there are".to_owned(),
    };
    let shown = printable(name, 60);
    Err(Notice::error(
        "unknown-environment",
        format!("there is no environment `{shown}`"),
    )
    .next(next))
}

/// An end as it is typed: a length of time from now, a moment with an offset, or a local time, which
/// is meant in the zone of the only environment that is named.
///
/// # Errors
/// When it is none of these, or nobody can tell the zone.
pub fn until(
    text: &str,
    scope: &Scope,
    state: &State,
    now: Timestamp,
) -> Result<Timestamp, Notice> {
    if let Ok(span) = Span::parse(text) {
        return Ok(now.plus(span));
    }
    if let Ok(time) = DateTime::parse_from_rfc3339(text) {
        return Ok(Timestamp(time.timestamp_millis()));
    }
    let shown = printable(text, 60);
    let wrong = |why: String, next: &str| Err(Notice::error("bad-time", why).next(next));
    let Ok(local) = LocalTime::read(text) else {
        return wrong(
            format!("`{shown}` is no time"),
            "write 4h, 2d, 2026-12-23T06:00 or 2026-12-23T06:00:00+01:00",
        );
    };
    let mut zones: Vec<&str> = state
        .charter
        .environments
        .iter()
        .filter(|(name, _)| scope.environments.is_empty() || scope.environments.contains(*name))
        .map(|(_, environment)| &*environment.zone)
        .collect();
    zones.sort_unstable();
    zones.dedup();
    match zones.as_slice() {
        [zone] => Ok(opens_at(zone.parse().unwrap_or(Tz::UTC), local.0)),
        _ => wrong(
            format!("`{shown}` is another moment in each zone"),
            "name one environment, or write the offset: 2026-12-23T06:00:00+01:00",
        ),
    }
}
