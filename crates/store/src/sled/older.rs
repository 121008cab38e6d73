//! Stores as older versions have left them, for tests.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "only tests use it")]

use std::ops::Bound;
use std::path::Path;
use std::sync::Arc;

use ::sled::{Db, IVec};

use super::lock::system::Directory;
use super::tables::{Tables, TablesOptions};
use super::tree::SEGMENT_BYTES;
use super::wal::batch::RowKey;
use super::wal::range::{Below, Order};

/// Format 2 packed rows of kinds from here on.
const PACKED_FROM: u8 = 0x80;

type Rows = Vec<(RowKey, IVec)>;

/// Makes a closed store one of format 1 or 2.
pub fn downgrade(path: &Path, format: u32) {
    let options = TablesOptions { cache_bytes: 1 << 20, least_waste_bytes: u64::MAX };
    let Ok(Some(tables)) = Tables::open(&Arc::new(Directory::open(path).unwrap()), options) else { return };
    let mut range = tables.range((Bound::Unbounded, Bound::Unbounded), Order::Forward).unwrap();
    let rows: Rows = std::iter::from_fn(|| range.next().unwrap()).collect();
    write(path, &rows, |key| format > 1 && is_of_a_list(key));
    drop((range, tables));
    std::fs::remove_file(path.join("manifest")).unwrap();
    let tables = path.join("tables");
    std::fs::read_dir(&tables).unwrap().for_each(|table| std::fs::remove_file(table.unwrap().path()).unwrap());
    std::fs::File::open(&tables).unwrap().sync_all().unwrap();
    std::fs::remove_dir(&tables).unwrap();
    if format == 1 {
        for name in ["wal-1", "wal-2"] {
            std::fs::remove_file(path.join(name)).unwrap();
        }
    }
    std::fs::write(path.join("format"), format!("bailiwick-store {format}\n")).unwrap();
}

pub(in crate::sled) fn is_of_a_list(key: &RowKey) -> bool {
    key.first() == Some(&crate::engine::KEY_FORMAT) && key.get(33).is_some_and(|kind| *kind >= PACKED_FROM)
}

pub(in crate::sled) fn in_sled(path: &Path) -> Db {
    let config = ::sled::Config::new().path(path.join("db")).segment_size(SEGMENT_BYTES).flush_every_ms(None);
    config.open().unwrap()
}

/// Writes rows to sled: those that are packed to pages, the others for themselves.
pub(in crate::sled) fn write(path: &Path, rows: &Rows, is_packed: impl Fn(&RowKey) -> bool) {
    let database = in_sled(path);
    let (packed, others): (Rows, Rows) = rows.iter().cloned().partition(|(key, _)| is_packed(key));
    others.iter().for_each(|(key, row)| drop(database.insert(key, row).unwrap()));
    write_pages(&database, &packed);
    database.flush().unwrap();
}

/// Writes pages of 20 rows. Each also has a row that does not count, because it belongs to the next.
pub(in crate::sled) fn write_pages(database: &Db, rows: &Rows) {
    let pages = database.open_tree("pages").unwrap();
    let parts: Vec<_> = rows.chunks(20).collect();
    for (number, part) in parts.iter().enumerate() {
        let mut part = part.to_vec();
        let start = if number == 0 { Vec::new() } else { part[0].0.to_vec() };
        part.extend(parts.get(number + 1).map(|next| (next[0].0, IVec::from(b"of a split that was cut off"))));
        pages.insert(start, page(&part)).unwrap();
    }
}

fn page(rows: &[(RowKey, IVec)]) -> Vec<u8> {
    let (mut bytes, mut last) = (vec![1], Vec::new());
    for (key, row) in rows {
        let shared = last.iter().zip(key.iter()).take_while(|(one, other)| one == other).count();
        bytes.extend_from_slice(&[shared as u8, (key.len() - shared) as u8]);
        bytes.extend_from_slice(&(row.len() as u16).to_be_bytes());
        bytes.extend_from_slice(&key[shared..]);
        bytes.extend_from_slice(row);
        last = key.to_vec();
    }
    bytes
}
