//! The tests of this crate, one module for each subject.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, reason = "tests may panic")]

mod fair_queue;
mod glimpse;
mod json;
mod ledger_fixtures;
mod ledger_notes;
mod ledger_tree;
mod pace;
mod spec_hostile;
mod spec_tenant;
mod spec_values;
mod stream;
