//! Journals that outlive their records. A record expires by itself, an entry of a journal does not: it would have to be
//! written anew whenever the record lives longer. So a list of each kind that has journals, in the order of time, says when
//! each is due, and the sweeper goes through the due ones.

use bailiwick_model::{Error, Kind, Result};
use bailiwick_tenancy::{Access, Area, Change, Committed, Durability, Entries, List, Name, When};

use crate::handle::TenantHandle;

/// Entries removed in one commit.
const ENTRIES_A_COMMIT: u64 = 256;
/// Journals checked together.
const JOURNALS: usize = 100;
/// Wakes within this time, in milliseconds, are one.
const MINUTE: u64 = 60 * 1000;

/// The journals of a kind in the order in which they are due, the first one first: lists begin with the latest.
fn due_list(kind: Kind) -> List {
    List { kind, filter: "due", value: String::new() }
}

/// Makes a journal due from `at` on (epoch milliseconds). The sweeper must be woken then by rows that expire, or by a wake.
pub(crate) fn due(kind: Kind, name: Name, at: u64) -> Change {
    Change::List { list: due_list(kind), micros: u64::MAX - at, name, expires_at: None }
}

/// Makes a journal not due any more.
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

/// Reads the due journals, at most `most` (1 to 1,000), and since when they are.
///
/// # Errors
/// `InvalidInput` for the number, and those of the store.
async fn due_now(access: &Access, kind: Kind, most: usize) -> Result<Vec<(u64, Name)>> {
    let page = access.page(&due_list(kind), most, None).await?;
    let now = access.now();
    let due = page.names.into_iter().map(|(micros, name)| (u64::MAX - micros, name));
    Ok(due.take_while(|(at, _)| *at <= now).collect())
}

/// The removed journals.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Leftover {
    /// Threads or runs of which nothing is left.
    pub(crate) items: usize,
    /// Their rows. A run's entries count, of which a row may hold several.
    pub(crate) rows: u64,
}

/// Removes a journal that no thread or run has any more, from its end, so that this can be continued anywhere, and then the
/// row that led to it. Returns the number of rows.
///
/// # Errors
/// Those of the store.
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

/// Removes the rest of items that are gone, of at most `most` of them (1 to 1,000).
///
/// # Errors
/// `InvalidInput` for the number, and those of the store; what was removed before stays removed.
pub(crate) async fn sweep(handle: &TenantHandle, kind: Kind, most: usize) -> Result<Leftover> {
    let mut removed = Leftover::default();
    let Some(access) = handle.scope.existing().await? else { return Ok(removed) };
    for (due, name) in due_now(&access, kind, most).await? {
        let is_gone = match kind {
            Kind::Threads => handle.threads().retire(&access, name).await?,
            // A run that has ended is not written any more.
            _ => access.read(kind, Area::Record, name).await?.is_none(),
        };
        if is_gone {
            removed.rows += discard(handle, &access, kind, name, due).await?;
            removed.items += 1;
        }
    }
    Ok(removed)
}

/// As [`sweep`], of all items. Returns the number of rows.
///
/// # Errors
/// Those of the store.
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

/// The outcome of a commit without conditions.
///
/// # Errors
/// `Internal` for a conflict, which it cannot have.
pub(crate) fn unconditional(committed: Committed) -> Result<()> {
    match committed {
        Committed::Done => Ok(()),
        Committed::Conflict(_) => Err(Error::Internal("A commit without conditions had a conflict.".to_owned())),
    }
}
