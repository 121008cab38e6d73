//! The rows of an export one by one, and where two of them differ.

use bailiwick_model::Result;
use bailiwick_store::{Engine, Export, Exported, Place, Row, Tag};

use crate::failure;

/// A row with everything that a copy of it must have.
pub(super) struct Kept {
    pub(super) tag: Tag,
    pub(super) row: Row,
    pub(super) counted: Option<u64>,
}

impl Kept {
    /// Rows lie in the order of these.
    pub(super) fn key(&self) -> (Tag, Place) {
        (self.tag, self.row.place)
    }

    /// Whether it says the same in the same place. Versions mean nothing elsewhere.
    pub(super) fn is_like(&self, other: &Self) -> bool {
        self.key() == other.key()
            && self.counted == other.counted
            && self.row.expires_at == other.row.expires_at
            && self.row.value == other.row.value
    }
}

/// What comes next.
pub(super) enum Next {
    /// A row, in the order of keys.
    Row(Kept),
    /// Something to do at a time, whether rows expire or not.
    Wake(Exported),
    /// What was written since the export began: rows out of their order.
    Changed,
    Nothing,
}

/// An export that is read from its beginning to its end.
pub(super) struct Rows {
    export: Box<dyn Export>,
    part: std::vec::IntoIter<Exported>,
    last: Option<(Tag, Place)>,
}

impl Rows {
    pub(super) async fn of(engine: &dyn Engine) -> Result<Self> {
        let export = engine.export().await.map_err(failure::read)?;
        Ok(Self { export, part: Vec::new().into_iter(), last: None })
    }

    pub(super) async fn next(&mut self) -> Result<Next> {
        let exported = match self.part.next() {
            Some(exported) => exported,
            None => {
                self.part = self.export.next().await.map_err(failure::read)?.into_iter();
                let Some(first) = self.part.next() else { return Ok(Next::Nothing) };
                first
            }
        };
        Ok(match exported {
            Exported::Row { tag, row, counted } => {
                let kept = Kept { tag, row, counted };
                let is_next = self.last.is_none_or(|last| last < kept.key());
                self.last = Some(kept.key());
                if is_next { Next::Row(kept) } else { Next::Changed }
            }
            Exported::Gone { .. } => Next::Changed,
            wake @ Exported::Wake { .. } => Next::Wake(wake),
        })
    }
}

/// The rows of a copy beside those of what it is a copy of, with one of them at hand.
pub(super) struct Copy {
    rows: Option<Rows>,
    at_hand: Option<Kept>,
}

impl Copy {
    /// `is_empty`: there is nothing to read.
    pub(super) async fn of(engine: &dyn Engine, is_empty: bool) -> Result<Self> {
        let mut copy = Self { rows: if is_empty { None } else { Some(Rows::of(engine).await?) }, at_hand: None };
        copy.advance().await?;
        Ok(copy)
    }

    /// The next row if it lies before `key`, or there is no key; then it is at hand no more.
    pub(super) async fn before(&mut self, key: Option<(Tag, Place)>) -> Result<Option<Kept>> {
        if self.at_hand.as_ref().is_some_and(|row| key.is_none_or(|key| row.key() < key)) {
            return self.advance().await;
        }
        Ok(None)
    }

    /// The row in this place; then it is at hand no more. Those before must have been taken.
    pub(super) async fn at(&mut self, key: (Tag, Place)) -> Result<Option<Kept>> {
        if self.at_hand.as_ref().is_some_and(|row| row.key() == key) {
            return self.advance().await;
        }
        Ok(None)
    }

    /// Takes what is at hand. What was written meanwhile comes last, out of order, and is ours: it need not be read again.
    async fn advance(&mut self) -> Result<Option<Kept>> {
        let taken = self.at_hand.take();
        while let Some(rows) = &mut self.rows {
            match rows.next().await? {
                Next::Row(row) => {
                    self.at_hand = Some(row);
                    break;
                }
                Next::Wake(_) => {}
                Next::Changed | Next::Nothing => self.rows = None,
            }
        }
        Ok(taken)
    }
}
