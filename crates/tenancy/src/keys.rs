//! The secrets of a store and of each tenant, and how the root key wraps them.
//!
//! The store's header, a slot of the vault named by 32 zero bytes:
//! ```text
//! 0   format            1 byte    0x01
//! 1   store id          16 bytes
//! 17  root generation   u32be     which root key wraps it
//! 21  nonce             24 bytes
//! 45  store secret      32 bytes  sealed; while the root key is being replaced, 32 bytes more, sealed with it: what
//!                                 the one before wraps with
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

use bailiwick_model::Result;
use bailiwick_store::engine::record_key;
use bailiwick_store::{Place, STORE_SLOT, Tag};
use zeroize::Zeroizing;

use crate::entropy::Entropy;
use crate::failure;
use crate::hash::{Key, Purpose};
use crate::moving;
use crate::root_key::wrong_key;
use crate::seal::Sealer;
use crate::signing::Signing;
use crate::wrapper::{Keyring, Wrapper};

/// How every header begins.
pub(crate) const FORMAT: u8 = 1;
const FIRST_GENERATION: u32 = 1;

/// What the store's header holds.
pub(crate) struct StoreSecret {
    store_id: [u8; 16],
    secret: Key,
    /// What opens it and the tenants' headers.
    pub(crate) keyring: Keyring,
}

impl StoreSecret {
    /// That of a new store.
    pub(crate) fn generate(entropy: &Entropy, root: &Key) -> Self {
        let keyring = Keyring { current: Wrapper::new(root, FIRST_GENERATION), previous: None };
        Self { store_id: entropy.bytes(), secret: Key::new(entropy.bytes()), keyring }
    }

    /// # Errors
    /// `InvalidInput` if the root key is another one or the header is of a newer format.
    pub(crate) fn open(header: &[u8], root: &Key) -> Result<Self> {
        Self::unwrap(header, |generation| Some(Wrapper::new(root, generation)))
    }

    /// Opens it with what it was opened with before. `wrapper` gives what has wrapped a generation, if that is known.
    ///
    /// # Errors
    /// As [`StoreSecret::open`].
    pub(crate) fn unwrap(header: &[u8], wrapper: impl FnOnce(u32) -> Option<Wrapper>) -> Result<Self> {
        let (format, rest) = header.split_first().ok_or_else(failure::corrupt)?;
        if *format != FORMAT {
            return Err(moving::refusal(Some(format)));
        }
        let (store_id, rest) = rest.split_first_chunk::<16>().ok_or_else(failure::corrupt)?;
        let (generation, wrapped) = rest.split_first_chunk::<4>().ok_or_else(failure::corrupt)?;
        let current = wrapper(u32::from_be_bytes(*generation)).ok_or_else(wrong_key)?;
        let opened = current.unwrap(&[b"store", store_id, generation], wrapped).ok_or_else(wrong_key)?;
        let (secret, previous) = opened.split_at_checked(32).ok_or_else(failure::corrupt)?;
        let secret = Key::from_slice(secret).ok_or_else(failure::corrupt)?;
        let previous = match previous {
            [] => None,
            key => {
                let key = Key::from_slice(key).ok_or_else(failure::corrupt)?;
                Some(Wrapper::from_key(key, current.generation().saturating_sub(1)))
            }
        };
        Ok(Self { store_id: *store_id, secret, keyring: Keyring { current, previous } })
    }

    /// The header that keeps it.
    pub(crate) fn header(&self, entropy: &Entropy) -> Result<Vec<u8>> {
        let Keyring { current, previous } = &self.keyring;
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
        let header = HeaderPlace { tag, incarnation, store, name: &store.name_tag(resource_id) };
        let header = header.wrap(entropy, wrapper, secrets.as_slice())?;
        Ok((Self::new(tag, secrets.as_slice()).ok_or_else(failure::corrupt)?, header))
    }

    /// # Errors
    /// `StoreCorrupt` if the header does not belong to this tenant of this store or was altered.
    pub(crate) fn open(header: &[u8], keyring: &Keyring, store: &StoreKeys, resource_id: &str) -> Result<Self> {
        let opened = Self::open_for_check(header, keyring, store, &store.name_tag(resource_id))?;
        if opened.is_of(store, resource_id) { Ok(opened.keys) } else { Err(failure::corrupt()) }
    }

    /// Opens a header by the name tag alone, without knowing whose it is.
    ///
    /// # Errors
    /// As [`TenantKeys::open`].
    pub(crate) fn open_for_check(
        header: &[u8],
        keyring: &Keyring,
        store: &StoreKeys,
        name: &[u8; 32],
    ) -> Result<UnnamedKeys> {
        let (place, secrets) = HeaderPlace::unwrap(header, keyring, store, name)?;
        let keys = Self::new(place.tag, &secrets).ok_or_else(failure::corrupt)?;
        Ok(UnnamedKeys { keys, name: *name, incarnation: place.incarnation })
    }
}

/// Wraps a tenant's header with the current key. `None`: it is already.
///
/// # Errors
/// `StoreCorrupt` if it does not open.
pub(crate) fn wrap_anew(
    header: &[u8],
    entropy: &Entropy,
    keyring: &Keyring,
    store: &StoreKeys,
    name: &[u8; 32],
) -> Result<Option<Vec<u8>>> {
    if generation_of(header) == Some(keyring.current.generation()) {
        return Ok(None);
    }
    let (place, secrets) = HeaderPlace::unwrap(header, keyring, store, name)?;
    place.wrap(entropy, &keyring.current, &secrets).map(Some)
}

/// What a tenant's header says in clear, and what its secrets are bound to.
struct HeaderPlace<'a> {
    tag: Tag,
    incarnation: [u8; 16],
    store: &'a StoreKeys,
    name: &'a [u8; 32],
}

impl<'a> HeaderPlace<'a> {
    fn wrap(&self, entropy: &Entropy, wrapper: &Wrapper, secrets: &[u8]) -> Result<Vec<u8>> {
        let generation = wrapper.generation().to_be_bytes();
        let bound: [&[u8]; 5] = [b"header", &self.store.store_id, self.name, &self.incarnation, &generation];
        let wrapped = wrapper.wrap(entropy, &bound, secrets)?;
        Ok([&[FORMAT], generation.as_slice(), &self.tag.0, &self.incarnation, &wrapped].concat())
    }

    fn unwrap(
        header: &[u8],
        keyring: &Keyring,
        store: &'a StoreKeys,
        name: &'a [u8; 32],
    ) -> Result<(Self, Zeroizing<Vec<u8>>)> {
        let (format, rest) = header.split_first().ok_or_else(failure::corrupt)?;
        if *format != FORMAT {
            return Err(moving::refusal(Some(format)));
        }
        let (generation, rest) = rest.split_first_chunk::<4>().ok_or_else(failure::corrupt)?;
        let (tag, rest) = rest.split_first_chunk::<32>().ok_or_else(failure::corrupt)?;
        let (incarnation, wrapped) = rest.split_first_chunk::<16>().ok_or_else(failure::corrupt)?;
        let bound: [&[u8]; 5] = [b"header", &store.store_id, name, incarnation, generation];
        let wrapper = keyring.of(u32::from_be_bytes(*generation))?;
        let secrets = wrapper.unwrap(&bound, wrapped).ok_or_else(failure::corrupt)?;
        Ok((Self { tag: Tag(*tag), incarnation: *incarnation, store, name }, secrets))
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

    /// Whose they are, by one of the records. `None` unless it opens at its place, and says that it is their tenant's.
    pub(crate) fn owner(&self, store: &StoreKeys, tag: Tag, place: &Place, sealed: &[u8]) -> Option<String> {
        let key = record_key(&tag, place);
        let plaintext = self.keys.records.open(&[&store.store_id, &key], sealed).ok()?;
        let (length, rest) = plaintext.split_first_chunk::<2>()?;
        let owner = rest.get(..usize::from(u16::from_be_bytes(*length)))?;
        let owner = std::str::from_utf8(owner).ok()?;
        self.is_of(store, owner).then(|| owner.to_owned())
    }
}

/// The tag in a tenant's header, which stands there in clear. `None` if it is no such header.
pub(crate) fn tag_of(header: &[u8]) -> Option<Tag> {
    let tag = header.get(5..37)?;
    (header.first() == Some(&FORMAT)).then_some(Tag(tag.try_into().ok()?))
}

/// Whether a tenant's header was made by somebody who had not heard that the root key was being rotated, and who was
/// refused before anything was sealed under it. A tenant that has a name row all the same is damaged.
pub(crate) fn is_abandoned(header: &[u8], keyring: &Keyring) -> bool {
    let is_older = generation_of(header).is_some_and(|generation| generation < keyring.current.generation());
    is_older && keyring.previous.is_none()
}

/// Which root key has wrapped a tenant's header. `None` if it is no such header.
fn generation_of(header: &[u8]) -> Option<u32> {
    let generation = header.get(1..5)?;
    (header.first() == Some(&FORMAT)).then_some(u32::from_be_bytes(generation.try_into().ok()?))
}

/// Which root key has wrapped the store's header. `None` if it is no such header.
pub(crate) fn store_generation_of(header: &[u8]) -> Option<u32> {
    let generation = header.get(17..21)?;
    (header.first() == Some(&FORMAT)).then_some(u32::from_be_bytes(generation.try_into().ok()?))
}
