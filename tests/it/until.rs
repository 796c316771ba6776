//! Waiting for a condition instead of for a time.

use std::fmt::Debug;
use std::time::{Duration, Instant};

/// Long enough for a loaded machine; only a failing test waits this long.
pub const DEADLINE: Duration = Duration::from_secs(150);

/// Looks until `done` says yes to what `see` sees, and returns it.
///
/// # Panics
/// After [`DEADLINE`], with what was seen last.
#[track_caller]
pub fn until<T: Debug>(what: &str, mut see: impl FnMut() -> T, done: impl Fn(&T) -> bool) -> T {
    let begun = Instant::now();
    loop {
        let seen = see();
        if done(&seen) {
            return seen;
        }
        assert!(
            begun.elapsed() < DEADLINE,
            "{what}: did not come; seen last: {seen:?}"
        );
        std::thread::sleep(Duration::from_millis(10));
    }
}

/// The same in async code.
///
/// # Panics
/// After [`DEADLINE`], with what was seen last.
pub async fn until_async<T: Debug, F: Future<Output = T>>(
    what: &str,
    see: impl FnMut() -> F,
    done: impl Fn(&T) -> bool,
) -> T {
    until_within(DEADLINE, what, see, done).await
}

/// The same for what takes its time.
///
/// # Panics
/// After that time, with what was seen last.
pub async fn until_within<T: Debug, F: Future<Output = T>>(
    deadline: Duration,
    what: &str,
    mut see: impl FnMut() -> F,
    done: impl Fn(&T) -> bool,
) -> T {
    let begun = Instant::now();
    loop {
        let seen = see().await;
        if done(&seen) {
            return seen;
        }
        assert!(
            begun.elapsed() < deadline,
            "{what}: did not come; seen last: {seen:?}"
        );
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}
