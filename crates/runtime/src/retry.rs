//! Repeats a change that conflicts with another one.

use bailiwick_model::Error;

/// The number of times that a change is tried while others change the same item.
pub(crate) const ATTEMPTS: usize = 16;

/// The error once they are used up.
pub(crate) fn contended() -> Error {
    Error::StoreUnavailable("Others keep changing the same item. Try again.".to_owned())
}
