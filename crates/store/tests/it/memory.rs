//! The engine in memory shares values, and gives other callers a turn while it sweeps or erases.

use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use bailiwick_model::pace::{self, Polled};
use bailiwick_store::memory::{self, MemoryOptions};
use bailiwick_store::{
    Commit, CommitError, Due, Durability, Engine, Found, Kinds, Limits, Op, Place, Promptness, ScanRequest, Tag, When,
};
use bytes::Bytes;

const KIND: u8 = 1;
const ROWS: usize = 3000;
const BATCH: usize = 1000;

fn at_once<F: Future>(future: F) -> F::Output {
    match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(output) => output,
        Poll::Pending => panic!("the engine in memory waits for nothing"),
    }
}

/// Polls once, as the pool does with a call for which nothing was announced.
fn turn<F: Future + ?Sized>(future: std::pin::Pin<&mut F>) -> Polled<F::Output> {
    pace::poll(future, &mut Context::from_waker(Waker::noop()), 0)
}

fn place(number: usize) -> Place {
    let mut item = [0; 32];
    item[..8].copy_from_slice(&(number as u64).to_be_bytes());
    Place { kind: KIND, item }
}

fn commit(engine: &Arc<dyn Engine>, tag: Tag, ops: Vec<Op>) -> Result<(), CommitError> {
    let limits = Limits::default();
    at_once(engine.commit(Commit { tag, now: 0, ops, limits, durability: Durability::Sync })).map(drop)
}

fn put(number: usize, value: Bytes, expires_at: Option<u64>) -> Op {
    Op::Put { place: place(number), value, expires_at, counted: Some(1), when: When::Any }
}

fn fill(engine: &Arc<dyn Engine>, tag: Tag) {
    for batch in 0..ROWS / BATCH {
        let rows = batch * BATCH..(batch + 1) * BATCH;
        // Every second row expires.
        let row = |number: usize| put(number, Bytes::new(), number.is_multiple_of(2).then_some(5));
        commit(engine, tag, rows.map(row).collect()).unwrap();
    }
}

fn rows(engine: &Arc<dyn Engine>, tag: Tag) -> usize {
    let (from, to) = (place(0).item, [u8::MAX; 32]);
    let request = ScanRequest { kind: KIND, from, to, reverse: false, limit: ROWS, most: u64::MAX, now: 0 };
    at_once(engine.scan(tag, request)).unwrap().rows.len()
}

#[test]
fn a_value_in_memory_is_shared_and_not_copied() {
    let (engine, tag) = (memory::open(MemoryOptions::default()).engine, Tag([1; 32]));
    let value = Bytes::from(vec![7; 1 << 20]);
    commit(&engine, tag, vec![put(0, value.clone(), None)]).unwrap();
    let found = at_once(engine.get(tag, vec![(place(0), None)], u64::MAX, 0)).unwrap();
    let Some(Found::Entry(row)) = found.first() else { panic!("the row is absent") };
    assert_eq!(row.value.as_ptr(), value.as_ptr());
}

#[test]
fn a_sweep_in_memory_gives_turns_and_what_it_leaves_stays_due() {
    let (engine, tag) = (memory::open(MemoryOptions::default()).engine, Tag([1; 32]));
    fill(&engine, tag);
    let due = Due { tag, kind: KIND };
    let is_due = || at_once(engine.due(9, Kinds::AllBut(200), Promptness::Now, 10)).unwrap() == [due];
    let mut sweep = engine.sweep(due, 9);
    assert!(matches!(turn(sweep.as_mut()), Polled::Asks(_)));
    let left = rows(&engine, tag);
    assert!(ROWS / 2 < left && left < ROWS, "{left}");
    drop(sweep);
    assert!(is_due());
    let removed = at_once(engine.sweep(due, 9)).unwrap();
    assert_eq!((removed as usize, rows(&engine, tag), is_due()), (left - ROWS / 2, ROWS / 2, false));
}

#[test]
fn an_erase_in_memory_gives_turns_and_can_be_repeated() {
    let (engine, tag) = (memory::open(MemoryOptions::default()).engine, Tag([1; 32]));
    fill(&engine, tag);
    let mut erase = engine.erase(tag);
    assert!(matches!(turn(erase.as_mut()), Polled::Asks(_)));
    let left = rows(&engine, tag);
    assert!(0 < left && left < ROWS, "{left}");
    assert!(matches!(commit(&engine, tag, vec![put(0, Bytes::new(), None)]), Err(CommitError::Closed)));
    drop(erase);
    at_once(engine.erase(tag)).unwrap();
    assert_eq!(rows(&engine, tag), 0);
}
