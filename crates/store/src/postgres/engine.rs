//! The engine of a database: what callers use.

use std::sync::Arc;

use super::commit::group;
use super::failure::Trouble;
use super::runner::Inner;
use super::sql::checks;
use super::{export, read, sweep};
use crate::engine::{
    Commit, CommitError, Due, Engine, EngineFuture, EngineLimits, Export, Found, Health, Kinds, Millis, Place,
    Promptness, ReadError, ScanRequest, Scanned, Tag, Usage, Version,
};
use crate::stage::LIMITS;

pub(in crate::postgres) struct PostgresEngine(pub(in crate::postgres) Arc<Inner>);

impl Engine for PostgresEngine {
    fn is_shared(&self) -> bool {
        true
    }

    fn limits(&self) -> EngineLimits {
        LIMITS
    }

    fn clock(&self) -> EngineFuture<'_, Result<Option<u64>, ReadError>> {
        let shared = Arc::clone(&self.0.shared);
        self.0.read(async move { checks::clock(&shared).await.map(Some) })
    }

    fn commit(&self, commit: Commit) -> EngineFuture<'_, Result<Version, CommitError>> {
        let shared = Arc::clone(&self.0.shared);
        let call = self.0.start(async move { group::commit(&shared, commit).await });
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
        self.0.read(async move { read::get(&shared, tag, wanted, most, now).await })
    }

    fn scan(&self, tag: Tag, request: ScanRequest) -> EngineFuture<'_, Result<Scanned, ReadError>> {
        let shared = Arc::clone(&self.0.shared);
        self.0.read(async move { read::scan(&shared, tag, request).await })
    }

    fn usage(&self, tag: Tag) -> EngineFuture<'_, Result<Usage, ReadError>> {
        let shared = Arc::clone(&self.0.shared);
        self.0.read(async move { read::usage(&shared, tag).await })
    }

    fn due(
        &self,
        now: Millis,
        kinds: Kinds,
        _: Promptness,
        limit: usize,
    ) -> EngineFuture<'_, Result<Vec<Due>, ReadError>> {
        let shared = Arc::clone(&self.0.shared);
        self.0.read(async move { sweep::due(&shared, now, kinds, limit).await })
    }

    fn sweep(&self, due: Due, now: Millis) -> EngineFuture<'_, Result<u64, CommitError>> {
        let shared = Arc::clone(&self.0.shared);
        self.0.write(async move { sweep::sweep(&shared, due, now).await })
    }

    fn erase(&self, tag: Tag) -> EngineFuture<'_, Result<(), CommitError>> {
        let shared = Arc::clone(&self.0.shared);
        self.0.write(async move { sweep::erase(&shared, tag).await })
    }

    fn export(&self) -> EngineFuture<'_, Result<Box<dyn Export>, ReadError>> {
        self.0.read(export::begin(Arc::clone(&self.0)))
    }

    fn health(&self) -> EngineFuture<'_, Health> {
        let shared = Arc::clone(&self.0.shared);
        let call = self.0.run(async move { checks::health(&shared).await });
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
            // Every call in progress holds it for reading.
            *is_closed.write().await = true;
            if let Some(lease) = self.0.shared.claim.lock().await.take() {
                // Release the lock now, not when the server notices that the connection has ended.
                let release = async move { lease.connection()?.batch("ROLLBACK").await };
                let _ = self.0.threads.run(release).await;
            }
            self.0.shared.connections.close();
            self.0.threads.end();
        })
    }
}
