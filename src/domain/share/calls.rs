//! The calls that bring a workload to a share, or back, as far as they are known before they are made.

use std::sync::Arc;

use crate::domain::ids::Artifact;
use crate::domain::plan::Exposure;
use crate::domain::workload::{Way, Workload, surge};

/// The template of a call: what is done to what, and what is written there.
struct Written<'a> {
    /// `PATCH deployments/web -n shop`.
    lead: Vec<&'a str>,
    /// `image=shop/web:{version}@{digest}`.
    what: String,
}

impl<'a> Written<'a> {
    fn of(argv: &'a [Arc<str>], artifact: Option<&Artifact>, carrier: Option<&'a str>) -> Self {
        let (what, lead) = argv.split_last().map_or(("", argv), |(w, l)| (&**w, l));
        let mut lead: Vec<&str> = lead.iter().map(|word| &**word).collect();
        if let (Some(carrier), Some(path)) = (carrier, lead.get_mut(1)) {
            *path = carrier;
        }
        let what = match artifact {
            Some(it) => what
                .replace("{version}", &it.version)
                .replace("{digest}", &it.digest),
            None => what.to_owned(),
        };
        Written { lead, what }
    }

    /// The call on another object or part, with other words.
    fn on(&self, path: &str, what: &str) -> String {
        let mut words = self.lead.clone();
        if let Some(place) = words.get_mut(1) {
            *place = path;
        }
        words.push(what);
        words.join(" ")
    }

    fn path(&self) -> &'a str {
        self.lead.get(1).copied().unwrap_or_default()
    }

    fn with(&self, what: &str) -> String {
        self.on(self.path(), what)
    }
}

/// The calls of a step that brings a workload from one share to another: the first as its target's
/// room has it (`argv`), with what the step writes besides, and those that follow from it.
pub fn forward(
    argv: &[Arc<str>],
    artifact: &Artifact,
    workload: Option<&Workload>,
    from: u8,
    to: Exposure,
) -> Vec<String> {
    let carrier = workload.and_then(|workload| workload.carrier.as_deref());
    let own = Written::of(argv, Some(artifact), None);
    let written = Written::of(argv, Some(artifact), carrier);
    let Some(workload) = workload else {
        return vec![written.with(&written.what)];
    };
    // the version stands there since the first share
    let image = (from == 0).then_some(written.what.as_str());
    let with_image = |what: &str| {
        let words: Vec<&str> = image.into_iter().chain([what]).collect();
        written.with(&words.join(" "))
    };
    let full = to == Exposure::FULL;
    let (before, until) = (workload.share(from), workload.share(to.percent()));
    match (&workload.way, &*workload.kind) {
        (Way::Beside { shown }, _) => {
            let mut calls: Vec<String> =
                image.map(|image| written.with(image)).into_iter().collect();
            if full {
                let (path, what) = shown.split_once(' ').unwrap_or((shown, ""));
                calls.push(own.on(path, what));
            }
            calls
        }
        (Way::Stepped, "Rollout") => {
            let mut calls: Vec<String> =
                image.map(|image| written.with(image)).into_iter().collect();
            let status = format!("{}/status", own.path());
            let what = format!("pauseConditions=null at its pauses, up to {to}");
            calls.push(own.on(&status, &what));
            calls
        }
        (Way::Stepped, _) => {
            let mut calls: Vec<String> =
                image.map(|image| written.with(image)).into_iter().collect();
            calls.push(format!("its gates are opened, up to {to}"));
            calls
        }
        (Way::Counted, "Deployment") if full || until == workload.wanted => {
            vec![with_image("paused=false, its own strategy")]
        }
        (Way::Counted, "Deployment") => {
            let surge = surge(workload.wanted, before, until);
            let pace = format!("paused=false maxSurge={surge} maxUnavailable=0");
            let brake = "minReadySeconds=max";
            let end = format!("maxUnavailable up to {until} as new pods answer, then paused=true");
            // where pods run it already, the brake has to hold before anything moves
            let begin = match from {
                0 => vec![with_image(&format!("{pace} {brake}"))],
                _ => vec![written.with(brake), written.with(&pace)],
            };
            begin.into_iter().chain([written.with(&end)]).collect()
        }
        (Way::Counted, "StatefulSet") => {
            let partition = workload.wanted.saturating_sub(until);
            vec![with_image(&format!("partition={partition}"))]
        }
        (Way::Counted, "DaemonSet") => {
            let gone = super::pods(until.saturating_sub(before));
            let delete = format!("DELETE {gone} of what ran before, node by node");
            vec![with_image("updateStrategy=OnDelete"), delete]
        }
        (Way::Counted, _) => vec![written.with(&written.what)],
    }
}

/// The calls that bring back what ran before.
pub fn back(argv: &[Arc<str>], workload: Option<&Workload>) -> Vec<String> {
    let divided = workload.is_some_and(Workload::is_divided);
    let carrier = workload.and_then(|workload| workload.carrier.as_deref());
    let own = Written::of(argv, None, None);
    let Some(workload) = workload else {
        return vec![own.with(&own.what)];
    };
    let written = Written::of(argv, None, carrier);
    match (&workload.way, &*workload.kind) {
        // nothing but the Service has moved until it was switched, and that goes back first
        (Way::Beside { shown }, "Deployment") if !divided => {
            let service = shown.split_once(' ').map_or(&**shown, |(path, _)| path);
            vec![own.on(service, "selector=what it showed before the release")]
        }
        (_, "Rollout") if divided => {
            let status = format!("{}/status", own.path());
            vec![own.on(&status, "abort=true"), written.with(&written.what)]
        }
        _ => vec![written.with(&written.what)],
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn argv(path: &str, what: &str) -> Vec<Arc<str>> {
        ["PATCH", path, "-n", "shop", what].map(Arc::from).to_vec()
    }

    fn calls(workload: &Workload, path: &str, from: u8, to: &str) -> Vec<String> {
        let artifact = Artifact {
            version: "2".into(),
            digest: "sha256:ab".into(),
        };
        let to: Exposure = serde_json::from_value(to.into()).unwrap();
        let argv = argv(path, "image=web:{version}@{digest}");
        forward(&argv, &artifact, Some(workload), from, to)
    }

    fn workload(kind: &str, way: Way) -> Workload {
        Workload {
            kind: kind.into(),
            wanted: 20,
            way,
            ..Workload::default()
        }
    }

    #[test]
    fn a_counted_share_says_what_holds_it() {
        let web = workload("Deployment", Way::Counted);
        assert_eq!(
            calls(&web, "deployments/web", 0, "25%"),
            [
                "PATCH deployments/web -n shop image=web:2@sha256:ab paused=false maxSurge=2 maxUnavailable=0 minReadySeconds=max",
                "PATCH deployments/web -n shop maxUnavailable up to 5 as new pods answer, then paused=true",
            ]
        );
        assert_eq!(
            calls(&web, "deployments/web", 25, "50%"),
            [
                "PATCH deployments/web -n shop minReadySeconds=max",
                "PATCH deployments/web -n shop paused=false maxSurge=2 maxUnavailable=0",
                "PATCH deployments/web -n shop maxUnavailable up to 10 as new pods answer, then paused=true",
            ]
        );
        assert_eq!(
            calls(&web, "deployments/web", 50, "100%"),
            ["PATCH deployments/web -n shop paused=false, its own strategy"]
        );
        let store = workload("StatefulSet", Way::Counted);
        assert_eq!(
            calls(&store, "statefulsets/store", 25, "50%"),
            ["PATCH statefulsets/store -n shop partition=10"]
        );
        let agent = workload("DaemonSet", Way::Counted);
        assert_eq!(
            calls(&agent, "daemonsets/agent", 25, "50%"),
            [
                "PATCH daemonsets/agent -n shop updateStrategy=OnDelete",
                "DELETE 5 pods of what ran before, node by node",
            ]
        );
    }

    #[test]
    fn steps_of_a_platform_are_promoted_and_not_written() {
        let argo = workload("Rollout", Way::Stepped);
        assert_eq!(
            calls(&argo, "rollouts/web", 25, "50%"),
            ["PATCH rollouts/web/status -n shop pauseConditions=null at its pauses, up to 50 %"]
        );
        let flagger = Workload {
            carrier: Some("deployments/web".into()),
            ..workload("Canary", Way::Stepped)
        };
        assert_eq!(
            calls(&flagger, "canaries/front", 0, "50%"),
            [
                "PATCH deployments/web -n shop image=web:2@sha256:ab",
                "its gates are opened, up to 50 %",
            ]
        );
    }

    #[test]
    fn what_stands_beside_is_brought_up_first_and_shown_last() {
        let shown = "services/front selector=that of green".into();
        let pair = Workload {
            carrier: Some("deployments/green".into()),
            ..workload("Deployment", Way::Beside { shown })
        };
        assert_eq!(
            calls(&pair, "deployments/blue", 0, "25%"),
            ["PATCH deployments/green -n shop image=web:2@sha256:ab"]
        );
        assert_eq!(
            calls(&pair, "deployments/blue", 25, "100%"),
            ["PATCH services/front -n shop selector=that of green"]
        );
        let argv = argv("deployments/blue", "template=what ran before");
        assert_eq!(
            back(&argv, Some(&pair)),
            ["PATCH services/front -n shop selector=what it showed before the release"]
        );
        let beside = Workload {
            arriving: Some(Artifact {
                version: "2".into(),
                digest: "sha256:ab".into(),
            }),
            ..pair
        };
        assert_eq!(
            back(&argv, Some(&beside)),
            ["PATCH deployments/green -n shop template=what ran before"]
        );
    }
}
