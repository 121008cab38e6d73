//! sled, wrapped: opened with care, its errors and panics turned into ours, synced for real.

use std::fs::File;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;
use std::time::{Duration, Instant};

use ::sled::{Db, IVec};
use parking_lot::RwLock;

use crate::engine::ReadError;
use crate::sled::error::{OpenError, SledOptions};
use crate::sled::lock::directory::Completion;
use crate::sled::lock::layout::{
    DAMAGED_TREES, GENERATING, TREE, TREE_BLOBS, TREE_FILE, TREE_SETTINGS, UNFINISHED_TREE, remove_tree, snapshots,
};
use crate::sled::lock::system::{self, Directory, How, make_private_file};
use crate::sled::wal::Bounds;
use crate::sled::wal::batch::{Row, RowKey};
use crate::sled::wal::range::{Below, Order};

use super::page::{is_packed, side};
use super::pages::{PageRange, PageWriter, Pages, REMOVAL_BYTES};

/// With less free space the disk counts as full for additions, so that sled never meets a full disk: it could not recover.
pub(in crate::sled) const RESERVE_BYTES: u64 = 16 * 1024 * 1024;
/// The name of the tree of pages in sled.
const PAGES: &str = "pages";
/// The part of a segment that rows may fill between two syncs. sled uses the segments of replaced pages anew once it has written two or three
/// others, whether or not these are on the disk; and it writes up to twenty times the bytes of rows.
const UNSYNCED_PART: u64 = 32;

/// sled's trees.
pub(super) struct Trees {
    pub(super) rows: Db,
    pub(super) pages: Pages,
}

/// See the module.
pub(super) struct Database {
    /// `None` once closed.
    trees: RwLock<Option<Trees>>,
    /// Our own descriptor of sled's file: its `flush` is no fsync.
    file: File,
    directory: Directory,
    most_unsynced: u64,
}

impl Database {
    /// Opens the tree in `<store>/db`, or creates it.
    pub(super) fn open(store: &Directory, options: &SledOptions, completion: Completion) -> Result<Self, OpenError> {
        let mut directory = store.directory_or_new(TREE)?;
        for name in snapshots(&directory)? {
            if name.ends_with(GENERATING) {
                directory.remove_file(&name)?;
            }
        }
        // What a killed process has written is on the disk before sled builds on it.
        if let Some(file) = directory.file_if_there(TREE_FILE, How::Write)? {
            file.sync_all()?;
        }
        let trees = match open_trees(&directory, options) {
            Ok(trees) => trees,
            Err(Failure::Error(error)) => return Err(error),
            Err(Failure::Damaged) if completion == Completion::Unfinished => {
                directory = start_over(store)?;
                open_again(&directory, options, || store.path().join(UNFINISHED_TREE))?
            }
            Err(Failure::Damaged) => {
                let copy = copy_aside(store, &directory)?;
                // Once more without the snapshots, which are only a cache.
                for name in snapshots(&directory)? {
                    directory.remove_file(&name)?;
                }
                open_again(&directory, options, || copy)?
            }
        };
        let trees = RwLock::new(Some(trees));
        // sled opens by path. It must have come to what was looked at.
        if !directory.is_at_its_path() {
            drop_quietly(trees.write().take());
            return Err(OpenError::Unavailable(io::ErrorKind::NotFound));
        }
        let file = directory.file(TREE_FILE, How::Write).inspect_err(|_| drop_quietly(trees.write().take()))?;
        let most_unsynced = options.segment_bytes as u64 / UNSYNCED_PART;
        let tree = Self { trees, file, directory, most_unsynced };
        tree.settle()?;
        Ok(tree)
    }

    /// Syncs everything sled has created.
    fn settle(&self) -> io::Result<()> {
        make_private_file(&self.file)?;
        self.file.sync_all()?;
        let settings = self.directory.file(TREE_SETTINGS, How::Write)?;
        make_private_file(&settings)?;
        settings.sync_all()?;
        self.directory.directory_or_new(TREE_BLOBS)?.sync()?;
        self.directory.sync()
    }

    /// Whether its file can still be found.
    pub(super) fn has_name(&self) -> bool {
        system::has_name(&self.file)
    }

    /// Uses the trees. A panic in sled becomes an error.
    pub(super) fn with<T>(&self, use_them: impl FnOnce(&Trees) -> Result<T, ReadError>) -> Result<T, ReadError> {
        let guard = self.trees.read();
        let trees = guard.as_ref().ok_or(ReadError::Closed)?;
        catch_unwind(AssertUnwindSafe(|| use_them(trees))).unwrap_or(Err(ReadError::Corrupt))
    }

    /// Looks one row up.
    pub(super) fn get(&self, key: &[u8]) -> Result<Option<IVec>, ReadError> {
        self.with(|trees| if is_packed(key) { trees.pages.get(key) } else { Ok(trees.rows.get(key)?) })
    }

    /// Returns a writer of many rows.
    pub(super) fn writer(&self) -> Writer<'_> {
        Writer { database: self, pages: PageWriter::default(), written: 0, synced: 0 }
    }

    /// Makes everything written durable.
    pub(super) fn sync(&self) -> Result<(), ReadError> {
        self.with(|trees| Ok(trees.rows.flush()?))?;
        self.file.sync_data().map_err(|_| ReadError::Unavailable)
    }

    /// The bytes free for us on the disk. `None` if that cannot be known.
    pub(super) fn free_bytes(&self) -> Option<u64> {
        self.directory.free_bytes()
    }

    /// Whether the rows of an older format can be packed: the pages take less than a quarter of what the rows did.
    pub(super) fn has_room_to_pack(&self) -> io::Result<bool> {
        let wanted = (self.file.metadata()?.len() / 4).saturating_add(RESERVE_BYTES);
        Ok(self.free_bytes().is_none_or(|free| free >= wanted))
    }

    /// Whether sled has made files of its own for large rows, which it never syncs. It must not.
    pub(super) fn has_blobs(&self) -> bool {
        let names = self.directory.directory(TREE_BLOBS).and_then(|blobs| blobs.map(|blobs| blobs.names()).transpose());
        matches!(names, Ok(Some(names)) if !names.is_empty())
    }

    /// Keeps a copy of a tree that says something that cannot be, and what to answer then. Closed first, for Windows lets
    /// nobody read a file that another has locked.
    pub(super) fn put_aside(&self, store: &Directory) -> OpenError {
        self.close();
        match copy_aside(store, &self.directory) {
            Ok(copy) => OpenError::Corrupt { copy },
            Err(error) => error.into(),
        }
    }

    /// Gives everything back.
    pub(super) fn close(&self) {
        drop_quietly(self.trees.write().take());
    }
}

/// Writes rows, in order of their keys. If that fails, some of them may be visible.
pub(super) struct Writer<'d> {
    database: &'d Database,
    pages: PageWriter,
    written: u64,
    synced: u64,
}

impl Writer<'_> {
    /// Writes or removes a row. A packed one may not be written before [`Self::finish`].
    pub(super) fn write(&mut self, key: &RowKey, row: &Row) -> Result<(), ReadError> {
        let Self { database, pages, written, .. } = self;
        database.with(|trees| match row {
            _ if is_packed(key) => pages.change(&trees.pages, key, row),
            Some(row) => {
                *written = written.saturating_add((key.len() + row.len()) as u64);
                trees.rows.insert(key, row.clone())?;
                Ok(())
            }
            None => {
                *written = written.saturating_add(REMOVAL_BYTES);
                trees.rows.remove(key)?;
                Ok(())
            }
        })?;
        self.sync_if_due()
    }

    /// Removes a row that is not packed yet.
    pub(super) fn remove_unpacked(&mut self, key: &RowKey) -> Result<(), ReadError> {
        self.written = self.written.saturating_add(REMOVAL_BYTES);
        self.database.with(|trees| Ok(trees.rows.remove(key).map(drop)?))?;
        self.sync_if_due()
    }

    fn sync_if_due(&mut self) -> Result<(), ReadError> {
        let written = self.written.saturating_add(self.pages.written());
        if written.saturating_sub(self.synced) >= self.database.most_unsynced {
            self.synced = written;
            self.database.sync()?;
        }
        Ok(())
    }

    /// Makes everything written durable.
    pub(super) fn finish(mut self) -> Result<(), ReadError> {
        let pages = &mut self.pages;
        self.database.with(|trees| pages.finish(&trees.pages))?;
        self.database.sync()
    }
}

/// The rows of sled in a range.
pub(in crate::sled) struct Rows<'t> {
    database: &'t Database,
    rows: Option<::sled::Iter>,
    packed: Option<PageRange>,
    /// The next of either, if it was read already.
    row: Option<(RowKey, IVec)>,
    packed_row: Option<(RowKey, IVec)>,
    order: Order,
}

impl<'t> Rows<'t> {
    pub(super) fn open(database: &'t Database, bounds: Bounds, order: Order) -> Result<Self, ReadError> {
        database.with(|trees| {
            let side = side(&bounds);
            let rows = (side != Some(true)).then(|| trees.rows.range(bounds));
            let packed = (side != Some(false)).then(|| trees.pages.range(bounds, order));
            Ok(Self { database, rows, packed, row: None, packed_row: None, order })
        })
    }
}

impl Below for Rows<'_> {
    fn next(&mut self) -> Result<Option<(RowKey, IVec)>, ReadError> {
        let Self { rows, packed, row, packed_row, .. } = self;
        self.database.with(|trees| {
            if let (None, Some(rows)) = (&row, rows) {
                let next = if self.order == Order::Forward { rows.next() } else { rows.next_back() };
                let known =
                    |(key, row): (IVec, IVec)| RowKey::new(&key).map(|key| (key, row)).ok_or(ReadError::Corrupt);
                *row = next.transpose()?.map(known).transpose()?;
            }
            if let (None, Some(packed)) = (&packed_row, packed) {
                *packed_row = packed.next(&trees.pages)?;
            }
            let is_packed_first = match (&row, &packed_row) {
                (Some((row, _)), Some((packed, _))) if self.order == Order::Forward => packed < row,
                (Some((row, _)), Some((packed, _))) => packed > row,
                (row, _) => row.is_none(),
            };
            Ok(if is_packed_first { packed_row.take() } else { row.take() })
        })
    }
}

/// sled syncs when it is dropped, and panics if that fails.
fn drop_quietly(trees: Option<Trees>) {
    drop(catch_unwind(AssertUnwindSafe(|| drop(trees))));
}

impl Drop for Database {
    fn drop(&mut self) {
        self.close();
    }
}

enum Failure {
    Error(OpenError),
    Damaged,
}

fn open_trees(directory: &Directory, options: &SledOptions) -> Result<Trees, Failure> {
    let config = ::sled::Config::new()
        .path(directory.path())
        .cache_capacity(options.cache_bytes)
        .segment_size(options.segment_bytes)
        // sled's own thread syncs the file and passes over a failure, after which our sync could succeed without what it lost.
        .flush_every_ms(None);
    // Our own lock is held, so the only one who can hold sled's is a thread of a database closed a moment ago.
    let until = Instant::now() + Duration::from_secs(5);
    loop {
        let open = || config.open().and_then(|rows| Ok(Trees { pages: Pages::new(rows.open_tree(PAGES)?), rows }));
        match catch_unwind(AssertUnwindSafe(open)) {
            Ok(Ok(trees)) => return Ok(trees),
            Ok(Err(::sled::Error::Io(error))) if error.to_string().contains("could not acquire lock") => {
                if Instant::now() > until {
                    return Err(Failure::Error(OpenError::Locked));
                }
                std::thread::sleep(Duration::from_millis(2));
            }
            // An error of the operating system says nothing about the data.
            Ok(Err(::sled::Error::Io(error))) if error.raw_os_error().is_some() => {
                return Err(Failure::Error(error.into()));
            }
            Ok(Err(_)) | Err(_) => return Err(Failure::Damaged),
        }
    }
}

/// Opens what must not fail again; where a copy of it is, is for the message.
fn open_again(
    directory: &Directory,
    options: &SledOptions,
    copy: impl FnOnce() -> PathBuf,
) -> Result<Trees, OpenError> {
    open_trees(directory, options).map_err(|failure| match failure {
        Failure::Error(error) => error,
        Failure::Damaged => OpenError::Corrupt { copy: copy() },
    })
}

/// A tree whose creation was cut off may be of no use, and nothing in it was ever acknowledged. It is put aside all the
/// same: should a file have gone missing from a complete store, this takes nothing away.
fn start_over(store: &Directory) -> io::Result<Directory> {
    remove_tree(store, UNFINISHED_TREE)?;
    store.rename(TREE, UNFINISHED_TREE)?;
    store.create_directory(TREE)
}

/// Copies the tree as it is. The oldest copies are kept, so that trying again and again does not fill the disk.
fn copy_aside(store: &Directory, tree: &Directory) -> io::Result<PathBuf> {
    for name in DAMAGED_TREES {
        if store.entry(name)?.is_none() {
            copy_tree(tree, &store.create_directory(name)?)?;
            store.sync()?;
            return Ok(store.path().join(name));
        }
    }
    Ok(store.path().join(DAMAGED_TREES.last().unwrap_or(&TREE)))
}

fn copy_tree(from: &Directory, to: &Directory) -> io::Result<()> {
    let settled = [TREE_FILE, TREE_SETTINGS].map(str::to_owned);
    for name in snapshots(from)?.into_iter().chain(settled) {
        let Some(mut file) = from.file_if_there(&name, How::Read)? else { continue };
        let mut copy = to.file(&name, How::New)?;
        make_private_file(&copy)?;
        io::copy(&mut file, &mut copy)?;
        copy.sync_all()?;
    }
    to.sync()
}
