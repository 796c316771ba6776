//! The thresholds of a recorded rollout.

use serde::Deserialize;

use super::json::Num;
use crate::judge::verdict::Rules;

/// The thresholds as a file gives them; what it does not give is as usual.
#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RulesGiven {
    alpha_rollback: Option<Num>,
    alpha_pause: Option<Num>,
    alpha_promote: Option<Num>,
    confirm: Option<u32>,
    missing_limit: Option<u32>,
}

impl RulesGiven {
    /// The thresholds; `None` where a chance is none.
    pub fn rules(&self) -> Option<Rules> {
        let usual = Rules::default();
        let number = |given: Option<Num>, usual: f64| given.map_or(usual, |given| given.0);
        let rules = Rules {
            alpha_rollback: number(self.alpha_rollback, usual.alpha_rollback),
            alpha_pause: number(self.alpha_pause, usual.alpha_pause),
            alpha_promote: number(self.alpha_promote, usual.alpha_promote),
            confirm: self.confirm.unwrap_or(usual.confirm),
            missing_limit: self.missing_limit.unwrap_or(usual.missing_limit),
            smell: usual.smell,
        };
        let alphas = [rules.alpha_rollback, rules.alpha_pause, rules.alpha_promote];
        let chances = alphas.iter().all(|alpha| *alpha > 0.0 && *alpha <= 1.0);
        chances.then_some(rules)
    }
}
