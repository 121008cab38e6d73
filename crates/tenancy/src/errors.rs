//! The errors that callers see. Texts of an engine never reach them.

use bailiwick_model::{Error, Kind};
use bailiwick_store::{CommitError, ReadError};

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
            "The store failed during this write, which may or may not have been applied. Open the store again and read it."
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
        "The store does not answer, and this call wrote nothing: its database cannot be reached or accepts no changes, or its disk has failed. See store.health(). The next call tries a database again; a directory must be opened again.".to_owned(),
    )
}

fn standby() -> Error {
    Error::StoreUnavailable(
        "A standby answered, whose data may be old. This call used none of it and wrote nothing. Name the primary in the URL, or all servers and target_session_attrs=read-write. A pooler must not distribute reads: load_balance_mode=off in pgpool.".to_owned(),
    )
}

pub(crate) fn pooled() -> Error {
    Error::StoreUnavailable(
        "A pooler assigns transactions to different sessions, and this call wrote nothing. Set it to keep sessions together, such as pool_mode=session in PgBouncer, or name the database itself.".to_owned(),
    )
}

/// The attempts of a change that conflicts.
pub const ATTEMPTS: usize = 16;

/// The error of a change that has conflicted too often.
pub fn contended() -> Error {
    Error::StoreUnavailable("Other calls keep changing the same item. Try again.".to_owned())
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
        "This store was moved to another place. Open it there. If the migration was interrupted, run `bailiwick migrate` again with the same two places.",
    )
}
