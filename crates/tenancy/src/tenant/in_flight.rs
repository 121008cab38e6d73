//! The calls of a tenant in progress in this process: their key in the fair queues, and the bytes that they hold.

use std::sync::atomic::{AtomicU64, Ordering};

use bailiwick_model::{Error, Result};

/// The key of a tenant's calls in the fair queues: one for each tenant of each store, whatever handle a call comes from. A
/// number that does not reveal the tenant.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct QueueKey(u64);

impl QueueKey {
    /// The key of calls that belong to no tenant.
    pub const SYSTEM: Self = Self(0);

    fn new() -> Self {
        static NEXT: AtomicU64 = AtomicU64::new(1);
        Self(NEXT.fetch_add(1, Ordering::Relaxed))
    }
}

/// A tenant's queue key and the bytes that its calls hold.
pub(crate) struct InFlight {
    pub(super) queue_key: QueueKey,
    bytes: AtomicU64,
}

impl Default for InFlight {
    fn default() -> Self {
        Self { queue_key: QueueKey::new(), bytes: AtomicU64::new(0) }
    }
}

impl InFlight {
    /// Adds bytes.
    ///
    /// # Errors
    /// `TooMuchInFlight` if the sum would exceed `limit`; then nothing is added.
    pub(super) fn add(&self, bytes: u64, limit: u64) -> Result<()> {
        let add = |used: u64| used.checked_add(bytes).filter(|sum| *sum <= limit || bytes == 0);
        match self.bytes.fetch_update(Ordering::AcqRel, Ordering::Acquire, add) {
            Ok(_) => Ok(()),
            Err(used) => Err(Error::TooMuchInFlight { limit, used, call: bytes }),
        }
    }

    /// Adds half of the remaining bytes, at most `most`. Returns how many.
    pub(super) fn add_part(&self, most: u64, limit: u64) -> u64 {
        let mut added = 0;
        let _ = self.bytes.fetch_update(Ordering::AcqRel, Ordering::Acquire, |used| {
            added = (limit.saturating_sub(used) / 2).min(most);
            Some(used.saturating_add(added))
        });
        added
    }

    /// Adds bytes beyond any limit.
    pub(super) fn add_unlimited(&self, bytes: u64) {
        self.bytes.fetch_add(bytes, Ordering::AcqRel);
    }

    pub(super) fn subtract(&self, bytes: u64) {
        self.bytes.fetch_sub(bytes, Ordering::AcqRel);
    }
}
