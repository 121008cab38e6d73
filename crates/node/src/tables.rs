//! The tables of one JavaScript environment: stores, topologies, handles and computations by number, and runs by id. Numbers
//! are never used twice.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;

use bailiwick_model::{Error, Result};
use bailiwick_runtime::stores::StoreHandle;
use bailiwick_runtime::{Catalogue, Computing, MigrationProgress, PreparedRun, TenantHandle};

/// Entries by number.
pub(crate) struct Table<T> {
    next: u32,
    entries: HashMap<u32, T>,
}

impl<T> Default for Table<T> {
    fn default() -> Self {
        Self { next: 1, entries: HashMap::new() }
    }
}

impl<T> Table<T> {
    pub(crate) fn add(&mut self, entry: T) -> Result<u32> {
        let number = self.next;
        self.next = number.checked_add(1).ok_or_else(|| Error::Internal("All handle numbers are used.".to_owned()))?;
        self.entries.insert(number, entry);
        Ok(number)
    }

    pub(crate) fn take(&mut self, number: u32) -> Option<T> {
        self.entries.remove(&number)
    }

    pub(crate) fn drain(&mut self) -> Vec<T> {
        self.entries.drain().map(|(_, entry)| entry).collect()
    }
}

impl<T: Clone> Table<T> {
    /// # Errors
    /// `Closed` if there is no such entry.
    pub(crate) fn get(&self, number: u32) -> Result<T> {
        let entry = self.entries.get(&number).cloned();
        entry.ok_or_else(|| Error::Closed("This runtime or its store is closed. Open it again.".to_owned()))
    }
}

/// The tables of one JavaScript environment.
#[derive(Default)]
pub(crate) struct Tables {
    pub(crate) stores: Table<Arc<StoreHandle>>,
    pub(crate) topologies: Table<Arc<Catalogue>>,
    pub(crate) handles: Table<Arc<TenantHandle>>,
    pub(crate) computing: Table<Computing>,
    /// The store of each handle.
    pub(crate) stores_of: HashMap<u32, u32>,
    /// Runs that have ids and are not started yet, by run id: requests with the same key have the same.
    prepared: HashMap<String, VecDeque<PreparedRun>>,
    /// The progress of the migration that was started last.
    pub(crate) progress: Arc<MigrationProgress>,
    /// Nothing may be added any more, as nothing would release it.
    pub(crate) ended: bool,
}

impl Tables {
    pub(crate) fn add_prepared(&mut self, prepared: PreparedRun) {
        self.prepared.entry(prepared.run_id.clone()).or_default().push_back(prepared);
    }

    /// Takes a run with this id, the one that was prepared first.
    pub(crate) fn take_prepared(&mut self, run_id: &str) -> Option<PreparedRun> {
        let prepared = self.prepared.get_mut(run_id)?;
        let taken = prepared.pop_front();
        if prepared.is_empty() {
            self.prepared.remove(run_id);
        }
        taken
    }

    pub(crate) fn clear_prepared(&mut self) {
        self.prepared.clear();
    }
}
