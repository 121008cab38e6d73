//! Verifies the whole ledger: every record, leaf and tile, and the root of an earlier checkpoint.

use std::collections::HashSet;

use bailiwick_model::ledger::Hash;
use bailiwick_model::ledger::checkpoint::Checkpoint;
use bailiwick_model::ledger::rebuild::Rebuild;
use bailiwick_model::ledger::tile::{TILE_WIDTH, Tile, TileId};
use bailiwick_model::{Error, Result};
use bailiwick_tenancy::{ATTEMPTS, Access};
use futures_util::future::BoxFuture;
use serde::Serialize;

use super::Ledger;
use super::batch::{Batch, Kept, RECORDS, readable_tiles};
use super::proofs::{foreign_checkpoint, root};
use crate::handle::Approvals;

/// The most problems that a report lists.
const PROBLEMS: usize = 1000;

/// A problem of a ledger.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Problem {
    /// The sequence of the record that has it, if it is a record's.
    pub sequence: Option<u64>,
    /// The problem.
    pub problem: String,
}

/// The result of verifying a whole ledger.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct VerifyReport {
    /// Whether the ledger has no problem.
    pub ok: bool,
    /// The number of records that the head says.
    pub size: u64,
    /// The problems, at most the first 1,000.
    pub problems: Vec<Problem>,
}

impl VerifyReport {
    fn add(&mut self, sequence: Option<u64>, problem: &str) {
        self.ok = false;
        if self.problems.len() < PROBLEMS {
            self.problems.push(Problem { sequence, problem: problem.to_owned() });
        }
    }
}

impl<'a> Approvals<'a> {
    /// Reads the whole ledger and reports its problems: records that were removed, changed or exchanged, a tree that
    /// does not match them, a head that was rolled back, and, with a checkpoint that was exported earlier, whether the
    /// ledger still begins with its records.
    ///
    /// # Errors
    /// `InvalidInput` for a checkpoint that this store did not sign for this tenant, and those of the store.
    pub fn verify(self, against: Option<&'a Checkpoint>) -> BoxFuture<'a, Result<VerifyReport>> {
        Box::pin(async move {
            let mut report = VerifyReport { ok: true, size: 0, problems: Vec::new() };
            let Some(access) = self.handle.scope.existing().await? else {
                return if against.is_some() { Err(foreign_checkpoint()) } else { Ok(report) };
            };
            if against.is_some_and(|against| !access.is_own_checkpoint(against)) {
                return Err(foreign_checkpoint());
            }
            match read_head(&access, &mut report).await? {
                Some(size) => report.size = size,
                None => return Ok(report),
            }
            let mut check = Check { access: &access, report, rebuild: Rebuild::default(), decided: HashSet::new() };
            check.check_all().await?;
            let mut report = check.report;
            if let Some(against) = against {
                compare(&access, against, &mut report).await?;
            }
            Ok(report)
        })
    }
}

/// Reads the size from the head. `None`: it cannot be read.
async fn read_head(access: &Access, report: &mut VerifyReport) -> Result<Option<u64>> {
    let mut before = None;
    for _ in 0..ATTEMPTS {
        let ledger = match Ledger::read_head(access).await {
            Ok(ledger) => ledger,
            Err(Error::StoreCorrupt(_)) => {
                report.add(None, "The head of the ledger cannot be opened: it was altered or moved.");
                return Ok(None);
            }
            Err(error) => return Err(error),
        };
        // A record that cannot be opened exists too.
        let more = match ledger.has_more(access).await {
            Err(Error::StoreCorrupt(_)) => true,
            more => more?,
        };
        if more && before != Some(ledger) {
            before = Some(ledger);
            continue;
        }
        if more {
            report.add(None, "Records exist beyond the head of the ledger: the head was removed or rolled back.");
        }
        return Ok(Some(ledger.head.size));
    }
    Ok(before.map(|ledger| ledger.head.size))
}

async fn compare(access: &Access, against: &Checkpoint, report: &mut VerifyReport) -> Result<()> {
    if against.size > report.size {
        report.add(None, "The ledger has fewer records than the checkpoint: it was rolled back.");
        return Ok(());
    }
    match root(access, against.size).await {
        Ok(root) if root == against.root => {}
        Ok(_) | Err(Error::StoreCorrupt(_)) => {
            report.add(None, "The ledger does not begin with that of the checkpoint: its past was replaced.");
        }
        Err(error) => return Err(error),
    }
    Ok(())
}

struct Check<'a> {
    access: &'a Access,
    report: VerifyReport,
    rebuild: Rebuild,
    /// The ids of the approvals of the records so far.
    decided: HashSet<[u8; 20]>,
}

impl Check<'_> {
    async fn check_all(&mut self) -> Result<()> {
        let size = self.report.size;
        for from in (0..size).step_by(RECORDS as usize) {
            let batch = Batch::read(self.access, from, size.min(from + RECORDS)).await?;
            let leaves = self.check_records(&batch);
            self.check_tiles(&leaves).await?;
            if (leaves.len() as u64) < batch.to - batch.from {
                self.report.add(None, "The tree beyond here cannot be computed: records and tiles are missing.");
                return Ok(());
            }
        }
        Ok(())
    }

    /// Returns the leaves of some records, up to the first that is lost. A missing or wrong leaf is replaced by the
    /// tree's, so that one damage is reported as one problem.
    fn check_records(&mut self, batch: &Batch) -> Vec<Hash> {
        let width = TILE_WIDTH as u64;
        let mut leaves = Vec::with_capacity((batch.to - batch.from) as usize);
        for sequence in batch.from..batch.to {
            let tile = batch.tiles.get(&TileId { level: 0, index: sequence / width });
            let kept = tile.and_then(|tile| tile.hashes().get((sequence % width) as usize)).copied();
            let own = self.check_record(sequence, batch.records.get(&sequence));
            match (own, kept) {
                (Some(own), Some(kept)) if own != kept => {
                    self.report
                        .add(Some(sequence), "The record is not the one that the tree was made of: one was replaced.");
                }
                (Some(_), None) => self.report.add(Some(sequence), "The record's leaf is missing in the tree."),
                _ => {}
            }
            match kept.or(own) {
                Some(leaf) => leaves.push(leaf),
                None => break,
            }
        }
        leaves
    }

    /// Returns the hash of a record's leaf, if the record is valid.
    fn check_record(&mut self, sequence: u64, record: Option<&Option<Kept>>) -> Option<Hash> {
        let Some(record) = record else {
            self.report.add(Some(sequence), "The record is missing: it was removed.");
            return None;
        };
        let Some(Kept { leaf, approval }) = record else {
            self.report.add(Some(sequence), "The record cannot be opened or read: it was altered or moved.");
            return None;
        };
        if !self.decided.insert(*approval) {
            self.report
                .add(Some(sequence), "The approval of this record was decided before: a decision is single use.");
        }
        Some(*leaf)
    }

    /// Adds leaves to the tree and compares the tiles above them with the stored ones.
    async fn check_tiles(&mut self, leaves: &[Hash]) -> Result<()> {
        let computed = self.rebuild.push(leaves)?;
        let ids: Vec<TileId> = computed.iter().map(|(id, _)| *id).filter(|id| id.level > 0).collect();
        let kept = readable_tiles(self.access, &ids).await?;
        for (id, tile) in computed.iter().filter(|(id, _)| id.level > 0) {
            let fits = kept.get(id).is_some_and(|kept| self.fits(*id, kept, tile));
            if !fits {
                self.report.add(
                    None,
                    &format!(
                        "Tile {} of level {} of the tree is missing or is not the one that follows from the records.",
                        id.index, id.level
                    ),
                );
            }
        }
        Ok(())
    }

    /// Compares a tile. The stored one may be longer than what was computed so far, and, during an append, than the
    /// head says.
    fn fits(&self, id: TileId, kept: &Tile, computed: &Tile) -> bool {
        kept.hashes().starts_with(computed.hashes()) && kept.hashes().len() >= id.width_at(self.report.size)
    }
}
