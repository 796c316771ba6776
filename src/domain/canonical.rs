//! placeholder until the canonical form lands
use serde::Serialize;
use sha2::{Digest, Sha256};
/// Digest.
pub fn digest(value: &impl Serialize) -> String {
    let value = serde_json::to_value(value).unwrap_or_default();
    let hash = Sha256::digest(value.to_string().as_bytes());
    let hex: String = hash.iter().map(|b| format!("{b:02x}")).collect();
    format!("sha256:{hex}")
}
