//! What holdpoint writes into a workload: whose wish it follows, and what must come back.

use kube::api::DynamicObject;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use crate::domain::Effect;

/// What all of its annotations begin with.
pub const PREFIX: &str = "holdpoint.dev/";

/// The id of the effect whose wish the workload follows, written in the same request as the wish.
pub const EFFECT: &str = "holdpoint.dev/effect";

/// What was there before the release changed anything, as JSON; see [`Before`].
pub const BEFORE: &str = "holdpoint.dev/before";

/// How many new pods there may be at most during the move that goes on.
pub const BOUND: &str = "holdpoint.dev/bound";

/// The release for which holdpoint has paused the object, so that it takes back no pause of anybody
/// else.
pub const HELD: &str = "holdpoint.dev/held";

/// The abort that a retry takes back: when it happened.
pub const RETRY: &str = "holdpoint.dev/retry";

/// What was there before a release changed anything.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Before {
    /// The release.
    pub release: String,
    /// What ran: the hash of its template, or the name of its revision. Revision numbers move when
    /// something goes back, these do not. Empty where it has no name.
    #[serde(alias = "hash")]
    pub revision: String,
    /// The image that ran.
    pub image: String,
    /// The image that the release brings.
    pub to: String,
    /// The fields that are changed on the way and come back: the strategy, the time that a pod has to
    /// answer, the progress deadline, as they were. Nothing once they are back.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub kept: Option<Kept>,
}

/// Fields of a workload's spec that come back as they were.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Kept {
    /// The strategy, as it stood in the spec.
    pub strategy: Value,
    /// `minReadySeconds`, of a Deployment.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub min_ready: Option<u32>,
    /// `progressDeadlineSeconds`, of a Deployment.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub deadline: Option<u32>,
    /// The strategy as holdpoint wrote it: what is found otherwise is somebody else's.
    pub written: Value,
}

/// Reads a workload's record; none where it is not one.
pub fn read(annotation: Option<&str>) -> Option<Before> {
    serde_json::from_str(annotation?).ok()
}

/// The annotations of an object.
pub fn marks(object: &DynamicObject) -> Value {
    object
        .metadata
        .annotations
        .as_ref()
        .map_or(Value::Null, |all| json!(all))
}

/// The annotations of holdpoint that are left on an object, each to be taken away.
pub fn left(marks: &Value) -> Option<Value> {
    let names = [EFFECT, BEFORE, BOUND, HELD, RETRY].into_iter();
    let left = names.filter(|name| marks[*name].is_string());
    let left: Map<_, _> = left.map(|name| (name.to_owned(), Value::Null)).collect();
    (!left.is_empty()).then_some(Value::Object(left))
}

impl Before {
    /// As it stands among an object's annotations, if the effect's release left it.
    pub fn of(marks: &Value, effect: &Effect) -> Option<Before> {
        read(marks[BEFORE].as_str()).filter(|b| b.release == effect.release.to_string())
    }

    /// As it is written into the annotation.
    pub fn write(&self) -> String {
        // strings and small values only: it cannot fail
        serde_json::to_string(self).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_record_is_read_as_it_was_written_and_nonsense_is_none() {
        let before = Before {
            release: "R-7".into(),
            revision: "5c9f".into(),
            image: "shop/web:1@sha256:ab".into(),
            to: "shop/web:2".into(),
            kept: Some(Kept {
                strategy: json!({"rollingUpdate": {"maxSurge": "25%"}}),
                min_ready: Some(0),
                deadline: Some(600),
                written: Value::Null,
            }),
        };
        assert_eq!(read(Some(&before.write())), Some(before));
        assert_eq!(read(Some("{")), None);
        assert_eq!(read(None), None);
        let old = read(Some(r#"{"release":"R-7","hash":"6f4","image":"x:1"}"#));
        assert_eq!(old.map(|b| b.revision), Some("6f4".to_owned()));
    }
}
