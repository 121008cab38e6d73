//! Everything in a PostgreSQL database that several processes may share.
//!
//! | file | holds |
//! | --- | --- |
//! | `open` (here), `checks`, `admission` | opening, what must hold before, and who has it alone |
//! | `address`, `dialing` | where a database is, and how it is reached |
//! | `schema`, `setup` | the tables, and who makes them |
//! | `connections`, `permits`, `pipeline`, `statements`, `numbers`, `failure` | talking to the server |
//! | `grouping`, `commit`, `fresh`, `writing`, `outcome` | commits, and what became of one whose connection broke |
//! | `reading`, `single`, `housekeeping`, `exporting` | the other calls |
//! | `store`, `vault` | what callers see |
//!
//! The tables are drawn in `docs/format`.

mod address;
mod admission;
mod checks;
mod commit;
mod connections;
mod dialing;
#[cfg(test)]
mod dropped;
mod exporting;
mod failure;
mod fresh;
#[cfg(test)]
mod grouped;
mod grouping;
mod housekeeping;
mod numbers;
mod outcome;
mod permits;
mod pipeline;
mod reading;
mod schema;
mod setup;
mod single;
mod statements;
mod store;
mod vault;
mod writing;

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use crate::Opened;
use dialing::Dialer;
use failure::Trouble;
use store::{Inner, PostgresEngine, Threads};

/// How a database is used.
#[derive(Clone, Debug)]
pub struct PostgresOptions {
    /// The most connections that this process opens.
    pub connections: usize,
    /// How long the server may take over one trip, and how long a call waits for a connection. A server that is paused,
    /// or behind a network that lost it, answers nothing at all. On the server, transactions that get no further are
    /// ended after the same time.
    pub patience: Duration,
    /// How long opening may take as a whole.
    pub opening: Duration,
    /// Whether this is to move the store: then it may be one that was moved, and [`crate::Vault::claim`] may be called.
    pub is_moving: bool,
}

impl Default for PostgresOptions {
    /// 10 connections, 30 seconds for each trip and for opening, not moving.
    fn default() -> Self {
        let patience = Duration::from_secs(30);
        Self { connections: 10, patience, opening: patience, is_moving: false }
    }
}

/// Why a database cannot be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum OpenError {
    /// It is no PostgreSQL URL with a host, or one with a setting that is not known.
    #[error("the URL is not one of a PostgreSQL database")]
    Address,
    /// It asks for TLS where the server has it, which whoever stands between decides.
    #[error("the URL leaves it to the server whether there is TLS")]
    Weak,
    /// The server cannot be reached, or does not answer, or says more than there is to say.
    #[error("the database cannot be reached")]
    Unavailable,
    /// The server takes no more connections, of anybody or of this role.
    #[error("the server takes no more connections")]
    Crowded,
    /// The server follows another one.
    #[error("the server is a standby")]
    Standby,
    /// The server does not let this role in, or asks for a password that is not there.
    #[error("the server does not let this role in")]
    NotLetIn,
    /// The server wants to see the password, or a hash of it that is worth as much, without TLS.
    #[error("the server asks for the password without TLS")]
    AsksForPassword,
    /// What was prepared or set on a connection is not there any more.
    #[error("a pooler hands transactions to different sessions")]
    Pooled,
    /// The server has no such database.
    #[error("there is no such database")]
    NoDatabase,
    /// The server speaks no TLS, or its certificate is not one that this machine trusts.
    #[error("the connection cannot be encrypted")]
    Untrusted,
    /// The role is a superuser, passes by row-level security, makes roles, replicates, or acts on the server; or it may
    /// become one that does.
    #[error("the role may do what passes by row-level security")]
    Privileged,
    /// The policies of the tables, or what the role may do in the schema, are others than a set-up makes.
    #[error("the policies or the role's rights are not those of a set-up")]
    Altered,
    /// The role owns the tables, or may become the one that does.
    #[error("the role owns the tables")]
    Owner,
    /// The role may not do what a set-up has to do.
    #[error("the role may not set the database up")]
    NotOwner,
    /// The schema belongs to another role, or something else is in it.
    #[error("something else is in the schema")]
    Occupied,
    /// There is a role of the name that the application's is to have, from elsewhere.
    #[error("the role is there already")]
    RoleTaken,
    /// The server takes no such changes now. It says why by a code (SQLSTATE).
    #[error("the server refused the set-up")]
    Refused(Option<Code>),
    /// There are no tables, or the role may not use them.
    #[error("the database is not set up")]
    NotSetUp,
    /// The tables are those of an older version.
    #[error("the tables are those of an older version")]
    OlderFormat,
    /// The tables are those of a newer version.
    #[error("the tables are those of a newer version")]
    NewerFormat,
    /// Somebody has the store alone, to move it.
    #[error("the store is being moved")]
    Moving,
    /// The store is kept elsewhere.
    #[error("the store was moved")]
    Moved,
}

/// An SQLSTATE: five digits or capital letters.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Code([u8; 5]);

impl Code {
    /// `None` if it is something else, which a server may send.
    fn of(text: &str) -> Option<Self> {
        let code: [u8; 5] = text.as_bytes().try_into().ok()?;
        code.iter().all(|byte| byte.is_ascii_digit() || byte.is_ascii_uppercase()).then_some(Self(code))
    }
}

impl std::fmt::Display for Code {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str(&String::from_utf8_lossy(&self.0))
    }
}

impl std::fmt::Debug for Code {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        std::fmt::Display::fmt(self, formatter)
    }
}

/// What all calls of a store need.
struct Shared {
    connections: connections::Connections,
    groups: grouping::Groups,
    is_citus: bool,
    patience: Duration,
    /// What keeps everybody else out, if this is so.
    claim: tokio::sync::Mutex<Option<connections::Lease>>,
}

/// Where a URL leads and as whom, without password and settings: `postgres://role@host:port/database`. Two ways to write
/// one place are one, and it can be shown.
///
/// # Errors
/// [`OpenError::Address`] if it is no such URL.
pub fn place(url: &str) -> Result<String, OpenError> {
    address::place(url)
}

/// Opens the store in a database that [`setup`] has made ready, as the role in the URL. Callers need no runtime.
///
/// # Errors
/// See [`OpenError`]. Nothing is changed.
pub async fn open(url: &str, options: PostgresOptions) -> Result<Opened, OpenError> {
    let dialer = Dialer::to(url)?;
    let threads = Threads::start().map_err(|_| OpenError::Unavailable)?;
    let opening = options.opening;
    let shared = in_time(&threads, opening, connect(dialer, options)).await?;
    let inner = Arc::new(Inner::new(shared, threads));
    Ok(Opened { engine: Arc::new(PostgresEngine(Arc::clone(&inner))), vault: Arc::new(vault::PostgresVault(inner)) })
}

/// Gives up what takes longer: a server may let one in and then say nothing, or never come to an end.
async fn in_time<T: Send + 'static>(
    threads: &Threads,
    time: Duration,
    what: impl Future<Output = Result<T, OpenError>> + Send + 'static,
) -> Result<T, OpenError> {
    let what = threads.run(async move { tokio::time::timeout(time, what).await });
    what.await.and_then(Result::ok).unwrap_or(Err(OpenError::Unavailable))
}

/// Checks the database and makes room for connections to it.
async fn connect(mut dialer: Dialer, options: PostgresOptions) -> Result<Shared, OpenError> {
    if options.is_moving {
        admission::tell_apart(dialer.config_mut())?;
    }
    let dialed = dialer.dial().await?;
    let client = &dialed.client;
    connections::settle(client, options.patience).await.map_err(|error| failure::of_opening(&error))?;
    checks::before_use(client).await?;
    if !options.is_moving {
        admission::before_use(client).await?;
    }
    let is_citus = checks::is_citus(client).await?;
    let connections = connections::Connections::new(dialer, &options);
    let connections = connections.map_err(|_: Trouble| OpenError::Unavailable)?;
    Ok(Shared {
        connections,
        groups: grouping::Groups::default(),
        is_citus,
        patience: options.patience,
        claim: tokio::sync::Mutex::default(),
    })
}

/// Makes a database ready, as its owner: the schema (or what is missing of it), the fence, the application's role and
/// what that may do. Doing it again changes nothing. Returns the application's URL; the role's password is in it only if
/// the role was made by this call.
///
/// # Errors
/// See [`OpenError`]. Then nothing was changed.
pub async fn setup(owner_url: &str) -> Result<String, OpenError> {
    setup_within(owner_url, Duration::from_secs(60)).await
}

/// The same, given up after this time.
///
/// # Errors
/// As [`setup`].
pub async fn setup_within(owner_url: &str, time: Duration) -> Result<String, OpenError> {
    let dialer = Dialer::to(owner_url)?;
    let url = owner_url.to_owned();
    let threads = Threads::start().map_err(|_| OpenError::Unavailable)?;
    let setting_up = async move {
        let dialed = dialer.dial().await?;
        setup::run(&dialed.client, &url, time).await
    };
    in_time(&threads, time, setting_up).await
}
