//! Open stores, one per place and process: everybody who names the same place shares one engine, worker threads
//! included, and the engine closes with the last of them.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};

use bailiwick_model::{Error, Result};
use bailiwick_store::postgres::PostgresOptions;
use bailiwick_store::sled::Absent;
use bailiwick_store::{Opened, memory};
use parking_lot::Mutex;

use crate::copying::Copied;
use crate::moving::{Departure, Outcome, Progress, moved};
pub use crate::opening::setup;
use crate::opening::{no_store_yet, open_postgres, open_sled, postgres_place, real_path, refuse_url};
use crate::root_key::RootKey;
use crate::store::{Store, StoreOptions, is_unused};

/// Where a store is.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
enum Location {
    Sled(PathBuf),
    SharedMemory(String),
    OwnMemory(u64),
    /// Without the password.
    Postgres(String),
}

/// How a store's engine is opened.
pub struct OpenOptions {
    /// The root key and what else the store needs.
    pub store: StoreOptions,
    /// The size of the engine's own cache in bytes, at least 1 MiB; `None`: its default.
    pub engine_cache_bytes: Option<u64>,
    /// The most connections to a PostgreSQL server, at least 1; `None`: the engine's default.
    pub connections: Option<u64>,
    /// Whether a place without a store is refused. Otherwise one is made there.
    pub must_exist: bool,
}

/// The engine cannot work with much less than this, and says so by a panic.
const LEAST_CACHE_BYTES: u64 = 1 << 20;

/// How many connections a process may have. More than these only wait for each other at the server.
const CONNECTIONS: std::ops::RangeInclusive<u64> = 1..=1000;

/// One user's hold on an open store. The engine closes when the last is released.
pub struct StoreHandle {
    store: Arc<Store>,
    entry: Arc<Entry>,
    location: Location,
    url: String,
    released: AtomicBool,
}

#[derive(Default)]
struct Entry {
    state: tokio::sync::Mutex<Shared>,
    /// How many attempts at opening have failed.
    failures: AtomicU64,
}

#[derive(Default)]
struct Shared {
    store: Option<Arc<Store>>,
    handles: usize,
    failed: Option<Failed>,
}

/// The last attempt that found nobody to answer.
struct Failed {
    /// Which of the failures it was.
    number: u64,
    url: String,
    error: Error,
}

impl Shared {
    /// What an attempt has found out that ended while somebody waited with the same URL: nobody answers there. Each who
    /// tried for himself would let the next wait longer.
    fn failed_since(&self, failures: u64, url: &str) -> Option<Error> {
        let failed = self.failed.as_ref()?;
        (failed.number > failures && failed.url == url).then(|| failed.error.clone())
    }
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
    if let Some(bytes) = options.engine_cache_bytes.filter(|bytes| *bytes < LEAST_CACHE_BYTES) {
        return Err(Error::invalid(format!("cacheBytes must be at least {LEAST_CACHE_BYTES} (1 MiB), not {bytes}.")));
    }
    if let Some(count) = options.connections.filter(|count| !CONNECTIONS.contains(count)) {
        let (least, most) = (CONNECTIONS.start(), CONNECTIONS.end());
        return Err(Error::invalid(format!("connections must be between {least} and {most}, not {count}.")));
    }
    let location = Location::parse(url)?;
    let entry = entries().lock().entry(location.clone()).or_default().clone();
    let failures = entry.failures.load(Ordering::SeqCst);
    let mut shared = entry.state.lock().await;
    let store = if let Some(store) = &shared.store {
        // Whoever joins with a root key of their own must have the right one.
        if let given @ RootKey::Given(_) = options.store.root_key {
            store.verify_root_key(given).await?;
        }
        store.clone()
    } else {
        let opened = match shared.failed_since(failures, url) {
            Some(error) => Err(error),
            None => {
                let opened = open_engine(&location, url, options).await;
                if let Err(error @ Error::StoreUnavailable(_)) = &opened {
                    let number = entry.failures.fetch_add(1, Ordering::SeqCst).saturating_add(1);
                    shared.failed = Some(Failed { number, url: url.to_owned(), error: error.clone() });
                }
                opened
            }
        };
        match opened {
            Ok(store) => store,
            Err(error) => {
                drop(shared);
                forget(&location, &entry);
                return Err(error);
            }
        }
    };
    // It may have held a password, and means nothing any more.
    shared.failed = None;
    shared.store = Some(store.clone());
    shared.handles += 1;
    drop(shared);
    let url = location.shown(url);
    Ok(StoreHandle { store, entry, location, url, released: AtomicBool::new(false) })
}

async fn open_engine(location: &Location, url: &str, options: OpenOptions) -> Result<Arc<Store>> {
    let backend = match location {
        Location::Sled(path) => {
            let absent = if options.must_exist { Absent::Refuse } else { Absent::Make };
            open_sled(path, options.engine_cache_bytes, absent, Some(&options.store.root_key))?
        }
        Location::Postgres(_) => {
            let mut chosen = PostgresOptions::default();
            if let Some(count) = options.connections {
                chosen.connections = usize::try_from(count).unwrap_or(chosen.connections);
            }
            open_postgres(url, chosen).await?
        }
        Location::SharedMemory(_) | Location::OwnMemory(_) => memory::open(memory::MemoryOptions::default()),
    };
    let engine = backend.engine.clone();
    let opened = match refuse_unused(&backend, options.must_exist).await {
        Ok(()) => Store::open(backend, options.store).await,
        Err(error) => Err(error),
    };
    match opened {
        Ok(store) => Ok(store),
        Err(error) => {
            // The lock goes back before the caller learns of the failure.
            engine.close().await;
            Err(error)
        }
    }
}

async fn refuse_unused(backend: &Opened, must_exist: bool) -> Result<()> {
    if must_exist && is_unused(backend).await? {
        return Err(no_store_yet());
    }
    Ok(())
}

/// What came of moving a store.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Migrated {
    /// What was done.
    pub outcome: Outcome,
    /// Where the store was, without password and settings.
    pub from: String,
    /// Where it is.
    pub to: String,
    /// Whether its root key lies in its old directory. It goes nowhere by itself.
    pub has_key_beside: bool,
}

/// Moves the store at a URL to another, `sled:` or `postgres:` each; a database must be set up. Cut off anywhere, it is
/// repeated with the same URLs until it returns.
///
/// # Errors
/// As [`Departure::to`], and `InvalidInput` for URLs that will not do, `StoreLocked`.
pub async fn migrate(from: &str, to: &str, root_key: RootKey, progress: &Progress) -> Result<Migrated> {
    let (here, there) = (Location::parse(from)?, Location::parse(to)?);
    if here == there {
        return Err(Error::invalid("Both places are the same. Name another one to move the store to."));
    }
    if let (Location::Sled(one), Location::Sled(other)) = (&here, &there)
        && (one.starts_with(other) || other.starts_with(one))
    {
        return Err(inside());
    }
    there.refuse_memory()?;
    let source = here.open_to_move(from, Some(&root_key), Absent::Refuse).await?;
    let migrated = async {
        let departure = Departure::of(source.clone(), root_key).await?;
        // What was moved is not made anew elsewhere.
        let absent = if departure.has_left() { Absent::Refuse } else { Absent::Make };
        let target = there.open_to_move(to, None, absent).await;
        let target = target.map_err(|error| if error == no_store_yet() { moved() } else { error })?;
        let outcome = departure.to(&target, progress).await;
        target.engine.close().await;
        let has_key_beside = source.vault.local_secret().await.is_ok_and(|secret| secret.is_some());
        Ok(Migrated { outcome: outcome?, from: here.shown(from), to: there.shown(to), has_key_beside })
    };
    let migrated = migrated.await;
    source.engine.close().await;
    migrated
}

fn inside() -> Error {
    Error::invalid("One of the two directories is inside the other. Name one that stands by itself.")
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

    /// Copies everything into a directory that is not there yet, or empty: see [`Store::backup`].
    ///
    /// # Errors
    /// As there, and `InvalidInput` for a directory inside the store's own, and for one that is a URL.
    pub async fn backup(&self, directory: &Path) -> Result<Copied> {
        refuse_url(&directory.to_string_lossy())?;
        if let Location::Sled(own) = &self.location
            && real_path(directory)?.strip_prefix(own).is_ok_and(|below| below != Path::new(""))
        {
            return Err(inside());
        }
        self.store.backup(directory).await
    }

    /// What it was opened with, without password and settings: fit to be shown.
    pub fn url(&self) -> &str {
        &self.url
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
    /// Its URL, fit to be shown.
    fn shown(&self, url: &str) -> String {
        match self {
            Self::Postgres(place) => place.clone(),
            _ => url.to_owned(),
        }
    }

    fn refuse_memory(&self) -> Result<()> {
        match self {
            Self::Sled(_) | Self::Postgres(_) => Ok(()),
            Self::SharedMemory(_) | Self::OwnMemory(_) => {
                Err(Error::invalid("What is in memory alone cannot be moved. Name sled:<path> or postgres://…"))
            }
        }
    }

    /// With the root key where a store has to be; without where it is copied to, which has no header yet.
    async fn open_to_move(&self, url: &str, root_key: Option<&RootKey>, absent: Absent) -> Result<Opened> {
        self.refuse_memory()?;
        match self {
            Self::Sled(path) => open_sled(path, None, absent, root_key),
            _ => open_postgres(url, PostgresOptions { is_moving: true, ..PostgresOptions::default() }).await,
        }
    }

    fn parse(url: &str) -> Result<Self> {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        match url.split_once(':') {
            Some(("sled", "")) => Err(Error::invalid("sled: needs a path, such as sled:./data.")),
            Some(("sled", path)) if path.contains('\0') => Err(Error::invalid("A store's path cannot contain U+0000.")),
            Some(("sled", path)) => {
                refuse_url(path)?;
                Ok(Self::Sled(real_path(Path::new(path))?))
            }
            Some(("memory", "")) => Ok(Self::OwnMemory(NEXT.fetch_add(1, Ordering::Relaxed))),
            Some(("memory", name)) => {
                refuse_url(name)?;
                Ok(Self::SharedMemory(name.to_owned()))
            }
            Some(("postgres" | "postgresql", _)) => Ok(Self::Postgres(postgres_place(url)?)),
            _ => Err(Error::invalid(
                "A store's URL is sled:<path>, memory:, memory:<name> or postgres://role:password@host/database.",
            )),
        }
    }
}
