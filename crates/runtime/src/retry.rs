//! How often a change that conflicts with another one is tried, and the error after that.

pub(crate) use bailiwick_tenancy::contended;

/// The number of times that a change is tried while others change the same item.
pub(crate) const ATTEMPTS: usize = 16;
