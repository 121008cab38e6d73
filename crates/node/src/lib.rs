//! The Node addon: glue only. It converts arguments and answers, makes JSON text of them, wakes JavaScript and turns failures
//! into codes; what things mean is in the crates below.
//!
//! A call that may wait is submitted (`submit`) and answered through the completion queue (`completions`). JavaScript is never
//! called from here except to wake it. Every export is wrapped so that a panic becomes an `INTERNAL` error and the process
//! lives (`guard`).

#![cfg_attr(
    test,
    allow(dead_code, reason = "the exports are left out of a test build, and there is nothing else to test")
)]

mod callbacks;
mod completions;
mod dispatch;
mod environment;
mod exports;
mod guard;
mod message;
mod operations;
mod pool;
mod submit;
mod tables;
mod token;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;
