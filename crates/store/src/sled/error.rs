//! Why a store does not open, and the options of opening it.

use std::io;
use std::path::PathBuf;

use super::lock::trust::Untrusted;
use super::wal::MOST_ROUND_BYTES;
use crate::engine::{CommitError, ReadError};

/// Larger segments waste less on what does not fit their ends; a small store pays for one.
const SEGMENT_BYTES: usize = 2 * 1024 * 1024;

/// The options of opening a directory.
#[derive(Clone, Debug)]
pub struct SledOptions {
    /// The bytes of rows that sled keeps in memory. The process uses a small multiple of it.
    pub cache_bytes: u64,
    /// The most bytes of commits that wait in the write-ahead log, and in memory, to be written to sled together: at most twice as many
    /// wait. From 64 KiB to 16 MiB, less if the disk is nearly full.
    pub round_bytes: u64,
    /// The bytes of the pieces in which sled uses its file, a power of two. A store keeps those it was created with.
    pub segment_bytes: usize,
}

impl Default for SledOptions {
    /// 128 MiB of cache, 16 MiB of commits.
    fn default() -> Self {
        Self { cache_bytes: 128 * 1024 * 1024, round_bytes: MOST_ROUND_BYTES, segment_bytes: SEGMENT_BYTES }
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
    /// The store is corrupt. A copy of it is kept.
    #[error("the store is corrupt; a copy of it is kept")]
    Corrupt {
        /// The path of the copy.
        copy: PathBuf,
    },
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
