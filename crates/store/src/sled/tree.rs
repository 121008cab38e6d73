//! sled, wrapped: opened with care, its errors and panics turned into ours, synced for real.

use std::fs::{File, OpenOptions};
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use ::sled::{Batch, Db, IVec};
use parking_lot::RwLock;

use super::directory::{Stage, UNFINISHED_TREE};
use super::system::{self, make_private_directory, make_private_file, sync_directory};
use super::{OpenError, SledOptions};
use crate::engine::ReadError;

/// Larger segments waste less on what does not fit their ends; a small store pays for one.
const SLED_SEGMENT_BYTES: usize = 2 * 1024 * 1024;
/// This also drives sled's reclaiming of space.
const FLUSH_EVERY_MILLISECONDS: u64 = 1_000;
/// So many copies of a damaged tree are kept.
const COPIES: u32 = 3;

/// See the module.
pub(super) struct Tree {
    /// `None` once closed.
    db: RwLock<Option<Db>>,
    /// Our own descriptor of sled's file: its `flush` is no fsync.
    file: File,
    directory: PathBuf,
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
    pub(super) fn open(store: &Path, options: &SledOptions, stage: Stage) -> Result<Self, OpenError> {
        let directory = store.join("db");
        if directory.exists() {
            remove_unfinished_snapshots(&directory)?;
        } else {
            std::fs::create_dir(&directory)?;
        }
        make_private_directory(&directory)?;
        let db = match open_database(&directory, options) {
            Ok(db) => db,
            Err(Failure::Error(error)) => return Err(error),
            Err(Failure::Damaged) if stage == Stage::Unfinished => start_over(store, &directory, options)?,
            Err(Failure::Damaged) => open_damaged(store, &directory, options)?,
        };
        let file = match OpenOptions::new().read(true).write(true).open(directory.join("db")) {
            Ok(file) => file,
            Err(error) => {
                drop_quietly(Some(db));
                return Err(error.into());
            }
        };
        let tree = Self { db: RwLock::new(Some(db)), file, directory };
        tree.settle()?;
        Ok(tree)
    }

    /// Syncs everything sled has created.
    fn settle(&self) -> io::Result<()> {
        make_private_file(&self.file)?;
        self.file.sync_all()?;
        let configuration = OpenOptions::new().read(true).write(true).open(self.directory.join("conf"))?;
        make_private_file(&configuration)?;
        configuration.sync_all()?;
        let blobs = self.directory.join("blobs");
        make_private_directory(&blobs)?;
        sync_directory(&blobs)?;
        sync_directory(&self.directory)
    }

    /// Reads with the tree. A panic in sled becomes an error.
    pub(super) fn read<T>(&self, read: impl FnOnce(&::sled::Tree) -> ::sled::Result<T>) -> Result<T, ReadError> {
        let guard = self.db.read();
        let db = guard.as_ref().ok_or(ReadError::Closed)?;
        match catch_unwind(AssertUnwindSafe(|| read(db))) {
            Ok(result) => result.map_err(|error| read_error(&error)),
            Err(_) => Err(ReadError::Corrupt),
        }
    }

    /// Looks one row up.
    pub(super) fn get(&self, key: &[u8]) -> Result<Option<IVec>, ReadError> {
        self.read(|db| db.get(key))
    }

    /// Applies a batch. If that fails, part of it may be visible.
    pub(super) fn apply(&self, batch: Batch) -> Result<(), ReadError> {
        self.read(|db| db.apply_batch(batch))
    }

    /// Hands everything applied to the operating system: it survives the end of the process, not of the machine.
    pub(super) fn flush(&self) -> Result<(), ReadError> {
        self.read(|db| db.flush()).map(drop)
    }

    /// Makes everything applied durable.
    pub(super) fn sync(&self) -> Result<(), ReadError> {
        self.flush()?;
        self.file.sync_data().map_err(|_| ReadError::Unavailable)
    }

    /// The bytes free for us on the disk. `None` if that cannot be known.
    pub(super) fn free_bytes(&self) -> Option<u64> {
        system::free_bytes(&self.directory)
    }

    /// Whether sled has made files of its own for large rows, which it never syncs. It must not.
    pub(super) fn has_blobs(&self) -> bool {
        std::fs::read_dir(self.directory.join("blobs")).is_ok_and(|mut files| files.next().is_some())
    }

    /// Keeps a copy of a tree that says something that cannot be, and what to answer then. Closed first, for Windows lets
    /// nobody read a file that another has locked.
    pub(super) fn put_aside(&self, store: &Path) -> OpenError {
        self.close();
        match copy_aside(store, &self.directory) {
            Ok(copy) => OpenError::Corrupt { copy },
            Err(error) => error.into(),
        }
    }

    /// Gives everything back.
    pub(super) fn close(&self) {
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

fn open_database(directory: &Path, options: &SledOptions) -> Result<Db, Failure> {
    let config = ::sled::Config::new()
        .path(directory)
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

/// A tree whose creation was cut off may be of no use, and nothing in it was ever acknowledged. It is put aside all the
/// same: should a file have gone missing from a complete store, this takes nothing away.
fn start_over(store: &Path, directory: &Path, options: &SledOptions) -> Result<Db, OpenError> {
    let aside = store.join(UNFINISHED_TREE);
    match std::fs::remove_dir_all(&aside) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error.into()),
        _ => std::fs::rename(directory, &aside)?,
    }
    std::fs::create_dir(directory)?;
    make_private_directory(directory)?;
    match open_database(directory, options) {
        Ok(db) => Ok(db),
        Err(Failure::Error(error)) => Err(error),
        Err(Failure::Damaged) => Err(OpenError::Corrupt { copy: aside }),
    }
}

/// Once more without the snapshots, which are only a cache, after a copy has been put aside.
fn open_damaged(store: &Path, directory: &Path, options: &SledOptions) -> Result<Db, OpenError> {
    let copy = copy_aside(store, directory)?;
    for path in snapshots(directory)? {
        std::fs::remove_file(path)?;
    }
    match open_database(directory, options) {
        Ok(db) => Ok(db),
        Err(Failure::Error(error)) => Err(error),
        Err(Failure::Damaged) => Err(OpenError::Corrupt { copy }),
    }
}

fn snapshots(directory: &Path) -> io::Result<Vec<PathBuf>> {
    let mut snapshots = Vec::new();
    for file in std::fs::read_dir(directory)? {
        let file = file?;
        if file.file_name().as_encoded_bytes().starts_with(b"snap.") {
            snapshots.push(file.path());
        }
    }
    Ok(snapshots)
}

fn remove_unfinished_snapshots(directory: &Path) -> io::Result<()> {
    for path in snapshots(directory)? {
        if path.extension().is_some_and(|extension| extension == "generating") {
            std::fs::remove_file(path)?;
        }
    }
    Ok(())
}

/// Copies the tree as it is. The oldest copies are kept, so that trying again and again does not fill the disk.
fn copy_aside(store: &Path, directory: &Path) -> io::Result<PathBuf> {
    let path = |number: u32| store.join(format!("db.damaged-{number}"));
    let Some(copy) = (1..=COPIES).map(path).find(|path| !path.exists()) else { return Ok(path(COPIES)) };
    copy_directory(directory, &copy)?;
    sync_directory(store)?;
    Ok(copy)
}

fn copy_directory(from: &Path, to: &Path) -> io::Result<()> {
    std::fs::create_dir(to)?;
    make_private_directory(to)?;
    for entry in std::fs::read_dir(from)? {
        let entry = entry?;
        let target = to.join(entry.file_name());
        if entry.file_type()?.is_dir() {
            copy_directory(&entry.path(), &target)?;
        } else {
            std::fs::copy(entry.path(), &target)?;
            let file = OpenOptions::new().read(true).write(true).open(&target)?;
            make_private_file(&file)?;
            file.sync_all()?;
        }
    }
    sync_directory(to)
}
