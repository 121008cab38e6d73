//! Keys and keyed hashes: BLAKE3, with a context string for each use.

use zeroize::{Zeroize, ZeroizeOnDrop};

use crate::crypto::encoding::encode;

/// 32 secret bytes, wiped when dropped and never printed.
#[derive(Clone, Zeroize, ZeroizeOnDrop)]
pub(crate) struct Key([u8; 32]);

/// The uses of a derived key. Their context strings are part of the format and never change.
#[derive(Clone, Copy)]
pub(crate) enum Purpose {
    RootWrap,
    TenantTag,
    TenantName,
    NameRow,
    ReferenceId,
    ItemName,
    ListName,
    RecordSeal,
    RecordCommitment,
    CursorSeal,
    ApprovalSubject,
    SigningSeed,
    LedgerOrigin,
    Entropy,
}

impl Purpose {
    const fn context(self) -> &'static str {
        match self {
            Self::RootWrap => "bailiwick 2026-11-23 root wrap v1",
            Self::TenantTag => "bailiwick 2026-11-23 tenant tag v1",
            Self::TenantName => "bailiwick 2026-11-23 tenant name v1",
            Self::NameRow => "bailiwick 2026-11-23 name row v1",
            Self::ReferenceId => "bailiwick 2026-11-23 reference id v1",
            Self::ItemName => "bailiwick 2026-11-23 item name v1",
            Self::ListName => "bailiwick 2026-11-23 list name v1",
            Self::RecordSeal => "bailiwick 2026-11-23 record seal v1",
            Self::RecordCommitment => "bailiwick 2026-11-23 record commitment v1",
            Self::CursorSeal => "bailiwick 2026-11-23 cursor seal v1",
            Self::ApprovalSubject => "bailiwick 2026-11-23 approval subject v1",
            Self::SigningSeed => "bailiwick 2026-11-23 signing seed v1",
            Self::LedgerOrigin => "bailiwick 2026-11-23 ledger origin v1",
            Self::Entropy => "bailiwick 2026-11-23 seeded entropy v1",
        }
    }
}

impl Key {
    pub(crate) const fn new(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    pub(crate) fn from_slice(bytes: &[u8]) -> Option<Self> {
        bytes.try_into().ok().map(Self)
    }

    pub(crate) const fn bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// BLAKE3 derive_key with this key as its material.
    pub(crate) fn derive(&self, purpose: Purpose) -> Self {
        Self(blake3::derive_key(purpose.context(), &self.0))
    }

    /// BLAKE3 keyed_hash over the encoded fields.
    pub(crate) fn hash(&self, parts: &[&[u8]]) -> [u8; 32] {
        *blake3::keyed_hash(&self.0, &encode(parts)).as_bytes()
    }

    /// Returns the same as [`Key::hash`] without copying large fields.
    pub(crate) fn hash_streamed(&self, parts: &[&[u8]]) -> [u8; 32] {
        let mut hasher = blake3::Hasher::new_keyed(&self.0);
        hasher.update(&[1]);
        hasher.update(&u32::try_from(parts.len()).unwrap_or(u32::MAX).to_be_bytes());
        for part in parts {
            hasher.update(&(part.len() as u64).to_be_bytes());
            hasher.update(part);
        }
        *hasher.finalize().as_bytes()
    }

    /// The first 16 bytes of [`Key::hash`].
    pub(crate) fn hash16(&self, parts: &[&[u8]]) -> [u8; 16] {
        first(&self.hash(parts))
    }
}

/// The first `N` bytes of a hash.
pub(crate) fn first<const N: usize>(hash: &[u8; 32]) -> [u8; N] {
    let mut head = [0; N];
    for (to, from) in head.iter_mut().zip(hash) {
        *to = *from;
    }
    head
}

#[cfg(test)]
mod tests {
    use super::Key;

    #[test]
    fn streamed_and_joined_hashes_are_the_same() {
        let key = Key::new([7; 32]);
        let parts: [&[u8]; 3] = [b"type", b"", &[9; 5000]];
        assert_eq!(key.hash(&parts), key.hash_streamed(&parts));
    }
}
