//! `holdpoint`: the control room for releases, in a terminal.
//!
//! A release is a plan that walks past **holds**: places where it stands still until evidence or
//! somebody with the authority clears them. Everything that can stop a release is a hold, and there
//! is nothing else that can. Holds bar the way forward only; pausing and going back need authority
//! and nothing else.
//!
//! # Start reading here
//!
//! 1. [`domain::plan`]: what a pipeline submits. [`domain::hold`]: what it then stands still at.
//! 2. [`domain::decide()`] and [`domain::apply`]: the whole of what may happen, as two functions.
//! 3. [`engine`], its `turn`: how what was decided becomes durable, is shown, and moves something outside.
//!
//! ```text
//! keys -> session -> tui: update(desk) ----> command --+
//! command line, here or over the socket ---> command --+-> turn: decide -> append -> apply -> publish -> paint
//! platforms, metrics, verdicts, the clock -> command --+                                        |
//!              ^                                                                                |
//!              +------------------- calls outside <------------------- wanted(state) <----------+
//! ```
//!
//! One way in (a command says who, by which door and when), one writer (the turn), one way out (the
//! published state). "May I do this now?" on a screen is [`domain::decide()`] run dry.
//!
//! # The folders, in order
//!
//! Each uses only what stands before it; `tests/it/house.rs` reads the paths and holds this. The
//! ones marked *pure* have no clock, no chance, no input or output, no async: time is an argument.
//!
//! - [`domain`] (pure): plans, holds, releases; command, decision, event, state; what is wanted outside
//!   and when to look again; refusals and notices, in words.
//! - [`judge`] (pure): samples in, verdict out.
//! - [`policy`] (pure): facts in, ruling with reasons out: how risky a release is, and who must
//!   approve it.
//! - [`ledger`]: the append-only record, in a file or in memory; hash chain, snapshots, backup; live
//!   telemetry beside it.
//! - [`platform`]: what lies outside: commands under their runner, workloads in Kubernetes, health
//!   checks, scraped metrics.
//! - [`engine`]: the only async shell and the one door to state: the turn, what watches, what calls.
//! - [`tui`] (pure): one person's desk and a state in, cells out. It sees only `domain` and `judge`.
//! - [`session`]: one person at one terminal, near or far: bytes to keys, frames to bytes, the socket.
//! - [`web`]: HTTP in: the gates that Flagger asks at.
//! - [`config`]: the only code that looks for files; every value knows its file and line.
//! - [`cli`]: one file per group of commands, the same here and over the socket; the demo.
//!
//! # What always holds
//!
//! - Nothing is acknowledged, shown or acted on before it is durable.
//! - No call moves a target forward unless every hold before it is cleared, on the digest of exactly
//!   the plan that runs; a call is never made twice for the same effect, whatever was killed when.
//! - Authority is checked in [`domain::decide()`], from who the door proved somebody to be.
//! - Every decision is one event: who, by which door, when, why. Its bytes are hashed once as written.
//! - No verdict and no deadline ever ages into a pass; missing data is never a pass.
//! - Text from outside goes through [`domain::text::printable`] before it is kept or shown.
//! - A platform that is slow, down or lying stalls only what depends on it.
//! - Nothing is kept for the whole process: many people share one.

pub mod cli;
pub mod config;
pub mod domain;
pub mod engine;
pub mod judge;
pub mod ledger;
pub mod platform;
pub mod policy;
pub mod session;
pub mod tui;
pub mod web;
