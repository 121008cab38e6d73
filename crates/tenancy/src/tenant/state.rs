//! The state of one tenant of an open store: its keys, and whether it exists.

use std::any::{Any, TypeId};
use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicU64};
use std::sync::{Arc, OnceLock};

use bailiwick_model::{Error, Result};
use bailiwick_store::{Created, Slot};
use tokio::sync::Mutex;
use tokio_util::sync::CancellationToken;

use crate::crypto::entropy::TenantEntropy;
use crate::crypto::key_wrapping::KeyRing;
use crate::errors;
use crate::keys::{TenantKeys, is_abandoned};
use crate::tenant::in_flight::InFlight;
use crate::tenant::name_row::{NameRow, Names};
use crate::tenant::single_flight::SingleFlight;
use crate::tenant::store::Store;

/// How often a header and its name row are read if they contradict each other: another process may create or erase the tenant
/// between the two reads.
const ATTEMPTS: usize = 4;

/// The state that all handles of one tenant share while at least one is open.
pub(crate) struct TenantState {
    pub(crate) store: Arc<Store>,
    pub(crate) entropy: TenantEntropy,
    pub(crate) resource_id: Box<str>,
    pub(crate) name: [u8; 32],
    pub(crate) keys: OnceLock<Arc<TenantKeys>>,
    /// Whether the name row is known to exist, without which nothing may be written.
    pub(crate) named: AtomicBool,
    /// Whether the owner row is known to exist, without which nothing may become due.
    pub(crate) has_owner_row: AtomicBool,
    /// Serialises the creation and the erase of the tenant.
    pub(crate) creation: Mutex<()>,
    /// Cancelled once the tenant is being erased: its name then belongs to another tenant.
    pub(crate) erased: CancellationToken,
    pub(crate) last_micros: AtomicU64,
    /// When the last sweep at a limit was, in epoch milliseconds.
    pub(crate) last_sweep_at_limit: AtomicU64,
    pub(crate) flights: Arc<SingleFlight>,
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
            has_owner_row: AtomicBool::new(false),
            creation: Mutex::new(()),
            erased: CancellationToken::new(),
            last_micros: AtomicU64::new(0),
            last_sweep_at_limit: AtomicU64::new(0),
            flights: Arc::default(),
            in_flight: InFlight::default(),
            shared: parking_lot::Mutex::default(),
        }
    }

    /// Call when the engine refuses commits to this tenant's tag. Unless the store was closed, another process has erased the
    /// tenant: then it is erased here too, and its name belongs to another tenant.
    pub(crate) fn erased_elsewhere(&self) {
        if !self.store.closing.is_cancelled() && self.store.engine.is_shared() {
            self.erased.cancel();
            self.store.detach(self);
            if let Some(keys) = self.keys.get() {
                self.store.record_cache.forget(keys.tag);
            }
        }
    }

    pub(crate) fn names(&self) -> Names<'_> {
        Names { engine: &*self.store.engine, keys: &self.store.keys, entropy: &self.entropy.nonces }
    }

    /// Loads the keys if the tenant exists.
    pub(crate) async fn load(&self) -> Result<Option<Arc<TenantKeys>>> {
        Ok(self.load_consistent().await?.0)
    }

    /// Loads the keys, if the tenant exists, and its name row. A header is written before the name row, and wiped after the
    /// erase is in the name row. A live name without keys is corrupt: treating it as a new tenant would silently lose data.
    async fn load_consistent(&self) -> Result<(Option<Arc<TenantKeys>>, NameRow)> {
        for _ in 0..ATTEMPTS {
            let keys = self.read_header().await?;
            let row = self.names().read(&self.name).await?;
            match (&keys, row.live) {
                // The erase was interrupted before it wiped the keys.
                (Some(found), _) if row.erased.contains(&found.tag) => {
                    self.store.wipe_header(self.name, found.tag).await?;
                    return Ok((None, row));
                }
                (Some(found), Some(live)) if found.tag != live => {}
                (None, Some(_)) => {}
                _ => return Ok((keys, row)),
            }
        }
        Err(errors::corrupt())
    }

    async fn read_header(&self) -> Result<Option<Arc<TenantKeys>>> {
        let key_ring = self.store.key_ring.read().await;
        match self.store.vault.get(self.name).await.map_err(errors::read)? {
            Some(slot) if !is_abandoned(&slot.value, &key_ring) => self.open_header(&slot, &key_ring).await.map(Some),
            _ => Ok(None),
        }
    }

    async fn open_header(&self, slot: &Slot, key_ring: &KeyRing) -> Result<Arc<TenantKeys>> {
        match TenantKeys::open(&slot.value, key_ring, &self.store.keys, &self.resource_id) {
            Ok(keys) => Ok(Arc::new(keys)),
            Err(corrupt @ Error::StoreCorrupt(_)) => {
                // Or it is wrapped with a root key that this process does not know.
                self.store.refuse_rotated(key_ring).await?;
                Err(corrupt)
            }
            Err(error) => Err(error),
        }
    }

    /// Loads the keys, or generates them. They are durable before anything is sealed with them, and so is the name row before the
    /// first record.
    pub(crate) async fn load_or_create(&self) -> Result<Arc<TenantKeys>> {
        for _ in 0..ATTEMPTS {
            let (found, row) = self.load_consistent().await?;
            if let Some(known) = self.keys.get()
                && found.as_ref().is_none_or(|found| found.tag != known.tag)
            {
                // Another process erased the tenant: these handles must not continue as its successor.
                self.erased_elsewhere();
                return Err(errors::closed());
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
                // Otherwise another process wrote the same tag, because there is one header, or erased the tenant.
                if self.names().replace(&self.name, &row, &after).await? {
                    return Ok(keys);
                }
            }
        }
        Err(errors::corrupt())
    }

    /// Generates the keys, or loads those that another process created first. `None`: try again.
    async fn create(&self) -> Result<Option<Arc<TenantKeys>>> {
        let vault = &self.store.vault;
        let key_ring = self.store.key_ring.read().await;
        let (keys, header) =
            TenantKeys::generate(&self.entropy.shown, &key_ring.current, &self.store.keys, &self.resource_id)?;
        match vault.create(self.name, header.clone()).await.map_err(errors::read)? {
            Created::New => {}
            Created::Existing(slot) if is_abandoned(&slot.value, &key_ring) => {
                if !vault.replace(self.name, slot.generation, header).await.map_err(errors::read)? {
                    return Ok(None);
                }
            }
            Created::Existing(slot) => return self.open_header(&slot, &key_ring).await.map(Some),
        }
        self.store.refuse_rotated(&key_ring).await?;
        Ok(Some(Arc::new(keys)))
    }
}

impl Drop for TenantState {
    fn drop(&mut self) {
        self.store.forget(&self.name);
    }
}
