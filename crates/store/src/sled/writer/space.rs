//! The space that commits need: on the disk, and in the log.

use super::committer::{Committer, Group, Stop, log_failed};
use super::queue::Large;
use crate::engine::{CommitError, Op};
use crate::sled::tree::RESERVE_BYTES;
use crate::sled::wal::WriteFailure;

/// With less it is full for removals, too.
const LAST_BYTES: u64 = 8 * 1024 * 1024;

impl Group {
    /// Whether there is no space even for removals.
    pub(super) fn is_disk_full(&self) -> bool {
        self.free_bytes.is_some_and(|free| free < LAST_BYTES)
    }
}

impl Committer {
    /// Returns the free space, without what the tables still need for the rows of the log. If that leaves too little, the log is applied first.
    pub(super) fn free_bytes(&self) -> Result<Option<u64>, Stop> {
        let free = self.tree.free_bytes();
        if free.is_none_or(|free| free >= RESERVE_BYTES) || !self.tree.wal().has_rows() {
            return Ok(free);
        }
        let drained = self.tree.wal().drain(&|| self.status.keep_waiting());
        drained.map_err(|_| log_failed(CommitError::Unavailable))?;
        Ok(self.tree.free_bytes())
    }

    /// Makes room for a group in the log. Returns whether there is any.
    pub(super) fn reserve(&self, rows: usize, free: Option<u64>) -> Result<bool, Stop> {
        match self.tree.wal().reserve(rows, free, &|| self.status.keep_waiting()) {
            Ok(()) => Ok(true),
            Err(WriteFailure::Full) => Ok(false),
            Err(WriteFailure::Failed) => Err(log_failed(CommitError::Unavailable)),
        }
    }

    /// Refuses a commit for which the disk has too little space.
    pub(super) fn refuse_on_full_disk(
        &self,
        commit: &crate::Commit,
        large: &[Large],
        group: &mut Group,
    ) -> Result<(), CommitError> {
        let Some(free) = group.free_bytes else { return Ok(()) };
        let size = |op: &Op| match op {
            Op::Put { value, .. } => Some(value.len() as u64),
            _ => None,
        };
        let is_adding = commit.ops.iter().any(|op| size(op).is_some());
        // Values with their own files are written already.
        let written =
            large.iter().filter_map(|large| large.placed).fold(0, |sum: u64, at| sum.saturating_add(at.length));
        let bytes = commit.ops.iter().filter_map(size).fold(0, u64::saturating_add).saturating_sub(written);
        let reserve = if is_adding { RESERVE_BYTES } else { LAST_BYTES };
        match free.checked_sub(bytes) {
            Some(rest) if rest >= reserve => {
                group.free_bytes = Some(rest);
                Ok(())
            }
            _ => Err(CommitError::Full),
        }
    }
}
