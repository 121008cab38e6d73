//! The secrets of a store and of each tenant, and how the root key wraps them.
//!
//! The store's header, a slot of the vault named by 32 zero bytes:
//! ```text
//! 0   format            1 byte    0x01
//! 1   store id          16 bytes
//! 17  root generation   u32be     which root key wraps it
//! 21  nonce             24 bytes
//! 45  store secret      32 bytes  sealed
//! 77  tag               16 bytes
//! ```
//! A tenant's header, a slot named by its name tag:
//! ```text
//! 0    format           1 byte    0x01
//! 1    root generation  u32be
//! 5    tenant tag       32 bytes
//! 37   incarnation      16 bytes
//! 53   nonce            24 bytes
//! 77   id key, value key  64 bytes sealed
//! 141  tag              16 bytes
//! ```

use bailiwick_model::{Error, Result};
use bailiwick_store::Tag;
use chacha20poly1305::aead::{AeadInOut, KeyInit};
use chacha20poly1305::{Tag as Authenticator, XChaCha20Poly1305, XNonce};
use zeroize::Zeroizing;

use crate::encoding::encode;
use crate::entropy::Entropy;
use crate::failure;
use crate::hash::{Key, Purpose};
use crate::root_key::wrong_key;
use crate::seal::Sealer;
use crate::signing::Signing;

const FORMAT: u8 = 1;
/// The slot that holds the store's own header.
pub(crate) const STORE_SLOT: [u8; 32] = [0; 32];

/// Wraps secrets with the root key.
pub(crate) struct Wrapper {
    cipher: XChaCha20Poly1305,
    generation: u32,
}

impl Wrapper {
    pub(crate) fn new(root: &Key, generation: u32) -> Self {
        let key = root.derive(Purpose::RootWrap);
        Self { cipher: XChaCha20Poly1305::new(key.bytes().into()), generation }
    }

    /// `nonce ‖ ciphertext ‖ tag`
    fn wrap(&self, entropy: &Entropy, bound: &[&[u8]], secret: &[u8]) -> Result<Vec<u8>> {
        let nonce = entropy.bytes::<24>();
        let mut sealed = secret.to_vec();
        let tag = self
            .cipher
            .encrypt_inout_detached(&XNonce::from(nonce), &encode(bound), sealed.as_mut_slice().into())
            .map_err(|_| Error::Internal("A key could not be wrapped.".to_owned()))?;
        let mut wrapped = nonce.to_vec();
        wrapped.append(&mut sealed);
        wrapped.extend_from_slice(&tag);
        Ok(wrapped)
    }

    fn unwrap(&self, bound: &[&[u8]], wrapped: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
        let (nonce, rest) = wrapped.split_at_checked(24)?;
        let (sealed, tag) = rest.split_at_checked(rest.len().checked_sub(16)?)?;
        let mut secret = Zeroizing::new(sealed.to_vec());
        self.cipher
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

/// What a store keeps secret for itself.
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

    /// New secrets and the header that keeps them.
    pub(crate) fn generate(entropy: &Entropy, wrapper: &Wrapper) -> Result<(Self, Vec<u8>)> {
        let (store_id, secret) = (entropy.bytes::<16>(), Key::new(entropy.bytes()));
        let generation = wrapper.generation.to_be_bytes();
        let wrapped = wrapper.wrap(entropy, &[b"store", &store_id, &generation], secret.bytes())?;
        let header = [&[FORMAT], store_id.as_slice(), &generation, &wrapped].concat();
        Ok((Self::new(store_id, &secret)?, header))
    }

    /// # Errors
    /// `InvalidInput` if the root key is another one or the header is of a newer format.
    pub(crate) fn open(header: &[u8], wrapper: &Wrapper) -> Result<Self> {
        let (format, rest) = header.split_first().ok_or_else(failure::corrupt)?;
        if *format != FORMAT {
            return Err(newer());
        }
        let (store_id, rest) = rest.split_at_checked(16).ok_or_else(failure::corrupt)?;
        let (generation, wrapped) = rest.split_at_checked(4).ok_or_else(failure::corrupt)?;
        let secret = wrapper.unwrap(&[b"store", store_id, generation], wrapped).ok_or_else(wrong_key)?;
        let secret = Key::from_slice(&secret).ok_or_else(failure::corrupt)?;
        Self::new(store_id.try_into().map_err(|_| failure::corrupt())?, &secret)
    }

    /// What the engine keeps to show that it belongs to these secrets.
    pub(crate) fn store_row(&self, entropy: &Entropy) -> Result<Vec<u8>> {
        let write = |out: &mut Vec<u8>| out.extend_from_slice(&self.store_id);
        self.name_rows
            .seal(entropy, &[&self.store_id, &STORE_SLOT], self.store_id.len(), write)
            .map_err(|_| failure::corrupt())
    }

    /// Whether that is what the engine keeps.
    pub(crate) fn is_store_row(&self, row: &[u8]) -> bool {
        self.name_rows.open(&[&self.store_id, &STORE_SLOT], row).is_ok_and(|id| id == self.store_id)
    }

    /// By which name a tenant's header is found.
    pub(crate) fn name_tag(&self, resource_id: &str) -> [u8; 32] {
        self.name_key.hash(&[resource_id.as_bytes()])
    }

    fn tag(&self, resource_id: &str, incarnation: &[u8; 16]) -> Tag {
        Tag(self.tag_key.hash(&[resource_id.as_bytes(), incarnation]))
    }
}

/// What a tenant's records are named and sealed with.
pub(crate) struct TenantKeys {
    pub(crate) tag: Tag,
    pub(crate) reference_ids: Key,
    pub(crate) item_names: Key,
    pub(crate) list_names: Key,
    pub(crate) approval_subjects: Key,
    pub(crate) records: Sealer,
    pub(crate) cursors: Sealer,
}

impl TenantKeys {
    fn new(tag: Tag, secrets: &[u8]) -> Option<Self> {
        let (id_key, value_key) = secrets.split_at_checked(32)?;
        let (id_key, value_key) = (Key::from_slice(id_key)?, Key::from_slice(value_key)?);
        Some(Self {
            tag,
            reference_ids: id_key.derive(Purpose::ReferenceId),
            item_names: id_key.derive(Purpose::ItemName),
            list_names: id_key.derive(Purpose::ListName),
            approval_subjects: id_key.derive(Purpose::ApprovalSubject),
            records: Sealer::new(&value_key, Purpose::RecordSeal),
            cursors: Sealer::new(&value_key, Purpose::CursorSeal),
        })
    }

    /// New keys and the header that keeps them.
    pub(crate) fn generate(
        entropy: &Entropy,
        wrapper: &Wrapper,
        store: &StoreKeys,
        resource_id: &str,
    ) -> Result<(Self, Vec<u8>)> {
        let incarnation = entropy.bytes::<16>();
        let secrets = Zeroizing::new(entropy.bytes::<64>());
        let tag = store.tag(resource_id, &incarnation);
        let generation = wrapper.generation.to_be_bytes();
        let bound: [&[u8]; 5] = [b"header", &store.store_id, &store.name_tag(resource_id), &incarnation, &generation];
        let wrapped = wrapper.wrap(entropy, &bound, secrets.as_slice())?;
        let header = [&[FORMAT], generation.as_slice(), &tag.0, &incarnation, &wrapped].concat();
        Ok((Self::new(tag, secrets.as_slice()).ok_or_else(failure::corrupt)?, header))
    }

    /// # Errors
    /// `StoreCorrupt` if the header does not belong to this tenant of this store or was altered.
    pub(crate) fn open(header: &[u8], wrapper: &Wrapper, store: &StoreKeys, resource_id: &str) -> Result<Self> {
        let opened = Self::open_for_check(header, wrapper, store, &store.name_tag(resource_id))?;
        if opened.is_of(store, resource_id) { Ok(opened.keys) } else { Err(failure::corrupt()) }
    }

    /// Opens a header by the name tag alone, without knowing whose it is.
    ///
    /// # Errors
    /// As [`TenantKeys::open`].
    pub(crate) fn open_for_check(
        header: &[u8],
        wrapper: &Wrapper,
        store: &StoreKeys,
        name: &[u8; 32],
    ) -> Result<UnnamedKeys> {
        let (format, rest) = header.split_first().ok_or_else(failure::corrupt)?;
        if *format != FORMAT {
            return Err(newer());
        }
        let (generation, rest) = rest.split_at_checked(4).ok_or_else(failure::corrupt)?;
        let (tag, rest) = rest.split_first_chunk::<32>().ok_or_else(failure::corrupt)?;
        let (incarnation, wrapped) = rest.split_first_chunk::<16>().ok_or_else(failure::corrupt)?;
        let bound: [&[u8]; 5] = [b"header", &store.store_id, name, incarnation, generation];
        let secrets = wrapper.unwrap(&bound, wrapped).ok_or_else(failure::corrupt)?;
        let keys = Self::new(Tag(*tag), &secrets).ok_or_else(failure::corrupt)?;
        Ok(UnnamedKeys { keys, name: *name, incarnation: *incarnation })
    }
}

/// A tenant's keys before it is known whose they are.
pub(crate) struct UnnamedKeys {
    pub(crate) keys: TenantKeys,
    name: [u8; 32],
    incarnation: [u8; 16],
}

impl UnnamedKeys {
    /// Whether they are this tenant's, and lead to the tag that follows from its name.
    pub(crate) fn is_of(&self, store: &StoreKeys, resource_id: &str) -> bool {
        store.name_tag(resource_id) == self.name && store.tag(resource_id, &self.incarnation) == self.keys.tag
    }
}

/// The tag in a tenant's header, which stands there in clear. `None` if it is no such header.
pub(crate) fn tag_of(header: &[u8]) -> Option<Tag> {
    let tag = header.get(5..37)?;
    (header.first() == Some(&FORMAT)).then_some(Tag(tag.try_into().ok()?))
}

fn newer() -> Error {
    Error::invalid("This store was written by a newer version of bailiwick. Update bailiwick.")
}
