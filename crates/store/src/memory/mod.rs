//! A store in memory, lost when it is closed: for tests, and for data that may be lost.

mod rows;
mod secrets;

use std::sync::Arc;

pub(crate) use secrets::refuse_oversized;

use crate::Opened;

/// The options of a store in memory.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct MemoryOptions {}

/// Opens an empty store in memory. Its calls mean the same as those of durable stores.
pub fn open(_options: MemoryOptions) -> Opened {
    let secrets = Arc::new(secrets::MemoryVault::default());
    Opened { engine: Arc::new(rows::MemoryEngine::new(Arc::clone(&secrets))), vault: secrets }
}
