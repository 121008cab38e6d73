//! An engine whose rows a test can look at and change, past everything that guards them.
#![allow(dead_code, reason = "no test uses all of it")]

use std::sync::Arc;

use bailiwick_runtime::{Clock, RootKey, Store, StoreOptions};
use bailiwick_store::{
    Commit, CommitError, Due, Durability, Engine, EngineFuture, EngineLimits, Export, Found, Health, Limits, Op,
    Opened, Place, Promptness, ReadError, Row, ScanRequest, Tag, Usage, Version, When, memory, recording::Recording,
};
use parking_lot::Mutex;

use crate::support::{NOW, at_once};

/// The bit of a kind byte for entries.
pub(crate) const ENTRY: u8 = 0x20;

/// Notes down whose rows are written.
pub(crate) struct Raw {
    engine: Arc<dyn Engine>,
    places: Mutex<Vec<(Tag, Place)>>,
}

/// A store in memory under which a test can reach, with nothing kept in the cache of opened records.
pub(crate) struct Open {
    pub(crate) store: Arc<Store>,
    pub(crate) raw: Arc<Raw>,
    /// The calls to the engine.
    pub(crate) calls: Arc<Recording<Raw>>,
}

impl Open {
    pub(crate) fn new() -> Self {
        let Opened { engine, vault } = memory::open(memory::MemoryOptions::default());
        let raw = Arc::new(Raw { engine, places: Mutex::default() });
        let calls = Arc::new(Recording::new(raw.clone()));
        let options =
            StoreOptions { root_key: RootKey::Local, opened_bytes: 0, clock: Clock::fixed(NOW), seed: Some(1) };
        let store = at_once(Store::open(Opened { engine: calls.clone(), vault }, options)).unwrap();
        Self { store, raw, calls }
    }
}

impl Raw {
    /// The rows of this kind byte that are there, in the order in which they were first written.
    pub(crate) fn rows(&self, kind: u8) -> Vec<(Tag, Row)> {
        let mut seen = Vec::new();
        for (tag, place) in self.places.lock().iter().filter(|(_, place)| place.kind == kind) {
            if !seen.contains(&(*tag, *place)) {
                seen.push((*tag, *place));
            }
        }
        seen.into_iter().filter_map(|(tag, place)| Some((tag, self.row(tag, place)?))).collect()
    }

    pub(crate) fn row(&self, tag: Tag, place: Place) -> Option<Row> {
        match at_once(self.engine.get(tag, vec![(place, None)], 0)).unwrap().pop() {
            Some(Found::Entry(row)) => Some(row),
            _ => None,
        }
    }

    /// Puts a value where a row is or was.
    pub(crate) fn put(&self, tag: Tag, place: Place, row: &Row) {
        let (value, expires_at) = (row.value.clone(), row.expires_at);
        self.apply(tag, Op::Put { place, value, expires_at, counted: None, when: When::Any });
    }

    pub(crate) fn delete(&self, tag: Tag, place: Place) {
        self.apply(tag, Op::Delete { place, when: When::Any });
    }

    fn apply(&self, tag: Tag, op: Op) {
        let (limits, durability) = (Limits::default(), Durability::Sync);
        at_once(self.engine.commit(Commit { tag, now: 0, ops: vec![op], limits, durability })).unwrap();
    }
}

impl Engine for Raw {
    fn limits(&self) -> EngineLimits {
        self.engine.limits()
    }

    fn commit(&self, commit: Commit) -> EngineFuture<'_, Result<Version, CommitError>> {
        let written = commit.ops.iter().filter_map(|op| match op {
            Op::Put { place, .. } => Some((commit.tag, *place)),
            _ => None,
        });
        self.places.lock().extend(written);
        self.engine.commit(commit)
    }

    fn get(
        &self,
        tag: Tag,
        wanted: Vec<(Place, Option<Version>)>,
        now: u64,
    ) -> EngineFuture<'_, Result<Vec<Found>, ReadError>> {
        self.engine.get(tag, wanted, now)
    }

    fn scan(&self, tag: Tag, request: ScanRequest) -> EngineFuture<'_, Result<Vec<Row>, ReadError>> {
        self.engine.scan(tag, request)
    }

    fn usage(&self, tag: Tag) -> EngineFuture<'_, Result<Usage, ReadError>> {
        self.engine.usage(tag)
    }

    fn due(&self, now: u64, promptness: Promptness, limit: usize) -> EngineFuture<'_, Result<Vec<Due>, ReadError>> {
        self.engine.due(now, promptness, limit)
    }
    fn sweep(&self, due: Due, now: u64) -> EngineFuture<'_, Result<u64, CommitError>> {
        self.engine.sweep(due, now)
    }
    fn erase(&self, tag: Tag) -> EngineFuture<'_, Result<(), CommitError>> {
        self.engine.erase(tag)
    }
    fn export(&self) -> EngineFuture<'_, Result<Box<dyn Export>, ReadError>> {
        self.engine.export()
    }
    fn health(&self) -> EngineFuture<'_, Health> {
        self.engine.health()
    }

    fn close(&self) -> EngineFuture<'_, ()> {
        self.engine.close()
    }
}
