//! A copy of a ledger file, made while it is written to.

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};

use super::blocking;
use super::chain::Head;
use super::entries::Entries;
use super::error::LedgerError;
use super::holder::beside;
use super::sqlite;

/// A finished copy.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Backup {
    /// Where the copied ledger ends.
    pub head: Head,
    /// The size of the file in bytes.
    pub bytes: u64,
}

/// An unfinished copy. It goes when it is dropped, unless it was given its name.
struct Part(PathBuf);

impl Drop for Part {
    fn drop(&mut self) {
        for ending in ["", "-journal"] {
            let path = beside(&self.0, ending);
            match std::fs::remove_file(&path) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => {
                    let path = path.display();
                    tracing::warn!(%error, %path, "an unfinished backup stays");
                }
                _ => {}
            }
        }
    }
}

/// Copies `source` to `file`, which appears only when it is whole, verified and on the disk.
pub(super) async fn write(source: &sqlite::File, file: &Path) -> Result<Backup, LedgerError> {
    let failed = |error| LedgerError::io("backing up to", file, error);
    let exists = || LedgerError::Exists {
        path: file.to_owned(),
    };
    if file.symlink_metadata().is_ok() {
        return Err(exists());
    }
    // its own name for each process and moment, so that two backups do not meet in one file
    let unique = format!(
        ".part-{}-{}",
        std::process::id(),
        chrono::Utc::now().timestamp_micros()
    );
    let part = Part(beside(file, &unique));
    source.copy_to(&part.0).await?;
    let synced = part.0.clone();
    let bytes = blocking(move || {
        let copy = File::open(synced)?;
        copy.sync_all()?;
        Ok(copy.metadata()?.len())
    })
    .await
    .map_err(failed)?;
    let head = verify(&part.0).await?;
    let (from, to) = (part.0.clone(), file.to_owned());
    match blocking(move || publish(&from, &to)).await {
        Ok(()) => Ok(Backup { head, bytes }),
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Err(exists()),
        Err(error) => Err(failed(error)),
    }
}

/// Reads the copy from the beginning to the end.
async fn verify(part: &Path) -> Result<Head, LedgerError> {
    let copy = sqlite::File::new(part);
    let mut entries = Entries::of_file(part, copy.walk(0).await?);
    let mut head = Head::default();
    while let Some(chunk) = entries.next().await? {
        head = chunk.after();
    }
    Ok(head)
}

/// Gives the copy its name without ever taking that name from another file.
fn publish(part: &Path, file: &Path) -> io::Result<()> {
    match std::fs::hard_link(part, file) {
        Ok(()) => {}
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => return Err(error),
        // some file systems have no hard links
        Err(_) if !file.try_exists()? => std::fs::rename(part, file)?,
        Err(error) => return Err(error),
    }
    let dir = file.parent().filter(|dir| !dir.as_os_str().is_empty());
    File::open(dir.unwrap_or(Path::new(".")))?.sync_all()
}
