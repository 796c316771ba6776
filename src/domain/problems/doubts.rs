//! What is no mistake in a plan and yet worth a look: what the judge cannot do for it.

use super::{Checker, Problem};
use crate::domain::charter::{Charter, Metric, Service};
use crate::domain::ids::{MetricName, Span};
use crate::domain::metric::{Action, Horizon};
use crate::domain::plan::{Exposure, Plan, TriggerAction};

/// Everything that is worth a look, in the order of the file. `look` is how often is looked.
pub fn doubts(plan: &Plan, charter: &Charter, look: Span) -> Vec<Problem> {
    let mut found = Checker {
        plan,
        charter,
        problems: Vec::new(),
    };
    found.horizons(look);
    found.late_analyses();
    found.silent_triggers();
    found.problems
}

/// How long a rollout is by its plan, without what nobody can foresee.
pub fn length(plan: &Plan) -> Span {
    let batches = plan.batches.iter();
    let holds = batches.flat_map(|batch| batch.before.iter().chain(&batch.after));
    let bakes = holds.filter_map(|hold| hold.bake);
    Span(bakes.map(|span| span.0).sum::<u64>() + plan.observe.span.0)
}

impl<'a> Checker<'a> {
    fn all_metrics(
        &self,
    ) -> impl Iterator<Item = (usize, &'a Service, &'a MetricName, &'a Metric)> {
        let charter = self.charter;
        let services = self.plan.services.iter().enumerate();
        services
            .filter_map(|(n, change)| Some((n, charter.services.get(&change.service)?)))
            .flat_map(|(n, s)| s.metrics.iter().map(move |(name, m)| (n, s, name, m)))
    }

    fn horizons(&mut self, look: Span) {
        let long = length(self.plan);
        for (n, _, name, metric) in self.all_metrics().collect::<Vec<_>>() {
            let reach = match metric.horizon {
                None => continue,
                Some(Horizon::Time(span)) => span,
                Some(Horizon::Looks(looks)) => Span(look.0.saturating_mul(u64::from(looks))),
            };
            if reach < long {
                self.add(
                    format!("services[{n}]"),
                    "short-horizon",
                    format!(
                        "the horizon of {name} ends after {reach}, and this rollout takes {long}: \
                         what begins to go wrong later is found late"
                    ),
                    "leave `horizon` out in catalog.toml: it then is as long as the plan",
                );
            }
        }
    }

    /// Where everything runs the new version nothing is left to compare it with.
    fn late_analyses(&mut self) {
        for (b, batch) in self.plan.batches.iter().enumerate() {
            let full = batch.exposure == Exposure::FULL && batch.targets.is_empty();
            for (h, hold) in batch.after.iter().enumerate() {
                if full && hold.analysis.is_some() {
                    self.add(
                        format!("batches[{b}].after[{h}].analysis"),
                        "nothing-to-compare",
                        "after this batch no old version is left to compare the new one with",
                        "only hard limits can clear it; keep a tenth on the old version, or bake",
                    );
                }
            }
        }
    }

    fn silent_triggers(&mut self) {
        for (n, trigger) in self.plan.triggers.iter().enumerate() {
            let Some(name) = &trigger.metric else {
                continue;
            };
            let mut all = self.all_metrics().filter(|(_, _, other, _)| *other == name);
            let Some((_, service, _, metric)) = all.next() else {
                continue;
            };
            let hidden = self.charter.judging.shadow || service.in_shadow(metric);
            let numb = metric.is_gauge() && metric.fail_above.is_none();
            drop(all);
            let path = format!("triggers[{n}].metric");
            if hidden {
                self.add(
                    path,
                    "metric-in-shadow",
                    format!("`{name}` is in shadow: this trigger never fires"),
                    "`holdpoint report triggers` says how it does meanwhile",
                );
            } else if numb {
                let next = match trigger.action {
                    TriggerAction::RollBack => "give it a hard limit, or leave the trigger out",
                    TriggerAction::Pause => "it pauses without a trigger, by its action",
                };
                self.add(
                    path,
                    "gauge-without-limit",
                    format!(
                        "`{name}` is a gauge, which fails by its hard limit alone, and has none"
                    ),
                    next,
                );
            } else if metric.acts() == Action::Inform {
                self.add(
                    path,
                    "metric-that-informs",
                    format!("`{name}` only informs by catalog.toml, and this trigger acts on it all the same"),
                    "leave the trigger out, or the action",
                );
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(metric: &str, plan: &str) -> Vec<(String, &'static str)> {
        let service: Service = serde_json::from_str(&format!(
            r#"{{"owner": "web", "tier": 1, "depends_on": [], "metrics": {{"m": {metric}}}}}"#
        ))
        .unwrap();
        let mut charter = Charter::default();
        charter.services.insert("web".into(), service);
        let plan: Plan = serde_json::from_str(&format!(
            r#"{{"name": null, "title": "t", "environment": "prod", "runbook": null, "window": null,
                "services": [{{"service": "web", "version": "2", "digest": "sha256:0"}}], {plan}}}"#
        ))
        .unwrap();
        let found = doubts(&plan, &charter, Span::secs(15));
        found
            .into_iter()
            .map(|doubt| (doubt.path, doubt.code))
            .collect()
    }

    fn batch(rest: &str) -> String {
        format!(r#""batches": [{{"name": null, "exposure": "full", "after": [{rest}]}}]"#)
    }

    #[test]
    fn horizons_that_end_before_the_rollout() {
        let ratio = |horizon: &str| {
            format!(
                r#"{{"reading": {{"ratio": {{"bad": "b", "total": "t"}}}}, "min_count": 1{horizon}}}"#
            )
        };
        // 10 minutes of bake and 30 of observation
        let plan = batch(r#"{"bake": "10m"}"#);
        let short = vec![("services[0]".to_owned(), "short-horizon")];
        assert_eq!(
            found(&ratio(r#", "horizon": {"looks": 100}"#), &plan),
            short
        );
        assert_eq!(
            found(&ratio(r#", "horizon": {"time": "30m"}"#), &plan),
            short
        );
        assert_eq!(found(&ratio(r#", "horizon": {"looks": 160}"#), &plan), []);
        assert_eq!(found(&ratio(""), &plan), []);
    }

    #[test]
    fn holds_and_triggers_that_the_judge_can_do_nothing_for() {
        let gauge = r#"{"reading": {"gauge": {"series": "s"}}, "min_count": 1}"#;
        let hidden =
            r#"{"reading": {"ratio": {"bad": "b", "total": "t"}}, "min_count": 1, "shadow": true}"#;
        let trigger =
            r#", "triggers": [{"metric": "m", "instances_down": null, "action": "roll-back"}]"#;
        let plan = batch("") + trigger;
        let at = || "triggers[0].metric".to_owned();
        assert_eq!(found(gauge, &plan), [(at(), "gauge-without-limit")]);
        assert_eq!(found(hidden, &plan), [(at(), "metric-in-shadow")]);
        let late = batch(r#"{"analysis": {}}"#);
        let place = "batches[0].after[0].analysis".to_owned();
        assert_eq!(found(hidden, &late), [(place, "nothing-to-compare")]);
    }
}
