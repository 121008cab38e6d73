//! An engine that records its calls. Tests use it to show that absent, expired, deleted and foreign records cause
//! exactly the same work.

use std::sync::Arc;

use parking_lot::Mutex;

use crate::engine::{
    Commit, CommitError, Due, Engine, EngineFuture, Export, Found, Health, Kinds, Millis, Op, Place, Promptness,
    ReadError, ScanRequest, Scanned, Tag, Usage, Version,
};
use crate::layer::Layer;

/// A method of an engine.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Verb {
    /// [`Engine::commit`]
    Commit,
    /// [`Engine::get`]
    Get,
    /// [`Engine::scan`]
    Scan,
    /// [`Engine::usage`]
    Usage,
    /// [`Engine::due`]
    Due,
    /// [`Engine::sweep`]
    Sweep,
    /// [`Engine::erase`]
    Erase,
    /// [`Engine::export`]
    Export,
    /// [`Engine::health`]
    Health,
    /// [`Engine::close`]
    Close,
}

/// A step of a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Step {
    /// A put into this kind.
    Put(u8),
    /// An extend.
    Extend(u8),
    /// A delete.
    Delete(u8),
    /// A check.
    Check(u8),
    /// A wake-up.
    Wake(u8),
    /// A look-up; whether a version was passed.
    Look(u8, bool),
    /// A range; whether in reverse, and its limit.
    Range(u8, bool, usize),
}

/// A call: its method and its steps by kind, in order. It does not contain tags or keys: calls on different places of
/// the same kinds are equal.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Call {
    /// The method.
    pub verb: Verb,
    /// The kinds, one per place.
    pub steps: Vec<Step>,
}

/// Passes every call on to another engine and records it.
pub struct Recording {
    engine: Arc<dyn Engine>,
    calls: Mutex<Vec<Call>>,
}

impl Recording {
    /// Records the calls to this engine.
    pub fn new(engine: Arc<dyn Engine>) -> Self {
        Self { engine, calls: Mutex::default() }
    }

    /// Returns the calls since the last `take`, in order.
    pub fn take(&self) -> Vec<Call> {
        std::mem::take(&mut *self.calls.lock())
    }

    fn note(&self, verb: Verb, steps: Vec<Step>) {
        self.calls.lock().push(Call { verb, steps });
    }
}

impl Layer for Recording {
    fn behind(&self) -> &dyn Engine {
        &*self.engine
    }

    fn commit(&self, commit: Commit) -> EngineFuture<'_, Result<Version, CommitError>> {
        let step = |op: &Op| match op {
            Op::Put { place, .. } => Step::Put(place.kind),
            Op::Extend { place, .. } => Step::Extend(place.kind),
            Op::Delete { place, .. } => Step::Delete(place.kind),
            Op::Check { place, .. } => Step::Check(place.kind),
            Op::Wake { kind, .. } => Step::Wake(*kind),
        };
        self.note(Verb::Commit, commit.ops.iter().map(step).collect());
        self.engine.commit(commit)
    }

    fn get(
        &self,
        tag: Tag,
        wanted: Vec<(Place, Option<Version>)>,
        most: u64,
        now: Millis,
    ) -> EngineFuture<'_, Result<Vec<Found>, ReadError>> {
        let step = |(place, known): &(Place, Option<Version>)| Step::Look(place.kind, known.is_some());
        self.note(Verb::Get, wanted.iter().map(step).collect());
        self.engine.get(tag, wanted, most, now)
    }

    fn scan(&self, tag: Tag, request: ScanRequest) -> EngineFuture<'_, Result<Scanned, ReadError>> {
        self.note(Verb::Scan, vec![Step::Range(request.kind, request.reverse, request.limit)]);
        self.engine.scan(tag, request)
    }

    fn usage(&self, tag: Tag) -> EngineFuture<'_, Result<Usage, ReadError>> {
        self.note(Verb::Usage, Vec::new());
        self.engine.usage(tag)
    }

    fn due(
        &self,
        now: Millis,
        kinds: Kinds,
        promptness: Promptness,
        limit: usize,
    ) -> EngineFuture<'_, Result<Vec<Due>, ReadError>> {
        self.note(Verb::Due, Vec::new());
        self.engine.due(now, kinds, promptness, limit)
    }

    fn sweep(&self, due: Due, now: Millis) -> EngineFuture<'_, Result<u64, CommitError>> {
        self.note(Verb::Sweep, Vec::new());
        self.engine.sweep(due, now)
    }

    fn forget_wakes(&self, dues: Vec<Due>, now: Millis) -> EngineFuture<'_, Result<(), CommitError>> {
        self.note(Verb::Sweep, Vec::new());
        self.engine.forget_wakes(dues, now)
    }

    fn erase(&self, tag: Tag) -> EngineFuture<'_, Result<(), CommitError>> {
        self.note(Verb::Erase, Vec::new());
        self.engine.erase(tag)
    }

    fn export(&self) -> EngineFuture<'_, Result<Box<dyn Export>, ReadError>> {
        self.note(Verb::Export, Vec::new());
        self.engine.export()
    }

    fn health(&self) -> EngineFuture<'_, Health> {
        self.note(Verb::Health, Vec::new());
        self.engine.health()
    }

    fn close(&self) -> EngineFuture<'_, ()> {
        self.note(Verb::Close, Vec::new());
        self.engine.close()
    }
}
