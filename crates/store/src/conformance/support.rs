//! Helpers of the checks.

use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll, Wake, Waker};
use std::thread::Thread;

use bytes::Bytes;

use crate::engine::{
    Commit, CommitError, Durability, Engine, Found, Item, Limits, Millis, Op, Place, Row, ScanRequest, Tag, Usage,
    Version, When,
};
use crate::vault::Vault;

pub const NOW: Millis = 1_000_000;

struct Unpark(Thread);

impl Wake for Unpark {
    fn wake(self: Arc<Self>) {
        self.0.unpark();
    }
}

/// Runs a future on this thread.
pub fn block_on<T>(future: impl Future<Output = T>) -> T {
    let mut future = pin!(future);
    let waker = Waker::from(Arc::new(Unpark(std::thread::current())));
    let mut context = Context::from_waker(&waker);
    loop {
        match future.as_mut().poll(&mut context) {
            Poll::Ready(value) => return value,
            Poll::Pending => std::thread::park(),
        }
    }
}

pub fn tag(number: u8) -> Tag {
    Tag([number; 32])
}

pub fn item(number: u64) -> Item {
    let mut item = [7; 32];
    item[..8].copy_from_slice(&number.to_be_bytes());
    item
}

pub fn place(kind: u8, number: u64) -> Place {
    Place { kind, item: item(number) }
}

/// Bytes that cannot be compressed or de-duplicated, different for each seed.
pub fn noise(seed: u64, length: usize) -> Bytes {
    let mut bytes = vec![0; length];
    blake3::Hasher::new().update(&seed.to_be_bytes()).finalize_xof().fill(&mut bytes);
    Bytes::from(bytes)
}

pub fn put(place: Place, value: impl Into<Bytes>) -> Op {
    Op::Put { place, value: value.into(), expires_at: None, counted: None, when: When::Any }
}

pub fn put_when(place: Place, value: &'static str, when: When) -> Op {
    Op::Put { place, value: Bytes::from_static(value.as_bytes()), expires_at: None, counted: None, when }
}

pub fn put_until(place: Place, value: &'static str, expires_at: Millis) -> Op {
    let value = Bytes::from_static(value.as_bytes());
    Op::Put { place, value, expires_at: Some(expires_at), counted: None, when: When::Any }
}

pub fn put_counted(place: Place, counted: u64) -> Op {
    Op::Put { place, value: Bytes::from_static(b"counted"), expires_at: None, counted: Some(counted), when: When::Any }
}

pub fn extend(place: Place, expires_at: Option<Millis>) -> Op {
    Op::Extend { place, expires_at }
}

pub fn delete(place: Place) -> Op {
    Op::Delete { place, when: When::Any }
}

pub fn delete_when(place: Place, when: When) -> Op {
    Op::Delete { place, when }
}

pub fn check(place: Place, when: When) -> Op {
    Op::Check { place, when }
}

pub fn commit_of(tag: Tag, ops: Vec<Op>) -> Commit {
    Commit { tag, now: NOW, ops, limits: Limits::default(), durability: Durability::Sync }
}

pub fn commit(engine: &dyn Engine, tag: Tag, ops: Vec<Op>) -> Result<Version, CommitError> {
    block_on(engine.commit(commit_of(tag, ops)))
}

pub fn get_at(engine: &dyn Engine, tag: Tag, place: Place, now: Millis) -> Option<Row> {
    match block_on(engine.get(tag, vec![(place, None)], u64::MAX, now)).expect("read").remove(0) {
        Found::Absent => None,
        Found::Entry(row) => Some(row),
        Found::NotModified { .. } => panic!("no version was given"),
        Found::Large { .. } => panic!("everything was asked for"),
    }
}

pub fn get(engine: &dyn Engine, tag: Tag, place: Place) -> Option<Row> {
    get_at(engine, tag, place, NOW)
}

pub fn value(engine: &dyn Engine, tag: Tag, place: Place) -> Option<Bytes> {
    get(engine, tag, place).map(|row| row.value)
}

/// Destroys a slot, whatever its value.
pub async fn wipe(vault: &dyn Vault, name: [u8; 32]) -> bool {
    match vault.get(name).await.expect("read") {
        Some(slot) => vault.wipe(name, slot.value).await.expect("wipe"),
        None => false,
    }
}

pub fn whole_range(kind: u8) -> ScanRequest {
    ScanRequest { kind, from: [0; 32], to: [255; 32], reverse: false, limit: usize::MAX, most: u64::MAX, now: NOW }
}

pub fn scan(engine: &dyn Engine, tag: Tag, request: ScanRequest) -> Vec<Row> {
    block_on(engine.scan(tag, request)).expect("scan").rows
}

pub fn usage(engine: &dyn Engine, tag: Tag) -> Usage {
    let mut usage = block_on(engine.usage(tag)).expect("usage");
    usage.retain(|_, count| *count != crate::engine::Count::default());
    usage
}
