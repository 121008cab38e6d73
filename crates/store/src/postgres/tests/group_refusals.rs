//! A group of commits of which some are refused: each gets its own answer, and nothing of a refused one is written.
#![allow(clippy::unwrap_used, reason = "tests may panic")]

use crate::conformance::database::Database;
use crate::conformance::support::{
    NOW, check, commit_of, delete, place, put_counted, put_until, put_when, tag, whole_range,
};
use crate::engine::{Commit, CommitError, Count, Kinds, Limits, Op, Version, When};
use crate::postgres::connect::dialing::Dialer;
use crate::postgres::connect::options::PostgresOptions;
use crate::postgres::open::connect;
use crate::postgres::{commit, read, sweep};

/// With a wake-up, which an accepted one leaves behind.
fn woken(kind: u8, mut ops: Vec<Op>) -> Commit {
    ops.push(Op::Wake { kind, at: NOW });
    commit_of(tag(1), ops)
}

#[test]
fn refused_commits_of_a_group_are_refused_alone() {
    let database = Database::fresh();
    let dialer = Dialer::to(&database.url().parse().unwrap()).unwrap();
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    runtime.block_on(async {
        let shared = connect(dialer, PostgresOptions::default()).await.unwrap();
        let there = commit_of(tag(1), vec![put_counted(place(1, 0), 7), put_counted(place(1, 1), 7)]);
        let before = commit::run(&shared, &[there]).await.remove(0).unwrap();
        let group = [
            woken(11, vec![put_counted(place(1, 10), 3)]),
            // A condition that does not hold, after a step that would have written.
            woken(
                12,
                vec![
                    put_until(place(1, 20), "refused", NOW + 1),
                    check(place(1, 1), When::Version(Version(before.0 + 1))),
                ],
            ),
            // The first has added rows: there are three of the kind.
            Commit {
                limits: Limits { items: [(1, 3)].into(), bytes: None },
                ..woken(13, vec![put_counted(place(1, 30), 3)])
            },
            woken(14, vec![put_when(place(2, 40), "new", When::Absent), delete(place(1, 0))]),
            // After the delete there is room again.
            Commit {
                limits: Limits { items: [(1, 3)].into(), bytes: None },
                ..woken(15, vec![put_counted(place(1, 50), 4)])
            },
            woken(16, vec![delete(place(2, 60)), check(place(2, 61), When::Version(before))]),
        ];
        let told = commit::run(&shared, &group).await;
        let after = *told.first().unwrap().as_ref().unwrap();
        assert!(after > before);
        let quota = CommitError::Quota { kind: Some(1), limit: 3, used: 3, more: 1 };
        let conflict = Err(CommitError::Conflict { op: 1 });
        assert_eq!(told, [Ok(after), conflict.clone(), Err(quota), Ok(after), Ok(after), conflict]);

        let mut rows = Vec::new();
        for kind in [1, 2] {
            rows.extend(read::scan(&shared, tag(1), whole_range(kind)).await.unwrap().rows);
        }
        let rows: Vec<_> = rows.iter().map(|row| (row.place, row.version)).collect();
        assert_eq!(rows, [(place(1, 1), before), (place(1, 10), after), (place(1, 50), after), (place(2, 40), after)]);
        let usage = read::usage(&shared, tag(1)).await.unwrap();
        assert_eq!(usage, [(1, Count { items: 3, bytes: 14 })].into());
        let dues = sweep::due(&shared, NOW + 1, Kinds::AllBut(200), 10).await.unwrap();
        let kinds: Vec<_> = dues.iter().map(|due| due.kind).collect();
        assert_eq!(kinds, [11, 14, 15]);

        // A group of refused commits alone writes nothing either.
        let refused = [group[1].clone(), group[5].clone()];
        assert!(commit::run(&shared, &refused).await.iter().all(Result::is_err));
        assert_eq!(read::usage(&shared, tag(1)).await.unwrap(), usage);
    });
}
