//! What is wrong with what a plan needs of others.

use super::Checker;
use crate::domain::ids::ReleaseId;
use crate::domain::needs::{NeedPlan, readable};

impl Checker<'_> {
    pub(super) fn needs(&mut self) {
        let plan = self.plan;
        for (n, need) in plan.needs.iter().enumerate() {
            let at = format!("needs[{n}]");
            match (&need.release, &need.service) {
                (Some(name), None) => self.need_of_release(&at, need, name),
                (None, Some(_)) => self.need_of_service(&at, need),
                _ => self.add(
                    at,
                    "one-kind-per-need",
                    "a need is of exactly one release or of exactly one service",
                    "write either release or service; several needs are several list items",
                ),
            }
        }
    }

    fn need_of_release(&mut self, at: &str, need: &NeedPlan, name: &str) {
        let fits = |c: char| c.is_ascii_alphanumeric() || "._-".contains(c);
        if name.is_empty() || !name.chars().all(fits) {
            self.add(
                format!("{at}.release"),
                "bad-name",
                format!("`{name}` can be no release's id or name"),
                "write an id such as R-7, or the name in the other plan",
            );
        } else if name.parse::<ReleaseId>() == Ok(ReleaseId(0)) {
            self.add(
                format!("{at}.release"),
                "unknown-name",
                "there is no release R-0, and there never will be",
                "releases are counted from R-1",
            );
        }
        let strays = [
            ("at_least", need.at_least.is_some()),
            ("exactly", need.exactly.is_some()),
            ("environment", need.environment.is_some()),
        ];
        for (key, _) in strays.iter().filter(|(_, there)| *there) {
            self.add(
                format!("{at}.{key}"),
                "says-nothing",
                format!("`{key}` says nothing of a release"),
                "leave it out; it belongs to service",
            );
        }
    }

    fn need_of_service(&mut self, at: &str, need: &NeedPlan) {
        if need.until.is_some() {
            self.add(
                format!("{at}.until"),
                "says-nothing",
                "`until` says nothing of a service",
                "leave it out; it belongs to release",
            );
        }
        match (&need.at_least, &need.exactly) {
            (Some(least), None) if readable(least).is_none() => self.add(
                format!("{at}.at_least"),
                "no-semantic-version",
                format!("`{least}` is no semantic version and cannot be compared"),
                "write all three numbers, such as 2.1.0, or use `exactly`",
            ),
            (Some(_), None) => {}
            (None, Some(one)) if !one.trim().is_empty() => {}
            (None, Some(_)) => self.add(
                format!("{at}.exactly"),
                "empty-version",
                "the version is empty",
                "name the version",
            ),
            _ => self.add(
                at,
                "one-version-per-need",
                "it is not clear which version will do",
                "write either at_least or exactly",
            ),
        }
        self.need_place(at, need);
    }

    fn need_place(&mut self, at: &str, need: &NeedPlan) {
        let (plan, charter) = (self.plan, self.charter);
        let Some(service) = &need.service else { return };
        if !charter.services.contains_key(service) {
            let known = charter.services.keys().map(|s| s.as_str());
            self.unknown(format!("{at}.service"), "service", service.as_str(), known);
            return;
        }
        let place = need.environment.as_ref().unwrap_or(&plan.environment);
        if !charter.environments.contains_key(place) {
            if need.environment.is_some() {
                let known = charter.environments.keys().map(|e| e.as_str());
                let path = format!("{at}.environment");
                self.unknown(path, "environment", place.as_str(), known);
            }
        } else if charter.targets_of(service, place).next().is_none() {
            self.add(
                format!("{at}.service"),
                "no-target",
                format!("`{service}` runs nowhere in {place}"),
                "name another environment, or leave the need out",
            );
        }
    }
}
