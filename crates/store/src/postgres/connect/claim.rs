//! Exclusive use of a store, for a migration.

use std::fmt::Write as _;
use std::time::{Duration, Instant};

use tokio_postgres::Config;
use tokio_postgres::error::SqlState;

use super::connection::Connection;
use super::transaction::BEGIN_WRITING;
use crate::postgres::failure::Trouble;
use crate::postgres::open_error::OpenError;
use crate::postgres::shared::Shared;
use crate::postgres::sql::pipeline::Answer;

/// Locks the store's slot until the connection ends.
const LOCK: &str = "SET LOCAL idle_in_transaction_session_timeout = 0;
    SELECT FROM bailiwick.headers WHERE name = decode(repeat('00', 32), 'hex') FOR UPDATE NOWAIT";
/// How long to wait for connections that are about to end, such as those of a killed process.
const GRACE: Duration = Duration::from_secs(3);
/// The pause between two checks.
const PAUSE: Duration = Duration::from_millis(50);

/// Gives the connections of this process an application name that distinguishes them from all others.
pub(in crate::postgres) fn name_process(config: &mut Config) -> Result<(), OpenError> {
    let mut bytes = [0; 8];
    getrandom::fill(&mut bytes).map_err(|_| OpenError::Unavailable)?;
    let mut name = "bailiwick migrate ".to_owned();
    for byte in bytes {
        let _ = write!(name, "{byte:02x}");
    }
    config.application_name(name);
    Ok(())
}

/// Implements [`crate::Vault::claim`]. First the lock, then the check of other connections: those that were admitted before the lock are seen, and none
/// is admitted after it.
pub(in crate::postgres) async fn claim(shared: &Shared) -> Result<bool, Trouble> {
    let start = Instant::now();
    loop {
        let lease = shared.connections.lease(None).await?;
        let connection = lease.connection()?;
        if lock(connection).await? {
            while others(connection).await? {
                if start.elapsed() > GRACE {
                    return Ok(false);
                }
                tokio::time::sleep(PAUSE).await;
            }
            *shared.claim.lock().await = Some(lease);
            return Ok(true);
        }
        if start.elapsed() > GRACE {
            return Ok(false);
        }
        // With the failed transaction.
        drop(lease);
        tokio::time::sleep(PAUSE).await;
    }
}

/// Takes the lock. `false`: another process has it.
async fn lock(connection: &Connection) -> Result<bool, Trouble> {
    // The slot of a moved store is written at the end of this transaction.
    let lock = format!("{BEGIN_WRITING}; {LOCK}");
    let mut pipeline = connection.pipeline();
    pipeline.batch(&lock);
    match pipeline.outcomes().await?.pop() {
        Some(Ok(_)) => Ok(true),
        Some(Err(error)) if error.code() == Some(&SqlState::LOCK_NOT_AVAILABLE) => Ok(false),
        Some(Err(error)) => Err(Trouble::of(&error)),
        None => Err(Trouble::Lost),
    }
}

/// Whether another process is connected that could write.
async fn others(connection: &Connection) -> Result<bool, Trouble> {
    let mut pipeline = connection.pipeline();
    pipeline.query(&connection.statements.others, Vec::new());
    let rows = pipeline.answers().await?.pop().map(Answer::rows).unwrap_or_default();
    Ok(rows.first().ok_or(Trouble::Lost)?.get(0))
}
