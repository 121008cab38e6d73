//! Checks of look-ups and ranges, of the boundary between tags, and of closing and reopening.

use super::Home;
use super::support::*;
use crate::engine::{Commit, CommitError, Durability, Found, ReadError, ScanRequest, Tag, Version};

const A: Tag = Tag([1; 32]);

pub fn look_ups_keep_their_order(home: &dyn Home) {
    let engine = home.open().engine;
    commit(&*engine, A, vec![put(place(1, 1), "1"), put(place(2, 2), "2")]).unwrap();
    let wanted = [place(2, 2), place(9, 9), place(1, 1), place(2, 2)];
    let found = block_on(engine.get(A, wanted.map(|place| (place, None)).to_vec(), u64::MAX, NOW)).unwrap();
    let places: Vec<_> = found
        .iter()
        .map(|found| match found {
            Found::Entry(row) => Some((row.place, row.value.clone())),
            _ => None,
        })
        .collect();
    let two = Some((place(2, 2), "2".into()));
    assert_eq!(places, [two.clone(), None, Some((place(1, 1), "1".into())), two]);
    assert!(block_on(engine.get(A, Vec::new(), u64::MAX, NOW)).unwrap().is_empty());
}

pub fn known_versions_come_back_without_value(home: &dyn Home) {
    let engine = home.open().engine;
    let at = place(1, 1);
    let version = commit(&*engine, A, vec![put_until(at, "x", NOW + 9)]).unwrap();
    let look = |known| block_on(engine.get(A, vec![(at, Some(known))], u64::MAX, NOW)).unwrap().remove(0);
    assert_eq!(look(version), Found::NotModified { expires_at: Some(NOW + 9) });
    assert!(matches!(look(Version(version.0 + 1)), Found::Entry(row) if row.version == version));
    let later = commit(&*engine, A, vec![extend(at, Some(NOW + 99))]).unwrap();
    assert!(matches!(look(version), Found::Entry(row) if row.version == later));
    commit(&*engine, A, vec![delete(at)]).unwrap();
    assert_eq!(look(later), Found::Absent);
}

pub fn scans_go_both_ways(home: &dyn Home) {
    let engine = home.open().engine;
    let numbers = || 0..300_u64;
    for start in numbers().step_by(50) {
        commit(&*engine, A, (start..start + 50).map(|n| put(place(1, n), n.to_string())).collect()).unwrap();
    }
    let found = |request| scan(&*engine, A, request).into_iter().map(|row| row.value).collect::<Vec<_>>();
    let all: Vec<bytes::Bytes> = numbers().map(|n| n.to_string().into()).collect();
    assert_eq!(found(whole_range(1)), all);
    let mut backwards = all.clone();
    backwards.reverse();
    assert_eq!(found(ScanRequest { reverse: true, ..whole_range(1) }), backwards);
    assert_eq!(found(ScanRequest { limit: 7, ..whole_range(1) }), all[..7]);
    assert_eq!(found(ScanRequest { reverse: true, limit: 7, ..whole_range(1) }), backwards[..7]);
    assert!(found(ScanRequest { limit: 0, ..whole_range(1) }).is_empty());
}

pub fn scans_keep_to_their_range(home: &dyn Home) {
    let engine = home.open().engine;
    commit(&*engine, A, (0..40).map(|n| put(place(1, n * 2), "x")).collect()).unwrap();
    commit(&*engine, A, vec![put(place(0, 10), "below"), put(place(2, 10), "above")]).unwrap();
    for (from, to, expected) in [(10, 20, 10..=20), (9, 21, 10..=20), (10, 10, 10..=10), (0, 3, 0..=2)] {
        for reverse in [false, true] {
            let request = ScanRequest { from: item(from), to: item(to), reverse, ..whole_range(1) };
            let mut places: Vec<_> = scan(&*engine, A, request).into_iter().map(|row| row.place).collect();
            if reverse {
                places.reverse();
            }
            assert_eq!(places, expected.clone().step_by(2).map(|n| place(1, n)).collect::<Vec<_>>());
        }
    }
    for (from, to) in [(11, 11), (20, 10), (500, 600)] {
        assert!(scan(&*engine, A, ScanRequest { from: item(from), to: item(to), ..whole_range(1) }).is_empty());
    }
}

/// Values are returned up to the requested bytes; of the first that does not fit, the size is returned.
pub fn reads_end_at_bytes(home: &dyn Home) {
    let engine = home.open().engine;
    // Small ones, one in a file or in parts, an empty one, and an expired one.
    let lengths = [100, 200, 3 << 20, 0, 50];
    let row = |(number, length): (u64, usize)| put(place(1, number), noise(number, length));
    let ops: Vec<_> = (0..).zip(lengths).map(row).chain([put_until(place(1, 5), "gone", NOW)]).collect();
    commit(&*engine, A, ops).unwrap();
    let get = |numbers: &[u64], most| {
        let wanted = numbers.iter().map(|number| (place(1, *number), None)).collect();
        let sizes = |found: Found| match found {
            Found::Absent => None,
            Found::Entry(row) => Some(Ok(row.value.len())),
            Found::Large { bytes } => Some(Err(bytes)),
            Found::NotModified { .. } => panic!("no version was given"),
        };
        block_on(engine.get(A, wanted, most, NOW)).unwrap().into_iter().map(sizes).collect::<Vec<_>>()
    };
    assert_eq!(get(&[0, 1, 3, 5, 4], 350), [Some(Ok(100)), Some(Ok(200)), Some(Ok(0)), None, Some(Ok(50))]);
    assert_eq!(get(&[0, 1, 3, 4], 349), [Some(Ok(100)), Some(Ok(200)), Some(Ok(0)), Some(Err(50))]);
    assert_eq!(get(&[3, 0, 4], 0), [Some(Ok(0)), Some(Err(100)), Some(Err(50))], "after the first none");
    let [Some(Err(large)), Some(Err(50))] = get(&[2, 4], 1000)[..] else { panic!("a large one was read") };
    assert!((3 << 20..=4 << 20).contains(&large), "{large}");
    assert_eq!(get(&[2, 3], large), [Some(Ok(3 << 20)), Some(Ok(0))]);
    let version = engine.get(A, vec![(place(1, 1), None)], 200, NOW);
    let Some(Found::Entry(row)) = block_on(version).unwrap().pop() else { panic!("it fits") };
    let known = engine.get(A, vec![(place(1, 0), None), (place(1, 1), Some(row.version))], 0, NOW);
    assert!(matches!(block_on(known).unwrap()[..], [Found::Large { bytes: 100 }, Found::NotModified { .. }]));

    let scan = |most, limit, reverse| {
        let request = ScanRequest { most, limit, reverse, ..whole_range(1) };
        let scanned = block_on(engine.scan(A, request)).unwrap();
        (scanned.rows.iter().map(|row| row.value.len()).collect::<Vec<_>>(), scanned.beyond)
    };
    assert_eq!(scan(u64::MAX, 9, false), (lengths.to_vec(), None));
    assert_eq!(scan(299, 9, false), (vec![100], Some(200)));
    assert_eq!(scan(300, 2, false), (vec![100, 200], None), "as many as were asked for");
    assert_eq!(scan(300, 9, false), (vec![100, 200], Some(large)));
    assert_eq!(scan(300 + large, 4, false), (vec![100, 200, 3 << 20, 0], None));
    assert_eq!(scan(49, 9, true), (vec![], Some(50)));
    assert_eq!(scan(50, 9, true), (vec![50, 0], Some(large)));
    assert_eq!(scan(0, 0, false), (vec![], None));
}

pub fn limits_do_not_count_expired_rows(home: &dyn Home) {
    let engine = home.open().engine;
    let ops = (0..30).map(|n| put_until(place(1, n), "x", if n % 3 == 0 { NOW + 1 } else { NOW })).collect();
    commit(&*engine, A, ops).unwrap();
    let rows = scan(&*engine, A, ScanRequest { limit: 4, ..whole_range(1) });
    assert_eq!(rows.iter().map(|row| row.place).collect::<Vec<_>>(), [0, 3, 6, 9].map(|n| place(1, n)));
    let rows = scan(&*engine, A, ScanRequest { limit: 2, reverse: true, ..whole_range(1) });
    assert_eq!(rows.iter().map(|row| row.place).collect::<Vec<_>>(), [27, 24].map(|n| place(1, n)));
}

pub fn other_tags_see_nothing(home: &dyn Home) {
    let engine = home.open().engine;
    let at = place(1, 1);
    let version = commit(&*engine, A, vec![put(at, noise(1, 9_000)), put_counted(place(2, 1), 4)]).unwrap();
    let other = tag(2);
    assert_eq!(get(&*engine, other, at), None);
    assert_eq!(block_on(engine.get(other, vec![(at, Some(version))], u64::MAX, NOW)).unwrap(), [Found::Absent]);
    assert!(scan(&*engine, other, whole_range(1)).is_empty());
    assert!(usage(&*engine, other).is_empty());
    let conflict = Err(CommitError::Conflict { op: 0 });
    assert_eq!(commit(&*engine, other, vec![extend(at, None)]), conflict);
    assert_eq!(commit(&*engine, other, vec![delete_when(at, crate::When::Version(version))]), conflict);
    commit(&*engine, other, vec![delete(at)]).unwrap();
    commit(&*engine, other, vec![put_when(at, "theirs", crate::When::Absent)]).unwrap();
    assert_eq!(value(&*engine, A, at).unwrap(), noise(1, 9_000));
}

pub fn neighbouring_tags_and_kinds_stay_apart(home: &dyn Home) {
    let engine = home.open().engine;
    let mut next = [5; 32];
    next[31] = 6;
    for owner in [Tag([5; 32]), Tag(next)] {
        for kind in [0, 1, 254, 255] {
            for bytes in [[0; 32], [255; 32]] {
                commit(&*engine, owner, vec![put(crate::Place { kind, item: bytes }, "x")]).unwrap();
            }
        }
    }
    for owner in [Tag([5; 32]), Tag(next)] {
        for kind in [0, 1, 254, 255] {
            for reverse in [false, true] {
                let rows = scan(&*engine, owner, ScanRequest { reverse, ..whole_range(kind) });
                assert_eq!(rows.len(), 2);
                assert!(rows.iter().all(|row| row.place.kind == kind));
            }
        }
    }
}

pub fn closed_is_closed(home: &dyn Home) {
    let engine = home.open().engine;
    commit(&*engine, A, vec![put(place(1, 1), "x")]).unwrap();
    assert!(block_on(engine.health()).ok);
    block_on(engine.close());
    block_on(engine.close());
    assert_eq!(commit(&*engine, A, vec![put(place(1, 1), "x")]), Err(CommitError::Closed));
    assert_eq!(block_on(engine.get(A, vec![(place(1, 1), None)], u64::MAX, NOW)), Err(ReadError::Closed));
    assert_eq!(block_on(engine.scan(A, whole_range(1))), Err(ReadError::Closed));
    assert_eq!(block_on(engine.usage(A)), Err(ReadError::Closed));
    assert!(!block_on(engine.health()).ok);
}

pub fn rows_survive_reopening(home: &dyn Home) {
    if !home.is_durable() {
        return;
    }
    let mut rows = Vec::new();
    for round in 0..4_u64 {
        let opened = home.open();
        assert_eq!(scan(&*opened.engine, A, whole_range(1)), rows);
        let ops = (0..50).map(|n| put_until(place(1, round * 100 + n), "x", NOW + 1 + n)).collect();
        commit(&*opened.engine, A, ops).unwrap();
        commit(&*opened.engine, A, vec![delete(place(1, round * 100 + 7)), put(place(1, 9), noise(round, 50))])
            .unwrap();
        rows = scan(&*opened.engine, A, whole_range(1));
        assert_eq!(rows.len() as u64, (round + 1) * 49);
        if round % 2 == 0 {
            block_on(opened.engine.close());
        }
    }
}

pub fn relaxed_rows_survive_closing(home: &dyn Home) {
    let engine = home.open().engine;
    let relaxed = |ops| Commit { durability: Durability::Relaxed, ..commit_of(A, ops) };
    for n in 0..50 {
        block_on(engine.commit(relaxed(vec![put(place(1, n), "x")]))).unwrap();
        assert!(get(&*engine, A, place(1, n)).is_some(), "visible once acknowledged");
    }
    if home.is_durable() {
        block_on(engine.close());
        drop(engine);
        assert_eq!(scan(&*home.open().engine, A, whole_range(1)).len(), 50);
    }
}
