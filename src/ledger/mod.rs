#![allow(missing_docs, dead_code)]
use std::ops::ControlFlow;
use std::path::Path;
pub struct Hash(pub [u8; 32]);
impl std::fmt::Display for Hash {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("00")
    }
}
pub struct Head {
    pub seq: u64,
    pub hash: Hash,
}
#[derive(Debug)]
pub struct Entry {
    pub seq: u64,
    pub bytes: Vec<u8>,
}
#[derive(Debug, thiserror::Error)]
pub enum LedgerError {
    #[error("full")]
    Full {},
    #[error("held")]
    Held {},
    #[error("conflict")]
    Conflict {},
    #[error("{0}")]
    Failed(String),
}
#[derive(Clone, Copy, PartialEq)]
pub enum Urgency {
    Normal,
    Stopping,
}
pub struct Ledger {
    events: Vec<Vec<u8>>,
}
impl Ledger {
    pub fn memory() -> Ledger {
        Ledger { events: vec![] }
    }
    pub fn head(&self) -> Head {
        Head {
            seq: self.events.len() as u64,
            hash: Hash([0; 32]),
        }
    }
    pub async fn append(
        &mut self,
        _e: u64,
        b: Vec<Vec<u8>>,
        _u: Urgency,
    ) -> Result<Head, LedgerError> {
        self.events.extend(b);
        Ok(self.head())
    }
    pub async fn read(
        &self,
        _from: u64,
        _f: impl FnMut(Entry) -> ControlFlow<()>,
    ) -> Result<(), LedgerError> {
        Ok(())
    }
    pub async fn entries(&self, _from: u64, _l: usize) -> Result<Vec<Entry>, LedgerError> {
        Ok(vec![])
    }
    pub async fn put_snapshot(&mut self, _h: Head, _b: Vec<u8>) -> Result<(), LedgerError> {
        Ok(())
    }
    pub async fn snapshot(&self) -> Result<Option<(Head, Vec<u8>)>, LedgerError> {
        Ok(None)
    }
    pub async fn backup(&self, _f: &Path) -> Result<(), LedgerError> {
        Ok(())
    }
    pub fn restore_ballast(&mut self) {}
    pub fn has_ballast(&self) -> bool {
        true
    }
}
