//! An engine in front of another. Tests stand between a store and its engine so, to look, to hold back or to fail; each
//! says only what it does otherwise.

use crate::engine::{
    Commit, CommitError, Due, Engine, EngineFuture, EngineLimits, Export, Found, Health, Millis, Place, Promptness,
    ReadError, Row, ScanRequest, Tag, Usage, Version,
};

/// An [`Engine`] that hands on to another what it does not do itself.
pub trait Layer: Send + Sync + 'static {
    /// The engine behind it.
    fn behind(&self) -> &dyn Engine;

    /// In the place of [`Engine::is_shared`].
    fn is_shared(&self) -> bool {
        self.behind().is_shared()
    }

    /// In the place of [`Engine::clock`].
    fn clock(&self) -> EngineFuture<'_, Result<Option<u64>, ReadError>> {
        self.behind().clock()
    }

    /// In the place of [`Engine::commit`].
    fn commit(&self, commit: Commit) -> EngineFuture<'_, Result<Version, CommitError>> {
        self.behind().commit(commit)
    }

    /// In the place of [`Engine::get`].
    fn get(
        &self,
        tag: Tag,
        wanted: Vec<(Place, Option<Version>)>,
        now: Millis,
    ) -> EngineFuture<'_, Result<Vec<Found>, ReadError>> {
        self.behind().get(tag, wanted, now)
    }

    /// In the place of [`Engine::scan`].
    fn scan(&self, tag: Tag, request: ScanRequest) -> EngineFuture<'_, Result<Vec<Row>, ReadError>> {
        self.behind().scan(tag, request)
    }

    /// In the place of [`Engine::sweep`].
    fn sweep(&self, due: Due, now: Millis) -> EngineFuture<'_, Result<u64, CommitError>> {
        self.behind().sweep(due, now)
    }

    /// In the place of [`Engine::erase`].
    fn erase(&self, tag: Tag) -> EngineFuture<'_, Result<(), CommitError>> {
        self.behind().erase(tag)
    }

    /// In the place of [`Engine::export`].
    fn export(&self) -> EngineFuture<'_, Result<Box<dyn Export>, ReadError>> {
        self.behind().export()
    }

    /// In the place of [`Engine::close`].
    fn close(&self) -> EngineFuture<'_, ()> {
        self.behind().close()
    }
}

impl<L: Layer> Engine for L {
    fn limits(&self) -> EngineLimits {
        self.behind().limits()
    }

    fn is_shared(&self) -> bool {
        Layer::is_shared(self)
    }

    fn clock(&self) -> EngineFuture<'_, Result<Option<u64>, ReadError>> {
        Layer::clock(self)
    }

    fn commit(&self, commit: Commit) -> EngineFuture<'_, Result<Version, CommitError>> {
        Layer::commit(self, commit)
    }

    fn get(
        &self,
        tag: Tag,
        wanted: Vec<(Place, Option<Version>)>,
        now: Millis,
    ) -> EngineFuture<'_, Result<Vec<Found>, ReadError>> {
        Layer::get(self, tag, wanted, now)
    }

    fn scan(&self, tag: Tag, request: ScanRequest) -> EngineFuture<'_, Result<Vec<Row>, ReadError>> {
        Layer::scan(self, tag, request)
    }

    fn usage(&self, tag: Tag) -> EngineFuture<'_, Result<Usage, ReadError>> {
        self.behind().usage(tag)
    }

    fn due(&self, now: Millis, promptness: Promptness, limit: usize) -> EngineFuture<'_, Result<Vec<Due>, ReadError>> {
        self.behind().due(now, promptness, limit)
    }

    fn sweep(&self, due: Due, now: Millis) -> EngineFuture<'_, Result<u64, CommitError>> {
        Layer::sweep(self, due, now)
    }

    fn erase(&self, tag: Tag) -> EngineFuture<'_, Result<(), CommitError>> {
        Layer::erase(self, tag)
    }

    fn export(&self) -> EngineFuture<'_, Result<Box<dyn Export>, ReadError>> {
        Layer::export(self)
    }

    fn health(&self) -> EngineFuture<'_, Health> {
        self.behind().health()
    }

    fn close(&self) -> EngineFuture<'_, ()> {
        Layer::close(self)
    }
}
