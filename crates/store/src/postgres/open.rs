//! Opening a store in a database, and preparing a database for one.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use super::commit::groups::Groups;
use super::connect::address::Address;
use super::connect::dialing::Dialer;
use super::connect::options::PostgresOptions;
use super::connect::pool::Connections;
use super::connect::{admission, claim, transaction};
use super::engine::PostgresEngine;
use super::failure::{self, Trouble};
use super::open_error::OpenError;
use super::runner::{Inner, Threads};
use super::shared::Shared;
use super::sql::{checks, setup};
use super::vault::PostgresVault;
use crate::{EngineFuture, Opened};

/// Opens the store in a database that [`setup`] has prepared. Callers need no Tokio runtime.
///
/// # Errors
/// See [`OpenError`]. Nothing is changed.
pub fn open(address: &Address, options: PostgresOptions) -> EngineFuture<'_, Result<Opened, OpenError>> {
    Box::pin(async move {
        let dialer = Dialer::to(address)?;
        let threads = Threads::start().map_err(|_| OpenError::Unavailable)?;
        let opening = options.opening;
        let shared = in_time(&threads, opening, connect(dialer, options)).await?;
        let inner = Arc::new(Inner::new(shared, threads));
        Ok(Opened { engine: Arc::new(PostgresEngine(Arc::clone(&inner))), vault: Arc::new(PostgresVault(inner)) })
    })
}

/// Runs a future with a timeout: a server may accept a connection and then stay silent, or never finish.
async fn in_time<T: Send + 'static>(
    threads: &Threads,
    time: Duration,
    work: impl Future<Output = Result<T, OpenError>> + Send + 'static,
) -> Result<T, OpenError> {
    let work = threads.run(async move { tokio::time::timeout(time, work).await });
    work.await.and_then(Result::ok).unwrap_or(Err(OpenError::Unavailable))
}

/// Checks the database and creates the connection pool.
pub(in crate::postgres) async fn connect(mut dialer: Dialer, options: PostgresOptions) -> Result<Shared, OpenError> {
    if options.is_moving {
        claim::name_process(dialer.config_mut())?;
    }
    let dialed = dialer.dial().await?;
    let client = &dialed.client;
    transaction::configure(client, options.patience).await.map_err(|error| failure::of_opening(&error))?;
    checks::before_use(client).await?;
    if !options.is_moving {
        admission::before_use(client).await?;
    }
    let is_citus = checks::is_citus(client).await?;
    let connections = Connections::new(dialer, &options);
    let connections = connections.map_err(|_: Trouble| OpenError::Unavailable)?;
    Ok(Shared {
        connections,
        groups: Groups::default(),
        is_citus,
        patience: options.patience,
        claim: tokio::sync::Mutex::default(),
    })
}

/// Prepares a database, as its owner: the schema (or what is missing of it), the row-level policies, the application's role and its
/// privileges. Idempotent. Returns the application's URL; it has the role's password only if this call created the role.
///
/// # Errors
/// See [`OpenError`]. Then nothing was changed.
pub async fn setup(owner: &Address) -> Result<String, OpenError> {
    setup_within(owner, Duration::from_secs(60)).await
}

/// Does the same with another timeout.
///
/// # Errors
/// As [`setup`].
pub fn setup_within(owner: &Address, time: Duration) -> EngineFuture<'_, Result<String, OpenError>> {
    Box::pin(async move {
        let dialer = Dialer::to(owner)?;
        let owner = owner.clone();
        let threads = Threads::start().map_err(|_| OpenError::Unavailable)?;
        let setting_up = async move {
            let dialed = dialer.dial().await?;
            setup::run(&dialed.client, &owner, time).await
        };
        in_time(&threads, time, setting_up).await
    })
}
