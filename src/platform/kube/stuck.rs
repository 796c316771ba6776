//! What is stuck among some pods: their troubles, what was said of them, and how many share it.

use std::sync::Arc;

use super::decode::Pod;
use super::hearsay::{self, About, Hearing, Said, Times};
use super::pods::Trouble;
use crate::domain::workload::Stuck;

/// Of how many pods of a workload is asked what was said of them.
const SAMPLE: usize = 10;

/// Pods that share a trouble.
struct Group {
    count: u32,
    reason: &'static str,
    words: Arc<str>,
    /// The trouble as the pods' own status says it.
    status: Arc<str>,
    times: Option<Times>,
    /// How many of them nobody was asked about.
    guessed: u32,
}

impl Group {
    fn of(count: u32, trouble: &Trouble) -> Group {
        Group {
            count,
            reason: trouble.reason,
            words: trouble.words.clone(),
            status: trouble.words.clone(),
            times: None,
            guessed: 0,
        }
    }

    /// A pod's trouble with what was said of it; `None` where nothing is worth a word.
    fn heard(pod: &Pod, trouble: &Trouble, said: Option<&[Said]>, now: i64) -> Option<Group> {
        let mut group = Group::of(1, trouble);
        let fits: &dyn Fn(About) -> bool = match trouble.reason {
            "probe" => &|about| matches!(about, About::Readiness | About::Life),
            "crash-loop" => &|about| about == About::Life,
            _ if trouble.quiet => {
                &|about| matches!(about, About::Volume | About::Sandbox | About::Place)
            }
            _ => return Some(group),
        };
        let Some(said) = hearsay::newest(said.unwrap_or_default(), now, fits) else {
            return (!trouble.quiet).then_some(group);
        };
        let words = match &*said.container {
            "" => said.words.to_string(),
            // which of several it is
            name if pod.images.len() > 1 => format!("{name}: {}", said.words),
            _ => said.words.to_string(),
        };
        group.words = match trouble.reason {
            "crash-loop" => format!("{}; {words}", trouble.words).into(),
            _ => words.into(),
        };
        group.reason = match said.about {
            About::Volume => "volume",
            About::Sandbox => "sandbox",
            About::Place => "unschedulable",
            _ => trouble.reason,
        };
        group.times = Some(said.times);
        Some(group)
    }

    fn told(&self, now: i64) -> Arc<str> {
        let times = self.times.map_or(String::new(), |times| times.words(now));
        let sample = match self.guessed {
            0 => String::new(),
            guessed => format!(", as {} of them say", self.count - guessed),
        };
        format!("{}{times}{sample}", self.words).into()
    }
}

/// What is stuck among some pods, the most frequent first; `heard` tells what was said of a pod, and
/// `way_out` what helps against a reason.
pub fn gather<'a>(
    pods: impl Iterator<Item = &'a Pod>,
    refused: impl Iterator<Item = (u32, Trouble)>,
    heard: &Hearing<'_>,
    way_out: impl Fn(&str) -> Option<Arc<str>>,
) -> Vec<Stuck> {
    let now = chrono::Utc::now().timestamp();
    let mut groups: Vec<Group> = Vec::new();
    let mut sample = SAMPLE;
    let mut unasked = Vec::new();
    for pod in pods.filter(|pod| !pod.leaving) {
        let Some(trouble) = pod.trouble.as_deref().filter(|t| t.counts(now)) else {
            continue;
        };
        let speaks = trouble.quiet || matches!(trouble.reason, "probe" | "crash-loop");
        if speaks && sample == 0 {
            unasked.push(trouble);
            continue;
        }
        let said = speaks.then(|| heard(&pod.uid)).flatten();
        sample -= usize::from(speaks);
        if let Some(group) = Group::heard(pod, trouble, said.as_deref(), now) {
            join(&mut groups, group);
        }
    }
    for trouble in unasked.into_iter().filter(|trouble| !trouble.quiet) {
        guess(&mut groups, trouble);
    }
    for (count, trouble) in refused {
        join(&mut groups, Group::of(count, &trouble));
    }
    let found = groups.into_iter().map(|group| Stuck {
        count: group.count,
        reason: group.reason,
        words: group.told(now),
        way_out: way_out(group.reason),
    });
    let mut found: Vec<Stuck> = found.collect();
    found.sort_by(|a, b| b.count.cmp(&a.count).then_with(|| a.words.cmp(&b.words)));
    found
}

/// Restarts, addresses and back-off times differ from pod to pod: the first one speaks for all.
fn join(groups: &mut Vec<Group>, group: Group) {
    let known = groups
        .iter_mut()
        .find(|g| g.reason == group.reason && alike(&g.words, &group.words));
    match known {
        Some(known) => {
            known.count += group.count;
            known.times = match (known.times, group.times) {
                (Some(one), Some(other)) => Some(one.and(other)),
                (one, other) => one.or(other),
            };
        }
        None => groups.push(group),
    }
}

/// A pod that nobody was asked about, among those whose status is the same: most probably with the
/// most of them.
fn guess(groups: &mut Vec<Group>, trouble: &Trouble) {
    let same = groups
        .iter_mut()
        .filter(|g| g.times.is_some() && alike(&g.status, &trouble.words));
    match same.max_by_key(|g| g.count - g.guessed) {
        Some(group) => {
            group.count += 1;
            group.guessed += 1;
        }
        None => join(groups, Group::of(1, trouble)),
    }
}

/// Whether two sentences say the same of two pods: they differ at most in numbers.
fn alike(one: &str, other: &str) -> bool {
    let letters = |text: &str| -> String { text.chars().filter(|c| !c.is_ascii_digit()).collect() };
    one == other || letters(one) == letters(other)
}

#[cfg(test)]
mod tests {
    use super::super::pods::{refusal, sentence};
    use super::*;

    const SILENCE: &Hearing<'static> = &|_| None;

    fn pod(name: &str, reason: &'static str, words: &str) -> Pod {
        Pod {
            uid: name.into(),
            trouble: Some(Box::new(Trouble {
                reason,
                words: words.into(),
                since: None,
                quiet: false,
            })),
            ..Pod::default()
        }
    }

    fn said(about: About, words: &str, count: u32) -> Arc<[Said]> {
        let now = chrono::Utc::now().timestamp();
        let said = Said {
            about,
            words: words.into(),
            container: "web".into(),
            times: Times {
                count,
                first: now - 240,
                last: now,
            },
        };
        [said].into()
    }

    fn brief(found: &[Stuck]) -> Vec<String> {
        let told = |s: &Stuck| format!("{} {}: {}", s.count, s.reason, s.words);
        found.iter().map(told).collect()
    }

    #[test]
    fn the_most_frequent_reason_comes_first_and_leaving_pods_do_not_count() {
        let mut leaving = pod("d", "image", "web: no image");
        leaving.leaving = true;
        let pods = [
            pod("a", "image", "web: no image"),
            pod("b", "crash-loop", "exit 1, 3 restarts"),
            pod("c", "crash-loop", "exit 1, 12 restarts"),
            leaving,
        ];
        let refused = refusal("pods \"web-1\" is forbidden: exceeded quota: small");
        let found = gather(pods.iter(), [(5, refused)].into_iter(), SILENCE, |_| None);
        let reasons: Vec<_> = found.iter().map(|s| (s.count, s.reason)).collect();
        assert_eq!(reasons, [(5, "quota"), (2, "crash-loop"), (1, "image")]);
        assert_eq!(
            sentence(&found[1..2]),
            Some("2 pods: exit 1, 3 restarts".to_owned())
        );
    }

    #[test]
    fn what_a_kubelet_says_of_probes_is_told_with_how_often() {
        let names = ["a", "b", "c"];
        let pods = names.map(|name| pod(name, "probe", "web runs and is not ready"));
        let words = "readiness probe fails: HTTP probe failed with statuscode: 503";
        let hear: &Hearing<'_> = &|_| Some(said(About::Readiness, words, 4));
        let found = gather(pods.iter(), std::iter::empty(), hear, |_| None);
        assert_eq!(
            brief(&found),
            [format!("3 probe: {words} (12 times in 4 m)")]
        );
        // of one nothing was said: its own status speaks
        let hear: &Hearing<'_> = &|uid| (uid != "b").then(|| said(About::Readiness, words, 4));
        let found = gather(pods.iter(), std::iter::empty(), hear, |_| None);
        assert_eq!(
            brief(&found),
            [
                format!("2 probe: {words} (8 times in 4 m)"),
                "1 probe: web runs and is not ready".to_owned()
            ]
        );
    }

    #[test]
    fn a_crash_that_a_liveness_probe_makes_is_told_as_that() {
        let mut pods = [pod(
            "a",
            "crash-loop",
            "web crashes again and again: exit 137",
        )];
        pods[0].images = [("web".into(), "x".into()), ("proxy".into(), "y".into())].into();
        let hear: &Hearing<'_> = &|_| Some(said(About::Life, "liveness probe fails: refused", 1));
        let found = gather(pods.iter(), std::iter::empty(), hear, |_| None);
        let told = "web crashes again and again: exit 137; web: liveness probe fails: refused";
        assert_eq!(brief(&found), [format!("1 crash-loop: {told}")]);
        let other: &Hearing<'_> = &|_| Some(said(About::Readiness, "readiness probe fails", 1));
        let found = gather(pods.iter(), std::iter::empty(), other, |_| None);
        assert_eq!(
            brief(&found),
            ["1 crash-loop: web crashes again and again: exit 137"],
            "a readiness probe kills nobody"
        );
    }

    #[test]
    fn what_only_takes_its_time_is_told_if_somebody_says_what_is_wrong() {
        let mut pods = [pod("a", "blocked", "")];
        if let Some(trouble) = &mut pods[0].trouble {
            trouble.quiet = true;
        }
        let found = gather(pods.iter(), std::iter::empty(), SILENCE, |_| None);
        assert_eq!(found, []);
        let hear: &Hearing<'_> = &|_| Some(said(About::Volume, "its volumes are not there", 3));
        let found = gather(pods.iter(), std::iter::empty(), hear, |_| None);
        assert_eq!(
            brief(&found),
            ["1 volume: its volumes are not there (3 times in 4 m)"]
        );
    }

    #[test]
    fn of_many_only_some_are_asked_about_and_that_is_said() {
        let pods: Vec<Pod> = (0..40)
            .map(|n| pod(&format!("p{n}"), "probe", "web runs and is not ready"))
            .collect();
        let asked = std::sync::atomic::AtomicUsize::new(0);
        let hear: &Hearing<'_> = &|_| {
            asked.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
            Some(said(About::Readiness, "readiness probe fails", 1))
        };
        let found = gather(pods.iter(), std::iter::empty(), hear, |_| None);
        assert_eq!(asked.into_inner(), SAMPLE);
        assert_eq!(
            brief(&found),
            ["40 probe: readiness probe fails (10 times in 4 m), as 10 of them say"]
        );
    }
}
