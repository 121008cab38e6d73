//! The Node addon: glue only. It converts, rings the doorbell and turns failures into codes; what things mean is in the
//! crates below.
//!
//! Calls that may wait are submitted and acknowledged (`environment`); JavaScript is never called from here except by
//! the doorbell. Every export is wrapped so that a panic becomes an `INTERNAL` error and the process lives (`guard`).

#![cfg_attr(
    test,
    allow(dead_code, reason = "the exports are left out of a test build, and there is nothing else to test")
)]

mod environment;
mod exports;
mod fair;
mod guard;
mod message;
mod operation;
mod pool;
mod questions;
mod ring;
mod tables;
mod token;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;
