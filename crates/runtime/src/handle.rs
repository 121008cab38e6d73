//! A tenant's handle: bound to one tenant for life.

use std::sync::Arc;

use bailiwick_model::json::SAFE_INTEGER;
use bailiwick_model::spec::{Limits, Retention, RunLimits};
use bailiwick_model::tenant::Tenant;
use bailiwick_model::{Error, Json, Kind, Result};
use bailiwick_tenancy::{Access, CancellationToken, Count, QueueKey, Reservation, Scope, Store, TemporaryReservation};

use crate::catalogue::Catalogue;
use crate::validated::Validated;

/// The largest value, in bytes.
pub(crate) const VALUE_BYTES: usize = 64 << 20;
/// The longest text, in bytes, whose parsing reserves nothing.
const SMALL_TEXT: usize = 64 << 10;
/// The bytes of an element, of a member's key, and of the smallest array or object.
const ELEMENT_BYTES: u64 = size_of::<Json>() as u64;
const KEY_BYTES: u64 = size_of::<String>() as u64;
const OPENED_BYTES: u64 = 4 * ELEMENT_BYTES;

/// A tenant's handle. Creating it does no I/O.
#[derive(Clone)]
pub struct TenantHandle {
    pub(crate) scope: Scope,
    pub(crate) catalogue: Arc<Catalogue>,
    pub(crate) engine_limits: bailiwick_tenancy::Limits,
    pub(crate) closing: CancellationToken,
    pub(crate) tenant: Tenant,
    limits: Limits,
    retention: Retention,
    /// The tools and agents whose values the host validates.
    pub(crate) validated: Arc<Validated>,
    /// The reservation of the call that this handle serves, if any.
    held: Option<Arc<Reservation>>,
}

impl TenantHandle {
    /// Binds a handle to a tenant.
    pub fn new(
        store: &Arc<Store>,
        tenant: &Tenant,
        catalogue: Arc<Catalogue>,
        limits: Limits,
        retention: Retention,
    ) -> Self {
        let scope = store.scope(tenant);
        Self::of_scope(scope, tenant.clone(), catalogue, limits, retention)
    }

    /// Returns a handle without agents and limits, for housekeeping.
    pub(crate) fn of_owner(scope: Scope, tenant: Tenant) -> Self {
        Self::of_scope(scope, tenant, Arc::new(Catalogue::empty()), Limits::default(), Retention::default())
    }

    fn of_scope(scope: Scope, tenant: Tenant, catalogue: Arc<Catalogue>, limits: Limits, retention: Retention) -> Self {
        // Waits are checked when they open: a commit with results of other calls must not fail for them.
        let items = Kind::ALL.into_iter().filter(|kind| *kind != Kind::Waits);
        let items = items.filter_map(|kind| Some((kind as u8, limits.items.get(kind)?))).collect();
        let engine_limits = bailiwick_tenancy::Limits { items, bytes: limits.bytes };
        let (closing, validated) = (CancellationToken::new(), Arc::default());
        Self { scope, catalogue, engine_limits, closing, tenant, limits, retention, validated, held: None }
    }

    /// Returns the same handle for a host that validates these values itself.
    #[must_use]
    pub fn validating(self, validated: Validated) -> Self {
        Self { validated: Arc::new(validated), ..self }
    }

    /// Ends the calls of this handle that wait for another caller, with `Closed`. Closing it again does nothing.
    pub fn close(&self) {
        self.closing.cancel();
    }

    /// Reserves the bytes of a call until the reservation is dropped.
    ///
    /// # Errors
    /// `TooMuchInFlight` if the tenant's calls in this process would hold more than its limit.
    pub fn hold(&self, bytes: usize) -> Result<Reservation> {
        self.scope.hold(bytes as u64, self.limits.in_flight_bytes)
    }

    /// Returns the handle for one call, which reserves the bytes of its answer before it reads them.
    #[must_use]
    pub fn within(&self, held: &Arc<Reservation>) -> Self {
        Self { held: Some(held.clone()), ..self.clone() }
    }

    /// Opens the tenant's data to read it for an answer. `None` if the tenant has never written anything.
    pub(crate) async fn existing(&self) -> Result<Option<Access>> {
        Ok(self.scope.existing().await?.map(|access| access.within(self.held.as_ref())))
    }

    /// Opens the tenant's data for a call that writes.
    pub(crate) async fn for_writing(&self) -> Result<Access> {
        Ok(self.scope.for_writing().await?.within(self.held.as_ref()))
    }

    /// Returns the bytes that the call has reserved; 0 without a call.
    pub(crate) fn held_bytes(&self) -> u64 {
        self.held.as_ref().map_or(0, |held| held.bytes())
    }

    /// Reduces the call's reservation to `bytes`, after it has dropped what it read since.
    pub(crate) fn give_back_to(&self, bytes: u64) {
        if let Some(held) = &self.held {
            held.give_back_to(bytes);
        }
    }

    /// Reserves bytes of the call's answer before they are allocated.
    ///
    /// # Errors
    /// `TooMuchInFlight` if there is no room for them.
    pub(crate) fn reserve(&self, bytes: u64) -> Result<()> {
        self.held.as_ref().map_or(Ok(()), |held| held.try_add(bytes))
    }

    /// Reserves the memory of a parsed JSON text, which may be many times its length, and of `copies` of the text,
    /// until the reservation is dropped. Small texts reserve nothing.
    ///
    /// # Errors
    /// `TooMuchInFlight` if there is no room for it.
    pub fn parsing(&self, text: &[u8], copies: u64) -> Result<Option<TemporaryReservation>> {
        let Some(held) = self.held.as_ref().filter(|_| text.len() > SMALL_TEXT) else { return Ok(None) };
        let count = |wanted: u8| text.iter().filter(|byte| **byte == wanted).count() as u64;
        let elements = count(b',') * ELEMENT_BYTES;
        let keys = count(b':') * KEY_BYTES;
        let opened = (count(b'[') + count(b'{')) * OPENED_BYTES;
        held.take(elements + keys + opened + copies * text.len() as u64).map(Some)
    }

    /// The queue key of the tenant's calls.
    pub fn queue_key(&self) -> QueueKey {
        self.scope.queue_key()
    }

    /// Returns the tenant's usage per kind. Expired items count until they are removed.
    ///
    /// # Errors
    /// Those of the store.
    pub async fn usage(&self) -> Result<Vec<(Kind, Count)>> {
        match self.scope.existing().await? {
            Some(access) => access.usage().await,
            None => Ok(Kind::ALL.into_iter().map(|kind| (kind, Count::default())).collect()),
        }
    }

    /// Returns the usage as `{ [kind]: { items, bytes } }`.
    ///
    /// # Errors
    /// As [`TenantHandle::usage`].
    pub async fn usage_json(&self) -> Result<Json> {
        let kind = |(kind, count): (Kind, Count)| {
            let (items, bytes) = (Json::Number(count.items as f64), Json::Number(count.bytes as f64));
            let count = Json::from([("items", items), ("bytes", bytes)]);
            (kind.name().to_owned(), count)
        };
        Ok(Json::Object(self.usage().await?.into_iter().map(kind).collect()))
    }

    pub(crate) fn retention_ms(&self, kind: Kind) -> Option<u64> {
        self.retention.ttl_ms.get(kind)
    }

    pub(crate) fn pending_approvals(&self) -> u64 {
        self.limits.pending_approvals
    }

    pub(crate) fn item_limit(&self, kind: Kind) -> Option<u64> {
        self.limits.items.get(kind)
    }

    pub(crate) fn open_waits(&self) -> u64 {
        self.limits.open_waits
    }

    pub(crate) fn inline_result_bytes(&self) -> u64 {
        self.limits.inline_result_bytes
    }

    pub(crate) fn run_limits(&self) -> RunLimits {
        self.limits.run
    }

    pub(crate) fn check_value_bytes(&self, used: usize) -> Result<()> {
        check_size(used)?;
        match self.limits.value_bytes {
            Some(limit) if used as u64 > limit => {
                Err(Error::QuotaExceeded { quota: "valueBytes".to_owned(), limit, used: used as u64, more: 0 })
            }
            _ => Ok(()),
        }
    }
}

/// Returns the expiry of an item with this time to live; `None`: it never expires.
pub(crate) fn expiry(now: u64, ttl_ms: Option<u64>) -> Result<Option<u64>> {
    match ttl_ms {
        None => Ok(None),
        Some(ttl) if (1..=SAFE_INTEGER).contains(&ttl) => Ok(Some(now.saturating_add(ttl).min(SAFE_INTEGER))),
        Some(ttl) => Err(Error::invalid(format!("ttlMs must be a positive whole number of milliseconds, not {ttl}."))),
    }
}

/// # Errors
/// Returns the `InvalidInput` of a value larger than the largest.
pub(crate) fn check_size(bytes: usize) -> Result<()> {
    if bytes <= VALUE_BYTES {
        Ok(())
    } else {
        Err(Error::invalid(format!(
            "The value has {bytes} bytes; at most {VALUE_BYTES} (64 MiB) are allowed. Keep it elsewhere, or in parts."
        )))
    }
}

/// Declares the parts of a handle: a type for each, and the method that returns it.
macro_rules! parts {
    ($($(#[$comment:meta])+ $part:ident $name:ident;)+) => {
        $(
            $(#[$comment])+
            #[derive(Clone, Copy)]
            pub struct $part<'a> {
                pub(crate) handle: &'a TenantHandle,
            }
        )+

        impl TenantHandle {
            $(
                $(#[$comment])+
                pub fn $name(&self) -> $part<'_> {
                    $part { handle: self }
                }
            )+
        }
    };
}

parts! {
    /// The references of a tenant.
    References references;
    /// The cache of a tenant.
    Cache cache;
    /// The plans of a tenant.
    Plans plans;
    /// The approvals of a tenant and their ledger.
    Approvals approvals;
    /// The threads of a tenant.
    Threads threads;
    /// The traces of a tenant.
    Traces traces;
    /// The runs of a tenant. Results, summaries and events are JSON texts: an event's text is made once, at its commit, and
    /// every follower of the run reads the same.
    Runs runs;
    /// The waits of a tenant's runs. They are JSON texts.
    Waits waits;
}
