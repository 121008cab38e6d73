//! Pages against a map: random rounds of changes, and crashes in the middle of them.

use std::collections::BTreeMap;
use std::ops::Bound;

use ::sled::{Event, IVec, Tree};

use super::page::{PACKED_FROM, decode, is_packed, side};
use super::pages::{PageWriter, Pages};
use crate::sled::wal::Bounds;
use crate::sled::wal::batch::{Row, RowKey};
use crate::sled::wal::range::Order;

type Map = BTreeMap<RowKey, IVec>;

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

/// Few keys, so that rows are overwritten and pages emptied: of two tags and two kinds.
fn key(number: u64) -> RowKey {
    let mut key = [7; 66];
    key[0] = 1;
    key[1] = (number % 2) as u8;
    key[33] = PACKED_FROM + (number / 2 % 2) as u8;
    key[34..42].copy_from_slice(&(number / 4).to_be_bytes());
    RowKey::from(&key)
}

fn round(dice: &mut Dice, keys: u64) -> BTreeMap<RowKey, Row> {
    let from = dice.below(keys);
    let span = 1 + dice.below(keys);
    let deletes = dice.below(4);
    // A few long rows often split a page.
    let (changes, long) = if dice.below(2) == 0 { (3, 2) } else { (120, 9) };
    (0..1 + dice.below(changes))
        .map(|_| {
            let most = if dice.below(long) == 0 { 900 } else { 30 };
            let row = vec![dice.below(256) as u8; dice.below(most) as usize];
            (key((from + dice.below(span)) % keys), (dice.below(4) >= deletes).then(|| row.into()))
        })
        .collect()
}

/// Removes every row of the page of a key.
fn emptying(pages: &Tree, map: &Map, key: &RowKey) -> BTreeMap<RowKey, Row> {
    let starts: Vec<_> = pages.iter().keys().map(|start| RowKey::new(&start.unwrap()).unwrap()).collect();
    let start = starts.iter().rfind(|start| *start <= key).map_or(Bound::Unbounded, |start| Bound::Included(*start));
    let end = starts.iter().find(|start| *start > key).map_or(Bound::Unbounded, |end| Bound::Excluded(*end));
    map.range((start, end)).map(|(key, _)| (*key, None)).collect()
}

fn apply(tree: &Tree, round: &BTreeMap<RowKey, Row>) {
    apply_to(&Pages::new(tree.clone()), round);
}

fn apply_to(pages: &Pages, round: &BTreeMap<RowKey, Row>) {
    let mut writer = PageWriter::default();
    round.iter().for_each(|(key, row)| writer.change(pages, key, row).unwrap());
    writer.finish(pages).unwrap();
}

fn apply_to_map(map: &mut Map, round: &BTreeMap<RowKey, Row>) {
    for (key, row) in round {
        match row {
            Some(row) => map.insert(*key, row.clone()),
            None => map.remove(key),
        };
    }
}

fn range(pages: &Pages, bounds: Bounds, order: Order) -> Vec<(RowKey, IVec)> {
    let mut range = pages.range(bounds, order);
    std::iter::from_fn(|| range.next(pages).unwrap()).collect()
}

fn bound(dice: &mut Dice, keys: u64) -> Bound<RowKey> {
    let key = key(dice.below(keys));
    match dice.below(5) {
        0 => Bound::Unbounded,
        1 | 2 => Bound::Excluded(key),
        _ => Bound::Included(key),
    }
}

fn check(tree: &Tree, map: &Map, dice: &mut Dice, keys: u64) {
    let pages = &Pages::new(tree.clone());
    let all = (Bound::Unbounded, Bound::Unbounded);
    let expected: Vec<_> = map.iter().map(|(key, row)| (*key, row.clone())).collect();
    assert!(range(pages, all, Order::Forward) == expected, "all rows");
    for _ in 0..4 {
        let wanted = key(dice.below(keys));
        assert_eq!(pages.get(&wanted).unwrap(), map.get(&wanted).cloned());
        let bounds = (bound(dice, keys), bound(dice, keys));
        if crate::sled::wal::range::is_empty(&bounds) {
            continue;
        }
        let mut expected: Vec<_> = map.range(bounds).map(|(key, row)| (*key, row.clone())).collect();
        assert!(range(pages, bounds, Order::Forward) == expected, "{bounds:?}");
        expected.reverse();
        assert!(range(pages, bounds, Order::Reverse) == expected, "{bounds:?} in reverse");
    }
}

fn database() -> ::sled::Db {
    ::sled::Config::new().temporary(true).flush_every_ms(None).open().unwrap()
}

#[test]
fn pages_hold_what_a_map_holds() {
    for seed in 0..20 {
        let mut dice = Dice::new(seed);
        let keys = 40 << dice.below(6);
        let (database, mut map) = (database(), Map::new());
        for _ in 0..40 {
            let round = round(&mut dice, keys);
            apply(&database, &round);
            apply_to_map(&mut map, &round);
            check(&database, &map, &mut dice, keys);
        }
    }
}

/// A crash leaves the first writes of a round. The round is applied again, and later ones show whether a row has come back.
#[test]
fn a_round_that_was_cut_off_is_applied_again_and_no_removed_row_comes_back() {
    let mut cut_off = 0;
    for seed in 100..160 {
        let mut dice = Dice::new(seed);
        let keys = 40 << dice.below(6);
        let (database, mut map, mut last) = (database(), Map::new(), key(0));
        for number in 0..80_u64 {
            // Often the page that was split last.
            let empties = dice.below(3) == 0;
            let round = if empties { emptying(&database, &map, &last) } else { round(&mut dice, keys) };
            last = round.last_key_value().map_or(last, |(key, _)| *key);
            // What the round writes is noted on a copy of the pages, and some of it repeated on the pages themselves.
            let copy = database.open_tree(format!("copy {number}")).unwrap();
            database.iter().for_each(|page| drop(page.map(|(key, page)| copy.insert(key, page))));
            let mut events = copy.watch_prefix(b"");
            apply(&copy, &round);
            drop(copy);
            database.drop_tree(format!("copy {number}")).unwrap();
            let writes: Vec<_> = std::iter::from_fn(|| events.next_timeout(std::time::Duration::ZERO).ok()).collect();
            let some = dice.below(writes.len() as u64 + 1) as usize;
            cut_off += usize::from(some > 0 && some < writes.len());
            for write in &writes[..some] {
                match write {
                    Event::Insert { key, value } => drop(database.insert(key, value.clone()).unwrap()),
                    Event::Remove { key } => drop(database.remove(key).unwrap()),
                }
            }
            apply(&database, &round);
            apply_to_map(&mut map, &round);
            check(&database, &map, &mut dice, keys);
        }
    }
    assert!(cut_off > 200, "{cut_off} rounds were cut off between two writes");
}

/// Rows that rounds leave alone, and what a round does beside them.
fn beside(dice: &mut Dice, keys: u64) -> BTreeMap<RowKey, Row> {
    let mut round = round(dice, keys);
    round.retain(|key, _| !is_left_alone(key));
    round
}

fn is_left_alone(key: &RowKey) -> bool {
    key[41].is_multiple_of(3)
}

fn filled(database: &::sled::Db, keys: u64) -> Vec<RowKey> {
    let rows: BTreeMap<_, _> = (0..keys).map(|number| (key(number), Some(IVec::from(&[1; 9][..])))).collect();
    apply(database, &rows);
    rows.into_keys().filter(is_left_alone).collect()
}

#[test]
fn a_range_shows_every_row_that_rounds_in_between_leave_alone_once_and_in_order() {
    for seed in 200..260 {
        let mut dice = Dice::new(seed);
        let keys = 400 << dice.below(4);
        let database = database();
        let pages = Pages::new((*database).clone());
        let mut expected = filled(&database, keys);
        for order in [Order::Forward, Order::Reverse, Order::Forward, Order::Reverse] {
            let mut range = pages.range((Bound::Unbounded, Bound::Unbounded), order);
            let mut found = Vec::new();
            while let Some((key, _)) = range.next(&pages).unwrap() {
                found.push(key);
                if dice.below(keys / 8) == 0 {
                    apply_to(&pages, &beside(&mut dice, keys));
                }
            }
            if order == Order::Reverse {
                found.reverse();
            }
            assert!(found.is_sorted_by(|one, other| one < other), "seed {seed}, {order:?}: out of order, or twice");
            found.retain(is_left_alone);
            assert!(found == expected, "seed {seed}, {order:?}: {} of {} rows", found.len(), expected.len());
            // The next range begins in pages that were changed.
            expected = found;
        }
    }
}

#[test]
fn rows_are_found_while_pages_beside_them_are_split_and_removed() {
    let database = database();
    let pages = Pages::new((*database).clone());
    let keys = 800;
    let expected = filled(&database, keys);
    let is_over = std::sync::atomic::AtomicBool::new(false);
    std::thread::scope(|scope| {
        for reader in 0..2_u64 {
            let (pages, expected, is_over) = (&pages, &expected, &is_over);
            scope.spawn(move || {
                let mut dice = Dice::new(reader);
                while !is_over.load(std::sync::atomic::Ordering::Relaxed) {
                    for _ in 0..50 {
                        let wanted = expected[dice.below(expected.len() as u64) as usize];
                        assert!(pages.get(&wanted).unwrap().is_some(), "a row is not found");
                    }
                    let order = if dice.below(2) == 0 { Order::Forward } else { Order::Reverse };
                    let mut found: Vec<_> = range(pages, (Bound::Unbounded, Bound::Unbounded), order)
                        .into_iter()
                        .map(|(key, _)| key)
                        .filter(is_left_alone)
                        .collect();
                    if order == Order::Reverse {
                        found.reverse();
                    }
                    assert!(found == *expected, "{} of {} rows", found.len(), expected.len());
                }
            });
        }
        let mut dice = Dice::new(9);
        (0..1_500).for_each(|_| apply_to(&pages, &beside(&mut dice, keys)));
        is_over.store(true, std::sync::atomic::Ordering::Relaxed);
    });
}

#[test]
fn rows_added_at_the_end_fill_pages_and_others_share_them() {
    let database = database();
    for from in (0..4_000).step_by(50) {
        let rows = (from..from + 50).map(|number| (key(number * 4), Some(IVec::from(&[0; 10][..])))).collect();
        apply(&database, &rows);
    }
    let sizes: Vec<_> = database.iter().map(|page| page.unwrap().1.len()).collect();
    let bytes: usize = sizes.iter().sum();
    assert!(bytes / sizes.len() > 1_900, "{sizes:?}");
    // A row costs what distinguishes its key from the one before, and its bytes.
    assert!(bytes < 4_000 * 24 * 11 / 10 + 4_000 * 24, "{bytes}");
}

#[test]
fn damaged_pages_are_found() {
    let database = database();
    apply(&database, &(0..20).map(|number| (key(number), Some(IVec::from(&[number as u8; 5][..])))).collect());
    let (_, page) = database.iter().next().unwrap().unwrap();
    assert!(decode(&page).is_some());
    for at in 0..page.len() {
        assert!(decode(&page[..at]).is_none_or(|rows| rows.len() < 20));
        let mut damaged = page.to_vec();
        damaged[at] ^= 0x80;
        // Never a panic; mostly an error.
        let _ = decode(&damaged);
    }
    assert!(decode(&[]).is_none());
    assert!(decode(&[2]).is_none());
    // A row that says it shares more than there is.
    assert!(decode(&[1, 5, 0, 0, 0]).is_none());
}

#[test]
fn ranges_of_one_kind_are_on_one_side() {
    let at = |kind: u8, item: u8| {
        let mut key = [0; 66];
        key[0] = 1;
        key[33] = kind;
        key[34] = item;
        RowKey::from(&key)
    };
    let bounds = |from, to| (Bound::Included(from), Bound::Included(to));
    assert_eq!(side(&bounds(at(3, 0), at(3, 9))), Some(false));
    assert_eq!(side(&bounds(at(0x83, 0), at(0x83, 9))), Some(true));
    assert_eq!(side(&bounds(at(3, 0), at(0x83, 0))), None);
    assert_eq!(side(&bounds(RowKey::short([4]), RowKey::short([5]))), Some(false));
    assert_eq!(side(&(Bound::Excluded(RowKey::short([1])), Bound::Excluded(RowKey::short([2])))), None);
    assert!(!is_packed(&RowKey::short([1])));
}
