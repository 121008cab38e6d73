//! A tenant's handle: bound to one tenant for life.

use std::sync::Arc;

use bailiwick_model::spec::{Limits, Retention, RunLimits};
use bailiwick_model::tenant::Tenant;
use bailiwick_model::{Error, Json, Kind, Result};
use bailiwick_tenancy::{Closing, Count, Held, Lane, Scope, Store};

use crate::catalogue::Catalogue;
use crate::reference_input::check_size;

/// The largest number of milliseconds that JavaScript can count with.
const SAFE_INTEGER: u64 = (1 << 53) - 1;

/// See the module's text. Cheap to make: no I/O happens before it is used.
pub struct TenantHandle {
    pub(crate) scope: Scope,
    pub(crate) catalogue: Arc<Catalogue>,
    pub(crate) engine_limits: bailiwick_tenancy::Limits,
    pub(crate) closing: Closing,
    pub(crate) tenant: Tenant,
    limits: Limits,
    retention: Retention,
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

    /// A handle for what nobody has open.
    pub(crate) fn of_scope(
        scope: Scope,
        tenant: Tenant,
        catalogue: Arc<Catalogue>,
        limits: Limits,
        retention: Retention,
    ) -> Self {
        let items = Kind::ALL.into_iter().filter_map(|kind| Some((kind as u8, limits.items.get(kind)?))).collect();
        let engine_limits = bailiwick_tenancy::Limits { items, bytes: limits.bytes };
        Self { scope, catalogue, engine_limits, closing: Closing::default(), tenant, limits, retention }
    }

    /// Ends the calls of this handle that wait for somebody else, with `Closed`. Doing it twice does nothing.
    pub fn close(&self) {
        self.closing.close();
    }

    /// Reserves the bytes of a call, until what this gives is dropped.
    ///
    /// # Errors
    /// `TooMuchInFlight` if the tenant's calls in this process would hold more than its limit.
    pub fn hold(&self, bytes: usize) -> Result<Held> {
        self.scope.hold(bytes as u64, self.limits.in_flight_bytes)
    }

    /// Where the tenant's calls wait.
    pub fn lane(&self) -> Lane {
        self.scope.lane()
    }

    /// What the tenant holds, per kind. Expired items count until they are removed.
    ///
    /// # Errors
    /// Those of the store.
    pub async fn usage(&self) -> Result<Vec<(Kind, Count)>> {
        match self.scope.existing().await? {
            Some(access) => access.usage().await,
            None => Ok(Kind::ALL.into_iter().map(|kind| (kind, Count::default())).collect()),
        }
    }

    /// The same as `{ [kind]: { items, bytes } }`.
    ///
    /// # Errors
    /// As [`TenantHandle::usage`].
    pub async fn usage_json(&self) -> Result<Json> {
        let kind = |(kind, count): (Kind, Count)| {
            let count = Json::Object(vec![
                ("items".to_owned(), Json::Number(count.items as f64)),
                ("bytes".to_owned(), Json::Number(count.bytes as f64)),
            ]);
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
                Err(Error::QuotaExceeded { quota: "valueBytes".to_owned(), limit, used: used as u64 })
            }
            _ => Ok(()),
        }
    }
}

/// When something that lives for `ttl_ms` from `now` on expires; `None` lives until it is deleted.
pub(crate) fn expiry(now: u64, ttl_ms: Option<u64>) -> Result<Option<u64>> {
    match ttl_ms {
        None => Ok(None),
        Some(ttl) if (1..=SAFE_INTEGER).contains(&ttl) => Ok(Some(now.saturating_add(ttl).min(SAFE_INTEGER))),
        Some(_) => Err(Error::invalid("ttlMs must be a positive whole number of milliseconds.")),
    }
}
