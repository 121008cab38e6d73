//! An engine whose rows a test can look at and change, past everything that guards them.

use std::sync::Arc;

use bailiwick_runtime::{Clock, RootKey, Store, StoreOptions};
use bailiwick_store::layer::Layer;
use bailiwick_store::recording::Recording;
use bailiwick_store::{
    Commit, CommitError, Durability, Engine, EngineFuture, Found, Limits, Op, Opened, Place, Row, Tag, Version, When,
    memory,
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
    pub(crate) calls: Arc<Recording>,
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
        match at_once(self.engine.get(tag, vec![(place, None)], u64::MAX, 0)).unwrap().pop() {
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

impl Layer for Raw {
    fn behind(&self) -> &dyn Engine {
        &*self.engine
    }

    fn commit(&self, commit: Commit) -> EngineFuture<'_, Result<Version, CommitError>> {
        let written = commit.ops.iter().filter_map(|op| match op {
            Op::Put { place, .. } => Some((commit.tag, *place)),
            _ => None,
        });
        self.places.lock().extend(written);
        self.engine.commit(commit)
    }
}
