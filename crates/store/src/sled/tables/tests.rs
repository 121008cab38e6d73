//! Tables against a map: random rounds of changes, merges of random neighbours, damage.

use std::collections::BTreeMap;
use std::ops::Bound;
use std::path::Path;
use std::sync::Arc;

use ::sled::IVec;

use super::merging::due;
use super::set::{Tables, TablesFailure, TablesOptions, WriteError};
use crate::engine::ReadError;
use crate::sled::lock::system::Directory;
use crate::sled::wal::batch::{Row, RowKey};
use crate::sled::wal::range::{Below, Order, is_empty};
use crate::sled::wal::{Bounds, Held};

const ALL: Bounds = (Bound::Unbounded, Bound::Unbounded);
const WASTE: u64 = 64 * 1024;

type Map = BTreeMap<RowKey, IVec>;
type Round = BTreeMap<RowKey, Row>;

struct Dice(blake3::OutputReader);

impl Dice {
    fn new(seed: u64) -> Self {
        Self(blake3::Hasher::new().update(&seed.to_be_bytes()).finalize_xof())
    }

    fn below(&mut self, end: u64) -> u64 {
        let mut bytes = [0; 8];
        self.0.fill(&mut bytes);
        u64::from_be_bytes(bytes) % end
    }
}

/// Few keys, so that rows are overwritten; some are short, and some the beginning of others.
fn key(number: u64) -> RowKey {
    let mut key = [7; 66];
    key[1] = (number % 2) as u8;
    key[33] = (number / 2 % 2) as u8;
    key[34..42].copy_from_slice(&(number / 4).to_be_bytes());
    let length = if number.is_multiple_of(11) { 42 } else { 66 };
    RowKey::new(&key[..length]).unwrap()
}

fn random_row(dice: &mut Dice) -> IVec {
    let length = if dice.below(20) == 0 { dice.below(4_097) } else { dice.below(40) };
    IVec::from(vec![dice.below(256) as u8; length as usize])
}

fn round(dice: &mut Dice, keys: u64) -> Round {
    let most = 1 + dice.below(keys);
    let removes = dice.below(3);
    let change = |dice: &mut Dice| (dice.below(3) >= removes).then(|| random_row(dice));
    (0..most).map(|_| (key(dice.below(keys)), change(dice))).collect()
}

fn options() -> TablesOptions {
    TablesOptions { cache_bytes: 64 * 1024, least_waste_bytes: WASTE }
}

fn create(place: &Path) -> Tables {
    let tables = Tables::create(&Arc::new(Directory::open(place).unwrap()), options()).unwrap();
    tables.settle().unwrap();
    tables
}

fn open(place: &Path) -> Result<Tables, ()> {
    match Tables::open(&Arc::new(Directory::open(place).unwrap()), options()) {
        Ok(tables) => Ok(tables.unwrap()),
        Err(TablesFailure::Damaged) => Err(()),
        Err(TablesFailure::Io(error)) => panic!("{error}"),
    }
}

/// Adds a round as a table. Some rows that are new are not said to be.
fn add(tables: &Tables, map: &mut Map, round: &Round, dice: &mut Dice) {
    add_as(tables, map, round, || dice.below(10) > 0);
}

/// Adds a round as a table. `is_said` says of a new row whether it is said to be.
fn add_as(tables: &Tables, map: &mut Map, round: &Round, mut is_said: impl FnMut() -> bool) {
    let held = |(key, row): (&RowKey, &Row)| {
        let is_new = row.is_some() && !map.contains_key(key) && is_said();
        Ok((*key, Held { row: row.clone(), is_new }))
    };
    let rows: Vec<_> = round.iter().map(held).collect();
    tables.add(rows.len() as u64, rows.into_iter(), &|| true).unwrap();
    for (key, row) in round {
        match row {
            Some(row) => map.insert(*key, row.clone()),
            None => map.remove(key),
        };
    }
}

fn merge(tables: &Tables, from: usize, to: usize) -> Result<(), WriteError> {
    tables.merge(&tables.list().unwrap()[from..to], &mut |_| Ok(()))
}

fn merge_some(tables: &Tables, dice: &mut Dice) {
    let length = tables.list().unwrap().len() as u64;
    let from = dice.below(length + 1);
    let to = from + dice.below(length - from + 1);
    merge(tables, from as usize, to as usize).unwrap();
}

fn rows(tables: &Tables, bounds: Bounds, order: Order) -> Vec<(RowKey, IVec)> {
    let mut range = tables.range(bounds, order).unwrap();
    std::iter::from_fn(|| range.next().unwrap()).collect()
}

fn bound(dice: &mut Dice, keys: u64) -> Bound<RowKey> {
    let key = key(dice.below(keys));
    match dice.below(5) {
        0 => Bound::Unbounded,
        1 | 2 => Bound::Excluded(key),
        _ => Bound::Included(key),
    }
}

fn check(tables: &Tables, map: &Map, dice: &mut Dice, keys: u64) {
    let expected: Vec<_> = map.iter().map(|(key, row)| (*key, row.clone())).collect();
    assert!(rows(tables, ALL, Order::Forward) == expected, "all rows");
    for _ in 0..4 {
        let wanted = key(dice.below(keys));
        assert_eq!(tables.get(&wanted).unwrap(), map.get(&wanted).cloned());
        let bounds = (bound(dice, keys), bound(dice, keys));
        if is_empty(&bounds) {
            continue;
        }
        let mut expected: Vec<_> = map.range(bounds).map(|(key, row)| (*key, row.clone())).collect();
        assert!(rows(tables, bounds, Order::Forward) == expected, "{bounds:?}");
        expected.reverse();
        assert!(rows(tables, bounds, Order::Reverse) == expected, "{bounds:?} in reverse");
    }
}

#[test]
fn tables_hold_what_a_map_holds_however_they_are_merged() {
    for seed in 0..12 {
        let mut dice = Dice::new(seed);
        let keys = 40 << dice.below(7);
        let place = tempfile::tempdir().unwrap();
        let (mut tables, mut map) = (create(place.path()), Map::new());
        for _ in 0..30 {
            let round = round(&mut dice, keys);
            add(&tables, &mut map, &round, &mut dice);
            match dice.below(8) {
                0..5 => {}
                5 | 6 => merge_some(&tables, &mut dice),
                _ => {
                    drop(tables);
                    tables = open(place.path()).unwrap();
                    tables.remove_unknown().unwrap();
                }
            }
            check(&tables, &map, &mut dice, keys);
        }
        let length = tables.list().unwrap().len();
        merge(&tables, 0, length).unwrap();
        check(&tables, &map, &mut dice, keys);
        let counts: Vec<_> = tables.list().unwrap().iter().map(|table| table.counts).collect();
        assert_eq!(counts.iter().map(|counts| counts.rows).sum::<u64>(), map.len() as u64);
        assert!(counts.iter().all(|counts| counts.replacing == 0 && counts.removed == 0), "{counts:?}");
    }
}

/// A row that was put and removed since the oldest of the merged tables leaves nothing; what removes an older one stays.
#[test]
fn a_removal_is_kept_as_long_as_an_older_table_has_the_row() {
    let place = tempfile::tempdir().unwrap();
    let (tables, mut map) = (create(place.path()), Map::new());
    let mut add = |number, row: Option<&[u8]>| {
        add_as(&tables, &mut map, &[(key(number), row.map(IVec::from))].into(), || true);
    };
    for (number, row) in [(1, Some(&b"row"[..])), (1, None), (2, Some(b"row")), (2, None), (1, Some(b"row")), (1, None)]
    {
        add(number, row);
    }
    // The four newest: nothing is left of them.
    merge(&tables, 0, 4).unwrap();
    assert_eq!(tables.list().unwrap().len(), 2);
    add(3, Some(b"row"));
    // The removal of the row 1 stays.
    merge(&tables, 0, 2).unwrap();
    let list = tables.list().unwrap();
    assert_eq!((list.len(), list[0].counts.rows, list[0].counts.removed), (2, 2, 1));
    add(3, None);
    assert!(rows(&tables, ALL, Order::Forward).is_empty());
    merge(&tables, 0, 3).unwrap();
    assert!(tables.list().unwrap().is_empty());
    assert_eq!(std::fs::read_dir(place.path().join("tables")).unwrap().count(), 0);
}

#[test]
fn a_reader_goes_on_with_the_tables_that_were_there_when_it_began() {
    let place = tempfile::tempdir().unwrap();
    let (tables, mut map, dice) = (create(place.path()), Map::new(), &mut Dice::new(2));
    for _ in 0..6 {
        add(&tables, &mut map, &round(dice, 4_000), dice);
    }
    for order in [Order::Forward, Order::Reverse] {
        let before = map.clone();
        let mut range = tables.range(ALL, order).unwrap();
        let mut found: Vec<_> = range.next().unwrap().into_iter().collect();
        add(&tables, &mut map, &before.keys().map(|key| (*key, None)).collect(), dice);
        let length = tables.list().unwrap().len();
        merge(&tables, 0, length).unwrap();
        assert!(rows(&tables, ALL, Order::Forward).is_empty());
        found.extend(std::iter::from_fn(|| range.next().unwrap()));
        if order == Order::Reverse {
            found.reverse();
        }
        assert!(found == before.into_iter().collect::<Vec<_>>(), "{order:?}");
        add(&tables, &mut map, &round(dice, 4_000), dice);
    }
}

#[test]
fn a_merge_that_is_given_up_changes_nothing() {
    let place = tempfile::tempdir().unwrap();
    let (tables, mut map, dice) = (create(place.path()), Map::new(), &mut Dice::new(3));
    for _ in 0..4 {
        add(&tables, &mut map, &round(dice, 2_000), dice);
    }
    let list = tables.list().unwrap();
    let files = || std::fs::read_dir(place.path().join("tables")).unwrap().count();
    let mut steps = 0;
    let stopped = tables.merge(&list, &mut |_| {
        steps += 1;
        if steps == 5 { Err(WriteError::Stopped) } else { Ok(()) }
    });
    assert!(matches!(stopped, Err(WriteError::Stopped)));
    assert_eq!(files(), 4);
    check(&tables, &map, dice, 2_000);
    check(&open(place.path()).unwrap(), &map, dice, 2_000);
}

fn due_now(tables: &Tables) -> Option<usize> {
    due(&tables.list().unwrap(), WASTE).map(<[_]>::len)
}

#[test]
fn tables_of_the_same_size_are_merged_and_all_when_half_is_waste() {
    let place = tempfile::tempdir().unwrap();
    let (tables, mut map) = (create(place.path()), Map::new());
    let row = IVec::from(vec![3; 300]);
    let mut added = |from: u64, to: u64, row: Option<&IVec>| {
        add_as(&tables, &mut map, &(from..to).map(|number| (key(number), row.cloned())).collect(), || true);
    };
    for number in 0..7 {
        added(number * 100, number * 100 + 100, Some(&row));
        assert_eq!(due_now(&tables), None);
    }
    added(700, 800, Some(&row));
    assert_eq!(due_now(&tables), Some(8));
    merge(&tables, 0, 8).unwrap();
    assert_eq!(due_now(&tables), None);
    // Half of the rows removed: a third of all is waste for each of removed ones and what they remove.
    added(0, 100, None);
    assert_eq!(due_now(&tables), None);
    added(100, 400, None);
    assert_eq!(due_now(&tables), Some(3));
    merge(&tables, 0, 3).unwrap();
    assert_eq!(due_now(&tables), None, "it is not due again at once");
    assert_eq!(tables.list().unwrap().first().unwrap().counts.rows, 400);
    // Little waste is not worth it.
    added(400, 500, Some(&row));
    added(400, 500, None);
    assert!(due_now(&tables).is_none());
}

#[test]
fn a_damaged_table_is_an_error_of_its_rows_and_never_another_row() {
    let place = tempfile::tempdir().unwrap();
    let (tables, mut map, dice) = (create(place.path()), Map::new(), &mut Dice::new(5));
    add(&tables, &mut map, &(0..900).map(|number| (key(number), Some(random_row(dice)))).collect(), dice);
    drop(tables);
    let file = std::fs::read_dir(place.path().join("tables")).unwrap().next().unwrap().unwrap().path();
    let bytes = std::fs::read(&file).unwrap();
    let (mut unopened, mut errors, mut at) = (0, 0, 0);
    while at < bytes.len() {
        let mut damaged = bytes.clone();
        damaged[at] ^= 1 << dice.below(8);
        std::fs::write(&file, damaged).unwrap();
        match open(place.path()) {
            Err(()) => unopened += 1,
            Ok(tables) => {
                for (key, row) in &map {
                    match tables.get(key) {
                        Ok(found) => assert_eq!(found.as_ref(), Some(row)),
                        Err(error) => {
                            assert_eq!(error, ReadError::Corrupt);
                            errors += 1;
                        }
                    }
                }
                assert!(matches!(merge(&tables, 0, 1), Err(WriteError::Read(ReadError::Corrupt))));
                assert_eq!(std::fs::read_dir(place.path().join("tables")).unwrap().count(), 1);
            }
        }
        at += 1 + dice.below(300) as usize;
    }
    assert!(unopened > 5 && errors > 100, "{unopened} {errors}");
    for length in [0, 10, bytes.len() / 2, bytes.len() - 1] {
        std::fs::write(&file, &bytes[..length]).unwrap();
        assert!(open(place.path()).is_err());
    }
    std::fs::remove_file(&file).unwrap();
    assert!(open(place.path()).is_err());
}

/// A whole block at another place of the same table has a checksum that is right elsewhere.
#[test]
fn a_block_at_another_place_is_damage() {
    let place = tempfile::tempdir().unwrap();
    let (tables, mut map, dice) = (create(place.path()), Map::new(), &mut Dice::new(6));
    // All blocks have the same length.
    add(
        &tables,
        &mut map,
        &(0..400).map(|number| (key(number * 2 + 1), Some(IVec::from(vec![number as u8; 500])))).collect(),
        dice,
    );
    let offsets: Vec<_> = tables.list().unwrap()[0].index.blocks.iter().map(|(_, offset)| *offset as usize).collect();
    let (one, other) = (1..offsets.len() - 3)
        .map(|at| (at, at + 1))
        .find(|(one, other)| offsets[one + 1] - offsets[*one] == offsets[other + 1] - offsets[*other])
        .unwrap();
    drop(tables);
    let file = std::fs::read_dir(place.path().join("tables")).unwrap().next().unwrap().unwrap().path();
    let mut bytes = std::fs::read(&file).unwrap();
    let length = offsets[one + 1] - offsets[one];
    bytes.copy_within(offsets[other]..offsets[other] + length, offsets[one]);
    std::fs::write(&file, bytes).unwrap();
    let tables = open(place.path()).unwrap();
    let found: Vec<_> = map.keys().map(|key| tables.get(key)).collect();
    assert!(found.contains(&Err(ReadError::Corrupt)));
    for ((_, row), found) in map.iter().zip(found).filter(|(_, found)| found.is_ok()) {
        assert_eq!(found.unwrap().as_ref(), Some(row));
    }
}

#[test]
fn a_damaged_manifest_is_found() {
    let place = tempfile::tempdir().unwrap();
    let (tables, mut map, dice) = (create(place.path()), Map::new(), &mut Dice::new(7));
    for _ in 0..3 {
        add(&tables, &mut map, &round(dice, 100), dice);
    }
    drop(tables);
    let manifest = place.path().join("manifest");
    let bytes = std::fs::read(&manifest).unwrap();
    for at in 0..bytes.len() {
        let mut damaged = bytes.clone();
        damaged[at] ^= 1;
        std::fs::write(&manifest, damaged).unwrap();
        assert!(open(place.path()).is_err(), "byte {at}");
    }
    std::fs::write(&manifest, &bytes).unwrap();
    check(&open(place.path()).unwrap(), &map, dice, 100);
}

#[test]
fn a_filter_has_what_was_added_and_little_else() {
    let mut filter = super::filter::Filter::new(1_000_000);
    let hash = |number: u64| super::filter::hash(&key(number));
    (0..10_000).for_each(|number| filter.add(hash(number)));
    filter.fit(10_000);
    assert!((0..10_000).all(|number| filter.may_have(hash(number))));
    let others = (10_000..110_000).filter(|number| filter.may_have(hash(*number))).count();
    assert!(others < 3_000, "{others} of 100,000");
    let mut bytes = Vec::new();
    filter.encode(&mut bytes);
    assert!(bytes.len() < 30_000, "{}", bytes.len());
    assert!(
        super::filter::Filter::decode(&bytes).is_some_and(|same| (0..10_000).all(|number| same.may_have(hash(number))))
    );
    assert!(super::filter::Filter::decode(&bytes[1..]).is_none() && super::filter::Filter::decode(&[]).is_none());
}
