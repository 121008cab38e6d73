//! Sources of random bytes: the operating system, or a seed in a test store.

use std::collections::HashMap;
use std::sync::Arc;

use parking_lot::Mutex;

use crate::crypto::encoding::encode;
use crate::crypto::hash::{Key, Purpose};

/// A source of random bytes.
#[derive(Clone)]
pub(crate) enum Entropy {
    /// The operating system's generator.
    System,
    /// A stream that repeats for the same seed and name. For tests only.
    Seeded(Arc<Mutex<blake3::OutputReader>>),
}

/// The sources of one tenant.
#[derive(Clone)]
pub(crate) struct TenantEntropy {
    /// For its keys and for what it sees: ids, cursors.
    pub(crate) shown: Entropy,
    /// For the nonces of its records. How many are drawn depends on the record cache, and so on other tenants: a separate
    /// stream, so that ids do not depend on it.
    pub(crate) nonces: Entropy,
}

/// The sources of all tenants of a store. A seeded stream continues when a tenant is reopened, or erased and its name reused,
/// so that no id and no key is produced twice.
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

    /// Returns the stream of `name` under `seed`. Every name has its own, so that tenants do not influence each other.
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
                // Fails only before the system has seeded its generator at boot. Waiting is better than predictable bytes.
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
