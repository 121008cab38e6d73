//! The tests of this crate, one module for each subject.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "tests may panic")]

mod approvals;
mod cache;
mod cut;
mod erase;
mod limits;
mod moving;
mod operations;
mod plans;
mod raw;
mod references;
mod rotation;
mod rows;
mod runs;
mod signed;
mod support;
mod threads;
mod traces;
mod transcript;
