//! When tables are merged, and the thread that does it.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::{Duration, Instant};

use parking_lot::{Condvar, Mutex};

use super::set::{Tables, WriteError};
use super::table::{Counts, Table};
use crate::engine::{CommitError, ReadError};
use crate::sled::error::write_error;

/// The number of tables of about the same size that are merged into one.
const TOGETHER: usize = 8;
/// Tables up to this size count as of the same.
const SMALL_BYTES: u64 = 3 * 1024 * 1024;
/// With more tables than this, rounds of the log wait for the merger, and it does not pause.
const MOST_TABLES: usize = 40;
/// The most bytes that are merged into one table, so that its index can be read as a whole.
const MOST_MERGED_BYTES: u64 = 32 << 30;
/// The bytes that are written between two pauses.
const PAUSE_EVERY: u64 = 512 * 1024;
/// The longest pause.
const LONGEST_PAUSE: Duration = Duration::from_millis(100);

/// How much of some tables is of use.
struct Share {
    rows: u64,
    /// Rows that a newer one replaces or removes, and those that remove one: at most this many.
    waste: u64,
    bytes: u64,
}

impl Share {
    fn of(tables: &[Arc<Table>]) -> Self {
        tables.iter().fold(Self { rows: 0, waste: 0, bytes: 0 }, |sum, table| {
            let Counts { rows, replacing, removed } = table.counts;
            Self {
                rows: sum.rows.saturating_add(rows),
                waste: sum.waste.saturating_add(replacing).saturating_add(removed),
                bytes: sum.bytes.saturating_add(table.identity.bytes),
            }
        })
    }
}

/// Returns the tables to merge next, if any are due.
#[cfg(test)]
pub(super) fn due(list: &[Arc<Table>], least_waste_bytes: u64) -> Option<&[Arc<Table>]> {
    due_by_waste(list, least_waste_bytes).or_else(|| due_by_size(list))
}

/// Returns all tables if more than half of the rows are replaced or removed ones.
fn due_by_waste(list: &[Arc<Table>], least_waste_bytes: u64) -> Option<&[Arc<Table>]> {
    let Share { rows, waste, bytes } = Share::of(list);
    let is_due = waste.saturating_mul(2) > rows && bytes / rows.max(1) * waste.min(rows) >= least_waste_bytes;
    (is_due && bytes <= MOST_MERGED_BYTES).then_some(list)
}

/// Returns the newest tables that are of about the same size.
fn due_by_size(list: &[Arc<Table>]) -> Option<&[Arc<Table>]> {
    let tier =
        |table: &Table| (table.identity.bytes / SMALL_BYTES).checked_ilog(TOGETHER as u64).map_or(0, |tier| tier + 1);
    let highest = list.iter().map(|table| tier(table)).max()?;
    (0..=highest).find_map(|wanted| {
        let group = list.iter().take_while(|table| tier(table) <= wanted).count();
        let group = list.get(..group)?;
        let same = group.iter().filter(|table| tier(table) == wanted).count();
        let is_due = same >= TOGETHER || group.len() >= 2 * TOGETHER;
        (is_due && Share::of(group).bytes <= MOST_MERGED_BYTES).then_some(group)
    })
}

#[derive(Default)]
struct Turn {
    /// A table was added, or a merge of all was requested.
    is_poked: bool,
    /// Merges of all that were requested, and those of them that have ended.
    requested: u64,
    done: u64,
    /// Why the last merge of all that was requested was not possible.
    failure: Option<CommitError>,
    /// Tables up to this number are not merged any more: one of them is damaged.
    damaged: u64,
    is_merging: bool,
    is_closing: bool,
}

/// See the module.
pub(in crate::sled) struct Merger {
    tables: Arc<Tables>,
    turn: Mutex<Turn>,
    changed: Condvar,
}

impl Merger {
    pub(in crate::sled) fn new(tables: Arc<Tables>) -> Self {
        let turn = Turn { is_poked: true, ..Turn::default() };
        Self { tables, turn: Mutex::new(turn), changed: Condvar::new() }
    }

    /// Merges what is due until [`Self::close`]. `reserve` returns the bytes that must stay free on the disk; `note` is called with a problem
    /// for the operator.
    pub(in crate::sled) fn run(&self, reserve: &dyn Fn() -> u64, note: &dyn Fn(&str)) {
        while let Some(requested) = self.wait() {
            let merged = catch_unwind(AssertUnwindSafe(|| self.merge_all_due(requested, reserve)));
            let result = merged.unwrap_or(Err(WriteError::Read(ReadError::Corrupt)));
            if matches!(result, Err(WriteError::Read(ReadError::Corrupt))) {
                note("a table is damaged: rows in it cannot be read, and its space is not given back");
                self.leave_damaged();
            }
            let mut turn = self.turn.lock();
            turn.is_merging = false;
            if turn.done < requested {
                turn.done = requested;
                turn.failure = result.err().map(|error| match error {
                    WriteError::Stopped => CommitError::Closed,
                    WriteError::Read(error) => error.into(),
                    WriteError::Io(error) => write_error(&error),
                });
            }
            self.changed.notify_all();
        }
    }

    /// Waits for work, and returns the number of the last merge of all that was requested. `None`: the store is closing.
    fn wait(&self) -> Option<u64> {
        let mut turn = self.turn.lock();
        while !turn.is_poked && !turn.is_closing {
            self.changed.wait(&mut turn);
        }
        turn.is_poked = false;
        turn.is_merging = true;
        (!turn.is_closing).then_some(turn.requested)
    }

    fn merge_all_due(&self, requested: u64, reserve: &dyn Fn() -> u64) -> Result<(), WriteError> {
        let is_requested = self.turn.lock().done < requested;
        if is_requested {
            let list = self.tables.list()?;
            let is_needed = list.len() > 1 || list.iter().any(|table| table.counts.replacing > 0);
            let is_needed = is_needed && Share::of(&list).bytes <= MOST_MERGED_BYTES;
            if is_needed {
                self.merge(&list, false, reserve)?;
            }
        }
        loop {
            let list = self.tables.list()?;
            let damaged = self.turn.lock().damaged;
            // Those that were written since come first.
            let whole = list.iter().take_while(|table| table.identity.number > damaged).count();
            let list = list.get(..whole).unwrap_or_default();
            let by_waste =
                due_by_waste(list, self.tables.least_waste_bytes).map(|group| self.merge(group, true, reserve));
            match by_waste {
                Some(Ok(())) => continue,
                // What there is no space for keeps no smaller merge back.
                None | Some(Err(WriteError::Io(_))) => {}
                Some(Err(error)) => return Err(error),
            }
            let Some(group) = due_by_size(list) else { return by_waste.unwrap_or(Ok(())) };
            self.merge(group, true, reserve)?;
            if by_waste.is_some() {
                return Ok(());
            }
        }
    }

    /// Leaves the tables that there are as they are: damage does not go away, and a merge would read up to it again and again.
    fn leave_damaged(&self) {
        let list = self.tables.list().unwrap_or_default();
        let last = list.iter().map(|table| table.identity.number).max().unwrap_or_default();
        self.turn.lock().damaged = last;
    }

    /// Merges some tables, if there is space for that. `has_pauses`: others get half of the time.
    fn merge(&self, group: &[Arc<Table>], has_pauses: bool, reserve: &dyn Fn() -> u64) -> Result<(), WriteError> {
        let full = || WriteError::Io(std::io::ErrorKind::StorageFull.into());
        let has_space = |more: u64| self.tables.free_bytes().is_none_or(|free| free >= reserve().saturating_add(more));
        let Share { rows, waste, bytes } = Share::of(group);
        if !has_space(bytes / rows.max(1) * rows.saturating_sub(waste)) {
            return Err(full());
        }
        let (mut written, mut since) = (0, Instant::now());
        self.tables.merge(group, &mut |bytes| {
            if bytes.saturating_sub(written) >= PAUSE_EVERY {
                written = bytes;
                if has_pauses {
                    self.pause(since.elapsed().min(LONGEST_PAUSE));
                }
                since = Instant::now();
                if !has_space(0) {
                    return Err(full());
                }
            }
            if self.turn.lock().is_closing { Err(WriteError::Stopped) } else { Ok(()) }
        })
    }

    fn pause(&self, time: Duration) {
        if self.tables.list().is_ok_and(|list| list.len() > MOST_TABLES / 2) {
            return;
        }
        let mut turn = self.turn.lock();
        if !turn.is_closing {
            self.changed.wait_for(&mut turn, time);
        }
    }

    /// To be called when a table was added. Waits while there are too many and the merger makes progress; then `step` is called again and
    /// again. Returns `false` if `step` did.
    pub(in crate::sled) fn added(&self, step: &dyn Fn() -> bool) -> bool {
        let mut turn = self.turn.lock();
        turn.is_poked = true;
        self.changed.notify_all();
        while self.tables.list().is_ok_and(|list| list.len() > MOST_TABLES) && !turn.is_closing {
            if !turn.is_merging && !turn.is_poked {
                // Nothing more can be merged.
                break;
            }
            self.changed.wait_for(&mut turn, LONGEST_PAUSE);
            if !step() {
                return false;
            }
        }
        true
    }

    /// Merges all tables into one, and waits for that.
    ///
    /// # Errors
    /// `Full`, `Corrupt`, `Unavailable`, `Closed`.
    pub(in crate::sled) fn merge_all(&self) -> Result<(), CommitError> {
        let mut turn = self.turn.lock();
        turn.requested = turn.requested.saturating_add(1);
        let number = turn.requested;
        turn.is_poked = true;
        self.changed.notify_all();
        while turn.done < number && !turn.is_closing {
            self.changed.wait(&mut turn);
        }
        match &turn.failure {
            Some(failure) => Err(failure.clone()),
            None if turn.done < number => Err(CommitError::Closed),
            None => Ok(()),
        }
    }

    /// Ends the thread. A merge that it is at is given up.
    pub(in crate::sled) fn close(&self) {
        self.turn.lock().is_closing = true;
        self.changed.notify_all();
    }
}
