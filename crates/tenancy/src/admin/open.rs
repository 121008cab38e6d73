//! Opening an engine, and the errors of that for callers: without the engine's own texts, and without a password.

use std::ffi::OsStr;
use std::path::Path;

use bailiwick_model::{Error, Result};
use bailiwick_store::postgres::{self, Address, PostgresOptions};
use bailiwick_store::{Opened, STORE_SLOT, sled};

use crate::errors;
use crate::keys::FORMAT;
use crate::keys::root_key::{self, RootKey};
use crate::tenant::store_header::open_header;

/// Opens a directory. Where it has a store and a root key is passed, nothing is changed before that key has opened the store's
/// header. Nothing is repaired without it.
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

/// Whether there is a store's header. Fails if the key does not open it.
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
        sled::OpenError::Corrupt { copy } => Error::StoreCorrupt(format!(
            "The store is damaged and could not be opened. A copy of it was put beside it, as {:?}. Restore it from a backup.",
            copy.file_name().unwrap_or(OsStr::new(""))
        )),
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

/// There is no store, and none may be created.
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
        OpenError::Address => Error::invalid(
            "This is no URL of a PostgreSQL database: postgres://role:password@host:5432/database, with percent-encoded parts and settings that are known, such as ?sslmode=require.",
        ),
        OpenError::Weak => Error::invalid(
            "?sslmode=prefer leaves it to whoever answers whether anything is encrypted, so it protects from nobody. Write ?sslmode=require, or ?sslmode=disable for a network that nobody else reads.",
        ),
        OpenError::Unavailable => Error::StoreUnavailable(
            "The database cannot be reached, or what answers there is none. Check host and port, and that the server runs, then try again.".to_owned(),
        ),
        OpenError::AsksForPassword => Error::invalid(
            "The server asks for the password itself or an MD5 hash of it, and the connection is not encrypted: it was not sent. Have the server use scram-sha-256 (in pg_hba.conf, and password_encryption when the role gets its password), or add ?sslmode=require to the URL.",
        ),
        OpenError::Pooled => errors::pooled(),
        OpenError::Crowded => Error::StoreUnavailable(
            "The database takes no more connections. Lower `connections` of the processes that use it, or raise the server's max_connections or the role's limit."
                .to_owned(),
        ),
        OpenError::Standby => Error::StoreUnavailable(
            "The server in the URL is a standby, which takes no changes. Name the primary, or all servers and target_session_attrs=read-write."
                .to_owned(),
        ),
        OpenError::NotLetIn => Error::invalid(
            "The database does not let this role in. Check its name and password in the URL; `npx bailiwick setup <owner url>` told the password once.",
        ),
        OpenError::NoDatabase => {
            Error::invalid("The server has no such database. Check its name in the URL, or make it.")
        }
        // An interrupted handshake looks the same, and may be repeated.
        OpenError::Untrusted => Error::StoreUnavailable(
            "The connection to the database cannot be encrypted: the server speaks no TLS, or this machine does not trust its certificate. SSL_CERT_FILE names a file of certificates to trust; ?sslmode=disable goes without, which is for networks that nobody else reads.".to_owned(),
        ),
        OpenError::Privileged => Error::invalid(
            "The role in the URL is a superuser, or may pass by row-level security, make roles, replicate or act on the server, or become a role that does. Use the URL that `npx bailiwick setup <owner url>` prints, and take from that role what it was given since.",
        ),
        OpenError::Altered => Error::invalid(
            "The row-level policies of the store's tables, or what the role in the URL may do with them, are not what the set-up makes. Run `npx bailiwick setup <owner url>`, which puts right what it made, and use the URL that it prints.",
        ),
        OpenError::Owner => Error::invalid(
            "The role in the URL owns the store's tables. Use the URL that `npx bailiwick setup <owner url>` prints.",
        ),
        OpenError::NotOwner => Error::invalid(
            "The role in the URL may not set the database up. Use one that owns the database and may create roles, or a superuser.",
        ),
        OpenError::Occupied => Error::invalid(
            "The database has a schema `bailiwick` that belongs to another role, or has something else in it. Nothing was changed. Run the set-up as the role that ran it first, or rename that schema.",
        ),
        OpenError::RoleTaken => Error::invalid(
            "This server has a role bailiwick_<database> already, although this database is not set up: from one of this name that is gone, or made by somebody else. Nothing was changed. Drop or rename that role, then run the set-up again.",
        ),
        OpenError::Refused(code) => Error::StoreUnavailable(format!(
            "The database refused the set-up{}, and nothing was changed. Its own log says more.",
            code.map(|code| format!(" with SQLSTATE {code} (https://www.postgresql.org/docs/current/errcodes-appendix.html)"))
                .unwrap_or_default()
        )),
        OpenError::NotSetUp => Error::invalid(
            "The database is not set up for this role. Run `npx bailiwick setup <owner url>` once, and use the URL that it prints.",
        ),
        OpenError::OlderFormat => Error::invalid(
            "The tables are those of an older version of bailiwick. Run `npx bailiwick setup <owner url>`, which brings them up to date.",
        ),
        OpenError::NewerFormat => {
            Error::invalid("The tables were made by a newer version of bailiwick. Update bailiwick.")
        }
        OpenError::Moving => Error::StoreUnavailable(
            "The store in this database is being moved. Wait until that is over, then open it where it is.".to_owned(),
        ),
        OpenError::Moved => errors::moved(),
    }
}
