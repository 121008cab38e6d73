//! The errors that callers see. Texts of an engine never reach them.

use bailiwick_model::{Error, Kind};
use bailiwick_store::{CommitError, ReadError};

/// Converts the error of a read.
pub(crate) fn read(error: ReadError) -> Error {
    match error {
        ReadError::Unavailable => unavailable(),
        ReadError::Standby => standby(),
        ReadError::Pooled => pooled(),
        ReadError::Corrupt => corrupt(),
        ReadError::Closed => closed(),
    }
}

/// Converts the error of a commit. Callers that can repeat a commit handle `Conflict` first.
pub(crate) fn commit(error: CommitError) -> Error {
    match error {
        CommitError::Conflict { .. } => {
            Error::Conflict("The state changed meanwhile. Read it again and repeat.".to_owned())
        }
        CommitError::Quota { kind, limit, used, more } => Error::QuotaExceeded {
            quota: kind.and_then(kind_name).map_or_else(|| "bytes".to_owned(), |name| format!("items.{name}")),
            limit,
            used,
            more,
        },
        CommitError::TooLarge => Error::invalid("This is more than the store takes in one call. Split it."),
        CommitError::Full => Error::StoreUnavailable(
            "The disk of the store is full. Nothing was written. Free some space and try again.".to_owned(),
        ),
        CommitError::Unavailable => unavailable(),
        CommitError::Standby => standby(),
        CommitError::Pooled => pooled(),
        CommitError::OutcomeUnknown => Error::OutcomeUnknown(
            "The store failed while this was written: it may or may not be there. Open the store again and read it."
                .to_owned(),
        ),
        CommitError::Corrupt => corrupt(),
        CommitError::Closed => closed(),
    }
}

fn kind_name(number: u8) -> Option<&'static str> {
    Kind::ALL.into_iter().find(|kind| *kind as u8 == number).map(Kind::name)
}

fn unavailable() -> Error {
    Error::StoreUnavailable(
        "The store does not answer, and nothing was written by this call: its database cannot be reached or takes no changes, or its disk has failed. store.health() says more. A database is asked again with the next call; a directory must be opened again.".to_owned(),
    )
}

fn standby() -> Error {
    Error::StoreUnavailable(
        "A standby answered, whose data may be old, and nothing was taken from it or written by this call. Name the primary in the URL, or all servers and target_session_attrs=read-write; a pooler that shares reads out must not: load_balance_mode=off in pgpool.".to_owned(),
    )
}

pub(crate) fn pooled() -> Error {
    Error::StoreUnavailable(
        "A pooler between here and the database hands transactions to different sessions, and nothing was written by this call. Have it keep sessions together: pool_mode=session in PgBouncer. Or name the database itself.".to_owned(),
    )
}

/// The attempts of a change that conflicts.
pub const ATTEMPTS: usize = 16;

/// The error of a change that has conflicted too often.
pub fn contended() -> Error {
    Error::StoreUnavailable("Others keep changing the same item. Try again.".to_owned())
}

pub(crate) fn corrupt() -> Error {
    Error::StoreCorrupt(
        "A record of this store is damaged or was moved. Nothing was guessed. Restore the store from a backup."
            .to_owned(),
    )
}

pub(crate) fn closed() -> Error {
    Error::Closed("This runtime or its store is closed. Open it again.".to_owned())
}

/// The error for a store that a newer version wrote.
pub(crate) fn newer_version() -> Error {
    Error::invalid("This store was written by a newer version of bailiwick. Update bailiwick.")
}

/// The error for a store that was moved to another place.
pub(crate) fn moved() -> Error {
    Error::invalid(
        "This store was moved, and nothing may be written here any more. Open it where it is now. If the move was cut off, run `bailiwick migrate` again with the same two places.",
    )
}
