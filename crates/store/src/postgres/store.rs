//! What callers see: every call runs on the engine's own threads, to its end, whoever drops its future.

use std::future::Future;
use std::sync::Arc;

use parking_lot::Mutex;
use tokio::runtime::{Builder, Handle, Runtime};
use tokio::sync::RwLock;

use super::failure::Trouble;
use super::{Shared, exporting, grouping, housekeeping, reading};
use crate::engine::{
    Commit, CommitError, Due, Engine, EngineFuture, EngineLimits, Export, Found, Health, Millis, Place, Promptness,
    ReadError, ScanRequest, Scanned, Tag, Usage, Version,
};
use crate::stage::LIMITS;

/// Threads that talk to the server. They wait more than they work.
const THREADS: usize = 2;

/// The threads of an engine. Callers need none of their own, nor a runtime.
pub(super) struct Threads {
    handle: Handle,
    runtime: Mutex<Option<Runtime>>,
}

impl Threads {
    pub(super) fn start() -> std::io::Result<Self> {
        let mut builder = Builder::new_multi_thread();
        let runtime = builder.worker_threads(THREADS).thread_name("bailiwick-postgres").enable_all().build()?;
        Ok(Self { handle: runtime.handle().clone(), runtime: Mutex::new(Some(runtime)) })
    }

    /// Runs a future to its end. `None` if the threads have ended.
    pub(super) async fn run<T: Send + 'static>(&self, future: impl Future<Output = T> + Send + 'static) -> Option<T> {
        self.handle.spawn(future).await.ok()
    }

    fn end(&self) {
        if let Some(runtime) = self.runtime.lock().take() {
            runtime.shutdown_background();
        }
    }
}

impl Drop for Threads {
    fn drop(&mut self) {
        self.end();
    }
}

/// What engine and vault share.
pub(super) struct Inner {
    pub(super) shared: Arc<Shared>,
    threads: Threads,
    /// Held for reading by every call; whether the engine is closed.
    is_closed: Arc<RwLock<bool>>,
}

impl Inner {
    pub(super) fn new(shared: Shared, threads: Threads) -> Self {
        Self { shared: Arc::new(shared), threads, is_closed: Arc::default() }
    }

    /// Starts a call at once. The future that is returned only waits for it.
    pub(super) fn run<T: Send + 'static>(
        &self,
        call: impl Future<Output = Result<T, Trouble>> + Send + 'static,
    ) -> EngineFuture<'static, Result<T, Trouble>> {
        let call = self.start(call);
        Box::pin(async move { call.await.unwrap_or(Err(Trouble::Corrupt)) })
    }

    /// Starts a call; `None` if it panicked.
    fn start<T, E>(
        &self,
        call: impl Future<Output = Result<T, E>> + Send + 'static,
    ) -> impl Future<Output = Option<Result<T, E>>> + Send + 'static
    where
        T: Send + 'static,
        E: From<Trouble> + Send + 'static,
    {
        let is_closed = Arc::clone(&self.is_closed);
        let running = self.threads.handle.spawn(async move {
            let is_closed = is_closed.read_owned().await;
            if *is_closed { Err(E::from(Trouble::Closed)) } else { call.await }
        });
        // Closing waits for all calls that have begun, so one that was cancelled has not.
        async move { running.await.map_or_else(|end| end.is_cancelled().then(|| Err(Trouble::Closed.into())), Some) }
    }

    pub(super) fn read<T: Send + 'static>(
        &self,
        call: impl Future<Output = Result<T, Trouble>> + Send + 'static,
    ) -> EngineFuture<'static, Result<T, ReadError>> {
        let call = self.run(call);
        Box::pin(async move { call.await.map_err(ReadError::from) })
    }

    fn write<T: Send + 'static>(
        &self,
        call: impl Future<Output = Result<T, Trouble>> + Send + 'static,
    ) -> EngineFuture<'static, Result<T, CommitError>> {
        let call = self.run(call);
        Box::pin(async move { call.await.map_err(CommitError::from) })
    }
}

/// See [`super::open`].
pub(super) struct PostgresEngine(pub(super) Arc<Inner>);

impl Engine for PostgresEngine {
    fn is_shared(&self) -> bool {
        true
    }

    fn limits(&self) -> EngineLimits {
        LIMITS
    }

    fn clock(&self) -> EngineFuture<'_, Result<Option<u64>, ReadError>> {
        let shared = Arc::clone(&self.0.shared);
        self.0.read(async move { super::checks::clock(&shared).await.map(Some) })
    }

    fn commit(&self, commit: Commit) -> EngineFuture<'_, Result<Version, CommitError>> {
        let shared = Arc::clone(&self.0.shared);
        let call = self.0.start(async move { grouping::commit(&shared, commit).await });
        Box::pin(async move { call.await.unwrap_or(Err(CommitError::OutcomeUnknown)) })
    }

    fn get(
        &self,
        tag: Tag,
        wanted: Vec<(Place, Option<Version>)>,
        most: u64,
        now: Millis,
    ) -> EngineFuture<'_, Result<Vec<Found>, ReadError>> {
        let shared = Arc::clone(&self.0.shared);
        self.0.read(async move { reading::get(&shared, tag, wanted, most, now).await })
    }

    fn scan(&self, tag: Tag, request: ScanRequest) -> EngineFuture<'_, Result<Scanned, ReadError>> {
        let shared = Arc::clone(&self.0.shared);
        self.0.read(async move { reading::scan(&shared, tag, request).await })
    }

    fn usage(&self, tag: Tag) -> EngineFuture<'_, Result<Usage, ReadError>> {
        let shared = Arc::clone(&self.0.shared);
        self.0.read(async move { reading::usage(&shared, tag).await })
    }

    fn due(&self, now: Millis, _: Promptness, limit: usize) -> EngineFuture<'_, Result<Vec<Due>, ReadError>> {
        let shared = Arc::clone(&self.0.shared);
        self.0.read(async move { housekeeping::due(&shared, now, limit).await })
    }

    fn sweep(&self, due: Due, now: Millis) -> EngineFuture<'_, Result<u64, CommitError>> {
        let shared = Arc::clone(&self.0.shared);
        self.0.write(async move { housekeeping::sweep(&shared, due, now).await })
    }

    fn erase(&self, tag: Tag) -> EngineFuture<'_, Result<(), CommitError>> {
        let shared = Arc::clone(&self.0.shared);
        self.0.write(async move { housekeeping::erase(&shared, tag).await })
    }

    fn export(&self) -> EngineFuture<'_, Result<Box<dyn Export>, ReadError>> {
        self.0.read(exporting::begin(Arc::clone(&self.0)))
    }

    fn health(&self) -> EngineFuture<'_, Health> {
        let shared = Arc::clone(&self.0.shared);
        let call = self.0.run(async move { super::checks::health(&shared).await });
        Box::pin(async move {
            call.await.unwrap_or_else(|trouble| {
                let problem = match trouble {
                    Trouble::Closed => "the store is closed",
                    _ => "the database cannot be reached",
                };
                Health { ok: false, problems: vec![problem.to_owned()] }
            })
        })
    }

    fn close(&self) -> EngineFuture<'_, ()> {
        let is_closed = Arc::clone(&self.0.is_closed);
        Box::pin(async move {
            // Whoever is under way holds it for reading.
            *is_closed.write().await = true;
            if let Some(lease) = self.0.shared.claim.lock().await.take() {
                // Others may come as soon as this is over, not when the server notices that a connection has ended.
                let letting_go = async move { lease.connection()?.batch("ROLLBACK").await };
                let _ = self.0.threads.run(letting_go).await;
            }
            self.0.shared.connections.close();
            self.0.threads.end();
        })
    }
}
