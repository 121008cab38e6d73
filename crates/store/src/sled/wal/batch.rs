//! The rows that one group of commits writes.

use std::ops::Deref;

use ::sled::IVec;

/// The bytes of a row in a frame besides its key and its value.
pub(super) const ROW_BYTES: usize = 5;
/// The longest key of a row.
const KEY_BYTES: usize = 66;

/// The key of a row: at most 66 bytes, without an allocation of its own.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(in crate::sled) struct RowKey {
    /// Filled up with zeros, so that the order of keys is that of `bytes`, then of `length`.
    bytes: [u8; KEY_BYTES],
    length: u8,
}

impl RowKey {
    /// Returns the key with these bytes. `None` if they are too many.
    pub(in crate::sled) fn new(key: &[u8]) -> Option<Self> {
        let mut bytes = [0; KEY_BYTES];
        bytes.get_mut(..key.len())?.copy_from_slice(key);
        Some(Self { bytes, length: u8::try_from(key.len()).ok()? })
    }
}

impl<const N: usize> From<&[u8; N]> for RowKey {
    fn from(key: &[u8; N]) -> Self {
        const { assert!(N <= KEY_BYTES) };
        let mut bytes = [0; KEY_BYTES];
        bytes.iter_mut().zip(key).for_each(|(to, from)| *to = *from);
        Self { bytes, length: N as u8 }
    }
}

impl Deref for RowKey {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        self.bytes.get(..usize::from(self.length)).unwrap_or_default()
    }
}

impl AsRef<[u8]> for RowKey {
    fn as_ref(&self) -> &[u8] {
        self
    }
}

/// A row, or `None` for a removed one.
pub(in crate::sled) type Row = Option<IVec>;

/// The change of one row.
pub(in crate::sled) struct Change {
    pub(in crate::sled) key: RowKey,
    pub(in crate::sled) row: Row,
    /// There was no row before.
    pub(in crate::sled) is_new: bool,
}

/// Rows to write and remove, in order: the last change of a row counts.
#[derive(Default)]
pub(in crate::sled) struct Batch {
    changes: Vec<Change>,
}

impl Batch {
    /// Adds a row.
    pub(in crate::sled) fn insert<const N: usize>(&mut self, key: &[u8; N], row: impl Into<IVec>) {
        self.changes.push(Change { key: key.into(), row: Some(row.into()), is_new: false });
    }

    /// Adds a row where there was none. If it is removed soon, nothing of it is kept.
    pub(in crate::sled) fn insert_new<const N: usize>(&mut self, key: &[u8; N], row: impl Into<IVec>) {
        self.changes.push(Change { key: key.into(), row: Some(row.into()), is_new: true });
    }

    /// Adds the removal of a row.
    pub(in crate::sled) fn remove<const N: usize>(&mut self, key: &[u8; N]) {
        self.changes.push(Change { key: key.into(), row: None, is_new: false });
    }

    #[cfg(test)]
    pub(super) fn push(&mut self, change: Change) {
        self.changes.push(change);
    }

    /// Returns the bytes that the rows take in a frame.
    pub(super) fn bytes(&self) -> usize {
        let bytes = |change: &Change| ROW_BYTES + change.key.len() + change.row.as_ref().map_or(0, |row| row.len());
        self.changes.iter().map(bytes).sum()
    }

    pub(super) fn changes(&self) -> &[Change] {
        &self.changes
    }

    pub(super) fn into_changes(self) -> Vec<Change> {
        self.changes
    }
}
