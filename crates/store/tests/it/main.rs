//! The tests of this crate, one module for each subject. Those that break disks, processes and servers are in `tests/faults`.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, reason = "tests may panic")]

mod compaction;
mod conformance_memory;
mod conformance_postgres;
mod conformance_sled;
mod memory;
mod model;
mod opening;
mod postgres_checks;
mod postgres_dialing;
mod postgres_erase;
mod postgres_moving;
mod postgres_setup;
