//! Tests against a real Kubernetes, and what they stand on. `tests/run kube` runs them; the base run reports
//! them as ignored:
//!
//! ```ignore
//! #[test]
//! #[ignore = "needs a Kubernetes: tests/run kube"]
//! fn three_pods_become_ready() {
//!     let ns = Cluster::given().namespace("three");
//!     ns.deployment("web", "shop/web:1", 3);
//!     ns.until("three pods", LONG, |ns| ns.get("deployment", "web"), |web| web["status"]["readyReplicas"] == 3);
//! }
//! ```
//!
//! What becomes of a pod is decided by its image's tag: `tests/kube/stages.yaml`. Simulated pods serve nothing.
//!
//! Everything here blocks its thread. In async tests use a runtime of several threads, and
//! [`crate::until::until_async`] for waiting.

mod argo;
mod client;
mod cluster;
mod demonstration;
mod deployments;
mod doctor;
mod flagger;
mod harness;
mod others;
mod past;
mod proxy;
mod proxy_harness;
mod refusals;
mod revised;
mod roles;
mod room;
mod said;
mod tokens;
mod traps;
mod waiting;
mod watched;
mod witness;
mod workloads;

use std::time::Duration;

/// What a controller of Kubernetes does in some seconds when the machine has nothing else to do.
pub const LONG: Duration = Duration::from_secs(120);

/// What takes several rounds of Flagger, of ten seconds each.
pub const ROUNDS: Duration = Duration::from_secs(300);
