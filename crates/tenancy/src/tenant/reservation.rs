//! The memory that a call reserves of its tenant's limit.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use bailiwick_model::Result;

use super::in_flight::QueueKey;
use super::state::TenantState;

/// The bytes that one call holds of its tenant's limit: its arguments, what it reads, and its answer. Dropping it releases
/// them. Keeps the tenant's state, and with it the count of bytes.
///
/// Bytes are reserved before memory is allocated for them. What is read exists twice at most: sealed or in the answer. So a
/// call needs at most twice the memory that it holds.
pub struct Reservation {
    state: Arc<TenantState>,
    limit: u64,
    arguments: u64,
    bytes: AtomicU64,
}

impl Reservation {
    /// Reserves the bytes of a call's arguments.
    pub(super) fn new(state: Arc<TenantState>, bytes: u64, limit: u64) -> Result<Self> {
        state.in_flight.add(bytes, limit)?;
        Ok(Self { state, limit, arguments: bytes, bytes: AtomicU64::new(bytes) })
    }

    /// Returns the key of the call in the fair queues.
    pub fn queue_key(&self) -> QueueKey {
        self.state.in_flight.queue_key
    }

    /// Returns the bytes that the call holds.
    pub fn bytes(&self) -> u64 {
        self.bytes.load(Ordering::Acquire)
    }

    /// Reserves bytes.
    ///
    /// # Errors
    /// `TooMuchInFlight` beyond the tenant's limit.
    pub fn try_add(&self, bytes: u64) -> Result<()> {
        self.state.in_flight.add(bytes, self.limit)?;
        self.bytes.fetch_add(bytes, Ordering::AcqRel);
        Ok(())
    }

    /// Reserves a part of what is left, at most `most`, for a read of unknown size. Returns the bytes.
    pub(crate) fn add_part(&self, most: u64) -> u64 {
        let added = self.state.in_flight.add_part(most, self.limit);
        self.bytes.fetch_add(added, Ordering::AcqRel);
        added
    }

    pub(crate) fn give_back(&self, bytes: u64) {
        self.bytes.fetch_sub(bytes, Ordering::AcqRel);
        self.state.in_flight.subtract(bytes);
    }

    /// Releases everything beyond these bytes: what was read since was dropped.
    pub fn give_back_to(&self, bytes: u64) {
        self.give_back(self.bytes().saturating_sub(bytes));
    }

    /// Call when the operation is done: what it has read was dropped, and its answer has this size. `may_refuse`: it has changed
    /// nothing and can be repeated. The answer to a change is held beyond the limit, because the change cannot be undone.
    ///
    /// # Errors
    /// `TooMuchInFlight` if the answer exceeds the limit.
    pub fn answered(&self, bytes: u64, may_refuse: bool) -> Result<()> {
        let (held, needed) = (self.bytes(), self.arguments.saturating_add(bytes));
        if needed <= held {
            self.give_back(held - needed);
            return Ok(());
        }
        if may_refuse {
            let refused = self.try_add(needed - held);
            return refused.inspect_err(|_| self.give_back(held - self.arguments));
        }
        self.bytes.fetch_add(needed - held, Ordering::AcqRel);
        self.state.in_flight.add_unlimited(needed - held);
        Ok(())
    }
}

/// Bytes that a call needs for a moment. Dropping it releases them.
pub struct TemporaryReservation {
    reservation: Arc<Reservation>,
    bytes: u64,
}

impl Reservation {
    /// Reserves bytes until the result is dropped.
    ///
    /// # Errors
    /// As [`Reservation::try_add`].
    pub fn take(self: &Arc<Self>, bytes: u64) -> Result<TemporaryReservation> {
        self.try_add(bytes)?;
        Ok(TemporaryReservation { reservation: self.clone(), bytes })
    }
}

impl Drop for TemporaryReservation {
    fn drop(&mut self) {
        self.reservation.give_back(self.bytes);
    }
}

impl Drop for Reservation {
    fn drop(&mut self) {
        self.state.in_flight.subtract(self.bytes());
    }
}
