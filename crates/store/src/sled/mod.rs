//! Everything in a directory, on sled: durable, crash-proof, one process at a time.
//!
//! | file | holds |
//! | --- | --- |
//! | `layout`, `trust` | the names in a store's directory, and what is taken for its own |
//! | `directory`, `open` (here) | modes, lock and format of a store; opening |
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
mod layout;
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
mod trust;

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::AtomicU64;

use crate::engine::{CommitError, ReadError};
use crate::{Opened, Slot};
pub use directory::{Absent, remove_copy, sync_parent};
use directory::{Lock, Stage};
use entry::{SEGMENT_PREFIX, STATE_KEY, Segment, State, decode_segment, decode_state, segment_of};

use keys_file::KeysFile;
use local_secret::LocalSecret;
use system::Directory;
pub use trust::{Reason, Untrusted};

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
    /// There is nothing at the path, or a store that was never opened to the end.
    #[error("there is no store")]
    Absent,
    /// Something in the directory, or the directory itself, cannot be a store's own. Nothing was changed.
    #[error(transparent)]
    Untrusted(Untrusted),
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
        if let Some(found) = error.get_ref().and_then(|inner| inner.downcast_ref::<Untrusted>()) {
            return Self::Untrusted(found.clone());
        }
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
/// recovers. For whoever has no root key and knows that the directory is its own; others look first: see [`enter`].
///
/// # Errors
/// See [`OpenError`]. A directory that is no store is left as it is.
pub fn open(path: &Path, options: SledOptions) -> Result<Opened, OpenError> {
    enter(path, Absent::Make)?.open(options, true)
}

/// A directory that was looked at and locked, and whose keys were read. Nothing in it was changed, so whoever has a root
/// key can find out whether it is the store's before anything is.
pub struct Entered {
    directory: Arc<Directory>,
    lock: Lock,
    stage: Stage,
    /// `None`: not there.
    keys: Option<KeysFile>,
    secret: LocalSecret,
}

/// Looks at a directory, and takes its lock.
///
/// # Errors
/// See [`OpenError`].
pub fn enter(path: &Path, absent: Absent) -> Result<Entered, OpenError> {
    let (directory, lock, stage) = directory::enter(path, absent)?;
    if stage == Stage::Complete && !store::has_files(&directory)? {
        return Err(OpenError::Corrupt { copy: directory.path().to_path_buf() });
    }
    let directory = Arc::new(directory);
    let keys = KeysFile::open(&directory)?;
    Ok(Entered { lock, stage, keys, secret: LocalSecret::new(Arc::clone(&directory)), directory })
}

impl Entered {
    /// Reads a slot of the vault.
    ///
    /// # Errors
    /// As [`Vault::get`](crate::Vault::get).
    pub fn slot(&self, name: &[u8; 32]) -> Result<Option<Slot>, ReadError> {
        match self.keys.as_ref().and_then(|keys| keys.get(name)) {
            None => Ok(None),
            Some(Ok(Some(slot))) => Ok(Some(slot)),
            Some(Ok(None)) => Err(ReadError::Corrupt),
            Some(Err(_)) => Err(ReadError::Unavailable),
        }
    }

    /// The secret that is kept beside the data, and the one that is to follow it.
    ///
    /// # Errors
    /// `Unavailable`.
    pub fn local_secrets(&self) -> Result<[Option<Vec<u8>>; 2], ReadError> {
        let secrets = self.secret.read().and_then(|now| Ok([now, self.secret.read_next()?]));
        secrets.map_err(|_| ReadError::Unavailable)
    }

    /// Opens the store. What a crash has left half done among keys and large values is finished if `may_repair`: that
    /// is, if a root key has opened the store's header. Until then it stays, and is in nobody's way.
    ///
    /// # Errors
    /// See [`OpenError`].
    pub fn open(self, options: SledOptions, may_repair: bool) -> Result<Opened, OpenError> {
        let Self { directory, lock, stage, keys, secret } = self;
        let files = Arc::new(files::Files::new(directory::secure(&directory, &lock)?));
        let tree = tree::Tree::open(&directory, &options, stage)?;
        let rows = read_internal(&tree).map_err(|error| match error {
            ReadError::Unavailable => OpenError::Unavailable(io::ErrorKind::Other),
            _ => tree.put_aside(&directory),
        });
        let (state, table) = rows?;
        let mark = mark::Mark::open(&directory)?;
        if state.version < mark.version() {
            return Err(tree.put_aside(&directory));
        }
        let mut keys = match keys {
            Some(keys) => keys,
            None => KeysFile::create(&directory)?,
        };
        keys.secure()?;
        secret.make_private()?;
        if may_repair {
            keys.repair()?;
            secret.repair()?;
        }
        let status = Arc::new(status::Status::default());
        let queue = Arc::new(queue::Queue::default());
        let recovered = segments::recover(&files, &table, may_repair)?;
        recovered.problems.iter().for_each(|problem| status.note(problem));
        if stage == Stage::Unfinished {
            directory::complete(&directory)?;
        }
        let next_segment = Arc::new(AtomicU64::new(state.next_segment.max(recovered.next)));
        let segments = segments::Segments::new(Arc::clone(&files), table, Arc::clone(&next_segment))?;
        let tree = Arc::new(tree);
        let keys = Arc::new(keys::Keys::new(secret, keys, Arc::clone(&status), Arc::clone(&queue)));
        let presence = directory::Presence::of(directory, &lock);
        let parts =
            store::Parts { tree, files, queue, status, keys, segments, state, mark, next_segment, lock, presence };
        let store = Arc::new(store::Store::start(parts)?);
        Ok(Opened { engine: Arc::clone(&store) as _, vault: store })
    }
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
