//! Sealing: XChaCha20-Poly1305 with a commitment to the key, bound to where the bytes are stored.
//!
//! ```text
//! 0        format      1 byte   0x01
//! 1        algorithm   1 byte   0x01 = XChaCha20-Poly1305
//! 2        nonce       24 bytes
//! 26       commitment  32 bytes BLAKE3 keyed hash of the nonce: the ciphertext opens under one key only
//! 58       ciphertext  n bytes
//! 58 + n   tag         16 bytes
//! ```

use chacha20poly1305::aead::{AeadInOut, KeyInit};
use chacha20poly1305::{Tag as Authenticator, XChaCha20Poly1305, XNonce};

use crate::crypto::encoding::encode;
use crate::crypto::entropy::Entropy;
use crate::crypto::hash::{Key, Purpose};

const HEADER: [u8; 2] = [1, 1];
const NONCE_END: usize = 26;
const COMMITMENT_END: usize = 58;
const AUTHENTICATOR: usize = 16;

/// The bytes that sealing adds to a plaintext.
const OVERHEAD: usize = COMMITMENT_END + AUTHENTICATOR;

/// Two keys: one encrypts, the other commits to it.
pub(crate) struct Sealer {
    cipher: XChaCha20Poly1305,
    commitment: Key,
}

/// The sealed bytes are not authentic, or not those of this key and place. Says no more on purpose.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Unsealable;

impl Sealer {
    /// Derives both keys from one.
    pub(crate) fn new(key: &Key, purpose: Purpose) -> Self {
        let seal = key.derive(purpose);
        Self { cipher: XChaCha20Poly1305::new(seal.bytes().into()), commitment: seal.derive(Purpose::RecordCommitment) }
    }

    /// Seals the `length` bytes that `write` appends. `bound` is authenticated with them.
    pub(crate) fn seal(
        &self,
        entropy: &Entropy,
        bound: &[&[u8]],
        length: usize,
        write: impl FnOnce(&mut Vec<u8>),
    ) -> Result<Vec<u8>, Unsealable> {
        let mut nonce = [0; 24];
        entropy.fill(&mut nonce);
        let mut sealed = Vec::with_capacity(length + OVERHEAD);
        sealed.extend_from_slice(&HEADER);
        sealed.extend_from_slice(&nonce);
        sealed.extend_from_slice(blake3::keyed_hash(self.commitment.bytes(), &nonce).as_bytes());
        write(&mut sealed);
        let (_, plaintext) = sealed.split_at_mut_checked(COMMITMENT_END).ok_or(Unsealable)?;
        let authenticator = self
            .cipher
            .encrypt_inout_detached(&XNonce::from(nonce), &associated_data(bound), plaintext.into())
            .map_err(|_| Unsealable)?;
        sealed.extend_from_slice(&authenticator);
        Ok(sealed)
    }

    /// Opens what [`Sealer::seal`] sealed with the same `bound`.
    pub(crate) fn open(&self, bound: &[&[u8]], sealed: &[u8]) -> Result<Vec<u8>, Unsealable> {
        let (header, rest) = sealed.split_at_checked(HEADER.len()).ok_or(Unsealable)?;
        let (nonce, rest) = rest.split_at_checked(NONCE_END - HEADER.len()).ok_or(Unsealable)?;
        let (commitment, rest) = rest.split_at_checked(COMMITMENT_END - NONCE_END).ok_or(Unsealable)?;
        let length = rest.len().checked_sub(AUTHENTICATOR).ok_or(Unsealable)?;
        let (ciphertext, authenticator) = rest.split_at_checked(length).ok_or(Unsealable)?;
        // blake3::Hash compares in constant time.
        let expected = blake3::keyed_hash(self.commitment.bytes(), nonce);
        if header != HEADER || expected != *commitment {
            return Err(Unsealable);
        }
        let nonce = XNonce::try_from(nonce).map_err(|_| Unsealable)?;
        let authenticator = Authenticator::try_from(authenticator).map_err(|_| Unsealable)?;
        let mut plaintext = ciphertext.to_vec();
        self.cipher
            .decrypt_inout_detached(&nonce, &associated_data(bound), plaintext.as_mut_slice().into(), &authenticator)
            .map_err(|_| Unsealable)?;
        Ok(plaintext)
    }
}

fn associated_data(bound: &[&[u8]]) -> Vec<u8> {
    encode(&[&[HEADER.as_slice()], bound].concat())
}

#[cfg(test)]
mod tests {
    use super::{OVERHEAD, Sealer, Unsealable};
    use crate::crypto::entropy::Entropy;
    use crate::crypto::hash::{Key, Purpose};
    use proptest::prelude::*;

    fn sealer(byte: u8) -> Sealer {
        Sealer::new(&Key::new([byte; 32]), Purpose::RecordSeal)
    }

    proptest! {
        #[test]
        fn only_the_same_key_and_place_open_unaltered_bytes(
            plaintext in proptest::collection::vec(any::<u8>(), 0..300),
            position in any::<proptest::sample::Index>(),
            flip in 1u8..,
        ) {
            let sealed = sealer(1).seal(&Entropy::system(), &[b"here"], plaintext.len(), |out| out.extend_from_slice(&plaintext)).unwrap();
            prop_assert_eq!(sealed.len(), plaintext.len() + OVERHEAD);
            prop_assert_eq!(sealer(1).open(&[b"here"], &sealed), Ok(plaintext));
            prop_assert_eq!(sealer(2).open(&[b"here"], &sealed), Err(Unsealable));
            prop_assert_eq!(sealer(1).open(&[b"there"], &sealed), Err(Unsealable));
            prop_assert_eq!(sealer(1).open(&[b"he", b"re"], &sealed), Err(Unsealable));
            let mut altered = sealed.clone();
            altered[position.index(sealed.len())] ^= flip;
            prop_assert_eq!(sealer(1).open(&[b"here"], &altered), Err(Unsealable));
            prop_assert_eq!(sealer(1).open(&[b"here"], &sealed[..position.index(sealed.len())]), Err(Unsealable));
        }
    }
}
