//! Connections to a database.

pub(in crate::postgres) mod address;
pub(in crate::postgres) mod admission;
pub(in crate::postgres) mod claim;
pub(in crate::postgres) mod connection;
pub(in crate::postgres) mod dialing;
pub(in crate::postgres) mod options;
pub(in crate::postgres) mod permits;
pub(in crate::postgres) mod pool;
pub(in crate::postgres) mod transaction;
