//! Signed notes as of C2SP `signed-note`, with Ed25519 alone: a text, an empty line, and lines of signatures.
//!
//! ```text
//! <text, one or more lines>
//!
//! — <key name> <base64 of (key id ‖ signature)>
//! ```

use data_encoding::{BASE64, HEXLOWER};
use ed25519_dalek::{SECRET_KEY_LENGTH, Signature, Signer, SigningKey, VerifyingKey};
use sha2::{Digest, Sha256};

use crate::{Error, Result};

/// The algorithm identifier of Ed25519.
const ED25519: u8 = 1;
/// The longest note that is read: none that is signed here comes near.
const MAX_NOTE: usize = 1_000_000;

/// The first bytes of a hash over a key and its name. They identify the key that signed.
type KeyId = [u8; 4];

/// Returns the name of a store's key: `bailiwick/` and the store's id in hex.
pub fn key_name(store_id: &[u8; 16]) -> String {
    format!("bailiwick/{}", HEXLOWER.encode(store_id))
}

/// A key that signs notes under its name. Its secret is wiped when it is dropped.
pub struct NoteSigner {
    name: String,
    id: KeyId,
    key: SigningKey,
}

impl NoteSigner {
    /// Returns the key of these 32 secret bytes (the seed of RFC 8032).
    ///
    /// # Errors
    /// `InvalidInput` if the name is empty or has white space or `+` in it.
    pub fn new(name: &str, seed: &[u8; SECRET_KEY_LENGTH]) -> Result<Self> {
        if !is_key_name(name) {
            return Err(Error::invalid("The name of a key must not be empty and must not contain white space or `+`."));
        }
        let key = SigningKey::from_bytes(seed);
        Ok(Self { name: name.to_owned(), id: key_id(name, &key.verifying_key()), key })
    }

    /// Returns the name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Returns the key that verifies the signatures of this one.
    pub fn verifier(&self) -> NoteVerifier {
        NoteVerifier { name: self.name.clone(), id: self.id, key: self.key.verifying_key() }
    }

    /// Signs a text. Equal texts give equal notes.
    ///
    /// # Errors
    /// `InvalidInput` if the text does not end with a line feed or contains another control character below U+0020.
    pub fn sign(&self, text: &str) -> Result<String> {
        if !text.ends_with('\n') || !is_text(text) {
            return Err(Error::invalid("A signed text must end with a line feed and contain no control characters."));
        }
        let signature = [self.id.as_slice(), &self.key.sign(text.as_bytes()).to_bytes()].concat();
        Ok(format!("{text}\n— {} {}\n", self.name, BASE64.encode(&signature)))
    }
}

impl std::fmt::Debug for NoteSigner {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("NoteSigner").field("name", &self.name).finish_non_exhaustive()
    }
}

/// The public half of a [`NoteSigner`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NoteVerifier {
    name: String,
    id: KeyId,
    key: VerifyingKey,
}

impl NoteVerifier {
    /// Parses `<name>+<8 hex digits of the key id>+<base64(0x01 ‖ public key)>`. `None` if it is anything else.
    pub fn parse(encoded: &str) -> Option<Self> {
        let (name, rest) = encoded.split_once('+')?;
        let (id, key) = rest.split_once('+')?;
        let key = BASE64.decode(key.as_bytes()).ok()?;
        let (algorithm, key) = key.split_first()?;
        let key = VerifyingKey::from_bytes(key.try_into().ok()?).ok()?;
        let known = *algorithm == ED25519 && is_key_name(name) && !key.is_weak();
        let verifier = Self { name: name.to_owned(), id: key_id(name, &key), key };
        (known && id == HEXLOWER.encode(&verifier.id)).then_some(verifier)
    }

    /// Returns the text that [`NoteVerifier::parse`] reads.
    pub fn encode(&self) -> String {
        format!("{}+{}+{}", self.name, HEXLOWER.encode(&self.id), BASE64.encode(&typed_key(&self.key)))
    }

    /// Returns the name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Returns the text of a note that this key signed. `None` if it is not a note, or this key's signature is absent
    /// or wrong. Signatures of other keys (witnesses) are not checked.
    pub fn open<'note>(&self, note: &'note str) -> Option<&'note str> {
        if note.len() > MAX_NOTE || !is_text(note) {
            return None;
        }
        let (text, signatures) = note.split_at_checked(note.rfind("\n\n")?.checked_add(1)?)?;
        let lines = signatures.strip_prefix('\n')?.strip_suffix('\n')?;
        let mut signed = false;
        for line in lines.split('\n') {
            let (name, signature) = line.strip_prefix("— ")?.split_once(' ')?;
            let signature = BASE64.decode(signature.as_bytes()).ok()?;
            let (id, signature) = signature.split_at_checked(4)?;
            if !is_key_name(name) || signature.is_empty() {
                return None;
            }
            if name == self.name && id == self.id {
                let signature = Signature::from_slice(signature).ok()?;
                self.key.verify_strict(text.as_bytes(), &signature).ok()?;
                signed = true;
            }
        }
        signed.then_some(text)
    }
}

fn key_id(name: &str, key: &VerifyingKey) -> KeyId {
    let hash = Sha256::new().chain_update(name).chain_update(b"\n").chain_update(typed_key(key)).finalize();
    let [a, b, c, d, ..]: [u8; 32] = hash.into();
    [a, b, c, d]
}

fn typed_key(key: &VerifyingKey) -> Vec<u8> {
    [&[ED25519], key.as_bytes().as_slice()].concat()
}

fn is_key_name(name: &str) -> bool {
    !name.is_empty() && !name.contains(|character: char| character.is_whitespace() || character == '+')
}

fn is_text(text: &str) -> bool {
    !text.bytes().any(|byte| byte < b' ' && byte != b'\n')
}
