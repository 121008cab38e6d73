//! The applier: the thread that writes the rounds of the log to tables. No commit waits for it but one that finds both files of the log full.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use super::committer::CommitQueue;
use super::status::Status;
use crate::sled::tables::WriteError;
use crate::sled::tree::Tree;

/// See the module.
pub(in crate::sled) struct Applier {
    pub(in crate::sled) tree: Arc<Tree>,
    pub(in crate::sled) queue: Arc<CommitQueue>,
    pub(in crate::sled) status: Arc<Status>,
}

impl Applier {
    /// Applies rounds until the log is closed or something fails. What it could not apply is in the log, and replayed when the store is
    /// opened again.
    pub(in crate::sled) fn run(self) {
        let wal = self.tree.wal();
        while let Some(round) = wal.next_round() {
            let step = || {
                self.status.step();
                wal.step()
            };
            let applied = catch_unwind(AssertUnwindSafe(|| self.tree.write_round(&round, &step)));
            self.status.end_steps();
            match applied {
                Ok(Ok(())) => {
                    wal.applied();
                    if !self.tree.merger().added(&step) {
                        return;
                    }
                    self.status.end_steps();
                }
                Ok(Err(WriteError::Stopped)) => return,
                _ => {
                    wal.fail();
                    self.status.fail("the tree could not be written", &self.queue);
                    return;
                }
            }
        }
    }
}
