//! Opens an engine. Errors for callers contain neither the engine's own texts nor a password.

use std::path::Path;

use bailiwick_model::{Error, Result};
use bailiwick_store::postgres::{self, Address, PostgresOptions};
use bailiwick_store::{Opened, STORE_SLOT, sled};

use crate::errors;
use crate::keys::FORMAT;
use crate::keys::root_key::{self, RootKey};
use crate::tenant::store_header::open_header;

/// Opens a directory. If it has a store and a root key is passed, nothing is changed before that key has opened the
/// store's header. Without a root key, nothing is repaired.
pub(crate) fn open_sled(
    path: &Path,
    cache_bytes: Option<u64>,
    absent: sled::Absent,
    root_key: Option<&RootKey>,
) -> Result<Opened> {
    let mut options = sled::SledOptions::default();
    if let Some(bytes) = cache_bytes {
        options.cache_bytes = bytes;
    }
    let entered = sled::enter(path, absent).map_err(sled_refusal)?;
    let is_known = match root_key {
        Some(root_key) => has_header_of(&entered, root_key)?,
        None => false,
    };
    entered.open(options, is_known).map_err(sled_refusal)
}

/// Returns whether the directory has a store's header. Fails if the key does not open it.
fn has_header_of(entered: &sled::Entered, root_key: &RootKey) -> Result<bool> {
    let header = entered.slot(&STORE_SLOT).map_err(errors::read)?;
    // Anything else in its place is reported when the store is opened.
    let Some(header) = header.filter(|header| header.value.first() == Some(&FORMAT)) else { return Ok(false) };
    let [now, next] = entered.local_secrets().map_err(errors::read)?;
    let roots = root_key.local_keys(now, next)?.ok_or_else(root_key::missing)?;
    open_header(&header.value, &roots).map(|_| true)
}

fn sled_refusal(error: sled::OpenError) -> Error {
    match error {
        sled::OpenError::Locked => Error::StoreLocked,
        sled::OpenError::Symlink => {
            Error::invalid("The store's directory is a symbolic link. Name the directory itself.")
        }
        sled::OpenError::Foreign => Error::invalid(
            "This directory holds something else than a bailiwick store. Name an empty or a new directory.",
        ),
        sled::OpenError::Absent => no_store_yet(),
        sled::OpenError::Untrusted(found) => Error::invalid(distrust(&found)),
        sled::OpenError::NewerFormat => errors::newer_version(),
        sled::OpenError::Corrupt => {
            Error::StoreCorrupt("The store is damaged and could not be opened. Restore it from a backup.".to_owned())
        }
        sled::OpenError::Full => {
            Error::StoreUnavailable("The disk of the store is full. Free some space and open it again.".to_owned())
        }
        sled::OpenError::Unavailable(kind) => Error::StoreUnavailable(format!(
            "The store's directory cannot be used: {kind}. Check that it exists and that this process may write there."
        )),
    }
}

fn distrust(found: &sled::Untrusted) -> String {
    use sled::Reason;
    if found.name.is_empty() {
        return "The store's directory belongs to another user. Nothing was changed. Run this process as that user, or name a directory of its own.".to_owned();
    }
    let next = match found.reason {
        Reason::Link | Reason::NoFile | Reason::NoDirectory | Reason::Name => {
            "Find out who put it there. If the store is yours, move that away, or restore the store from a backup."
        }
        Reason::SecondName => {
            "Find out who made it. If the store is yours, copy the whole directory with all its bytes, and open the copy."
        }
        Reason::Owner => {
            "Run this process as the user to whom the store belongs, with all its files. If a file of it was copied by another user, copy it as this one."
        }
        Reason::Size => "Restore the store from a backup.",
        Reason::Early => "Name an empty or a new directory. A store's own root key is made with it.",
    };
    format!("{found}, which is not how a store's directory looks. Nothing was changed. {next}")
}

/// The error if there is no store and none may be created.
pub(crate) fn no_store_yet() -> Error {
    Error::invalid("There is no store here yet. The first openStore or createRuntime makes one.")
}

/// Opens the store in a database.
pub(crate) async fn open_postgres(address: &Address, options: PostgresOptions) -> Result<Opened> {
    postgres::open(address, options).await.map_err(postgres_refusal)
}

/// Prepares a PostgreSQL database for a store, as its owner, and returns the URL for the application. Idempotent; the URL has the
/// password of the application's role only if this call created the role.
///
/// # Errors
/// `InvalidInput` for an invalid URL, a role without the privileges, and tables of a newer version; `StoreUnavailable`. Then
/// nothing was changed.
pub async fn setup(owner_url: &str) -> Result<String> {
    let owner = Address::parse(owner_url).map_err(postgres_refusal)?;
    postgres::setup(&owner).await.map_err(postgres_refusal)
}

/// Converts the error of opening or setting up a database.
pub(crate) fn postgres_refusal(error: postgres::OpenError) -> Error {
    use postgres::OpenError;
    match error {
        OpenError::Pooled => errors::pooled(),
        OpenError::Moved => errors::moved(),
        // An interrupted TLS handshake looks like an untrusted certificate.
        OpenError::Unavailable
        | OpenError::Crowded
        | OpenError::Standby
        | OpenError::Untrusted
        | OpenError::Refused(_)
        | OpenError::Moving => Error::StoreUnavailable(error.to_string()),
        _ => Error::invalid(error.to_string()),
    }
}
