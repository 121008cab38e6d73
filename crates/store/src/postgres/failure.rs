//! What the server's errors mean. Its texts, which name tables, statements and workers, end here.

use tokio_postgres::Error;
use tokio_postgres::error::{Severity, SqlState};

use super::OpenError;
use super::dialing::Watched;
use crate::engine::{CommitError, ReadError};

/// What went wrong on a trip to the server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Trouble {
    /// No connection, or it broke: what was under way may or may not have happened.
    Lost,
    /// Another transaction came first. Nothing was written.
    Raced,
    /// The server's disk is full. Nothing was written.
    Full,
    /// A server answered that only follows another: what it has is old. Nothing was written.
    Standby,
    /// What was prepared on the connection is not there: a pooler hands transactions to different sessions. Nothing was
    /// written.
    Pooled,
    /// The server does not take this now. Nothing was written.
    Refused,
    /// What is stored is not what this engine writes.
    Corrupt,
    /// The engine is closed.
    Closed,
}

impl Trouble {
    /// What an error of a statement means.
    pub(super) fn of(error: &Error) -> Self {
        let Some(database) = error.as_db_error() else { return Self::Lost };
        if database.parsed_severity() != Some(Severity::Error) {
            return Self::Lost;
        }
        let code = database.code();
        match code {
            &SqlState::UNIQUE_VIOLATION | &SqlState::T_R_SERIALIZATION_FAILURE | &SqlState::T_R_DEADLOCK_DETECTED => {
                Self::Raced
            }
            &SqlState::DISK_FULL => Self::Full,
            &SqlState::READ_ONLY_SQL_TRANSACTION => Self::Standby,
            code if is_of_pooler(code) => Self::Pooled,
            &SqlState::DATA_CORRUPTED | &SqlState::INDEX_CORRUPTED => Self::Corrupt,
            _ => Self::Refused,
        }
    }
}

/// Whether an error means that another session answers than the one that was talked to before.
pub(super) fn is_of_pooler(code: &SqlState) -> bool {
    [SqlState::INVALID_SQL_STATEMENT_NAME, SqlState::DUPLICATE_PSTATEMENT].contains(code)
}

/// Why a first connection is of no use.
pub(super) fn of_opening(error: &Error) -> OpenError {
    if error.code().is_some_and(is_of_pooler) { OpenError::Pooled } else { OpenError::Unavailable }
}

/// Why there is no first connection. Of its own errors, the client tells the kind by their texts alone.
pub(super) fn of_connecting(error: &Error) -> OpenError {
    match Watched::in_error(error) {
        Some(Watched::AsksForPassword) => return OpenError::AsksForPassword,
        Some(Watched::TooMuch) => return OpenError::Unavailable,
        None => {}
    }
    match error.code() {
        Some(&SqlState::INVALID_PASSWORD | &SqlState::INVALID_AUTHORIZATION_SPECIFICATION) => OpenError::NotLetIn,
        Some(&SqlState::INVALID_CATALOG_NAME) => OpenError::NoDatabase,
        Some(&SqlState::TOO_MANY_CONNECTIONS) => OpenError::Crowded,
        Some(_) => OpenError::Unavailable,
        None => match error.to_string() {
            text if text.starts_with("error performing TLS handshake") => OpenError::Untrusted,
            // The first is of a password that the URL lacks.
            text if text.starts_with("invalid configuration") => OpenError::NotLetIn,
            text if text.starts_with("authentication error") => OpenError::NotLetIn,
            _ => OpenError::Unavailable,
        },
    }
}

impl From<Trouble> for CommitError {
    /// Of a commit that has certainly not happened.
    fn from(trouble: Trouble) -> Self {
        match trouble {
            Trouble::Lost | Trouble::Raced | Trouble::Refused => Self::Unavailable,
            Trouble::Full => Self::Full,
            Trouble::Standby => Self::Standby,
            Trouble::Pooled => Self::Pooled,
            Trouble::Corrupt => Self::Corrupt,
            Trouble::Closed => Self::Closed,
        }
    }
}

impl From<Trouble> for ReadError {
    fn from(trouble: Trouble) -> Self {
        match trouble {
            Trouble::Lost | Trouble::Raced | Trouble::Refused | Trouble::Full => Self::Unavailable,
            Trouble::Standby => Self::Standby,
            Trouble::Pooled => Self::Pooled,
            Trouble::Corrupt => Self::Corrupt,
            Trouble::Closed => Self::Closed,
        }
    }
}
