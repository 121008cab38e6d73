//! Where random bytes and the time come from: the operating system, or a seed in a test store.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

use parking_lot::Mutex;

use crate::encoding::encode;
use crate::hash::{Key, Purpose};

/// A source of random bytes.
#[derive(Clone)]
pub(crate) enum Entropy {
    /// The operating system's generator.
    System,
    /// A stream that repeats for the same seed and name. For tests of hosts only.
    Seeded(Arc<Mutex<blake3::OutputReader>>),
}

/// What one tenant draws from.
#[derive(Clone)]
pub(crate) struct TenantEntropy {
    /// For what the tenant sees: ids, openings, cursors; and for its keys.
    pub(crate) shown: Entropy,
    /// For the nonces of records. How many are drawn depends on what is in the cache of opened records, and so on what
    /// other tenants do: that must not move what is shown.
    pub(crate) nonces: Entropy,
}

/// The streams of a store. They go on when a tenant comes back, and when one is erased and another takes its name: no
/// id and no key is given twice.
pub(crate) enum Streams {
    System,
    Seeded { seed: u64, tenants: Mutex<HashMap<Box<str>, TenantEntropy>> },
}

impl Streams {
    pub(crate) fn new(seed: Option<u64>) -> Self {
        seed.map_or(Self::System, |seed| Self::Seeded { seed, tenants: Mutex::default() })
    }

    pub(crate) fn of_store(&self) -> Entropy {
        match self {
            Self::System => Entropy::System,
            Self::Seeded { seed, .. } => Entropy::seeded(*seed, &[b"store"]),
        }
    }

    pub(crate) fn of_tenant(&self, resource_id: &str) -> TenantEntropy {
        let Self::Seeded { seed, tenants } = self else {
            return TenantEntropy { shown: Entropy::System, nonces: Entropy::System };
        };
        let stream = |of: &[u8]| Entropy::seeded(*seed, &[of, resource_id.as_bytes()]);
        let new = || TenantEntropy { shown: stream(b"shown"), nonces: stream(b"nonces") };
        tenants.lock().entry(resource_id.into()).or_insert_with(new).clone()
    }
}

impl Entropy {
    pub(crate) const fn system() -> Self {
        Self::System
    }

    /// The stream of `name` under `seed`; every name has a stream of its own, so what one tenant draws does not move
    /// another's.
    fn seeded(seed: u64, name: &[&[u8]]) -> Self {
        let mut material = [0; 32];
        for (to, from) in material.iter_mut().zip(seed.to_be_bytes()) {
            *to = from;
        }
        let key = Key::new(material).derive(Purpose::Entropy);
        let mut hasher = blake3::Hasher::new_keyed(key.bytes());
        hasher.update(&encode(name));
        Self::Seeded(Arc::new(Mutex::new(hasher.finalize_xof())))
    }

    pub(crate) fn fill(&self, bytes: &mut [u8]) {
        match self {
            Self::Seeded(stream) => stream.lock().fill(bytes),
            Self::System => {
                // The operating system's generator fails only before it is seeded at boot; going on with predictable
                // bytes would be worse than waiting.
                while getrandom::fill(bytes).is_err() {
                    std::thread::sleep(std::time::Duration::from_millis(10));
                }
            }
        }
    }

    pub(crate) fn bytes<const N: usize>(&self) -> [u8; N] {
        let mut bytes = [0; N];
        self.fill(&mut bytes);
        bytes
    }
}

/// What time it is.
#[derive(Debug, Default)]
pub struct Clock {
    /// Microseconds since the epoch if the clock stands still; zero if it is the system's.
    fixed: AtomicU64,
    /// How many microseconds the clock that others go by is ahead of the system's.
    ahead: AtomicI64,
}

impl Clock {
    /// The operating system's clock.
    pub const fn system() -> Self {
        Self { fixed: AtomicU64::new(0), ahead: AtomicI64::new(0) }
    }

    /// A clock that stands at `now` (epoch milliseconds, more than zero) until it is advanced.
    pub const fn fixed(now: u64) -> Self {
        Self { fixed: AtomicU64::new(now.saturating_mul(1000)), ahead: AtomicI64::new(0) }
    }

    /// Moves a fixed clock on. Returns `false`, and does nothing, on the system's clock.
    pub fn advance(&self, milliseconds: u64) -> bool {
        self.fixed
            .fetch_update(Ordering::SeqCst, Ordering::SeqCst, |now| {
                (now != 0).then(|| now.saturating_add(milliseconds.saturating_mul(1000)))
            })
            .is_ok()
    }

    /// Whether it goes by itself.
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

    /// Goes by another clock from now on, which is asked what time it is. It counts as ahead or behind only by more than the
    /// answer's way can have taken.
    ///
    /// # Errors
    /// What the other one fails with.
    pub(crate) async fn go_by<E>(&self, other: impl Future<Output = Result<Option<u64>, E>>) -> Result<(), E> {
        if !self.passes() {
            return Ok(());
        }
        let asked = system_micros();
        let Some(now) = other.await? else { return Ok(()) };
        let way = system_micros().saturating_sub(asked);
        let ahead = i64::try_from(i128::from(now) - i128::from(asked + way / 2)).unwrap_or(0);
        if ahead.abs_diff(self.ahead.load(Ordering::SeqCst)) > way / 2 {
            self.ahead.store(ahead, Ordering::SeqCst);
        }
        Ok(())
    }
}

fn system_micros() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    since.map_or(0, |since| u64::try_from(since.as_micros()).unwrap_or(u64::MAX))
}
