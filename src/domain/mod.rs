//! The world of releases, pure: what can be asked, what happened, what is wanted.
//!
//! No clock, no randomness, no input or output, no async: time comes with a command. The verbs:
//!
//! - [`decide()`](decide::decide): a state and a command give events, or a refusal;
//! - [`apply()`](apply::apply): a state and an event give the next state;
//! - [`wanted()`](wanted::wanted): the calls that should be made outside now;
//! - [`State::next_wake`]: when the clock has something to say.
//!
//! [`waiting`] answers what a release waits for, in words.

pub mod apply;
pub mod approval;
pub mod authority;
pub mod calendar;
pub mod canonical;
pub mod charter;
pub mod command;
pub mod compile;
pub mod decide;
pub mod diff;
pub mod effect;
pub mod emergency;
pub mod event;
pub mod hold;
pub mod ids;
pub mod judge_rule;
pub mod ladder;
pub mod limits;
pub mod live;
pub mod log;
pub mod metric;
pub mod needs;
pub mod notice;
pub mod pir;
pub mod plan;
pub mod press;
pub mod problems;
pub mod readiness;
pub mod refusal;
pub mod release;
pub mod risk;
pub mod ruling;
pub mod share;
pub mod spelled;
pub mod state;
pub mod text;
pub mod verdict;
pub mod waiting;
pub mod waiver;
pub mod wake;
pub mod wanted;
pub mod words;
pub mod workload;

pub use command::{Actor, Ask, Choice, Command, Control, Door};
pub use decide::{Draft, decide};
pub use effect::{Effect, Failure, Health, Outcome, Sight, Verb};
pub use event::{Event, What};
pub use hold::{Hold, HoldKind, HoldState};
pub use ids::*;
pub use notice::{Level, Notice};
pub use plan::Plan;
pub use refusal::Refusal;
pub use release::{Phase, Release, Summary};
pub use state::State;
pub use verdict::{Call, Decision, Judgement, MetricVerdict};
