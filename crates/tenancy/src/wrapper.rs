//! The root key at work: it wraps the secrets of the store and of each tenant, and nothing else. So it can be replaced
//! without touching a record.

use bailiwick_model::{Error, Result};
use chacha20poly1305::aead::{AeadInOut, KeyInit};
use chacha20poly1305::{Tag as Authenticator, XChaCha20Poly1305, XNonce};
use zeroize::Zeroizing;

use crate::encoding::encode;
use crate::entropy::Entropy;
use crate::failure;
use crate::hash::{Key, Purpose};

/// Wraps secrets with what is derived from a root key.
#[derive(Clone)]
pub(crate) struct Wrapper {
    key: Key,
    generation: u32,
}

impl Wrapper {
    /// `generation` says which root key of the store it is: the first is 1.
    pub(crate) fn new(root: &Key, generation: u32) -> Self {
        Self { key: root.derive(Purpose::RootWrap), generation }
    }

    /// From what [`Wrapper::key`] gave.
    pub(crate) const fn from_key(key: Key, generation: u32) -> Self {
        Self { key, generation }
    }

    /// What it wraps with, from which the root key does not follow.
    pub(crate) const fn key(&self) -> &Key {
        &self.key
    }

    pub(crate) const fn generation(&self) -> u32 {
        self.generation
    }

    pub(crate) fn is_of(&self, root: &Key) -> bool {
        root.derive(Purpose::RootWrap).bytes() == self.key.bytes()
    }

    fn cipher(&self) -> XChaCha20Poly1305 {
        XChaCha20Poly1305::new(self.key.bytes().into())
    }

    /// `nonce ‖ ciphertext ‖ tag`
    pub(crate) fn wrap(&self, entropy: &Entropy, bound: &[&[u8]], secret: &[u8]) -> Result<Vec<u8>> {
        let nonce = entropy.bytes::<24>();
        let mut sealed = secret.to_vec();
        let tag = self
            .cipher()
            .encrypt_inout_detached(&XNonce::from(nonce), &encode(bound), sealed.as_mut_slice().into())
            .map_err(|_| Error::Internal("A key could not be wrapped.".to_owned()))?;
        let mut wrapped = nonce.to_vec();
        wrapped.append(&mut sealed);
        wrapped.extend_from_slice(&tag);
        Ok(wrapped)
    }

    pub(crate) fn unwrap(&self, bound: &[&[u8]], wrapped: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
        let (nonce, rest) = wrapped.split_at_checked(24)?;
        let (sealed, tag) = rest.split_at_checked(rest.len().checked_sub(16)?)?;
        let mut secret = Zeroizing::new(sealed.to_vec());
        self.cipher()
            .decrypt_inout_detached(
                &XNonce::try_from(nonce).ok()?,
                &encode(bound),
                secret.as_mut_slice().into(),
                &Authenticator::try_from(tag).ok()?,
            )
            .ok()?;
        Some(secret)
    }
}

/// What wraps the headers of a store: one root key, and while it is being replaced also the one before it.
pub(crate) struct Keyring {
    /// Wraps what is made now.
    pub(crate) current: Wrapper,
    /// Has wrapped what is not yet wrapped anew.
    pub(crate) previous: Option<Wrapper>,
}

impl Keyring {
    /// What has wrapped a header that names this generation.
    ///
    /// # Errors
    /// `StoreCorrupt` if it is none of these.
    pub(crate) fn of(&self, generation: u32) -> Result<&Wrapper> {
        let known = [Some(&self.current), self.previous.as_ref()];
        known.into_iter().flatten().find(|known| known.generation == generation).ok_or_else(failure::corrupt)
    }
}
