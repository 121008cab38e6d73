//! What operators do with a whole store: open, back up, check, migrate, and housekeeping.

pub(crate) mod backup;
pub(crate) mod check;
pub(crate) mod copy_rows;
pub(crate) mod housekeeping_lease;
pub(crate) mod legacy;
pub(crate) mod location;
pub(crate) mod migration;
pub(crate) mod open;
pub mod stores;
pub(crate) mod sweep;
pub(crate) mod work;
