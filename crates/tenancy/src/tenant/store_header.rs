//! The header of a store: loading and creating it, and detecting that another process rotated the root key.

use bailiwick_model::{Error, Result};
use bailiwick_store::{Created, Durability, Opened, STORE_SLOT, Slot, Vault, When};

use crate::crypto::entropy::Entropy;
use crate::crypto::hash::Key;
use crate::crypto::key_wrapping::KeyRing;
use crate::errors;
use crate::keys::{StoreKeys, StoreSecret, store_generation_of};
use crate::rows::internal::{self, STORE_TAG};

/// Loads the keys of a store, or generates those of a new one. A row ties the engine to them, as each tenant's name row does, so
/// that keys and records that do not belong together, or of which one half was lost, are detected before anything is created.
pub(super) async fn store_keys(backend: &Opened, entropy: &Entropy, roots: &[Key]) -> Result<(StoreKeys, KeyRing)> {
    let (vault, engine) = (&*backend.vault, &*backend.engine);
    let row = internal::read(engine, STORE_TAG, internal::STORE).await?;
    let secret = match vault.get(STORE_SLOT).await.map_err(errors::read)? {
        Some(slot) => open_header(&slot.value, roots)?,
        // Records or tenants' keys without the store's: with new keys every tenant would look new.
        None if row.is_some() || has_tenants(vault).await? => return Err(errors::corrupt()),
        None => {
            let root = roots.first().ok_or_else(errors::corrupt)?;
            let secret = StoreSecret::generate(entropy, root);
            match vault.create(STORE_SLOT, secret.header(entropy)?).await.map_err(errors::read)? {
                Created::New => secret,
                Created::Existing(slot) => open_header(&slot.value, roots)?,
            }
        }
    };
    let keys = secret.keys()?;
    match row {
        Some(row) if keys.is_store_row(&row.value) => {}
        Some(_) => return Err(errors::corrupt()),
        None if has_tenants(vault).await? => return Err(errors::corrupt()),
        None => {
            let put = internal::put(internal::STORE, keys.store_row(entropy)?.into(), When::Absent);
            // `false`: another process was first. Both write the same, because there is one header.
            internal::commit(engine, STORE_TAG, vec![put], Durability::Sync).await?;
        }
    }
    Ok((keys, secret.key_ring))
}

/// Whether there was never a store. One that lost its header or its row does not count.
pub(crate) async fn is_unused(backend: &Opened) -> Result<bool> {
    let header = backend.vault.get(STORE_SLOT).await.map_err(errors::read)?;
    let row = internal::read(&*backend.engine, STORE_TAG, internal::STORE).await?;
    Ok(header.is_none() && row.is_none() && !has_tenants(&*backend.vault).await?)
}

/// Opens the store's header with the first root key that fits.
pub(crate) fn open_header(header: &[u8], roots: &[Key]) -> Result<StoreSecret> {
    let mut refused = None;
    for root in roots {
        match StoreSecret::open(header, root) {
            Ok(secret) => return Ok(secret),
            Err(error) => refused = refused.or(Some(error)),
        }
    }
    Err(refused.unwrap_or_else(errors::corrupt))
}

async fn has_tenants(vault: &dyn Vault) -> Result<bool> {
    Ok(!vault.names(Some(STORE_SLOT), 1).await.map_err(errors::read)?.is_empty())
}

/// Opens the store's header with the current key.
pub(super) fn open_with_current(slot: &Slot, key_ring: &KeyRing) -> Result<StoreSecret> {
    if store_generation_of(&slot.value) != Some(key_ring.current.generation()) {
        return Err(rotated());
    }
    StoreSecret::unwrap(&slot.value, |_| Some(key_ring.current.clone())).map_err(|_| errors::corrupt())
}

/// The root key was rotated by another process.
pub(super) fn rotated() -> Error {
    Error::invalid("The root key of this store was rotated elsewhere. Open the store again, with its new root key.")
}
