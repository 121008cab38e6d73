//! The hashes of RFC 6962, section 2.1, over SHA-256.

use sha2::{Digest, Sha256};

/// A SHA-256 hash.
pub type Hash = [u8; 32];

/// Random bytes that are hashed before a record, so that a guessed record cannot be confirmed by its leaf.
pub type Opening = [u8; 32];

/// Returns the data of a leaf: `SHA-256(opening ‖ record)`, where `record` is RFC 8785 JSON.
pub fn leaf_data(opening: &Opening, record: &[u8]) -> Hash {
    Sha256::new().chain_update(opening).chain_update(record).finalize().into()
}

/// Returns the hash of a leaf: `SHA-256(0x00 ‖ data)`.
pub fn leaf_hash(data: &[u8]) -> Hash {
    Sha256::new().chain_update([0]).chain_update(data).finalize().into()
}

/// Returns the hash of an inner node: `SHA-256(0x01 ‖ left ‖ right)`.
pub fn node_hash(left: &Hash, right: &Hash) -> Hash {
    Sha256::new().chain_update([1]).chain_update(left).chain_update(right).finalize().into()
}

/// Returns the root of the tree without leaves: `SHA-256("")`.
pub fn empty_root() -> Hash {
    Sha256::digest([]).into()
}
