//! Storage: the [`Engine`] trait and its implementations. This crate knows keys and opaque bytes, and of tenants only a
//! 32-byte [`Tag`].

#[cfg(feature = "conformance")]
pub mod conformance;
mod due;
pub mod engine;
pub mod layer;
pub mod memory;
pub mod postgres;
pub mod recording;
mod room;
pub mod sled;
mod stage;
pub mod vault;

pub use engine::{
    Commit, CommitError, Compacted, Count, Due, Durability, Engine, EngineFuture, EngineLimits, Export, Exported,
    Found, Health, Item, Kinds, Limits, Op, Place, Promptness, ReadError, Row, ScanRequest, Scanned, Tag, Usage,
    Version, When,
};
pub use vault::{Created, STORE_SLOT, Slot, Vault};

/// An open store: its records, and its small secrets.
#[derive(Clone)]
pub struct Opened {
    /// Records, by tag.
    pub engine: std::sync::Arc<dyn Engine>,
    /// Headers with keys, which can be destroyed for good.
    pub vault: std::sync::Arc<dyn Vault>,
}
