//! Tests that break disks, processes and servers: a program of its own, because they load the machine so much that the
//! watchdog of a store would take the disk of another test for dead.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, reason = "tests may panic")]

#[cfg(target_os = "linux")]
mod fault;
#[cfg(target_os = "linux")]
mod io_faults;
mod kill;
mod postgres_faults;
#[cfg(target_os = "linux")]
mod power_cut;
#[cfg(target_os = "linux")]
mod power_cut_model;
