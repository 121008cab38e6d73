//! Tests that need what the engine does not show.

mod cancellation;
mod group_refusals;
