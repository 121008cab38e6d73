//! What the tests of this crate share: stores, handles, waiting, reproducible numbers.
#![allow(dead_code, reason = "no test uses all of it")]

use std::future::{Future, poll_fn};
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use bailiwick_model::pace::{self, PIECE, Polled};
use bailiwick_model::spec::TenantPart;
use bailiwick_model::{Error, Tenant, json};
use bailiwick_runtime::{Catalogue, Clock, PutContent, PutItem, RootKey, Store, StoreOptions, TenantHandle};
use bailiwick_store::conformance::Home as _;
use bailiwick_store::conformance::database::Database;
use bailiwick_store::layer::Layer;
use bailiwick_store::{Engine, Opened, memory, sled};

/// When test stores begin, in epoch milliseconds. It has passed: what a database server plans for later by its own clock is
/// not due yet.
pub(crate) const NOW: u64 = 1_700_000_000_000;

/// Registered reference types: one with a time to live, one with a schema.
const TOPOLOGY: &str = r#"{"bailiwick":1,"references":[
    {"name":"note","description":"A note","mediaType":"text/markdown","ttlMs":1500},
    {"name":"row","description":"A row","schema":{"type":"object","required":["a"]}}]}"#;

/// The engines of which every statement must hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kept {
    Memory,
    Sled,
    Postgres,
}

/// An engine with the place it lies in.
pub(crate) struct Home {
    pub(crate) opened: Opened,
    _place: Place,
}

/// What goes when a test has ended.
#[allow(dead_code, reason = "they are held, not read")]
enum Place {
    Nowhere,
    Directory(tempfile::TempDir),
    Database(Database),
}

impl Kept {
    pub(crate) const ALL: [Self; 3] = [Self::Memory, Self::Sled, Self::Postgres];

    pub(crate) fn open(self) -> Home {
        match self {
            Self::Memory => Home { opened: memory::open(memory::MemoryOptions::default()), _place: Place::Nowhere },
            Self::Sled => {
                let directory = tempfile::tempdir().unwrap();
                let options = sled::SledOptions { cache_bytes: 16 << 20, ..sled::SledOptions::default() };
                let opened = sled::open(&directory.path().join("store"), options).unwrap();
                Home { opened, _place: Place::Directory(directory) }
            }
            Self::Postgres => {
                let database = Database::fresh();
                Home { opened: database.open(), _place: Place::Database(database) }
            }
        }
    }
}

/// An engine that says of itself that several processes work on it.
struct Shared(Arc<dyn Engine>);

impl Layer for Shared {
    fn behind(&self) -> &dyn Engine {
        &*self.0
    }

    fn is_shared(&self) -> bool {
        true
    }
}

/// The same place, for several stores that stand for as many processes.
pub(crate) fn shared(Opened { engine, vault }: Opened) -> Opened {
    Opened { engine: Arc::new(Shared(engine)), vault }
}

/// A store whose clock stands at `now` and whose secrets follow from `seed`. Not every engine has a place for a root key.
pub(crate) async fn store(opened: Opened, seed: u64, now: u64, opened_bytes: usize) -> Arc<Store> {
    try_store(opened, seed, now, opened_bytes).await.unwrap()
}

/// The same where opening may fail.
pub(crate) async fn try_store(opened: Opened, seed: u64, now: u64, opened_bytes: usize) -> Result<Arc<Store>, Error> {
    let root_key = RootKey::Given(vec![7; 32].into());
    let options = StoreOptions { root_key, opened_bytes, clock: Clock::fixed(now), seed: Some(seed) };
    Store::open(opened, options).await
}

/// A store in memory for tests that need nothing else.
pub(crate) fn memory_store() -> Arc<Store> {
    at_once(store(Kept::Memory.open().opened, 1, NOW, 1 << 20))
}

pub(crate) fn catalogue() -> Arc<Catalogue> {
    let topology = json::parse(TOPOLOGY.as_bytes(), &json::Limits::default()).unwrap();
    Arc::new(Catalogue::from_json(&topology).unwrap())
}

/// A handle under the limits and retention of `part`, such as `"limits":{"bytes":10}`.
pub(crate) fn handle_of(
    store: &Arc<Store>,
    id: &str,
    version: &str,
    part: &str,
    catalogue: &Arc<Catalogue>,
) -> TenantHandle {
    let none = json::parse(
        format!(r#"{{"tenant":{{"resourceId":"x","version":"v1"}}{part}}}"#).as_bytes(),
        &json::Limits::default(),
    );
    let part = TenantPart::from_json(&none.unwrap()).unwrap();
    let tenant = Tenant::new(id, version).unwrap();
    TenantHandle::new(store, &tenant, catalogue.clone(), part.limits, part.retention)
}

/// A handle with the default limits.
pub(crate) fn handle(store: &Arc<Store>, id: &str) -> TenantHandle {
    handle_of(store, id, "v1", "", &catalogue())
}

/// The outcome of something that must not have to wait for anybody.
pub(crate) fn at_once<F: Future>(future: F) -> F::Output {
    match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(output) => output,
        Poll::Pending => panic!("this had to wait for somebody else"),
    }
}

/// Drives something as the pool does, and says for how much each of its pieces stood in line.
pub(crate) async fn in_pieces<F: Future>(future: F) -> (F::Output, Vec<u64>) {
    let mut future = pin!(future);
    let (mut pieces, mut allowance) = (Vec::new(), PIECE);
    let output = poll_fn(|context| {
        loop {
            match pace::poll(future.as_mut(), context, allowance) {
                Polled::Done(output) => return Poll::Ready(output),
                Polled::Waits => return Poll::Pending,
                Polled::Asks(work) => {
                    allowance = work.max(PIECE);
                    pieces.push(work);
                }
            }
        }
    });
    let output = output.await;
    (output, pieces)
}

/// Runs what may wait, with timers. The future is boxed: the scheduler is compiled once and not for each test.
pub(crate) fn wait<'future, T>(future: impl Future<Output = T> + 'future) -> T {
    let future: Pin<Box<dyn Future<Output = T> + 'future>> = Box::pin(future);
    tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_time().build().unwrap().block_on(future)
}

pub(crate) fn text(type_name: &str, content: &str) -> PutItem {
    bytes(type_name, PutContent::Text(content.to_owned()))
}

pub(crate) fn bytes(type_name: &str, content: PutContent) -> PutItem {
    PutItem { type_name: type_name.to_owned(), content, ttl_ms: None, media_type: None }
}

/// Puts one value and returns its id.
pub(crate) async fn put(handle: &TenantHandle, item: PutItem) -> String {
    handle.references().put(vec![item]).await.unwrap().remove(0).id
}

/// An error as a caller tells it from others: class, fields, code, message.
pub(crate) fn told(error: &Error) -> String {
    format!("{error:?} {} {error}", error.code())
}

/// Whether the long versions of the tests were asked for.
pub(crate) fn long() -> bool {
    std::env::var_os("BAILIWICK_LONG").is_some_and(|value| value == "1")
}

/// Reproducible random numbers (splitmix64).
#[derive(Clone)]
pub(crate) struct Random(u64);

impl Random {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed)
    }

    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// A number from 0 to below `end`, which is not 0.
    pub(crate) fn below(&mut self, end: usize) -> usize {
        (self.next() % end as u64) as usize
    }

    pub(crate) fn one_in(&mut self, many: usize) -> bool {
        self.below(many) == 0
    }

    pub(crate) fn pick<'a, T>(&mut self, from: &'a [T]) -> Option<&'a T> {
        if from.is_empty() { None } else { from.get(self.below(from.len())) }
    }
}
