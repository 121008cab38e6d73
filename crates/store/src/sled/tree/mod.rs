//! The rows of a store: those of the log before those of sled.

pub(in crate::sled) mod codec;
mod database;
pub(in crate::sled) mod expiry_buckets;
mod pack;
#[cfg(test)]
mod pack_tests;
mod page;
mod pages;
#[cfg(test)]
mod pages_tests;
pub(in crate::sled) mod read;

use ::sled::IVec;

use crate::engine::ReadError;
use crate::sled::error::{OpenError, SledOptions};
use crate::sled::lock::directory::Completion;
use crate::sled::lock::system::Directory;
use crate::sled::wal::batch::{Batch, RowKey};
use crate::sled::wal::range::{Order, Range};
use crate::sled::wal::{Bounds, OpenFailure, Round, Wal, WriteFailure};
use codec::{STATE_KEY, State, decode_state};
use database::Database;
pub(in crate::sled) use database::{RESERVE_BYTES, Rows};

/// The rows that the applier writes between two steps.
const STEP_ROWS: usize = 64;

/// See the module.
pub(in crate::sled) struct Tree {
    database: Database,
    wal: Wal,
}

impl Tree {
    /// Opens the tree and the log of a store, or creates them. `is_first`: the store has never had a log.
    pub(in crate::sled) fn open(
        store: &Directory,
        options: &SledOptions,
        completion: Completion,
        is_first: bool,
    ) -> Result<Self, OpenError> {
        let database = Database::open(store, options, completion)?;
        if completion == Completion::Older {
            if !database.has_room_to_pack()? {
                return Err(OpenError::Full);
            }
            pack::announce(&database).map_err(|_| OpenError::Unavailable(std::io::ErrorKind::Other))?;
        }
        let applied = match database.get(&STATE_KEY) {
            Ok(Some(bytes)) => decode_state(&bytes),
            Ok(None) => Some(State::default()),
            Err(ReadError::Unavailable) => return Err(OpenError::Unavailable(std::io::ErrorKind::Other)),
            Err(_) => None,
        };
        let Some(applied) = applied else { return Err(database.put_aside(store)) };
        match Wal::open(store, applied.version, options.round_bytes, is_first) {
            Ok(wal) => Ok(Self { database, wal }),
            Err(OpenFailure::Damaged) => Err(database.put_aside(store)),
            Err(OpenFailure::Io(error)) => Err(error.into()),
        }
    }

    /// Brings the rows of an older format to the current one. No commit was made since. Returns `false` if there is no space for the rest.
    pub(in crate::sled) fn pack(&self) -> Result<bool, ReadError> {
        pack::pack(&self.database)
    }

    /// Whether its files can still be found.
    pub(in crate::sled) fn has_name(&self) -> bool {
        self.database.has_name() && self.wal.has_names()
    }

    /// Looks one row up.
    pub(in crate::sled) fn get<const N: usize>(&self, key: &[u8; N]) -> Result<Option<IVec>, ReadError> {
        match self.wal.get(&key.into()) {
            Some(row) => Ok(row),
            None => self.database.get(key),
        }
    }

    /// Returns a range of rows.
    pub(in crate::sled) fn range(&self, bounds: Bounds, order: Order) -> Result<Range<Rows<'_>>, ReadError> {
        self.wal.range(bounds, order, || Rows::open(&self.database, bounds, order))
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

    /// Writes a round of the log to sled durably. The row of the counters comes last: with it, sled holds everything up to its version.
    /// Returns `false` if `step` did, which is called again and again.
    pub(in crate::sled) fn write_round(&self, round: &Round, step: &dyn Fn() -> bool) -> Result<bool, ReadError> {
        let state = RowKey::from(&STATE_KEY);
        let rows = round.rows();
        let mut writer = self.database.writer();
        for (number, (key, held)) in rows.iter().filter(|(key, _)| **key != state).enumerate() {
            if number % STEP_ROWS == 0 && !step() {
                return Ok(false);
            }
            writer.write(key, &held.row)?;
        }
        writer.finish()?;
        if !step() {
            return Ok(false);
        }
        let mut writer = self.database.writer();
        if let Some(held) = rows.get(&state) {
            writer.write(&state, &held.row)?;
        }
        writer.finish().map(|()| true)
    }

    /// The bytes free for us on the disk, without what sled may still need for the rows of the log. `None` if that cannot be known.
    pub(in crate::sled) fn free_bytes(&self) -> Option<u64> {
        self.database.free_bytes().map(|free| free.saturating_sub(self.wal.space_needed()))
    }

    /// Whether sled has made files of its own for large rows, which it never syncs. It must not.
    pub(in crate::sled) fn has_blobs(&self) -> bool {
        self.database.has_blobs()
    }

    /// Keeps a copy of a tree that says something that cannot be, and what to answer then.
    pub(in crate::sled) fn put_aside(&self, store: &Directory) -> OpenError {
        self.database.put_aside(store)
    }

    /// Gives everything back.
    pub(in crate::sled) fn close(&self) {
        self.database.close();
    }
}
