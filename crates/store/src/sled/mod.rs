//! Everything in a directory, on sled: durable, crash-proof, one process at a time.
//!
//! | file | holds |
//! | --- | --- |
//! | `directory`, `open` (here) | the layout, modes, lock and format of a store; opening |
//! | `system` | what operating systems do differently |
//! | `tree` | sled, wrapped |
//! | `entry` | the bytes of rows |
//! | `queue`, `committer` | commits on their way to the tree |
//! | `slots`, `orders`, `sweeping`, `exporting` | what expires, what is erased, copies: housekeeping between commits |
//! | `files`, `records`, `segments`, `own_files` | large values |
//! | `keys_file`, `local_secret`, `keys` | the vault |
//! | `status` | failures and the watchdog |
//! | `reading`, `store` | what callers see |
//!
//! The bytes are drawn in `docs/format`.

mod committer;
mod directory;
mod entry;
mod exporting;
mod files;
mod keys;
mod keys_file;
mod local_secret;
mod mark;
mod orders;
mod own_files;
mod queue;
mod reading;
mod records;
mod segments;
mod slots;
mod status;
mod store;
mod sweeping;
mod system;
mod tree;

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::AtomicU64;

use crate::Opened;
use crate::engine::{CommitError, ReadError};
use directory::Stage;
pub use directory::{is_in_use, is_store, sync_parent};
use entry::{SEGMENT_PREFIX, STATE_KEY, Segment, State, decode_segment, decode_state, segment_of};

/// How to open a store in a directory.
#[derive(Clone, Debug)]
pub struct SledOptions {
    /// The bytes of rows that sled keeps in memory. What the process takes is a small multiple of it.
    pub cache_bytes: u64,
}

impl Default for SledOptions {
    /// 128 MiB of cache.
    fn default() -> Self {
        Self { cache_bytes: 128 * 1024 * 1024 }
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
    /// There is something at the path that is no store.
    #[error("there is something that is no store")]
    Foreign,
    /// The store was written by a newer version.
    #[error("the store was written by a newer version")]
    NewerFormat,
    /// The store is damaged. What there was is kept.
    #[error("the store is damaged; a copy of it is kept")]
    Corrupt {
        /// Where.
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
        match error.kind() {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => Self::Full,
            kind => Self::Unavailable(kind),
        }
    }
}

/// What a failed write of a large value means for its commit.
fn write_error(error: &io::Error) -> CommitError {
    match error.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => CommitError::Full,
        _ => CommitError::Unavailable,
    }
}

/// Opens the store in a directory, or creates one: when this returns, it is on the disk. Blocks for as long as sled
/// recovers.
///
/// # Errors
/// See [`OpenError`]. A directory that is no store is left as it is.
pub fn open(path: &Path, options: SledOptions) -> Result<Opened, OpenError> {
    let (lock, stage) = directory::enter(path)?;
    if stage == Stage::Complete && !store::must_exist(path) {
        return Err(OpenError::Corrupt { copy: path.to_path_buf() });
    }
    let tree = tree::Tree::open(path, &options, stage)?;
    let rows = read_internal(&tree).map_err(|error| match error {
        ReadError::Unavailable => OpenError::Unavailable(io::ErrorKind::Other),
        _ => tree.put_aside(path),
    });
    let (state, table) = rows?;
    let mark = mark::Mark::open(path)?;
    if state.version < mark.version() {
        return Err(tree.put_aside(path));
    }
    let status = Arc::new(status::Status::default());
    let queue = Arc::new(queue::Queue::default());
    let keys = keys::Keys::open(path.to_path_buf(), Arc::clone(&status), Arc::clone(&queue))?;
    let files = Arc::new(files::Files::new(path));
    for problem in segments::recover(&files, &table)? {
        status.note(&problem);
    }
    if stage == Stage::Unfinished {
        directory::complete(path)?;
    }
    let next_segment = Arc::new(AtomicU64::new(state.next_segment));
    let segments = segments::Segments::new(Arc::clone(&files), table, Arc::clone(&next_segment))?;
    let tree = Arc::new(tree);
    let keys = Arc::new(keys);
    let parts = store::Parts { tree, files, queue, status, keys, segments, state, mark, next_segment, lock };
    let store = Arc::new(store::Store::start(parts)?);
    Ok(Opened { engine: Arc::clone(&store) as _, vault: store })
}

fn read_internal(tree: &tree::Tree) -> Result<(State, BTreeMap<u64, Segment>), ReadError> {
    let state = match tree.get(&STATE_KEY)? {
        Some(bytes) => decode_state(&bytes).ok_or(ReadError::Corrupt)?,
        None => State::default(),
    };
    let mut table = BTreeMap::new();
    let mut rows = tree.read(|db| Ok(db.scan_prefix([SEGMENT_PREFIX])))?;
    while let Some((key, bytes)) = tree.read(|_| rows.next().transpose())? {
        let number = segment_of(&key).ok_or(ReadError::Corrupt)?;
        table.insert(number, decode_segment(&bytes).ok_or(ReadError::Corrupt)?);
    }
    Ok((state, table))
}
