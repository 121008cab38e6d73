//! Replacing the root key while work goes on. No record is touched: the root key wraps the headers alone.
//!
//! | step | after a crash here |
//! | --- | --- |
//! | 1. where the root key lies beside the data, the next is kept there too; synced | the root key opens the store; the next one is given up |
//! | 2. the store's header is wrapped with the next key, and holds what the one before wraps with; synced | from here on the next key alone opens the store, which goes on with 3 first |
//! | 3. the tenants' headers are wrapped with it, one by one | the same |
//! | 4. the store's header forgets the one before; synced. Nothing here leads to what it wrapped any more | nothing but 5 is left to do |
//! | 5. the bytes of the old key beside the data are destroyed, and the next takes its place | opening the store goes on with 5 |
//!
//! Another process that has the store open learns of it when it looks at a header the next time, and has to open the
//! store again. It cannot make a tenant whose turn has passed: see [`Store::refuse_rotated`].

use bailiwick_model::{Error, Result};
use bailiwick_store::{ReadError, STORE_SLOT, Slot};
use zeroize::Zeroizing;

use crate::failure;
use crate::hash::Key;
use crate::keys::{StoreSecret, store_generation_of, wrap_anew};
use crate::root_key::wrong_length;
use crate::store::Store;
use crate::wrapper::{Keyring, Wrapper};

/// So many headers are wrapped together, and share their syncs where the engine can do that.
const TOGETHER: usize = 128;

impl Store {
    /// Replaces the root key: exactly 32 bytes. Does nothing if it is this one already. A rotation that was cut off before
    /// is finished first.
    ///
    /// # Errors
    /// `InvalidInput` if `next` is no key or another process has rotated the root key, and those of the store: then the
    /// store opens with the old key or with the new one, and the call can be repeated.
    pub async fn rotate_root_key(&self, next: &[u8]) -> Result<()> {
        let next = Key::from_slice(next).ok_or_else(wrong_length)?;
        let mut attempt = self.rotation.lock().await;
        self.learn_of(&mut attempt).await?;
        self.finish_rotation().await?;
        if self.keyring.read().await.current.is_of(&next) {
            return Ok(());
        }
        self.begin_rotation(&next, &mut attempt).await?;
        self.finish_rotation().await
    }

    /// Finds out whether a rotation has begun whose first change of the store's header was not answered.
    async fn learn_of(&self, attempt: &mut Option<Wrapper>) -> Result<()> {
        let Some(tried) = attempt else { return Ok(()) };
        let mut keyring = self.keyring.write().await;
        let header = self.store_header().await?.value;
        if store_generation_of(&header) == Some(tried.generation()) {
            *keyring = StoreSecret::unwrap(&header, |_| Some(tried.clone())).map_err(|_| rotated())?.keyring;
        }
        *attempt = None;
        Ok(())
    }

    async fn begin_rotation(&self, next: &Key, attempt: &mut Option<Wrapper>) -> Result<()> {
        self.vault.create_next_local_secret(next.bytes().to_vec()).await.map_err(failure::read)?;
        // Whoever makes a header after this makes it with the next key.
        let mut keyring = self.keyring.write().await;
        let slot = self.store_header().await?;
        let mut secret = open_again(&slot, &keyring)?;
        let generation = keyring.current.generation().checked_add(1);
        let generation = generation.ok_or_else(|| Error::Internal("There were too many root keys.".to_owned()))?;
        let wrapper = Wrapper::new(next, generation);
        secret.keyring = Keyring { current: wrapper.clone(), previous: Some(keyring.current.clone()) };
        let header = secret.header(&self.entropy)?;
        *attempt = Some(wrapper);
        let has_begun = self.vault.replace(STORE_SLOT, slot.generation, header).await.map_err(failure::read)?;
        *attempt = None;
        if !has_begun {
            return Err(rotated());
        }
        *keyring = secret.keyring;
        Ok(())
    }

    /// Does what is left of a rotation that has begun. For whoever holds the rotation's lock, or opens the store.
    pub(crate) async fn finish_rotation(&self) -> Result<()> {
        if self.keyring.read().await.previous.is_some() {
            self.wrap_tenants_anew().await?;
            self.forget_previous().await?;
        }
        let next = self.vault.next_local_secret().await.map_err(failure::read)?.map(Zeroizing::new);
        let Some(next) = next else { return Ok(()) };
        let keyring = self.keyring.read().await;
        let is_current = Key::from_slice(&next).is_some_and(|next| keyring.current.is_of(&next));
        self.vault.settle_local_secret(is_current).await.map_err(failure::read)
    }

    async fn wrap_tenants_anew(&self) -> Result<()> {
        let keyring = self.keyring.read().await;
        let mut after = STORE_SLOT;
        loop {
            let names = self.vault.names(Some(after), TOGETHER).await.map_err(failure::read)?;
            let mut replaced = Vec::new();
            for name in &names {
                if let Some((generation, header)) = self.wrapped_anew(name, &keyring).await? {
                    replaced.push(self.vault.replace(*name, generation, header));
                }
            }
            for replaced in replaced {
                // `false`: it was wiped meanwhile, or another process has wrapped it.
                replaced.await.map_err(failure::read)?;
            }
            match names.last() {
                Some(last) => after = *last,
                None => return Ok(()),
            }
        }
    }

    /// A tenant's header under the current key and the generation of its slot, if it is there and under another. A damaged
    /// one is left as it is: it opens nothing, and must not keep the others from being wrapped.
    async fn wrapped_anew(&self, name: &[u8; 32], keyring: &Keyring) -> Result<Option<(u64, Vec<u8>)>> {
        let slot = match self.vault.get(*name).await {
            Ok(Some(slot)) => slot,
            Ok(None) | Err(ReadError::Corrupt) => return Ok(None),
            Err(error) => return Err(failure::read(error)),
        };
        match wrap_anew(&slot.value, &self.entropy, keyring, &self.keys, name) {
            Ok(header) => Ok(header.map(|header| (slot.generation, header))),
            Err(Error::StoreCorrupt(_)) => Ok(None),
            Err(error) => Err(error),
        }
    }

    async fn forget_previous(&self) -> Result<()> {
        let mut keyring = self.keyring.write().await;
        loop {
            let slot = self.store_header().await?;
            let mut secret = open_again(&slot, &keyring)?;
            if secret.keyring.previous.take().is_none() {
                break;
            }
            let header = secret.header(&self.entropy)?;
            // `false`: another process that has opened the store meanwhile was first.
            if self.vault.replace(STORE_SLOT, slot.generation, header).await.map_err(failure::read)? {
                break;
            }
        }
        keyring.previous = None;
        Ok(())
    }

    /// Refuses what is about to trust the keyring if the store's header is under another key by now. A rotation replaces
    /// that header before it looks which tenants there are. So whoever makes a tenant's header first, and then finds the
    /// store's as it was, knows that the rotation has seen it, or will.
    ///
    /// # Errors
    /// `InvalidInput` if the root key was rotated, and those of the store.
    pub(crate) async fn refuse_rotated(&self, keyring: &Keyring) -> Result<()> {
        let header = self.store_header().await?.value;
        if store_generation_of(&header) == Some(keyring.current.generation()) { Ok(()) } else { Err(rotated()) }
    }

    /// What the store's header holds now.
    pub(crate) async fn secret(&self) -> Result<StoreSecret> {
        open_again(&self.store_header().await?, &*self.keyring.read().await)
    }

    pub(crate) async fn store_header(&self) -> Result<Slot> {
        self.vault.get(STORE_SLOT).await.map_err(failure::read)?.ok_or_else(failure::corrupt)
    }
}

/// Opens the store's header with the current key.
fn open_again(slot: &Slot, keyring: &Keyring) -> Result<StoreSecret> {
    if store_generation_of(&slot.value) != Some(keyring.current.generation()) {
        return Err(rotated());
    }
    StoreSecret::unwrap(&slot.value, |_| Some(keyring.current.clone())).map_err(|_| failure::corrupt())
}

fn rotated() -> Error {
    Error::invalid("The root key of this store was rotated elsewhere. Open the store again, with its new root key.")
}
