//! A store in a directory, on sled: durable, crash-safe, for one process at a time.
//!
//! | folder | holds |
//! | --- | --- |
//! | `lock` | the directory: its files, whom they belong to, its lock, and what operating systems do differently |
//! | `tree` | sled, wrapped; the bytes of rows; expiry buckets; look-ups |
//! | `values` | large values in files of their own |
//! | `writer` | the committer: the thread that writes; its queue, maintenance jobs and failures |
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
mod writer;

pub use error::{OpenError, SledOptions};
pub use lock::directory::{Absent, remove_copy, sync_parent};
pub use lock::trust::{Reason, Untrusted};
pub use open::{Entered, enter, open};
