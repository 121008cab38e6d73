//! Proofs as the API shows them, with everything that a third party needs besides the store's public key.

use data_encoding::BASE64;

use super::checkpoint::{Checkpoint, read_hash};
use super::hash::{Hash, Opening};
use super::note::NoteVerifier;
use super::record::ApprovalRecord;
use super::verify;
use crate::json::Json;

/// Proves that a record is in the ledger of a checkpoint.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InclusionProof {
    /// The ledger.
    pub checkpoint: Checkpoint,
    /// The record.
    pub record: ApprovalRecord,
    /// The bytes hashed before the record.
    pub opening: Opening,
    /// The siblings from the leaf to the root.
    pub path: Vec<Hash>,
}

impl InclusionProof {
    /// Returns whether the proof holds under this key, and for the given origin, if any.
    pub fn verify(&self, verifier: &NoteVerifier, origin: Option<&str>) -> bool {
        let Checkpoint { size, root, .. } = &self.checkpoint;
        self.checkpoint.verify(verifier, origin)
            && verify::inclusion(&self.record.leaf(&self.opening), self.record.sequence, *size, &self.path, root)
    }

    /// Returns `{ checkpoint, record, opening, path }`.
    pub fn to_json(&self) -> Json {
        Json::Object(vec![
            ("checkpoint".to_owned(), self.checkpoint.to_json()),
            ("record".to_owned(), self.record.to_json()),
            ("opening".to_owned(), Json::String(BASE64.encode(&self.opening))),
            ("path".to_owned(), path_json(&self.path)),
        ])
    }

    /// Reads a proof, without verifying it.
    pub fn from_json(value: &Json) -> Option<Self> {
        Some(Self {
            checkpoint: Checkpoint::from_json(value.get("checkpoint")?)?,
            record: ApprovalRecord::from_json(value.get("record")?)?,
            opening: read_hash(value.get("opening")?)?,
            path: read_path(value.get("path")?)?,
        })
    }
}

/// Proves that the ledger of one checkpoint begins with all records of an earlier one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConsistencyProof {
    /// The earlier ledger.
    pub from: Checkpoint,
    /// The later ledger.
    pub to: Checkpoint,
    /// The hashes of RFC 9162, section 2.1.4.1.
    pub path: Vec<Hash>,
}

impl ConsistencyProof {
    /// Returns whether the proof holds under this key, and for the given origin, if any. Both checkpoints must have one
    /// origin.
    pub fn verify(&self, verifier: &NoteVerifier, origin: Option<&str>) -> bool {
        let Some(from) = self.from.verified_origin(verifier) else { return false };
        origin.is_none_or(|expected| expected == from)
            && self.to.verify(verifier, Some(from))
            && verify::consistency(self.from.size, &self.from.root, self.to.size, &self.to.root, &self.path)
    }

    /// Returns `{ from, to, path }`.
    pub fn to_json(&self) -> Json {
        Json::Object(vec![
            ("from".to_owned(), self.from.to_json()),
            ("to".to_owned(), self.to.to_json()),
            ("path".to_owned(), path_json(&self.path)),
        ])
    }

    /// Reads a proof, without verifying it.
    pub fn from_json(value: &Json) -> Option<Self> {
        Some(Self {
            from: Checkpoint::from_json(value.get("from")?)?,
            to: Checkpoint::from_json(value.get("to")?)?,
            path: read_path(value.get("path")?)?,
        })
    }
}

fn path_json(path: &[Hash]) -> Json {
    Json::Array(path.iter().map(|hash| Json::String(BASE64.encode(hash))).collect())
}

fn read_path(value: &Json) -> Option<Vec<Hash>> {
    value.as_array()?.iter().map(read_hash).collect()
}
