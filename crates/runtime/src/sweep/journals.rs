//! Removes journals that outlive their records. A record expires by itself. An entry of a journal does not, because it
//! would have to be rewritten whenever the record lives longer. So each kind with journals has a list in the order of
//! time that says when each journal is due, and the sweeper reads the due ones.

use bailiwick_model::{Error, Kind, Result};
use bailiwick_tenancy::{Access, Area, Change, Committed, Durability, Entries, List, Name, When};

use crate::handle::TenantHandle;

const ENTRIES_A_COMMIT: u64 = 256;
/// Journals checked together.
const JOURNALS: usize = 100;
/// Wake-ups within this period, in milliseconds, are one.
const MINUTE: u64 = 60 * 1000;

/// Returns the list of journals of a kind, the one that is due first first: lists begin with the latest.
fn due_list(kind: Kind) -> List {
    List { kind, filter: "due", value: String::new() }
}

/// Makes a journal due at `at` (epoch milliseconds). Rows that expire then, or a wake-up, must wake the sweeper.
pub(crate) fn due(kind: Kind, name: Name, at: u64) -> Change {
    Change::List { list: due_list(kind), micros: u64::MAX - at, name, expires_at: None }
}

/// Takes a journal off the list.
pub(crate) fn not_due(kind: Kind, name: Name, at: u64) -> Change {
    Change::Unlist { list: due_list(kind), micros: u64::MAX - at, name }
}

/// Wakes the sweeper at `at`.
pub(crate) fn wake(kind: Kind, at: u64) -> Change {
    Change::Wake { kind, at }
}

/// Wakes the sweeper in its next round.
pub(crate) fn wake_soon(kind: Kind, now: u64) -> Change {
    wake(kind, now - now % MINUTE)
}

/// Reads at most `most` due journals (1 to 1,000), and the times since which they are due.
///
/// # Errors
/// `InvalidInput` for the number, and those of the store.
async fn due_now(access: &Access, kind: Kind, most: usize) -> Result<Vec<(u64, Name)>> {
    let page = access.page(&due_list(kind), most, None).await?;
    let now = access.now();
    let due = page.names.into_iter().map(|(micros, name)| (u64::MAX - micros, name));
    Ok(due.take_while(|(at, _)| *at <= now).collect())
}

/// The result of a sweep.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Removed {
    /// Threads or runs that are removed completely.
    pub(crate) items: usize,
    /// Their rows. A run's rows count as its entries.
    pub(crate) rows: u64,
}

/// Removes a journal that no thread or run has any more, from its end, so that another process can continue, and then
/// the row that led to it. Returns the number of rows.
pub(crate) async fn discard(handle: &TenantHandle, access: &Access, kind: Kind, name: Name, due: u64) -> Result<u64> {
    let last = Entries { from: 0, to: u64::MAX, reverse: true, limit: 1 };
    let mut end = access.entries(kind, name, last).await?.first().map_or(0, |(last, _)| last + 1);
    let removed = end + 2;
    while end > 0 {
        let start = end.saturating_sub(ENTRIES_A_COMMIT);
        let entry = |sequence| Change::Delete { kind, area: Area::Entry(sequence), name, when: When::Any };
        let changes = (start..end).rev().map(entry).collect();
        unconditional(access.commit(changes, &handle.engine_limits, Durability::Relaxed).await?)?;
        end = start;
    }
    let changes = vec![Change::Delete { kind, area: Area::Record, name, when: When::Any }, not_due(kind, name, due)];
    unconditional(access.commit(changes, &handle.engine_limits, Durability::Relaxed).await?)?;
    Ok(removed)
}

/// Removes the remains of at most `most` deleted items (1 to 1,000).
///
/// # Errors
/// `InvalidInput` for the number, and those of the store; earlier removals stay.
pub(crate) async fn sweep(handle: &TenantHandle, kind: Kind, most: usize) -> Result<Removed> {
    let mut removed = Removed::default();
    let Some(access) = handle.scope.existing().await? else { return Ok(removed) };
    for (due, name) in due_now(&access, kind, most).await? {
        let is_gone = match kind {
            Kind::Threads => handle.threads().retire(&access, name).await?,
            // A run that has ended is never written again.
            _ => access.read(kind, Area::Record, name).await?.is_none(),
        };
        if is_gone {
            removed.rows += discard(handle, &access, kind, name, due).await?;
            removed.items += 1;
        }
    }
    Ok(removed)
}

/// Removes the remains of all deleted items. Returns the number of rows.
pub(crate) async fn sweep_all(handle: &TenantHandle, kind: Kind) -> Result<u64> {
    let mut rows = 0;
    loop {
        let removed = sweep(handle, kind, JOURNALS).await?;
        if removed.items == 0 {
            return Ok(rows);
        }
        rows += removed.rows;
    }
}

/// Returns the result of a commit without conditions.
///
/// # Errors
/// `Internal` for a conflict, which it cannot have.
pub(crate) fn unconditional(committed: Committed) -> Result<()> {
    match committed {
        Committed::Done => Ok(()),
        Committed::Conflict(_) => Err(Error::internal("A commit without conditions had a conflict.")),
    }
}
