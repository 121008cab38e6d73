//! Checks of a tag's usage and its limits.

use super::Home;
use super::support::*;
use crate::engine::{Commit, CommitError, Count, Engine, Limits, Op, Tag, Usage, Version};

const A: Tag = Tag([1; 32]);

fn limited(engine: &dyn Engine, limits: &Limits, ops: Vec<Op>) -> Result<Version, CommitError> {
    block_on(engine.commit(Commit { limits: limits.clone(), ..commit_of(A, ops) }))
}

fn counts(rows: &[(u8, u64, u64)]) -> Usage {
    rows.iter().map(|&(kind, items, bytes)| (kind, Count { items, bytes })).collect()
}

pub fn usage_follows_the_rows(home: &dyn Home) {
    let engine = home.open().engine;
    assert_eq!(usage(&*engine, A), Usage::new());
    commit(&*engine, A, vec![put_counted(place(1, 1), 10), put_counted(place(1, 2), 20), put_counted(place(2, 1), 5)])
        .unwrap();
    assert_eq!(usage(&*engine, A), counts(&[(1, 2, 30), (2, 1, 5)]));
    commit(&*engine, A, vec![put_counted(place(1, 1), 7), put(place(3, 1), "not counted")]).unwrap();
    assert_eq!(usage(&*engine, A), counts(&[(1, 2, 27), (2, 1, 5)]));
    commit(&*engine, A, vec![delete(place(1, 2)), put(place(2, 1), "no longer counted"), extend(place(1, 1), None)])
        .unwrap();
    assert_eq!(usage(&*engine, A), counts(&[(1, 1, 7)]));
    assert_eq!(usage(&*engine, tag(2)), Usage::new());
}

pub fn items_are_limited_per_kind(home: &dyn Home) {
    let engine = home.open().engine;
    let limits = Limits { items: [(1, 2)].into(), bytes: None };
    limited(&*engine, &limits, vec![put_counted(place(1, 1), 1), put_counted(place(1, 2), 1)]).unwrap();
    let refused = Err(CommitError::Quota { kind: Some(1), limit: 2, used: 2, more: 1 });
    assert_eq!(limited(&*engine, &limits, vec![put_counted(place(1, 3), 1), put(place(4, 1), "x")]), refused);
    assert_eq!(get(&*engine, A, place(4, 1)), None, "nothing of a refused commit is written");
    limited(&*engine, &limits, vec![put_counted(place(2, 1), 1)]).expect("another kind");
    limited(&*engine, &limits, vec![put_counted(place(1, 1), 100)]).expect("overwriting adds no item");
    limited(&*engine, &limits, vec![delete(place(1, 1)), put_counted(place(1, 3), 1)]).expect("one goes, one comes");
    assert_eq!(usage(&*engine, A), counts(&[(1, 2, 2), (2, 1, 1)]));
}

pub fn bytes_are_limited_over_all_kinds(home: &dyn Home) {
    let engine = home.open().engine;
    let limits = Limits { items: [].into(), bytes: Some(100) };
    limited(&*engine, &limits, vec![put_counted(place(1, 1), 60), put_counted(place(2, 1), 40)]).unwrap();
    let refused = Err(CommitError::Quota { kind: None, limit: 100, used: 100, more: 1 });
    assert_eq!(limited(&*engine, &limits, vec![put_counted(place(3, 1), 1)]), refused);
    assert_eq!(limited(&*engine, &limits, vec![put_counted(place(1, 1), 61)]), refused);
    limited(&*engine, &limits, vec![put(place(3, 1), "uncounted rows are free")]).unwrap();
    limited(&*engine, &limits, vec![put_counted(place(3, 2), 0)]).expect("an empty one adds no bytes");
    limited(&*engine, &limits, vec![put_counted(place(1, 1), 10), put_counted(place(3, 1), 50)]).unwrap();
    assert_eq!(usage(&*engine, A), counts(&[(1, 1, 10), (2, 1, 40), (3, 2, 50)]));
}

pub fn what_does_not_add_always_passes(home: &dyn Home) {
    let engine = home.open().engine;
    commit(&*engine, A, (0..5).map(|n| put_counted(place(1, n), 10)).collect()).unwrap();
    let limits = Limits { items: [(1, 2)].into(), bytes: Some(20) };
    limited(&*engine, &limits, vec![put_counted(place(1, 1), 10)]).expect("the same again");
    limited(&*engine, &limits, vec![put_counted(place(1, 1), 5)]).expect("less");
    limited(&*engine, &limits, vec![delete(place(1, 1))]).expect("removing");
    limited(&*engine, &limits, vec![put(place(1, 9), "uncounted")]).expect("uncounted");
    assert!(limited(&*engine, &limits, vec![put_counted(place(1, 2), 11)]).is_err());
}

pub fn expired_rows_count_until_removed(home: &dyn Home) {
    let engine = home.open().engine;
    let value = bytes::Bytes::from_static(b"x");
    let op = Op::Put { place: place(1, 1), value, expires_at: Some(NOW - 1), counted: Some(9), when: crate::When::Any };
    commit(&*engine, A, vec![op.clone()]).unwrap();
    assert_eq!(get(&*engine, A, place(1, 1)), None);
    assert_eq!(usage(&*engine, A), counts(&[(1, 1, 9)]));
    commit(&*engine, A, vec![delete(place(1, 1))]).unwrap();
    assert_eq!(usage(&*engine, A), Usage::new());
    commit(&*engine, A, vec![op]).unwrap();
    commit(&*engine, A, vec![put_counted(place(1, 1), 4)]).unwrap();
    assert_eq!(usage(&*engine, A), counts(&[(1, 1, 4)]));
}

pub fn usage_survives_reopening(home: &dyn Home) {
    if !home.is_durable() {
        return;
    }
    let engine = home.open().engine;
    for n in 0..20 {
        commit(&*engine, tag((n % 3) as u8), vec![put_counted(place((n % 2) as u8, n), n)]).unwrap();
    }
    let before: Vec<_> = (0..4).map(|n| usage(&*engine, tag(n))).collect();
    block_on(engine.close());
    let engine = home.open().engine;
    assert_eq!(before, (0..4).map(|n| usage(&*engine, tag(n))).collect::<Vec<_>>());
}
