//! Reading what older formats kept in sled.

use std::collections::BTreeMap;
use std::ops::Bound;
use std::path::Path;
use std::sync::Arc;

use ::sled::IVec;

use super::legacy::{copy, is_there};
use crate::sled::error::OpenError;
use crate::sled::lock::system::Directory;
use crate::sled::older::{in_sled, is_of_a_list, write, write_pages};
use crate::sled::tables::{Tables, TablesOptions};
use crate::sled::wal::batch::RowKey;
use crate::sled::wal::range::{Below, Order};

type Map = BTreeMap<RowKey, IVec>;

/// Rows of some tags: of a kind that format 2 packed, and of one that it did not.
fn rows() -> Map {
    let row = |number: u32| {
        let mut key = [0; 66];
        key[0] = 1;
        key[1] = (number % 7) as u8;
        key[33] = if number.is_multiple_of(3) { 5 } else { 0x85 };
        key[34..38].copy_from_slice(&number.to_be_bytes());
        (RowKey::from(&key), IVec::from(vec![number as u8; (number % 90) as usize]))
    };
    (0..20_000).map(row).chain([(RowKey::from(&[0]), IVec::from(b"state"))]).collect()
}

fn store(place: &Path) -> (Arc<Directory>, Tables) {
    let store = Arc::new(Directory::open(place).unwrap());
    let tables = Tables::create(&store, TablesOptions { cache_bytes: 1 << 20, least_waste_bytes: 1 << 20 }).unwrap();
    (store, tables)
}

fn all(tables: &Tables) -> Map {
    let mut rows = tables.range((Bound::Unbounded, Bound::Unbounded), Order::Forward).unwrap();
    std::iter::from_fn(|| rows.next().unwrap()).collect()
}

#[test]
fn every_row_of_format_2_is_copied_and_a_copy_that_was_cut_off_is_made_again() {
    let place = tempfile::tempdir().unwrap();
    let rows = rows();
    write(place.path(), &rows.clone().into_iter().collect(), is_of_a_list);
    // Twice: the second time there is a manifest with the table of the first.
    for _ in 0..2 {
        let (store, tables) = store(place.path());
        assert!(is_there(&store).unwrap());
        copy(&store, &tables).unwrap();
        assert!(all(&tables) == rows);
    }
}

#[test]
fn every_row_of_format_1_is_copied_wherever_packing_was_cut_off() {
    let place = tempfile::tempdir().unwrap();
    let rows = rows();
    let database = in_sled(place.path());
    rows.iter().for_each(|(key, row)| drop(database.insert(key, row).unwrap()));
    database.insert([5], b"").unwrap();
    // Some are in pages, and some of those were removed already.
    let packed: Vec<_> = rows.clone().into_iter().filter(|(key, _)| is_of_a_list(key)).take(3_000).collect();
    write_pages(&database, &packed);
    packed.iter().take(1_000).for_each(|(key, _)| drop(database.remove(key).unwrap()));
    drop(database);
    let (store, tables) = store(place.path());
    copy(&store, &tables).unwrap();
    assert!(all(&tables) == rows);
}

#[test]
fn a_damaged_snapshot_of_sled_is_done_without_and_other_damage_is_found() {
    let place = tempfile::tempdir().unwrap();
    let database = in_sled(place.path());
    database.insert([1], b"row").unwrap();
    drop(database);
    let names = || std::fs::read_dir(place.path().join("db")).unwrap().map(|entry| entry.unwrap().path());
    let snapshot = names().find(|name| name.to_str().unwrap().contains("snap."));
    if let Some(snapshot) = snapshot {
        std::fs::write(snapshot, b"not a snapshot").unwrap();
    }
    let (store, tables) = store(place.path());
    copy(&store, &tables).unwrap();
    assert_eq!(all(&tables).len(), 1);
    let database = in_sled(place.path());
    database.open_tree("pages").unwrap().insert([2], b"not a page").unwrap();
    drop(database);
    assert!(matches!(copy(&store, &tables), Err(OpenError::Corrupt)));
}
