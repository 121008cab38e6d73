//! Lists, newest first, in pages.
//!
//! A row of a list has no value; its place is `PRF(list, filter)(8) ‖ u64be(epoch microseconds) ‖ name(16)` below the kind
//! byte with the list bit.

use std::sync::Arc;

use bailiwick_model::pace::{RECORD, ahead};
use bailiwick_model::{Error, Result};
use bailiwick_store::{EngineFuture, Item, Place, ScanRequest};

use crate::errors;
use crate::rows::change::List;
use crate::rows::record_cache::Record;
use crate::rows::{self, Area, Name};
use crate::tenant::scope::Access;

/// The default number of items in a page.
pub const DEFAULT_LIMIT: usize = 100;
/// The greatest number.
const MAXIMUM_LIMIT: usize = 1000;

/// A page of a list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NamePage {
    /// The items, newest first, each with its time in epoch microseconds.
    pub names: Vec<(u64, Name)>,
    /// The cursor of the next page; `None` after the last.
    pub cursor: Option<String>,
}

/// A page of a list with the records of its items.
pub struct RecordPage {
    /// The time of each item in epoch microseconds, and its record: `None` if it was removed before its row in the list.
    pub records: Vec<(u64, Option<Arc<Record>>)>,
    /// The cursor of the next page; `None` after the last.
    pub cursor: Option<String>,
}

impl Access {
    /// Reads one page of a list.
    ///
    /// # Errors
    /// `InvalidInput` for a cursor of another list or tenant, or a limit outside 1 to 1,000.
    pub async fn page(&self, list: &List, limit: usize, cursor: Option<&str>) -> Result<NamePage> {
        check_limit(limit)?;
        let from = self.list_place(list, 0, Name([0; 16])).item;
        let prefix = from.first_chunk::<8>().copied().unwrap_or_default();
        let bound: [&[u8]; 3] = [b"list", &[list.kind as u8], &prefix];
        let end = self.list_place(list, u64::MAX, Name([0xff; 16])).item;
        let (to, skip) = match cursor {
            None => (end, None),
            Some(cursor) => {
                let last: Item = self.open_cursor(&bound, cursor)?;
                (last, Some(last))
            }
        };
        let wanted = limit + 1 + usize::from(skip.is_some());
        let request = scan(rows::list_kind(list.kind), from, to, wanted, self.now());
        let mut items = self.scanned(request, skip).await?;
        let more = items.len() > limit;
        items.truncate(limit);
        let cursor = match items.last() {
            Some(last) if more => Some(self.seal_cursor(&bound, last)?),
            _ => None,
        };
        Ok(NamePage { names: items.iter().filter_map(split).collect(), cursor })
    }

    /// Reads one page of a list with the records of its items. It has fewer than `limit` items if they are large; the cursor
    /// continues after the last of them.
    ///
    /// # Errors
    /// As [`Access::page`], and those of [`Access::read`].
    pub fn record_page<'a>(
        &'a self,
        list: &'a List,
        limit: usize,
        cursor: Option<&'a str>,
    ) -> EngineFuture<'a, Result<RecordPage>> {
        Box::pin(async move {
            let mut page = self.page(list, limit, cursor).await?;
            let names: Vec<Name> = page.names.iter().map(|(_, name)| *name).collect();
            let records = self.read_page(list.kind, Area::Record, &names).await?;
            if records.len() < page.names.len() {
                page.names.truncate(records.len());
                page.cursor =
                    page.names.last().map(|(micros, name)| self.cursor_at(list, *micros, *name)).transpose()?;
            }
            let micros = page.names.into_iter().map(|(micros, _)| micros);
            Ok(RecordPage { records: micros.zip(records).collect(), cursor: page.cursor })
        })
    }

    fn cursor_at(&self, list: &List, micros: u64, name: Name) -> Result<String> {
        let item = self.list_place(list, micros, name).item;
        let prefix = item.first_chunk::<8>().copied().unwrap_or_default();
        self.seal_cursor(&[b"list", &[list.kind as u8], &prefix], &item)
    }

    /// Returns the items after `last`, newest first, each with its time in epoch microseconds. For merging a list with other
    /// sources.
    ///
    /// # Errors
    /// `StoreUnavailable`, `StoreCorrupt`, `Closed`.
    pub async fn names_before(&self, list: &List, limit: usize, last: (u64, Name)) -> Result<Vec<(u64, Name)>> {
        let from = self.list_place(list, 0, Name([0; 16])).item;
        let to = self.list_place(list, last.0, last.1).item;
        let (kind, limit, now) = (rows::list_kind(list.kind), limit + 1, self.now());
        let items = self.scanned(scan(kind, from, to, limit, now), Some(to)).await?;
        Ok(items.iter().take(limit - 1).filter_map(split).collect())
    }

    async fn scanned(&self, request: ScanRequest, skip: Option<Item>) -> Result<Vec<Item>> {
        ahead(RECORD / 8 * request.limit as u64).await;
        let scanned = self.state.store.engine.scan(self.keys.tag, request).await.map_err(errors::read)?;
        Ok(scanned.rows.into_iter().map(|row| row.place.item).filter(|item| Some(*item) != skip).collect())
    }

    pub(crate) fn list_place(&self, list: &List, micros: u64, name: Name) -> Place {
        let hash = self.keys.list_names.hash(&[&[list.kind as u8], list.filter.as_bytes(), list.value.as_bytes()]);
        let mut item = [0; 32];
        let fields = hash.iter().take(8).copied().chain(micros.to_be_bytes()).chain(name.0);
        for (to, from) in item.iter_mut().zip(fields) {
            *to = from;
        }
        Place { kind: rows::list_kind(list.kind), item }
    }
}

/// The rows of a list have no values, so bytes are not limited.
fn scan(kind: u8, from: Item, to: Item, limit: usize, now: u64) -> ScanRequest {
    ScanRequest { kind, from, to, reverse: true, limit, most: u64::MAX, now }
}

/// Checks the limit of a page.
///
/// # Errors
/// `InvalidInput` unless it is from 1 to 1,000.
pub fn check_limit(limit: usize) -> Result<()> {
    if (1..=MAXIMUM_LIMIT).contains(&limit) {
        Ok(())
    } else {
        Err(Error::invalid(format!("limit must be a whole number from 1 to {MAXIMUM_LIMIT}, not {limit}.")))
    }
}

fn split(item: &Item) -> Option<(u64, Name)> {
    let (_, rest) = item.split_at_checked(8)?;
    let (micros, name) = rest.split_at_checked(8)?;
    Some((u64::from_be_bytes(micros.try_into().ok()?), Name(name.try_into().ok()?)))
}
