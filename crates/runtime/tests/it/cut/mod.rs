//! A store that is cut off from its disk at a chosen call, as by a crash: that call happens or does not, and nothing after
//! it does.

use std::sync::Arc;
use std::sync::atomic::{AtomicIsize, Ordering};

use bailiwick_store::engine::{Millis, ReadError, ScanRequest, Scanned};
use bailiwick_store::layer::{Layer, VaultLayer};
use bailiwick_store::{
    Commit, CommitError, Created, Due, Engine, EngineFuture, Found, Opened, Place, Tag, Vault, Version,
};

/// How many changes go through still.
pub(crate) struct Cut {
    inner: Opened,
    left: AtomicIsize,
    /// Whether the call at which it is cut off happens, although nobody hears of it.
    happens: bool,
}

impl Cut {
    /// Cut off at the change after `changes`.
    pub(crate) fn after(inner: Opened, changes: isize, happens: bool) -> Arc<Self> {
        Arc::new(Self { inner, left: AtomicIsize::new(changes), happens })
    }

    /// Everything goes through again.
    pub(crate) fn mend(&self) {
        self.left.store(isize::MAX, Ordering::SeqCst);
    }

    /// Cut off at the change after so many more.
    pub(crate) fn allow(&self, changes: isize) {
        self.left.store(changes, Ordering::SeqCst);
    }

    /// Whether it was not cut off yet.
    pub(crate) fn is_whole(&self) -> bool {
        self.left.load(Ordering::SeqCst) >= 0
    }

    /// `true`: it goes through. `false`: it fails, and `happens` says whether it was done all the same.
    fn goes_through(&self) -> bool {
        self.left.fetch_sub(1, Ordering::SeqCst) > 0
    }

    /// Some engines begin when they are called, others when their future is polled.
    async fn change<'a, T, E>(
        &'a self,
        change: impl FnOnce() -> EngineFuture<'a, Result<T, E>>,
        error: E,
    ) -> Result<T, E> {
        let was_whole = self.is_whole();
        if self.goes_through() {
            return change().await;
        }
        if was_whole && self.happens {
            drop(change().await);
        }
        Err(error)
    }

    fn read(&self) -> Result<(), ReadError> {
        if self.is_whole() { Ok(()) } else { Err(ReadError::Unavailable) }
    }
}

impl Layer for Cut {
    fn behind(&self) -> &dyn Engine {
        &*self.inner.engine
    }

    fn commit(&self, commit: Commit) -> EngineFuture<'_, Result<Version, CommitError>> {
        Box::pin(self.change(move || self.inner.engine.commit(commit), CommitError::OutcomeUnknown))
    }

    fn get(
        &self,
        tag: Tag,
        wanted: Vec<(Place, Option<Version>)>,
        most: u64,
        now: Millis,
    ) -> EngineFuture<'_, Result<Vec<Found>, ReadError>> {
        Box::pin(async move {
            self.read()?;
            self.inner.engine.get(tag, wanted, most, now).await
        })
    }

    fn scan(&self, tag: Tag, request: ScanRequest) -> EngineFuture<'_, Result<Scanned, ReadError>> {
        Box::pin(async move {
            self.read()?;
            self.inner.engine.scan(tag, request).await
        })
    }

    fn sweep(&self, due: Due, now: Millis) -> EngineFuture<'_, Result<u64, CommitError>> {
        Box::pin(self.change(move || self.inner.engine.sweep(due, now), CommitError::Unavailable))
    }

    fn erase(&self, tag: Tag) -> EngineFuture<'_, Result<(), CommitError>> {
        Box::pin(self.change(move || self.inner.engine.erase(tag), CommitError::Unavailable))
    }
}

impl VaultLayer for Cut {
    fn vault_behind(&self) -> &dyn Vault {
        &*self.inner.vault
    }

    fn create(&self, name: [u8; 32], value: Vec<u8>) -> EngineFuture<'_, Result<Created, ReadError>> {
        Box::pin(self.change(move || self.inner.vault.create(name, value), ReadError::Unavailable))
    }

    fn replace(&self, name: [u8; 32], generation: u64, value: Vec<u8>) -> EngineFuture<'_, Result<bool, ReadError>> {
        Box::pin(self.change(move || self.inner.vault.replace(name, generation, value), ReadError::Unavailable))
    }

    fn wipe(&self, name: [u8; 32], value: Vec<u8>) -> EngineFuture<'_, Result<bool, ReadError>> {
        Box::pin(self.change(move || self.inner.vault.wipe(name, value), ReadError::Unavailable))
    }

    fn create_next_local_secret(&self, secret: Vec<u8>) -> EngineFuture<'_, Result<bool, ReadError>> {
        Box::pin(self.change(move || self.inner.vault.create_next_local_secret(secret), ReadError::Unavailable))
    }

    fn settle_local_secret(&self, promote: bool) -> EngineFuture<'_, Result<(), ReadError>> {
        Box::pin(self.change(move || self.inner.vault.settle_local_secret(promote), ReadError::Unavailable))
    }
}
