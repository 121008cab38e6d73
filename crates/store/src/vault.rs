//! A vault: small values that can be destroyed for good. An engine may keep removed bytes for a while; a vault has
//! wiped them from its medium when the call returns. It stores headers with keys.

use crate::engine::{EngineFuture, ReadError};

/// The slot of the store's own secrets, which everything else depends on.
pub const STORE_SLOT: [u8; 32] = [0; 32];
/// The first byte of that slot after the store has moved. A shared engine refuses connections to it.
pub const MOVED: u8 = 0xFF;
/// The most bytes of one slot's value.
pub const SLOT_VALUE_BYTES: usize = 160;

/// The value of one slot.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Slot {
    /// Counts the values of this name from 0; each replacement adds one.
    pub generation: u64,
    /// Up to [`SLOT_VALUE_BYTES`] opaque bytes.
    pub value: Vec<u8>,
}

/// The result of [`Vault::create`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Created {
    /// The value was written and synced.
    New,
    /// Another value exists, and stays.
    Existing(Slot),
}

/// A durable map from 32-byte names to small values. Every change is synced when its future resolves. After a crash it
/// has either the old or the new value.
pub trait Vault: Send + Sync + 'static {
    /// Reads a slot.
    fn get(&self, name: [u8; 32]) -> EngineFuture<'_, Result<Option<Slot>, ReadError>>;
    /// Writes a slot if none has that name.
    fn create(&self, name: [u8; 32], value: Vec<u8>) -> EngineFuture<'_, Result<Created, ReadError>>;
    /// Replaces a slot that has this generation, and wipes the old value; `false` if it has another or is absent.
    fn replace(&self, name: [u8; 32], generation: u64, value: Vec<u8>) -> EngineFuture<'_, Result<bool, ReadError>>;
    /// Destroys a slot that has this value; `false` if it has another or is absent.
    fn wipe(&self, name: [u8; 32], value: Vec<u8>) -> EngineFuture<'_, Result<bool, ReadError>>;
    /// Returns the names after `after` in byte order, at most `limit`.
    fn names(&self, after: Option<[u8; 32]>, limit: usize) -> EngineFuture<'_, Result<Vec<[u8; 32]>, ReadError>>;
    /// Claims exclusive use of the store until [`STORE_SLOT`] is replaced or the store is closed. `false`: another
    /// process has it open, or has claimed it. There must be a slot of that name. A store that only one process can
    /// open needs nothing.
    fn claim(&self) -> EngineFuture<'_, Result<bool, ReadError>> {
        Box::pin(std::future::ready(Ok(true)))
    }
    /// Returns where copies of wiped values may remain that this store cannot reach, for an operator.
    fn residues(&self) -> &'static [&'static str];
    /// Returns the secret beside the data that is used when the host brings none, if this store has one.
    fn local_secret(&self) -> EngineFuture<'_, Result<Option<Vec<u8>>, ReadError>>;
    /// Stores such a secret, durably. `false` if `local_secret` is not `None` or the vault has slots.
    fn create_local_secret(&self, secret: Vec<u8>) -> EngineFuture<'_, Result<bool, ReadError>>;
    /// Stores a secret beside the local one, durably, as its successor; it replaces an earlier one. `false` if there is
    /// no local one.
    fn create_next_local_secret(&self, secret: Vec<u8>) -> EngineFuture<'_, Result<bool, ReadError>>;
    /// Returns the successor of the local secret, if there is one.
    fn next_local_secret(&self) -> EngineFuture<'_, Result<Option<Vec<u8>>, ReadError>>;
    /// Ends the wait of the successor: `true` makes it the local secret, `false` discards it. The bytes of the other
    /// one are destroyed first: a crash leaves that one damaged and this one intact. Does nothing without a successor.
    fn settle_local_secret(&self, promote: bool) -> EngineFuture<'_, Result<(), ReadError>>;
}
