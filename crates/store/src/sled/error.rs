//! Why a store does not open, and the options of opening it.

use std::io;

use super::lock::trust::Untrusted;
use super::wal::MOST_ROUND_BYTES;
use crate::engine::{CommitError, ReadError};

/// Below this, giving space back is not worth writing all rows again.
const LEAST_WASTE_BYTES: u64 = 4 * 1024 * 1024;

/// The options of opening a directory.
#[derive(Clone, Debug)]
pub struct SledOptions {
    /// The bytes of blocks that the store keeps in memory.
    pub cache_bytes: u64,
    /// The most bytes of commits that wait in the write-ahead log, and in memory, to be written to a table together: at most twice as many
    /// wait. From 64 KiB to 16 MiB, less if the disk is nearly full.
    pub round_bytes: u64,
    /// Space is given back when more than half of the rows in the tables are replaced or removed ones, and these take at least this many
    /// bytes.
    pub least_waste_bytes: u64,
}

impl Default for SledOptions {
    /// 128 MiB of cache, 16 MiB of commits, 4 MiB of waste.
    fn default() -> Self {
        Self { cache_bytes: 128 * 1024 * 1024, round_bytes: MOST_ROUND_BYTES, least_waste_bytes: LEAST_WASTE_BYTES }
    }
}

/// Why a store could not be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// Another process, or another store of this process, has it open.
    #[error("the store is open elsewhere")]
    Locked,
    /// The path is a symbolic link.
    #[error("the store's path is a symbolic link")]
    Symlink,
    /// There is something at the path that is not a store.
    #[error("there is something that is not a store")]
    Foreign,
    /// There is nothing at the path, or a store that was never completed.
    #[error("there is no store")]
    Absent,
    /// The directory, or something in it, cannot belong to a store. Nothing was changed.
    #[error(transparent)]
    Untrusted(Untrusted),
    /// The store was written by a newer version.
    #[error("the store was written by a newer version")]
    NewerFormat,
    /// The store is corrupt.
    #[error("the store is corrupt")]
    Corrupt,
    /// The disk is full.
    #[error("the disk is full")]
    Full,
    /// The files could not be read or written.
    #[error("the store's files are not accessible: {0}")]
    Unavailable(io::ErrorKind),
}

impl From<io::Error> for OpenError {
    fn from(error: io::Error) -> Self {
        if let Some(found) = error.get_ref().and_then(|inner| inner.downcast_ref::<Untrusted>()) {
            return Self::Untrusted(found.clone());
        }
        match error.kind() {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => Self::Full,
            kind => Self::Unavailable(kind),
        }
    }
}

impl From<::sled::Error> for ReadError {
    fn from(error: ::sled::Error) -> Self {
        match error {
            ::sled::Error::Io(_) => Self::Unavailable,
            _ => Self::Corrupt,
        }
    }
}

/// Converts the error of writing a large value to that of its commit.
pub(super) fn write_error(error: &io::Error) -> CommitError {
    match error.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => CommitError::Full,
        _ => CommitError::Unavailable,
    }
}
