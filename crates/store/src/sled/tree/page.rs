//! Pages of packed rows: many short rows with neighbouring keys in one row of sled. sled keeps 16 rows in a leaf, however short they are, and
//! writes keys of its own for each: a row of a list would cost twenty times its bytes.

use std::cmp::Ordering;
use std::collections::BTreeMap;
use std::ops::Bound;

use ::sled::IVec;

use crate::engine::KEY_FORMAT;
use crate::sled::wal::Bounds;
use crate::sled::wal::batch::RowKey;

/// Rows of kinds from here on are packed. They are short, and read in ranges.
pub(super) const PACKED_FROM: u8 = 0x80;
/// Where a record's key has the kind.
pub(super) const KIND_AT: usize = 33;
/// A page takes rows up to this many bytes; one row may be longer.
pub(super) const PAGE_BYTES: usize = 2_000;
const FORMAT: u8 = 1;
/// The bytes of a row in a page besides those of its key and its value.
pub(super) const ROW_BYTES: usize = 4;

/// Rows by key.
pub(super) type PageRows = BTreeMap<RowKey, IVec>;

/// Whether a row with this key is in a page.
pub(super) fn is_packed(key: &[u8]) -> bool {
    key.first() == Some(&KEY_FORMAT) && key.get(KIND_AT).is_some_and(|kind| *kind >= PACKED_FROM)
}

/// Whether all rows in a range are packed, or none. `None`: there may be both.
pub(super) fn side(bounds: &Bounds) -> Option<bool> {
    let key = |bound: &Bound<RowKey>| match bound {
        Bound::Included(key) | Bound::Excluded(key) => Some(*key),
        Bound::Unbounded => None,
    };
    let (from, to) = (key(&bounds.0)?, key(&bounds.1)?);
    let is_of_one_kind = from.get(..=KIND_AT).is_some_and(|start| to.starts_with(start));
    (is_of_one_kind || from.first() > Some(&KEY_FORMAT)).then(|| is_packed(&from))
}

/// A page under construction.
struct Encoder {
    bytes: Vec<u8>,
    first: Option<RowKey>,
    last: Option<RowKey>,
}

impl Encoder {
    fn new() -> Self {
        Self { bytes: vec![FORMAT], first: None, last: None }
    }

    fn shared(&self, key: &RowKey) -> usize {
        self.last.map_or(0, |last| last.iter().zip(key.iter()).take_while(|(one, other)| one == other).count())
    }

    /// The bytes that a row would add.
    fn cost(&self, key: &RowKey, row: &[u8]) -> usize {
        ROW_BYTES + key.len() - self.shared(key) + row.len()
    }

    fn push(&mut self, key: &RowKey, row: &[u8]) -> Option<()> {
        let shared = self.shared(key);
        let rest = key.get(shared..)?;
        self.bytes.extend_from_slice(&[u8::try_from(shared).ok()?, u8::try_from(rest.len()).ok()?]);
        self.bytes.extend_from_slice(&u16::try_from(row.len()).ok()?.to_be_bytes());
        self.bytes.extend_from_slice(rest);
        self.bytes.extend_from_slice(row);
        self.first = self.first.or(Some(*key));
        self.last = Some(*key);
        Some(())
    }
}

/// Encodes rows as one page.
pub(super) fn encode_whole(rows: &PageRows) -> Option<Vec<u8>> {
    let mut page = Encoder::new();
    for (key, row) in rows {
        page.push(key, row)?;
    }
    Some(page.bytes)
}

/// Encodes rows as pages, each with its first key. `is_appended`: rows were added at the end alone, so that pages are filled up; otherwise all
/// get the same share, with room for more. `None` if a row is too long.
pub(super) fn encode(rows: &PageRows, is_appended: bool) -> Option<Vec<(RowKey, Vec<u8>)>> {
    let most = if is_appended {
        PAGE_BYTES
    } else {
        let bytes = encode_whole(rows)?.len();
        bytes / bytes.div_ceil(PAGE_BYTES) + bytes / rows.len().max(1)
    };
    let mut pages = Vec::new();
    let mut page = Encoder::new();
    for (key, row) in rows {
        if page.first.is_some() && page.bytes.len().saturating_add(page.cost(key, row)) > most {
            pages.push(std::mem::replace(&mut page, Encoder::new()));
        }
        page.push(key, row)?;
    }
    pages.push(page);
    Some(pages.into_iter().filter_map(|page| Some((page.first?, page.bytes))).collect())
}

/// Takes a row from the front of what follows in a page. `key` is that of the row before, and becomes the row's.
fn take<'p>(rest: &mut &'p [u8], key: &mut Vec<u8>) -> Option<&'p [u8]> {
    let ([shared, length, row @ ..], after) = rest.split_first_chunk::<ROW_BYTES>()?;
    let (tail, after) = after.split_at_checked(usize::from(*length))?;
    let (row, after) = after.split_at_checked(usize::from(u16::from_be_bytes(*row)))?;
    if usize::from(*shared) > key.len() {
        return None;
    }
    key.truncate(usize::from(*shared));
    key.extend_from_slice(tail);
    *rest = after;
    Some(row)
}

/// Decodes a page, in order of keys. `None` if it is corrupt.
pub(super) fn decode(page: &[u8]) -> Option<Vec<(RowKey, IVec)>> {
    let [FORMAT, rest @ ..] = page else { return None };
    let (mut rest, mut key) = (rest, Vec::new());
    let mut rows: Vec<(RowKey, IVec)> = Vec::new();
    while !rest.is_empty() {
        let row = take(&mut rest, &mut key)?;
        let key = RowKey::new(&key)?;
        if rows.last().is_some_and(|(last, _)| *last >= key) {
            return None;
        }
        rows.push((key, IVec::from(row)));
    }
    Some(rows)
}

/// Finds a row in a page. `None` if what stands before it is corrupt.
pub(super) fn find(page: &[u8], wanted: &[u8]) -> Option<Option<IVec>> {
    let [FORMAT, rest @ ..] = page else { return None };
    let (mut rest, mut key) = (rest, Vec::new());
    while !rest.is_empty() {
        let row = take(&mut rest, &mut key)?;
        match key.as_slice().cmp(wanted) {
            Ordering::Less => {}
            Ordering::Equal => return Some(Some(IVec::from(row))),
            Ordering::Greater => break,
        }
    }
    Some(None)
}
