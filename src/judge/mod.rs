//! Numbers in, verdict out; pure.
//!
//! What one look gathers is a [`Sample`]; [`limit`] compares it with hard limits. The rest is the
//! judge proper, whose evidence may be looked at as often as one likes:
//!
//! - [`counts`]: a look's counts and what is allowed; [`vote`], [`count`]: the factor of one look;
//!   [`mixture`]: effect sizes and late starts; [`evidence`]: both engines and the default over a rollout.
//! - [`odds`], [`histogram`], [`quantile`]: latency. [`gauge`]: levels.
//! - [`combine`]: many metrics. [`peers`]: the old instances among themselves. [`verdict`]: what follows.
//! - [`promote`], [`dispersion`]: proof that the canary is good enough. [`planning`]: what a rollout can
//!   see at all. [`interval`], [`words`]: what people are told.
//! - [`rollout`]: all of it for one rollout. [`setup`]: what a room says of it.
//! - [`deltas`]: counters to counts. [`argo`] with its [`condition`]s, [`flagger`], [`kayenta`]: how other
//!   tools judge.
//!
//! An e-process starts at 1 and, while the canary is within what is allowed, reaches `x` with a chance of
//! at most `1/x` over the whole rollout, however often one looks (Ville). Where a comment says "section",
//! it is that of the specification, "The holdpoint judge".

pub mod argo;
pub mod combine;
pub mod condition;
pub mod count;
pub mod counts;
pub mod deltas;
pub mod dispersion;
pub mod evidence;
pub mod flagger;
pub mod gauge;
pub mod histogram;
pub mod interval;
pub mod kayenta;
pub mod limit;
pub mod mixture;
pub mod numeric;
pub mod odds;
pub mod peers;
pub mod planning;
pub mod promote;
pub mod quantile;
pub mod rollout;
pub mod sample;
pub mod setup;
#[cfg(test)]
mod tests;
pub mod verdict;
pub mod vote;
pub mod words;

pub use sample::Sample;
