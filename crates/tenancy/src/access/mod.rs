//! What a tenant does with its records: each file adds methods to [`Access`](crate::tenant::scope::Access).

pub(crate) mod commit;
pub(crate) mod cursor;
pub(crate) mod journal;
pub(crate) mod list;
pub(crate) mod reading;
mod signing;
