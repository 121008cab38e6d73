//! The keys of a tenant and the header that holds them: the vault's slot named by its name tag.
//!
//! ```text
//! 0    format           1 byte    0x01
//! 1    root generation  u32be
//! 5    tenant tag       32 bytes
//! 37   incarnation      16 bytes
//! 53   nonce            24 bytes
//! 77   id key, value key  64 bytes sealed
//! 141  tag              16 bytes
//! ```

use bailiwick_model::Result;
use bailiwick_store::engine::record_key;
use bailiwick_store::{Place, Tag};
use zeroize::Zeroizing;

use super::store_keys::StoreKeys;
use super::{FORMAT, refusal};
use crate::crypto::entropy::Entropy;
use crate::crypto::hash::{Key, Purpose};
use crate::crypto::key_wrapping::{KeyRing, WrappingKey};
use crate::crypto::seal::Sealer;
use crate::errors;

/// The keys that name and seal a tenant's records.
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

    /// Generates keys and returns them with their header.
    pub(crate) fn generate(
        entropy: &Entropy,
        wrapper: &WrappingKey,
        store: &StoreKeys,
        resource_id: &str,
    ) -> Result<(Self, Vec<u8>)> {
        let incarnation = entropy.bytes::<16>();
        let secrets = Zeroizing::new(entropy.bytes::<64>());
        let tag = store.tag(resource_id, &incarnation);
        let fields = HeaderFields { tag, incarnation, store, name: &store.name_tag(resource_id) };
        let header = fields.wrap(entropy, wrapper, secrets.as_slice())?;
        Ok((Self::new(tag, secrets.as_slice()).ok_or_else(errors::corrupt)?, header))
    }

    /// Opens the header of a tenant.
    ///
    /// # Errors
    /// `StoreCorrupt` if the header was altered or belongs to another tenant or store.
    pub(crate) fn open(header: &[u8], key_ring: &KeyRing, store: &StoreKeys, resource_id: &str) -> Result<Self> {
        let opened = Self::open_unnamed(header, key_ring, store, &store.name_tag(resource_id))?;
        if opened.is_of(store, resource_id) { Ok(opened.keys) } else { Err(errors::corrupt()) }
    }

    /// Opens a header by its name tag alone, without the tenant's id.
    pub(crate) fn open_unnamed(
        header: &[u8],
        key_ring: &KeyRing,
        store: &StoreKeys,
        name: &[u8; 32],
    ) -> Result<UnnamedKeys> {
        let (fields, secrets) = HeaderFields::unwrap(header, key_ring, store, name)?;
        let keys = Self::new(fields.tag, &secrets).ok_or_else(errors::corrupt)?;
        Ok(UnnamedKeys { keys, name: *name, incarnation: fields.incarnation })
    }
}

/// Returns a tenant's header rewrapped with the current key. `None`: it already is.
///
/// # Errors
/// `StoreCorrupt` if it does not open.
pub(crate) fn rewrap(
    header: &[u8],
    entropy: &Entropy,
    key_ring: &KeyRing,
    store: &StoreKeys,
    name: &[u8; 32],
) -> Result<Option<Vec<u8>>> {
    if generation_of(header) == Some(key_ring.current.generation()) {
        return Ok(None);
    }
    let (fields, secrets) = HeaderFields::unwrap(header, key_ring, store, name)?;
    fields.wrap(entropy, &key_ring.current, &secrets).map(Some)
}

/// The fields of a tenant's header that are not encrypted; its secrets are bound to them.
struct HeaderFields<'a> {
    tag: Tag,
    incarnation: [u8; 16],
    store: &'a StoreKeys,
    name: &'a [u8; 32],
}

impl<'a> HeaderFields<'a> {
    fn wrap(&self, entropy: &Entropy, wrapper: &WrappingKey, secrets: &[u8]) -> Result<Vec<u8>> {
        let generation = wrapper.generation().to_be_bytes();
        let bound: [&[u8]; 5] = [b"header", &self.store.store_id, self.name, &self.incarnation, &generation];
        let wrapped = wrapper.wrap(entropy, &bound, secrets)?;
        Ok([&[FORMAT], generation.as_slice(), &self.tag.0, &self.incarnation, &wrapped].concat())
    }

    fn unwrap(
        header: &[u8],
        key_ring: &KeyRing,
        store: &'a StoreKeys,
        name: &'a [u8; 32],
    ) -> Result<(Self, Zeroizing<Vec<u8>>)> {
        let (format, rest) = header.split_first().ok_or_else(errors::corrupt)?;
        if *format != FORMAT {
            return Err(refusal(Some(format)));
        }
        let (generation, rest) = rest.split_first_chunk::<4>().ok_or_else(errors::corrupt)?;
        let (tag, rest) = rest.split_first_chunk::<32>().ok_or_else(errors::corrupt)?;
        let (incarnation, wrapped) = rest.split_first_chunk::<16>().ok_or_else(errors::corrupt)?;
        let bound: [&[u8]; 5] = [b"header", &store.store_id, name, incarnation, generation];
        let wrapper = key_ring.of_generation(u32::from_be_bytes(*generation)).ok_or_else(errors::corrupt)?;
        let secrets = wrapper.unwrap(&bound, wrapped).ok_or_else(errors::corrupt)?;
        Ok((Self { tag: Tag(*tag), incarnation: *incarnation, store, name }, secrets))
    }
}

/// A tenant's keys whose owner is not known yet.
pub(crate) struct UnnamedKeys {
    pub(crate) keys: TenantKeys,
    name: [u8; 32],
    incarnation: [u8; 16],
}

impl UnnamedKeys {
    /// Whether they are this tenant's, and their tag the one derived from its id.
    pub(crate) fn is_of(&self, store: &StoreKeys, resource_id: &str) -> bool {
        store.name_tag(resource_id) == self.name && store.tag(resource_id, &self.incarnation) == self.keys.tag
    }

    /// Returns the tenant's id, read from one of its records. `None` unless the record opens at its place and names the tenant
    /// of these keys.
    pub(crate) fn owner(&self, store: &StoreKeys, tag: Tag, place: &Place, sealed: &[u8]) -> Option<String> {
        let key = record_key(&tag, place);
        let plaintext = self.keys.records.open(&[&store.store_id, &key], sealed).ok()?;
        let (length, rest) = plaintext.split_first_chunk::<2>()?;
        let owner = rest.get(..usize::from(u16::from_be_bytes(*length)))?;
        let owner = std::str::from_utf8(owner).ok()?;
        self.is_of(store, owner).then(|| owner.to_owned())
    }
}

/// Returns the tag in a tenant's header, which is not encrypted. `None` for anything else.
pub(crate) fn tag_of(header: &[u8]) -> Option<Tag> {
    let tag = header.get(5..37)?;
    (header.first() == Some(&FORMAT)).then_some(Tag(tag.try_into().ok()?))
}

/// Whether a tenant's header was created by a process that did not know of a rotation, and that was refused before it sealed
/// anything with these keys. If the tenant has a name row nevertheless, it is corrupt.
pub(crate) fn is_abandoned(header: &[u8], key_ring: &KeyRing) -> bool {
    let is_older = generation_of(header).is_some_and(|generation| generation < key_ring.current.generation());
    is_older && key_ring.previous.is_none()
}

/// Returns the generation of the root key that wraps a tenant's header. `None` for anything else.
fn generation_of(header: &[u8]) -> Option<u32> {
    let generation = header.get(1..5)?;
    (header.first() == Some(&FORMAT)).then_some(u32::from_be_bytes(generation.try_into().ok()?))
}
