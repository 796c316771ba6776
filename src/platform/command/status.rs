//! Reading what a `status` command printed.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::Deserialize;
use serde_json::Value;

use crate::domain::text::printable;
use crate::domain::{Artifact, Health, InstanceName, Sight};

/// One object of the output. Keys that are not known may be there; a missing one may not.
#[derive(Deserialize)]
struct Row {
    instance: String,
    state: String,
    version: Option<String>,
    digest: Option<String>,
}

/// Reads objects, one after another or in arrays.
///
/// # Errors
/// A sentence; then nothing of the output is to be believed.
pub(super) fn read(output: &[u8]) -> Result<Vec<Sight>, String> {
    let mut sights = Vec::new();
    for value in serde_json::Deserializer::from_slice(output).into_iter::<Value>() {
        let value = value.map_err(|e| format!("its output is not JSON: {e}"))?;
        match value {
            Value::Array(values) => {
                for value in values {
                    sights.push(sight(value)?);
                }
            }
            value => sights.push(sight(value)?),
        }
    }
    Ok(sights)
}

fn sight(value: Value) -> Result<Sight, String> {
    let row: Row = serde_json::from_value(value)
        .map_err(|e| format!("an object of its output is not as expected: {}", short(&e)))?;
    let health = match row.state.as_str() {
        "running" => Health::Running,
        "changing" | "starting" | "stopping" => Health::Changing,
        "down" | "stopped" | "failed" => Health::Down,
        _ => Health::Unknown,
    };
    let text = |value: Option<String>| printable(&value.unwrap_or_default(), 200);
    let version = text(row.version);
    let artifact = (!version.is_empty()).then(|| Artifact {
        version: version.into(),
        digest: text(row.digest).into(),
    });
    Ok(Sight {
        instance: InstanceName::from(printable(&row.instance, 64)),
        health,
        artifact,
        arriving: None,
        detail: printable(&row.state, 100).into(),
    })
}

fn short(error: &serde_json::Error) -> String {
    printable(&error.to_string(), 200)
}

/// An instance of which nothing is known.
pub(super) fn unknown(instance: &InstanceName, why: impl Into<Arc<str>>) -> Sight {
    Sight {
        instance: instance.clone(),
        health: Health::Unknown,
        artifact: None,
        arriving: None,
        detail: why.into(),
    }
}

/// What was said of each of `instances`, in their order. One that was left out, or of which two
/// things were said, is unknown; what was said of others is dropped.
pub(super) fn sort(sights: Vec<Sight>, instances: &[InstanceName]) -> Vec<Sight> {
    let mut said: BTreeMap<InstanceName, Vec<Sight>> = BTreeMap::new();
    for sight in sights {
        said.entry(sight.instance.clone()).or_default().push(sight);
    }
    let one = |name: &InstanceName| match said.remove(name).as_deref() {
        Some([first, others @ ..]) if others.iter().all(|other| other == first) => first.clone(),
        Some(_) => unknown(name, "status said different things of it"),
        None => unknown(name, "status did not mention it"),
    };
    instances.iter().map(one).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names() -> Vec<InstanceName> {
        ["i-01", "i-02"].map(InstanceName::from).to_vec()
    }

    fn healths(output: &str) -> Vec<(Health, String)> {
        let sights = sort(read(output.as_bytes()).unwrap(), &names());
        let one = |s: Sight| (s.health, s.detail.to_string());
        sights.into_iter().map(one).collect()
    }

    #[test]
    fn objects_in_lines_or_arrays() {
        let one =
            r#"{"instance":"i-01","version":"4.12.0","digest":"sha256:ab","state":"running"}"#;
        let two = r#"{"instance":"i-02","version":"4.12.0","state":"stopping","extra":[1]}"#;
        for output in [
            format!("{one}\n{two}\n"),
            format!("{one}{two}"),
            format!("[{two},{one}]"),
            format!("[{one}][{two}]"),
        ] {
            let sights = sort(read(output.as_bytes()).unwrap(), &names());
            assert_eq!(sights[0].health, Health::Running);
            let artifact = sights[0].artifact.as_ref().unwrap();
            assert_eq!(&*artifact.digest, "sha256:ab");
            assert_eq!(sights[1].health, Health::Changing);
            assert_eq!(&*sights[1].artifact.as_ref().unwrap().digest, "");
        }
    }

    #[test]
    fn states_that_are_not_known_are_unknown() {
        let said = healths(r#"{"instance":"i-01","state":"on \u001b[31mfire"}"#);
        assert_eq!(
            said[0],
            (Health::Unknown, "on \u{fffd}[31mfire".to_string())
        );
        let why = "status did not mention it".to_string();
        assert_eq!(said[1], (Health::Unknown, why));
    }

    #[test]
    fn two_answers_are_none() {
        let said = healths(
            r#"{"instance":"i-01","state":"running"}{"instance":"i-01","state":"down"}
               {"instance":"i-02","state":"down"}{"instance":"i-02","state":"down"}"#,
        );
        assert_eq!(said[0].0, Health::Unknown);
        assert_eq!(said[1].0, Health::Down);
    }

    #[test]
    fn garbage_is_no_answer() {
        for output in [
            "i-01 is fine",
            "\x00\x01",
            "{\"instance\":\"i-01\",\"state\":\"running\"} trailing",
            "{\"instance\":\"i-01\"}",
            "{\"instance\":\"i-01\",\"state\":true}",
            "[[]]",
            "42",
        ] {
            assert!(read(output.as_bytes()).is_err(), "{output}");
        }
        assert!(read(b"").unwrap().is_empty());
    }
}
