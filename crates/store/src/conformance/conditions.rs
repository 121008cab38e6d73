//! Checks of commits: their conditions, and that they are atomic.

use std::thread;

use super::Home;
use super::support::*;
use crate::engine::{Commit, CommitError, Count, Version, When};

const A: crate::Tag = crate::Tag([1; 32]);

pub fn absent_then_present(home: &dyn Home) {
    let engine = home.open().engine;
    let place = place(1, 1);
    assert_eq!(get(&*engine, A, place), None);
    let version = commit(&*engine, A, vec![put_when(place, "one", When::Absent)]).expect("absent");
    let row = get(&*engine, A, place).expect("present");
    assert_eq!((row.version, &row.value[..], row.expires_at), (version, &b"one"[..], None));
    assert_eq!(commit(&*engine, A, vec![put_when(place, "two", When::Absent)]), Err(CommitError::Conflict { op: 0 }));
    assert_eq!(value(&*engine, A, place).expect("still there"), "one");
}

pub fn versions_decide(home: &dyn Home) {
    let engine = home.open().engine;
    let place = place(1, 1);
    let first = commit(&*engine, A, vec![put_when(place, "one", When::Any)]).unwrap();
    let second = commit(&*engine, A, vec![put_when(place, "two", When::Version(first))]).unwrap();
    assert_ne!(first, second);
    let conflict = Err(CommitError::Conflict { op: 0 });
    assert_eq!(commit(&*engine, A, vec![put_when(place, "three", When::Version(first))]), conflict);
    assert_eq!(commit(&*engine, A, vec![delete_when(place, When::Version(first))]), conflict);
    assert_eq!(commit(&*engine, A, vec![check(place, When::Version(first))]), conflict);
    assert_eq!(commit(&*engine, A, vec![check(place, When::Absent)]), conflict);
    assert_eq!(value(&*engine, A, place).unwrap(), "two");
    commit(&*engine, A, vec![check(place, When::Version(second)), delete_when(place, When::Version(second))]).unwrap();
    assert_eq!(get(&*engine, A, place), None);
    assert_eq!(commit(&*engine, A, vec![check(place, When::Version(second))]), conflict);
}

pub fn a_conflict_writes_nothing(home: &dyn Home) {
    let engine = home.open().engine;
    commit(&*engine, A, vec![put(place(1, 2), "there")]).unwrap();
    let ops = vec![
        put(place(1, 1), "new"),
        delete(place(1, 2)),
        put_counted(place(1, 3), 10),
        check(place(1, 4), When::Version(Version(1))),
        put(place(1, 5), noise(1, 100_000)),
    ];
    assert_eq!(commit(&*engine, A, ops), Err(CommitError::Conflict { op: 3 }));
    let rows = scan(&*engine, A, whole_range(1));
    assert_eq!(rows.iter().map(|row| row.place).collect::<Vec<_>>(), [place(1, 2)]);
    assert!(usage(&*engine, A).is_empty());
}

pub fn later_steps_see_earlier_ones(home: &dyn Home) {
    let engine = home.open().engine;
    let (one, two) = (place(1, 1), place(1, 2));
    let ops = vec![
        put_when(one, "first", When::Absent),
        delete(one),
        check(one, When::Absent),
        put_when(one, "second", When::Absent),
        put_until(two, "short", NOW + 10),
        extend(two, Some(NOW + 20)),
    ];
    commit(&*engine, A, ops).unwrap();
    assert_eq!(value(&*engine, A, one).unwrap(), "second");
    assert_eq!(get(&*engine, A, two).unwrap().expires_at, Some(NOW + 20));
    let ops = vec![put(one, "third"), check(one, When::Absent)];
    assert_eq!(commit(&*engine, A, ops), Err(CommitError::Conflict { op: 1 }));
    assert_eq!(value(&*engine, A, one).unwrap(), "second");
    let many: Vec<_> =
        (0..100).flat_map(|n| [put(place(2, n), "x"), check(place(2, n / 2), When::Version(Version(0)))]).collect();
    assert_eq!(commit(&*engine, A, many), Err(CommitError::Conflict { op: 1 }));
    let many: Vec<_> = (0..100)
        .flat_map(|n| [put(place(2, n), "x"), delete(place(2, n / 2)), check(place(2, n / 2), When::Absent)])
        .collect();
    commit(&*engine, A, many).unwrap();
    assert_eq!(scan(&*engine, A, whole_range(2)).len(), 50);
}

pub fn expiry_counts_by_the_commits_now(home: &dyn Home) {
    let engine = home.open().engine;
    let place = place(1, 1);
    let version = commit(&*engine, A, vec![put_until(place, "soon gone", NOW + 5)]).unwrap();
    assert!(get_at(&*engine, A, place, NOW + 4).is_some());
    assert!(get_at(&*engine, A, place, NOW + 5).is_none());
    let at = |now, op| block_on(engine.commit(Commit { now, ..commit_of(A, vec![op]) }));
    let conflict = Err(CommitError::Conflict { op: 0 });
    assert_eq!(at(NOW + 4, put_when(place, "x", When::Absent)), conflict);
    assert_eq!(at(NOW + 5, check(place, When::Version(version))), conflict);
    assert_eq!(at(NOW + 5, delete_when(place, When::Version(version))), conflict);
    assert!(at(NOW + 5, check(place, When::Absent)).is_ok());
    at(NOW + 5, put_when(place, "again", When::Absent)).expect("expired is absent");
    assert_eq!(get_at(&*engine, A, place, NOW + 5).unwrap().value, "again");
}

pub fn extend_keeps_the_later(home: &dyn Home) {
    let engine = home.open().engine;
    let place = place(1, 1);
    let mut last = commit(&*engine, A, vec![put_until(place, "kept", NOW + 50)]).unwrap();
    for (asked, kept) in
        [(Some(NOW + 20), Some(NOW + 50)), (Some(NOW + 90), Some(NOW + 90)), (None, None), (Some(NOW + 99), None)]
    {
        let version = commit(&*engine, A, vec![extend(place, asked)]).unwrap();
        assert_ne!(version, last, "the version changes");
        last = version;
        let row = get(&*engine, A, place).unwrap();
        assert_eq!((row.expires_at, row.version, &row.value[..]), (kept, version, &b"kept"[..]));
    }
}

pub fn extend_wants_a_live_row(home: &dyn Home) {
    let engine = home.open().engine;
    let place = place(1, 1);
    let conflict = Err(CommitError::Conflict { op: 0 });
    assert_eq!(commit(&*engine, A, vec![extend(place, None)]), conflict);
    commit(&*engine, A, vec![put_until(place, "expired", NOW)]).unwrap();
    assert_eq!(commit(&*engine, A, vec![extend(place, None)]), conflict);
    assert_eq!(get(&*engine, A, place), None);
}

pub fn versions_are_never_reused(home: &dyn Home) {
    let mut seen = std::collections::HashSet::new();
    let place = place(1, 1);
    for round in 0..if home.is_durable() { 3 } else { 1 } {
        let engine = home.open().engine;
        if round > 0 {
            commit(&*engine, A, vec![check(place, When::Absent)]).unwrap();
        }
        for _ in 0..5 {
            assert!(seen.insert(commit(&*engine, A, vec![put_when(place, "x", When::Absent)]).unwrap()));
            assert!(seen.insert(commit(&*engine, A, vec![extend(place, None)]).unwrap()));
            commit(&*engine, A, vec![delete(place)]).unwrap();
        }
        block_on(engine.close());
    }
}

pub fn checks_alone_write_nothing(home: &dyn Home) {
    let engine = home.open().engine;
    let version = commit(&*engine, A, vec![put(place(1, 1), "x")]).unwrap();
    commit(&*engine, A, vec![check(place(1, 1), When::Version(version)), check(place(1, 2), When::Absent)]).unwrap();
    assert_eq!(get(&*engine, A, place(1, 1)).unwrap().version, version);
    assert!(commit(&*engine, A, Vec::new()).is_ok());
}

pub fn deleting_nothing_is_nothing(home: &dyn Home) {
    let engine = home.open().engine;
    commit(&*engine, A, vec![delete(place(1, 1)), delete_when(place(1, 1), When::Absent)]).unwrap();
    commit(&*engine, A, vec![put_counted(place(1, 1), 5)]).unwrap();
    commit(&*engine, A, vec![delete(place(1, 1)), delete(place(1, 1))]).unwrap();
    assert!(usage(&*engine, A).is_empty());
}

pub fn many_commits_at_once_are_each_whole(home: &dyn Home) {
    let engine = home.open().engine;
    let futures: Vec<_> = (0..500_u64)
        .map(|n| {
            let owner = tag((n % 7) as u8);
            engine.commit(commit_of(owner, vec![put(place(1, n), n.to_string()), put(place(2, n), n.to_string())]))
        })
        .collect();
    for future in futures {
        block_on(future).expect("commit");
    }
    for n in 0..500_u64 {
        for kind in [1, 2] {
            assert_eq!(value(&*engine, tag((n % 7) as u8), place(kind, n)).unwrap(), n.to_string());
        }
    }
}

pub fn refused_commits_leave_those_beside_them_alone(home: &dyn Home) {
    let engine = home.open().engine;
    commit(&*engine, A, vec![put_counted(place(2, 0), 5)]).expect("the row that the conditions are about");
    // All are started before the first is awaited.
    let futures: Vec<_> = (0..60_u64)
        .map(|n| {
            let mut commit = commit_of(A, vec![put_counted(place(1, n), 1), crate::Op::Wake { kind: 9, at: NOW + n }]);
            match n % 3 {
                1 => commit.ops.push(check(place(2, 0), When::Absent)),
                2 => commit.limits.items = [(1, 0)].into(),
                _ => {}
            }
            engine.commit(commit)
        })
        .collect();
    for (n, future) in (0..).zip(futures) {
        match (n % 3, block_on(future)) {
            (0, Ok(version)) => assert_eq!(get(&*engine, A, place(1, n)).expect("its row").version, version),
            (1, Err(CommitError::Conflict { op: 2 }))
            | (2, Err(CommitError::Quota { kind: Some(1), limit: 0, .. })) => {
                assert_eq!(get(&*engine, A, place(1, n)), None);
            }
            (_, told) => panic!("{n} was told {told:?}"),
        }
    }
    assert_eq!(usage(&*engine, A), [(1, Count { items: 20, bytes: 20 }), (2, Count { items: 1, bytes: 5 })].into());
}

pub fn one_of_many_creators_wins(home: &dyn Home) {
    let engine = home.open().engine;
    let winners = thread::scope(|scope| {
        let threads: Vec<_> = (0..8_u64)
            .map(|n| {
                let engine = &engine;
                let op = move |at| {
                    vec![crate::Op::Put {
                        place: place(1, at),
                        value: n.to_string().into(),
                        expires_at: None,
                        counted: Some(1),
                        when: When::Absent,
                    }]
                };
                scope.spawn(move || (0..20).filter(|at| commit(&**engine, A, op(*at)).is_ok()).count())
            })
            .collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).sum::<usize>()
    });
    assert_eq!(winners, 20);
    assert_eq!(usage(&*engine, A)[&1].items, 20);
}
