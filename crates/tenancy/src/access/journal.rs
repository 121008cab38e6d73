//! Journals: the entries of an item, ordered by sequence.

use std::sync::Arc;

use bailiwick_model::pace::{RECORD, ahead};
use bailiwick_model::{Kind, Result};
use bailiwick_store::ScanRequest;

use crate::access::list::check_limit;
use crate::access::reading::PAGE_BYTES;
use crate::errors;
use crate::rows::record_cache::Record;
use crate::rows::{self, Area, Name};
use crate::tenant::scope::Access;

/// A range of entries in a journal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Entries {
    /// The first sequence, inclusive.
    pub from: u64,
    /// The last sequence, inclusive.
    pub to: u64,
    /// From `to` down to `from`.
    pub reverse: bool,
    /// The most entries to read.
    pub limit: usize,
}

impl Access {
    /// Reads entries of an item's journal, past the record cache.
    ///
    /// # Errors
    /// As [`Access::read`].
    pub async fn entries(&self, kind: Kind, name: Name, wanted: Entries) -> Result<Vec<(u64, Arc<Record>)>> {
        let mut wanted = wanted;
        let mut entries = Vec::new();
        loop {
            let part = self.part(kind, name, wanted, PAGE_BYTES).await?;
            let last = part.entries.last().map(|(sequence, _)| *sequence).filter(|_| part.more);
            wanted.limit -= part.entries.len().min(wanted.limit);
            entries.extend(part.entries);
            let next = last.and_then(|last| {
                if wanted.reverse {
                    Some(Entries { to: last.checked_sub(1)?, ..wanted })
                } else {
                    Some(Entries { from: last.checked_add(1)?, ..wanted })
                }
            });
            match next {
                Some(next) if next.from <= next.to && next.limit > 0 => wanted = next,
                _ => return Ok(entries),
            }
        }
    }

    /// Reads the first of these entries: as many as fit in `most` bytes and the tenant's limit, at least one.
    ///
    /// # Errors
    /// As [`Access::read`], if the first exceeds the tenant's limit.
    pub async fn part(&self, kind: Kind, name: Name, wanted: Entries, most: u64) -> Result<Part> {
        let mut most = self.reserve_part(most);
        loop {
            let (part, beyond) = self.scanned_entries(kind, name, wanted, most).await?;
            match beyond {
                Some(bytes) if part.is_empty() => {
                    self.reserve(bytes.saturating_sub(most))?;
                    most = bytes.max(most);
                }
                _ => {
                    let read = part.iter().map(|(_, record)| record.body.len() as u64).sum();
                    self.give_back(most.saturating_sub(read));
                    return Ok(Part { entries: part, more: beyond.is_some() });
                }
            }
        }
    }

    async fn scanned_entries(
        &self,
        kind: Kind,
        name: Name,
        wanted: Entries,
        most: u64,
    ) -> Result<(Vec<(u64, Arc<Record>)>, Option<u64>)> {
        let from = rows::place(kind, Area::Entry(wanted.from), name);
        let to = rows::place(kind, Area::Entry(wanted.to), name);
        let request = ScanRequest {
            kind: from.kind,
            from: from.item,
            to: to.item,
            reverse: wanted.reverse,
            limit: wanted.limit,
            most,
            now: self.now(),
        };
        let scanned = self.state.store.engine.scan(self.keys.tag, request).await.map_err(errors::read)?;
        let mut entries = Vec::with_capacity(scanned.rows.len());
        for row in scanned.rows {
            ahead(RECORD + row.value.len() as u64).await;
            if let Some(body) = self.open_row(&row.place, &row.value)? {
                let record = Record { version: row.version, expires_at: row.expires_at, body };
                entries.push((rows::sequence(&row.place), Arc::new(record)));
            }
        }
        Ok((entries, scanned.beyond))
    }

    /// Reads one page of a journal, oldest first, from the cursor on. It has fewer than `limit` entries if they are large.
    ///
    /// # Errors
    /// `InvalidInput` for a cursor of another journal or tenant, or a limit outside 1 to 1,000; those of [`Access::read`].
    pub async fn entry_page(&self, kind: Kind, name: Name, limit: usize, cursor: Option<&str>) -> Result<EntryPage> {
        check_limit(limit)?;
        let from = match cursor {
            None => 0,
            Some(cursor) => self.open_position(kind, name, cursor)?,
        };
        let wanted = Entries { from, to: u64::MAX, reverse: false, limit: limit + 1 };
        let Part { mut entries, more } = self.part(kind, name, wanted, PAGE_BYTES).await?;
        let next = if entries.len() > limit { entries.pop().map(|(sequence, _)| sequence) } else { None };
        // Sequences have no gaps; if there were one, the next page would begin after it.
        let next = next.or_else(|| entries.last().filter(|_| more).map(|(last, _)| last + 1));
        let cursor = match next {
            Some(sequence) => Some(self.seal_position(kind, name, sequence)?),
            None => None,
        };
        Ok(EntryPage { entries, cursor })
    }

    /// Returns a cursor for a position in an item's journal.
    ///
    /// # Errors
    /// `StoreCorrupt` if it cannot be sealed.
    pub fn seal_position(&self, kind: Kind, name: Name, position: u64) -> Result<String> {
        self.seal_cursor(&[b"journal", &[kind as u8], &name.0], &position.to_be_bytes())
    }

    /// Returns the position in a cursor of the same journal.
    ///
    /// # Errors
    /// `InvalidInput` for any other cursor.
    pub fn open_position(&self, kind: Kind, name: Name, cursor: &str) -> Result<u64> {
        Ok(u64::from_be_bytes(self.open_cursor(&[b"journal", &[kind as u8], &name.0], cursor)?))
    }
}

/// The first entries of a range.
pub struct Part {
    /// The entries, each with its sequence.
    pub entries: Vec<(u64, Arc<Record>)>,
    /// Whether the range has more.
    pub more: bool,
}

/// A page of a journal.
pub struct EntryPage {
    /// The entries, oldest first, each with its sequence.
    pub entries: Vec<(u64, Arc<Record>)>,
    /// The start of the next page; `None` after the last.
    pub cursor: Option<String>,
}
