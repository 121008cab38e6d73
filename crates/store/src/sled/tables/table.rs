//! An open table. Its index and filter are in memory; a block is read when a row of it is needed, and its checksum is compared then.

use std::collections::VecDeque;
use std::fs::File;
use std::io;
use std::ops::Bound;
use std::sync::Arc;

use super::block;
use super::cache::Cache;
use super::filter::Filter;
use crate::engine::ReadError;
use crate::sled::lock::system;
use crate::sled::wal::batch::{Row, RowKey};
use crate::sled::wal::range::Order;
use crate::sled::wal::{Bounds, Held};

/// The length of a checksum: the first bytes of BLAKE3.
pub(super) const SUM: usize = 16;
pub(super) const MAGIC: [u8; 4] = *b"BWT\x01";
/// The length of what ends a table.
pub(super) const FOOTER: usize = 4 + 6 * 8 + SUM;
/// A block is never longer than one row of the greatest length.
const MOST_BLOCK_BYTES: u64 = 32 * 1024;
/// Index and filter are read as a whole. They take at most a fifteenth of what may be merged into one table; a larger table is not written.
pub(super) const MOST_TAIL_BYTES: u64 = 4 << 30;

pub(super) type Sum = [u8; SUM];

/// The checksum of a block, which is good at one place alone.
pub(super) fn block_sum(table: u64, offset: u64, block: &[u8]) -> Sum {
    let mut hasher = blake3::Hasher::new();
    hasher.update(&table.to_be_bytes()).update(&offset.to_be_bytes()).update(block);
    first_of(&hasher.finalize())
}

pub(super) fn first_of(hash: &blake3::Hash) -> Sum {
    hash.as_bytes().first_chunk().copied().unwrap_or_default()
}

/// The numbers at the end of a table.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Counts {
    /// Rows, removed ones among them.
    pub(super) rows: u64,
    /// Rows that may replace or remove one of an older table.
    pub(super) replacing: u64,
    /// Removed rows.
    pub(super) removed: u64,
}

/// Which table it is, and that it is whole: what the manifest says of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Identity {
    pub(super) number: u64,
    pub(super) bytes: u64,
    pub(super) sum: Sum,
}

/// Where blocks begin. A block has the keys from its own on.
#[derive(Default)]
pub(super) struct Index {
    pub(super) keys: Vec<u8>,
    /// Where a key ends in `keys`, and its block begins in the file.
    pub(super) blocks: Vec<(u64, u64)>,
}

impl Index {
    fn key(&self, number: usize) -> &[u8] {
        let end = |number: usize| self.blocks.get(number).map_or(0, |(end, _)| *end as usize);
        let from = number.checked_sub(1).map_or(0, end);
        self.keys.get(from..end(number)).unwrap_or_default()
    }

    /// Adds a block.
    pub(super) fn push(&mut self, key: &[u8], offset: u64) {
        self.keys.extend_from_slice(key);
        self.blocks.push((self.keys.len() as u64, offset));
    }

    /// Returns the number of the block that may have a key; the first if the key is before all.
    fn find(&self, key: &[u8]) -> usize {
        let (mut low, mut high) = (0, self.blocks.len());
        while low < high {
            let middle = low.midpoint(high);
            if self.key(middle) <= key { low = middle + 1 } else { high = middle }
        }
        low.saturating_sub(1)
    }

    /// Reads its bytes. `None` if they are not those of an index.
    fn decode(mut bytes: &[u8]) -> Option<Self> {
        let mut index = Self::default();
        while let Some((length, rest)) = bytes.split_first() {
            let (key, rest) = rest.split_at_checked(usize::from(*length))?;
            let (offset, rest) = rest.split_first_chunk()?;
            index.push(key, u64::from_be_bytes(*offset));
            bytes = rest;
        }
        Some(index)
    }
}

/// See the module.
pub(super) struct Table {
    pub(super) identity: Identity,
    pub(super) counts: Counts,
    pub(super) file: File,
    pub(super) index: Index,
    pub(super) filter: Filter,
    /// The end of the last block.
    pub(super) end: u64,
    pub(super) cache: Arc<Cache>,
}

/// Why a table does not open.
pub(super) enum OpenFailure {
    Damaged,
    Io(io::Error),
}

fn read(file: &File, offset: u64, length: u64) -> Result<Vec<u8>, OpenFailure> {
    let mut bytes = vec![0; usize::try_from(length).map_err(|_| OpenFailure::Damaged)?];
    match system::read_exact_at(file, &mut bytes, offset) {
        Ok(()) => Ok(bytes),
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Err(OpenFailure::Damaged),
        Err(error) => Err(OpenFailure::Io(error)),
    }
}

impl Table {
    /// Opens the table that the manifest names.
    pub(super) fn open(file: File, identity: Identity, cache: Arc<Cache>) -> Result<Self, OpenFailure> {
        let length = file.metadata().map_err(OpenFailure::Io)?.len();
        let footer_at = identity.bytes.checked_sub(FOOTER as u64).filter(|_| length == identity.bytes);
        let footer_at = footer_at.ok_or(OpenFailure::Damaged)?;
        let footer = read(&file, footer_at, FOOTER as u64)?;
        let number = |at: usize| {
            let field = footer.get(at..).and_then(|rest| rest.first_chunk());
            field.map(|field| u64::from_be_bytes(*field)).ok_or(OpenFailure::Damaged)
        };
        let (end, filter_at) = (number(36)?, number(44)?);
        if !(end <= filter_at && filter_at <= footer_at && footer.starts_with(&MAGIC) && number(4)? == identity.number)
        {
            return Err(OpenFailure::Damaged);
        }
        let length = Some(identity.bytes - end).filter(|length| *length <= MOST_TAIL_BYTES);
        let mut tail = read(&file, end, length.ok_or(OpenFailure::Damaged)?)?;
        let sum = tail.split_off(tail.len().saturating_sub(SUM));
        if sum != identity.sum || first_of(&blake3::hash(&tail)) != identity.sum {
            return Err(OpenFailure::Damaged);
        }
        let counts = Counts { rows: number(12)?, replacing: number(20)?, removed: number(28)? };
        // A row takes more than four bytes.
        if counts.rows > end / 4 || counts.replacing > counts.rows || counts.removed > counts.rows {
            return Err(OpenFailure::Damaged);
        }
        let (index, rest) = tail.split_at_checked((filter_at - end) as usize).ok_or(OpenFailure::Damaged)?;
        let filter = rest.get(..(footer_at - filter_at) as usize).and_then(Filter::decode);
        let (index, filter) = Index::decode(index).zip(filter).ok_or(OpenFailure::Damaged)?;
        Ok(Self { identity, counts, file, index, filter, end, cache })
    }

    /// Reads a block.
    fn block(&self, number: usize, is_kept: bool) -> Result<Arc<[u8]>, ReadError> {
        let place = (self.identity.number, number as u64);
        if let Some(known) = self.cache.get(place) {
            return Ok(known);
        }
        let at = |number: usize| self.index.blocks.get(number).map(|(_, offset)| *offset);
        let offset = at(number).ok_or(ReadError::Corrupt)?;
        let end = at(number + 1).unwrap_or(self.end);
        let length = end.checked_sub(offset).filter(|length| *length <= MOST_BLOCK_BYTES).ok_or(ReadError::Corrupt)?;
        let bytes = read(&self.file, offset, length).map_err(|failure| match failure {
            OpenFailure::Damaged => ReadError::Corrupt,
            OpenFailure::Io(_) => ReadError::Unavailable,
        })?;
        let (sum, block) = bytes.split_first_chunk::<SUM>().ok_or(ReadError::Corrupt)?;
        if block_sum(self.identity.number, offset, block) != *sum {
            return Err(ReadError::Corrupt);
        }
        let block: Arc<[u8]> = block.into();
        if is_kept {
            self.cache.add(place, Arc::clone(&block));
        }
        Ok(block)
    }

    /// Looks a row up by its key and the hash of that. `None`: older tables decide.
    pub(super) fn get(&self, key: &[u8], hash: u64) -> Result<Option<Row>, ReadError> {
        if self.index.blocks.is_empty() || !self.filter.may_have(hash) {
            return Ok(None);
        }
        block::find(&self.block(self.index.find(key), true)?, key)
    }
}

/// The rows of a table in a range.
pub(super) struct TableRange {
    table: Arc<Table>,
    bounds: Bounds,
    order: Order,
    /// The next block. `None`: there is none.
    next: Option<usize>,
    /// Rows of the last block that were not passed on yet, in the order of the range.
    rows: VecDeque<(RowKey, Held)>,
    is_kept: bool,
}

impl TableRange {
    /// `is_kept`: blocks that are read stay in memory.
    pub(super) fn new(table: Arc<Table>, bounds: Bounds, order: Order, is_kept: bool) -> Self {
        let (from, to) = &bounds;
        let last = table.index.blocks.len().checked_sub(1);
        let next = last.map(|last| match (order, from, to) {
            (Order::Forward, Bound::Included(key) | Bound::Excluded(key), _) => table.index.find(key),
            (Order::Forward, Bound::Unbounded, _) => 0,
            (Order::Reverse, _, Bound::Included(key) | Bound::Excluded(key)) => table.index.find(key),
            (Order::Reverse, _, Bound::Unbounded) => last,
        });
        Self { table, bounds, order, next, rows: VecDeque::new(), is_kept }
    }

    /// Returns the key of the next row.
    pub(super) fn peek(&mut self) -> Result<Option<RowKey>, ReadError> {
        while self.rows.is_empty() {
            let Some(number) = self.next else { return Ok(None) };
            let block = self.table.block(number, self.is_kept)?;
            let rows = block::within(&block, &self.bounds)?;
            let key = |number| self.table.index.key(number);
            self.next = match self.order {
                Order::Forward => {
                    self.rows.extend(rows);
                    let next = number + 1;
                    let is_over = |key: &[u8]| match &self.bounds.1 {
                        Bound::Included(to) | Bound::Excluded(to) => key > to.as_ref(),
                        Bound::Unbounded => false,
                    };
                    (next < self.table.index.blocks.len() && !is_over(key(next))).then_some(next)
                }
                Order::Reverse => {
                    self.rows.extend(rows.into_iter().rev());
                    let is_over = |key: &[u8]| match &self.bounds.0 {
                        Bound::Included(from) | Bound::Excluded(from) => key <= from.as_ref(),
                        Bound::Unbounded => false,
                    };
                    number.checked_sub(1).filter(|_| !is_over(key(number)))
                }
            };
        }
        Ok(self.rows.front().map(|(key, _)| *key))
    }

    /// Takes the row that was looked at.
    pub(super) fn take(&mut self) -> Option<Held> {
        self.rows.pop_front().map(|(_, held)| held)
    }
}
