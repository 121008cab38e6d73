//! What a call costs in trips to the server, counted on the wire.

use bailiwick_store::conformance::support::{NOW, block_on, noise, place, tag};
use bailiwick_store::postgres::{self, PostgresOptions};
use bailiwick_store::{Commit, CommitError, Durability, Limits, Op, When};

use super::proxy::Proxy;
use super::server::Server;

/// What is counted may be too much, when this machine has something else to do; it is never too little.
const TRIES: usize = 10;

fn commit(ops: u64, bytes: usize, limits: &Limits) -> Commit {
    let op = |number| {
        let (value, counted) = (noise(number, bytes), Some(bytes as u64));
        Op::Put { place: place(1, number), value, expires_at: Some(NOW + 1), counted, when: When::Any }
    };
    let ops = (0..ops).map(op).collect();
    Commit { tag: tag(1), now: NOW, ops, limits: limits.clone(), durability: Durability::Sync }
}

#[test]
fn a_commit_makes_two_trips_one_of_new_rows_or_of_rows_in_its_way_and_a_read_one() {
    let server = Server::start();
    let proxy = Proxy::before(&server.application);
    let options = PostgresOptions { connections: 1, ..PostgresOptions::default() };
    let opened = block_on(postgres::open(&proxy.url.parse().unwrap(), options)).unwrap();
    let takes = |trips, what: &dyn Fn()| (0..TRIES).any(|_| proxy.trips(what).0 == trips);
    let limited = Limits { bytes: Some(u64::MAX), items: [(1, 1_000_000)].into() };
    for limits in [Limits::default(), limited] {
        // Small ones, many, one in parts, and more than one statement takes.
        for (ops, bytes) in [(1, 256), (100, 256), (1, 3_000_000), (5, 3_000_000), (100, 100_000)] {
            let put = || {
                block_on(opened.engine.commit(commit(ops, bytes, &limits))).unwrap();
            };
            assert!(takes(2, &put), "{ops} of {bytes} bytes, {limits:?}");
        }
    }
    let next = std::cell::Cell::new(1_000);
    for ops in [1, 3, 100] {
        let add = || {
            let mut added = commit(0, 0, &Limits::default());
            let when = |number| if number == 0 { When::Absent } else { When::Any };
            let put = |number| {
                let (value, at) = (noise(number, 256), place(1, next.get() + number));
                Op::Put { place: at, value, expires_at: Some(NOW + 1), counted: Some(256), when: when(number) }
            };
            added.ops = (0..ops).map(put).collect();
            next.set(next.get() + ops);
            block_on(opened.engine.commit(added)).unwrap();
        };
        assert!(takes(1, &add), "{ops} that are new");
    }
    let in_the_way = || {
        let mut added = commit(0, 0, &Limits::default());
        let put = |number| {
            let (value, at) = (noise(number, 256), place(1, number));
            Op::Put { place: at, value, expires_at: None, counted: Some(256), when: When::Absent }
        };
        // Nobody has the first; the second was among those above.
        added.ops = vec![put(999), put(1_000)];
        assert_eq!(block_on(opened.engine.commit(added)), Err(CommitError::Conflict { op: 1 }));
    };
    assert!(takes(1, &in_the_way), "one that is there");
    let get = || {
        drop(
            block_on(opened.engine.get(tag(1), vec![(place(1, 1), None), (place(1, 2), None)], u64::MAX, NOW)).unwrap(),
        )
    };
    assert!(takes(1, &get));
    assert!(takes(3, &|| (0..3).for_each(|_| get())), "three reads are three trips");
    block_on(opened.engine.close());
}
