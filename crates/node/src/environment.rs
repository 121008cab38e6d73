//! One JavaScript environment (the main thread or a worker): what it holds, its completion queue and its open callbacks.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bailiwick_model::{Error, Result};
use bailiwick_runtime::stores::StoreHandle;

use crate::callbacks::OpenCallbacks;
use crate::completions::{CompletionQueue, WakeUp};
use crate::pool::pool;
use crate::tables::Tables;
use crate::token::Tokens;

pub(crate) struct Environment {
    pub(crate) completions: CompletionQueue,
    tables: Mutex<Tables>,
    pub(crate) tokens: Tokens,
    pub(crate) callbacks: OpenCallbacks,
}

impl Environment {
    pub(crate) fn new(wake_up: WakeUp) -> Arc<Self> {
        Arc::new(Self {
            completions: CompletionQueue::new(wake_up),
            tables: Mutex::default(),
            tokens: Tokens::default(),
            callbacks: OpenCallbacks::default(),
        })
    }

    pub(crate) fn tables(&self) -> MutexGuard<'_, Tables> {
        self.tables.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Holds a store for this environment and returns its number.
    ///
    /// # Errors
    /// `Closed` if the environment has ended meanwhile; then the caller releases the store.
    pub(crate) fn keep_store(&self, store: Arc<StoreHandle>) -> Result<u32> {
        let mut tables = self.tables();
        if tables.ended {
            return Err(Error::Closed("This thread has ended.".to_owned()));
        }
        tables.stores.add(store)
    }

    /// Ends the environment: JavaScript is not woken any more, handles are closed and stores released.
    pub(crate) fn end(&self) {
        self.completions.close();
        self.callbacks.end();
        let mut tables = self.tables();
        tables.ended = true;
        tables.clear_prepared();
        drop(tables.computing.drain());
        tables.handles.drain().iter().for_each(|handle| handle.close());
        let stores = tables.stores.drain();
        drop(tables);
        if let Ok(pool) = pool() {
            for store in stores {
                pool.spawn(async move { store.release().await });
            }
        }
    }
}
