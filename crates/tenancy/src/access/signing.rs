//! What a store signs for a tenant: the checkpoints of its ledger.

use bailiwick_model::Result;
use bailiwick_model::ledger::Hash;
use bailiwick_model::ledger::checkpoint::{self, Checkpoint};

use crate::crypto::signing::Signing;
use crate::tenant::scope::Access;

impl Access {
    /// Signs the size and the root of this tenant's ledger.
    ///
    /// # Errors
    /// `Internal` never, with keys that were opened.
    pub fn sign_checkpoint(&self, size: u64, root: &Hash) -> Result<Checkpoint> {
        Checkpoint::sign(&self.signing().signer, &self.signing().origin_name(&self.keys.tag.0), size, root)
    }

    /// Whether this store signed the checkpoint for this tenant.
    pub fn is_own_checkpoint(&self, checkpoint: &Checkpoint) -> bool {
        let verifier = self.signing().signer.verifier();
        let origin = checkpoint::origin(verifier.name(), &self.signing().origin_name(&self.keys.tag.0));
        checkpoint.verify(&verifier, Some(&origin))
    }

    /// Returns the hash of an approval's subject, keyed with the tenant's secret. The store and the tenant's tag are part of
    /// it, so that an approval of another tenant, another store or from before an erase has another subject.
    pub fn subject_hash(&self, fields: &[&[u8]]) -> Hash {
        let owner: [&[u8]; 2] = [&self.state.store.keys.store_id, &self.keys.tag.0];
        self.keys.approval_subjects.hash_streamed(&[owner.as_slice(), fields].concat())
    }

    fn signing(&self) -> &Signing {
        &self.state.store.keys.signing
    }
}
