//! What a tenant has under way in this process: the lane that its calls wait in, and how many bytes they hold.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use bailiwick_model::{Error, Result};

use crate::scope::Scope;
use crate::tenant::TenantState;

/// Where calls wait: those of one tenant of one store in the same one, whatever handle they come from. A number that
/// says nothing about whose it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Lane(u64);

impl Lane {
    /// The lane of calls that are no tenant's.
    pub const NOBODY: Self = Self(0);

    fn new() -> Self {
        static NEXT: AtomicU64 = AtomicU64::new(1);
        Self(NEXT.fetch_add(1, Ordering::Relaxed))
    }
}

/// A tenant's lane and the bytes that are under way in it.
pub(crate) struct InFlight {
    lane: Lane,
    bytes: AtomicU64,
}

impl Default for InFlight {
    fn default() -> Self {
        Self { lane: Lane::new(), bytes: AtomicU64::new(0) }
    }
}

impl InFlight {
    /// # Errors
    /// `TooMuchInFlight` if they would be more than `limit` together; then nothing is added.
    fn add(&self, bytes: u64, limit: u64) -> Result<()> {
        let add = |used: u64| used.checked_add(bytes).filter(|sum| *sum <= limit || bytes == 0);
        match self.bytes.fetch_update(Ordering::AcqRel, Ordering::Acquire, add) {
            Ok(_) => Ok(()),
            Err(used) => Err(Error::TooMuchInFlight { limit, used: used.saturating_add(bytes), call: bytes }),
        }
    }
}

/// The bytes of one call, given back when this is dropped. While there is one, its tenant keeps its lane.
pub struct Held {
    state: Arc<TenantState>,
    bytes: u64,
    limit: u64,
}

impl Scope {
    /// Reserves the bytes of a call.
    ///
    /// # Errors
    /// `TooMuchInFlight` if the tenant's calls would hold more than `limit`.
    pub fn hold(&self, bytes: u64, limit: u64) -> Result<Held> {
        let state = self.state.clone();
        state.in_flight.add(bytes, limit)?;
        Ok(Held { state, bytes, limit })
    }
}

impl Scope {
    /// Where the tenant's calls wait.
    pub fn lane(&self) -> Lane {
        self.state.in_flight.lane
    }
}

impl Held {
    /// Where the call waits.
    pub fn lane(&self) -> Lane {
        self.state.in_flight.lane
    }

    /// Reserves the bytes of the call's answer, too.
    ///
    /// # Errors
    /// `TooMuchInFlight` if there is no room for them. For the answer to a change use [`Held::add`].
    pub fn try_add(&mut self, bytes: u64) -> Result<()> {
        self.state.in_flight.add(bytes, self.limit)?;
        self.bytes = self.bytes.saturating_add(bytes);
        Ok(())
    }

    /// The same beyond the limit: what was done cannot be taken back, so its answer is kept. Until it is gone, there is
    /// less room for other calls.
    pub fn add(&mut self, bytes: u64) {
        self.state.in_flight.bytes.fetch_add(bytes, Ordering::AcqRel);
        self.bytes = self.bytes.saturating_add(bytes);
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        self.state.in_flight.bytes.fetch_sub(self.bytes, Ordering::AcqRel);
    }
}
