//! One tenant of an open store: its keys, and whether it is there at all.

use std::any::{Any, TypeId};
use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicU64};
use std::sync::{Arc, OnceLock};

use bailiwick_model::{Error, Result};
use bailiwick_store::{Created, Slot};
use tokio::sync::Mutex;

use crate::closing::Closing;
use crate::entropy::TenantEntropy;
use crate::failure;
use crate::flights::Flights;
use crate::in_flight::InFlight;
use crate::keys::{TenantKeys, is_abandoned};
use crate::name_row::{NameRow, Names};
use crate::store::Store;
use crate::wrapper::Keyring;

/// How often a header and its name row are read again that do not fit each other: others may make or erase the tenant
/// between the two looks.
const LOOKS: usize = 4;

/// What the handles of one tenant share while at least one of them is open.
pub(crate) struct TenantState {
    pub(crate) store: Arc<Store>,
    pub(crate) entropy: TenantEntropy,
    pub(crate) resource_id: Box<str>,
    pub(crate) name: [u8; 32],
    pub(crate) keys: OnceLock<Arc<TenantKeys>>,
    /// Whether the name row is known to be there, without which nothing may be written.
    pub(crate) named: AtomicBool,
    /// Whether the row that says whose the tag is is known to be there, without which nothing may ask to be woken.
    pub(crate) attributed: AtomicBool,
    /// One at a time makes the tenant, or erases it.
    pub(crate) creation: Mutex<()>,
    /// Closed for good once the tenant is being erased: whoever comes next to its name is another.
    pub(crate) erased: Closing,
    pub(crate) last_micros: AtomicU64,
    /// When a limit was last met with a sweep, in epoch milliseconds.
    pub(crate) last_relief: AtomicU64,
    pub(crate) flights: Flights,
    pub(crate) in_flight: InFlight,
    pub(crate) shared: parking_lot::Mutex<HashMap<TypeId, Arc<dyn Any + Send + Sync>>>,
}

impl TenantState {
    pub(crate) fn new(store: Arc<Store>, resource_id: &str, name: [u8; 32], entropy: TenantEntropy) -> Self {
        Self {
            store,
            entropy,
            resource_id: resource_id.into(),
            name,
            keys: OnceLock::new(),
            named: AtomicBool::new(false),
            attributed: AtomicBool::new(false),
            creation: Mutex::new(()),
            erased: Closing::default(),
            last_micros: AtomicU64::new(0),
            last_relief: AtomicU64::new(0),
            flights: Flights::default(),
            in_flight: InFlight::default(),
            shared: parking_lot::Mutex::default(),
        }
    }

    /// To be called when the engine takes no more commits to this tenant's tag. If it is not the store that was closed,
    /// another process erased the tenant: then it is over here too, and whoever comes next to its name is another.
    pub(crate) fn erased_elsewhere(&self) {
        if !self.store.closing.is_closed() && self.store.engine.is_shared() {
            self.erased.close();
            self.store.dismiss(self);
            if let Some(keys) = self.keys.get() {
                self.store.opened.forget(keys.tag);
            }
        }
    }

    pub(crate) fn names(&self) -> Names<'_> {
        Names { engine: &*self.store.engine, keys: &self.store.keys, entropy: &self.entropy.nonces }
    }

    /// Loads the keys if the tenant has any.
    pub(crate) async fn load(&self) -> Result<Option<Arc<TenantKeys>>> {
        Ok(self.look().await?.0)
    }

    /// The keys, if the tenant has any, and the row of its name. A header is written before its name row, and wiped after
    /// the row says so. A name without keys was damaged: taking it for a new tenant would lose the old one's data in
    /// silence.
    async fn look(&self) -> Result<(Option<Arc<TenantKeys>>, NameRow)> {
        for _ in 0..LOOKS {
            let keys = self.read_header().await?;
            let row = self.names().read(&self.name).await?;
            match (&keys, row.live) {
                // The erase was cut off before it came to the keys.
                (Some(found), _) if row.erased.contains(&found.tag) => {
                    self.store.wipe_header(self.name, found.tag).await?;
                    return Ok((None, row));
                }
                (Some(found), Some(live)) if found.tag != live => {}
                (None, Some(_)) => {}
                _ => return Ok((keys, row)),
            }
        }
        Err(failure::corrupt())
    }

    async fn read_header(&self) -> Result<Option<Arc<TenantKeys>>> {
        let keyring = self.store.keyring.read().await;
        match self.store.vault.get(self.name).await.map_err(failure::read)? {
            Some(slot) if !is_abandoned(&slot.value, &keyring) => self.open_header(&slot, &keyring).await.map(Some),
            _ => Ok(None),
        }
    }

    async fn open_header(&self, slot: &Slot, keyring: &Keyring) -> Result<Arc<TenantKeys>> {
        match TenantKeys::open(&slot.value, keyring, &self.store.keys, &self.resource_id) {
            Ok(keys) => Ok(Arc::new(keys)),
            Err(damaged @ Error::StoreCorrupt(_)) => {
                // Or it is under a root key that this process has not heard of.
                self.store.refuse_rotated(keyring).await?;
                Err(damaged)
            }
            Err(error) => Err(error),
        }
    }

    /// Loads the keys, or makes them. They are durable before anything is sealed with them, and the name row is before
    /// the first record.
    pub(crate) async fn load_or_create(&self) -> Result<Arc<TenantKeys>> {
        for _ in 0..LOOKS {
            let (found, row) = self.look().await?;
            if let Some(known) = self.keys.get()
                && found.as_ref().is_none_or(|found| found.tag != known.tag)
            {
                // Another process erased the tenant: it does not go on as whoever comes next to its name.
                self.erased_elsewhere();
                return Err(failure::closed());
            }
            let keys = match found {
                Some(keys) => keys,
                None => match self.create().await? {
                    Some(keys) => keys,
                    None => continue,
                },
            };
            if row.live == Some(keys.tag) {
                return Ok(keys);
            }
            if row.live.is_none() {
                let after = NameRow { live: Some(keys.tag), ..row.clone() };
                // If another was first, it wrote the same tag, because there is one header, or an erase has come.
                if self.names().replace(&self.name, &row, &after).await? {
                    return Ok(keys);
                }
            }
        }
        Err(failure::corrupt())
    }

    /// Makes the keys, or reads those of another who was first. `None`: look again.
    async fn create(&self) -> Result<Option<Arc<TenantKeys>>> {
        let vault = &self.store.vault;
        let keyring = self.store.keyring.read().await;
        let (keys, header) =
            TenantKeys::generate(&self.entropy.shown, &keyring.current, &self.store.keys, &self.resource_id)?;
        match vault.create(self.name, header.clone()).await.map_err(failure::read)? {
            Created::New => {}
            Created::Existing(slot) if is_abandoned(&slot.value, &keyring) => {
                if !vault.replace(self.name, slot.generation, header).await.map_err(failure::read)? {
                    return Ok(None);
                }
            }
            Created::Existing(slot) => return self.open_header(&slot, &keyring).await.map(Some),
        }
        self.store.refuse_rotated(&keyring).await?;
        Ok(Some(Arc::new(keys)))
    }
}

impl Drop for TenantState {
    fn drop(&mut self) {
        self.store.forget(&self.name);
    }
}
