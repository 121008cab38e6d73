//! Admission of connections: refused while another process has exclusive use of the store, for a migration, and after the store was moved. Exclusive
//! use is a lock on the row of the store's slot, which ends with its connection; each new connection tries that lock first.

use tokio_postgres::error::SqlState;
use tokio_postgres::{Client, Error, SimpleQueryMessage};

use crate::postgres::failure::{self, Trouble};
use crate::postgres::open_error::OpenError;
use crate::vault::MOVED;

/// Returns the first byte of the store's slot, unless it is locked.
const TRY: &str = "SELECT get_byte(value, 0) FROM bailiwick.headers WHERE name = decode(repeat('00', 32), 'hex')
    FOR KEY SHARE NOWAIT";
/// The state that a new connection finds.
enum Admission {
    Open,
    /// Another process has exclusive use.
    Claimed,
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
        Err(error) if error.code() == Some(&SqlState::LOCK_NOT_AVAILABLE) => Ok(Admission::Claimed),
        // A standby, because settings do not make this fail: nothing is written there.
        Err(error) if error.code() == Some(&SqlState::READ_ONLY_SQL_TRANSACTION) => Ok(Admission::Open),
        Err(error) => Err(error),
    }
}

/// Fails to open a store that another process has claimed, or that was moved.
pub(in crate::postgres) async fn before_use(client: &Client) -> Result<(), OpenError> {
    match admission(client).await.map_err(|error| failure::of_opening(&error))? {
        Admission::Open => Ok(()),
        Admission::Claimed => Err(OpenError::Moving),
        Admission::Moved => Err(OpenError::Moved),
    }
}

/// Does the same for a new connection to an open store.
pub(in crate::postgres) async fn check_connection(client: &Client) -> Result<(), Trouble> {
    match admission(client).await.map_err(|error| Trouble::of(&error))? {
        Admission::Open => Ok(()),
        Admission::Claimed => Err(Trouble::Refused),
        Admission::Moved => Err(Trouble::Closed),
    }
}
