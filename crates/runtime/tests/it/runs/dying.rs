//! An engine that dies at a commit: before it is applied, or after, so that nobody learns of it. Whoever opens what is
//! below it finds what a killed process has left. Or its disk is full for some commits, and it goes on afterwards.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock, Weak};

use bailiwick_runtime::Store;
use bailiwick_store::layer::Layer;
use bailiwick_store::{
    Commit, CommitError, Engine, EngineFuture, Found, Op, Place, ReadError, ScanRequest, Scanned, Tag, Version,
};

pub(crate) struct Dying {
    pub(crate) engine: Arc<dyn Engine>,
    /// So many commits are left.
    left: AtomicUsize,
    applies_the_last: bool,
    /// So many commits find the disk full before it has space again.
    full: AtomicUsize,
    is_mortal: bool,
    dead: AtomicBool,
    pub(crate) commits: AtomicUsize,
    /// The bytes that were put, by kind of item.
    pub(crate) bytes: [AtomicUsize; 8],
    /// The store whose clock goes on with every commit.
    ticking: OnceLock<Weak<Store>>,
}

impl Dying {
    pub(crate) fn new(engine: Arc<dyn Engine>, left: usize, applies_the_last: bool) -> Arc<Self> {
        Self::of(engine, left, applies_the_last, 0)
    }

    /// An engine whose disk is full after `left` commits, until it has refused `refused` of them.
    pub(crate) fn full(engine: Arc<dyn Engine>, left: usize, refused: usize) -> Arc<Self> {
        Self::of(engine, left, false, refused)
    }

    fn of(engine: Arc<dyn Engine>, left: usize, applies_the_last: bool, refused: usize) -> Arc<Self> {
        Arc::new(Self {
            engine,
            left: AtomicUsize::new(left),
            applies_the_last,
            full: AtomicUsize::new(refused),
            is_mortal: refused == 0,
            dead: AtomicBool::new(false),
            commits: AtomicUsize::new(0),
            bytes: Default::default(),
            ticking: OnceLock::new(),
        })
    }

    /// From now on, every commit takes a millisecond on this store's clock.
    pub(crate) fn ticks(&self, store: &Arc<Store>) {
        let _ = self.ticking.set(Arc::downgrade(store));
    }

    pub(crate) fn is_dead(&self) -> bool {
        self.dead.load(Ordering::SeqCst)
    }

    fn check(&self) -> Result<(), ReadError> {
        if self.is_dead() { Err(ReadError::Unavailable) } else { Ok(()) }
    }
}

impl Layer for Dying {
    fn behind(&self) -> &dyn Engine {
        &*self.engine
    }

    fn commit(&self, commit: Commit) -> EngineFuture<'_, Result<Version, CommitError>> {
        Box::pin(async move {
            if self.is_dead() {
                return Err(CommitError::Unavailable);
            }
            self.commits.fetch_add(1, Ordering::SeqCst);
            if let Some(store) = self.ticking.get().and_then(Weak::upgrade) {
                store.advance(1);
            }
            for op in &commit.ops {
                if let Op::Put { place, value, .. } = op {
                    self.bytes[usize::from(place.kind & 7)].fetch_add(value.len(), Ordering::SeqCst);
                }
            }
            let left = self.left.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| left.checked_sub(1));
            if left.is_ok() {
                return self.engine.commit(commit).await;
            }
            if !self.is_mortal {
                let full = self.full.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |full| full.checked_sub(1));
                return if full.is_ok() { Err(CommitError::Full) } else { self.engine.commit(commit).await };
            }
            self.dead.store(true, Ordering::SeqCst);
            if self.applies_the_last {
                let _ = self.engine.commit(commit).await;
                return Err(CommitError::OutcomeUnknown);
            }
            Err(CommitError::Unavailable)
        })
    }

    fn get(
        &self,
        tag: Tag,
        wanted: Vec<(Place, Option<Version>)>,
        most: u64,
        now: u64,
    ) -> EngineFuture<'_, Result<Vec<Found>, ReadError>> {
        Box::pin(async move {
            self.check()?;
            self.engine.get(tag, wanted, most, now).await
        })
    }

    fn scan(&self, tag: Tag, request: ScanRequest) -> EngineFuture<'_, Result<Scanned, ReadError>> {
        Box::pin(async move {
            self.check()?;
            self.engine.scan(tag, request).await
        })
    }

    fn close(&self) -> EngineFuture<'_, ()> {
        // What is below lives on.
        Box::pin(async {})
    }
}
