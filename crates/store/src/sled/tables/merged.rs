//! Several tables as one: of each key, the row of the newest table that has it.

use std::sync::Arc;

use ::sled::IVec;

use super::table::{Table, TableRange};
use crate::engine::ReadError;
use crate::sled::wal::batch::RowKey;
use crate::sled::wal::range::{Below, Order};
use crate::sled::wal::{Bounds, Held};

/// The rows of tables in a range, removed ones among them.
pub(super) struct Merged {
    /// The newest first.
    tables: Vec<TableRange>,
    order: Order,
}

impl Merged {
    /// `tables`: the newest first. `is_kept`: see [`TableRange::new`].
    pub(super) fn new(tables: &[Arc<Table>], bounds: Bounds, order: Order, is_kept: bool) -> Self {
        let range = |table: &Arc<Table>| TableRange::new(Arc::clone(table), bounds, order, is_kept);
        Self { tables: tables.iter().map(range).collect(), order }
    }

    /// Returns the next row. It is new if no table older than all of these has one of its key.
    pub(super) fn next(&mut self) -> Result<Option<(RowKey, Held)>, ReadError> {
        let mut first: Option<RowKey> = None;
        for table in &mut self.tables {
            first = match (first, table.peek()?) {
                (Some(first), Some(key)) if self.order == Order::Forward => Some(first.min(key)),
                (Some(first), Some(key)) => Some(first.max(key)),
                (first, key) => first.or(key),
            };
        }
        let Some(key) = first else { return Ok(None) };
        let mut found: Option<Held> = None;
        for table in &mut self.tables {
            if table.peek()? == Some(key) {
                let older = table.take();
                found = match (found, older) {
                    (Some(newest), Some(older)) => Some(Held { row: newest.row, is_new: older.is_new }),
                    (newest, older) => newest.or(older),
                };
            }
        }
        Ok(found.map(|held| (key, held)))
    }
}

/// The rows of all tables in a range.
pub(in crate::sled) struct Rows(pub(super) Merged);

impl Below for Rows {
    fn next(&mut self) -> Result<Option<(RowKey, IVec)>, ReadError> {
        while let Some((key, held)) = self.0.next()? {
            if let Some(row) = held.row {
                return Ok(Some((key, row)));
            }
        }
        Ok(None)
    }
}
