//! Journals: an item's entries in the order of their sequence.

use std::sync::Arc;

use bailiwick_model::pace::{RECORD, ahead};
use bailiwick_model::{Kind, Result};
use bailiwick_store::ScanRequest;

use crate::failure;
use crate::list::check_limit;
use crate::opened::Record;
use crate::row::{self, Area, Name};
use crate::scope::Access;

/// Which entries of a journal.
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
    /// Reads entries of an item's journal, past the cache of opened records.
    ///
    /// # Errors
    /// `StoreCorrupt`, `StoreUnavailable`, `Closed`.
    pub async fn entries(&self, kind: Kind, name: Name, wanted: Entries) -> Result<Vec<(u64, Arc<Record>)>> {
        let from = row::place(kind, Area::Entry(wanted.from), name);
        let to = row::place(kind, Area::Entry(wanted.to), name);
        let request = ScanRequest {
            kind: from.kind,
            from: from.item,
            to: to.item,
            reverse: wanted.reverse,
            limit: wanted.limit,
            now: self.now(),
        };
        let rows = self.state.store.engine.scan(self.keys.tag, request).await.map_err(failure::read)?;
        let mut entries = Vec::with_capacity(rows.len());
        for row in rows {
            ahead(RECORD + row.value.len() as u64).await;
            if let Some(body) = self.open_row(&row.place, &row.value)? {
                let record = Record { version: row.version, expires_at: row.expires_at, body };
                entries.push((row::sequence(&row.place), Arc::new(record)));
            }
        }
        Ok(entries)
    }

    /// One page of a journal, oldest first: the entries from the cursor on, and where the next page begins.
    ///
    /// # Errors
    /// `InvalidInput` for a cursor that is not this tenant's and this journal's, or a limit outside 1 to 1,000.
    pub async fn entry_page(&self, kind: Kind, name: Name, limit: usize, cursor: Option<&str>) -> Result<EntryPage> {
        check_limit(limit)?;
        let from = match cursor {
            None => 0,
            Some(cursor) => self.open_position(kind, name, cursor)?,
        };
        let wanted = Entries { from, to: u64::MAX, reverse: false, limit: limit + 1 };
        let mut entries = self.entries(kind, name, wanted).await?;
        let next = if entries.len() > limit { entries.pop() } else { None };
        let cursor = match next {
            Some((sequence, _)) => Some(self.seal_position(kind, name, sequence)?),
            None => None,
        };
        Ok(EntryPage { entries, cursor })
    }

    /// A cursor for a position in an item's journal.
    ///
    /// # Errors
    /// `StoreCorrupt` if it cannot be sealed.
    pub fn seal_position(&self, kind: Kind, name: Name, position: u64) -> Result<String> {
        self.seal_cursor(&[b"journal", &[kind as u8], &name.0], &position.to_be_bytes())
    }

    /// The position in a cursor that was given out for the same journal.
    ///
    /// # Errors
    /// `InvalidInput` for every other cursor.
    pub fn open_position(&self, kind: Kind, name: Name, cursor: &str) -> Result<u64> {
        Ok(u64::from_be_bytes(self.open_cursor(&[b"journal", &[kind as u8], &name.0], cursor)?))
    }
}

/// A page of a journal.
pub struct EntryPage {
    /// The entries, oldest first, each with its sequence.
    pub entries: Vec<(u64, Arc<Record>)>,
    /// Where the next page begins; `None` after the last.
    pub cursor: Option<String>,
}
