//! What is different between two plans, field by field, in the words of the file.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::plan::Plan;
use super::text::printable;

/// The most characters of a value that are shown.
const LONGEST: usize = 300;

/// One field that is different.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Change {
    /// The field as the file has it: `services.web.version`, `batches[0].exposure`.
    pub path: Arc<str>,
    /// What stood there; nothing where the field is new.
    pub from: Option<Arc<str>>,
    /// What stands there now; nothing where the field is gone.
    pub to: Option<Arc<str>>,
}

impl Change {
    /// `services.web.version: 2.0.0 → 2.1.0`, or what was added or taken away.
    pub fn words(&self) -> String {
        let path = &self.path;
        match (&self.from, &self.to) {
            (Some(from), Some(to)) => format!("{path}: {from} → {to}"),
            (None, Some(to)) => format!("{path}: added {to}"),
            (Some(from), None) => format!("{path}: removed {from}"),
            (None, None) => path.to_string(),
        }
    }
}

/// Every field in which two plans differ, in the order of the alphabet; empty when they are the
/// same plan, and only then.
pub fn plans(old: &Plan, new: &Plan) -> Vec<Change> {
    let value = |plan: &Plan| serde_json::to_value(plan).unwrap_or_default();
    let mut found = Vec::new();
    compare("", &value(old), &value(new), &mut found);
    found
}

/// Whether nothing but the times of the window is different. A window that is taken away is more
/// than that: the release could then move at any time.
pub fn window_alone(changes: &[Change]) -> bool {
    const TIMES: [&str; 4] = ["window", "window.opens", "window.closes", "window.zone"];
    !changes.is_empty()
        && changes.iter().all(|change| {
            TIMES.contains(&&*change.path) && (change.to.is_some() || &*change.path != "window")
        })
}

fn compare(path: &str, old: &Value, new: &Value, found: &mut Vec<Change>) {
    if old == new {
        return;
    }
    match (old, new) {
        (Value::Object(a), Value::Object(b)) => tables(path, a, b, found),
        (Value::Array(a), Value::Array(b)) => lists(path, a, b, found),
        _ => leaf(path, old, new, found),
    }
}

fn tables(path: &str, old: &Map<String, Value>, new: &Map<String, Value>, found: &mut Vec<Change>) {
    let mut keys: Vec<&String> = old.keys().chain(new.keys()).collect();
    keys.sort();
    keys.dedup();
    for key in keys {
        let at = match path {
            "" => key.clone(),
            path => format!("{path}.{key}"),
        };
        let part = |table: &Map<String, Value>| table.get(key).cloned().unwrap_or_default();
        compare(&at, &part(old), &part(new), found);
    }
}

/// Lists of words are told by what came and went; services by their name; everything else by place.
fn lists(path: &str, old: &[Value], new: &[Value], found: &mut Vec<Change>) {
    let named = |list: &[Value]| {
        let each = list.iter().map(|item| {
            let name = item.get("service")?.as_str()?;
            Some((name.to_owned(), item.clone()))
        });
        each.collect::<Option<Map<String, Value>>>()
            .filter(|map| map.len() == list.len())
    };
    let before = found.len();
    if old.iter().chain(new).all(Value::is_string) {
        for gone in old.iter().filter(|item| !new.contains(item)) {
            leaf(path, gone, &Value::Null, found);
        }
        for added in new.iter().filter(|item| !old.contains(item)) {
            leaf(path, &Value::Null, added, found);
        }
    } else if let (Some(old), Some(new)) = (named(old), named(new)) {
        tables(path, &old, &new, found);
    } else if let Some((gone, added)) = within(old, new) {
        let at = |n: usize| format!("{path}[{n}]");
        gone.into_iter()
            .for_each(|n| leaf(&at(n), &old[n], &Value::Null, found));
        added
            .into_iter()
            .for_each(|n| leaf(&at(n), &Value::Null, &new[n], found));
    } else {
        for n in 0..old.len().max(new.len()) {
            let part = |list: &[Value]| list.get(n).cloned().unwrap_or_default();
            compare(&format!("{path}[{n}]"), &part(old), &part(new), found);
        }
    }
    if found.len() == before {
        // the same things in another order
        let all = |list: &[Value]| Value::Array(list.to_vec());
        leaf(path, &all(old), &all(new), found);
    }
}

/// Where one of two lists has what the other has not, by their places in it, if the shorter one is the
/// longer one with gaps.
fn within(old: &[Value], new: &[Value]) -> Option<(Vec<usize>, Vec<usize>)> {
    let gaps = |long: &[Value], short: &[Value]| {
        let mut rest = short.iter().peekable();
        let left: Vec<usize> = (0..long.len())
            .filter(|n| rest.next_if(|item| **item == long[*n]).is_none())
            .collect();
        rest.peek().is_none().then_some(left)
    };
    match old.len().cmp(&new.len()) {
        std::cmp::Ordering::Greater => Some((gaps(old, new)?, Vec::new())),
        std::cmp::Ordering::Less => Some((Vec::new(), gaps(new, old)?)),
        std::cmp::Ordering::Equal => None,
    }
}

fn leaf(path: &str, old: &Value, new: &Value, found: &mut Vec<Change>) {
    found.push(Change {
        path: path.into(),
        from: shown(old),
        to: shown(new),
    });
}

fn shown(value: &Value) -> Option<Arc<str>> {
    match value {
        Value::Null => None,
        other => Some(printable(&written(other, true), LONGEST).into()),
    }
}

/// A value as a plan has it, on one line: `bake: 5m, deadline: 1h`, `[kim, ada]`. What is left out there is
/// left out here; the outermost table has no brackets.
fn written(value: &Value, outermost: bool) -> String {
    let empty = |value: &Value| match value {
        Value::Null => true,
        Value::Array(list) => list.is_empty(),
        _ => false,
    };
    match value {
        Value::String(text) => text.clone(),
        Value::Array(list) => {
            let items: Vec<String> = list.iter().map(|item| written(item, false)).collect();
            format!("[{}]", items.join(", "))
        }
        Value::Object(table) => {
            let fields = table.iter().filter(|(_, value)| !empty(value));
            let fields: Vec<String> = fields
                .map(|(key, value)| format!("{key}: {}", written(value, false)))
                .collect();
            match (fields.is_empty(), outermost) {
                (true, _) => "{}".to_owned(),
                (false, true) => fields.join(", "),
                (false, false) => format!("{{ {} }}", fields.join(", ")),
            }
        }
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn plan(change: impl FnOnce(&mut Value)) -> Plan {
        let mut value = json!({
            "title": "Web 2", "environment": "prod",
            "services": [
                {"service": "web", "version": "2", "digest": "sha256:0"},
                {"service": "api", "version": "7", "digest": "sha256:1"},
            ],
            "tickets": ["OPS-1", "OPS-2"],
            "window": {"opens": "2026-11-21T02:00", "closes": "2026-11-21T04:00"},
            "batches": [{"exposure": "10%"}, {"exposure": "full"}],
        });
        change(&mut value);
        serde_json::from_value(value).unwrap()
    }

    #[track_caller]
    fn differs(change: impl FnOnce(&mut Value), words: &[&str]) -> Vec<Change> {
        let found = plans(&plan(|_| ()), &plan(change));
        let said: Vec<String> = found.iter().map(Change::words).collect();
        assert_eq!(said, words);
        found
    }

    #[test]
    fn fields_are_named_as_in_the_file() {
        assert_eq!(plans(&plan(|_| ()), &plan(|_| ())), []);
        differs(
            |p| p["services"][0]["version"] = json!("3"),
            &["services.web.version: 2 → 3"],
        );
        differs(
            |p| p["batches"][0]["exposure"] = json!("25%"),
            &["batches[0].exposure: 10% → 25%"],
        );
        differs(
            |p| p["tickets"] = json!(["OPS-2", "OPS-3"]),
            &["tickets: removed OPS-1", "tickets: added OPS-3"],
        );
        differs(
            |p| p["tickets"] = json!(["OPS-2", "OPS-1"]),
            &["tickets: [OPS-1, OPS-2] → [OPS-2, OPS-1]"],
        );
        differs(
            |p| p["approval"] = json!({"dba": 1}),
            &["approval.dba: added 1"],
        );
        differs(|p| p["authors"] = json!(["kim"]), &["authors: added [kim]"]);
        differs(
            |p| p["batches"][0]["after"] = json!([{"bake": "5m"}, {"manual": {"ask": "more?"}}]),
            &[
                "batches[0].after[0]: added bake: 300s",
                "batches[0].after[1]: added manual: { ask: more? }",
            ],
        );
        let order = |p: &mut Value| p["services"].as_array_mut().unwrap().reverse();
        assert_eq!(plans(&plan(|_| ()), &plan(order)).len(), 1);
    }

    #[test]
    fn a_hold_that_is_gone_reads_as_it_was_written() {
        let held = |holds: Value| plan(|p| p["batches"][0]["after"] = holds);
        let two = json!([{"manual": {"ask": "more?"}, "deadline": "1h"}, {"bake": "5m"}]);
        let found = plans(&held(two), &held(json!([{"bake": "5m"}])));
        let said: Vec<String> = found.iter().map(Change::words).collect();
        assert_eq!(
            said,
            ["batches[0].after[0]: removed deadline: 3600s, manual: { ask: more? }"]
        );
    }

    #[test]
    fn a_window_alone_is_its_times_and_no_more() {
        let later = |p: &mut Value| p["window"]["closes"] = json!("2026-11-21T05:00");
        let words = "window.closes: 2026-11-21T04:00:00 → 2026-11-21T05:00:00";
        assert!(window_alone(&differs(later, &[words])));
        let gone = plans(&plan(|_| ()), &plan(|p| p["window"] = Value::Null));
        assert!(!window_alone(&gone), "{gone:?}");
        let came = plans(&plan(|p| p["window"] = Value::Null), &plan(|_| ()));
        assert!(window_alone(&came), "{came:?}");
        let end = |p: &mut Value| p["window"]["at_end"] = json!("roll-back");
        assert!(!window_alone(&plans(&plan(|_| ()), &plan(end))));
        assert!(!window_alone(&[]));
    }
}
