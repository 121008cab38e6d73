//! The write-ahead log: a group of commits is durable once its frame is, in one of two files that are used in turn. Its rows stay in memory
//! until the applier has written them to a table, in the background and in large sorted rounds.
//!
//! | module | holds |
//! | --- | --- |
//! | `frame` | the bytes of a frame |
//! | `batch` | the rows of a group |
//! | `files` | the two files: appending, syncing, growing, shrinking |
//! | `replay` | what the files hold when a store is opened: what is whole, torn, or damaged |
//! | `overlay` | the rows that no table holds yet, for readers |
//! | `range` | ranges over those rows and the tables' |
//! | `handover` | rounds, from the committer to the applier |
//!
//! The bytes and what a crash leaves are drawn in `docs/format/sled.md`.

pub(in crate::sled) mod batch;
mod files;
mod frame;
mod handover;
mod overlay;
pub(in crate::sled) mod range;
mod replay;
#[cfg(test)]
mod tests;

pub(in crate::sled) use handover::{MOST_ROUND_BYTES, OpenFailure, Wal, WriteFailure};
pub(in crate::sled) use overlay::{Bounds, Held, Round};
