//! Writing a table.

use std::fs::File;
use std::io;
use std::sync::Arc;

use super::block::Encoder;
use super::cache::Cache;
use super::filter::{self, Filter};
use super::table::{Counts, Identity, Index, MAGIC, MOST_TAIL_BYTES, Table, block_sum, first_of};
use crate::sled::lock::system;
use crate::sled::wal::Held;
use crate::sled::wal::batch::RowKey;

/// The bytes that are written at once.
const BUFFER_BYTES: usize = 256 * 1024;
/// The bytes that are written between two syncs: with much more the disk is busy for so long that a commit seems to hang.
const SYNC_EVERY: u64 = 8 * 1024 * 1024;

/// See the module.
pub(super) struct TableWriter {
    file: File,
    number: u64,
    block: Encoder,
    /// The shortest key that the block at hand may begin with.
    first: Option<RowKey>,
    last: Option<RowKey>,
    buffer: Vec<u8>,
    /// Bytes written before those of the buffer.
    written: u64,
    synced: u64,
    index: Index,
    filter: Filter,
    counts: Counts,
}

fn invalid() -> io::Error {
    io::ErrorKind::InvalidData.into()
}

/// The shortest key after `last` that is not after `key`.
fn separator(last: Option<&RowKey>, key: &RowKey) -> Option<RowKey> {
    let shared = last.map_or(0, |last| last.iter().zip(key.iter()).take_while(|(one, other)| one == other).count());
    key.get(..=shared).and_then(RowKey::new)
}

impl TableWriter {
    /// Begins a table in an empty file, for at most `most_rows` rows.
    pub(super) fn new(file: File, number: u64, most_rows: u64) -> Self {
        Self {
            file,
            number,
            block: Encoder::default(),
            first: None,
            last: None,
            buffer: Vec::new(),
            written: 0,
            synced: 0,
            index: Index::default(),
            filter: Filter::new(most_rows),
            counts: Counts::default(),
        }
    }

    pub(super) const fn file(&self) -> &File {
        &self.file
    }

    /// Adds a row. Rows come in order of their keys.
    pub(super) fn push(&mut self, key: &RowKey, held: &Held) -> io::Result<()> {
        if self.block.is_full(key, held) {
            self.end_block()?;
        }
        if self.first.is_none() {
            self.first = separator(self.last.as_ref(), key);
        }
        self.block.push(key, held).ok_or_else(invalid)?;
        self.last = Some(*key);
        self.filter.add(filter::hash(key));
        self.counts.rows += 1;
        self.counts.replacing += u64::from(!held.is_new);
        self.counts.removed += u64::from(held.row.is_none());
        Ok(())
    }

    fn end_block(&mut self) -> io::Result<()> {
        let Some(first) = self.first.take() else { return Ok(()) };
        let offset = self.bytes();
        self.index.push(&first, offset);
        self.buffer.extend_from_slice(&block_sum(self.number, offset, &self.block.bytes));
        self.buffer.extend_from_slice(&self.block.bytes);
        self.block.clear();
        if self.buffer.len() >= BUFFER_BYTES { self.write() } else { Ok(()) }
    }

    fn write(&mut self) -> io::Result<()> {
        system::write_all_at(&self.file, &self.buffer, self.written)?;
        self.written = self.bytes();
        self.buffer.clear();
        if self.written - self.synced >= SYNC_EVERY {
            self.synced = self.written;
            self.file.sync_data()?;
        }
        Ok(())
    }

    /// Returns the bytes so far.
    pub(super) fn bytes(&self) -> u64 {
        self.written.saturating_add(self.buffer.len() as u64)
    }

    /// Writes the rest durably. `None` if there are no rows.
    pub(super) fn finish(mut self, cache: Arc<Cache>) -> io::Result<Option<Table>> {
        self.end_block()?;
        if self.counts.rows == 0 {
            return Ok(None);
        }
        self.write()?;
        let end = self.written;
        let mut from = 0;
        for (to, offset) in &self.index.blocks {
            let key = self.index.keys.get(from..*to as usize).ok_or_else(invalid)?;
            self.buffer.push(u8::try_from(key.len()).map_err(|_| invalid())?);
            self.buffer.extend_from_slice(key);
            self.buffer.extend_from_slice(&offset.to_be_bytes());
            from = *to as usize;
        }
        let filter_at = self.bytes();
        self.filter.fit(self.counts.rows);
        self.filter.encode(&mut self.buffer);
        self.buffer.extend_from_slice(&MAGIC);
        let Counts { rows, replacing, removed } = self.counts;
        for number in [self.number, rows, replacing, removed, end, filter_at] {
            self.buffer.extend_from_slice(&number.to_be_bytes());
        }
        let sum = first_of(&blake3::hash(&self.buffer));
        self.buffer.extend_from_slice(&sum);
        if self.buffer.len() as u64 > MOST_TAIL_BYTES {
            return Err(io::ErrorKind::FileTooLarge.into());
        }
        self.write()?;
        self.file.sync_all()?;
        let identity = Identity { number: self.number, bytes: self.written, sum };
        let Self { file, counts, index, filter, .. } = self;
        Ok(Some(Table { identity, counts, file, index, filter, end, cache }))
    }
}
