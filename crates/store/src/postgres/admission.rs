//! Who may be in the database: everybody whose role may, unless one process has it alone, to move what is in it, or it was
//! moved. Whoever has it alone holds a lock on the row of the store's slot, so that it ends with its connection; each new
//! connection of others tries that lock first.

use std::fmt::Write as _;
use std::time::{Duration, Instant};

use tokio_postgres::error::SqlState;
use tokio_postgres::{Client, Config, Error, SimpleQueryMessage};

use super::connections::{BEGIN_WRITING, Connection};
use super::failure::{self, Trouble};
use super::pipeline::Answer;
use super::{OpenError, Shared};
use crate::vault::MOVED;

/// The first byte of the store's slot, unless somebody holds it.
const TRY: &str = "SELECT get_byte(value, 0) FROM bailiwick.headers WHERE name = decode(repeat('00', 32), 'hex')
    FOR KEY SHARE NOWAIT";
/// Nothing of this transaction ends before its connection does.
const HOLD: &str = "SET LOCAL idle_in_transaction_session_timeout = 0;
    SELECT FROM bailiwick.headers WHERE name = decode(repeat('00', 32), 'hex') FOR UPDATE NOWAIT";
/// How long connections that are about to end may take: those of a process that was killed just now.
const GRACE: Duration = Duration::from_secs(3);
/// Between two looks.
const PAUSE: Duration = Duration::from_millis(50);

/// What a new connection finds.
enum Admission {
    Open,
    /// Somebody has the store alone.
    Held,
    Moved,
}

async fn admission(client: &Client) -> Result<Admission, Error> {
    match client.simple_query(TRY).await {
        Ok(messages) => {
            let is_moved = |message: &SimpleQueryMessage| match message {
                SimpleQueryMessage::Row(row) => row.get(0).and_then(|byte| byte.parse().ok()) == Some(MOVED),
                _ => false,
            };
            Ok(if messages.iter().any(is_moved) { Admission::Moved } else { Admission::Open })
        }
        Err(error) if error.code() == Some(&SqlState::LOCK_NOT_AVAILABLE) => Ok(Admission::Held),
        // A standby, for settings refuse nothing here: nobody writes there.
        Err(error) if error.code() == Some(&SqlState::READ_ONLY_SQL_TRANSACTION) => Ok(Admission::Open),
        Err(error) => Err(error),
    }
}

/// Refuses to open a store that somebody has alone, or that was moved.
pub(super) async fn before_use(client: &Client) -> Result<(), OpenError> {
    match admission(client).await.map_err(|error| failure::of_opening(&error))? {
        Admission::Open => Ok(()),
        Admission::Held => Err(OpenError::Moving),
        Admission::Moved => Err(OpenError::Moved),
    }
}

/// The same for a connection to a store that is open.
pub(super) async fn of_connection(client: &Client) -> Result<(), Trouble> {
    match admission(client).await.map_err(|error| Trouble::of(&error))? {
        Admission::Open => Ok(()),
        Admission::Held => Err(Trouble::Refused),
        Admission::Moved => Err(Trouble::Closed),
    }
}

/// Names the connections of this process, so that they can be told from everybody else's.
pub(super) fn tell_apart(config: &mut Config) -> Result<(), OpenError> {
    let mut bytes = [0; 8];
    getrandom::fill(&mut bytes).map_err(|_| OpenError::Unavailable)?;
    let mut name = "bailiwick migrate ".to_owned();
    for byte in bytes {
        let _ = write!(name, "{byte:02x}");
    }
    config.application_name(name);
    Ok(())
}

/// See [`crate::Vault::claim`]. First the lock, then a look at who is there: whoever was let in before the lock is seen, and
/// after it nobody is let in.
pub(super) async fn claim(shared: &Shared) -> Result<bool, Trouble> {
    let start = Instant::now();
    loop {
        let lease = shared.connections.lease(None).await?;
        let connection = lease.connection()?;
        if hold(connection).await? {
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
        // With its failed transaction.
        drop(lease);
        tokio::time::sleep(PAUSE).await;
    }
}

/// `false`: somebody else has it.
async fn hold(connection: &Connection) -> Result<bool, Trouble> {
    // The mark that the store was moved is written at its end.
    let hold = format!("{BEGIN_WRITING}; {HOLD}");
    let mut pipeline = connection.pipeline();
    pipeline.batch(&hold);
    match pipeline.outcomes().await?.pop() {
        Some(Ok(_)) => Ok(true),
        Some(Err(error)) if error.code() == Some(&SqlState::LOCK_NOT_AVAILABLE) => Ok(false),
        Some(Err(error)) => Err(Trouble::of(&error)),
        None => Err(Trouble::Lost),
    }
}

/// Whether somebody else is connected who could write.
async fn others(connection: &Connection) -> Result<bool, Trouble> {
    let mut pipeline = connection.pipeline();
    pipeline.query(&connection.statements.others, Vec::new());
    let rows = pipeline.answers().await?.pop().map(Answer::rows).unwrap_or_default();
    Ok(rows.first().ok_or(Trouble::Lost)?.get(0))
}
