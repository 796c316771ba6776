//! How a version behaves: how fast, how reliable, how well.

use std::collections::BTreeMap;
use std::io;
use std::path::Path;

use serde::{Deserialize, Serialize};

/// How one version of a service behaves. What is not given is that of a healthy one.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Profile {
    /// The part of the requests that is answered with 500; 0 to 1.
    pub error_rate: f64,
    /// The median time that a request takes, in milliseconds.
    pub latency_ms: f64,
    /// How much the times differ: the standard deviation of their natural logarithm.
    pub spread: f64,
    /// What its health check says.
    pub health: Health,
    /// How long it takes to start, in milliseconds.
    pub start_ms: u64,
}

/// What the health check of a version says.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Health {
    /// 200.
    Ok,
    /// 503.
    Fails,
    /// 200, after three seconds.
    Slow,
    /// Nothing: the process ends while it starts.
    Crashes,
}

impl Default for Profile {
    fn default() -> Self {
        Profile {
            error_rate: 0.002,
            latency_ms: 40.0,
            spread: 0.5,
            health: Health::Ok,
            start_ms: 1200,
        }
    }
}

/// How each version behaves, by version.
pub type Profiles = BTreeMap<String, Profile>;

/// Writes how the versions behave below `root`; processes read it when they start.
///
/// # Errors
/// When it cannot be written.
pub fn write(root: &Path, profiles: &Profiles) -> io::Result<()> {
    super::place::write_whole(&root.join("profiles.json"), profiles)
}

/// How a version behaves; a healthy one where nothing is said of it.
pub(super) fn of(root: &Path, version: &str) -> Result<Profile, String> {
    let path = root.join("profiles.json");
    let text = match std::fs::read(&path) {
        Ok(text) => text,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Profile::default()),
        Err(error) => return Err(format!("{}: {error}", path.display())),
    };
    let mut profiles: Profiles =
        serde_json::from_slice(&text).map_err(|error| format!("{}: {error}", path.display()))?;
    Ok(profiles.remove(version).unwrap_or_default())
}
