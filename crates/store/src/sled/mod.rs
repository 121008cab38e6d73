//! A store in a directory: durable, crash-safe, for one process at a time. The folder is named after the library in which older formats kept
//! their rows.
//!
//! | folder | holds |
//! | --- | --- |
//! | `lock` | the directory: its files, whom they belong to, its lock, and what operating systems do differently |
//! | `tree` | the rows: those of the write-ahead log before those of the tables; their bytes; expiry buckets; look-ups; older formats |
//! | `wal` | the write-ahead log, and its rows in memory until a table holds them |
//! | `tables` | sorted tables, which hold the rows, and are merged |
//! | `values` | large values in files of their own |
//! | `writer` | the committer: the thread that commits; its queue, maintenance jobs and failures; the applier, which writes tables |
//! | `keys` | the vault |
//!
//! `open` opens a store, `engine` is what callers use, `sweep`, `export` and `compact` work between the commits of others. The bytes are
//! drawn in `docs/format`.

mod compact;
mod engine;
mod error;
mod export;
mod keys;
mod lock;
#[cfg(any(test, feature = "conformance"))]
pub mod older;
mod open;
mod shared;
mod sweep;
mod tables;
mod tree;
mod values;
mod wal;
mod writer;

pub use error::{OpenError, SledOptions};
pub use lock::directory::{Absent, remove_copy, sync_parent};
pub use lock::trust::{Reason, Untrusted};
pub use open::{Entered, enter, open};
