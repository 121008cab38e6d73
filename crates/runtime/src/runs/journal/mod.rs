//! A run's journal in the store. Only the owner of the run's thread appends to it.
//!
//! Every commit checks the owner's record and puts one block at the next sequence on condition of its absence. Taking a run
//! over changes the owner's record, and so fences the former owner: its commits fail from then on.

mod block;
mod head;
mod owner;
mod queue;
mod read;
#[cfg(test)]
mod tests;
pub(crate) mod tokens;

use bailiwick_model::Result;
use bailiwick_tenancy::{Access, Area, Change, Name, Version, When};

#[cfg(test)]
pub(crate) use block::read;
pub(crate) use block::{BlockHash, NO_BLOCK, hash, write};
pub use head::RunStatus;
pub(crate) use head::{KIND, RunHead, busy, filtered, run_name};
pub(crate) use owner::{Owner, fenced, owner_name};
pub(crate) use queue::Queue;
pub(crate) use read::{Replayed, read_before, read_entries, read_from, read_head, replay};

use super::events::Entry;

/// How long the rows of an unfinished run live beyond the retention: longer than any approval that it may wait for.
pub(crate) const UNFINISHED_MS: u64 = 30 * 24 * 60 * 60 * 1000;
/// How many conditions the changes of a block begin with.
pub(crate) const CONDITIONS: usize = 2;

/// Where a journal ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct End {
    /// The sequence of the next entry.
    pub(crate) next: u64,
    pub(crate) hash: BlockHash,
    pub(crate) bytes: u64,
}

impl End {
    /// The end of a journal without blocks.
    pub(crate) const NONE: Self = Self { next: 0, hash: NO_BLOCK, bytes: 0 };

    /// The end behind one more block.
    pub(crate) fn behind(self, hash: BlockHash, bytes: u64, entries: usize) -> Self {
        Self { next: self.next + entries as u64, hash, bytes: self.bytes + bytes }
    }
}

/// A journal that this process may append to.
pub(crate) struct Journal {
    pub(crate) name: Name,
    pub(crate) owner: Name,
    pub(crate) version: Version,
    /// The epoch of the owner: 1 when the run begins, one more with each take-over.
    pub(crate) epoch: u64,
    pub(crate) end: End,
    pub(crate) expires_at: Option<u64>,
}

impl Journal {
    /// The journal of an owner whose record was just written.
    ///
    /// # Errors
    /// `ThreadBusy` if the run was taken over since, and those of the store.
    pub(crate) async fn of(
        access: &Access,
        owner: &Owner,
        thread_id: &str,
        end: End,
        expires_at: Option<u64>,
    ) -> Result<Self> {
        Ok(Self {
            name: run_name(access, &owner.run_id),
            owner: owner_name(access, thread_id),
            version: owner.version(access, thread_id).await?,
            epoch: owner.epoch,
            end,
            expires_at,
        })
    }

    pub(crate) fn block<'a>(&self, entries: impl IntoIterator<Item = &'a Entry>) -> Vec<u8> {
        write(&self.end.hash, entries)
    }

    /// The changes that append a block. The first [`CONDITIONS`] fail for a former owner.
    pub(crate) fn appended(&self, block: Vec<u8>) -> Vec<Change> {
        vec![
            Change::Check { kind: KIND, area: Area::Record, name: self.owner, when: When::Version(self.version) },
            block_change(self.name, self.end.next, block, self.expires_at),
        ]
    }
}

pub(crate) fn block_change(name: Name, sequence: u64, body: Vec<u8>, expires_at: Option<u64>) -> Change {
    Change::Write { kind: KIND, area: Area::Entry(sequence), name, body, expires_at, counted: None, when: When::Absent }
}
