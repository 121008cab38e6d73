//! Where stores are: their URLs and paths.

use std::io;
use std::path::{Component, Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use bailiwick_model::{Error, Result};
use bailiwick_store::Opened;
use bailiwick_store::postgres::{Address, PostgresOptions};
use bailiwick_store::sled::Absent;

use super::open::{open_postgres, open_sled, postgres_refusal};
use crate::keys::root_key::RootKey;

/// The place of a store.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) enum Location {
    Sled(PathBuf),
    SharedMemory(String),
    OwnMemory(u64),
    Postgres(Address),
}

impl Location {
    /// Returns its URL without password and settings.
    pub(crate) fn shown(&self, url: &str) -> String {
        match self {
            Self::Postgres(address) => address.place(),
            _ => url.to_owned(),
        }
    }

    /// Fails for a store in memory.
    pub(crate) fn refuse_memory(&self) -> Result<()> {
        match self {
            Self::Sled(_) | Self::Postgres(_) => Ok(()),
            Self::SharedMemory(_) | Self::OwnMemory(_) => Err(in_memory()),
        }
    }

    /// Opens the place for a migration. With the root key for the source, where a store must exist; without for the target, which
    /// has no header yet.
    pub(crate) async fn open_to_migrate(&self, root_key: Option<&RootKey>, absent: Absent) -> Result<Opened> {
        match self {
            Self::Sled(path) => open_sled(path, None, absent, root_key),
            Self::Postgres(address) => {
                open_postgres(address, PostgresOptions { is_moving: true, ..PostgresOptions::default() }).await
            }
            Self::SharedMemory(_) | Self::OwnMemory(_) => Err(in_memory()),
        }
    }

    pub(crate) fn parse(url: &str) -> Result<Self> {
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
            Some(("postgres" | "postgresql", _)) => Ok(Self::Postgres(Address::parse(url).map_err(postgres_refusal)?)),
            _ => Err(Error::invalid(
                "A store's URL is sled:<path>, memory:, memory:<name> or postgres://role:password@host/database.",
            )),
        }
    }
}

fn in_memory() -> Error {
    Error::invalid("What is in memory alone cannot be moved. Name sled:<path> or postgres://…")
}

/// Fails for a path or a name that is, or was meant as, the URL of a database: the store's name would contain the password, and be
/// shown.
pub(crate) fn refuse_url(name: &str) -> Result<()> {
    let lower = name.to_lowercase();
    let has_sign = ["://", "postgres:", "postgresql:"].iter().any(|sign| lower.contains(sign));
    // `password = …`, with any spaces.
    let has_word = lower
        .match_indices("password")
        .any(|(at, word)| lower.get(at + word.len()..).is_some_and(|rest| rest.trim_start().starts_with('=')));
    // `role:password@host` within one component of a path; a drive letter does not match.
    let has_role = name.split(['/', '\\']).any(|part| {
        let said = part.split_once(':').filter(|(role, _)| !role.is_empty());
        said.is_some_and(|(_, rest)| rest.split_once('@').is_some_and(|(password, _)| !password.is_empty()))
    });
    let is_url = has_sign || has_word || has_role;
    if is_url {
        return Err(Error::invalid(
            "The path or name of a store looks like the URL of a database. It is not repeated, for it may hold a password. Name a path alone, or begin the URL with postgres://.",
        ));
    }
    Ok(())
}

/// Resolves links above the last component, which the engine itself checks, so that different paths of one place are one store.
/// Creates nothing: the engine creates missing directories, accessible to their owner alone.
pub(crate) fn real_path(path: &Path) -> Result<PathBuf> {
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
            // A dangling link exists, although its target does not.
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
