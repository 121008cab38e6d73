//! The registry of open stores, one per place and process: all users of a place share one engine, worker threads included, which
//! closes with the last of them.

use std::collections::HashMap;
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};

use bailiwick_model::{Error, Result};
use bailiwick_store::postgres::PostgresOptions;
use bailiwick_store::sled::Absent;
use bailiwick_store::{EngineFuture, Opened, memory};
use parking_lot::Mutex;

use super::copy_rows::Copied;
use super::location::{Location, real_path, refuse_url};
use super::migration::{Migration, MigrationOutcome, MigrationProgress};
pub use super::open::setup;
use super::open::{no_store_yet, open_postgres, open_sled};
use crate::errors;
use crate::keys::root_key::RootKey;
use crate::tenant::store::{Store, StoreOptions};
use crate::tenant::store_header::is_unused;

/// The options of opening a store.
pub struct OpenOptions {
    /// The options of the store itself.
    pub store: StoreOptions,
    /// The size of the engine's own cache in bytes, at least 1 MiB; `None`: its default.
    pub engine_cache_bytes: Option<u64>,
    /// The most connections to a PostgreSQL server, at least 1; `None`: the engine's default.
    pub connections: Option<u64>,
    /// Whether opening fails where there is no store. Otherwise one is created.
    pub must_exist: bool,
}

/// With much less, blocks would be read again and again.
const LEAST_CACHE_BYTES: u64 = 1 << 20;

/// The connections of a process. More would only wait for each other at the server.
const CONNECTIONS: std::ops::RangeInclusive<u64> = 1..=1000;

/// A handle on an open store. The engine closes when the last is released.
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
    /// The number of failed attempts to open it.
    failures: AtomicU64,
}

#[derive(Default)]
struct Shared {
    store: Option<Arc<Store>>,
    handles: usize,
    failed: Option<Failed>,
}

/// The last attempt that failed because the store was unavailable.
struct Failed {
    /// The number of this failure.
    number: u64,
    url: String,
    error: Error,
}

impl Shared {
    /// Returns the error of an attempt with the same URL that failed while the caller waited for it. If every caller tried again
    /// itself, each would wait for those before.
    fn failed_since(&self, failures: u64, url: &str) -> Option<Error> {
        let failed = self.failed.as_ref()?;
        (failed.number > failures && failed.url == url).then(|| failed.error.clone())
    }
}

fn entries() -> &'static Mutex<HashMap<Location, Arc<Entry>>> {
    static ENTRIES: OnceLock<Mutex<HashMap<Location, Arc<Entry>>>> = OnceLock::new();
    ENTRIES.get_or_init(Mutex::default)
}

/// Opens the store at a URL, or shares it if this process has it open.
///
/// # Errors
/// `InvalidInput` for an invalid URL, directory, cache size or root key, `StoreLocked`, `StoreCorrupt`, `StoreUnavailable`.
pub fn open(url: &str, options: OpenOptions) -> EngineFuture<'_, Result<StoreHandle>> {
    Box::pin(async move {
        if let Some(bytes) = options.engine_cache_bytes.filter(|bytes| *bytes < LEAST_CACHE_BYTES) {
            return Err(Error::invalid(format!(
                "cacheBytes must be at least {LEAST_CACHE_BYTES} (1 MiB), not {bytes}."
            )));
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
            // A root key that is passed must be the right one.
            if let given @ RootKey::Given(_) = options.store.root_key {
                store.verify_root_key(given).await?;
            }
            store.clone()
        } else {
            let opened = match shared.failed_since(failures, url) {
                Some(error) => Err(error),
                None => {
                    let opened = open_engine(&location, options).await;
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
        // Its URL may have a password.
        shared.failed = None;
        shared.store = Some(store.clone());
        shared.handles += 1;
        drop(shared);
        let url = location.shown(url);
        Ok(StoreHandle { store, entry, location, url, released: AtomicBool::new(false) })
    })
}

async fn open_engine(location: &Location, options: OpenOptions) -> Result<Arc<Store>> {
    let backend = match location {
        Location::Sled(path) => {
            let absent = if options.must_exist { Absent::Refuse } else { Absent::Make };
            open_sled(path, options.engine_cache_bytes, absent, Some(&options.store.root_key))?
        }
        Location::Postgres(address) => {
            let mut chosen = PostgresOptions::default();
            if let Some(count) = options.connections {
                chosen.connections = usize::try_from(count).unwrap_or(chosen.connections);
            }
            open_postgres(address, chosen).await?
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
            // Release the lock before the caller sees the error.
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

/// The result of a migration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Migrated {
    /// What was done.
    pub outcome: MigrationOutcome,
    /// The URL of the source, without password and settings.
    pub from: String,
    /// The URL of the target, likewise.
    pub to: String,
    /// Whether the root key is in the directory of the source. It is not moved.
    pub root_key_in_dir: bool,
}

/// Migrates the store at a URL to another, `sled:` or `postgres:` each; a database must be set up. After an interruption, call it
/// again with the same URLs until it returns.
///
/// # Errors
/// As [`Migration::to`], and `InvalidInput` for invalid URLs, `StoreLocked`.
pub fn migrate<'a>(
    from: &'a str,
    to: &'a str,
    root_key: RootKey,
    progress: &'a MigrationProgress,
) -> EngineFuture<'a, Result<Migrated>> {
    Box::pin(async move {
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
        let source = here.open_to_migrate(Some(&root_key), Absent::Refuse).await?;
        let migrated = async {
            let migration = Migration::from(source.clone(), root_key).await?;
            // A store that was moved is not created again elsewhere.
            let absent = if migration.has_moved() { Absent::Refuse } else { Absent::Make };
            let target = there.open_to_migrate(None, absent).await;
            let target = target.map_err(|error| if error == no_store_yet() { errors::moved() } else { error })?;
            let outcome = migration.to(&target, progress).await;
            target.engine.close().await;
            let root_key_in_dir = source.vault.local_secret().await.is_ok_and(|secret| secret.is_some());
            Ok(Migrated { outcome: outcome?, from: here.shown(from), to: there.shown(to), root_key_in_dir })
        };
        let migrated = migrated.await;
        source.engine.close().await;
        migrated
    })
}

fn inside() -> Error {
    Error::invalid("One of the two directories is inside the other. Name one that stands by itself.")
}

/// Removes an unused entry.
fn forget(location: &Location, entry: &Arc<Entry>) {
    let mut entries = entries().lock();
    let unused = entry.state.try_lock().is_ok_and(|shared| shared.handles == 0);
    // Two references: the map's and the caller's. Another belongs to a caller that is about to use it.
    if unused && Arc::strong_count(entry) <= 2 {
        entries.remove(location);
    }
}

impl StoreHandle {
    /// Returns the store.
    pub fn store(&self) -> &Arc<Store> {
        &self.store
    }

    /// Copies everything into a directory that does not exist yet or is empty: see [`Store::backup`].
    ///
    /// # Errors
    /// As there, and `InvalidInput` for a URL, or a directory inside the store's own.
    pub async fn backup(&self, directory: &Path) -> Result<Copied> {
        refuse_url(&directory.to_string_lossy())?;
        if let Location::Sled(own) = &self.location
            && real_path(directory)?.strip_prefix(own).is_ok_and(|below| below != Path::new(""))
        {
            return Err(inside());
        }
        self.store.backup(directory).await
    }

    /// Returns its URL, without password and settings.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Releases this handle; the last one closes the engine before this resolves. Idempotent.
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
