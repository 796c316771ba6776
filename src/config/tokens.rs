//! How a door knows people: uids, and the hashes of tokens.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io::{self, Write as _};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Deserializer};
use sha2::{Digest, Sha256};

use crate::domain::spelled::{self, Spelled};
use crate::domain::{Notice, PersonName};

/// The variable that holds a token where there is no file for it.
pub const TOKEN_VARIABLE: &str = "HOLDPOINT_TOKEN";

/// The SHA-256 of a token, written `sha256:` and 64 hexadecimal digits.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct TokenHash([u8; 32]);

impl TokenHash {
    /// The hash of a token; blanks and line ends around it do not count.
    pub fn of(token: &str) -> TokenHash {
        TokenHash(Sha256::digest(token.trim().as_bytes()).into())
    }

    /// Whether two hashes are the same; takes the same time wherever they differ.
    fn is(&self, other: &TokenHash) -> bool {
        let pairs = self.0.iter().zip(&other.0);
        std::hint::black_box(pairs.fold(0, |sum, (a, b)| sum | (a ^ b))) == 0
    }
}

/// Somebody may have pasted the token itself, so what was read is never shown.
impl Spelled for TokenHash {
    const EXPECTED: &'static str = "sha256: and 64 hexadecimal digits";
    const HIDDEN: bool = true;

    fn read(text: &str) -> Result<Self, String> {
        let expected = || {
            "write sha256: and 64 hexadecimal digits, as `holdpoint token NAME` prints them"
                .to_owned()
        };
        let hex = text.strip_prefix("sha256:").ok_or_else(expected)?;
        let mut bytes = [0; 32];
        if hex.len() != 64 || !hex.bytes().all(|b| b.is_ascii_hexdigit()) {
            return Err(expected());
        }
        for (n, byte) in bytes.iter_mut().enumerate() {
            *byte = u8::from_str_radix(&hex[2 * n..2 * n + 2], 16).map_err(|_| expected())?;
        }
        Ok(TokenHash(bytes))
    }
}

impl<'de> Deserialize<'de> for TokenHash {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        spelled::deserialize(deserializer)
    }
}

impl std::fmt::Display for TokenHash {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("sha256:")?;
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

/// Who is who at the doors of a room.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Identities {
    uids: BTreeMap<u32, PersonName>,
    tokens: Vec<(TokenHash, PersonName)>,
}

impl Identities {
    /// Maps a uid to a person.
    pub(super) fn add_uid(&mut self, uid: u32, who: &PersonName) {
        self.uids.insert(uid, who.clone());
    }

    /// Maps a token to a person.
    pub(super) fn add_token(&mut self, token: &TokenHash, who: &PersonName) {
        self.tokens.push((token.clone(), who.clone()));
    }

    /// Whose uid this is.
    pub fn by_uid(&self, uid: u32) -> Option<&PersonName> {
        self.uids.get(&uid)
    }

    /// Whose token this is. Every hash is compared, so that the time tells nothing.
    pub fn by_token(&self, token: &str) -> Option<&PersonName> {
        let given = TokenHash::of(token);
        let mut found = None;
        for (hash, who) in &self.tokens {
            if hash.is(&given) {
                found = Some(who);
            }
        }
        found
    }
}

/// Where a person's token is kept.
pub fn token_file(room: &Path, name: &str) -> PathBuf {
    room.join("keys").join(format!("{name}.token"))
}

/// The token that `--as NAME` presents: `HOLDPOINT_TOKEN` if it is set, else `keys/NAME.token`.
///
/// # Errors
/// When there is none, or when others can read the file.
pub fn token_of(room: &Path, name: &str) -> Result<String, Notice> {
    if let Some(token) = std::env::var(TOKEN_VARIABLE)
        .ok()
        .filter(|token| !token.trim().is_empty())
    {
        return Ok(token.trim().to_owned());
    }
    plain(name)?;
    let file = token_file(room, name);
    let shown = file.display();
    let meta = std::fs::metadata(&file).map_err(|error| {
        let why = match error.kind() {
            io::ErrorKind::NotFound => format!("there is no token of `{name}`"),
            _ => format!("the token of `{name}` cannot be read: {error}"),
        };
        Notice::error("no-token", why)
            .next(format!(
                "make one with `holdpoint token {name}`, or set {TOKEN_VARIABLE}"
            ))
            .at(shown.to_string())
    })?;
    if meta.permissions().mode() & 0o077 != 0 {
        return Err(
            Notice::error("token-not-private", "others can read this token")
                .detail("who reads it can act in its owner's name")
                .next(format!(
                    "chmod 600 {shown}, and make a new one if others may have seen it"
                ))
                .at(shown.to_string()),
        );
    }
    let text = std::fs::read_to_string(&file).map_err(|error| {
        Notice::error(
            "no-token",
            format!("the token of `{name}` cannot be read: {error}"),
        )
        .at(shown.to_string())
    })?;
    let token = text.trim();
    if token.is_empty() {
        return Err(Notice::error("no-token", "the token file is empty")
            .next(format!(
                "remove it, then make one with `holdpoint token {name}`"
            ))
            .at(shown.to_string()));
    }
    Ok(token.to_owned())
}

/// Makes a token for somebody: a 0600 file in `keys/`, never overwritten. Returns the file and
/// what `people.toml` has to say of it.
///
/// # Errors
/// When there is one already, or the file cannot be written.
pub fn make_token(room: &Path, name: &str) -> Result<(PathBuf, TokenHash), Notice> {
    plain(name)?;
    let file = token_file(room, name);
    let failed = |error: io::Error| {
        let shown = file.display().to_string();
        match error.kind() {
            io::ErrorKind::AlreadyExists => {
                Notice::error("token-exists", format!("`{name}` has a token already"))
                    .next("remove the file first, if it shall be replaced")
                    .at(shown)
            }
            io::ErrorKind::NotFound => {
                Notice::error("no-room", "there is no `keys` directory here")
                    .next("`holdpoint init DIR` writes a room; name it with --room")
                    .at(shown)
            }
            _ => Notice::error(
                "cannot-write",
                format!("the token cannot be written: {error}"),
            )
            .at(shown),
        }
    };
    let mut token = String::with_capacity(64);
    for byte in rand::random::<[u8; 32]>() {
        // writing to a string cannot fail
        let _ = write!(token, "{byte:02x}");
    }
    let mut open = std::fs::OpenOptions::new();
    open.write(true).create_new(true).mode(0o600);
    let mut handle = open.open(&file).map_err(failed)?;
    handle
        .write_all(format!("{token}\n").as_bytes())
        .and_then(|()| handle.sync_all())
        .map_err(failed)?;
    Ok((file, TokenHash::of(&token)))
}

/// A name that can stand in a file's name as it is.
fn plain(name: &str) -> Result<(), Notice> {
    if super::room::is_plain(name) {
        return Ok(());
    }
    let shown = crate::domain::text::printable(name, 60);
    Err(
        Notice::error("bad-name", format!("`{shown}` cannot be a person's name"))
            .next("use letters, digits, `.`, `-` and `_`"),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_find_their_person() {
        let mut who = Identities::default();
        who.add_token(&TokenHash::of("secret"), &"ada".into());
        who.add_token(&TokenHash::of("other"), &"bo".into());
        who.add_uid(1000, &"ada".into());
        assert_eq!(who.by_token(" secret\n"), Some(&"ada".into()));
        assert_eq!(who.by_token("other"), Some(&"bo".into()));
        assert_eq!(who.by_token("sekret"), None);
        assert_eq!(who.by_uid(1000), Some(&"ada".into()));
        assert_eq!(who.by_uid(0), None);
    }

    #[test]
    fn hashes_read_and_print_and_never_repeat_a_pasted_token() {
        let hash = TokenHash::of("secret");
        assert_eq!(TokenHash::read(&hash.to_string()), Ok(hash));
        let error = TokenHash::read("hunter2").unwrap_err();
        assert!(!error.contains("hunter2"), "{error}");
        assert!(TokenHash::read(&format!("sha256:{}", "é".repeat(32))).is_err());
    }

    #[test]
    fn token_files_are_private_or_refused() {
        let room = tempfile::tempdir().unwrap();
        assert_eq!(make_token(room.path(), "ada").unwrap_err().code, "no-room");
        std::fs::create_dir(room.path().join("keys")).unwrap();
        let (file, hash) = make_token(room.path(), "ada").unwrap();
        assert_eq!(
            make_token(room.path(), "ada").unwrap_err().code,
            "token-exists"
        );
        assert_eq!(
            make_token(room.path(), "../x").unwrap_err().code,
            "bad-name"
        );
        let token = token_of(room.path(), "ada").unwrap();
        assert_eq!(TokenHash::of(&token), hash);
        std::fs::set_permissions(&file, PermissionsExt::from_mode(0o640)).unwrap();
        let refused = token_of(room.path(), "ada").unwrap_err();
        assert_eq!(refused.code, "token-not-private");
        assert!(refused.next_step.starts_with("chmod 600 "), "{refused}");
        assert_eq!(token_of(room.path(), "bo").unwrap_err().code, "no-token");
    }
}
