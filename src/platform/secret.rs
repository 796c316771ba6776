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
    /// A variable of the environment that the engine runs in.
    Env(String),
    /// A file, read again at every use, so that a new secret is taken up without a restart.
    File(PathBuf),
}

impl SecretRef {
    /// The same, with a path that does not begin at the root found from a directory.
    pub fn within(self, dir: &Path) -> SecretRef {
        match self {
            SecretRef::File(path) => SecretRef::File(dir.join(path)),
            env => env,
        }
    }

    /// Fetches the secret, without the blanks and line ends around it.
    ///
    /// # Errors
    /// Why there is none, in a sentence that names the reference.
    pub fn fetch(&self) -> Result<String, String> {
        let secret = match self {
            SecretRef::Env(name) => std::env::var(name)
                .map_err(|_| format!("the variable {name} is not set where the engine runs"))?,
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
            SecretRef::Env(name) => write!(f, "env:{name}"),
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
                Ok(SecretRef::Env(name.to_owned()))
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
            Ok(SecretRef::Env("PROM_TOKEN".into()))
        );
        let file = SecretRef::read("file:keys/prom").unwrap();
        let file = file.within(Path::new("/room"));
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
        let unset = SecretRef::Env("HOLDPOINT_THERE_IS_NO_SUCH_VARIABLE".into());
        assert!(unset.fetch().unwrap_err().contains("is not set"));
    }
}
