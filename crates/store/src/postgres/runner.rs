//! Runs every call on the engine's own threads, to completion, even if its future is dropped.

use std::future::Future;
use std::sync::Arc;

use parking_lot::Mutex;
use tokio::runtime::{Builder, Handle, Runtime};
use tokio::sync::RwLock;

use super::failure::Trouble;
use super::shared::Shared;
use crate::engine::{CommitError, EngineFuture, ReadError};

/// The threads that talk to the server. They mostly wait.
const THREADS: usize = 2;

/// The threads of an engine, so that callers need no Tokio runtime.
pub(in crate::postgres) struct Threads {
    handle: Handle,
    runtime: Mutex<Option<Runtime>>,
}

impl Threads {
    pub(in crate::postgres) fn start() -> std::io::Result<Self> {
        let mut builder = Builder::new_multi_thread();
        let runtime = builder.worker_threads(THREADS).thread_name("bailiwick-postgres").enable_all().build()?;
        Ok(Self { handle: runtime.handle().clone(), runtime: Mutex::new(Some(runtime)) })
    }

    /// Runs a future to completion. `None` if the threads have ended.
    pub(in crate::postgres) async fn run<T: Send + 'static>(
        &self,
        future: impl Future<Output = T> + Send + 'static,
    ) -> Option<T> {
        self.handle.spawn(future).await.ok()
    }

    pub(in crate::postgres) fn end(&self) {
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

/// What the engine and the vault share.
pub(in crate::postgres) struct Inner {
    pub(in crate::postgres) shared: Arc<Shared>,
    pub(in crate::postgres) threads: Threads,
    /// Whether the engine is closed. Every call holds it for reading.
    pub(in crate::postgres) is_closed: Arc<RwLock<bool>>,
}

impl Inner {
    pub(in crate::postgres) fn new(shared: Shared, threads: Threads) -> Self {
        Self { shared: Arc::new(shared), threads, is_closed: Arc::default() }
    }

    /// Starts a call at once. The returned future only waits for it.
    pub(in crate::postgres) fn run<T: Send + 'static>(
        &self,
        call: impl Future<Output = Result<T, Trouble>> + Send + 'static,
    ) -> EngineFuture<'static, Result<T, Trouble>> {
        let call = self.start(call);
        Box::pin(async move { call.await.unwrap_or(Err(Trouble::Corrupt)) })
    }

    /// Starts a call; `None` if it panicked.
    pub(in crate::postgres) fn start<T, E>(
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
        // Closing waits for all calls that have begun: a cancelled one has not.
        async move { running.await.map_or_else(|end| end.is_cancelled().then(|| Err(Trouble::Closed.into())), Some) }
    }

    pub(in crate::postgres) fn read<T: Send + 'static>(
        &self,
        call: impl Future<Output = Result<T, Trouble>> + Send + 'static,
    ) -> EngineFuture<'static, Result<T, ReadError>> {
        let call = self.run(call);
        Box::pin(async move { call.await.map_err(ReadError::from) })
    }

    pub(in crate::postgres) fn write<T: Send + 'static>(
        &self,
        call: impl Future<Output = Result<T, Trouble>> + Send + 'static,
    ) -> EngineFuture<'static, Result<T, CommitError>> {
        let call = self.run(call);
        Box::pin(async move { call.await.map_err(CommitError::from) })
    }
}
