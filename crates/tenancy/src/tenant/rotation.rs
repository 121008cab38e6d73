//! Rotation of the root key while the store is in use. No record is touched: the root key wraps the headers alone.
//!
//! | step | after a crash here |
//! | --- | --- |
//! | 1. a local root key: the next is stored beside it; synced | the old key opens the store; the next one is discarded |
//! | 2. the store's header is wrapped with the next key, and holds the previous wrapping key; synced | the next key alone opens the store, which continues with 3 |
//! | 3. the tenants' headers are rewrapped, one by one | the same |
//! | 4. the previous wrapping key is removed from the store's header; synced. What it wrapped no longer opens | 5 is left |
//! | 5. a local root key: the bytes of the old key are destroyed, and the next replaces it | opening the store continues with 5 |
//!
//! Another process that has the store open notices when it next reads a header, and must open the store again. It cannot create a
//! tenant that the rotation would miss: see [`Store::refuse_rotated`].

use bailiwick_model::{Error, Result};
use bailiwick_store::{ReadError, STORE_SLOT};
use zeroize::Zeroizing;

use super::store::Store;
use super::store_header::{open_with_current, rotated};
use crate::crypto::hash::Key;
use crate::crypto::key_wrapping::{KeyRing, WrappingKey};
use crate::errors;
use crate::keys::root_key::wrong_length;
use crate::keys::{StoreSecret, rewrap, store_generation_of};

/// The headers that are rewrapped together, and may share their syncs.
const BATCH: usize = 128;

impl Store {
    /// Replaces the root key: exactly 32 bytes. Does nothing if it is the current one. Finishes an interrupted rotation first.
    ///
    /// # Errors
    /// `InvalidInput` if `next` is not 32 bytes or another process has rotated the root key, and those of the store: then the
    /// store opens with the old or with the new key, and the call can be repeated.
    pub async fn rotate_root_key(&self, next: &[u8]) -> Result<()> {
        let next = Key::from_slice(next).ok_or_else(wrong_length)?;
        let mut attempt = self.rotation.lock().await;
        self.resolve_attempt(&mut attempt).await?;
        self.finish_rotation().await?;
        if self.key_ring.read().await.current.is_derived_from(&next) {
            return Ok(());
        }
        self.begin_rotation(&next, &mut attempt).await?;
        self.finish_rotation().await
    }

    /// Determines whether a rotation has begun whose first change of the store's header had an unknown outcome.
    async fn resolve_attempt(&self, attempt: &mut Option<WrappingKey>) -> Result<()> {
        let Some(tried) = attempt else { return Ok(()) };
        let mut key_ring = self.key_ring.write().await;
        let header = self.store_header().await?.value;
        if store_generation_of(&header) == Some(tried.generation()) {
            *key_ring = StoreSecret::unwrap(&header, |_| Some(tried.clone())).map_err(|_| rotated())?.key_ring;
        }
        *attempt = None;
        Ok(())
    }

    async fn begin_rotation(&self, next: &Key, attempt: &mut Option<WrappingKey>) -> Result<()> {
        self.vault.create_next_local_secret(next.bytes().to_vec()).await.map_err(errors::read)?;
        // Headers that are created after this are wrapped with the next key.
        let mut key_ring = self.key_ring.write().await;
        let slot = self.store_header().await?;
        let mut secret = open_with_current(&slot, &key_ring)?;
        let generation = key_ring.current.generation().checked_add(1);
        let generation = generation.ok_or_else(|| Error::internal("There were too many root keys."))?;
        let wrapper = WrappingKey::new(next, generation);
        secret.key_ring = KeyRing { current: wrapper.clone(), previous: Some(key_ring.current.clone()) };
        let header = secret.header(&self.entropy)?;
        *attempt = Some(wrapper);
        let has_begun = self.vault.replace(STORE_SLOT, slot.generation, header).await.map_err(errors::read)?;
        *attempt = None;
        if !has_begun {
            return Err(rotated());
        }
        *key_ring = secret.key_ring;
        Ok(())
    }

    /// Finishes a rotation that has begun. The caller holds the rotation's lock, or opens the store.
    pub(crate) async fn finish_rotation(&self) -> Result<()> {
        if self.key_ring.read().await.previous.is_some() {
            self.rewrap_tenants().await?;
            self.forget_previous().await?;
        }
        let next = self.vault.next_local_secret().await.map_err(errors::read)?.map(Zeroizing::new);
        let Some(next) = next else { return Ok(()) };
        let key_ring = self.key_ring.read().await;
        let is_current = Key::from_slice(&next).is_some_and(|next| key_ring.current.is_derived_from(&next));
        self.vault.settle_local_secret(is_current).await.map_err(errors::read)
    }

    async fn rewrap_tenants(&self) -> Result<()> {
        let key_ring = self.key_ring.read().await;
        let mut after = STORE_SLOT;
        loop {
            let names = self.vault.names(Some(after), BATCH).await.map_err(errors::read)?;
            let mut replaced = Vec::new();
            for name in &names {
                if let Some((generation, header)) = self.rewrapped(name, &key_ring).await? {
                    replaced.push(self.vault.replace(*name, generation, header));
                }
            }
            for replaced in replaced {
                // `false`: wiped meanwhile, or rewrapped by another process.
                replaced.await.map_err(errors::read)?;
            }
            match names.last() {
                Some(last) => after = *last,
                None => return Ok(()),
            }
        }
    }

    /// Returns the generation of a tenant's slot and its rewrapped header, unless that is wrapped with the current key. A corrupt
    /// header is skipped: it opens nothing, and must not stop the others.
    async fn rewrapped(&self, name: &[u8; 32], key_ring: &KeyRing) -> Result<Option<(u64, Vec<u8>)>> {
        let slot = match self.vault.get(*name).await {
            Ok(Some(slot)) => slot,
            Ok(None) | Err(ReadError::Corrupt) => return Ok(None),
            Err(error) => return Err(errors::read(error)),
        };
        match rewrap(&slot.value, &self.entropy, key_ring, &self.keys, name) {
            Ok(header) => Ok(header.map(|header| (slot.generation, header))),
            Err(Error::StoreCorrupt(_)) => Ok(None),
            Err(error) => Err(error),
        }
    }

    async fn forget_previous(&self) -> Result<()> {
        let mut key_ring = self.key_ring.write().await;
        loop {
            let slot = self.store_header().await?;
            let mut secret = open_with_current(&slot, &key_ring)?;
            if secret.key_ring.previous.take().is_none() {
                break;
            }
            let header = secret.header(&self.entropy)?;
            // `false`: another process that opened the store meanwhile was first.
            if self.vault.replace(STORE_SLOT, slot.generation, header).await.map_err(errors::read)? {
                break;
            }
        }
        key_ring.previous = None;
        Ok(())
    }
}
