//! Where bytes live: the [`Engine`] trait and its implementations. This crate knows keys and opaque bytes; it has
//! never heard of tenants beyond a 32-byte [`Tag`].

#[cfg(feature = "conformance")]
pub mod conformance;
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
    Commit, CommitError, Count, Due, Durability, Engine, EngineFuture, EngineLimits, Export, Exported, Found, Health,
    Item, Limits, Op, Place, Promptness, ReadError, Row, ScanRequest, Scanned, Tag, Usage, Version, When,
};
pub use vault::{Created, STORE_SLOT, Slot, Vault};

/// A place where tenants' state is kept: the records, and the small secrets that seal them.
#[derive(Clone)]
pub struct Opened {
    /// Records, by tag.
    pub engine: std::sync::Arc<dyn Engine>,
    /// Key headers, which can be destroyed for good.
    pub vault: std::sync::Arc<dyn Vault>,
}
