//! Commits of a run: each appends one block with everything that is pending.

use bailiwick_model::Result;
use bailiwick_model::pace::{ahead, ahead_of};
use bailiwick_tenancy::{ATTEMPTS, Change, Committed, Durability, Limits, contended};

use super::Driver;
use crate::references::Kept;
use crate::runs::definitions::StoredDefinitions;
use crate::runs::events::Entry;
use crate::runs::journal::{BlockHash, CONDITIONS, fenced, hash};

/// The next block, which is not committed yet.
pub(crate) struct Block {
    pub(crate) body: Vec<u8>,
    pub(crate) hash: BlockHash,
    pub(crate) bytes: u64,
    pub(crate) entries: usize,
}

impl Driver<'_> {
    /// Writes the next block: what is pending, and these entries behind it.
    pub(crate) async fn block(&self, more: &[Entry]) -> Block {
        ahead(weight(self.pending.iter().chain(more))).await;
        let body = self.journal.block(self.pending.iter().chain(more));
        let (hash, bytes) = (hash(&body), body.len() as u64);
        Block { body, hash, bytes, entries: self.pending.len() + more.len() }
    }

    /// Commits what is pending.
    ///
    /// # Errors
    /// `ThreadBusy` if another process has taken the run over, and those of the store.
    pub(crate) async fn flush(&mut self) -> Result<()> {
        self.flush_with(Vec::new()).await
    }

    /// Commits what is pending, with changes that have no condition.
    pub(crate) async fn flush_with(&mut self, others: Vec<Change>) -> Result<()> {
        if self.pending.is_empty() {
            return Ok(());
        }
        for _ in 0..ATTEMPTS {
            ahead(others.iter().map(Change::weight).sum()).await;
            if self.try_flush(others.clone()).await? {
                return Ok(());
            }
        }
        Err(contended())
    }

    /// Commits what is pending, with other changes. `false`: a condition of those did not hold, and nothing was written.
    pub(crate) async fn try_flush(&mut self, others: Vec<Change>) -> Result<bool> {
        let (block, handle) = (self.block(&[]).await, self.handle);
        self.try_commit(block, others, &handle.engine_limits).await
    }

    /// Commits a block of what is pending, with other changes, within these limits. `false`: a condition of those did not
    /// hold, and nothing was written.
    pub(crate) async fn try_commit(&mut self, block: Block, others: Vec<Change>, limits: &Limits) -> Result<bool> {
        let (hash, bytes) = (block.hash, block.bytes);
        let changes = self.changes(block.body, others).await?;
        match self.access.commit(changes, limits, Durability::Sync).await? {
            Committed::Done => {
                self.committed(hash, bytes).await;
                Ok(true)
            }
            Committed::Conflict(at) if at < CONDITIONS => Err(fenced(&self.state.run_id)),
            Committed::Conflict(_) => {
                self.kept.look_again(&self.access).await?;
                Ok(false)
            }
        }
    }

    /// The changes of a commit: a block of what is pending, the references that it keeps, its waits, and others behind them.
    pub(crate) async fn changes(&self, block: Vec<u8>, others: Vec<Change>) -> Result<Vec<Change>> {
        ahead_of(self.kept.weight()).await;
        let mut changes = self.journal.appended(block);
        changes.extend(self.kept.changes(&self.access)?);
        changes.extend(self.wait_changes.iter().chain(&self.storing).cloned());
        changes.extend(others);
        Ok(changes)
    }

    /// To be called when a block with everything that is pending is in the store.
    pub(crate) async fn committed(&mut self, hash: BlockHash, bytes: u64) {
        // Followers are shown each entry as JSON.
        ahead(weight(&self.pending)).await;
        let entries = std::mem::take(&mut self.pending);
        let first = self.journal.end.next;
        self.journal.end = self.journal.end.behind(hash, bytes, entries.len());
        self.kept = Kept::default();
        self.opening.clear();
        self.wait_changes.clear();
        self.handle.scope.shared::<StoredDefinitions>().note(&std::mem::take(&mut self.storing));
        self.live.committed(&self.state.run_id, (first..).zip(&entries));
    }
}

/// About how many bytes entries are written with.
fn weight<'a>(entries: impl IntoIterator<Item = &'a Entry>) -> u64 {
    entries.into_iter().map(Entry::weight).sum()
}
