//! The thread that writes values with files of their own, so that a huge one does not hold up the small ones of others.
//! The commit goes to the queue once the file is durable; until a row names it, it is nothing.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::engine::{CommitError, Op, record_key};
use crate::sled::tree::codec::Pointer;
use crate::sled::values::files::Files;
use crate::sled::values::record;
use crate::sled::values::segments::OWN_FILE_BYTES;
use crate::sled::writer::committer::{CommitQueue, Maintenance};
use crate::sled::writer::queue::Job;
use crate::sled::writer::status::Status;

/// See the module.
pub(in crate::sled) struct LargeWriter {
    pub(in crate::sled) files: Arc<Files>,
    pub(in crate::sled) next: Arc<AtomicU64>,
    pub(in crate::sled) queue: Arc<CommitQueue>,
    pub(in crate::sled) status: Arc<Status>,
}

/// Why a file could not be written.
enum WriteError {
    /// The file could not be written; nothing is lost.
    Write(io::Error),
    /// A sync failed: what the disk holds is unknown from here on.
    Sync,
}

/// Whether a value gets a file of its own.
pub(in crate::sled) fn is_own(op: &Op) -> bool {
    matches!(op, Op::Put { value, .. } if value.len() > OWN_FILE_BYTES)
}

impl LargeWriter {
    /// Writes until nothing more will come.
    pub(in crate::sled) fn run(self, jobs: &CommitQueue) {
        while let Some(mut job) = jobs.next_one() {
            if self.status.has_failed() {
                let _ = job.answer.send(Err(CommitError::Unavailable));
                continue;
            }
            match self.write_all(&mut job) {
                Ok(()) => {
                    if let Err(job) = self.queue.push(job) {
                        self.forget(&job);
                        let _ = job.answer.send(Err(CommitError::Unavailable));
                    }
                }
                Err(error) => {
                    self.forget(&job);
                    let answer = match error {
                        WriteError::Write(error) => crate::sled::error::write_error(&error),
                        WriteError::Sync => {
                            self.status.fail("a sync of a large value failed", &self.queue);
                            CommitError::Unavailable
                        }
                    };
                    let _ = job.answer.send(Err(answer));
                }
            }
        }
    }

    fn write_all(&self, job: &mut Job<Maintenance>) -> Result<(), WriteError> {
        for large in &mut job.large {
            let Some(Op::Put { place, value, .. }) = job.commit.ops.get(large.op) else { continue };
            if value.len() <= OWN_FILE_BYTES {
                continue;
            }
            let number = self.next.fetch_add(1, Ordering::AcqRel);
            let file = self.files.create(number, true).map_err(WriteError::Write)?;
            let length = value.len() as u64;
            // Placed already, so that it is removed if writing it fails.
            large.placed = Some(Pointer { segment: number, offset: 0, length, digest: large.digest });
            let key = record_key(&job.commit.tag, place);
            record::write(&file, 0, &key, &large.digest, value).map_err(WriteError::Write)?;
            file.sync_all().map_err(|_| WriteError::Sync)?;
        }
        self.files.directory(true).sync().map_err(|_| WriteError::Sync)
    }

    fn forget(&self, job: &Job<Maintenance>) {
        for pointer in job.large.iter().filter_map(|large| large.placed) {
            let _ = self.files.remove(pointer.segment, true);
        }
    }
}
