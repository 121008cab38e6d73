//! Small values that can be destroyed for good. An engine may keep removed bytes for a while; a vault does not: what
//! it has wiped is gone from the medium it writes to once the call returns. Key headers live here.

use crate::engine::{EngineFuture, ReadError};

/// The slot of a store's own secrets, on which everything else in it hangs.
pub const STORE_SLOT: [u8; 32] = [0; 32];
/// The first byte of that slot once the store is kept elsewhere. A shared engine lets nobody connect to such a one.
pub const MOVED: u8 = 0xFF;
/// The most bytes of one slot's value.
pub const SLOT_VALUE_BYTES: usize = 160;

/// The value of one slot.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Slot {
    /// Counts the values of this name: the first is 0, each replacement one more.
    pub generation: u64,
    /// Up to [`SLOT_VALUE_BYTES`] opaque bytes.
    pub value: Vec<u8>,
}

/// What [`Vault::create`] did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Created {
    /// The value is there now, synced.
    New,
    /// Another value was there already, and is.
    Existing(Slot),
}

/// A durable map from 32-byte names to small values. Every change is synced when its future resolves, and after a crash
/// either the old or the new value is there.
pub trait Vault: Send + Sync + 'static {
    /// Reads a slot.
    fn get(&self, name: [u8; 32]) -> EngineFuture<'_, Result<Option<Slot>, ReadError>>;
    /// Writes a slot if there is none of that name.
    fn create(&self, name: [u8; 32], value: Vec<u8>) -> EngineFuture<'_, Result<Created, ReadError>>;
    /// Replaces a slot that has this generation; `false` if it has another or is not there. The old value is wiped.
    fn replace(&self, name: [u8; 32], generation: u64, value: Vec<u8>) -> EngineFuture<'_, Result<bool, ReadError>>;
    /// Destroys a slot that has this value; `false` if it has another or is not there.
    fn wipe(&self, name: [u8; 32], value: Vec<u8>) -> EngineFuture<'_, Result<bool, ReadError>>;
    /// The names after `after` in byte order, at most `limit`.
    fn names(&self, after: Option<[u8; 32]>, limit: usize) -> EngineFuture<'_, Result<Vec<[u8; 32]>, ReadError>>;
    /// Keeps everybody else out of the store until [`STORE_SLOT`] is replaced or the store is closed: whoever has it open
    /// already, and whoever comes. `false`: somebody does not leave, or keeps others out himself. There must be a slot of
    /// that name. Where a store is open in one place at a time there is nothing to do.
    fn claim(&self) -> EngineFuture<'_, Result<bool, ReadError>> {
        Box::pin(std::future::ready(Ok(true)))
    }
    /// What may still hold a value that was wiped, beyond this store's reach: for an operator to read.
    fn residues(&self) -> &'static [&'static str];
    /// The secret that is kept beside the data when the host brings none, if this store has one.
    fn local_secret(&self) -> EngineFuture<'_, Result<Option<Vec<u8>>, ReadError>>;
    /// Keeps such a secret. Only where `local_secret` is `None` and the vault has no slots: `false` otherwise. It is
    /// durable, with the directory it lies in, when this resolves.
    fn create_local_secret(&self, secret: Vec<u8>) -> EngineFuture<'_, Result<bool, ReadError>>;
    /// Keeps a secret beside the local one, which it is to follow; it takes the place of another that was kept so.
    /// `false` if there is no local one. It is durable when this resolves.
    fn create_next_local_secret(&self, secret: Vec<u8>) -> EngineFuture<'_, Result<bool, ReadError>>;
    /// The secret that is to follow the local one, if one was kept.
    fn next_local_secret(&self) -> EngineFuture<'_, Result<Option<Vec<u8>>, ReadError>>;
    /// Ends the wait of the next secret: `true` puts it into the local one's place, `false` gives it up. The bytes of the
    /// one that goes are destroyed first: where that is cut off, it is there and damaged, and the other one whole. Does
    /// nothing without a next one.
    fn settle_local_secret(&self, promote: bool) -> EngineFuture<'_, Result<(), ReadError>>;
}
