//! The engine and the vault of a directory: what callers hold.

use std::io;
use std::sync::Arc;
use std::sync::mpsc::{Sender, channel};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use tokio::sync::oneshot;

use super::committer::{Committer, Group};
use super::directory::{Lock, Presence};
use super::entry::{INLINE_BYTES, State};
use super::files::Files;
use super::keys::{Keys, Request};
use super::layout::{KEYS, TREE, TREE_FILE, TREE_SETTINGS};
use super::mark::Mark;
use super::own_files::{OwnFiles, is_own};
use super::queue::{Job, Large, Order, Queue};
use super::records::digest;
use super::segments::Segments;
use super::status::{GONE, Status};
use super::system::Directory;
use super::tree::Tree;
use super::{exporting, reading, sweeping};
use crate::engine::{
    Commit, CommitError, Due, Durability, Engine, EngineFuture, EngineLimits, Export, Found, Health, Limits, Millis,
    Op, Place, Promptness, ReadError, ScanRequest, Scanned, Tag, Usage, Version, record_key,
};
use crate::room::Room;
use crate::stage::{LIMITS, check_sizes};
use crate::vault::{Created, Slot, Vault};

/// What the store consists of once it is open.
pub(super) struct Parts {
    pub(super) tree: Arc<Tree>,
    pub(super) files: Arc<Files>,
    pub(super) queue: Arc<Queue>,
    pub(super) status: Arc<Status>,
    pub(super) keys: Arc<Keys>,
    pub(super) segments: Segments,
    pub(super) state: State,
    pub(super) mark: Mark,
    pub(super) next_segment: Arc<std::sync::atomic::AtomicU64>,
    pub(super) lock: Lock,
    pub(super) presence: Presence,
}

/// What ends with the store.
struct Running {
    committer: JoinHandle<()>,
    others: Vec<JoinHandle<()>>,
    watch: JoinHandle<()>,
    lock: Lock,
}

pub(super) struct Shared {
    pub(super) tree: Arc<Tree>,
    pub(super) files: Arc<Files>,
    queue: Arc<Queue>,
    status: Arc<Status>,
    keys: Arc<Keys>,
    presence: Presence,
    /// What the thread for values with files of their own has to do.
    own_files: Arc<Queue>,
    /// `None` once closing.
    requests: Mutex<Option<Sender<Request>>>,
    running: Mutex<Option<Running>>,
}

/// See the module. Closes when it is dropped.
pub(super) struct Store(Arc<Shared>);

fn spawn(name: &str, work: impl FnOnce() + Send + 'static) -> io::Result<JoinHandle<()>> {
    std::thread::Builder::new().name(format!("bailiwick-{name}")).spawn(work)
}

/// Whether a thread that has been told to end does so.
fn ends_soon(thread: &JoinHandle<()>) -> bool {
    let until = Instant::now() + Duration::from_secs(2);
    while !thread.is_finished() && Instant::now() < until {
        std::thread::sleep(Duration::from_millis(5));
    }
    thread.is_finished()
}

impl Store {
    /// Starts the threads of an open store.
    pub(super) fn start(parts: Parts) -> io::Result<Self> {
        let Parts { tree, files, queue, status, keys, segments, state, mark, next_segment, lock, presence } = parts;
        let committer = Committer {
            tree: Arc::clone(&tree),
            files: Arc::clone(&files),
            queue: Arc::clone(&queue),
            status: Arc::clone(&status),
            segments,
            state,
            mark,
            rows: Default::default(),
            usage: Default::default(),
            slots: Default::default(),
            erased: Default::default(),
            recorders: Default::default(),
            unsynced: None,
            buffer: Vec::new(),
        };
        let own_files = OwnFiles {
            files: Arc::clone(&files),
            next: next_segment,
            queue: Arc::clone(&queue),
            status: Arc::clone(&status),
        };
        let jobs = Arc::new(Queue::default());
        let jobs_end = Arc::clone(&jobs);
        let (requests, requests_end) = channel();
        let vault = Arc::clone(&keys);
        let (watched, watched_queue) = (Arc::clone(&status), Arc::clone(&queue));
        let running = Running {
            committer: spawn("commit", move || committer.run())?,
            others: vec![
                spawn("values", move || own_files.run(&jobs_end))?,
                spawn("keys", move || vault.run(requests_end))?,
            ],
            watch: spawn("watch", move || watched.watch(&watched_queue))?,
            lock,
        };
        Ok(Self(Arc::new(Shared {
            tree,
            files,
            queue,
            status,
            keys,
            presence,
            own_files: jobs,
            requests: Mutex::new(Some(requests)),
            running: Mutex::new(Some(running)),
        })))
    }
}

impl Drop for Store {
    fn drop(&mut self) {
        self.0.shut_down();
    }
}

impl Shared {
    /// Syncs what is acknowledged, ends the threads, gives files and lock back. Whoever comes second waits for the first.
    fn shut_down(&self) {
        let mut running = self.running.lock();
        self.status.set_closed();
        // Whoever still has something to say has said it once these are gone.
        self.own_files.close();
        drop(self.requests.lock().take());
        let Some(threads) = running.take() else { return };
        for thread in threads.others {
            drop(thread.join());
        }
        self.queue.close();
        if self.status.has_failed() && !ends_soon(&threads.committer) {
            // It hangs in the disk, and may still write one day: the lock stays until the process ends.
            self.status.end_watch();
            std::mem::forget(threads.lock);
            return;
        }
        drop(threads.committer.join());
        self.status.end_watch();
        drop(threads.watch.join());
        self.tree.close();
    }

    /// Whether what is written now would be found by whoever opens the path.
    fn is_there(&self) -> bool {
        self.presence.is_given() && self.tree.has_name() && self.keys.has_name()
    }

    fn refuse(&self) -> Result<(), CommitError> {
        if self.status.is_closed() {
            return Err(CommitError::Closed);
        }
        if self.status.has_failed() { Err(CommitError::Unavailable) } else { Ok(()) }
    }

    /// Hands a commit to whoever is next to work on it.
    fn submit(&self, commit: Commit) -> Result<oneshot::Receiver<Result<Version, CommitError>>, CommitError> {
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
        let job = Job { large, answer, commit, order: None };
        let queue = if job.commit.ops.iter().any(is_own) { &self.own_files } else { &self.queue };
        if queue.push(job).is_ok() { Ok(receiver) } else { Err(self.not_taken()) }
    }

    /// Has the committer do something when it is this tag's turn. What it wrote is visible when this resolves, and
    /// reaches the disk with the next commits, or a moment later.
    pub(super) async fn order<T: Send + 'static>(
        &self,
        tag: Tag,
        order: impl FnOnce(&mut Committer, &mut Group) -> Result<T, CommitError> + Send + 'static,
    ) -> Result<T, CommitError> {
        self.refuse()?;
        let commit =
            Commit { tag, now: 0, ops: Vec::new(), limits: Limits::default(), durability: Durability::Relaxed };
        let (answer, receiver) = oneshot::channel();
        let done = Arc::new(Mutex::new(None));
        let place = Arc::clone(&done);
        let order: Order = Box::new(move |committer, group| {
            *place.lock() = Some(order(committer, group)?);
            committer.version()
        });
        let job = Job { commit, large: Vec::new(), order: Some(order), answer };
        self.queue.push(job).map_err(|_| self.not_taken())?;
        receiver.await.unwrap_or(Err(CommitError::OutcomeUnknown))?;
        let result = done.lock().take();
        result.ok_or(CommitError::OutcomeUnknown)
    }

    fn not_taken(&self) -> CommitError {
        if self.status.is_closed() { CommitError::Closed } else { CommitError::Unavailable }
    }

    pub(super) fn read<T>(&self, read: impl FnOnce(&Tree, &Files) -> Result<T, ReadError>) -> Result<T, ReadError> {
        if self.status.is_closed() {
            return Err(ReadError::Closed);
        }
        if self.status.reads_are_off() {
            return Err(ReadError::Unavailable);
        }
        read(&self.tree, &self.files)
    }

    /// Asks the thread of the vault for a change.
    fn ask<T: Send + 'static>(
        &self,
        request: impl FnOnce(oneshot::Sender<Result<T, ReadError>>) -> Request,
    ) -> EngineFuture<'_, Result<T, ReadError>> {
        let (answer, receiver) = oneshot::channel();
        let is_taken = self.requests.lock().as_ref().is_some_and(|requests| requests.send(request(answer)).is_ok());
        Box::pin(async move {
            if is_taken { receiver.await.unwrap_or(Err(ReadError::Unavailable)) } else { Err(ReadError::Closed) }
        })
    }

    fn look<T>(&self, look: impl FnOnce(&Keys) -> Result<T, ReadError>) -> Result<T, ReadError> {
        if self.status.is_closed() { Err(ReadError::Closed) } else { look(&self.keys) }
    }
}

fn ready<'a, T: Send + 'a>(value: T) -> EngineFuture<'a, T> {
    Box::pin(std::future::ready(value))
}

impl Engine for Store {
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
            let find = |(place, known)| reading::find(tree, files, &tag, place, known, &mut room, now);
            wanted.into_iter().map(find).collect()
        };
        ready(self.0.read(find))
    }

    fn scan(&self, tag: Tag, request: ScanRequest) -> EngineFuture<'_, Result<Scanned, ReadError>> {
        ready(self.0.read(|tree, files| reading::scan(tree, files, &tag, &request)))
    }

    fn usage(&self, tag: Tag) -> EngineFuture<'_, Result<Usage, ReadError>> {
        ready(self.0.read(|tree, _| reading::usage(tree, &tag)))
    }

    fn due(&self, now: Millis, promptness: Promptness, limit: usize) -> EngineFuture<'_, Result<Vec<Due>, ReadError>> {
        ready(self.0.read(|tree, _| sweeping::due(tree, now, promptness, limit)))
    }

    fn sweep(&self, due: Due, now: Millis) -> EngineFuture<'_, Result<u64, CommitError>> {
        Box::pin(sweeping::sweep(&self.0, due, now))
    }

    fn erase(&self, tag: Tag) -> EngineFuture<'_, Result<(), CommitError>> {
        Box::pin(sweeping::erase(&self.0, tag))
    }

    fn export(&self) -> EngineFuture<'_, Result<Box<dyn Export>, ReadError>> {
        Box::pin(exporting::begin(&self.0))
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
        } else if self.0.tree.has_blobs() {
            problems.push("sled has written rows to files that it does not sync".to_owned());
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

impl Vault for Store {
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

/// Whether the files are there without which a finished store is none.
pub(super) fn has_files(store: &Directory) -> io::Result<bool> {
    let Some(tree) = store.directory(TREE)? else { return Ok(false) };
    Ok(store.entry(KEYS)?.is_some() && tree.entry(TREE_FILE)?.is_some() && tree.entry(TREE_SETTINGS)?.is_some())
}
