//! An open store: its engine, its keys, and the tenants in use. It has no method that reads or lists a tenant's data; those are
//! on [`Access`](super::scope::Access), which is bound to one tenant.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Weak};

use bailiwick_model::ledger::receipt;
use bailiwick_model::{Error, Json, Result, Tenant};
use bailiwick_store::{Compacted, Engine, EngineFuture, Health, Opened, STORE_SLOT, Slot, Vault};
use parking_lot::Mutex;
use tokio::sync::RwLock;
use tokio_util::sync::CancellationToken;

use super::state::TenantState;
use super::store_header::{open_header, open_with_current, rotated, store_keys};
use crate::clock::Clock;
use crate::crypto::entropy::{Entropy, Streams};
use crate::crypto::key_wrapping::{KeyRing, WrappingKey};
use crate::errors;
use crate::keys::root_key::RootKey;
use crate::keys::{StoreKeys, StoreSecret, store_generation_of};
use crate::rows::record_cache::RecordCache;
use crate::work_signal::WorkSignal;

/// The options of a store.
pub struct StoreOptions {
    /// The root key.
    pub root_key: RootKey,
    /// The size of the record cache in bytes, over all tenants.
    pub opened_bytes: usize,
    /// The clock.
    pub clock: Clock,
    /// `Some`: all secrets and nonces are derived from this seed, so that ids repeat. For tests only.
    pub seed: Option<u64>,
}

impl Default for StoreOptions {
    fn default() -> Self {
        Self { root_key: RootKey::Local, opened_bytes: 64 << 20, clock: Clock::system(), seed: None }
    }
}

/// Statistics of a store. They reveal nothing about a single tenant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stats {
    /// The tenants with an open handle or a call in progress.
    pub tenants: usize,
    /// The bytes in the record cache.
    pub opened_bytes: usize,
    /// The records whose owner was not the tenant that read them. Anything but zero is an attack or a bug.
    pub alarms: u64,
}

/// The result of a round of housekeeping.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Swept {
    /// Expired rows that were removed, with the journals of deleted threads and runs.
    pub removed: u64,
    /// Approvals that were recorded as expired in the ledger.
    pub expired_approvals: u64,
    /// Interrupted erases that were finished.
    pub erased: u64,
}

/// An open store.
pub struct Store {
    pub(crate) engine: Arc<dyn Engine>,
    pub(crate) vault: Arc<dyn Vault>,
    pub(crate) keys: StoreKeys,
    /// Held while a header is created, or read and opened.
    pub(crate) key_ring: RwLock<KeyRing>,
    /// Serialises rotations of the root key and copies of the headers. `Some`: the key of a rotation that may have begun.
    pub(crate) rotation: tokio::sync::Mutex<Option<WrappingKey>>,
    pub(crate) clock: Clock,
    pub(crate) record_cache: RecordCache,
    pub(crate) alarms: AtomicU64,
    /// Cancelled when the store is closed or dropped.
    pub(crate) closing: CancellationToken,
    pub(crate) entropy: Entropy,
    /// The id of this open store among those of other processes on the same engine.
    pub(crate) process: [u8; 16],
    /// Whether a task of this process does the housekeeping.
    pub(crate) has_housekeeper: AtomicBool,
    /// The result of the housekeeping of this process that no one has taken, and how long it took, in milliseconds.
    pub(crate) swept: Mutex<Option<(Swept, u64)>>,
    /// Whether all tenants are known to have been searched for what earlier versions left.
    pub(crate) has_no_legacy: AtomicBool,
    pub(crate) work: WorkSignal,
    streams: Streams,
    tenants: Mutex<HashMap<[u8; 32], Weak<TenantState>>>,
}

impl Store {
    /// Opens a store on an engine: loads or generates the root key, then the store's own keys.
    ///
    /// # Errors
    /// `InvalidInput` for a wrong or missing root key or a newer format, `StoreCorrupt`, `StoreUnavailable`.
    pub fn open(backend: Opened, options: StoreOptions) -> EngineFuture<'static, Result<Arc<Self>>> {
        Box::pin(async move {
            let streams = Streams::new(options.seed);
            let entropy = streams.of_store();
            let roots = options.root_key.load(&*backend.vault, &entropy).await?;
            let (keys, key_ring) = store_keys(&backend, &entropy, &roots).await?;
            options.clock.follow(backend.engine.clock()).await.map_err(errors::read)?;
            let store = Self::assemble(backend, keys, key_ring, options.opened_bytes, options.clock, streams);
            store.finish_rotation().await?;
            store.wipe_erased().await?;
            Ok(Arc::new(store))
        })
    }

    fn assemble(
        backend: Opened,
        keys: StoreKeys,
        key_ring: KeyRing,
        opened_bytes: usize,
        clock: Clock,
        streams: Streams,
    ) -> Self {
        Self {
            engine: backend.engine,
            vault: backend.vault,
            keys,
            key_ring: RwLock::new(key_ring),
            rotation: tokio::sync::Mutex::default(),
            clock,
            record_cache: RecordCache::new(opened_bytes),
            alarms: AtomicU64::new(0),
            closing: CancellationToken::new(),
            entropy: streams.of_store(),
            process: Entropy::System.bytes(),
            has_housekeeper: AtomicBool::new(false),
            swept: Mutex::default(),
            has_no_legacy: AtomicBool::new(false),
            work: WorkSignal::default(),
            streams,
            tenants: Mutex::default(),
        }
    }

    /// Returns a copy of this store on another engine, with the same keys, for reading.
    pub(crate) async fn on_engine(&self, backend: Opened) -> Result<Self> {
        let secret = self.secret().await?;
        Ok(Self::assemble(backend, secret.keys()?, secret.key_ring, 0, Clock::system(), Streams::new(None)))
    }

    pub(crate) fn process(&self) -> Option<[u8; 16]> {
        self.engine.is_shared().then_some(self.process)
    }

    /// Returns the shared state of a tenant.
    pub(super) fn tenant_state(self: &Arc<Self>, tenant: &Tenant) -> Arc<TenantState> {
        let resource_id = tenant.resource_id();
        let name = self.keys.name_tag(resource_id);
        let mut tenants = self.tenants.lock();
        if let Some(state) = tenants.get(&name).and_then(Weak::upgrade) {
            return state;
        }
        let entropy = self.streams.of_tenant(resource_id);
        let state = Arc::new(TenantState::new(self.clone(), resource_id, name, entropy));
        tenants.insert(name, Arc::downgrade(&state));
        state
    }

    /// Call when a tenant's state is dropped.
    pub(crate) fn forget(&self, name: &[u8; 32]) {
        let mut tenants = self.tenants.lock();
        if tenants.get(name).is_some_and(|state| state.strong_count() == 0) {
            tenants.remove(name);
        }
    }

    /// Removes the state of an erased tenant: its name gets a new one.
    pub(crate) fn detach(&self, state: &TenantState) {
        let mut tenants = self.tenants.lock();
        if tenants.get(&state.name).is_some_and(|known| std::ptr::eq(known.as_ptr(), state)) {
            tenants.remove(&state.name);
        }
    }

    /// Checks that this is the store's root key.
    ///
    /// # Errors
    /// `InvalidInput` if it is not.
    pub(crate) async fn verify_root_key(&self, root_key: RootKey) -> Result<()> {
        let roots = root_key.load(&*self.vault, &Entropy::system()).await?;
        open_header(&self.store_header().await?.value, &roots).map(|_| ())
    }

    /// Fails if the store's header is no longer wrapped with the current key of the key ring. A rotation replaces that header before
    /// it lists the tenants: so if the store's header is unchanged after a tenant's was created, a rotation has seen it, or will.
    ///
    /// # Errors
    /// `InvalidInput` if the root key was rotated, and those of the store.
    pub(crate) async fn refuse_rotated(&self, key_ring: &KeyRing) -> Result<()> {
        let header = self.store_header().await?.value;
        if store_generation_of(&header) == Some(key_ring.current.generation()) { Ok(()) } else { Err(rotated()) }
    }

    /// Reads and opens the store's header.
    pub(crate) async fn secret(&self) -> Result<StoreSecret> {
        open_with_current(&self.store_header().await?, &*self.key_ring.read().await)
    }

    /// Reads the store's header.
    pub(crate) async fn store_header(&self) -> Result<Slot> {
        self.vault.get(STORE_SLOT).await.map_err(errors::read)?.ok_or_else(errors::corrupt)
    }

    /// Returns the time in epoch milliseconds.
    pub fn now(&self) -> u64 {
        self.clock.millis()
    }

    /// Advances the fixed clock of a test store. `false` if this store has the system's clock.
    pub fn advance(&self, milliseconds: u64) -> bool {
        let is_fixed = self.clock.advance(milliseconds);
        self.work.notify();
        is_fixed
    }

    /// Returns the health of the store.
    pub async fn health(&self) -> Health {
        let mut health = self.engine.health().await;
        if self.alarms.load(Ordering::Relaxed) > 0 {
            health.problems.push("a record was read whose owner is another tenant".to_owned());
        }
        // Another process may have rotated the root key, or moved the store.
        if health.ok
            && let Err(Error::InvalidInput(problem)) = self.secret().await
        {
            health.ok = false;
            health.problems.push(problem);
        }
        health
    }

    /// Gives the space of replaced and removed rows back to the disk. Returns the bytes of rows before and after; none where a database
    /// looks after it, and in memory.
    ///
    /// # Errors
    /// `StoreUnavailable` if the disk has no space for what is kept, and those of the store. Everything is as before then.
    pub async fn compact(&self) -> Result<Compacted> {
        let compacted = self.engine.compact().await.map_err(errors::commit)?;
        Ok(compacted.unwrap_or(Compacted { before: 0, after: 0 }))
    }

    /// Returns where copies of destroyed keys may remain that this store cannot reach, for an operator.
    pub fn residues(&self) -> &'static [&'static str] {
        self.vault.residues()
    }

    /// Returns statistics for an operator.
    pub fn stats(&self) -> Stats {
        Stats {
            tenants: self.tenants.lock().len(),
            opened_bytes: self.record_cache.bytes(),
            alarms: self.alarms.load(Ordering::Relaxed),
        }
    }

    /// Returns the key that verifies everything this store signs: a C2SP verifier key named `bailiwick/<store id>`.
    pub fn public_key(&self) -> String {
        self.keys.signing.signer.verifier().encode()
    }

    /// Signs the receipt of an erase.
    ///
    /// # Errors
    /// `InvalidInput` if it is not an object or has a note already.
    pub fn sign_receipt(&self, receipt: Json) -> Result<Json> {
        receipt::sign(&self.keys.signing.signer, receipt)
    }

    /// Closes the engine. Later calls of every scope fail with `Closed`, and so do calls that wait.
    pub async fn close(&self) {
        self.closing.cancel();
        self.engine.close().await;
        self.record_cache.clear();
    }

    /// Resolves once the store is closed or dropped.
    pub fn closed(&self) -> impl Future<Output = ()> + Send + use<> {
        self.closing.clone().cancelled_owned()
    }
}

impl Drop for Store {
    fn drop(&mut self) {
        self.closing.cancel();
    }
}
