//! The steps of a Rollout, and where among them a share can stand.

use std::sync::Arc;

use serde_json::Value;

use crate::domain::text::printable;

/// How a Rollout brings a new version.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Strategy {
    /// Share by share.
    Canary(Vec<Step>),
    /// All of it beside the old one, and then the switch.
    BlueGreen {
        /// Whether the switch waits until it is promoted.
        waits: bool,
    },
}

/// A step of a canary.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// So many percent of the traffic, or of the pods where nothing directs traffic.
    Weight(u8),
    /// Wait until somebody promotes.
    Pause,
    /// Wait so long: `10m`.
    Timed(Arc<str>),
    /// New pods without traffic.
    Scale(Arc<str>),
    /// An analysis has to succeed: the names of its templates.
    Analysis(Arc<str>),
    /// Anything else: an experiment, a header's route, a plugin.
    Other(Arc<str>),
}

impl Step {
    /// A few words: `20 %`, `pause`, `analysis error-rate`.
    pub fn words(&self) -> Arc<str> {
        match self {
            Step::Weight(share) => format!("{share} %").into(),
            Step::Pause => "pause".into(),
            Step::Timed(span) => format!("pause {span}").into(),
            Step::Scale(to) => format!("scale {to}").into(),
            Step::Analysis(names) => format!("analysis {names}").into(),
            Step::Other(what) => what.clone(),
        }
    }

    fn read(step: &Value, most: u64) -> Step {
        let text = |value: &Value| -> Arc<str> {
            match value.as_str() {
                Some(text) => printable(text, 60).into(),
                None => printable(&value.to_string(), 60).into(),
            }
        };
        if let Some(weight) = step["setWeight"].as_u64() {
            let share = (weight * 100).div_ceil(most.max(1)).min(100);
            return Step::Weight(u8::try_from(share).unwrap_or(100));
        }
        if let Some(pause) = step.get("pause") {
            return match &pause["duration"] {
                Value::Null => Step::Pause,
                span => Step::Timed(text(span)),
            };
        }
        if let Some(scale) = step.get("setCanaryScale") {
            return Step::Scale(match (&scale["replicas"], &scale["weight"]) {
                (Value::Null, Value::Null) => "with the traffic".into(),
                (Value::Null, share) => format!("to {share} %").into(),
                (pods, _) => format!("to {pods}").into(),
            });
        }
        if let Some(analysis) = step.get("analysis") {
            let names = analysis["templates"].as_array().into_iter().flatten();
            let names: Vec<_> = names.map(|one| text(&one["templateName"])).collect();
            return Step::Analysis(names.join(", ").into());
        }
        let key = step.as_object().and_then(|step| step.keys().next());
        Step::Other(key.map_or("step".into(), |key| printable(key, 40).into()))
    }
}

/// Where a share stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Goal {
    /// At this step, which is a pause.
    Step(usize),
    /// At the preview, before the switch.
    Preview,
    /// Everywhere, the last step behind it.
    End,
}

impl Strategy {
    /// As it stands in a Rollout's `spec.strategy`.
    pub fn read(strategy: &Value) -> Strategy {
        if let Some(colours) = strategy.get("blueGreen") {
            let waits = colours["autoPromotionEnabled"] == Value::Bool(false);
            return Strategy::BlueGreen { waits };
        }
        let canary = &strategy["canary"];
        let most = &canary["trafficRouting"]["maxTrafficWeight"];
        let steps = canary["steps"].as_array().into_iter().flatten();
        let steps = steps.map(|step| Step::read(step, most.as_u64().unwrap_or(100)));
        Strategy::Canary(steps.collect())
    }

    /// Its steps; none of a blue one and a green one.
    pub fn steps(&self) -> &[Step] {
        match self {
            Strategy::Canary(steps) => steps,
            Strategy::BlueGreen { .. } => &[],
        }
    }

    /// Where at most `share` percent stand: the last pause without an end before more than that is
    /// shown.
    ///
    /// # Errors
    /// Why no such share can stand anywhere, naming the steps.
    pub fn goal(&self, share: u8) -> Result<Goal, String> {
        if share >= 100 {
            return Ok(Goal::End);
        }
        match self {
            Strategy::BlueGreen { waits: true } => Ok(Goal::Preview),
            Strategy::BlueGreen { waits: false } => Err(format!(
                "{share} % cannot be held: its blue-green strategy promotes by itself; \
                 set `autoPromotionEnabled: false`"
            )),
            Strategy::Canary(steps) => pause_for(steps, share)
                .map(Goal::Step)
                .ok_or_else(|| cannot_hold(steps, share)),
        }
    }

    /// The largest share that is shown up to a step, that one included, in percent.
    pub fn shown(&self, step: usize) -> u8 {
        let steps = self.steps();
        if step >= steps.len() {
            return 100;
        }
        most(&steps[..=step])
    }
}

fn most(steps: &[Step]) -> u8 {
    let weights = steps.iter().map(|step| match step {
        Step::Weight(share) => *share,
        _ => 0,
    });
    weights.max().unwrap_or(0)
}

fn pause_for(steps: &[Step], share: u8) -> Option<usize> {
    let places = (0..steps.len()).filter(|n| steps[*n] == Step::Pause);
    let mut fitting = places.filter(|n| {
        let before = &steps[..*n];
        let scaled = before.iter().any(|step| matches!(step, Step::Scale(_)));
        most(before) <= share && (most(before) > 0 || scaled)
    });
    fitting.next_back()
}

fn cannot_hold(steps: &[Step], share: u8) -> String {
    if steps.is_empty() {
        return format!(
            "{share} % cannot be held: its canary has no steps; it needs `setWeight: {share}` and `pause: {{}}`"
        );
    }
    let words: Vec<_> = steps.iter().take(20).map(Step::words).collect();
    let held = (0..steps.len()).filter(|n| steps[*n] == Step::Pause);
    let mut held: Vec<u8> = held.map(|n| most(&steps[..n])).filter(|w| *w > 0).collect();
    held.dedup();
    let held = match &held[..] {
        [] => "no pause without an end follows a weight".to_owned(),
        places => {
            let places: Vec<_> = places.iter().map(|share| format!("{share} %")).collect();
            format!("it can stand at {}", places.join(", "))
        }
    };
    format!(
        "{share} % cannot be held by its steps ({}): {held}",
        words.join(", ")
    )
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn canary(steps: Value) -> Strategy {
        Strategy::read(&json!({"canary": {"steps": steps}}))
    }

    #[test]
    fn a_share_stands_at_the_last_pause_that_does_not_exceed_it() {
        let steps = canary(json!([
            {"setWeight": 10}, {"pause": {}}, {"setWeight": 30}, {"pause": {"duration": "10m"}},
            {"setWeight": 50}, {"analysis": {"templates": [{"templateName": "errors"}]}}, {"pause": {}},
        ]));
        assert_eq!(steps.goal(10), Ok(Goal::Step(1)));
        assert_eq!(steps.goal(49), Ok(Goal::Step(1)));
        assert_eq!(steps.goal(50), Ok(Goal::Step(6)));
        assert_eq!(steps.goal(99), Ok(Goal::Step(6)));
        assert_eq!(steps.goal(100), Ok(Goal::End));
        let words = steps.goal(9).unwrap_err();
        assert_eq!(
            words,
            "9 % cannot be held by its steps (10 %, pause, 30 %, pause 10m, 50 %, analysis errors, pause): \
             it can stand at 10 %, 50 %"
        );
    }

    #[test]
    fn a_pause_with_an_end_holds_nothing() {
        let steps =
            canary(json!([{"setWeight": 20}, {"pause": {"duration": 60}}, {"setWeight": 60}]));
        let words = steps.goal(40).unwrap_err();
        assert!(words.contains("(20 %, pause 60, 60 %)"), "{words}");
        assert!(words.contains("no pause without an end"), "{words}");
        assert!(canary(json!([])).goal(5).is_err());
        assert!(canary(Value::Null).goal(100).is_ok());
    }

    #[test]
    fn a_pause_before_anything_is_shown_is_no_share_unless_pods_are_there() {
        let bare = canary(json!([{"pause": {}}, {"setWeight": 50}, {"pause": {}}]));
        assert!(bare.goal(10).is_err());
        let scaled =
            canary(json!([{"setCanaryScale": {"replicas": 1}}, {"pause": {}}, {"setWeight": 50}]));
        assert_eq!(scaled.goal(10), Ok(Goal::Step(1)));
    }

    #[test]
    fn a_weight_that_goes_down_again_was_shown_all_the_same() {
        let steps = canary(json!([{"setWeight": 80}, {"setWeight": 10}, {"pause": {}}]));
        assert!(steps.goal(50).is_err());
        assert_eq!(steps.shown(2), 80);
        assert_eq!(steps.shown(9), 100);
    }

    #[test]
    fn weights_count_of_the_whole_that_is_routed() {
        let strategy = json!({"canary": {"trafficRouting": {"maxTrafficWeight": 1000}, "steps": [{"setWeight": 105}]}});
        assert_eq!(Strategy::read(&strategy).steps(), [Step::Weight(11)]);
    }

    #[test]
    fn blue_and_green_hold_at_the_preview_only_when_they_wait() {
        let waits = json!({"blueGreen": {"autoPromotionEnabled": false}});
        assert_eq!(Strategy::read(&waits).goal(10), Ok(Goal::Preview));
        assert_eq!(Strategy::read(&waits).goal(100), Ok(Goal::End));
        let goes = Strategy::read(&json!({"blueGreen": {}}));
        assert!(
            goes.goal(10)
                .unwrap_err()
                .contains("autoPromotionEnabled: false")
        );
    }
}
