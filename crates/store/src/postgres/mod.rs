//! Everything in a PostgreSQL database that several processes may share.
//!
//! | file | holds |
//! | --- | --- |
//! | `open` (here), `checks`, `address`, `admission` | opening, what must hold before, and who has it alone |
//! | `schema`, `setup` | the tables, and who makes them |
//! | `connections`, `permits`, `pipeline`, `statements`, `numbers`, `failure` | talking to the server |
//! | `grouping`, `commit`, `fresh`, `writing`, `outcome` | commits, and what became of one whose connection broke |
//! | `reading`, `housekeeping`, `exporting` | the other calls |
//! | `store`, `vault` | what callers see |
//!
//! The tables are drawn in `docs/format`.

mod address;
mod admission;
mod checks;
mod commit;
mod connections;
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
mod statements;
mod store;
mod vault;
mod writing;

use std::sync::Arc;
use std::time::Duration;

use crate::Opened;
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
    /// Whether this is to move the store: then it may be one that was moved, and [`crate::Vault::claim`] may be called.
    pub is_moving: bool,
}

impl Default for PostgresOptions {
    /// 10 connections, 30 seconds, not moving.
    fn default() -> Self {
        Self { connections: 10, patience: Duration::from_secs(30), is_moving: false }
    }
}

/// Why a database cannot be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum OpenError {
    /// It is no PostgreSQL URL with a host, or one with a setting that is not known.
    #[error("the URL is not one of a PostgreSQL database")]
    Address,
    /// The server cannot be reached.
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
    /// The server has no such database.
    #[error("there is no such database")]
    NoDatabase,
    /// The server speaks no TLS, or its certificate is not one that this machine trusts.
    #[error("the connection cannot be encrypted")]
    Untrusted,
    /// The role is a superuser or passes by row-level security, or may become one that is.
    #[error("the role may pass by row-level security")]
    Privileged,
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
    /// The server takes no such changes now, for example because it is a standby.
    #[error("the server refused the set-up")]
    Refused,
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

/// What all calls of a store need.
struct Shared {
    connections: connections::Connections,
    groups: grouping::Groups,
    is_citus: bool,
    server_default_is_off: bool,
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
    let config = address::parse(url)?;
    let tls = address::tls()?;
    let threads = Threads::start().map_err(|_| OpenError::Unavailable)?;
    let shared = threads.run(connect(config, tls, options)).await.unwrap_or(Err(OpenError::Unavailable))?;
    let inner = Arc::new(Inner::new(shared, threads));
    Ok(Opened { engine: Arc::new(PostgresEngine(Arc::clone(&inner))), vault: Arc::new(vault::PostgresVault(inner)) })
}

/// Checks the database and makes room for connections to it.
async fn connect(
    mut config: tokio_postgres::Config,
    tls: tokio_postgres_rustls::MakeRustlsConnect,
    options: PostgresOptions,
) -> Result<Shared, OpenError> {
    if options.is_moving {
        admission::tell_apart(&mut config)?;
    }
    let (client, connection) = config.connect(tls.clone()).await.map_err(|error| failure::of_connecting(&error))?;
    tokio::spawn(connection);
    checks::before_use(&client).await?;
    if !options.is_moving {
        admission::before_use(&client).await?;
    }
    let is_citus = checks::is_citus(&client).await?;
    let row = client.query_one("SHOW synchronous_commit", &[]).await.map_err(|_| OpenError::Unavailable)?;
    let connections = connections::Connections::new(config, tls, &options);
    let connections = connections.map_err(|_: Trouble| OpenError::Unavailable)?;
    let server_default_is_off = row.get::<_, &str>(0) == "off";
    Ok(Shared {
        connections,
        groups: grouping::Groups::default(),
        is_citus,
        server_default_is_off,
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
    let config = address::parse(owner_url)?;
    let tls = address::tls()?;
    let url = owner_url.to_owned();
    let threads = Threads::start().map_err(|_| OpenError::Unavailable)?;
    let setting_up = async move {
        let (client, connection) = config.connect(tls).await.map_err(|error| failure::of_connecting(&error))?;
        tokio::spawn(connection);
        setup::run(&client, &url).await
    };
    threads.run(setting_up).await.unwrap_or(Err(OpenError::Unavailable))
}
