//! What the engine, sweeps and exports of an open store share.

use std::sync::Arc;
use std::sync::mpsc::Sender;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use tokio::sync::oneshot;

use super::keys::{Keys, Request};
use super::lock::directory::{Lock, Presence};
use super::tree::Tree;
use super::tree::codec::INLINE_BYTES;
use super::values::files::Files;
use super::values::large_writer::is_own;
use super::values::record::digest;
use super::writer::committer::{CommitQueue, Committer, Group, Maintenance};
use super::writer::queue::{Job, Large};
use super::writer::status::Status;
use crate::engine::{Commit, CommitError, Durability, EngineFuture, Limits, Op, ReadError, Tag, Version, record_key};
use crate::stage::check_sizes;

/// The threads and the lock of an open store.
pub(super) struct Running {
    pub(super) committer: JoinHandle<()>,
    pub(super) applier: JoinHandle<()>,
    pub(super) merger: JoinHandle<()>,
    pub(super) others: Vec<JoinHandle<()>>,
    pub(super) watchdog: JoinHandle<()>,
    pub(super) lock: Lock,
}

pub(in crate::sled) struct Shared {
    pub(in crate::sled) tree: Arc<Tree>,
    pub(in crate::sled) files: Arc<Files>,
    pub(super) queue: Arc<CommitQueue>,
    pub(super) status: Arc<Status>,
    pub(super) keys: Arc<Keys>,
    pub(super) presence: Presence,
    /// The queue of the large writer.
    pub(super) large_writer: Arc<CommitQueue>,
    /// `None` once the store is closing.
    pub(super) requests: Mutex<Option<Sender<Request>>>,
    pub(super) running: Mutex<Option<Running>>,
}

/// Waits up to two seconds for a thread to end.
fn ends_soon(thread: &JoinHandle<()>) -> bool {
    let until = Instant::now() + Duration::from_secs(2);
    while !thread.is_finished() && Instant::now() < until {
        std::thread::sleep(Duration::from_millis(5));
    }
    thread.is_finished()
}

impl Shared {
    /// Syncs everything acknowledged, ends the threads, closes files and releases the lock. Concurrent calls wait for the first.
    pub(super) fn shut_down(&self) {
        let mut running = self.running.lock();
        self.status.set_closed();
        // The other threads end once these are closed and empty.
        self.large_writer.close();
        drop(self.requests.lock().take());
        self.tree.merger().close();
        let Some(threads) = running.take() else { return };
        for thread in threads.others {
            drop(thread.join());
        }
        self.queue.close();
        let wal = self.tree.wal();
        let has_failed = self.status.has_failed();
        if has_failed {
            wal.fail();
        }
        if has_failed && !(ends_soon(&threads.committer) && ends_soon(&threads.applier)) {
            // The thread hangs in a write that may still happen: keep the lock until the process ends.
            self.status.end_watchdog();
            std::mem::forget(threads.lock);
            return;
        }
        drop(threads.committer.join());
        wal.close();
        drop(threads.applier.join());
        drop(threads.merger.join());
        self.status.end_watchdog();
        drop(threads.watchdog.join());
        wal.shrink_unused();
        self.tree.close();
    }

    /// Whether the path still leads to the files of this store.
    pub(super) fn is_there(&self) -> bool {
        self.presence.is_given() && self.tree.has_name() && self.tree.is_there() && self.keys.has_name()
    }

    pub(super) fn refuse(&self) -> Result<(), CommitError> {
        if self.status.is_closed() {
            return Err(CommitError::Closed);
        }
        if self.status.has_failed() { Err(CommitError::Unavailable) } else { Ok(()) }
    }

    /// Queues a commit.
    pub(super) fn submit(
        &self,
        commit: Commit,
    ) -> Result<oneshot::Receiver<Result<Version, CommitError>>, CommitError> {
        self.refuse()?;
        check_sizes(&commit)?;
        let large = commit.ops.iter().enumerate().filter_map(|(number, op)| match op {
            Op::Put { place, value, .. } if value.len() > INLINE_BYTES => {
                let digest = digest(&record_key(&commit.tag, place), value);
                Some(Large { op: number, digest, placed: None })
            }
            _ => None,
        });
        let large: Vec<Large> = large.collect();
        let (answer, receiver) = oneshot::channel();
        let job = Job { large, answer, commit, maintenance: None };
        let queue = if job.commit.ops.iter().any(is_own) { &self.large_writer } else { &self.queue };
        if queue.push(job).is_ok() { Ok(receiver) } else { Err(self.not_taken()) }
    }

    /// Runs a maintenance job in the committer, in this tag's turn. Its changes are visible when this resolves, and durable like those of a
    /// relaxed commit.
    pub(in crate::sled) async fn maintain<T: Send + 'static>(
        &self,
        tag: Tag,
        job: impl FnOnce(&mut Committer, &mut Group) -> Result<T, CommitError> + Send + 'static,
    ) -> Result<T, CommitError> {
        self.refuse()?;
        let commit =
            Commit { tag, now: 0, ops: Vec::new(), limits: Limits::default(), durability: Durability::Relaxed };
        let (answer, receiver) = oneshot::channel();
        let done = Arc::new(Mutex::new(None));
        let place = Arc::clone(&done);
        let job: Maintenance = Box::new(move |committer, group| {
            *place.lock() = Some(job(committer, group)?);
            committer.version()
        });
        let job = Job { commit, large: Vec::new(), maintenance: Some(job), answer };
        self.queue.push(job).map_err(|_| self.not_taken())?;
        receiver.await.unwrap_or(Err(CommitError::OutcomeUnknown))?;
        let result = done.lock().take();
        result.ok_or(CommitError::OutcomeUnknown)
    }

    fn not_taken(&self) -> CommitError {
        if self.status.is_closed() { CommitError::Closed } else { CommitError::Unavailable }
    }

    pub(in crate::sled) fn read<T>(
        &self,
        read: impl FnOnce(&Tree, &Files) -> Result<T, ReadError>,
    ) -> Result<T, ReadError> {
        if self.status.is_closed() {
            return Err(ReadError::Closed);
        }
        if self.status.reads_are_off() {
            return Err(ReadError::Unavailable);
        }
        read(&self.tree, &self.files)
    }

    /// Requests a change from the thread of the vault.
    pub(super) fn ask<T: Send + 'static>(
        &self,
        request: impl FnOnce(oneshot::Sender<Result<T, ReadError>>) -> Request,
    ) -> EngineFuture<'_, Result<T, ReadError>> {
        let (answer, receiver) = oneshot::channel();
        let is_taken = self.requests.lock().as_ref().is_some_and(|requests| requests.send(request(answer)).is_ok());
        Box::pin(async move {
            if is_taken { receiver.await.unwrap_or(Err(ReadError::Unavailable)) } else { Err(ReadError::Closed) }
        })
    }

    pub(super) fn look<T>(&self, look: impl FnOnce(&Keys) -> Result<T, ReadError>) -> Result<T, ReadError> {
        if self.status.is_closed() { Err(ReadError::Closed) } else { look(&self.keys) }
    }
}
