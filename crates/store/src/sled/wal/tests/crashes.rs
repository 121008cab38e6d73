//! Commits, rounds, the applier's steps, readers and crashes in random order, against the states that each commit led to.

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::ops::Bound;

use ::sled::IVec;

use super::store::{Dice, Map, Store, Walk, WalkOf};
use crate::sled::lock::layout::MOST_WAL_BYTES;
use crate::sled::wal::WriteFailure;
use crate::sled::wal::batch::{Row, RowKey};
use crate::sled::wal::overlay::Bounds;
use crate::sled::wal::range::{Order, Range, is_empty};

const KEYS: usize = 48;

fn key(number: usize) -> RowKey {
    RowKey::from(&[1, number as u8])
}

/// One to four changes; sometimes so many bytes that a file is soon full.
fn rows(dice: &mut Dice, version: u64) -> Vec<(RowKey, Row)> {
    let (count, is_large) = (1 + dice.below(4), dice.below(8) == 0);
    let row = |number| {
        let length = if is_large { 20_000 + dice.below(60_000) } else { dice.below(600) };
        let mut value = vec![number as u8; length];
        value.extend_from_slice(&version.to_be_bytes());
        (key(dice.below(KEYS)), (dice.below(4) > 0).then(|| IVec::from(value)))
    };
    (0..count).map(row).collect()
}

fn step(store: &mut Store, dice: &mut Dice) {
    match dice.below(10) {
        0..5 => {
            let rows = rows(dice, store.version() + 1);
            store.append(rows);
        }
        5 | 6 => store.sync(),
        7 => store.hand_over(),
        _ => store.apply(1 + dice.below(12)),
    }
}

fn bounds(dice: &mut Dice) -> Bounds {
    let mut bound = || match (dice.below(3), key(dice.below(KEYS))) {
        (0, key) => Bound::Included(key),
        (1, key) => Bound::Excluded(key),
        _ => Bound::Unbounded,
    };
    (bound(), bound())
}

fn within(bounds: &Bounds, map: &Map) -> Vec<(RowKey, IVec)> {
    if is_empty(bounds) {
        return Vec::new();
    }
    map.range(*bounds).map(|(key, row)| (*key, row.clone())).collect()
}

fn open_range<'s>(store: &'s RefCell<Store>, bounds: Bounds, order: Order) -> Range<WalkOf<'s>> {
    store.borrow().wal.range(bounds, order, || Ok(WalkOf(store, Walk::new(bounds, order)))).unwrap()
}

/// Everything is as the last commit left it.
fn check(store: &RefCell<Store>, dice: &mut Dice) {
    let now = store.borrow().now().clone();
    for number in 0..KEYS {
        assert_eq!(store.borrow().get(&key(number)), now.get(&key(number)).cloned());
    }
    let bounds = bounds(dice);
    for order in [Order::Forward, Order::Reverse] {
        let mut expected = within(&bounds, &now);
        if order == Order::Reverse {
            expected.reverse();
        }
        let mut range = open_range(store, bounds, order);
        let found: Vec<_> = std::iter::from_fn(|| range.next().unwrap()).collect();
        assert_eq!(found, expected);
    }
}

/// A range shows what was there all the time, and of the rest only what was there at some time.
fn check_while_work_goes_on(store: &RefCell<Store>, dice: &mut Dice) {
    let bounds = bounds(dice);
    let order = if dice.below(2) == 0 { Order::Forward } else { Order::Reverse };
    let first = store.borrow().version();
    let mut range = open_range(store, bounds, order);
    let mut found = Vec::new();
    loop {
        for _ in 0..dice.below(6) {
            step(&mut store.borrow_mut(), dice);
        }
        let Some(row) = range.next().unwrap() else { break };
        found.push(row);
    }
    let store = store.borrow();
    let states: Vec<&Map> = store.states.range(first..).map(|(_, state)| state).collect();
    let in_order = |pair: &[(RowKey, IVec)]| (pair[0].0 < pair[1].0) == (order == Order::Forward);
    assert!(found.windows(2).all(in_order));
    for (key, row) in &found {
        assert!(states.iter().any(|state| state.get(key) == Some(row)), "{key:?} never was that");
    }
    let seen: BTreeSet<RowKey> = found.iter().map(|(key, _)| *key).collect();
    for (key, _) in within(&bounds, states[0]) {
        assert!(seen.contains(&key) || states.iter().any(|state| !state.contains_key(&key)), "{key:?} is missing");
    }
}

fn run(seed: u64) {
    let mut dice = Dice::new(seed);
    let mut store = RefCell::new(Store::new());
    for _ in 0..60 {
        match dice.below(12) {
            0 => {
                let is_kill = dice.below(3) == 0;
                store = RefCell::new(store.into_inner().crash(is_kill, &mut dice));
                check(&store, &mut dice);
            }
            1 => check(&store, &mut dice),
            2 => check_while_work_goes_on(&store, &mut dice),
            _ => step(&mut store.borrow_mut(), &mut dice),
        }
    }
    store.into_inner().crash(false, &mut dice);
}

#[test]
fn readers_see_every_commit_and_a_crash_loses_nothing_that_was_synced() {
    let seeds = if std::env::var_os("BAILIWICK_LONG").is_some() { 20_000 } else { 400 };
    for seed in 0..seeds {
        let run = std::panic::catch_unwind(|| run(seed));
        assert!(run.is_ok(), "seed {seed}");
    }
}

#[test]
fn a_frame_that_no_file_can_hold_is_refused_and_everything_else_goes_on() {
    let mut store = Store::new();
    store.append(vec![(key(1), Some(b"before".into()))]);
    let too_much = usize::try_from(MOST_WAL_BYTES).unwrap();
    assert_eq!(store.wal.reserve(too_much, None, &|| {}), Err(WriteFailure::Full));
    store.apply(usize::MAX);
    store.append(vec![(key(2), Some(b"after".into()))]);
    store.sync();
    let store = RefCell::new(store.crash(false, &mut Dice::new(1)));
    check(&store, &mut Dice::new(2));
    assert_eq!(store.borrow().get(&key(2)).as_deref(), Some(b"after".as_slice()));
}
