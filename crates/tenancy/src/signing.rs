//! What a store vouches for: notes signed with its Ed25519 key, and hashes that stand for a tenant in them.

use bailiwick_model::ledger::checkpoint::{self, Checkpoint};
use bailiwick_model::ledger::note::{NoteSigner, NoteVerifier, key_name};
use bailiwick_model::ledger::{Hash, receipt};
use bailiwick_model::{Json, Result};

use crate::hash::Key;
use crate::hash::{Purpose, first};
use crate::scope::Access;
use crate::store::Store;

/// A store's signing key.
pub(crate) struct Signing {
    signer: NoteSigner,
    origin_key: Key,
}

impl Signing {
    /// The key that follows from the store's secret.
    pub(crate) fn new(store_id: &[u8; 16], secret: &Key) -> Result<Self> {
        let seed = secret.derive(Purpose::SigningSeed);
        let signer = NoteSigner::new(&key_name(store_id), seed.bytes())?;
        Ok(Self { signer, origin_key: secret.derive(Purpose::LedgerOrigin) })
    }
}

impl Store {
    /// What verifies everything that this store signs: a C2SP verifier key named `bailiwick/<store id>`.
    pub fn public_key(&self) -> String {
        self.keys.signing.signer.verifier().encode()
    }

    /// Signs a receipt of an erase.
    ///
    /// # Errors
    /// `InvalidInput` if it is not an object or has a note already.
    pub fn sign_receipt(&self, receipt: Json) -> Result<Json> {
        receipt::sign(&self.keys.signing.signer, receipt)
    }
}

impl Access {
    /// Signs the size and root of this tenant's ledger.
    ///
    /// # Errors
    /// `Internal` never, with keys that were opened.
    pub fn sign_checkpoint(&self, size: u64, root: &Hash) -> Result<Checkpoint> {
        Checkpoint::sign(&self.signing().signer, &self.origin_name(), size, root)
    }

    /// Whether a checkpoint is one that this store signed for this tenant.
    pub fn is_own_checkpoint(&self, checkpoint: &Checkpoint) -> bool {
        let verifier: NoteVerifier = self.signing().signer.verifier();
        let origin = checkpoint::origin(verifier.name(), &self.origin_name());
        checkpoint.verify(&verifier, Some(&origin))
    }

    /// A hash over what an approval is about: keyed with the tenant's secret, and over the store and the tenant's tag, so
    /// that an approval of another tenant, store or time before an erase is about something else.
    pub fn subject_hash(&self, fields: &[&[u8]]) -> Hash {
        let owner: [&[u8]; 2] = [&self.state.store.keys.store_id, &self.keys.tag.0];
        self.keys.approval_subjects.hash_streamed(&[owner.as_slice(), fields].concat())
    }

    fn signing(&self) -> &Signing {
        &self.state.store.keys.signing
    }

    /// What stands for the tenant in the first line of its checkpoints.
    fn origin_name(&self) -> [u8; 8] {
        first(&self.signing().origin_key.hash(&[&self.keys.tag.0]))
    }
}
