//! Work: runs that can go on and that no process works at.
//!
//! A suspended run that can go on has a row on the tenant's list `work`, in the order of the times from which it can. The commit
//! that lets it go on writes the row ([`due`]). A row is a hint: it is removed with the commit that takes the run over, or once the
//! run turns out to wait still, or to have ended. A running run needs no row: it is on the list of its status, and whether a process
//! works at it, the process or a lease says.
//!
//! The engine's dues lead to the tenants (`Change::WakeWork`). A tenant is due at the time of a row and once more when a lease
//! that begins then would end, and a running run makes it due at the end of its lease. So a process that dies after it has cleared the
//! dues and before it has taken a run up loses nothing: the next due is never more than [`LATEST_MS`] away.

mod find;
mod postponed;
mod take;

use bailiwick_tenancy::{Access, Change, List, Name};

pub(crate) use find::announce_suspended;
pub use find::{DueRun, WorkReason};
pub(crate) use postponed::Postponed;
pub(crate) use take::collapse;
pub use take::{TenantWork, take};

use crate::runs::{KIND, LEASE_MS};

/// Dues of a tenant within this period, in milliseconds, are one.
const PERIOD_MS: u64 = 10_000;
/// The time after which a tenant with a running run is due again, at most.
const LATEST_MS: u64 = LEASE_MS + PERIOD_MS;

/// Returns the list of runs that can go on, the earliest first: lists begin with the latest.
fn list() -> List {
    List { kind: KIND, filter: "work", value: String::new() }
}

/// Returns the changes that let a suspended run go on from `at_ms` (epoch milliseconds). The row expires when the run's own rows do.
pub(crate) fn due(access: &Access, run: Name, at_ms: u64, expires_at: Option<u64>) -> [Change; 3] {
    // Two that come within a millisecond have rows of their own.
    let at = at_ms.saturating_mul(1000).saturating_add(access.next_micros() % 1000);
    [
        Change::List { list: list(), micros: u64::MAX - at, name: run, expires_at },
        Change::WakeWork { at: at_ms },
        Change::WakeWork { at: lease_end(at_ms) },
    ]
}

/// Returns the change that puts a run on the list at the time of a row of another, in epoch microseconds.
pub(crate) fn due_as(run: Name, at: u64, expires_at: Option<u64>) -> Change {
    Change::List { list: list(), micros: u64::MAX - at, name: run, expires_at }
}

/// Returns the change that takes exactly this row off the list. `at`: its time in epoch microseconds.
pub(crate) fn not_due(run: Name, at: u64) -> Change {
    Change::Unlist { list: list(), micros: u64::MAX - at, name: run }
}

/// Returns the change that makes the tenant due when a lease that begins at `now` has ended.
pub(crate) fn look_again(now: u64) -> Change {
    Change::WakeWork { at: lease_end(now) }
}

fn lease_end(now: u64) -> u64 {
    now.saturating_add(LEASE_MS).div_ceil(PERIOD_MS).saturating_mul(PERIOD_MS)
}
