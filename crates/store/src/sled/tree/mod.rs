//! sled, wrapped: opened with care, its errors and panics turned into ours, synced for real.

pub(in crate::sled) mod codec;
pub(in crate::sled) mod expiry_buckets;
pub(in crate::sled) mod read;

use std::fs::File;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;
use std::time::{Duration, Instant};

use ::sled::{Batch, Db, IVec};
use parking_lot::RwLock;

use crate::engine::ReadError;
use crate::sled::error::{OpenError, SledOptions};
use crate::sled::lock::directory::Completion;
use crate::sled::lock::layout::{
    DAMAGED_TREES, GENERATING, TREE, TREE_BLOBS, TREE_FILE, TREE_SETTINGS, UNFINISHED_TREE, remove_tree, snapshots,
};
use crate::sled::lock::system::{self, Directory, How, make_private_file};

/// Larger segments waste less on what does not fit their ends; a small store pays for one.
const SLED_SEGMENT_BYTES: usize = 2 * 1024 * 1024;
/// This also drives sled's reclaiming of space.
const FLUSH_EVERY_MILLISECONDS: u64 = 1_000;

/// See the module.
pub(in crate::sled) struct Tree {
    /// `None` once closed.
    db: RwLock<Option<Db>>,
    /// Our own descriptor of sled's file: its `flush` is no fsync.
    file: File,
    directory: Directory,
}

/// What a read of the tree found wrong.
fn read_error(error: &::sled::Error) -> ReadError {
    match error {
        ::sled::Error::Io(_) => ReadError::Unavailable,
        _ => ReadError::Corrupt,
    }
}

impl Tree {
    /// Opens the tree in `<store>/db`, or creates it.
    pub(in crate::sled) fn open(
        store: &Directory,
        options: &SledOptions,
        completion: Completion,
    ) -> Result<Self, OpenError> {
        let mut directory = store.directory_or_new(TREE)?;
        for name in snapshots(&directory)? {
            if name.ends_with(GENERATING) {
                directory.remove_file(&name)?;
            }
        }
        let db = match open_database(&directory, options) {
            Ok(db) => db,
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
        let db = RwLock::new(Some(db));
        // sled opens by path. It must have come to what was looked at.
        if !directory.is_at_its_path() {
            drop_quietly(db.write().take());
            return Err(OpenError::Unavailable(io::ErrorKind::NotFound));
        }
        let file = directory.file(TREE_FILE, How::Write).inspect_err(|_| drop_quietly(db.write().take()))?;
        let tree = Self { db, file, directory };
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
    pub(in crate::sled) fn has_name(&self) -> bool {
        system::has_name(&self.file)
    }

    /// Reads with the tree. A panic in sled becomes an error.
    pub(in crate::sled) fn read<T>(
        &self,
        read: impl FnOnce(&::sled::Tree) -> ::sled::Result<T>,
    ) -> Result<T, ReadError> {
        let guard = self.db.read();
        let db = guard.as_ref().ok_or(ReadError::Closed)?;
        match catch_unwind(AssertUnwindSafe(|| read(db))) {
            Ok(result) => result.map_err(|error| read_error(&error)),
            Err(_) => Err(ReadError::Corrupt),
        }
    }

    /// Looks one row up.
    pub(in crate::sled) fn get(&self, key: &[u8]) -> Result<Option<IVec>, ReadError> {
        self.read(|db| db.get(key))
    }

    /// Applies a batch. If that fails, part of it may be visible.
    pub(in crate::sled) fn apply(&self, batch: Batch) -> Result<(), ReadError> {
        self.read(|db| db.apply_batch(batch))
    }

    /// Hands everything applied to the operating system: it survives the end of the process, not of the machine.
    pub(in crate::sled) fn flush(&self) -> Result<(), ReadError> {
        self.read(|db| db.flush()).map(drop)
    }

    /// Makes everything applied durable.
    pub(in crate::sled) fn sync(&self) -> Result<(), ReadError> {
        self.flush()?;
        self.file.sync_data().map_err(|_| ReadError::Unavailable)
    }

    /// The bytes free for us on the disk. `None` if that cannot be known.
    pub(in crate::sled) fn free_bytes(&self) -> Option<u64> {
        self.directory.free_bytes()
    }

    /// Whether sled has made files of its own for large rows, which it never syncs. It must not.
    pub(in crate::sled) fn has_blobs(&self) -> bool {
        let names = self.directory.directory(TREE_BLOBS).and_then(|blobs| blobs.map(|blobs| blobs.names()).transpose());
        matches!(names, Ok(Some(names)) if !names.is_empty())
    }

    /// Keeps a copy of a tree that says something that cannot be, and what to answer then. Closed first, for Windows lets
    /// nobody read a file that another has locked.
    pub(in crate::sled) fn put_aside(&self, store: &Directory) -> OpenError {
        self.close();
        match copy_aside(store, &self.directory) {
            Ok(copy) => OpenError::Corrupt { copy },
            Err(error) => error.into(),
        }
    }

    /// Gives everything back.
    pub(in crate::sled) fn close(&self) {
        drop_quietly(self.db.write().take());
    }
}

/// sled syncs when it is dropped, and panics if that fails.
fn drop_quietly(db: Option<Db>) {
    drop(catch_unwind(AssertUnwindSafe(|| drop(db))));
}

impl Drop for Tree {
    fn drop(&mut self) {
        self.close();
    }
}

enum Failure {
    Error(OpenError),
    Damaged,
}

fn open_database(directory: &Directory, options: &SledOptions) -> Result<Db, Failure> {
    let config = ::sled::Config::new()
        .path(directory.path())
        .cache_capacity(options.cache_bytes)
        .segment_size(SLED_SEGMENT_BYTES)
        .flush_every_ms(Some(FLUSH_EVERY_MILLISECONDS));
    // Our own lock is held, so the only one who can hold sled's is a thread of a database closed a moment ago.
    let until = Instant::now() + Duration::from_secs(5);
    loop {
        match catch_unwind(AssertUnwindSafe(|| config.open())) {
            Ok(Ok(db)) => return Ok(db),
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
fn open_again(directory: &Directory, options: &SledOptions, copy: impl FnOnce() -> PathBuf) -> Result<Db, OpenError> {
    open_database(directory, options).map_err(|failure| match failure {
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
