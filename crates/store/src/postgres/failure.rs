//! The errors of a server. Their texts, which name tables, statements and workers, do not leave this file.

use std::io;

use tokio_postgres::Error;
use tokio_postgres::error::{Severity, SqlState};

use super::open_error::OpenError;
use crate::engine::{CommitError, ReadError};

/// The failure of a round trip.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::postgres) enum Trouble {
    /// No connection, or it broke: the outcome is unknown.
    Lost,
    /// Another transaction was first. Nothing was written.
    Raced,
    /// The server's disk is full. Nothing was written.
    Full,
    /// A standby answered, whose data may be old. Nothing was written.
    Standby,
    /// A prepared statement is missing: a pooler assigns transactions to different sessions. Nothing was written.
    Pooled,
    /// The server rejected the statement. Nothing was written.
    Refused,
    /// The stored data is corrupt.
    Corrupt,
    /// The engine is closed.
    Closed,
}

impl Trouble {
    /// Classifies the error of a statement.
    pub(in crate::postgres) fn of(error: &Error) -> Self {
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

/// Whether an error means that another session answered than before.
pub(in crate::postgres) fn is_of_pooler(code: &SqlState) -> bool {
    [SqlState::INVALID_SQL_STATEMENT_NAME, SqlState::DUPLICATE_PSTATEMENT].contains(code)
}

/// Classifies an error of the first connection.
pub(in crate::postgres) fn of_opening(error: &Error) -> OpenError {
    if error.code().is_some_and(is_of_pooler) { OpenError::Pooled } else { OpenError::Unavailable }
}

/// Classifies an error of connecting. The client distinguishes its own errors by their texts alone.
pub(in crate::postgres) fn of_connecting(error: &Error) -> OpenError {
    match Distrusted::in_error(error) {
        Some(Distrusted::AsksForPassword) => return OpenError::AsksForPassword,
        Some(Distrusted::TooMuch) => return OpenError::Unavailable,
        None => {}
    }
    match error.code() {
        Some(&SqlState::INVALID_PASSWORD | &SqlState::INVALID_AUTHORIZATION_SPECIFICATION) => OpenError::NotLetIn,
        Some(&SqlState::INVALID_CATALOG_NAME) => OpenError::NoDatabase,
        Some(&SqlState::TOO_MANY_CONNECTIONS) => OpenError::Crowded,
        Some(_) => OpenError::Unavailable,
        None => match error.to_string() {
            text if text.starts_with("error performing TLS handshake") => OpenError::Untrusted,
            // "invalid configuration": the URL lacks a password.
            text if text.starts_with("invalid configuration") => OpenError::NotLetIn,
            text if text.starts_with("authentication error") => OpenError::NotLetIn,
            _ => OpenError::Unavailable,
        },
    }
}

/// Why a connection is closed before it is in use. Carried inside the client's error.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(in crate::postgres) enum Distrusted {
    /// The server asks for the password itself, or for its MD5 hash.
    #[error("the server asks for the password")]
    AsksForPassword,
    /// The server sends too many bytes, or asks for too many iterations.
    #[error("the server sends too much")]
    TooMuch,
}

impl Distrusted {
    /// Returns the reason in an error of the client.
    pub(in crate::postgres) fn in_error(error: &tokio_postgres::Error) -> Option<Self> {
        let error = std::error::Error::source(error)?.downcast_ref::<io::Error>()?;
        error.get_ref()?.downcast_ref().copied()
    }
}

impl From<Trouble> for CommitError {
    /// For a commit that was certainly not applied.
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
