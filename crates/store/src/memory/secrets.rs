//! The vault in memory.

use std::collections::BTreeMap;
use std::future::ready;
use std::ops::Bound;

use parking_lot::Mutex;

use crate::engine::{EngineFuture, ReadError};
use crate::vault::{Created, SLOT_VALUE_BYTES, Slot, Vault};

#[derive(Default)]
struct Secrets {
    slots: BTreeMap<[u8; 32], Slot>,
    local: Option<Vec<u8>>,
    next_local: Option<Vec<u8>>,
    closed: bool,
}

/// See [`super::open`].
#[derive(Default)]
pub(crate) struct MemoryVault(Mutex<Secrets>);

impl MemoryVault {
    pub(crate) fn close(&self) {
        *self.0.lock() = Secrets { closed: true, ..Secrets::default() };
    }

    fn with<T: Send + 'static>(
        &self,
        what: impl FnOnce(&mut Secrets) -> Result<T, ReadError>,
    ) -> EngineFuture<'_, Result<T, ReadError>> {
        let mut secrets = self.0.lock();
        let result = if secrets.closed { Err(ReadError::Closed) } else { what(&mut secrets) };
        Box::pin(ready(result))
    }
}

impl Vault for MemoryVault {
    fn get(&self, name: [u8; 32]) -> EngineFuture<'_, Result<Option<Slot>, ReadError>> {
        self.with(|secrets| Ok(secrets.slots.get(&name).cloned()))
    }

    fn create(&self, name: [u8; 32], value: Vec<u8>) -> EngineFuture<'_, Result<Created, ReadError>> {
        self.with(|secrets| {
            if let Some(slot) = secrets.slots.get(&name) {
                return Ok(Created::Existing(slot.clone()));
            }
            refuse_oversized(&value)?;
            secrets.slots.insert(name, Slot { generation: 0, value });
            Ok(Created::New)
        })
    }

    fn replace(&self, name: [u8; 32], generation: u64, value: Vec<u8>) -> EngineFuture<'_, Result<bool, ReadError>> {
        self.with(|secrets| {
            refuse_oversized(&value)?;
            match secrets.slots.get_mut(&name) {
                Some(slot) if slot.generation == generation => {
                    *slot = Slot { generation: generation.saturating_add(1), value };
                    Ok(true)
                }
                _ => Ok(false),
            }
        })
    }

    fn wipe(&self, name: [u8; 32], value: Vec<u8>) -> EngineFuture<'_, Result<bool, ReadError>> {
        self.with(|secrets| {
            let has_it = secrets.slots.get(&name).is_some_and(|slot| slot.value == value);
            Ok(has_it && secrets.slots.remove(&name).is_some())
        })
    }

    fn names(&self, after: Option<[u8; 32]>, limit: usize) -> EngineFuture<'_, Result<Vec<[u8; 32]>, ReadError>> {
        let from = after.map_or(Bound::Unbounded, Bound::Excluded);
        self.with(|secrets| {
            Ok(secrets.slots.range((from, Bound::Unbounded)).map(|(name, _)| *name).take(limit).collect())
        })
    }

    fn residues(&self) -> &'static [&'static str] {
        &[]
    }

    fn local_secret(&self) -> EngineFuture<'_, Result<Option<Vec<u8>>, ReadError>> {
        self.with(|secrets| Ok(secrets.local.clone()))
    }

    fn create_local_secret(&self, secret: Vec<u8>) -> EngineFuture<'_, Result<bool, ReadError>> {
        self.with(|secrets| {
            if secrets.local.is_some() || !secrets.slots.is_empty() {
                return Ok(false);
            }
            secrets.local = Some(secret);
            Ok(true)
        })
    }

    fn create_next_local_secret(&self, secret: Vec<u8>) -> EngineFuture<'_, Result<bool, ReadError>> {
        self.with(|secrets| {
            if secrets.local.is_some() {
                secrets.next_local = Some(secret);
            }
            Ok(secrets.local.is_some())
        })
    }

    fn next_local_secret(&self) -> EngineFuture<'_, Result<Option<Vec<u8>>, ReadError>> {
        self.with(|secrets| Ok(secrets.next_local.clone()))
    }

    fn settle_local_secret(&self, promote: bool) -> EngineFuture<'_, Result<(), ReadError>> {
        self.with(|secrets| {
            let next = secrets.next_local.take();
            if promote && next.is_some() {
                secrets.local = next;
            }
            Ok(())
        })
    }
}

/// No error exists for this: the only caller keeps to the size.
pub(crate) fn refuse_oversized(value: &[u8]) -> Result<(), ReadError> {
    if value.len() > SLOT_VALUE_BYTES { Err(ReadError::Unavailable) } else { Ok(()) }
}
