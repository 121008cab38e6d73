//! A tenant's scope: the only way to its records. Every row it touches lies below the tenant's own tag and under its own keys,
//! so no call can name another tenant.

use std::any::TypeId;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use bailiwick_model::{Kind, Result, Tenant};
use bailiwick_store::Count;
use tokio_util::sync::CancellationToken;

use super::in_flight::QueueKey;
use super::reservation::Reservation;
use super::single_flight::Flight;
use super::state::TenantState;
use super::store::Store;
use crate::crypto::hash::first;
use crate::errors;
use crate::keys::TenantKeys;
use crate::rows::record_cache::Record;
use crate::rows::{self, Area, Name};

/// One tenant's part of a store. Cheap to create and to clone, and does no I/O until it is used.
#[derive(Clone)]
pub struct Scope {
    pub(crate) state: Arc<TenantState>,
}

impl Store {
    /// Returns the scope of a tenant: the one way to its data.
    pub fn scope(self: &Arc<Self>, tenant: &Tenant) -> Scope {
        Scope::new(self.tenant_state(tenant))
    }
}

impl Scope {
    pub(crate) fn new(state: Arc<TenantState>) -> Self {
        Self { state }
    }

    /// Returns the access if the keys are loaded: no I/O.
    pub fn at_hand(&self) -> Option<Access> {
        let keys = self.state.keys.get().filter(|_| !self.is_erased())?;
        Some(self.access(keys))
    }

    /// Whether the tenant of this scope was erased. Its name may have a new tenant, which is not this scope's.
    pub fn is_erased(&self) -> bool {
        self.state.erased.is_cancelled()
    }

    /// Loads the keys and returns the access; `None` if this tenant has never written anything.
    ///
    /// # Errors
    /// `StoreCorrupt` if its keys are corrupt or missing, `StoreUnavailable`, `Closed` if it was erased.
    pub async fn existing(&self) -> Result<Option<Access>> {
        self.refuse_erased()?;
        if let Some(access) = self.at_hand() {
            return Ok(Some(access));
        }
        let loaded = self.state.load().await?;
        Ok(loaded.map(|keys| self.access(self.state.keys.get_or_init(|| keys))))
    }

    /// Returns the access for a call that writes. Generates the keys of a new tenant.
    ///
    /// # Errors
    /// As [`Scope::existing`].
    pub async fn for_writing(&self) -> Result<Access> {
        if let Some(access) = self.named() {
            return Ok(access);
        }
        let _one_at_a_time = self.state.creation.lock().await;
        self.refuse_erased()?;
        if let Some(access) = self.named() {
            return Ok(access);
        }
        let keys = self.state.load_or_create().await?;
        self.state.named.store(true, Ordering::Release);
        Ok(self.access(self.state.keys.get_or_init(|| keys)))
    }

    /// Loaded keys are not enough: the process that generated them may have died before it wrote the name row.
    fn named(&self) -> Option<Access> {
        self.state.named.load(Ordering::Acquire).then(|| self.at_hand()).flatten()
    }

    /// Resolves once the tenant of this scope is erased.
    pub async fn erased(&self) {
        self.state.erased.cancelled().await;
    }

    fn refuse_erased(&self) -> Result<()> {
        if self.is_erased() { Err(errors::closed()) } else { Ok(()) }
    }

    /// Returns the time in epoch milliseconds.
    pub fn now(&self) -> u64 {
        self.state.store.clock.millis()
    }

    /// Returns random bytes.
    pub fn random<const N: usize>(&self) -> [u8; N] {
        self.state.entropy.shown.bytes()
    }

    /// Returns an id of this tenant for a key of the caller's: the same for the same key, in this store alone. Needs no keys of the
    /// tenant, so it does not change with an erase.
    pub fn id_of_key(&self, purpose: &str, key: &str) -> [u8; 20] {
        self.state.store.keys.id_of_key(&self.state.resource_id, purpose, key)
    }

    /// Returns the store.
    pub fn store(&self) -> &Arc<Store> {
        &self.state.store
    }

    /// Returns the value of this type that all handles of this tenant in this process share. Created by the first call, dropped
    /// with the last scope. It must not hold a scope itself.
    pub fn shared<T: Default + Send + Sync + 'static>(&self) -> Arc<T> {
        let mut shared = self.state.shared.lock();
        let one = shared.entry(TypeId::of::<T>()).or_insert_with(|| Arc::new(T::default())).clone();
        one.downcast().unwrap_or_default()
    }

    /// Whether time passes in this store: not in a test store with a fixed clock.
    pub fn time_passes(&self) -> bool {
        self.state.store.clock.passes()
    }

    /// Returns the id of this process among those that share the store; `None` if the engine is not shared.
    pub fn process(&self) -> Option<[u8; 16]> {
        self.state.store.process()
    }

    /// Does some work unless the store or the handle is closed meanwhile.
    ///
    /// # Errors
    /// `Closed`, and those of the work.
    pub async fn unless_closed<T>(
        &self,
        handle: &CancellationToken,
        work: impl Future<Output = Result<T>>,
    ) -> Result<T> {
        tokio::select! {
            biased;
            outcome = work => outcome,
            () = self.state.store.closing.cancelled() => Err(errors::closed()),
            () = handle.cancelled() => Err(errors::closed()),
        }
    }

    /// Reserves the bytes of a call's arguments.
    ///
    /// # Errors
    /// `TooMuchInFlight` if the tenant's calls would hold more than `limit`.
    pub fn hold(&self, bytes: u64, limit: u64) -> Result<Reservation> {
        Reservation::new(self.state.clone(), bytes, limit)
    }

    /// Returns the key of the tenant's calls in the fair queues.
    pub fn queue_key(&self) -> QueueKey {
        self.state.in_flight.queue_key
    }

    pub(crate) fn access(&self, keys: &Arc<TenantKeys>) -> Access {
        Access { state: self.state.clone(), keys: keys.clone(), held: None }
    }
}

/// A scope whose keys are loaded.
#[derive(Clone)]
pub struct Access {
    pub(crate) state: Arc<TenantState>,
    pub(crate) keys: Arc<TenantKeys>,
    /// The reservation of the call that reads with this, if there is one.
    pub(crate) held: Option<Arc<Reservation>>,
}

impl Access {
    /// As [`Scope::process`].
    pub fn process(&self) -> Option<[u8; 16]> {
        self.state.store.process()
    }

    /// Returns the name of an item: a keyed hash, so that the raw store does not reveal it.
    pub fn name(&self, kind: Kind, logical: &[u8]) -> Name {
        Name(self.keys.item_names.hash16(&[&[kind as u8], logical]))
    }

    /// Returns the hash whose first 20 bytes are a reference's id, keyed with the tenant's secret.
    pub fn reference_digest(&self, type_name: &str, media_type: &str, content: &[u8]) -> [u8; 32] {
        self.keys.reference_ids.hash_streamed(&[type_name.as_bytes(), media_type.as_bytes(), content])
    }

    /// Returns the name of the reference with this id.
    pub fn reference_name(id: &[u8; 20]) -> Name {
        let mut whole = [0; 32];
        for (to, from) in whole.iter_mut().zip(id) {
            *to = *from;
        }
        Name(first(&whole))
    }

    /// Returns the time in epoch milliseconds.
    pub fn now(&self) -> u64 {
        self.state.store.clock.millis()
    }

    /// Returns epoch microseconds for a new item: later than any that this process has returned for this tenant.
    pub fn next_micros(&self) -> u64 {
        let now = self.state.store.clock.micros();
        let last = self
            .state
            .last_micros
            .fetch_update(Ordering::SeqCst, Ordering::SeqCst, |last| Some(now.max(last.saturating_add(1))));
        now.max(last.unwrap_or(now).saturating_add(1))
    }

    /// Returns a cached record: no I/O. If the engine is shared ([`Access::process`]), it may have been changed or removed since.
    pub fn peek(&self, kind: Kind, area: Area, name: Name) -> Option<Arc<Record>> {
        self.state.store.record_cache.get(self.keys.tag, rows::place(kind, area, name), self.now())
    }

    /// Joins the computation of a value: as its leader, or waits for the leader until the store or the handle is closed or the
    /// tenant erased.
    ///
    /// # Errors
    /// `Closed`.
    pub async fn single_flight(&self, name: Name, handle: &CancellationToken) -> Result<Flight> {
        tokio::select! {
            // A finished computation wins over closing.
            biased;
            flight = self.state.flights.join(name) => Ok(flight),
            () = self.state.store.closing.cancelled() => Err(errors::closed()),
            () = handle.cancelled() => Err(errors::closed()),
            () = self.state.erased.cancelled() => Err(errors::closed()),
        }
    }

    /// Returns what this tenant uses, per kind.
    ///
    /// # Errors
    /// As [`Access::read`].
    pub async fn usage(&self) -> Result<Vec<(Kind, Count)>> {
        let usage = self.state.store.engine.usage(self.keys.tag).await.map_err(errors::read)?;
        Ok(Kind::ALL.into_iter().map(|kind| (kind, usage.get(&(kind as u8)).copied().unwrap_or_default())).collect())
    }
}
