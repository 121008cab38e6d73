//! Open stores, one per place and process: everybody who names the same place shares one engine, worker threads
//! included, and the engine closes with the last of them.

use std::collections::HashMap;
use std::ffi::OsStr;
use std::io;
use std::path::{Component, Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};

use bailiwick_model::{Error, Result};
use bailiwick_store::{Opened, memory, sled};
use parking_lot::Mutex;

use crate::root_key::RootKey;
use crate::store::{Store, StoreOptions};

/// Where a store is.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
enum Location {
    Sled(PathBuf),
    SharedMemory(String),
    OwnMemory(u64),
}

/// How a store's engine is opened.
pub struct OpenOptions {
    /// The root key and what else the store needs.
    pub store: StoreOptions,
    /// The size of the engine's own cache in bytes, at least 1 MiB; `None`: its default.
    pub engine_cache_bytes: Option<u64>,
}

/// The engine cannot work with much less than this, and says so by a panic.
const LEAST_CACHE_BYTES: u64 = 1 << 20;

/// One user's hold on an open store. The engine closes when the last is released.
pub struct StoreHandle {
    store: Arc<Store>,
    entry: Arc<Entry>,
    location: Location,
    released: AtomicBool,
}

#[derive(Default)]
struct Entry {
    state: tokio::sync::Mutex<Shared>,
}

#[derive(Default)]
struct Shared {
    store: Option<Arc<Store>>,
    handles: usize,
}

fn entries() -> &'static Mutex<HashMap<Location, Arc<Entry>>> {
    static ENTRIES: OnceLock<Mutex<HashMap<Location, Arc<Entry>>>> = OnceLock::new();
    ENTRIES.get_or_init(Mutex::default)
}

/// Opens the store at a URL, or joins whoever in this process has it open.
///
/// # Errors
/// `InvalidInput` for a URL, directory, cache size or root key that will not do, `StoreLocked`, `StoreCorrupt`, `StoreUnavailable`.
pub async fn open(url: &str, options: OpenOptions) -> Result<StoreHandle> {
    if options.engine_cache_bytes.is_some_and(|bytes| bytes < LEAST_CACHE_BYTES) {
        return Err(Error::invalid(format!("cacheBytes must be at least {LEAST_CACHE_BYTES} (1 MiB).")));
    }
    let location = Location::parse(url)?;
    let entry = entries().lock().entry(location.clone()).or_default().clone();
    let mut shared = entry.state.lock().await;
    let store = match &shared.store {
        Some(store) => {
            // Whoever joins with a root key of their own must have the right one.
            if let given @ RootKey::Given(_) = options.store.root_key {
                store.verify_root_key(given).await?;
            }
            store.clone()
        }
        None => match open_engine(&location, options).await {
            Ok(store) => store,
            Err(error) => {
                drop(shared);
                forget(&location, &entry);
                return Err(error);
            }
        },
    };
    shared.store = Some(store.clone());
    shared.handles += 1;
    drop(shared);
    Ok(StoreHandle { store, entry, location, released: AtomicBool::new(false) })
}

async fn open_engine(location: &Location, options: OpenOptions) -> Result<Arc<Store>> {
    let backend = match location {
        Location::Sled(path) => open_sled(path, options.engine_cache_bytes)?,
        Location::SharedMemory(_) | Location::OwnMemory(_) => memory::open(memory::MemoryOptions::default()),
    };
    let engine = backend.engine.clone();
    match Store::open(backend, options.store).await {
        Ok(store) => Ok(store),
        Err(error) => {
            // The lock goes back before the caller learns of the failure.
            engine.close().await;
            Err(error)
        }
    }
}

pub(crate) fn open_sled(path: &Path, cache_bytes: Option<u64>) -> Result<Opened> {
    let mut options = sled::SledOptions::default();
    if let Some(bytes) = cache_bytes {
        options.cache_bytes = bytes;
    }
    sled::open(path, options).map_err(|error| match error {
        sled::OpenError::Locked => Error::StoreLocked,
        sled::OpenError::Symlink => {
            Error::invalid("The store's directory is a symbolic link. Name the directory itself.")
        }
        sled::OpenError::Foreign => Error::invalid(
            "This directory holds something else than a bailiwick store. Name an empty or a new directory.",
        ),
        sled::OpenError::NewerFormat => {
            Error::invalid("This store was written by a newer version of bailiwick. Update bailiwick.")
        }
        sled::OpenError::Corrupt { copy } => Error::StoreCorrupt(format!(
            "The store is damaged and could not be opened. A copy of it was put beside it, as {:?}. Restore it from a backup.",
            copy.file_name().unwrap_or(OsStr::new(""))
        )),
        sled::OpenError::Full => Error::StoreUnavailable(
            "The disk of the store is full. Free some space and open it again.".to_owned(),
        ),
        sled::OpenError::Unavailable(kind) => Error::StoreUnavailable(format!(
            "The store's directory cannot be used: {kind}. Check that it exists and that this process may write there."
        )),
    })
}

/// Drops an entry that nobody uses.
fn forget(location: &Location, entry: &Arc<Entry>) {
    let mut entries = entries().lock();
    let unused = entry.state.try_lock().is_ok_and(|shared| shared.handles == 0);
    // Two: the map's and the caller's. Anybody else is about to use it.
    if unused && Arc::strong_count(entry) <= 2 {
        entries.remove(location);
    }
}

impl StoreHandle {
    /// The store.
    pub fn store(&self) -> &Arc<Store> {
        &self.store
    }

    /// Gives this hold back; the last one closes the engine before this resolves. Doing it twice does nothing.
    pub async fn release(&self) {
        if self.released.swap(true, Ordering::SeqCst) {
            return;
        }
        let mut shared = self.entry.state.lock().await;
        shared.handles = shared.handles.saturating_sub(1);
        if shared.handles == 0 {
            shared.store = None;
            self.store.close().await;
        }
        drop(shared);
        forget(&self.location, &self.entry);
    }
}

impl Location {
    fn parse(url: &str) -> Result<Self> {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        match url.split_once(':') {
            Some(("sled", "")) => Err(Error::invalid("sled: needs a path, such as sled:./data.")),
            Some(("sled", path)) if path.contains('\0') => Err(Error::invalid("A store's path cannot contain U+0000.")),
            Some(("sled", path)) => Ok(Self::Sled(real_path(Path::new(path))?)),
            Some(("memory", "")) => Ok(Self::OwnMemory(NEXT.fetch_add(1, Ordering::Relaxed))),
            Some(("memory", name)) => Ok(Self::SharedMemory(name.to_owned())),
            _ => Err(Error::invalid("A store's URL is sled:<path>, memory: or memory:<name>.")),
        }
    }
}

/// The path without links above its last part, which the engine itself checks: two ways to write one place are one
/// store. Nothing is made: what is missing is the engine's to make, its owner's alone.
fn real_path(path: &Path) -> Result<PathBuf> {
    let (above, name) = match path.file_name() {
        Some(name) => (path.parent().unwrap_or(path), Some(name)),
        None => (path, None),
    };
    let mut missing: Vec<_> = name.into_iter().collect();
    let mut existing = above;
    let mut real = loop {
        let here = if existing.as_os_str().is_empty() { Path::new(".") } else { existing };
        match here.canonicalize() {
            Ok(real) => break real,
            // A link to nowhere is there, although what it names is not.
            Err(error) if error.kind() != io::ErrorKind::NotFound || here.is_symlink() => return Err(unusable(&error)),
            Err(error) => match (here.components().next_back(), here.parent()) {
                (Some(Component::Normal(name)), Some(parent)) => {
                    missing.push(name);
                    existing = parent;
                }
                (Some(Component::ParentDir), _) => {
                    return Err(Error::invalid(
                        "The store's path has \"..\" after a directory that does not exist. Write it without.",
                    ));
                }
                _ => return Err(unusable(&error)),
            },
        }
    };
    real.extend(missing.into_iter().rev());
    Ok(real)
}

fn unusable(error: &io::Error) -> Error {
    Error::StoreUnavailable(format!(
        "The store's directory cannot be used: {}. Check that it exists and that this process may write there.",
        error.kind()
    ))
}
