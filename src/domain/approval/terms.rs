//! What an approval asks for: the terms under which a release may go.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use crate::domain::charter::ApprovalRule;
use crate::domain::ids::{GroupName, PersonName, Span, Timestamp};
use crate::domain::plan::Plan;
use crate::domain::release::{Release, Vote};

/// Under which terms a release is approved.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Terms {
    /// How many votes of which groups.
    pub needs: BTreeMap<GroupName, u32>,
    /// Whether each vote must come from another person, even where one belongs to several groups.
    pub distinct_people: bool,
    /// Who may not vote, besides the submitter, who never may.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub excludes: BTreeSet<Exclusion>,
    /// How long a vote counts after it was cast; without one, as long as the release waits.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub vote_lasts: Option<Span>,
    /// Whether a change of the window alone voids the votes.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub window_binds: bool,
    /// How long the question stays open before the release expires.
    #[serde(default = "a_week")]
    pub expires: Span,
}

/// Somebody whose own work a release is, and who therefore may not vote on it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Exclusion {
    /// The people who wrote the commits, as the plan names them.
    Authors,
    /// Whoever started the pipeline that submitted the plan, as the plan says.
    Starter,
}

impl Default for Terms {
    /// Nobody has to approve.
    fn default() -> Self {
        Terms {
            needs: BTreeMap::new(),
            distinct_people: true,
            excludes: BTreeSet::new(),
            vote_lasts: None,
            window_binds: false,
            expires: a_week(),
        }
    }
}

impl Terms {
    /// The terms of a rule, if one fits, and what the plan asks for besides: a plan can only ask
    /// for more votes than the rule does.
    pub fn of(rule: Option<&ApprovalRule>, plan: &Plan) -> Terms {
        let mut terms = rule.map_or_else(Terms::default, |rule| Terms {
            needs: rule.needs.clone(),
            distinct_people: rule.distinct_people,
            excludes: rule.excludes.clone(),
            vote_lasts: rule.vote_lasts,
            window_binds: rule.window_binds,
            expires: rule.expires,
        });
        for (group, count) in &plan.approval {
            let slot = terms.needs.entry(group.clone()).or_default();
            *slot = (*slot).max(*count);
        }
        terms
    }

    /// Why somebody may not vote on a release, whatever groups they belong to.
    pub fn bars(&self, release: &Release, who: &PersonName) -> Option<Barred> {
        let plan = &release.plan;
        if release.submitter == *who {
            Some(Barred::Submitter)
        } else if release.changed.iter().any(|c| c.by == *who) {
            Some(Barred::Changer)
        } else if self.excludes.contains(&Exclusion::Authors) && plan.authors.contains(who) {
            Some(Barred::Author)
        } else if self.excludes.contains(&Exclusion::Starter)
            && plan.started_by.as_ref() == Some(who)
        {
            Some(Barred::Starter)
        } else {
            None
        }
    }

    /// When a vote stops to count.
    pub fn lapses(&self, vote: &Vote) -> Option<Timestamp> {
        self.vote_lasts.map(|span| vote.at.plus(span))
    }
}

/// Why somebody may not vote on a release: it is their own work.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Barred {
    /// They submitted it.
    Submitter,
    /// They changed its plan.
    Changer,
    /// They wrote commits in it.
    Author,
    /// They started the pipeline that submitted it.
    Starter,
}

impl Barred {
    /// What they did, in a sentence about them.
    pub const fn words(self) -> &'static str {
        match self {
            Barred::Submitter => "submitted this release",
            Barred::Changer => "changed this release's plan",
            Barred::Author => "wrote commits of this release",
            Barred::Starter => "started the pipeline of this release",
        }
    }
}

const fn a_week() -> Span {
    Span::mins(7 * 24 * 60)
}
