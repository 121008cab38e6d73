//! Sorted tables: the rows that rounds of the log have left, in files that are written once, in order of keys. A round becomes one table;
//! tables of about the same size are merged into one, and so the space of replaced and removed rows is given back.
//!
//! | module | holds |
//! | --- | --- |
//! | `block` | the bytes of some rows |
//! | `filter` | which keys a table may have |
//! | `table` | an open table: its index, look-ups, ranges |
//! | `writer` | writing a table |
//! | `cache` | blocks in memory |
//! | `merged` | several tables as one |
//! | `manifest` | which tables there are |
//! | `set` | the tables of a store |
//! | `merging` | when tables are merged, and by which thread |
//!
//! The bytes and what a crash leaves are drawn in `docs/format/sled.md`.

mod block;
mod cache;
mod filter;
mod manifest;
mod merged;
mod merging;
mod set;
mod table;
#[cfg(test)]
mod tests;
mod writer;

pub(in crate::sled) use merged::Rows;
pub(in crate::sled) use merging::Merger;
pub(in crate::sled) use set::{Tables, TablesFailure, TablesOptions, WriteError};
