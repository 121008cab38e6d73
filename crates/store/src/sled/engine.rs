//! The engine and the vault of a directory: what callers hold.

use std::io;
use std::sync::Arc;
use std::sync::mpsc::{Sender, channel};
use std::thread::JoinHandle;
use std::time::Instant;

use parking_lot::Mutex;
use tokio::sync::oneshot;

use super::keys::{Keys, Request};
use super::lock::directory::{Lock, Presence};
use super::lock::high_water::HighWater;
use super::shared::{Running, Shared};
use super::tree::codec::State;
use super::tree::{Tree, read};
use super::values::files::Files;
use super::values::large_writer::LargeWriter;
use super::values::segments::Segments;
use super::writer::applier::Applier;
use super::writer::committer::{CommitQueue, Committer};
use super::writer::status::{GONE, Status};
use super::{compact, export, sweep};
use crate::engine::{
    Commit, CommitError, Compacted, Due, Engine, EngineFuture, EngineLimits, Export, Found, Health, Kinds, Millis,
    Place, Promptness, ReadError, ScanRequest, Scanned, Tag, Usage, Version,
};
use crate::room::Room;
use crate::stage::LIMITS;
use crate::vault::{Created, Slot, Vault};

/// What the store consists of once it is open.
pub(in crate::sled) struct Parts {
    pub(in crate::sled) tree: Arc<Tree>,
    pub(in crate::sled) files: Arc<Files>,
    pub(in crate::sled) queue: Arc<CommitQueue>,
    pub(in crate::sled) status: Arc<Status>,
    pub(in crate::sled) keys: Arc<Keys>,
    pub(in crate::sled) segments: Segments,
    pub(in crate::sled) state: State,
    pub(in crate::sled) high_water: HighWater,
    pub(in crate::sled) next_segment: Arc<std::sync::atomic::AtomicU64>,
    pub(in crate::sled) lock: Lock,
    pub(in crate::sled) presence: Presence,
}

/// See the module. Closes when it is dropped.
pub(in crate::sled) struct SledEngine(Arc<Shared>);

pub(super) fn spawn(name: &str, work: impl FnOnce() + Send + 'static) -> io::Result<JoinHandle<()>> {
    std::thread::Builder::new().name(format!("bailiwick-{name}")).spawn(work)
}

impl SledEngine {
    /// Starts the threads of an open store.
    pub(in crate::sled) fn start(parts: Parts) -> io::Result<Self> {
        let Parts { tree, files, queue, status, keys, segments, state, high_water, next_segment, lock, presence } =
            parts;
        let committer = Committer {
            tree: Arc::clone(&tree),
            files: Arc::clone(&files),
            queue: Arc::clone(&queue),
            status: Arc::clone(&status),
            segments,
            state,
            high_water,
            rows: Default::default(),
            usage: Default::default(),
            buckets: Default::default(),
            erased: Default::default(),
            change_logs: Default::default(),
            unsynced: None,
            changed: tree.wal().has_rows().then(Instant::now),
            buffer: Vec::new(),
        };
        let large_writer = LargeWriter {
            files: Arc::clone(&files),
            next: next_segment,
            queue: Arc::clone(&queue),
            status: Arc::clone(&status),
        };
        let applier = Applier { tree: Arc::clone(&tree), queue: Arc::clone(&queue), status: Arc::clone(&status) };
        let jobs = Arc::new(CommitQueue::default());
        let jobs_end = Arc::clone(&jobs);
        let (requests, requests_end) = channel();
        let vault = Arc::clone(&keys);
        let (watched, watched_queue) = (Arc::clone(&status), Arc::clone(&queue));
        let (merged, noted) = (Arc::clone(&tree), Arc::clone(&status));
        let threads = Vec::new();
        let mut starting =
            Starting { tree: &tree, queue: &queue, jobs: &jobs, status: &status, requests: Some(requests), threads };
        starting.start("commit", move || committer.run())?;
        starting.start("apply", move || applier.run())?;
        starting.start("merge", move || merged.run_merger(&|problem| noted.note(problem)))?;
        starting.start("values", move || large_writer.run(&jobs_end))?;
        starting.start("keys", move || vault.run(requests_end))?;
        starting.start("watch", move || watched.run_watchdog(&watched_queue))?;
        let (threads, requests) = (std::mem::take(&mut starting.threads), starting.requests.take());
        drop(starting);
        let Ok([committer, applier, merger, values, vault, watchdog]) = <[JoinHandle<()>; 6]>::try_from(threads) else {
            return Err(io::ErrorKind::Other.into());
        };
        let running = Running { committer, applier, merger, others: vec![values, vault], watchdog, lock };
        Ok(Self(Arc::new(Shared {
            tree,
            files,
            queue,
            status,
            keys,
            presence,
            large_writer: jobs,
            requests: Mutex::new(requests),
            running: Mutex::new(Some(running)),
        })))
    }
}

/// The threads of a store that is being opened. If one of them does not start, the others end before the lock is given back.
struct Starting<'s> {
    tree: &'s Tree,
    queue: &'s CommitQueue,
    jobs: &'s CommitQueue,
    status: &'s Status,
    requests: Option<Sender<Request>>,
    threads: Vec<JoinHandle<()>>,
}

impl Starting<'_> {
    fn start(&mut self, name: &str, work: impl FnOnce() + Send + 'static) -> io::Result<()> {
        self.threads.push(spawn(name, work)?);
        Ok(())
    }
}

impl Drop for Starting<'_> {
    fn drop(&mut self) {
        if self.threads.is_empty() {
            return;
        }
        drop(self.requests.take());
        self.jobs.close();
        self.queue.close();
        self.tree.wal().fail();
        self.tree.merger().close();
        self.status.end_watchdog();
        for thread in self.threads.drain(..) {
            drop(thread.join());
        }
    }
}

impl Drop for SledEngine {
    fn drop(&mut self) {
        self.0.shut_down();
    }
}

fn ready<'a, T: Send + 'a>(value: T) -> EngineFuture<'a, T> {
    Box::pin(std::future::ready(value))
}

impl Engine for SledEngine {
    fn limits(&self) -> EngineLimits {
        LIMITS
    }

    fn commit(&self, commit: Commit) -> EngineFuture<'_, Result<Version, CommitError>> {
        let submitted = self.0.submit(commit);
        Box::pin(async move { submitted?.await.unwrap_or(Err(CommitError::OutcomeUnknown)) })
    }

    fn get(
        &self,
        tag: Tag,
        wanted: Vec<(Place, Option<Version>)>,
        most: u64,
        now: Millis,
    ) -> EngineFuture<'_, Result<Vec<Found>, ReadError>> {
        let find = |tree: &Tree, files: &Files| {
            let mut room = Room::new(most);
            let find = |(place, known)| read::find(tree, files, &tag, place, known, &mut room, now);
            wanted.into_iter().map(find).collect()
        };
        ready(self.0.read(find))
    }

    fn scan(&self, tag: Tag, request: ScanRequest) -> EngineFuture<'_, Result<Scanned, ReadError>> {
        ready(self.0.read(|tree, files| read::scan(tree, files, &tag, &request)))
    }

    fn usage(&self, tag: Tag) -> EngineFuture<'_, Result<Usage, ReadError>> {
        ready(self.0.read(|tree, _| read::usage(tree, &tag)))
    }

    fn due(
        &self,
        now: Millis,
        kinds: Kinds,
        promptness: Promptness,
        limit: usize,
    ) -> EngineFuture<'_, Result<Vec<Due>, ReadError>> {
        ready(self.0.read(|tree, _| sweep::due(tree, now, kinds, promptness, limit)))
    }

    fn sweep(&self, due: Due, now: Millis) -> EngineFuture<'_, Result<u64, CommitError>> {
        Box::pin(sweep::sweep(&self.0, due, now))
    }

    fn forget_wakes(&self, dues: Vec<Due>, now: Millis) -> EngineFuture<'_, Result<(), CommitError>> {
        Box::pin(sweep::forget_wakes(&self.0, dues, now))
    }

    fn erase(&self, tag: Tag) -> EngineFuture<'_, Result<(), CommitError>> {
        Box::pin(sweep::erase(&self.0, tag))
    }

    fn export(&self) -> EngineFuture<'_, Result<Box<dyn Export>, ReadError>> {
        Box::pin(export::begin(&self.0))
    }

    fn compact(&self) -> EngineFuture<'_, Result<Option<Compacted>, CommitError>> {
        Box::pin(compact::compact(&self.0))
    }

    fn health(&self) -> EngineFuture<'_, Health> {
        let status = &self.0.status;
        let mut problems = status.problems();
        let mut ok = self.0.refuse().is_ok();
        if status.is_closed() {
            problems.push("the store is closed".to_owned());
        } else if !self.0.is_there() {
            ok = false;
            if !problems.iter().any(|known| known == GONE) {
                problems.push(GONE.to_owned());
            }
        }
        ready(Health { ok, problems })
    }

    fn close(&self) -> EngineFuture<'_, ()> {
        let shared = Arc::clone(&self.0);
        let (done, closed) = oneshot::channel();
        let close = move || {
            shared.shut_down();
            let _ = done.send(());
        };
        let thread = spawn("close", close);
        Box::pin(async move {
            match thread {
                Ok(_) => drop(closed.await),
                // No thread to be had: then this one has to wait.
                Err(_) => self.0.shut_down(),
            }
        })
    }
}

impl Vault for SledEngine {
    fn get(&self, name: [u8; 32]) -> EngineFuture<'_, Result<Option<Slot>, ReadError>> {
        ready(self.0.look(|keys| keys.get(&name)))
    }

    fn create(&self, name: [u8; 32], value: Vec<u8>) -> EngineFuture<'_, Result<Created, ReadError>> {
        self.0.ask(|answer| Request::Create { name, value, answer })
    }

    fn replace(&self, name: [u8; 32], generation: u64, value: Vec<u8>) -> EngineFuture<'_, Result<bool, ReadError>> {
        self.0.ask(|answer| Request::Replace { name, generation, value, answer })
    }

    fn wipe(&self, name: [u8; 32], value: Vec<u8>) -> EngineFuture<'_, Result<bool, ReadError>> {
        self.0.ask(|answer| Request::Wipe { name, value, answer })
    }

    fn names(&self, after: Option<[u8; 32]>, limit: usize) -> EngineFuture<'_, Result<Vec<[u8; 32]>, ReadError>> {
        ready(self.0.look(|keys| Ok(keys.names(after, limit))))
    }

    fn residues(&self) -> &'static [&'static str] {
        &[
            "Copies of the store's directory made before, such as snapshots of the file system and images of the disk.",
            "Sectors that the disk itself has put aside and does not show any more.",
        ]
    }

    fn local_secret(&self) -> EngineFuture<'_, Result<Option<Vec<u8>>, ReadError>> {
        ready(self.0.look(Keys::local_secret))
    }

    fn create_local_secret(&self, secret: Vec<u8>) -> EngineFuture<'_, Result<bool, ReadError>> {
        self.0.ask(|answer| Request::CreateLocalSecret { secret, answer })
    }

    fn create_next_local_secret(&self, secret: Vec<u8>) -> EngineFuture<'_, Result<bool, ReadError>> {
        self.0.ask(|answer| Request::CreateNextLocalSecret { secret, answer })
    }

    fn next_local_secret(&self) -> EngineFuture<'_, Result<Option<Vec<u8>>, ReadError>> {
        ready(self.0.look(Keys::next_local_secret))
    }

    fn settle_local_secret(&self, promote: bool) -> EngineFuture<'_, Result<(), ReadError>> {
        self.0.ask(|answer| Request::SettleLocalSecret { promote, answer })
    }
}
