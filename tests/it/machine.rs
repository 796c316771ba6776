//! What not every machine can do, and what was left out by name for that.

/// Whether `HOLDPOINT_SKIP` names it: `ssh`, `tmpfs`, `dateutil`, `prometheus`, `kube`. `tests/run` says so
/// in its last lines.
pub fn left_out(name: &str) -> bool {
    let skip = std::env::var("HOLDPOINT_SKIP").unwrap_or_default();
    skip.split(',').any(|word| word.trim() == name)
}
