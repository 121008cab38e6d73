//! A store in a directory, on sled: durable, crash-safe, for one process at a time.
//!
//! | folder | holds |
//! | --- | --- |
//! | `lock` | the directory: its files, whom they belong to, its lock, and what operating systems do differently |
//! | `tree` | the rows: of the write-ahead log before those of sled, which is wrapped; their bytes; expiry buckets; look-ups |
//! | `wal` | the write-ahead log, and its rows in memory until sled holds them |
//! | `values` | large values in files of their own |
//! | `writer` | the committer: the thread that commits; its queue, maintenance jobs and failures; the applier, which writes to sled |
//! | `keys` | the vault |
//!
//! `open` opens a store, `engine` is what callers use, `sweep` and `export` work between the commits of others. The bytes are
//! drawn in `docs/format`.

mod engine;
mod error;
mod export;
mod keys;
mod lock;
mod open;
mod shared;
mod sweep;
mod tree;
mod values;
mod wal;
mod writer;

pub use error::{OpenError, SledOptions};
pub use lock::directory::{Absent, remove_copy, sync_parent};
pub use lock::trust::{Reason, Untrusted};
pub use open::{Entered, enter, open};
