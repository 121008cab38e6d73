//! Everything in memory: gone when it is closed. For tests, and for state that may be lost.

mod rows;
mod secrets;

use std::sync::Arc;

pub(crate) use secrets::refuse_oversized;

use crate::Opened;

/// How to open a store in memory.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct MemoryOptions {}

/// Opens an empty store in memory. It means the same by every call as the durable ones do.
pub fn open(_options: MemoryOptions) -> Opened {
    let secrets = Arc::new(secrets::MemoryVault::default());
    Opened { engine: Arc::new(rows::MemoryEngine::new(Arc::clone(&secrets))), vault: secrets }
}
