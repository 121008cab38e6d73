//! The rows of frames that no table may hold yet, for readers.

use std::collections::BTreeMap;
use std::ops::Bound;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use parking_lot::{RwLock, RwLockReadGuard};

use super::batch::{Change, Row, RowKey};

/// The memory of a row besides its value: its place in the map and its allocation.
const ROW_OVERHEAD: u64 = 176;

/// Both ends of a range of keys.
pub(in crate::sled) type Bounds = (Bound<RowKey>, Bound<RowKey>);

/// Rows by key.
pub(super) type Rows = BTreeMap<RowKey, Row>;

/// A row, in memory or in a table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::sled) struct Held {
    pub(in crate::sled) row: Row,
    /// What is older has no row of this key, or a removed one. So its removal need not be remembered, and no reader has to step over it.
    pub(in crate::sled) is_new: bool,
}

/// The rows of one round: of the frames in one file.
#[derive(Default)]
pub(in crate::sled) struct Round {
    rows: RwLock<BTreeMap<RowKey, Held>>,
    bytes: AtomicU64,
}

impl Round {
    pub(super) fn new(rows: Rows) -> Self {
        let bytes = rows.values().map(memory_of).sum();
        let rows = rows.into_iter().map(|(key, row)| (key, Held { row, is_new: false })).collect();
        Self { rows: RwLock::new(rows), bytes: AtomicU64::new(bytes) }
    }

    pub(in crate::sled) fn rows(&self) -> RwLockReadGuard<'_, BTreeMap<RowKey, Held>> {
        self.rows.read()
    }

    /// Returns the bytes that the rows take in memory.
    pub(super) fn bytes(&self) -> u64 {
        self.bytes.load(Ordering::Relaxed)
    }

    fn write(&self, changes: Vec<Change>) {
        let mut rows = self.rows.write();
        let mut bytes = self.bytes();
        for Change { key, row, is_new } in changes {
            let is_new = rows.get(&key).map_or(is_new, |held| held.is_new);
            let old = if row.is_none() && is_new {
                rows.remove(&key)
            } else {
                bytes = bytes.saturating_add(memory_of(&row));
                rows.insert(key, Held { row, is_new })
            };
            if let Some(old) = old {
                bytes = bytes.saturating_sub(memory_of(&old.row));
            }
        }
        self.bytes.store(bytes, Ordering::Relaxed);
    }
}

fn memory_of(row: &Row) -> u64 {
    ROW_OVERHEAD.saturating_add(row.as_ref().map_or(0, |row| row.len() as u64))
}

/// The round that is written, and the one that the applier writes to a table.
pub(super) struct Overlay {
    rounds: RwLock<Rounds>,
}

struct Rounds {
    active: Arc<Round>,
    frozen: Option<Arc<Round>>,
}

impl Overlay {
    pub(super) fn new(active: Round, frozen: Option<Round>) -> Self {
        Self { rounds: RwLock::new(Rounds { active: Arc::new(active), frozen: frozen.map(Arc::new) }) }
    }

    /// Looks a row up. `None`: the tables decide.
    pub(super) fn get(&self, key: &RowKey) -> Option<Row> {
        let rounds = self.rounds.read();
        let find = |round: &Round| round.rows().get(key).map(|held| held.row.clone());
        find(&rounds.active).or_else(|| rounds.frozen.as_deref().and_then(find))
    }

    /// Returns the rounds that are not empty, the newest first. A reader keeps them until it ends: what is in them may reach a table after the
    /// reader has read its place there.
    pub(super) fn rounds(&self) -> Vec<Arc<Round>> {
        let rounds = self.rounds.read();
        let all = [Some(&rounds.active), rounds.frozen.as_ref()].into_iter().flatten();
        all.filter(|round| round.bytes() > 0).cloned().collect()
    }

    /// Adds the rows of a frame.
    pub(super) fn write(&self, changes: Vec<Change>) {
        self.active().write(changes);
    }

    pub(super) fn active(&self) -> Arc<Round> {
        Arc::clone(&self.rounds.read().active)
    }

    pub(super) fn frozen(&self) -> Option<Arc<Round>> {
        self.rounds.read().frozen.clone()
    }

    /// Begins a new round. The one before must be in a table.
    pub(super) fn freeze(&self) {
        let mut rounds = self.rounds.write();
        rounds.frozen = Some(std::mem::take(&mut rounds.active));
    }

    /// Drops the frozen round, which is in a table now.
    pub(super) fn thaw(&self) {
        let frozen = self.rounds.write().frozen.take();
        // Outside the lock: it may be the last holder of many rows.
        drop(frozen);
    }
}
