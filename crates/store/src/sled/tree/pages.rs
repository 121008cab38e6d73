//! The pages of a store: a tree of sled, beside that of the other rows. The key of a page is a lower bound of its rows' keys; the next page's
//! key ends it.
//!
//! A page that is split is written after those that take its rows, and a page that goes away after the one before it was freed of rows that
//! it may still have from such a split. So whatever prefix of these writes a crash leaves: a row at or after the next page's key does not
//! count, and none comes back.
//!
//! sled changes one row at a time, and looks for the row before a key in two steps. So readers are kept out while a page is written: they
//! always find each row in the page that its key belongs to.

use std::collections::VecDeque;
use std::ops::Bound;

use ::sled::{IVec, Tree};
use parking_lot::RwLock;

use super::page::{PAGE_BYTES, PageRows, ROW_BYTES, decode, encode, encode_whole, find};
use crate::engine::ReadError;
use crate::sled::wal::Bounds;
use crate::sled::wal::batch::{Row, RowKey};
use crate::sled::wal::range::Order;

/// A page with more bytes than this is written before more is added to it.
const MOST_PAGE_BYTES: usize = 16 * PAGE_BYTES;
/// What a removal from sled counts as written: its share of a leaf.
pub(super) const REMOVAL_BYTES: u64 = 256;

/// See the module.
pub(super) struct Pages {
    tree: Tree,
    /// Readers look pages up under it, and a page is written under it.
    whole: RwLock<()>,
}

/// A page that was found.
struct Page {
    start: IVec,
    bytes: IVec,
    /// The key of the next page.
    end: Option<IVec>,
}

fn decoded(page: &[u8]) -> Result<Vec<(RowKey, IVec)>, ReadError> {
    decode(page).ok_or(ReadError::Corrupt)
}

fn is_before(key: &RowKey, end: Option<&IVec>) -> bool {
    end.is_none_or(|end| key.as_ref() < end.as_ref())
}

impl Pages {
    pub(super) const fn new(tree: Tree) -> Self {
        Self { tree, whole: RwLock::new(()) }
    }

    /// Returns the last page that starts at or before a bound.
    fn last(&self, bound: Bound<&[u8]>) -> Result<Option<Page>, ReadError> {
        let found = self.tree.range::<&[u8], _>((Bound::Unbounded, bound)).next_back().transpose()?;
        let Some((start, bytes)) = found else { return Ok(None) };
        let end = self.tree.get_gt(&start)?.map(|(end, _)| end);
        Ok(Some(Page { start, bytes, end }))
    }

    /// Returns the page of a key; the first page if all begin later.
    fn last_or_first(&self, key: &[u8]) -> Result<Option<Page>, ReadError> {
        if let Some(page) = self.last(Bound::Included(key))? {
            return Ok(Some(page));
        }
        let Some((first, _)) = self.tree.first()? else { return Ok(None) };
        self.last(Bound::Included(&first))
    }

    /// Looks a row up.
    pub(super) fn get(&self, key: &[u8]) -> Result<Option<IVec>, ReadError> {
        let guard = self.whole.read();
        let page = self.tree.range::<&[u8], _>(..=key).next_back().transpose()?;
        drop(guard);
        page.map_or(Ok(None), |(_, bytes)| find(&bytes, key).ok_or(ReadError::Corrupt))
    }

    /// Returns the rows in a range.
    pub(super) const fn range(&self, bounds: Bounds, order: Order) -> PageRange {
        PageRange { bounds, order, rows: VecDeque::new(), is_over: false }
    }
}

/// A page that is changed.
struct Changed {
    start: IVec,
    /// The key of the next page.
    end: Option<IVec>,
    rows: PageRows,
    bytes: usize,
    /// The last key that it had.
    last: Option<RowKey>,
    is_appended: bool,
}

/// Writes changes, which come in order of keys.
#[derive(Default)]
pub(super) struct PageWriter {
    page: Option<Changed>,
    written: u64,
}

impl PageWriter {
    /// Returns the bytes written to sled so far.
    pub(super) const fn written(&self) -> u64 {
        self.written
    }

    /// Adds a change. The page before is written once a key is beyond it, or it has become large.
    pub(super) fn change(&mut self, pages: &Pages, key: &RowKey, row: &Row) -> Result<(), ReadError> {
        let is_done = |page: &Changed| page.bytes > MOST_PAGE_BYTES || !is_before(key, page.end.as_ref());
        if self.page.as_ref().is_some_and(is_done) {
            self.finish(pages)?;
        }
        let page = match &mut self.page {
            Some(page) => page,
            None => self.page.insert(load(pages, key)?),
        };
        page.is_appended &= page.last.is_none_or(|last| *key > last);
        match row {
            Some(row) => {
                page.bytes = page.bytes.saturating_add(ROW_BYTES + key.len() + row.len());
                page.rows.insert(*key, row.clone())
            }
            None => page.rows.remove(key),
        };
        Ok(())
    }

    /// Writes the page at hand.
    pub(super) fn finish(&mut self, pages: &Pages) -> Result<(), ReadError> {
        let Some(page) = self.page.take() else { return Ok(()) };
        let mut parts = encode(&page.rows, page.is_appended).ok_or(ReadError::Corrupt)?;
        let _guard = pages.whole.write();
        if parts.is_empty() {
            return self.remove(&pages.tree, &page.start);
        }
        // The rightmost first; the one that takes the place of the old page last.
        let first = parts.remove(0).1;
        for (start, bytes) in parts.into_iter().rev() {
            self.insert(&pages.tree, start.as_ref(), bytes)?;
        }
        self.insert(&pages.tree, &page.start, first)
    }

    fn insert(&mut self, pages: &Tree, key: &[u8], bytes: Vec<u8>) -> Result<(), ReadError> {
        self.written = self.written.saturating_add((key.len() + bytes.len()) as u64);
        pages.insert(key, bytes)?;
        Ok(())
    }

    /// Removes an empty page. The one before it then reaches further: rows that a split has left in it must go first.
    fn remove(&mut self, pages: &Tree, start: &IVec) -> Result<(), ReadError> {
        if let Some((before, bytes)) = pages.get_lt(start)? {
            let rows = decoded(&bytes)?;
            let count = rows.len();
            let rows: PageRows = rows.into_iter().filter(|(key, _)| is_before(key, Some(start))).collect();
            if rows.len() < count {
                self.insert(pages, &before, encode_whole(&rows).ok_or(ReadError::Corrupt)?)?;
            }
        }
        self.written = self.written.saturating_add(REMOVAL_BYTES);
        pages.remove(start)?;
        Ok(())
    }
}

/// Reads the page that a key belongs to. The first page of all has an empty key.
fn load(pages: &Pages, key: &RowKey) -> Result<Changed, ReadError> {
    let (start, end, rows) = match pages.last(Bound::Included(key.as_ref()))? {
        Some(page) => (page.start, page.end, decoded(&page.bytes)?),
        None => (IVec::default(), pages.tree.first()?.map(|(first, _)| first), Vec::new()),
    };
    let rows: PageRows = rows.into_iter().filter(|(key, _)| is_before(key, end.as_ref())).collect();
    let last = rows.last_key_value().map(|(last, _)| *last);
    Ok(Changed { start, end, rows, bytes: 0, last, is_appended: true })
}

/// The packed rows in a range.
pub(super) struct PageRange {
    /// What is left.
    bounds: Bounds,
    order: Order,
    /// Rows of the page at hand, in the order of the range.
    rows: VecDeque<(RowKey, IVec)>,
    is_over: bool,
}

impl PageRange {
    /// Returns the next row.
    pub(super) fn next(&mut self, pages: &Pages) -> Result<Option<(RowKey, IVec)>, ReadError> {
        while self.rows.is_empty() && !self.is_over {
            self.read_page(pages)?;
        }
        Ok(self.rows.pop_front())
    }

    /// Takes the rows of the next page, and leaves what is beyond it.
    fn read_page(&mut self, pages: &Pages) -> Result<(), ReadError> {
        let guard = pages.whole.read();
        let page = match (self.order, &self.bounds) {
            (Order::Forward, (Bound::Included(from) | Bound::Excluded(from), _)) => pages.last_or_first(from),
            (Order::Forward, (Bound::Unbounded, _)) => pages.last_or_first(&[]),
            (Order::Reverse, (_, to)) => pages.last(to.as_ref().map(AsRef::as_ref)),
        }?;
        drop(guard);
        let Some(Page { start, bytes, end }) = page else {
            self.is_over = true;
            return Ok(());
        };
        self.is_over = start.is_empty() && self.order == Order::Reverse;
        let is_inside = |(key, _): &(RowKey, IVec)| {
            is_before(key, end.as_ref()) && std::ops::RangeBounds::contains(&self.bounds, key)
        };
        let rows = decoded(&bytes)?.into_iter().filter(is_inside);
        match self.order {
            Order::Forward => self.rows.extend(rows),
            Order::Reverse => self.rows.extend(rows.rev()),
        }
        let known = |key: &IVec| RowKey::new(key).ok_or(ReadError::Corrupt);
        match (self.order, end) {
            (Order::Forward, Some(end)) => self.bounds.0 = Bound::Included(known(&end)?),
            (Order::Forward, None) => self.is_over = true,
            (Order::Reverse, _) => self.bounds.1 = Bound::Excluded(known(&start)?),
        }
        self.is_over |= crate::sled::wal::range::is_empty(&self.bounds);
        Ok(())
    }
}
