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
            Err(used) => Err(Error::TooMuchInFlight { limit, used, call: bytes }),
        }
    }

    /// Adds half of what is left, at most `most`, and says how much that was.
    fn add_part(&self, most: u64, limit: u64) -> u64 {
        let mut added = 0;
        let _ = self.bytes.fetch_update(Ordering::AcqRel, Ordering::Acquire, |used| {
            added = (limit.saturating_sub(used) / 2).min(most);
            Some(used.saturating_add(added))
        });
        added
    }
}

/// What one call holds of its tenant's limit: what it brought, what it reads and its answer. Given back when this is dropped.
/// While there is one, its tenant keeps its lane.
///
/// Bytes are reserved before memory is taken for them. What is read has one copy beside it at most: as it was sealed, or in
/// the answer. So a call takes twice what it holds at most.
pub struct Held {
    state: Arc<TenantState>,
    limit: u64,
    brought: u64,
    /// All that it holds.
    bytes: AtomicU64,
}

impl Scope {
    /// Reserves the bytes that a call brings.
    ///
    /// # Errors
    /// `TooMuchInFlight` if the tenant's calls would hold more than `limit`.
    pub fn hold(&self, bytes: u64, limit: u64) -> Result<Held> {
        let state = self.state.clone();
        state.in_flight.add(bytes, limit)?;
        Ok(Held { state, limit, brought: bytes, bytes: AtomicU64::new(bytes) })
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

    /// How many bytes it holds.
    pub fn bytes(&self) -> u64 {
        self.bytes.load(Ordering::Acquire)
    }

    /// Reserves bytes that the call is about to take.
    ///
    /// # Errors
    /// `TooMuchInFlight` if there is no room for them.
    pub fn try_add(&self, bytes: u64) -> Result<()> {
        self.state.in_flight.add(bytes, self.limit)?;
        self.bytes.fetch_add(bytes, Ordering::AcqRel);
        Ok(())
    }

    /// Reserves a part of the room that is left, at most `most`, for a read whose size is not known yet.
    pub(crate) fn add_part(&self, most: u64) -> u64 {
        let added = self.state.in_flight.add_part(most, self.limit);
        self.bytes.fetch_add(added, Ordering::AcqRel);
        added
    }

    pub(crate) fn give_back(&self, bytes: u64) {
        self.bytes.fetch_sub(bytes, Ordering::AcqRel);
        self.state.in_flight.bytes.fetch_sub(bytes, Ordering::AcqRel);
    }

    /// Gives back what it holds beyond so many bytes: what was read since is gone.
    pub fn give_back_to(&self, bytes: u64) {
        self.give_back(self.bytes().saturating_sub(bytes));
    }

    /// To be called when the call is done: what it has read is gone, and this is the size of its answer. `may_refuse`: the
    /// call has changed nothing, so that its answer can be asked for again. The answer to a change is kept beyond the limit:
    /// what was done cannot be taken back. Until it is gone, there is less room for other calls.
    ///
    /// # Errors
    /// `TooMuchInFlight` if there is no room for the answer.
    pub fn answered(&self, bytes: u64, may_refuse: bool) -> Result<()> {
        let (held, needed) = (self.bytes(), self.brought.saturating_add(bytes));
        if needed <= held {
            self.give_back(held - needed);
            return Ok(());
        }
        if may_refuse {
            let refused = self.try_add(needed - held);
            return refused.inspect_err(|_| self.give_back(held - self.brought));
        }
        self.bytes.fetch_add(needed - held, Ordering::AcqRel);
        self.state.in_flight.bytes.fetch_add(needed - held, Ordering::AcqRel);
        Ok(())
    }
}

/// Bytes that a call takes for a moment, given back when this is dropped.
pub struct Taken {
    held: Arc<Held>,
    bytes: u64,
}

impl Held {
    /// Reserves bytes until what this gives is dropped.
    ///
    /// # Errors
    /// As [`Held::try_add`].
    pub fn take(self: &Arc<Self>, bytes: u64) -> Result<Taken> {
        self.try_add(bytes)?;
        Ok(Taken { held: self.clone(), bytes })
    }
}

impl Drop for Taken {
    fn drop(&mut self) {
        self.held.give_back(self.bytes);
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        self.state.in_flight.bytes.fetch_sub(self.bytes(), Ordering::AcqRel);
    }
}
