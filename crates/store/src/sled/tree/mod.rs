//! The rows of a store: those of the log before those of the tables.

pub(in crate::sled) mod codec;
pub(in crate::sled) mod expiry_buckets;
mod legacy;
#[cfg(any(test, feature = "conformance"))]
pub(in crate::sled) use legacy::SEGMENT_BYTES;
#[cfg(test)]
mod legacy_tests;
pub(in crate::sled) mod read;

use std::io;
use std::sync::Arc;

use ::sled::IVec;

use super::tables::{Merger, Rows, Tables, TablesFailure, TablesOptions, WriteError};
use crate::engine::ReadError;
use crate::sled::error::{OpenError, SledOptions};
use crate::sled::lock::directory::Completion;
use crate::sled::lock::layout::{TREE, UNFINISHED_TREE, remove_tree};
use crate::sled::lock::system::Directory;
use crate::sled::wal::batch::Batch;
use crate::sled::wal::range::{Order, Range};
use crate::sled::wal::{Bounds, OpenFailure, Round, Wal, WriteFailure};
use codec::{STATE_KEY, State, decode_state};

/// With less free space the disk counts as full for additions.
pub(in crate::sled) const RESERVE_BYTES: u64 = 16 * 1024 * 1024;

/// With less free space tables are not merged. It is less than the reserve, so that removed rows make room on a full disk.
const MERGE_RESERVE_BYTES: u64 = 4 * 1024 * 1024;

/// See the module.
pub(in crate::sled) struct Tree {
    tables: Arc<Tables>,
    merger: Merger,
    wal: Wal,
}

impl Tree {
    /// Opens the tables and the log of a store, or creates them. `is_first`: the store has never had a log.
    pub(in crate::sled) fn open(
        store: &Arc<Directory>,
        options: &SledOptions,
        completion: Completion,
        is_first: bool,
    ) -> Result<Self, OpenError> {
        let tables = Arc::new(open_tables(store, options, completion)?);
        let applied = match tables.get(&STATE_KEY) {
            Ok(Some(bytes)) => decode_state(&bytes),
            Ok(None) => Some(State::default()),
            Err(ReadError::Unavailable) => return Err(OpenError::Unavailable(io::ErrorKind::Other)),
            Err(_) => None,
        };
        let Some(applied) = applied else { return Err(OpenError::Corrupt) };
        match Wal::open(store, applied.version, options.round_bytes, is_first) {
            Ok(wal) => Ok(Self { merger: Merger::new(Arc::clone(&tables)), tables, wal }),
            Err(OpenFailure::Damaged) => Err(OpenError::Corrupt),
            Err(OpenFailure::Io(error)) => Err(error.into()),
        }
    }

    /// Removes what a crash has left, and the rows of an older format. Only for a store that is complete.
    pub(in crate::sled) fn clear_up(&self, store: &Directory) -> io::Result<()> {
        // Anew, for a sync may have failed when it was written last.
        self.tables.settle()?;
        self.tables.remove_unknown()?;
        // A directory with other things in it stays.
        let _ = remove_tree(store, TREE);
        Ok(())
    }

    /// Whether the files of the log and the directory of the tables were not removed.
    pub(in crate::sled) fn has_name(&self) -> bool {
        self.tables.has_name() && self.wal.has_names()
    }

    /// Whether all tables can still be found.
    pub(in crate::sled) fn is_there(&self) -> bool {
        self.tables.are_there()
    }

    /// Looks one row up.
    pub(in crate::sled) fn get<const N: usize>(&self, key: &[u8; N]) -> Result<Option<IVec>, ReadError> {
        match self.wal.get(&key.into()) {
            Some(row) => Ok(row),
            None => self.tables.get(key),
        }
    }

    /// Returns a range of rows.
    pub(in crate::sled) fn range(&self, bounds: Bounds, order: Order) -> Result<Range<Rows>, ReadError> {
        self.wal.range(bounds, order, || self.tables.range(bounds, order))
    }

    /// Writes a batch that leads to a version. It survives the end of the process, not of the machine. If that fails, nothing of it is
    /// visible.
    pub(in crate::sled) fn apply(&self, batch: Batch, version: u64, alive: &dyn Fn()) -> Result<(), WriteFailure> {
        self.wal.append(batch, version, alive)
    }

    /// Makes everything applied durable.
    pub(in crate::sled) fn sync(&self) -> Result<(), WriteFailure> {
        self.wal.sync()
    }

    pub(in crate::sled) const fn wal(&self) -> &Wal {
        &self.wal
    }

    pub(in crate::sled) const fn merger(&self) -> &Merger {
        &self.merger
    }

    /// Writes a round of the log to a table durably: then the tables hold everything up to the version in its row of the counters.
    /// `step` is called again and again, and stops it by returning `false`.
    pub(in crate::sled) fn write_round(&self, round: &Round, step: &dyn Fn() -> bool) -> Result<(), WriteError> {
        let rows = round.rows();
        self.tables.add(rows.len() as u64, rows.iter().map(|(key, held)| Ok((*key, held.clone()))), step)
    }

    /// The bytes free for us on the disk, without what the tables may still need for the rows of the log. `None` if that cannot be known.
    pub(in crate::sled) fn free_bytes(&self) -> Option<u64> {
        self.tables.free_bytes().map(|free| free.saturating_sub(self.wal.space_needed()))
    }

    /// Merges tables until [`Merger::close`].
    pub(in crate::sled) fn run_merger(&self, note: &dyn Fn(&str)) {
        self.merger.run(&|| MERGE_RESERVE_BYTES.saturating_add(self.wal.space_needed()), note);
    }

    /// Returns the bytes of all tables.
    pub(in crate::sled) fn bytes(&self) -> u64 {
        self.tables.bytes()
    }

    /// Gives everything back.
    pub(in crate::sled) fn close(&self) {
        self.tables.close();
    }
}

fn open_tables(store: &Arc<Directory>, options: &SledOptions, completion: Completion) -> Result<Tables, OpenError> {
    let settings = TablesOptions { cache_bytes: options.cache_bytes, least_waste_bytes: options.least_waste_bytes };
    if !matches!(completion, Completion::Older { .. }) {
        match Tables::open(store, settings) {
            Ok(Some(tables)) => return Ok(tables),
            Ok(None) => {}
            Err(TablesFailure::Damaged) => return Err(OpenError::Corrupt),
            Err(TablesFailure::Io(error)) => return Err(error.into()),
        }
    }
    let tables = Tables::create(store, settings)?;
    if legacy::is_there(store)? {
        // Those of a copy that was interrupted.
        tables.remove_unknown()?;
        match legacy::copy(store, &tables) {
            // A tree whose creation was interrupted. Nothing in it was ever acknowledged; it is kept all the same.
            Err(OpenError::Corrupt) if completion == Completion::Unfinished => {
                remove_tree(store, UNFINISHED_TREE)?;
                store.rename(TREE, UNFINISHED_TREE)?;
            }
            copied => copied?,
        }
    }
    tables.settle()?;
    Ok(tables)
}
