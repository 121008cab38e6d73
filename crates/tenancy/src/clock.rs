//! The clock of a store.

use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

/// The system's clock, adjusted to that of a shared engine; or a fixed clock in tests.
#[derive(Debug, Default)]
pub struct Clock {
    /// Microseconds since the epoch of a fixed clock; zero for the system's.
    fixed: AtomicU64,
    /// Microseconds by which the engine's clock is ahead of the system's.
    ahead: AtomicI64,
}

impl Clock {
    /// The operating system's clock.
    pub const fn system() -> Self {
        Self { fixed: AtomicU64::new(0), ahead: AtomicI64::new(0) }
    }

    /// A clock that shows `now` (epoch milliseconds, more than zero) until it is advanced.
    pub const fn fixed(now: u64) -> Self {
        Self { fixed: AtomicU64::new(now.saturating_mul(1000)), ahead: AtomicI64::new(0) }
    }

    /// Advances a fixed clock. Returns `false` for the system's clock, which is not changed.
    pub fn advance(&self, milliseconds: u64) -> bool {
        self.fixed
            .fetch_update(Ordering::SeqCst, Ordering::SeqCst, |now| {
                (now != 0).then(|| now.saturating_add(milliseconds.saturating_mul(1000)))
            })
            .is_ok()
    }

    /// Whether this is the system's clock.
    pub fn passes(&self) -> bool {
        self.fixed.load(Ordering::SeqCst) == 0
    }

    /// Microseconds since the epoch.
    pub fn micros(&self) -> u64 {
        match self.fixed.load(Ordering::SeqCst) {
            0 => system_micros().saturating_add_signed(self.ahead.load(Ordering::SeqCst)),
            fixed => fixed,
        }
    }

    /// Milliseconds since the epoch.
    pub fn millis(&self) -> u64 {
        self.micros() / 1000
    }

    /// Follows the clock that `other` reads. A difference below half the duration of that call is ignored.
    ///
    /// # Errors
    /// Those of `other`.
    pub(crate) async fn follow<E>(&self, other: impl Future<Output = Result<Option<u64>, E>>) -> Result<(), E> {
        if !self.passes() {
            return Ok(());
        }
        let start = system_micros();
        let Some(now) = other.await? else { return Ok(()) };
        let duration = system_micros().saturating_sub(start);
        let ahead = i64::try_from(i128::from(now) - i128::from(start + duration / 2)).unwrap_or(0);
        if ahead.abs_diff(self.ahead.load(Ordering::SeqCst)) > duration / 2 {
            self.ahead.store(ahead, Ordering::SeqCst);
        }
        Ok(())
    }
}

fn system_micros() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    since.map_or(0, |since| u64::try_from(since.as_micros()).unwrap_or(u64::MAX))
}
