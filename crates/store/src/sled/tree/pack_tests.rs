//! Packing a tree of format 1.

use std::ops::Bound;

use ::sled::IVec;

use super::database::{Database, Rows};
use super::pack::{announce, pack};
use super::page::{PACKED_FROM, is_packed};
use crate::sled::error::SledOptions;
use crate::sled::lock::directory::Completion;
use crate::sled::lock::system::Directory;
use crate::sled::wal::batch::RowKey;
use crate::sled::wal::range::{Below, Order};

/// Rows of some tags, of a kind that is packed and of one that is not.
fn rows() -> Vec<(RowKey, IVec)> {
    let row = |number: u32| {
        let mut key = [0; 66];
        key[0] = 1;
        key[1] = (number % 7) as u8;
        key[33] = if number.is_multiple_of(3) { 5 } else { PACKED_FROM + 5 };
        key[34..38].copy_from_slice(&number.to_be_bytes());
        (RowKey::from(&key), IVec::from(&number.to_be_bytes()))
    };
    let mut rows: Vec<_> = (0..30_000).map(row).chain([(RowKey::short([0]), IVec::from(b"state"))]).collect();
    rows.sort_by_key(|(key, _)| *key);
    rows
}

fn open(path: &std::path::Path) -> Database {
    let options = SledOptions { cache_bytes: 8 << 20, ..SledOptions::default() };
    Database::open(&Directory::open(path).unwrap(), &options, Completion::Older)
        .unwrap_or_else(|_| panic!("not opened"))
}

fn all(database: &Database) -> Vec<(RowKey, IVec)> {
    let mut rows = Rows::open(database, (Bound::Unbounded, Bound::Unbounded), Order::Forward).unwrap();
    std::iter::from_fn(|| rows.next().unwrap()).collect()
}

#[test]
fn every_row_is_packed_that_has_to_be_and_a_part_that_was_cut_off_is_packed_again() {
    let place = tempfile::tempdir().unwrap();
    let rows = rows();
    let database = open(place.path());
    for (key, row) in &rows {
        database.with(|trees| Ok(trees.rows.insert(key, row.clone()).map(drop)?)).unwrap();
    }
    announce(&database).unwrap();
    // A part that is in pages, and was not removed yet.
    let mut writer = database.writer();
    for (key, row) in rows.iter().filter(|(key, _)| is_packed(key)).take(5_000) {
        writer.write(key, &Some(row.clone())).unwrap();
    }
    writer.finish().unwrap();
    database.close();

    let database = open(place.path());
    assert!(pack(&database).unwrap());
    assert!(all(&database) == rows);
    let unpacked = database.with(|trees| Ok(trees.rows.iter().keys().flatten().filter(|key| is_packed(key)).count()));
    assert_eq!(unpacked.unwrap(), 0);
    // Nothing is left to do.
    assert!(pack(&database).unwrap());
    assert!(all(&database) == rows);
}
