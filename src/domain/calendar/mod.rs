//! The calendar: when releases may move.
//!
//! **Windows**: where one or more windows cover a service in an environment, its releases begin a
//! batch only while one of them is open. **Freezes**: while one holds, nothing in its scope begins.
//! **Lockdowns**: nothing in a scope goes forward until somebody lifts it. **Exemptions** free a scope
//! from one window or freeze for a while; from a lockdown, nothing. Pausing and rolling back know no
//! calendar.
//!
//! **Clocks.** Rules are reckoned on the wall clock of their zone. A time that the clocks skip is
//! the end of the gap; a time that occurs twice opens at the first and closes at the second, so that
//! what was agreed is never shorter than it reads. A freeze, for the same reason, never ends early.
//!
//! **Rollouts under way.** When a window closes or a freeze begins on one, the plan's
//! `at_window_end` or the rule's `running` says what follows: see [`Running`]. A lockdown always
//! holds on.

mod agenda;
mod book;
mod conflict;
mod evaluate;
mod lint;
mod local;
mod refusal;
mod rules;
mod series;

pub use agenda::{Item, ItemKind, Lane, LanesBy, lanes, next_conflict, next_slot, planned};
pub use book::{Ask, Book, Exemption, ExemptionId, LONGEST, Lockdown, LockdownId, Told, Wish};
pub use conflict::{Conflict, ConflictKind, conflicts, conflicts_of_plan};
pub use evaluate::{Answer, Bar, Evaluator, HORIZON, Rule, Slot, Subject, stops_calls};
pub use lint::{Lint, lints};
pub use local::{clock, closes_at, opens_at};
pub use refusal::NotNow;
pub use rules::{Calendar, Exclusive, Freeze, Running, Scope, Window};
pub use series::{Except, Occurrence, Repeat, Series};
