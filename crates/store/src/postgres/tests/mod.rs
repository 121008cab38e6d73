//! Tests of internal interfaces.

mod cancellation;
mod group_refusals;
