//! Checkpoints: the size and root of one tenant's ledger, signed. C2SP `tlog-checkpoint` without extension lines.

use data_encoding::{BASE64, HEXLOWER};

use super::hash::Hash;
use super::note::{NoteSigner, NoteVerifier};
use super::record::number;
use super::tree::MAX_SIZE;
use crate::Result;
use crate::json::Json;

/// The size and root of a ledger with the note that vouches for them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Checkpoint {
    /// The signed note.
    pub note: String,
    /// How many records there are. At most [`MAX_SIZE`].
    pub size: u64,
    /// The root of the tree of that size.
    pub root: Hash,
}

/// The first line of a tenant's checkpoints: the name of the store's key, `/`, and 16 hex digits for the tenant.
pub fn origin(key_name: &str, tenant: &[u8; 8]) -> String {
    format!("{key_name}/{}", HEXLOWER.encode(tenant))
}

impl Checkpoint {
    /// Signs a checkpoint. `tenant`: what stands for the tenant in its [`origin`].
    ///
    /// # Errors
    /// `InvalidInput` never, with a signer that exists.
    pub fn sign(signer: &NoteSigner, tenant: &[u8; 8], size: u64, root: &Hash) -> Result<Self> {
        let text = format!("{}\n{}", origin(signer.name(), tenant), body(size, root));
        Ok(Self { note: signer.sign(&text)?, size, root: *root })
    }

    /// The origin of this checkpoint, if the note is signed by this key, has an origin below its name, and says the same
    /// size and root as the fields.
    pub fn verified_origin(&self, verifier: &NoteVerifier) -> Option<&str> {
        let text = verifier.open(&self.note)?;
        let (origin, rest) = text.split_once('\n')?;
        let tenant = origin.strip_prefix(verifier.name())?.strip_prefix('/')?;
        let is_origin = tenant.len() == 16 && tenant.bytes().all(|digit| matches!(digit, b'0'..=b'9' | b'a'..=b'f'));
        let same = self.size <= MAX_SIZE && rest == body(self.size, &self.root);
        (is_origin && same).then_some(origin)
    }

    /// Whether the checkpoint is right, as [`Checkpoint::verified_origin`] says, and of that origin if one is given.
    pub fn verify(&self, verifier: &NoteVerifier, expected_origin: Option<&str>) -> bool {
        self.verified_origin(verifier).is_some_and(|origin| expected_origin.is_none_or(|expected| expected == origin))
    }

    /// `{ note, size, rootHash }`
    pub fn to_json(&self) -> Json {
        Json::Object(vec![
            ("note".to_owned(), Json::from(self.note.as_str())),
            ("size".to_owned(), number(self.size)),
            ("rootHash".to_owned(), Json::String(BASE64.encode(&self.root))),
        ])
    }

    /// The checkpoint of that JSON. Nothing is verified.
    pub fn from_json(value: &Json) -> Option<Self> {
        Some(Self {
            note: value.get("note")?.as_str()?.to_owned(),
            size: value.get("size")?.as_whole()?,
            root: read_hash(value.get("rootHash")?)?,
        })
    }
}

/// The lines below the origin.
fn body(size: u64, root: &Hash) -> String {
    format!("{size}\n{}\n", BASE64.encode(root))
}

/// 32 bytes in strict base64.
pub(super) fn read_hash(value: &Json) -> Option<Hash> {
    BASE64.decode(value.as_str()?.as_bytes()).ok()?.try_into().ok()
}
