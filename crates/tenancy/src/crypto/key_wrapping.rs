//! Key wrapping: the root key encrypts the secrets of the store and of each tenant, and nothing else. So it can be rotated
//! without touching a record.

use bailiwick_model::{Error, Result};
use chacha20poly1305::aead::{AeadInOut, KeyInit};
use chacha20poly1305::{Tag as Authenticator, XChaCha20Poly1305, XNonce};
use zeroize::Zeroizing;

use crate::crypto::encoding::encode;
use crate::crypto::entropy::Entropy;
use crate::crypto::hash::{Key, Purpose};

/// A key encryption key, derived from a root key.
#[derive(Clone)]
pub(crate) struct WrappingKey {
    key: Key,
    generation: u32,
}

impl WrappingKey {
    /// `generation` counts the root keys of a store from 1.
    pub(crate) fn new(root: &Key, generation: u32) -> Self {
        Self { key: root.derive(Purpose::RootWrap), generation }
    }

    /// The inverse of [`WrappingKey::key`].
    pub(crate) const fn from_key(key: Key, generation: u32) -> Self {
        Self { key, generation }
    }

    /// The derived key, which does not reveal the root key.
    pub(crate) const fn key(&self) -> &Key {
        &self.key
    }

    pub(crate) const fn generation(&self) -> u32 {
        self.generation
    }

    pub(crate) fn is_derived_from(&self, root: &Key) -> bool {
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
            .map_err(|_| Error::internal("A key could not be wrapped."))?;
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

/// The wrapping keys of a store: that of its root key, and during a rotation the previous one.
pub(crate) struct KeyRing {
    /// Wraps new headers.
    pub(crate) current: WrappingKey,
    /// Unwraps headers that the rotation has not reached.
    pub(crate) previous: Option<WrappingKey>,
}

impl KeyRing {
    /// Returns the key of this generation, if it is one of the two.
    pub(crate) fn of_generation(&self, generation: u32) -> Option<&WrappingKey> {
        let known = [Some(&self.current), self.previous.as_ref()];
        known.into_iter().flatten().find(|known| known.generation == generation)
    }
}
