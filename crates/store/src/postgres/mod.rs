//! A store in a PostgreSQL database, which several processes may share.
//!
//! | folder | holds |
//! | --- | --- |
//! | `connect` | addresses, dialing, the connection pool, and who is admitted to a store |
//! | `sql` | the tables, their set-up and checks, the statements, and round trips |
//! | `commit` | commits in groups, and the outcome of one whose connection broke |
//!
//! `open` opens a store, `engine` and `vault` are what callers use, `read`, `sweep` and `export` do the other calls. The tables are
//! drawn in `docs/format`.

mod commit;
mod connect;
mod engine;
mod export;
mod failure;
mod open;
mod open_error;
mod read;
mod runner;
mod shared;
mod sql;
mod sweep;
#[cfg(test)]
mod tests;
mod vault;

pub use connect::address::Address;
pub use connect::options::PostgresOptions;
pub use open::{open, setup, setup_within};
pub use open_error::{Code, OpenError};
