//! The rows of an export one by one, and the comparison of two exports.

use bailiwick_model::Result;
use bailiwick_store::{Engine, Export, Exported, Place, Row, Tag};

use crate::errors;

/// A row with everything that its copy must equal.
pub(super) struct ExportedRow {
    pub(super) tag: Tag,
    pub(super) row: Row,
    pub(super) counted: Option<u64>,
}

impl ExportedRow {
    /// Returns the sort key of an export.
    pub(super) fn key(&self) -> (Tag, Place) {
        (self.tag, self.row.place)
    }

    /// Whether both rows are equal but for their versions, which an engine assigns itself.
    pub(super) fn equals(&self, other: &Self) -> bool {
        self.key() == other.key()
            && self.counted == other.counted
            && self.row.expires_at == other.row.expires_at
            && self.row.value == other.row.value
    }
}

/// The next part of an export.
pub(super) enum Next {
    /// A row, in the order of keys.
    Row(ExportedRow),
    Wake(Exported),
    /// A row out of order: it was written after the export began.
    Changed,
    End,
}

/// An export that is read row by row.
pub(super) struct Rows {
    export: Box<dyn Export>,
    part: std::vec::IntoIter<Exported>,
    last: Option<(Tag, Place)>,
}

impl Rows {
    pub(super) async fn of(engine: &dyn Engine) -> Result<Self> {
        let export = engine.export().await.map_err(errors::read)?;
        Ok(Self { export, part: Vec::new().into_iter(), last: None })
    }

    pub(super) async fn next(&mut self) -> Result<Next> {
        let exported = match self.part.next() {
            Some(exported) => exported,
            None => {
                self.part = self.export.next().await.map_err(errors::read)?.into_iter();
                let Some(first) = self.part.next() else { return Ok(Next::End) };
                first
            }
        };
        Ok(match exported {
            Exported::Row { tag, row, counted } => {
                let kept = ExportedRow { tag, row, counted };
                let is_next = self.last.is_none_or(|last| last < kept.key());
                self.last = Some(kept.key());
                if is_next { Next::Row(kept) } else { Next::Changed }
            }
            Exported::Gone { .. } => Next::Changed,
            wake @ Exported::Wake { .. } => Next::Wake(wake),
        })
    }
}

/// The rows of a copy, which are compared with those of the original: an export with one row of look-ahead.
pub(super) struct CopiedRows {
    rows: Option<Rows>,
    next: Option<ExportedRow>,
}

impl CopiedRows {
    /// `is_empty`: there are no rows to read.
    pub(super) async fn of(engine: &dyn Engine, is_empty: bool) -> Result<Self> {
        let mut copy = Self { rows: if is_empty { None } else { Some(Rows::of(engine).await?) }, next: None };
        copy.advance().await?;
        Ok(copy)
    }

    /// Takes the next row if it lies before `key`, or if there is no key.
    pub(super) async fn take_before(&mut self, key: Option<(Tag, Place)>) -> Result<Option<ExportedRow>> {
        if self.next.as_ref().is_some_and(|row| key.is_none_or(|key| row.key() < key)) {
            return self.advance().await;
        }
        Ok(None)
    }

    /// Takes the next row if it has this key. The rows before must have been taken.
    pub(super) async fn take_at(&mut self, key: (Tag, Place)) -> Result<Option<ExportedRow>> {
        if self.next.as_ref().is_some_and(|row| row.key() == key) {
            return self.advance().await;
        }
        Ok(None)
    }

    /// Takes the next row. Rows out of order come last, and were written by this migration: they are not read again.
    async fn advance(&mut self) -> Result<Option<ExportedRow>> {
        let taken = self.next.take();
        while let Some(rows) = &mut self.rows {
            match rows.next().await? {
                Next::Row(row) => {
                    self.next = Some(row);
                    break;
                }
                Next::Wake(_) => {}
                Next::Changed | Next::End => self.rows = None,
            }
        }
        Ok(taken)
    }
}
