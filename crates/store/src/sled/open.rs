//! Opening a store in a directory.

use std::collections::BTreeMap;
use std::io;
use std::ops::Bound;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;

use super::engine::{Parts, SledEngine};
use super::error::{OpenError, SledOptions};
use super::keys::Keys;
use super::keys::keys_file::KeysFile;
use super::keys::local_secret::LocalSecret;
use super::lock::directory::{self, Absent, Completion, Lock, Presence};
use super::lock::high_water::HighWater;
use super::lock::layout::{KEYS, MANIFEST, TABLES, TREE, TREE_FILE, TREE_SETTINGS, WAL};
use super::lock::system::Directory;
use super::tree::Tree;
use super::tree::codec::{SEGMENT_PREFIX, STATE_KEY, Segment, State, decode_segment, decode_state, segment_of};
use super::values::files::Files;
use super::values::segments::{self, Segments};
use super::wal::batch::RowKey;
use super::wal::range::Order;
use super::writer::committer::CommitQueue;
use super::writer::status::Status;
use crate::engine::ReadError;
use crate::{Opened, Slot};

/// Opens the store in a directory, or creates it durably. Blocks while the log is read. For callers that trust the directory without a
/// root key; others use [`enter`].
///
/// # Errors
/// See [`OpenError`]. A directory that is not a store is not changed.
pub fn open(path: &Path, options: SledOptions) -> Result<Opened, OpenError> {
    enter(path, Absent::Make)?.open(options, true)
}

/// A directory that was inspected and locked, and whose keys were read. Nothing was changed: so a root key can be checked first.
pub struct Entered {
    directory: Arc<Directory>,
    lock: Lock,
    completion: Completion,
    /// `None`: the file does not exist.
    keys: Option<KeysFile>,
    secret: LocalSecret,
}

/// Inspects a directory and takes its lock.
///
/// # Errors
/// See [`OpenError`].
pub fn enter(path: &Path, absent: Absent) -> Result<Entered, OpenError> {
    let (directory, lock, completion) = directory::enter(path, absent)?;
    if completion != Completion::Unfinished && !has_files(&directory, completion)? {
        return Err(OpenError::Corrupt);
    }
    let directory = Arc::new(directory);
    let keys = KeysFile::open(&directory)?;
    Ok(Entered { lock, completion, keys, secret: LocalSecret::new(Arc::clone(&directory)), directory })
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

    /// Returns the secret stored beside the data, and the next one during a rotation.
    ///
    /// # Errors
    /// `Unavailable`.
    pub fn local_secrets(&self) -> Result<[Option<Vec<u8>>; 2], ReadError> {
        let secrets = self.secret.read().and_then(|now| Ok([now, self.secret.read_next()?]));
        secrets.map_err(|_| ReadError::Unavailable)
    }

    /// Opens the store. `may_repair`: a root key has opened the store's header. Then changes of keys and large values that a crash
    /// interrupted are finished; until then they stay, and do no harm.
    ///
    /// # Errors
    /// See [`OpenError`].
    pub fn open(self, options: SledOptions, may_repair: bool) -> Result<Opened, OpenError> {
        let Self { directory, lock, completion, keys, secret } = self;
        let files = Arc::new(Files::new(directory::secure(&directory, &lock)?));
        // A killed creation has left nothing in its log, and an older version has none: what is there is of another store.
        let is_first = completion == Completion::Older { has_log: false } || keys.is_none();
        let tree = Tree::open(&directory, &options, completion, is_first)?;
        let unreadable = |error| match error {
            ReadError::Unavailable => OpenError::Unavailable(io::ErrorKind::Other),
            _ => OpenError::Corrupt,
        };
        let (state, table) = read_internal(&tree).map_err(unreadable)?;
        let high_water = HighWater::open(&directory)?;
        if state.version < high_water.version() {
            return Err(OpenError::Corrupt);
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
        let status = Arc::new(Status::default());
        let queue = Arc::new(CommitQueue::default());
        let recovered = segments::recover(&files, &table, may_repair)?;
        recovered.problems.iter().for_each(|problem| status.note(problem));
        if completion != Completion::Complete {
            directory::complete(&directory)?;
        }
        if may_repair {
            tree.clear_up(&directory)?;
        }
        let next_segment = Arc::new(AtomicU64::new(state.next_segment.max(recovered.next)));
        let segments = Segments::new(Arc::clone(&files), table, Arc::clone(&next_segment))?;
        let tree = Arc::new(tree);
        let keys = Arc::new(Keys::new(secret, keys, Arc::clone(&status), Arc::clone(&queue)));
        let presence = Presence::of(directory, &lock);
        let parts =
            Parts { tree, files, queue, status, keys, segments, state, high_water, next_segment, lock, presence };
        let store = Arc::new(SledEngine::start(parts)?);
        Ok(Opened { engine: Arc::clone(&store) as _, vault: store })
    }
}

/// Reads the counters and the segments.
fn read_internal(tree: &Tree) -> Result<(State, BTreeMap<u64, Segment>), ReadError> {
    let state = match tree.get(&STATE_KEY)? {
        Some(bytes) => decode_state(&bytes).ok_or(ReadError::Corrupt)?,
        None => State::default(),
    };
    let mut table = BTreeMap::new();
    let bound = |prefix| RowKey::from(&[prefix]);
    let bounds = (Bound::Included(bound(SEGMENT_PREFIX)), Bound::Excluded(bound(SEGMENT_PREFIX + 1)));
    let mut rows = tree.range(bounds, Order::Forward)?;
    while let Some((key, bytes)) = rows.next()? {
        let number = segment_of(&key).ok_or(ReadError::Corrupt)?;
        table.insert(number, decode_segment(&bytes).ok_or(ReadError::Corrupt)?);
    }
    Ok((state, table))
}

/// Whether the files exist that every complete store of its format has.
fn has_files(store: &Directory, completion: Completion) -> io::Result<bool> {
    let has = |directory: &Directory, names: &[&str]| {
        let is_there = |name: &&str| Ok(directory.entry(name)?.is_some());
        names.iter().map(is_there).try_fold(true, |all, one: io::Result<bool>| Ok::<_, io::Error>(all && one?))
    };
    if completion != (Completion::Older { has_log: false }) && !has(store, &WAL)? {
        return Ok(false);
    }
    if completion == Completion::Complete {
        return has(store, &[KEYS, MANIFEST, TABLES]);
    }
    let Some(tree) = store.directory(TREE)? else { return Ok(false) };
    Ok(has(store, &[KEYS])? && has(&tree, &[TREE_FILE, TREE_SETTINGS])?)
}
