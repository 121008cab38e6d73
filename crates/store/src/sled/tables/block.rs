//! The bytes of a block: some rows in order of their keys, which are written without what they share. Drawn in `docs/format/sled.md`.

use std::cmp::Ordering;
use std::ops::RangeBounds;

use ::sled::IVec;

use crate::engine::ReadError;
use crate::sled::wal::batch::{Row, RowKey};
use crate::sled::wal::{Bounds, Held};

/// A block takes rows up to this many bytes; one row may be longer.
pub(super) const BLOCK_BYTES: usize = 4_096;
/// The bytes of a row besides those of its key and its value.
const ROW_BYTES: usize = 4;
const IS_REMOVED: u16 = 0x8000;
const IS_NEW: u16 = 0x4000;
const LENGTH: u16 = 0x3fff;

/// A block under construction.
#[derive(Default)]
pub(super) struct Encoder {
    pub(super) bytes: Vec<u8>,
    last: Option<RowKey>,
}

impl Encoder {
    /// Whether a row should begin the next block.
    pub(super) fn is_full(&self, key: &RowKey, held: &Held) -> bool {
        let rest = key.len().saturating_sub(self.shared(key));
        let row = ROW_BYTES + rest + held.row.as_ref().map_or(0, |row| row.len());
        !self.bytes.is_empty() && self.bytes.len().saturating_add(row) > BLOCK_BYTES
    }

    fn shared(&self, key: &RowKey) -> usize {
        self.last.map_or(0, |last| last.iter().zip(key.iter()).take_while(|(one, other)| one == other).count())
    }

    /// Adds a row. `None` if it is too long.
    pub(super) fn push(&mut self, key: &RowKey, held: &Held) -> Option<()> {
        let shared = self.shared(key);
        let rest = key.get(shared..)?;
        let row = held.row.as_deref().unwrap_or_default();
        let mut length = u16::try_from(row.len()).ok().filter(|length| *length <= LENGTH)?;
        length |= if held.row.is_none() { IS_REMOVED } else { 0 };
        length |= if held.is_new { IS_NEW } else { 0 };
        self.bytes.extend_from_slice(&[u8::try_from(shared).ok()?, u8::try_from(rest.len()).ok()?]);
        self.bytes.extend_from_slice(&length.to_be_bytes());
        self.bytes.extend_from_slice(rest);
        self.bytes.extend_from_slice(row);
        self.last = Some(*key);
        Some(())
    }

    /// Begins the next block.
    pub(super) fn clear(&mut self) {
        self.bytes.clear();
        self.last = None;
    }
}

/// A row in a block.
struct Found<'b> {
    row: &'b [u8],
    flags: u16,
}

impl Found<'_> {
    fn row(&self) -> Row {
        (self.flags & IS_REMOVED == 0).then(|| IVec::from(self.row))
    }
}

/// Takes a row from the front of what follows in a block. `key` is that of the row before, and becomes the row's.
fn take<'b>(rest: &mut &'b [u8], key: &mut Vec<u8>) -> Option<Found<'b>> {
    let ([shared, length, row @ ..], after) = rest.split_first_chunk::<ROW_BYTES>()?;
    let flags = u16::from_be_bytes(*row);
    let (tail, after) = after.split_at_checked(usize::from(*length))?;
    let (row, after) = after.split_at_checked(usize::from(flags & LENGTH))?;
    if usize::from(*shared) > key.len() {
        return None;
    }
    key.truncate(usize::from(*shared));
    key.extend_from_slice(tail);
    *rest = after;
    Some(Found { row, flags })
}

/// Finds a row in a block.
///
/// # Errors
/// `Corrupt`.
pub(super) fn find(block: &[u8], wanted: &[u8]) -> Result<Option<Row>, ReadError> {
    let (mut rest, mut key) = (block, Vec::with_capacity(wanted.len()));
    while !rest.is_empty() {
        let found = take(&mut rest, &mut key).ok_or(ReadError::Corrupt)?;
        match key.as_slice().cmp(wanted) {
            Ordering::Less => {}
            Ordering::Equal => return Ok(Some(found.row())),
            Ordering::Greater => break,
        }
    }
    Ok(None)
}

/// Returns the rows of a block within bounds, in order of keys.
///
/// # Errors
/// `Corrupt`.
pub(super) fn within(block: &[u8], bounds: &Bounds) -> Result<Vec<(RowKey, Held)>, ReadError> {
    let (mut rest, mut bytes, mut rows) = (block, Vec::new(), Vec::new());
    let mut last: Option<RowKey> = None;
    while !rest.is_empty() {
        let found = take(&mut rest, &mut bytes).ok_or(ReadError::Corrupt)?;
        let key = RowKey::new(&bytes).ok_or(ReadError::Corrupt)?;
        if last.replace(key).is_some_and(|last| last >= key) {
            return Err(ReadError::Corrupt);
        }
        if bounds.contains(&key) {
            rows.push((key, Held { row: found.row(), is_new: found.flags & IS_NEW != 0 }));
        }
    }
    Ok(rows)
}
