//! Checks that expired rows are swept, erased tags are gone, and exports are complete.

use std::collections::BTreeMap;
use std::pin::pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Waker};

use bytes::Bytes;

use super::Home;
use super::support::*;
use crate::engine::{CommitError, Due, Engine, Exported, Kinds, Millis, Op, Place, Promptness, Tag, Usage, When};

const A: Tag = Tag([1; 32]);
const B: Tag = Tag([2; 32]);
const HOUR: Millis = 3_600_000;
const DAY: Millis = 24 * HOUR;
/// All kinds that these checks use.
const ALL: Kinds = Kinds::AllBut(200);

fn due(engine: &dyn Engine, now: Millis) -> Vec<Due> {
    block_on(engine.due(now, ALL, Promptness::Now, 100)).expect("due")
}

fn gathered(engine: &dyn Engine, now: Millis) -> Vec<Due> {
    block_on(engine.due(now, ALL, Promptness::Gathered, 100)).expect("due")
}

fn sweep(engine: &dyn Engine, tag: Tag, kind: u8, now: Millis) -> u64 {
    block_on(engine.sweep(Due { tag, kind }, now)).expect("sweep")
}

fn counted_until(place: Place, length: usize, expires_at: Millis) -> Op {
    let value = noise(u64::from(place.kind) + expires_at, length);
    Op::Put { place, value, expires_at: Some(expires_at), counted: Some(length as u64), when: When::Any }
}

pub fn expired_rows_are_due_until_swept(home: &dyn Home) {
    let engine = home.open().engine;
    for ttl in [1, 1_000, HOUR, DAY, 30 * DAY] {
        commit(&*engine, A, vec![counted_until(place(1, ttl), 100, NOW + ttl)]).unwrap();
        assert_eq!(due(&*engine, NOW + ttl - 1), []);
        assert_eq!(due(&*engine, NOW + ttl), [Due { tag: A, kind: 1 }]);
        assert_eq!(gathered(&*engine, NOW + ttl + HOUR), [Due { tag: A, kind: 1 }], "at the latest after an hour");
        assert_eq!(sweep(&*engine, A, 1, NOW + ttl), 1);
        assert_eq!(due(&*engine, NOW + ttl + HOUR), []);
        assert_eq!(usage(&*engine, A), Usage::new(), "its usage is given back");
        assert_eq!(get_at(&*engine, A, place(1, ttl), 0), None, "it is gone, not only expired");
    }
}

pub fn sweeping_leaves_what_lives(home: &dyn Home) {
    let engine = home.open().engine;
    let mut ops = vec![put(place(1, 1), "for ever"), counted_until(place(1, 2), 10, NOW + 500)];
    ops.extend((10..40).map(|n| counted_until(place(1, n), if n % 5 == 0 { 20_000 } else { 30 }, NOW + n)));
    ops.push(counted_until(place(2, 1), 10, NOW + 1));
    commit(&*engine, A, ops.clone()).unwrap();
    commit(&*engine, B, ops).unwrap();
    assert_eq!(sweep(&*engine, A, 1, NOW + 39), 30);
    assert_eq!(scan(&*engine, A, crate::ScanRequest { now: 0, ..whole_range(1) }).len(), 2);
    assert_eq!(scan(&*engine, A, crate::ScanRequest { now: 0, ..whole_range(2) }).len(), 1, "another kind");
    assert_eq!(scan(&*engine, B, crate::ScanRequest { now: 0, ..whole_range(1) }).len(), 32, "another tag");
    let counts = usage(&*engine, A);
    assert_eq!((counts[&1].items, counts[&1].bytes), (1, 10));
    assert_eq!(due(&*engine, NOW + 39).len(), 3, "A's other kind and B's two");
    assert!(due(&*engine, NOW + 500).contains(&Due { tag: A, kind: 1 }), "the next one is known");
}

pub fn what_comes_during_a_slot_is_due_again(home: &dyn Home) {
    let engine = home.open().engine;
    for n in 0..20 {
        commit(&*engine, A, vec![counted_until(place(1, n), 10, NOW + n)]).unwrap();
        assert_eq!(due(&*engine, NOW + n), [Due { tag: A, kind: 1 }], "{n}");
        assert_eq!(sweep(&*engine, A, 1, NOW + n), 1);
        assert_eq!(due(&*engine, NOW + n), []);
    }
}

pub fn extended_rows_are_due_later(home: &dyn Home) {
    let engine = home.open().engine;
    commit(&*engine, A, vec![counted_until(place(1, 1), 10, NOW + 5)]).unwrap();
    commit(&*engine, A, vec![extend(place(1, 1), Some(NOW + DAY))]).unwrap();
    assert_eq!(sweep(&*engine, A, 1, NOW + 5), 0);
    assert!(get_at(&*engine, A, place(1, 1), NOW + 5).is_some());
    assert_eq!(due(&*engine, NOW + 2 * HOUR), []);
    assert_eq!(due(&*engine, NOW + DAY), [Due { tag: A, kind: 1 }]);
    commit(&*engine, A, vec![extend(place(1, 1), None)]).unwrap();
    assert_eq!(sweep(&*engine, A, 1, NOW + 2 * DAY), 0);
    assert_eq!(due(&*engine, NOW + 9 * DAY), []);
}

pub fn wakes_are_due_once(home: &dyn Home) {
    let engine = home.open().engine;
    commit(&*engine, A, vec![Op::Wake { kind: 3, at: NOW + 10 }]).unwrap();
    commit(&*engine, A, vec![put(place(1, 1), "x"), Op::Wake { kind: 3, at: NOW + 20 }]).unwrap();
    let named = Due { tag: A, kind: 3 };
    assert_eq!(due(&*engine, NOW + 9), []);
    assert_eq!((due(&*engine, NOW + 10), gathered(&*engine, NOW + 10)), (vec![named], vec![named]));
    assert_eq!(sweep(&*engine, A, 3, NOW + 10), 0);
    assert_eq!(due(&*engine, NOW + 19), []);
    assert_eq!(due(&*engine, NOW + 20), [named]);
    assert_eq!(sweep(&*engine, A, 3, NOW + 20), 0);
    assert_eq!(due(&*engine, NOW + DAY), []);
    commit(&*engine, A, vec![Op::Wake { kind: 3, at: 0 }]).unwrap();
    assert_eq!(due(&*engine, 0), [named]);
}

pub fn dues_are_asked_for_by_kind(home: &dyn Home) {
    let engine = home.open().engine;
    let (one, other) = (Due { tag: A, kind: 3 }, Due { tag: B, kind: 1 });
    commit(&*engine, A, vec![Op::Wake { kind: 3, at: NOW + 2 }]).unwrap();
    commit(&*engine, B, vec![counted_until(place(1, 1), 10, NOW + 1)]).unwrap();
    let named = |kinds, limit| block_on(engine.due(NOW + DAY, kinds, Promptness::Now, limit)).unwrap();
    assert_eq!(named(ALL, 9).len(), 2);
    // What is left out does not count against the limit.
    assert_eq!((named(Kinds::Only(3), 1), named(Kinds::AllBut(1), 1)), (vec![one], vec![one]));
    assert_eq!((named(Kinds::Only(1), 1), named(Kinds::AllBut(3), 1)), (vec![other], vec![other]));
    assert_eq!(named(Kinds::Only(2), 9), []);
}

pub fn wakes_of_many_tags_are_forgotten_together(home: &dyn Home) {
    let engine = home.open().engine;
    let wake = |at| Op::Wake { kind: 31, at };
    for n in 0..4 {
        commit(&*engine, tag(n), vec![wake(NOW + 1), wake(NOW + 2), wake(NOW + 9), Op::Wake { kind: 3, at: NOW }])
            .unwrap();
    }
    let named = |n| Due { tag: tag(n), kind: 31 };
    let due = |now| block_on(engine.due(now, Kinds::Only(31), Promptness::Now, 9)).unwrap();
    block_on(engine.forget_wakes(vec![named(0), named(2), named(8)], NOW + 2)).unwrap();
    assert_eq!(due(NOW + 8), [named(1), named(3)]);
    assert_eq!(due(NOW + 9).len(), 4, "what comes later stays");
    block_on(engine.forget_wakes(Vec::new(), NOW + 9)).unwrap();
    block_on(engine.forget_wakes((0..4).map(named).collect(), NOW + 9)).unwrap();
    assert_eq!(due(NOW + DAY), []);
    let others = block_on(engine.due(NOW, Kinds::Only(3), Promptness::Now, 9)).unwrap();
    assert_eq!(others.len(), 4, "another kind stays");
    commit(&*engine, tag(1), vec![wake(NOW + 2)]).unwrap();
    assert_eq!(due(NOW + 2), [named(1)], "it is due again");
}

pub fn dues_survive_reopening(home: &dyn Home) {
    if !home.is_durable() {
        return;
    }
    let engine = home.open().engine;
    commit(&*engine, A, vec![counted_until(place(1, 1), 10, NOW + 5), Op::Wake { kind: 7, at: NOW + 6 }]).unwrap();
    commit(&*engine, B, vec![counted_until(place(1, 1), 10, NOW + 5)]).unwrap();
    assert_eq!(sweep(&*engine, B, 1, NOW + 5), 1);
    block_on(engine.close());
    let engine = home.open().engine;
    commit(&*engine, A, vec![counted_until(place(1, 2), 10, NOW + 9)]).unwrap();
    let mut both = due(&*engine, NOW + 6);
    // The order depends on how an engine groups expiries.
    both.sort_by_key(|due| due.kind);
    assert_eq!(both, [Due { tag: A, kind: 1 }, Due { tag: A, kind: 7 }]);
    assert_eq!(sweep(&*engine, A, 1, NOW + 6), 1);
    assert_eq!(due(&*engine, NOW + 9), [Due { tag: A, kind: 7 }, Due { tag: A, kind: 1 }]);
}

pub fn dues_are_limited_and_named_once(home: &dyn Home) {
    let engine = home.open().engine;
    for n in 0..10 {
        for ttl in [1, HOUR, 2 * DAY] {
            commit(&*engine, tag(n), vec![counted_until(place(1, ttl), 1, NOW + ttl)]).unwrap();
        }
    }
    assert_eq!(due(&*engine, NOW + 3 * DAY).len(), 10);
    let some = block_on(engine.due(NOW + 3 * DAY, ALL, Promptness::Now, 4)).unwrap();
    assert_eq!(some.len(), 4);
}

/// Collects an export: later parts replace earlier ones.
fn exported(engine: &dyn Engine) -> (BTreeMap<(Tag, Place), Bytes>, Vec<Due>) {
    let mut export = block_on(engine.export()).expect("export");
    let (mut rows, mut wakes) = (BTreeMap::new(), Vec::new());
    loop {
        let part = block_on(export.next()).expect("part");
        if part.is_empty() {
            return (rows, wakes);
        }
        for exported in part {
            match exported {
                Exported::Row { tag, row, .. } => drop(rows.insert((tag, row.place), row.value)),
                Exported::Gone { tag, place } => drop(rows.remove(&(tag, place))),
                Exported::Wake { due, .. } => wakes.push(due),
            }
        }
    }
}

fn fill(engine: &dyn Engine, tag: Tag) {
    for n in 0..300 {
        let length = if n % 50 == 0 { 30_000 } else { 60 };
        commit(engine, tag, vec![counted_until(place((n % 3) as u8, n), length, NOW + DAY)]).unwrap();
    }
    commit(engine, tag, vec![put(place(9, 1), noise(1, 5 << 20)), Op::Wake { kind: 3, at: NOW }]).unwrap();
}

pub fn erasing_leaves_nothing_of_a_tag(home: &dyn Home) {
    let opened = home.open();
    let engine = &*opened.engine;
    fill(engine, A);
    fill(engine, B);
    let before = exported(engine).0.into_iter().filter(|((tag, _), _)| *tag == B).collect::<BTreeMap<_, _>>();
    block_on(engine.erase(A)).unwrap();
    assert_eq!(usage(engine, A), Usage::new());
    assert_eq!(exported(engine).0, before, "nothing of one, all of the other");
    block_on(engine.erase(A)).expect("again");
    block_on(engine.erase(tag(77))).expect("one that has nothing");
    if home.is_durable() {
        block_on(engine.close());
        drop(opened);
        assert_eq!(exported(&*home.open().engine).0, before);
    }
}

pub fn nothing_is_written_to_an_erased_tag(home: &dyn Home) {
    let engine = home.open().engine;
    commit(&*engine, A, vec![put(place(1, 1), "x")]).unwrap();
    block_on(engine.erase(A)).unwrap();
    for op in [put(place(1, 1), "late"), put(place(1, 2), noise(1, 10_000)), put(place(1, 2), noise(1, 5 << 20))] {
        assert_eq!(commit(&*engine, A, vec![op]), Err(CommitError::Closed));
    }
    assert_eq!(exported(&*engine).0, BTreeMap::new());
    commit(&*engine, B, vec![put(place(1, 1), "another")]).unwrap();
}

pub fn an_erase_that_was_dropped_goes_on(home: &dyn Home) {
    let engine = home.open().engine;
    fill(&*engine, A);
    {
        let mut erase = pin!(engine.erase(A));
        let _ = erase.as_mut().poll(&mut Context::from_waker(Waker::noop()));
    }
    block_on(engine.erase(A)).unwrap();
    assert_eq!(exported(&*engine).0, BTreeMap::new());
}

pub fn exports_have_everything(home: &dyn Home) {
    let engine = home.open().engine;
    assert_eq!(exported(&*engine).0, BTreeMap::new());
    fill(&*engine, A);
    fill(&*engine, B);
    let (rows, wakes) = exported(&*engine);
    assert_eq!(rows.len(), 602);
    assert_eq!(rows[&(A, place(9, 1))], noise(1, 5 << 20));
    for tag in [A, B] {
        assert!(wakes.contains(&Due { tag, kind: 3 }));
    }
}

/// The rows of the snapshot come first, in the order of their keys; later writes follow, if at all.
pub fn exports_are_in_the_order_of_keys(home: &dyn Home) {
    let engine = home.open().engine;
    for tag in [B, A] {
        for kind in [250, 1, 127, 128] {
            let puts =
                |from: u64| (from..from + 300).rev().map(|number| put(place(kind, number * 7), noise(number, 40)));
            commit(&*engine, tag, puts(1).collect()).unwrap();
            commit(&*engine, tag, puts(400).collect()).unwrap();
        }
    }
    let mut export = block_on(engine.export()).unwrap();
    let mut keys: Vec<(Tag, Place)> = Vec::new();
    loop {
        let part = block_on(export.next()).unwrap();
        if part.is_empty() {
            break;
        }
        for exported in part {
            if let Exported::Row { tag, row, .. } = exported {
                if keys.len().is_multiple_of(500) {
                    // Behind the reader, and before it.
                    let writer = if keys.len().is_multiple_of(1_000) { A } else { B };
                    commit(&*engine, writer, vec![put(place(0, 1), "new"), put(place(251, 1), "new")]).unwrap();
                }
                keys.push((tag, row.place));
            }
        }
    }
    let old = |key: &&(Tag, Place)| !matches!(key.1.kind, 0 | 251);
    let ordered = keys.iter().take_while(|key| old(key)).count();
    assert!(keys.iter().filter(old).is_sorted() && keys.iter().filter(old).count() == 2 * 4 * 600);
    assert!(keys.iter().take(ordered).is_sorted() && ordered >= 4 * 600, "{ordered}");
}

/// Two rows always change together, with large and small values, while copies are made: every copy has matching rows.
pub fn exports_are_consistent_while_work_goes_on(home: &dyn Home) {
    let engine = home.open().engine;
    let value = |n: u64| if n.is_multiple_of(3) { noise(n, 9_000) } else { noise(n, 50) };
    let both = |n: u64| vec![put(place(1, 1), value(n)), put(place(250, 1), value(n)), put(place(2, n), value(n))];
    commit(&*engine, A, both(0)).unwrap();
    let is_over = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let mut n = 1;
            while !is_over.load(Ordering::Relaxed) {
                commit(&*engine, A, both(n)).unwrap();
                commit(&*engine, A, vec![delete(place(2, n / 2))]).unwrap();
                n += 1;
            }
        });
        for _ in 0..5 {
            let (rows, _) = exported(&*engine);
            assert_eq!(rows[&(A, place(1, 1))], rows[&(A, place(250, 1))]);
        }
        is_over.store(true, Ordering::Relaxed);
    });
}

pub fn a_dropped_export_leaves_nothing(home: &dyn Home) {
    let engine = home.open().engine;
    fill(&*engine, A);
    let mut export = block_on(engine.export()).unwrap();
    assert!(!block_on(export.next()).unwrap().is_empty());
    drop(export);
    commit(&*engine, A, vec![delete(place(9, 1))]).unwrap();
    assert_eq!(exported(&*engine).0.len(), 300);
}
