//! Work that grows with the data is announced before it is done. Nearly all of it allocates what it makes, so these tests count
//! the bytes that each turn of a call allocates: never more than a few times what was announced for that turn. The values are
//! long texts, of which a parsed copy is as large as the text.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "tests may panic")]

mod measured;
mod runs;
#[path = "../it/support/mod.rs"]
mod support;
mod values;
