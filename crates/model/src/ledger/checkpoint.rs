//! Checkpoints: the size and root of one tenant's ledger, signed. C2SP `tlog-checkpoint` without extension lines.

use data_encoding::{BASE64, HEXLOWER};

use super::hash::Hash;
use super::note::{NoteSigner, NoteVerifier};
use super::rule::number;
use super::tree::MAX_SIZE;
use crate::Result;
use crate::json::Json;

/// The size and root of a ledger, with the note that proves them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Checkpoint {
    /// The signed note.
    pub note: String,
    /// The number of records, at most [`MAX_SIZE`].
    pub size: u64,
    /// The root of the tree of that size.
    pub root: Hash,
}

/// Returns the first line of a tenant's checkpoints: the name of the store's key, `/`, and 16 hex digits for the
/// tenant.
pub fn origin(key_name: &str, tenant: &[u8; 8]) -> String {
    format!("{key_name}/{}", HEXLOWER.encode(tenant))
}

impl Checkpoint {
    /// Signs a checkpoint. `tenant` stands for the tenant in its [`origin`].
    ///
    /// # Errors
    /// `InvalidInput` for a note that cannot be signed, which this one can.
    pub fn sign(signer: &NoteSigner, tenant: &[u8; 8], size: u64, root: &Hash) -> Result<Self> {
        let text = format!("{}\n{}", origin(signer.name(), tenant), body(size, root));
        Ok(Self { note: signer.sign(&text)?, size, root: *root })
    }

    /// Returns the origin of this checkpoint if the note is signed by this key, has an origin below its name, and
    /// agrees with the fields.
    pub fn verified_origin(&self, verifier: &NoteVerifier) -> Option<&str> {
        let text = verifier.open(&self.note)?;
        let (origin, rest) = text.split_once('\n')?;
        let tenant = origin.strip_prefix(verifier.name())?.strip_prefix('/')?;
        let is_origin = tenant.len() == 16 && tenant.bytes().all(|digit| matches!(digit, b'0'..=b'9' | b'a'..=b'f'));
        let same = self.size <= MAX_SIZE && rest == body(self.size, &self.root);
        (is_origin && same).then_some(origin)
    }

    /// Returns whether [`Checkpoint::verified_origin`] accepts the checkpoint, and its origin is the given one, if any.
    pub fn verify(&self, verifier: &NoteVerifier, expected_origin: Option<&str>) -> bool {
        self.verified_origin(verifier).is_some_and(|origin| expected_origin.is_none_or(|expected| expected == origin))
    }

    /// Returns `{ note, size, rootHash }`.
    pub fn to_json(&self) -> Json {
        Json::Object(vec![
            ("note".to_owned(), Json::from(self.note.as_str())),
            ("size".to_owned(), number(self.size)),
            ("rootHash".to_owned(), Json::String(BASE64.encode(&self.root))),
        ])
    }

    /// Reads a checkpoint, without verifying it.
    pub fn from_json(value: &Json) -> Option<Self> {
        Some(Self {
            note: value.get("note")?.as_str()?.to_owned(),
            size: value.get("size")?.as_whole()?,
            root: read_hash(value.get("rootHash")?)?,
        })
    }
}

/// Returns the lines below the origin.
fn body(size: u64, root: &Hash) -> String {
    format!("{size}\n{}\n", BASE64.encode(root))
}

/// Decodes 32 bytes in strict base64.
pub(super) fn read_hash(value: &Json) -> Option<Hash> {
    BASE64.decode(value.as_str()?.as_bytes()).ok()?.try_into().ok()
}
