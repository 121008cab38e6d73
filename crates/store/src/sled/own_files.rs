//! The thread that writes values with files of their own, so that a huge one does not hold up the small ones of others.
//! The commit goes to the queue once the file is durable; until a row names it, it is nothing.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use super::entry::Pointer;
use super::files::Files;
use super::queue::{Job, Queue};
use super::records;
use super::segments::OWN_FILE_BYTES;
use super::status::Status;
use crate::engine::{CommitError, Op, record_key};

/// See the module.
pub(super) struct OwnFiles {
    pub(super) files: Arc<Files>,
    pub(super) next: Arc<AtomicU64>,
    pub(super) queue: Arc<Queue>,
    pub(super) status: Arc<Status>,
}

/// Why a file could not be written.
enum WriteError {
    /// The file could not be written; nothing is lost.
    Write(io::Error),
    /// A sync failed: what the disk holds is unknown from here on.
    Sync,
}

/// Whether a value gets a file of its own.
pub(super) fn is_own(op: &Op) -> bool {
    matches!(op, Op::Put { value, .. } if value.len() > OWN_FILE_BYTES)
}

impl OwnFiles {
    /// Writes until nothing more will come.
    pub(super) fn run(self, jobs: &Queue) {
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
                        WriteError::Write(error) => super::write_error(&error),
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

    fn write_all(&self, job: &mut Job) -> Result<(), WriteError> {
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
            records::write(&file, 0, &key, &large.digest, value).map_err(WriteError::Write)?;
            file.sync_all().map_err(|_| WriteError::Sync)?;
        }
        self.files.directory(true).sync().map_err(|_| WriteError::Sync)
    }

    fn forget(&self, job: &Job) {
        for pointer in job.large.iter().filter_map(|large| large.placed) {
            let _ = self.files.remove(pointer.segment, true);
        }
    }
}
