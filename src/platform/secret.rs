//! Where a secret is, never the secret itself.

use std::fmt;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Deserializer};

use crate::domain::spelled::{self, Spelled};

/// The most letters of a secret in a file.
const LONGEST: u64 = 64 * 1024;

/// A reference to a secret: `env:NAME`, or `file:PATH`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SecretRef {
    /// A variable of the environment that the engine runs in, and what it held when the room's
    /// files were read: an environment does not change, and only `config` looks at it.
    Env(String, Held),
    /// A file, read again at every use, so that a new secret is taken up without a restart.
    File(PathBuf),
}

/// What a variable holds, never shown.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Held(Option<String>);

impl fmt::Debug for Held {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("(secret)")
    }
}

impl SecretRef {
    /// The same with what can be found out once: a path that does not begin at the root is found
    /// from a directory, a variable by asking for it.
    pub fn settled(self, dir: &Path, variable: impl Fn(&str) -> Option<String>) -> SecretRef {
        match self {
            SecretRef::File(path) => SecretRef::File(dir.join(path)),
            SecretRef::Env(name, _) => {
                let held = Held(variable(&name));
                SecretRef::Env(name, held)
            }
        }
    }

    /// Fetches the secret, without the blanks and line ends around it.
    ///
    /// # Errors
    /// Why there is none, in a sentence that names the reference.
    pub fn fetch(&self) -> Result<String, String> {
        let secret = match self {
            SecretRef::Env(name, Held(held)) => held
                .clone()
                .ok_or_else(|| format!("the variable {name} is not set where the engine runs"))?,
            SecretRef::File(path) => {
                let failed = |error: std::io::Error| format!("{self} cannot be read: {error}");
                let meta = std::fs::metadata(path).map_err(failed)?;
                if !meta.is_file() || meta.len() > LONGEST {
                    return Err(format!("{self} is no file of less than 64 KiB"));
                }
                std::fs::read_to_string(path).map_err(failed)?
            }
        };
        match secret.trim() {
            "" => Err(format!("{self} is empty")),
            secret => Ok(secret.to_owned()),
        }
    }
}

/// As it is written.
impl fmt::Display for SecretRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            SecretRef::Env(name, _) => write!(f, "env:{name}"),
            SecretRef::File(path) => write!(f, "file:{}", path.display()),
        }
    }
}

/// Somebody may have written the secret itself, so what was read is never shown.
impl Spelled for SecretRef {
    const EXPECTED: &'static str = "env:NAME or file:PATH";
    const HIDDEN: bool = true;

    fn read(text: &str) -> Result<Self, String> {
        let word = |b: u8| b.is_ascii_alphanumeric() || b == b'_';
        match text.split_once(':') {
            Some(("env", name)) if !name.is_empty() && name.bytes().all(word) => {
                Ok(SecretRef::Env(name.to_owned(), Held::default()))
            }
            Some(("file", path)) if !path.trim().is_empty() && !path.contains('\0') => {
                Ok(SecretRef::File(path.trim().into()))
            }
            _ => Err("write env:NAME or file:PATH: a secret itself never stands here".to_owned()),
        }
    }
}

impl<'de> Deserialize<'de> for SecretRef {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        spelled::deserialize(deserializer)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn references_are_read_and_secrets_are_not_repeated() {
        assert_eq!(
            SecretRef::read("env:PROM_TOKEN"),
            Ok(SecretRef::Env("PROM_TOKEN".into(), Held::default()))
        );
        let file = SecretRef::read("file:keys/prom").unwrap();
        let file = file.settled(Path::new("/room"), |_| None);
        assert_eq!(file.to_string(), "file:/room/keys/prom");
        for text in [
            "hunter2",
            "env:",
            "env:A-B",
            "file:",
            "vault:x",
            "hunter2:env",
        ] {
            let error = SecretRef::read(text).unwrap_err();
            assert!(
                error.starts_with("write env:NAME") && !error.contains("hunter"),
                "{error}"
            );
        }
    }

    #[test]
    fn what_is_fetched_is_the_secret_of_now() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("token");
        let reference = SecretRef::File(path.clone());
        assert!(reference.fetch().unwrap_err().contains("cannot be read"));
        std::fs::write(&path, " \n").unwrap();
        assert!(reference.fetch().unwrap_err().contains("is empty"));
        std::fs::write(&path, "one\n").unwrap();
        assert_eq!(reference.fetch().as_deref(), Ok("one"));
        std::fs::write(&path, "two\n").unwrap();
        assert_eq!(reference.fetch().as_deref(), Ok("two"));
        let directory = SecretRef::File(dir.path().into());
        assert!(directory.fetch().unwrap_err().contains("is no file"));
        let variable = SecretRef::read("env:TOKEN").unwrap();
        assert!(variable.fetch().unwrap_err().contains("TOKEN is not set"));
        let set = variable.settled(dir.path(), |name| Some(format!("{name} three ")));
        assert_eq!(set.fetch().as_deref(), Ok("TOKEN three"));
        assert!(!format!("{set:?} {set}").contains("three"));
    }
}
