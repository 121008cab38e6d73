//! One open store: the engine, its secrets, and the tenants that are in use. It has no verb that reads or lists any
//! tenant's data; those are on [`Scope`], which is bound to one tenant.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Weak};

use bailiwick_model::{Error, Result, tenant::Tenant};
use bailiwick_store::{
    Commit, CommitError, Created, Durability, Engine, Found, Health, Limits, Op, Opened, Place, STORE_SLOT, Tag, Vault,
    When,
};
use bytes::Bytes;
use parking_lot::Mutex;
use tokio::sync::RwLock;

use crate::closing::Closing;
use crate::entropy::{Clock, Entropy, Streams};
use crate::failure;
use crate::hash::Key;
use crate::keys::{StoreKeys, StoreSecret};
use crate::opened::OpenedRecords;
use crate::root_key::RootKey;
use crate::row::NAME_ROW;
use crate::scope::Scope;
use crate::tenant::TenantState;
use crate::wrapper::{Keyring, Wrapper};

/// How a store is opened.
pub struct StoreOptions {
    /// Where the root key comes from.
    pub root_key: RootKey,
    /// The size of the cache of opened records in bytes, over all tenants.
    pub opened_bytes: usize,
    /// The time.
    pub clock: Clock,
    /// `Some`: every secret and nonce is derived from it, so that ids repeat. For tests of hosts only.
    pub seed: Option<u64>,
}

impl Default for StoreOptions {
    fn default() -> Self {
        Self { root_key: RootKey::Local, opened_bytes: 64 << 20, clock: Clock::system(), seed: None }
    }
}

/// Figures about a store, none of them about a tenant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stats {
    /// Tenants that have a handle or a call under way.
    pub tenants: usize,
    /// Bytes in the cache of opened records.
    pub opened_bytes: usize,
    /// Records whose owner was not the tenant they were read for. Anything but zero is an attack or a defect.
    pub alarms: u64,
}

/// See the module's text.
pub struct Store {
    pub(crate) engine: Arc<dyn Engine>,
    pub(crate) vault: Arc<dyn Vault>,
    pub(crate) keys: StoreKeys,
    /// Whoever makes a header, or opens one that was read, holds it meanwhile.
    pub(crate) keyring: RwLock<Keyring>,
    /// One at a time rotates the root key, and nobody copies headers meanwhile. It holds the key of a rotation of which it
    /// is not known whether it has begun.
    pub(crate) rotation: tokio::sync::Mutex<Option<Wrapper>>,
    pub(crate) clock: Clock,
    pub(crate) opened: OpenedRecords,
    pub(crate) alarms: AtomicU64,
    pub(crate) closing: Closing,
    pub(crate) entropy: Entropy,
    /// Names this open store among those that other processes have on the same engine.
    pub(crate) process: [u8; 16],
    /// Whether somebody looks after it.
    pub(crate) is_watched: AtomicBool,
    /// Whether the tenants of before are known to be woken.
    pub(crate) is_all_woken: AtomicBool,
    streams: Streams,
    tenants: Mutex<HashMap<[u8; 32], Weak<TenantState>>>,
}

impl Store {
    /// Opens a store on an engine: loads or creates the root key, then the store's own secrets.
    ///
    /// # Errors
    /// `InvalidInput` for a wrong or missing root key or a newer format, `StoreCorrupt`, `StoreUnavailable`.
    pub async fn open(backend: Opened, options: StoreOptions) -> Result<Arc<Self>> {
        let streams = Streams::new(options.seed);
        let entropy = streams.of_store();
        let roots = options.root_key.load(&*backend.vault, &entropy).await?;
        let (keys, keyring) = store_keys(&backend, &entropy, &roots).await?;
        options.clock.go_by(backend.engine.clock()).await.map_err(failure::read)?;
        let store = Self::assemble(backend, keys, keyring, options.opened_bytes, options.clock, streams);
        store.finish_rotation().await?;
        store.wipe_erased().await?;
        Ok(Arc::new(store))
    }

    fn assemble(
        backend: Opened,
        keys: StoreKeys,
        keyring: Keyring,
        opened_bytes: usize,
        clock: Clock,
        streams: Streams,
    ) -> Self {
        Self {
            engine: backend.engine,
            vault: backend.vault,
            keys,
            keyring: RwLock::new(keyring),
            rotation: tokio::sync::Mutex::default(),
            clock,
            opened: OpenedRecords::new(opened_bytes),
            alarms: AtomicU64::new(0),
            closing: Closing::default(),
            entropy: streams.of_store(),
            process: Entropy::System.bytes(),
            is_watched: AtomicBool::new(false),
            is_all_woken: AtomicBool::new(false),
            streams,
            tenants: Mutex::default(),
        }
    }

    /// A copy of this store that lies elsewhere, with the same keys, to be read alone.
    pub(crate) async fn over(&self, backend: Opened) -> Result<Self> {
        let secret = self.secret().await?;
        Ok(Self::assemble(backend, secret.keys()?, secret.keyring, 0, Clock::system(), Streams::new(None)))
    }

    pub(crate) fn process(&self) -> Option<[u8; 16]> {
        self.engine.is_shared().then_some(self.process)
    }

    /// The one way to a tenant's data.
    pub fn scope(self: &Arc<Self>, tenant: &Tenant) -> Scope {
        let resource_id = tenant.resource_id();
        let name = self.keys.name_tag(resource_id);
        let mut tenants = self.tenants.lock();
        if let Some(state) = tenants.get(&name).and_then(Weak::upgrade) {
            return Scope::new(state);
        }
        let entropy = self.streams.of_tenant(resource_id);
        let state = Arc::new(TenantState::new(self.clone(), resource_id, name, entropy));
        tenants.insert(name, Arc::downgrade(&state));
        Scope::new(state)
    }

    /// To be called by a tenant's state when it goes.
    pub(crate) fn forget(&self, name: &[u8; 32]) {
        let mut tenants = self.tenants.lock();
        if tenants.get(name).is_some_and(|state| state.strong_count() == 0) {
            tenants.remove(name);
        }
    }

    /// Whoever comes next to this name gets a state of its own.
    pub(crate) fn dismiss(&self, state: &TenantState) {
        let mut tenants = self.tenants.lock();
        if tenants.get(&state.name).is_some_and(|known| std::ptr::eq(known.as_ptr(), state)) {
            tenants.remove(&state.name);
        }
    }

    /// # Errors
    /// `InvalidInput` if this is not the store's root key.
    pub(crate) async fn verify_root_key(&self, root_key: RootKey) -> Result<()> {
        let roots = root_key.load(&*self.vault, &Entropy::system()).await?;
        open_header(&self.store_header().await?.value, &roots).map(|_| ())
    }

    /// Moves a test store's clock on. `false` if this store has the system's clock.
    pub fn advance(&self, milliseconds: u64) -> bool {
        self.clock.advance(milliseconds)
    }

    /// How the engine is.
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

    /// What may still hold keys that were destroyed, beyond this store's reach.
    pub fn residues(&self) -> &'static [&'static str] {
        self.vault.residues()
    }

    /// Figures for an operator.
    pub fn stats(&self) -> Stats {
        Stats {
            tenants: self.tenants.lock().len(),
            opened_bytes: self.opened.bytes(),
            alarms: self.alarms.load(Ordering::Relaxed),
        }
    }

    /// Closes the engine. Later calls of every scope fail with `Closed`, and so does whoever waits for a turn.
    pub async fn close(&self) {
        self.closing.close();
        self.engine.close().await;
        self.opened.clear();
    }
}

/// The store's secrets. A row of the engine says whose they are, as each tenant's name row does: so that keys and records
/// which do not belong together, or of which one half was lost, are found before anything is taken for new.
async fn store_keys(backend: &Opened, entropy: &Entropy, roots: &[Key]) -> Result<(StoreKeys, Keyring)> {
    let (vault, engine) = (&*backend.vault, &*backend.engine);
    let row = store_row(engine).await?;
    let secret = match vault.get(STORE_SLOT).await.map_err(failure::read)? {
        Some(slot) => open_header(&slot.value, roots)?,
        // Records or tenants' keys without the store's own: with new secrets every tenant would look new.
        None if row.is_some() || has_tenants(vault).await? => return Err(failure::corrupt()),
        None => {
            let root = roots.first().ok_or_else(failure::corrupt)?;
            let secret = StoreSecret::generate(entropy, root);
            match vault.create(STORE_SLOT, secret.header(entropy)?).await.map_err(failure::read)? {
                Created::New => secret,
                Created::Existing(slot) => open_header(&slot.value, roots)?,
            }
        }
    };
    let keys = secret.keys()?;
    match row {
        Some(row) if keys.is_store_row(&row) => {}
        Some(_) => return Err(failure::corrupt()),
        None if has_tenants(vault).await? => return Err(failure::corrupt()),
        None => write_store_row(engine, keys.store_row(entropy)?).await?,
    }
    Ok((keys, secret.keyring))
}

/// Whether no store was made there yet. One that lost its header or its row is none of these.
pub(crate) async fn is_unused(backend: &Opened) -> Result<bool> {
    let header = backend.vault.get(STORE_SLOT).await.map_err(failure::read)?;
    Ok(header.is_none() && store_row(&*backend.engine).await?.is_none() && !has_tenants(&*backend.vault).await?)
}

/// Opens the store's header with the first key that does.
pub(crate) fn open_header(header: &[u8], roots: &[Key]) -> Result<StoreSecret> {
    let mut refused = None;
    for root in roots {
        match StoreSecret::open(header, root) {
            Ok(secret) => return Ok(secret),
            Err(error) => refused = refused.or(Some(error)),
        }
    }
    Err(refused.unwrap_or_else(failure::corrupt))
}

async fn has_tenants(vault: &dyn Vault) -> Result<bool> {
    Ok(!vault.names(Some(STORE_SLOT), 1).await.map_err(failure::read)?.is_empty())
}

const STORE_ROW: (Tag, Place) = (Tag(STORE_SLOT), Place { kind: NAME_ROW, item: [0; 32] });

impl Store {
    /// Whether this is the place of the row that ties the engine to the store's keys.
    pub(crate) fn is_store_row(tag: Tag, place: &Place) -> bool {
        (tag, *place) == STORE_ROW
    }
}

async fn store_row(engine: &dyn Engine) -> Result<Option<Bytes>> {
    let (tag, place) = STORE_ROW;
    match engine.get(tag, vec![(place, None)], u64::MAX, 0).await.map_err(failure::read)?.into_iter().next() {
        Some(Found::Entry(row)) => Ok(Some(row.value)),
        _ => Ok(None),
    }
}

async fn write_store_row(engine: &dyn Engine, value: Vec<u8>) -> Result<()> {
    let (tag, place) = STORE_ROW;
    let put = Op::Put { place, value: value.into(), expires_at: None, counted: None, when: When::Absent };
    let commit = Commit { tag, now: 0, ops: vec![put], limits: Limits::default(), durability: Durability::Sync };
    match engine.commit(commit).await {
        // Another process was first; both say the same, because there is one header.
        Ok(_) | Err(CommitError::Conflict { .. }) => Ok(()),
        Err(error) => Err(failure::commit(error)),
    }
}
