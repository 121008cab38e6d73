//! Checks of values of all sizes.

use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use super::Home;
use super::support::*;
use crate::engine::{CommitError, Tag, When};

const A: Tag = Tag([1; 32]);
const MIB: usize = 1024 * 1024;

pub fn sizes_around_every_limit(home: &dyn Home) {
    let engine = home.open().engine;
    let mut sizes: Vec<usize> = vec![0, 1, 2, 255, 256, 257];
    for limit in [4_096, 4_064, 4_070, 4_080, 8_192, 65_536, 4 * MIB] {
        sizes.extend(limit - 40..=limit + 3);
    }
    sizes.retain(|size| *size < 4 * MIB - 2 || *size % 3 == 0);
    for (number, size) in sizes.iter().enumerate() {
        commit(&*engine, A, vec![put(place(1, number as u64), noise(number as u64, *size))]).unwrap();
    }
    for (number, size) in sizes.iter().enumerate() {
        let found = value(&*engine, A, place(1, number as u64)).unwrap();
        assert!(found == noise(number as u64, *size), "a value of {size} bytes");
    }
}

pub fn large_values(home: &dyn Home) {
    let engine = home.open().engine;
    let sizes = [MIB, 5 * MIB, 64 * MIB];
    for (number, size) in sizes.into_iter().enumerate() {
        let ops = vec![put(place(1, number as u64), noise(9, size)), put(place(2, number as u64), "beside")];
        commit(&*engine, A, ops).unwrap();
    }
    for (number, size) in sizes.into_iter().enumerate() {
        assert!(value(&*engine, A, place(1, number as u64)).unwrap() == noise(9, size));
    }
    let rows = scan(&*engine, A, crate::ScanRequest { limit: 2, ..whole_range(1) });
    assert!(rows[1].value == noise(9, 5 * MIB));
}

pub fn overwriting_and_deleting_large_values(home: &dyn Home) {
    let engine = home.open().engine;
    for round in 0..6_u64 {
        for size in [100_000, 5 * MIB] {
            let at = place(1, size as u64);
            commit(&*engine, A, vec![put(at, noise(round, size)), put(place(2, round), noise(round, size / 2))])
                .unwrap();
            assert!(value(&*engine, A, at).unwrap() == noise(round, size));
            if round % 3 == 2 {
                commit(&*engine, A, vec![delete(at)]).unwrap();
                assert_eq!(get(&*engine, A, at), None);
            }
        }
    }
    for round in 0..6 {
        assert!(value(&*engine, A, place(2, round)).unwrap() == noise(round, 5 * MIB / 2));
    }
    let refused = commit(&*engine, A, vec![put(place(3, 1), noise(1, 5 * MIB)), check(place(2, 1), When::Absent)]);
    assert_eq!(refused, Err(CommitError::Conflict { op: 1 }));
    assert_eq!(get(&*engine, A, place(3, 1)), None);
}

pub fn too_large_is_refused(home: &dyn Home) {
    let engine = home.open().engine;
    let limit = engine.limits().value_bytes;
    assert!(limit >= 64 * MIB);
    let value = bytes::Bytes::from(vec![0; limit + 1]);
    let ops = vec![put(place(1, 1), "small"), put(place(1, 2), value)];
    assert_eq!(commit(&*engine, A, ops), Err(CommitError::TooLarge));
    assert_eq!(get(&*engine, A, place(1, 1)), None);
}

pub fn too_many_operations_are_refused(home: &dyn Home) {
    let engine = home.open().engine;
    let limit = engine.limits().ops as u64;
    let puts = |count| (0..count).map(|n| put(place(1, n), "x")).collect();
    assert_eq!(commit(&*engine, A, puts(limit + 1)), Err(CommitError::TooLarge));
    assert!(scan(&*engine, A, whole_range(1)).is_empty());
    commit(&*engine, A, puts(limit)).expect("exactly the limit");
    assert_eq!(scan(&*engine, A, whole_range(1)).len() as u64, limit);
}

pub fn large_values_survive_reopening(home: &dyn Home) {
    if !home.is_durable() {
        return;
    }
    let sizes = [4_097, 100_000, MIB, 5 * MIB];
    for round in 0..3_u64 {
        let engine = home.open().engine;
        for (number, size) in sizes.into_iter().enumerate() {
            let at = place(1, number as u64);
            if round > 0 {
                assert!(value(&*engine, A, at).unwrap() == noise(round - 1, size));
            }
            commit(&*engine, A, vec![put(at, noise(round, size)), put(place(2, round), noise(round, size))]).unwrap();
            assert!(value(&*engine, A, at).unwrap() == noise(round, size));
        }
        block_on(engine.close());
    }
    let engine = home.open().engine;
    for round in 0..3 {
        assert!(value(&*engine, A, place(2, round)).unwrap() == noise(round, 5 * MIB));
    }
}

pub fn readers_race_with_overwriting(home: &dyn Home) {
    let engine = home.open().engine;
    let at = place(1, 1);
    let sizes = [5_000, 60_000, 5 * MIB];
    let size = |round: u64| sizes[round as usize % 3];
    commit(&*engine, A, vec![put(at, noise(0, size(0)))]).unwrap();
    let done = AtomicBool::new(false);
    thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                let mut last = crate::Version(0);
                while !done.load(Ordering::Acquire) {
                    let row = get(&*engine, A, at).expect("always there");
                    assert!(row.version >= last, "never back in time");
                    last = row.version;
                    let round =
                        (0..60).find(|round| size(*round) == row.value.len() && noise(*round, 64) == row.value[..64]);
                    assert!(
                        round.is_some_and(|round| noise(round, size(round)) == row.value),
                        "one of the values, whole"
                    );
                }
            });
        }
        for round in 1..60 {
            commit(&*engine, A, vec![put(at, noise(round, size(round)))]).unwrap();
        }
        done.store(true, Ordering::Release);
    });
}

pub fn extending_keeps_a_large_value(home: &dyn Home) {
    let engine = home.open().engine;
    for size in [100_000, 5 * MIB] {
        let at = place(1, size as u64);
        commit(&*engine, A, vec![put(at, noise(1, size))]).unwrap();
        for n in 0..3 {
            commit(&*engine, A, vec![extend(at, Some(NOW + n))]).unwrap();
            commit(&*engine, A, vec![put(place(2, n), noise(n, size))]).unwrap();
        }
        assert!(value(&*engine, A, at).unwrap() == noise(1, size));
    }
}
