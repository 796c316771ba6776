use super::*;
use serde_json::{Value, json};

const NOON: &str = "2026-01-01T12:00:00Z";

fn noon() -> i64 {
    chrono::DateTime::parse_from_rfc3339(NOON)
        .expect("a time")
        .timestamp()
}

fn said(event: Value) -> Option<Said> {
    let event: Event = serde_json::from_value(event).expect("an event");
    event.said()
}

fn words(reason: &str, message: &str) -> String {
    let event = json!({"reason": reason, "message": message, "lastTimestamp": NOON});
    said(event).expect("words").words.to_string()
}

#[test]
fn both_ways_to_count_are_read() {
    let old = json!({"type": "Warning", "reason": "Unhealthy", "count": 12, "eventTime": null, "series": null,
        "message": "Readiness probe failed: HTTP probe failed with statuscode: 503",
        "firstTimestamp": "2026-01-01T11:56:00Z", "lastTimestamp": NOON,
        "involvedObject": {"kind": "Pod", "fieldPath": "spec.containers{web}"}});
    let old = said(old).expect("words");
    assert_eq!(
        *old.words,
        *"readiness probe fails: HTTP probe failed with statuscode: 503"
    );
    assert_eq!((&*old.container, old.about), ("web", About::Readiness));
    assert_eq!(old.times.words(noon()), " (12 times in 4 m)");
    let new = json!({"reason": "Unhealthy", "message": "Liveness probe errored: rpc error",
        "firstTimestamp": null, "lastTimestamp": null, "eventTime": "2026-01-01T11:59:00.123456Z",
        "series": {"count": 7, "lastObservedTime": "2026-01-01T12:00:00.000001Z"}});
    let new = said(new).expect("words");
    assert_eq!(
        (&*new.words, new.about),
        ("liveness probe fails: errored: rpc error", About::Life)
    );
    assert_eq!(
        new.times.words(noon() + 200),
        " (7 times in 60 s, last 3 m ago)".replace("60 s", "1 m")
    );
    let once = json!({"reason": "Unhealthy", "message": "x", "eventTime": NOON, "count": null});
    let once = said(once).expect("words");
    assert_eq!(once.times.words(noon()), "");
    assert_eq!(once.times.words(noon() + 300), " (5 m ago)");
    let timeless = json!({"reason": "Unhealthy", "message": "x"});
    assert_eq!(
        said(timeless),
        None,
        "nobody knows whether that is true now"
    );
}

#[test]
fn what_keeps_pods_from_coming_up_has_words_and_the_rest_has_none() {
    assert_eq!(
        words(
            "FailedMount",
            "MountVolume.SetUp failed for volume \"conf\": configmap \"web\" not found"
        ),
        "its volumes are not there: MountVolume.SetUp failed for volume \"conf\": configmap \"web\" not found"
    );
    assert_eq!(
        words(
            "FailedCreatePodSandBox",
            "Failed to create pod sandbox: rpc error: no \u{1b}[31mip"
        ),
        "it cannot be set up: rpc error: no \u{fffd}[31mip",
        "printable"
    );
    assert_eq!(
        words(
            "FailedCreate",
            "create Pod store-2 in StatefulSet store failed error: pods \"store-2\" is forbidden"
        ),
        "pods \"store-2\" is forbidden"
    );
    assert_eq!(
        words(
            "FailedCreate",
            "(combined from similar events): Error creating: pods \"web-x\" is forbidden"
        ),
        "pods \"web-x\" is forbidden"
    );
    assert_eq!(
        words(
            "Unhealthy",
            "Startup probe failed: dial tcp 10.0.0.1:80: connection refused\n"
        ),
        "startup probe fails: dial tcp 10.0.0.1:80: connection refused"
    );
    for reason in ["Pulled", "Scheduled", "BackOff", ""] {
        assert_eq!(said(json!({"reason": reason, "lastTimestamp": NOON})), None);
    }
}

#[test]
fn what_was_overcome_since_counts_no_more() {
    let at = |about, last| Said {
        about,
        words: "no".into(),
        container: "".into(),
        times: Times {
            count: 1,
            first: last,
            last,
        },
    };
    let fails = |all: &[Said], now| not_made(all, now).is_some();
    assert!(fails(&[at(About::NotMade, 100)], 110));
    assert!(fails(&[at(About::Made, 100), at(About::NotMade, 100)], 110));
    assert!(!fails(
        &[at(About::NotMade, 100), at(About::Made, 101)],
        110
    ));
    assert!(!fails(&[at(About::NotMade, 100)], 100 + RETRIED + 1));
    let probes = [at(About::Readiness, 100), at(About::Volume, 90)];
    let probe = |now| newest(&probes, now, |about| about == About::Readiness).is_some();
    assert!(probe(100 + RECENT) && !probe(101 + RECENT));
}

#[test]
fn only_what_somebody_wants_to_know_is_asked_and_not_again_and_again() {
    let mut pages = Pages::default();
    let begun = Instant::now();
    assert_eq!(
        pages.next(begun),
        Err(None),
        "nobody asks, nothing is asked"
    );
    assert_eq!(pages.want("shop", "u1", begun), None);
    pages.want("shop", "u2", begun);
    let mut asked = Vec::new();
    while let Ok((ns, uid)) = pages.next(begun) {
        pages.heard(&ns, &uid, Ok(Vec::new()));
        asked.push(uid.to_string());
    }
    asked.sort();
    assert_eq!(asked, ["u1", "u2"]);
    assert!(matches!(pages.next(begun), Err(Some(_))), "both are fresh");
    assert!(pages.want("shop", "u1", begun).is_some());
    let later = begun + FRESH * 2;
    assert!(pages.want("shop", "u1", later).is_some());
    let next = pages.next(later).map(|(_, uid)| uid.to_string());
    assert_eq!(
        next,
        Ok("u1".to_owned()),
        "nobody wants to know of the other"
    );
    let last = later + OLD;
    assert_eq!(pages.want("shop", "u1", last), None, "too old to be told");
    // bounded, whatever is wanted
    for n in 0..2 * OBJECTS {
        pages.want("shop", &format!("n{n}"), last);
    }
    assert_eq!(pages.by_uid.len(), OBJECTS);
}

#[test]
fn a_missing_right_is_asked_for_once_in_a_while() {
    let mut pages = Pages::default();
    let begun = Instant::now();
    pages.want("shop", "u1", begun);
    pages.want("other", "u2", begun);
    let denied = || Err(CallError::Forbidden("no".into()));
    pages.heard(&"shop".into(), "u1", denied());
    pages.want("shop", "u1", begun);
    let next = pages.next(begun).map(|(ns, _)| ns.to_string());
    assert_eq!(next, Ok("other".to_owned()), "others are not concerned");
    pages.heard(&"other".into(), "u2", denied());
    assert_eq!(pages.next(begun), Err(None));
    let later = begun + DENIED * 2;
    pages.want("shop", "u1", later);
    assert!(pages.next(later).is_ok());
}
