//! The tables of a store. Readers take the list as it is at a moment: what is in it stays readable, whatever becomes of it meanwhile.

use std::io;
use std::ops::{Bound, Range};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use ::sled::IVec;
use parking_lot::{Mutex, RwLock};

use super::cache::Cache;
use super::filter;
use super::manifest::{self, Found};
use super::merged::{Merged, Rows};
use super::table::{Identity, OpenFailure, Table};
use super::writer::TableWriter;
use crate::engine::ReadError;
use crate::sled::lock::layout::{TABLES, name_of, number_of};
use crate::sled::lock::system::{Directory, How, has_name, make_private_file};
use crate::sled::wal::batch::RowKey;
use crate::sled::wal::range::Order;
use crate::sled::wal::{Bounds, Held};

/// The rows that are written between two steps.
const STEP_ROWS: u64 = 64;

/// Numbers of tables are below this.
const MOST_NUMBER: u64 = 1 << 62;

/// All keys.
const ALL: Bounds = (Bound::Unbounded, Bound::Unbounded);

/// The newest table first.
pub(super) type List = Arc<Vec<Arc<Table>>>;

/// See [`crate::sled::SledOptions`].
#[derive(Clone, Copy)]
pub(in crate::sled) struct TablesOptions {
    pub(in crate::sled) cache_bytes: u64,
    pub(in crate::sled) least_waste_bytes: u64,
}

/// Why the tables do not open.
pub(in crate::sled) enum TablesFailure {
    Damaged,
    Io(io::Error),
}

impl From<io::Error> for TablesFailure {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

/// Why tables could not be written.
#[derive(Debug)]
pub(in crate::sled) enum WriteError {
    /// `step` returned `false`.
    Stopped,
    /// What should be written could not be read.
    Read(ReadError),
    Io(io::Error),
}

impl From<io::Error> for WriteError {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

impl From<ReadError> for WriteError {
    fn from(error: ReadError) -> Self {
        Self::Read(error)
    }
}

/// See the module.
pub(in crate::sled) struct Tables {
    store: Arc<Directory>,
    directory: Directory,
    /// `None` once closed.
    list: RwLock<Option<List>>,
    cache: Arc<Cache>,
    /// The number of the next table.
    next: AtomicU64,
    /// Held while the list changes. Whether a sync has failed: what the disk has is not known then, and another sync would not tell.
    change: Mutex<bool>,
    pub(super) least_waste_bytes: u64,
}

impl Tables {
    /// Opens the tables of a store. `None`: it has no manifest.
    pub(in crate::sled) fn open(store: &Arc<Directory>, options: TablesOptions) -> Result<Option<Self>, TablesFailure> {
        let identities = match manifest::read(store)? {
            Found::Nothing => return Ok(None),
            Found::Damaged => return Err(TablesFailure::Damaged),
            Found::Tables(identities) => identities,
        };
        let this = Self::new(store, options)?;
        let mut list = Vec::with_capacity(identities.len());
        for identity in identities {
            list.push(Arc::new(this.open_table(identity)?));
        }
        *this.list.write() = Some(Arc::new(list));
        Ok(Some(this))
    }

    /// Returns the tables of a store without any. Nothing is durable before the first was added, or [`Self::settle`].
    pub(in crate::sled) fn create(store: &Arc<Directory>, options: TablesOptions) -> io::Result<Self> {
        Self::new(store, options)
    }

    fn new(store: &Arc<Directory>, options: TablesOptions) -> io::Result<Self> {
        let directory = store.directory_or_new(TABLES)?;
        let last = numbers(&directory)?.into_iter().max();
        Ok(Self {
            store: Arc::clone(store),
            directory,
            list: RwLock::new(Some(List::default())),
            cache: Arc::new(Cache::new(options.cache_bytes)),
            next: AtomicU64::new(last.map_or(1, |last| last.saturating_add(1))),
            change: Mutex::default(),
            least_waste_bytes: options.least_waste_bytes,
        })
    }

    fn open_table(&self, identity: Identity) -> Result<Table, TablesFailure> {
        let file = match self.directory.file(&name_of(identity.number), How::Read) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Err(TablesFailure::Damaged),
            Err(error) => return Err(TablesFailure::Io(error)),
        };
        Table::open(file, identity, Arc::clone(&self.cache)).map_err(|failure| match failure {
            OpenFailure::Damaged => TablesFailure::Damaged,
            OpenFailure::Io(error) => TablesFailure::Io(error),
        })
    }

    /// Writes the manifest as it is.
    pub(in crate::sled) fn settle(&self) -> io::Result<()> {
        let mut has_failed = self.change.lock();
        let list = self.list().map_err(|_| io::ErrorKind::NotFound)?;
        self.name(&list, &mut has_failed)
    }

    /// Makes a list durable: its files first, then the manifest.
    fn name(&self, list: &[Arc<Table>], has_failed: &mut bool) -> io::Result<()> {
        if *has_failed {
            return Err(io::Error::other("a sync has failed before"));
        }
        let named = self.directory.sync().map_err(|error| (true, error)).and_then(|()| {
            let written = manifest::write(&self.store, list.iter().map(|table| table.identity));
            // On a full disk the new manifest was not written, and the old one is there.
            let is_full =
                |error: &io::Error| matches!(error.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded);
            written.map_err(|error| (!is_full(&error), error))
        });
        named.map_err(|(is_lasting, error)| {
            *has_failed |= is_lasting;
            error
        })
    }

    /// Removes files that the manifest does not name: a crash has left them.
    pub(in crate::sled) fn remove_unknown(&self) -> io::Result<()> {
        let list = self.list().map_err(|_| io::ErrorKind::NotFound)?;
        let is_unknown = |number: &u64| list.iter().all(|table| table.identity.number != *number);
        let unknown = numbers(&self.directory)?.into_iter().filter(is_unknown);
        unknown.into_iter().try_for_each(|number| self.directory.remove_file(&name_of(number)))
    }

    /// Whether the directory was not removed.
    pub(in crate::sled) fn has_name(&self) -> bool {
        self.directory.itself().is_ok_and(|found| !found.is_removed)
    }

    /// Whether the path leads to the directory, and all tables can still be found.
    pub(in crate::sled) fn are_there(&self) -> bool {
        let list = self.list().unwrap_or_default();
        let missing = list.iter().find(|table| !has_name(&table.file));
        // A merge takes a table from the list before it removes the file.
        let is_merged = |missing: &Arc<Table>| {
            let now = self.list().unwrap_or_default();
            now.iter().all(|table| table.identity.number != missing.identity.number)
        };
        self.directory.is_at_its_path() && missing.is_none_or(is_merged)
    }

    /// The bytes free for us on the disk. `None` if that cannot be known.
    pub(in crate::sled) fn free_bytes(&self) -> Option<u64> {
        self.directory.free_bytes()
    }

    pub(super) fn list(&self) -> Result<List, ReadError> {
        self.list.read().clone().ok_or(ReadError::Closed)
    }

    /// Returns the bytes of all tables.
    pub(in crate::sled) fn bytes(&self) -> u64 {
        self.list().map_or(0, |list| list.iter().map(|table| table.identity.bytes).sum())
    }

    /// Looks one row up.
    pub(in crate::sled) fn get(&self, key: &[u8]) -> Result<Option<IVec>, ReadError> {
        let (list, hash) = (self.list()?, filter::hash(key));
        for table in list.iter() {
            if let Some(row) = table.get(key, hash)? {
                return Ok(row);
            }
        }
        Ok(None)
    }

    /// Returns the rows in a range, as they are now.
    pub(in crate::sled) fn range(&self, bounds: Bounds, order: Order) -> Result<Rows, ReadError> {
        Ok(Rows(Merged::new(&self.list()?, bounds, order, true)))
    }

    /// Adds a table with rows, which come in order of their keys. `step` is called again and again. Once this returns, they are durable.
    pub(in crate::sled) fn add(
        &self,
        most_rows: u64,
        rows: impl Iterator<Item = Result<(RowKey, Held), ReadError>>,
        step: &dyn Fn() -> bool,
    ) -> Result<(), WriteError> {
        let table = self.write(most_rows, |writer| {
            for (number, row) in rows.enumerate() {
                if (number as u64).is_multiple_of(STEP_ROWS) && !step() {
                    return Err(WriteError::Stopped);
                }
                let (key, held) = row?;
                writer.push(&key, &held)?;
            }
            Ok(())
        })?;
        if !step() {
            return Err(WriteError::Stopped);
        }
        self.replace(&[], table)
    }

    /// Writes a table durably. `None` if it would have no rows. Nothing names it yet.
    fn write(
        &self,
        most_rows: u64,
        rows: impl FnOnce(&mut TableWriter) -> Result<(), WriteError>,
    ) -> Result<Option<Table>, WriteError> {
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        let file = self.directory.file(&name_of(number), How::New)?;
        let mut writer = TableWriter::new(file, number, most_rows);
        let written = make_private_file(writer.file()).map_err(WriteError::Io).and_then(|()| rows(&mut writer));
        let table = written.and_then(|()| Ok(writer.finish(Arc::clone(&self.cache))?));
        if !matches!(table, Ok(Some(_))) {
            // If this fails, the next opening does it.
            let _ = self.directory.remove_file(&name_of(number));
        }
        table
    }

    /// Merges neighbouring tables. `step` is called with the bytes that were written so far. If it fails, everything is as before.
    pub(super) fn merge(
        &self,
        old: &[Arc<Table>],
        step: &mut dyn FnMut(u64) -> Result<(), WriteError>,
    ) -> Result<(), WriteError> {
        let list = self.list()?;
        let (Some(oldest), Some(last)) = (old.last(), list.last()) else { return Ok(()) };
        let reaches_end = oldest.identity.number == last.identity.number;
        let rows = old.iter().map(|table| table.counts.rows).sum();
        let table = self.write(rows, |writer| {
            let mut merged = Merged::new(old, ALL, Order::Forward, false);
            for number in 1_u64.. {
                let Some((key, mut held)) = merged.next()? else { break };
                held.is_new |= reaches_end;
                if held.row.is_some() || !held.is_new {
                    writer.push(&key, &held)?;
                }
                if number.is_multiple_of(STEP_ROWS) {
                    step(writer.bytes())?;
                }
            }
            Ok(())
        })?;
        self.replace(old, table)
    }

    /// Puts a new table, which is durable, in the place of old neighbours, or before all. The files of the old ones are removed.
    fn replace(&self, old: &[Arc<Table>], new: Option<Table>) -> Result<(), WriteError> {
        let mut has_failed = self.change.lock();
        let now = self.list()?;
        let place = place_of(&now, old);
        let mut list: Vec<_> = now.to_vec();
        list.splice(place, new.map(Arc::new));
        self.name(&list, &mut has_failed)?;
        if let Some(current) = self.list.write().as_mut() {
            *current = Arc::new(list);
        }
        for table in old {
            // Its space is lost until the next opening if this fails.
            let _ = self.directory.remove_file(&name_of(table.identity.number));
        }
        Ok(())
    }

    /// Gives everything back.
    pub(in crate::sled) fn close(&self) {
        drop(self.list.write().take());
    }
}

/// Where neighbouring tables are in a list: others may have been added before them.
fn place_of(list: &[Arc<Table>], old: &[Arc<Table>]) -> Range<usize> {
    let Some(first) = old.first() else { return 0..0 };
    let start = list.iter().position(|table| table.identity.number == first.identity.number).unwrap_or(0);
    start..start.saturating_add(old.len()).min(list.len())
}

/// The numbers of the files in the directory. Larger ones than we give are none of ours.
fn numbers(directory: &Directory) -> io::Result<Vec<u64>> {
    let numbers = directory.names()?;
    let numbers = numbers.iter().filter_map(|name| name.to_str().and_then(number_of));
    Ok(numbers.filter(|number| *number < MOST_NUMBER).collect())
}
