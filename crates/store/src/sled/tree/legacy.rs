//! Reading what a store of format 1 or 2 kept in sled: one tree with a row for each key, and one with pages of packed rows.

use std::io;
use std::iter::Peekable;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::{Duration, Instant};

use ::sled::{Db, IVec, Tree};

use crate::engine::ReadError;
use crate::sled::error::OpenError;
use crate::sled::lock::layout::{GENERATING, TREE, TREE_FILE, snapshots};
use crate::sled::lock::system::{Directory, How};
use crate::sled::tables::{Tables, WriteError};
use crate::sled::wal::Held;
use crate::sled::wal::batch::RowKey;

use super::RESERVE_BYTES;

/// The bytes of rows that sled keeps in memory.
const CACHE_BYTES: u64 = 32 * 1024 * 1024;
/// The size of the pieces in which these stores use sled's file. sled opens a store with no other.
pub(in crate::sled) const SEGMENT_BYTES: usize = 2 * 1024 * 1024;
/// The most rows that are copied to one table.
const ROWS_A_TABLE: u64 = 4 * 1024 * 1024;
/// The name of the tree of pages in sled.
const PAGES: &str = "pages";
/// There while rows of format 1 had to be packed.
const UNPACKED_KEY: [u8; 1] = [0x05];
const PAGE_FORMAT: u8 = 1;

/// Whether there is something to read.
pub(super) fn is_there(store: &Directory) -> io::Result<bool> {
    let Some(directory) = store.directory(TREE)? else { return Ok(false) };
    Ok(directory.entry(TREE_FILE)?.is_some())
}

/// Copies all rows to tables, durably. What was there stays.
pub(super) fn copy(store: &Directory, tables: &Tables) -> Result<(), OpenError> {
    let directory = store.directory(TREE)?.ok_or(OpenError::Corrupt)?;
    let file = directory.file(TREE_FILE, How::Write)?;
    // The tables take less than half of what sled did.
    let wanted = (file.metadata()?.len() / 2).saturating_add(RESERVE_BYTES);
    if tables.free_bytes().is_some_and(|free| free < wanted) {
        return Err(OpenError::Full);
    }
    // What a killed process has written is on the disk before sled builds on it.
    file.sync_all()?;
    let database = open(&directory)?.ok_or(OpenError::Corrupt)?;
    let copied = catch_unwind(AssertUnwindSafe(|| {
        let mut rows = Rows::open(&database)?.peekable();
        while rows.peek().is_some() {
            tables.add(ROWS_A_TABLE, rows.by_ref().take(ROWS_A_TABLE as usize), &|| true)?;
        }
        Ok(())
    }));
    // sled syncs when it is dropped, and panics if that fails.
    drop(catch_unwind(AssertUnwindSafe(|| drop(database))));
    match copied.unwrap_or(Err(WriteError::Read(ReadError::Corrupt))) {
        Ok(()) => Ok(()),
        Err(WriteError::Io(error)) => Err(error.into()),
        Err(WriteError::Read(ReadError::Unavailable)) => Err(OpenError::Unavailable(io::ErrorKind::Other)),
        Err(_) => Err(OpenError::Corrupt),
    }
}

/// Opens sled's database. `None` if it is damaged.
fn open(directory: &Directory) -> Result<Option<Db>, OpenError> {
    let mut snapshots = snapshots(directory)?;
    snapshots.retain(|name| name.ends_with(GENERATING));
    snapshots.iter().try_for_each(|name| directory.remove_file(name))?;
    if let Some(database) = open_once(directory)? {
        return Ok(Some(database));
    }
    // Once more without the snapshots, which are only a cache.
    for name in self::snapshots(directory)? {
        directory.remove_file(&name)?;
    }
    open_once(directory)
}

fn open_once(directory: &Directory) -> Result<Option<Db>, OpenError> {
    let config = ::sled::Config::new()
        .path(directory.path())
        .cache_capacity(CACHE_BYTES)
        .segment_size(SEGMENT_BYTES)
        // sled's own thread would sync the file and pass over a failure.
        .flush_every_ms(None);
    // Our own lock is held, so the only one that can hold sled's is a thread of a database closed a moment ago.
    let until = Instant::now() + Duration::from_secs(5);
    loop {
        match catch_unwind(AssertUnwindSafe(|| config.open())) {
            // sled opens by path. It must have come to what was looked at.
            Ok(Ok(_)) if !directory.is_at_its_path() => return Err(OpenError::Unavailable(io::ErrorKind::NotFound)),
            Ok(Ok(database)) => return Ok(Some(database)),
            Ok(Err(::sled::Error::Io(error))) if error.to_string().contains("could not acquire lock") => {
                if Instant::now() > until {
                    return Err(OpenError::Locked);
                }
                std::thread::sleep(Duration::from_millis(2));
            }
            // An error of the operating system says nothing about the data.
            Ok(Err(::sled::Error::Io(error))) if error.raw_os_error().is_some() => return Err(error.into()),
            Ok(Err(_)) | Err(_) => return Ok(None),
        }
    }
}

type Row = Result<(RowKey, IVec), ReadError>;

/// All rows, in order of their keys.
struct Rows {
    rows: Peekable<Box<dyn Iterator<Item = Row>>>,
    packed: Peekable<Packed>,
}

impl Rows {
    fn open(database: &Db) -> Result<Self, ReadError> {
        let known = |found: ::sled::Result<(IVec, IVec)>| {
            let (key, row) = found?;
            Ok((RowKey::new(&key).ok_or(ReadError::Corrupt)?, row))
        };
        let is_wanted = |row: &Row| row.as_ref().map_or(true, |(key, _)| **key != UNPACKED_KEY);
        let rows: Box<dyn Iterator<Item = Row>> = Box::new(database.iter().map(known).filter(is_wanted));
        let packed =
            Packed { pages: database.open_tree(PAGES)?, after: None, rows: Vec::new().into_iter(), is_over: false };
        Ok(Self { rows: rows.peekable(), packed: packed.peekable() })
    }
}

impl Iterator for Rows {
    type Item = Result<(RowKey, Held), ReadError>;

    fn next(&mut self) -> Option<Self::Item> {
        let next = match (self.rows.peek(), self.packed.peek()) {
            (Some(Ok((row, _))), Some(Ok((packed, _)))) if packed == row => {
                // Packing was interrupted before the row was removed from where it was.
                drop(self.rows.next());
                self.packed.next()
            }
            (Some(Ok((row, _))), Some(Ok((packed, _)))) if packed < row => self.packed.next(),
            (Some(_), _) => self.rows.next(),
            (None, _) => self.packed.next(),
        };
        next.map(|row| row.map(|(key, row)| (key, Held { row: Some(row), is_new: true })))
    }
}

/// The rows of pages. A page's key is a lower bound of those in it, and what it holds at or after the next page's key does not count.
struct Packed {
    pages: Tree,
    /// The key of the page at hand.
    after: Option<IVec>,
    rows: std::vec::IntoIter<(RowKey, IVec)>,
    is_over: bool,
}

impl Packed {
    /// Reads the next page. Returns whether there was one.
    fn read_page(&mut self) -> Result<bool, ReadError> {
        let page = match &self.after {
            Some(after) => self.pages.get_gt(after)?,
            None => self.pages.first()?,
        };
        let Some((start, page)) = page else { return Ok(false) };
        let end = self.pages.get_gt(&start)?.map(|(end, _)| end);
        let mut rows = decode(&page).ok_or(ReadError::Corrupt)?;
        rows.retain(|(key, _)| end.as_ref().is_none_or(|end| key.as_ref() < end.as_ref()));
        self.rows = rows.into_iter();
        self.after = Some(start);
        Ok(true)
    }
}

impl Iterator for Packed {
    type Item = Row;

    fn next(&mut self) -> Option<Row> {
        loop {
            if let Some(row) = self.rows.next() {
                return Some(Ok(row));
            }
            if self.is_over {
                return None;
            }
            match self.read_page() {
                Ok(true) => {}
                Ok(false) => self.is_over = true,
                Err(error) => {
                    self.is_over = true;
                    return Some(Err(error));
                }
            }
        }
    }
}

/// Decodes a page. `None` if it is corrupt.
fn decode(page: &[u8]) -> Option<Vec<(RowKey, IVec)>> {
    let [PAGE_FORMAT, rest @ ..] = page else { return None };
    let (mut rest, mut key) = (rest, Vec::new());
    let mut rows: Vec<(RowKey, IVec)> = Vec::new();
    while !rest.is_empty() {
        let ([shared, length, row @ ..], after) = rest.split_first_chunk::<4>()?;
        let (tail, after) = after.split_at_checked(usize::from(*length))?;
        let (row, after) = after.split_at_checked(usize::from(u16::from_be_bytes(*row)))?;
        if usize::from(*shared) > key.len() {
            return None;
        }
        key.truncate(usize::from(*shared));
        key.extend_from_slice(tail);
        rest = after;
        let key = RowKey::new(&key)?;
        if rows.last().is_some_and(|(last, _)| *last >= key) {
            return None;
        }
        rows.push((key, IVec::from(row)));
    }
    Some(rows)
}
