//! One process at a time writes to a ledger.
//!
//! The lock is an advisory lock of the operating system on `<ledger>.lock`: it ends with the
//! process that took it, whichever way that ends, so there is nothing to clean up. What stands in
//! the file only says who it was.

use std::ffi::OsString;
use std::fmt;
use std::fs::{File, OpenOptions, TryLockError};
use std::io::{Read, Seek, Write};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::error::LedgerError;
use crate::domain::text::printable;

/// Who holds a ledger, in its own words.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Holder {
    /// The process.
    pub pid: u32,
    /// The machine that it runs on.
    pub host: String,
    /// Since when, RFC 3339 in UTC.
    pub since: String,
    /// The name of its binary.
    pub program: String,
}

impl fmt::Display for Holder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.pid == 0 {
            return f.write_str("a process that did not say its name");
        }
        write!(
            f,
            "{} (pid {} on {}, since {})",
            self.program, self.pid, self.host, self.since
        )
    }
}

impl Holder {
    pub(super) fn this_process() -> Holder {
        let program = std::env::current_exe()
            .ok()
            .and_then(|exe| exe.file_name().map(|name| name.to_string_lossy().into()));
        Holder {
            pid: std::process::id(),
            host: rustix::system::uname()
                .nodename()
                .to_string_lossy()
                .into_owned(),
            since: chrono::Utc::now().to_rfc3339_opts(chrono::SecondsFormat::Secs, true),
            program: program.unwrap_or_else(|| "holdpoint".to_owned()),
        }
    }

    /// What a lock file says. Anybody may have written it, so it is cleaned before it is shown.
    fn read(file: &mut File) -> Holder {
        let mut text = String::new();
        let said = file
            .take(4096)
            .read_to_string(&mut text)
            .ok()
            .and_then(|_| serde_json::from_str::<Holder>(&text).ok());
        match said {
            Some(holder) => Holder {
                pid: holder.pid,
                host: printable(&holder.host, 64),
                since: printable(&holder.since, 32),
                program: printable(&holder.program, 64),
            },
            None => Holder {
                pid: 0,
                host: String::new(),
                since: String::new(),
                program: String::new(),
            },
        }
    }
}

/// The right to write to a ledger, for as long as this lives.
#[derive(Debug)]
pub(super) struct Lock(File);

impl Lock {
    /// Takes the lock of the ledger at `path`.
    pub(super) fn take(path: &Path) -> Result<Lock, LedgerError> {
        let lock_path = beside(path, ".lock");
        let failed = |source| LedgerError::io("locking", &lock_path, source);
        // not truncated here: until the lock is ours, what it says belongs to its holder
        let mut file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .open(&lock_path)
            .map_err(failed)?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                return Err(LedgerError::Held {
                    path: path.to_owned(),
                    by: Holder::read(&mut file),
                });
            }
            Err(TryLockError::Error(source)) => return Err(failed(source)),
        }
        let mut lock = Lock(file);
        // the lock is what counts: on a full disk it is held without a name
        if lock.sign(&Holder::this_process()).is_err() {
            lock.clear();
        }
        Ok(lock)
    }

    fn sign(&mut self, holder: &Holder) -> std::io::Result<()> {
        self.0.set_len(0)?;
        self.0.rewind()?;
        let mut line = serde_json::to_vec(holder)?;
        line.push(b'\n');
        self.0.write_all(&line)
    }

    fn clear(&mut self) {
        if let Err(error) = self.0.set_len(0) {
            tracing::debug!(%error, "the lock file keeps its last holder's name");
        }
    }
}

impl Drop for Lock {
    fn drop(&mut self) {
        self.clear();
        // not only closed: a process being started at this moment may hold a copy
        if let Err(error) = self.0.unlock() {
            tracing::debug!(%error, "the ledger's lock is given back only when its file is closed");
        }
    }
}

/// A file that belongs to another one: `ledger.db` and `.lock` give `ledger.db.lock`.
pub(super) fn beside(path: &Path, ending: &str) -> PathBuf {
    let mut name = OsString::from(path);
    name.push(ending);
    PathBuf::from(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn held(path: &Path) -> Holder {
        match Lock::take(path) {
            Err(LedgerError::Held { by, .. }) => by,
            other => panic!("expected a held lock, got {other:?}"),
        }
    }

    #[test]
    fn the_second_one_learns_who_the_first_is() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("ledger.db");
        let first = Lock::take(&path).unwrap();
        let by = held(&path);
        assert_eq!(by.pid, std::process::id());
        assert!(by.to_string().contains(&format!("(pid {} on ", by.pid)));
        drop(first);
        drop(Lock::take(&path).unwrap());
    }

    #[test]
    fn a_lock_file_that_a_dead_process_left_is_no_lock() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("ledger.db");
        std::fs::write(beside(&path, ".lock"), "{\"pid\":1}").unwrap();
        drop(Lock::take(&path).unwrap());
    }

    #[test]
    fn a_hostile_lock_file_cannot_reach_the_terminal() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("ledger.db");
        let other = File::create(beside(&path, ".lock")).unwrap();
        other.try_lock().unwrap();
        for (text, expected) in [
            ("\x1b[2J not json", "a process that did not say its name"),
            (
                r#"{"pid":7,"host":"a\u001b[2J","since":"now","program":"b\n"}"#,
                "b  (pid 7 on a\u{fffd}[2J, since now)",
            ),
        ] {
            std::fs::write(beside(&path, ".lock"), text).unwrap();
            assert_eq!(held(&path).to_string(), expected);
        }
    }
}
