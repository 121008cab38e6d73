//! Reads of the ledger: pages, checkpoints and proofs.

use bailiwick_model::ledger::checkpoint::Checkpoint;
use bailiwick_model::ledger::proof::{ConsistencyProof, InclusionProof};
use bailiwick_model::ledger::record::ApprovalRecord;
use bailiwick_model::ledger::{Hash, tree, verify};
use bailiwick_model::{Error, Result};
use bailiwick_tenancy::{Access, Area, check_limit};

use super::{KIND, Leaf, Ledger, approval_name, ledger_name, read_tiles};
use crate::approvals::record::damaged;
use crate::handle::Approvals;
use crate::page::Page;

impl Approvals<'_> {
    /// Lists the records of the ledger, oldest first.
    ///
    /// # Errors
    /// `InvalidInput` for a bad limit or cursor, `StoreCorrupt` if a record is missing or altered, and those of the store.
    pub async fn history(self, limit: usize, cursor: Option<&str>) -> Result<Page<ApprovalRecord>> {
        check_limit(limit)?;
        let Some(access) = self.handle.existing().await? else { return Page::of_nothing(cursor) };
        self.expire().await?;
        let page = access.entry_page(KIND, ledger_name(&access), limit, cursor).await?;
        let first = match (cursor, page.entries.first()) {
            (Some(_), Some((sequence, _))) => *sequence,
            _ => 0,
        };
        let mut items = Vec::with_capacity(page.entries.len());
        for (expected, (sequence, row)) in (first..).zip(&page.entries) {
            let leaf = Leaf::read(*sequence, &row.body).filter(|_| *sequence == expected).ok_or_else(damaged)?;
            items.push(leaf.record);
        }
        Ok(Page { items, cursor: page.cursor })
    }

    /// Returns the decision about an approval. `None`: it is undecided, or the tenant has no such approval.
    ///
    /// # Errors
    /// `StoreCorrupt` if the record is missing or altered, and those of the store.
    pub(crate) async fn decision(self, approval_id: &str) -> Result<Option<ApprovalRecord>> {
        let Some(access) = self.handle.existing().await? else { return Ok(None) };
        let rows = [(Area::Entry(0), approval_name(&access, approval_id))];
        let Some(marker) = access.read_current(KIND, &rows).await?.pop().flatten() else { return Ok(None) };
        let sequence = marker.body.first_chunk::<8>().map(|bytes| u64::from_be_bytes(*bytes)).ok_or_else(damaged)?;
        let rows = [(Area::Entry(sequence), ledger_name(&access))];
        let row = access.read_current(KIND, &rows).await?.pop().flatten().ok_or_else(damaged)?;
        let record = Leaf::read(sequence, &row.body).ok_or_else(damaged)?.record;
        if record.approval_id == approval_id { Ok(Some(record)) } else { Err(damaged()) }
    }

    /// Signs the ledger as it is now. A tenant without data has an empty ledger, and is created: a checkpoint belongs
    /// to one tenant.
    ///
    /// # Errors
    /// `StoreCorrupt` if the ledger was rolled back or its tree is damaged, and those of the store.
    pub async fn checkpoint(self) -> Result<Checkpoint> {
        let access = self.handle.for_writing().await?;
        let size = Ledger::read(&access).await?.head.size;
        access.sign_checkpoint(size, &root(&access, size).await?)
    }

    /// Proves to a third party that a record is in the ledger.
    ///
    /// # Errors
    /// `NotFound` if there is no such record, `StoreCorrupt` if it cannot be proved because the ledger is damaged, and
    /// those of the store.
    pub async fn prove(self, sequence: u64) -> Result<InclusionProof> {
        let Some(access) = self.handle.existing().await? else { return Err(Error::NotFound) };
        let size = Ledger::read(&access).await?.head.size;
        let plan = tree::inclusion(sequence, size).ok_or(Error::NotFound)?;
        let rows = [(Area::Entry(sequence), ledger_name(&access))];
        let row = access.read_current(KIND, &rows).await?.pop().flatten().ok_or_else(damaged)?;
        let Leaf { record, opening, .. } = Leaf::read(sequence, &row.body).ok_or_else(damaged)?;
        let path = plan.hashes(&read_tiles(&access, &plan.tiles()).await?)?;
        let root = root(&access, size).await?;
        if !verify::inclusion(&record.leaf(&opening), sequence, size, &path, &root) {
            return Err(damaged());
        }
        Ok(InclusionProof { checkpoint: access.sign_checkpoint(size, &root)?, record, opening, path })
    }

    /// Proves to a third party that the ledger still begins with all records of an earlier checkpoint.
    ///
    /// # Errors
    /// `InvalidInput` for a checkpoint that this store did not sign for this tenant; `StoreCorrupt` if the ledger does
    /// not begin with its records, and those of the store.
    pub async fn prove_consistency(self, from: Checkpoint) -> Result<ConsistencyProof> {
        let Some(access) = self.handle.existing().await? else { return Err(foreign_checkpoint()) };
        if !access.is_own_checkpoint(&from) {
            return Err(foreign_checkpoint());
        }
        let size = Ledger::read(&access).await?.head.size;
        let plan = tree::consistency(from.size, size).ok_or_else(damaged)?;
        let path = plan.hashes(&read_tiles(&access, &plan.tiles()).await?)?;
        let root = root(&access, size).await?;
        if !verify::consistency(from.size, &from.root, size, &root, &path) {
            return Err(damaged());
        }
        Ok(ConsistencyProof { to: access.sign_checkpoint(size, &root)?, from, path })
    }
}

/// Returns the root of the first `size` records.
pub(super) async fn root(access: &Access, size: u64) -> Result<Hash> {
    let plan = tree::root(size);
    let hashes = plan.hashes(&read_tiles(access, &plan.tiles()).await?)?;
    hashes.first().copied().ok_or_else(damaged)
}

/// Returns the error for a checkpoint that this store did not sign for this tenant.
pub(super) fn foreign_checkpoint() -> Error {
    Error::invalid("This checkpoint is not one that this store signed for this tenant.")
}
