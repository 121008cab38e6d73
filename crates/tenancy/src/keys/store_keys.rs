//! The keys of a store and the header that holds them: the vault's slot [`STORE_SLOT`].
//!
//! ```text
//! 0   format            1 byte    0x01
//! 1   store id          16 bytes
//! 17  root generation   u32be     the root key that wraps it
//! 21  nonce             24 bytes
//! 45  store secret      32 bytes  sealed; during a rotation of the root key followed by the previous wrapping key
//!                                 (32 bytes), sealed with it
//! 77  tag               16 bytes
//! ```

use bailiwick_model::Result;
use bailiwick_store::{STORE_SLOT, Tag};
use zeroize::Zeroizing;

use super::root_key::wrong_key;
use super::{FORMAT, refusal};
use crate::crypto::entropy::Entropy;
use crate::crypto::hash::{Key, Purpose};
use crate::crypto::key_wrapping::{KeyRing, WrappingKey};
use crate::crypto::seal::Sealer;
use crate::crypto::signing::Signing;
use crate::errors;

const FIRST_GENERATION: u32 = 1;

/// The content of the store's header.
pub(crate) struct StoreSecret {
    store_id: [u8; 16],
    secret: Key,
    /// Wraps this header and those of the tenants.
    pub(crate) key_ring: KeyRing,
}

impl StoreSecret {
    /// Generates the secret of a new store.
    pub(crate) fn generate(entropy: &Entropy, root: &Key) -> Self {
        let key_ring = KeyRing { current: WrappingKey::new(root, FIRST_GENERATION), previous: None };
        Self { store_id: entropy.bytes(), secret: Key::new(entropy.bytes()), key_ring }
    }

    /// Opens a header with a root key.
    ///
    /// # Errors
    /// `InvalidInput` for another root key or a newer format, `StoreCorrupt`.
    pub(crate) fn open(header: &[u8], root: &Key) -> Result<Self> {
        Self::unwrap(header, |generation| Some(WrappingKey::new(root, generation)))
    }

    /// Opens a header with the wrapping key that `wrapper` returns for its generation.
    pub(crate) fn unwrap(header: &[u8], wrapper: impl FnOnce(u32) -> Option<WrappingKey>) -> Result<Self> {
        let (format, rest) = header.split_first().ok_or_else(errors::corrupt)?;
        if *format != FORMAT {
            return Err(refusal(Some(format)));
        }
        let (store_id, rest) = rest.split_first_chunk::<16>().ok_or_else(errors::corrupt)?;
        let (generation, wrapped) = rest.split_first_chunk::<4>().ok_or_else(errors::corrupt)?;
        let current = wrapper(u32::from_be_bytes(*generation)).ok_or_else(wrong_key)?;
        let opened = current.unwrap(&[b"store", store_id, generation], wrapped).ok_or_else(wrong_key)?;
        let (secret, previous) = opened.split_at_checked(32).ok_or_else(errors::corrupt)?;
        let secret = Key::from_slice(secret).ok_or_else(errors::corrupt)?;
        let previous = match previous {
            [] => None,
            key => {
                let key = Key::from_slice(key).ok_or_else(errors::corrupt)?;
                Some(WrappingKey::from_key(key, current.generation().saturating_sub(1)))
            }
        };
        Ok(Self { store_id: *store_id, secret, key_ring: KeyRing { current, previous } })
    }

    /// Returns the header of this secret.
    pub(crate) fn header(&self, entropy: &Entropy) -> Result<Vec<u8>> {
        let KeyRing { current, previous } = &self.key_ring;
        let generation = current.generation().to_be_bytes();
        let mut sealed = Zeroizing::new(self.secret.bytes().to_vec());
        if let Some(previous) = previous {
            sealed.extend_from_slice(previous.key().bytes());
        }
        let wrapped = current.wrap(entropy, &[b"store", &self.store_id, &generation], &sealed)?;
        Ok([&[FORMAT], self.store_id.as_slice(), &generation, &wrapped].concat())
    }

    pub(crate) fn keys(&self) -> Result<StoreKeys> {
        StoreKeys::new(self.store_id, &self.secret)
    }
}

/// The keys of a store, derived from its secret.
pub(crate) struct StoreKeys {
    pub(crate) store_id: [u8; 16],
    tag_key: Key,
    name_key: Key,
    pub(crate) name_rows: Sealer,
    pub(crate) signing: Signing,
}

impl StoreKeys {
    fn new(store_id: [u8; 16], secret: &Key) -> Result<Self> {
        Ok(Self {
            store_id,
            tag_key: secret.derive(Purpose::TenantTag),
            name_key: secret.derive(Purpose::TenantName),
            name_rows: Sealer::new(secret, Purpose::NameRow),
            signing: Signing::new(&store_id, secret)?,
        })
    }

    /// Returns the value of the row that ties an engine to these keys.
    pub(crate) fn store_row(&self, entropy: &Entropy) -> Result<Vec<u8>> {
        let write = |out: &mut Vec<u8>| out.extend_from_slice(&self.store_id);
        self.name_rows
            .seal(entropy, &[&self.store_id, &STORE_SLOT], self.store_id.len(), write)
            .map_err(|_| errors::corrupt())
    }

    /// Whether a row ties an engine to these keys.
    pub(crate) fn is_store_row(&self, row: &[u8]) -> bool {
        self.name_rows.open(&[&self.store_id, &STORE_SLOT], row).is_ok_and(|id| id == self.store_id)
    }

    /// Returns the name tag of a tenant: the name of the slot that holds its header.
    pub(crate) fn name_tag(&self, resource_id: &str) -> [u8; 32] {
        self.name_key.hash(&[resource_id.as_bytes()])
    }

    /// Returns an id for a key that a tenant's caller has chosen. A name tag hashes one part, this one three.
    pub(crate) fn id_of_key(&self, resource_id: &str, purpose: &str, key: &str) -> [u8; 20] {
        let hash = self.name_key.hash(&[resource_id.as_bytes(), purpose.as_bytes(), key.as_bytes()]);
        let mut id = [0; 20];
        for (to, from) in id.iter_mut().zip(hash) {
            *to = from;
        }
        id
    }

    /// Returns the tag of one incarnation of a tenant.
    pub(super) fn tag(&self, resource_id: &str, incarnation: &[u8; 16]) -> Tag {
        Tag(self.tag_key.hash(&[resource_id.as_bytes(), incarnation]))
    }
}

/// Returns the generation of the root key that wraps the store's header. `None` for anything else.
pub(crate) fn store_generation_of(header: &[u8]) -> Option<u32> {
    let generation = header.get(17..21)?;
    (header.first() == Some(&FORMAT)).then_some(u32::from_be_bytes(generation.try_into().ok()?))
}
