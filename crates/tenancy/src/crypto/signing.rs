//! A store's Ed25519 key, and the hashes that stand for a tenant in what it signs.

use bailiwick_model::Result;
use bailiwick_model::ledger::note::{NoteSigner, key_name};

use super::hash::{Key, Purpose, first};

/// A store's signing key.
pub(crate) struct Signing {
    pub(crate) signer: NoteSigner,
    origin_key: Key,
}

impl Signing {
    /// Derives the key from the store's secret.
    pub(crate) fn new(store_id: &[u8; 16], secret: &Key) -> Result<Self> {
        let seed = secret.derive(Purpose::SigningSeed);
        let signer = NoteSigner::new(&key_name(store_id), seed.bytes())?;
        Ok(Self { signer, origin_key: secret.derive(Purpose::LedgerOrigin) })
    }

    /// Returns the name of a tenant in the first line of its checkpoints.
    pub(crate) fn origin_name(&self, tag: &[u8; 32]) -> [u8; 8] {
        first(&self.origin_key.hash(&[tag]))
    }
}
