//! The gates that Flagger asks at, as room.toml writes them.

use std::net::SocketAddr;
use std::path::Path;

use serde::Deserialize;

use super::Checker;
use crate::domain::text::printable;
use crate::platform::secret::SecretRef;
use crate::web::gates::Config;

/// `[gates]`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GatesEntry {
    listen: String,
    token: SecretRef,
}

impl GatesEntry {
    /// How they are kept, checked; `None` where the address is none.
    pub fn config(&self, check: &mut Checker<'_>, room: &Path) -> Option<Config> {
        let token = self.token.clone();
        let token = token.settled(room, |name| std::env::var(name).ok());
        let Ok(listen) = self.listen.parse::<SocketAddr>() else {
            check.add(
                "gates.listen",
                "bad-gates",
                format!(
                    "`{}` is no address with a port",
                    printable(&self.listen, 60)
                ),
                "write \"127.0.0.1:7345\"",
            );
            return None;
        };
        if !listen.ip().is_loopback() {
            check.add(
                "gates.listen",
                "bad-gates",
                format!("{listen} can be reached from other machines"),
                "write an address of this one alone: \"127.0.0.1:7345\"",
            );
            return None;
        }
        Some(Config { listen, token })
    }
}
