//! Ranges over the rows of the log and those of the tables.

use std::collections::VecDeque;
use std::ops::Bound;
use std::sync::Arc;

use ::sled::IVec;

use super::batch::{Row, RowKey};
use super::overlay::{Bounds, Held, Round};
use crate::engine::ReadError;

/// The rows of a round that are taken under one lock.
const AT_ONCE: usize = 16;

/// The direction of a range.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::sled) enum Order {
    Forward,
    Reverse,
}

/// What holds the rows below the log.
pub(in crate::sled) trait Below {
    /// Returns the next row in the order of the range.
    fn next(&mut self) -> Result<Option<(RowKey, IVec)>, ReadError>;
}

/// Whether no key lies between two bounds: maps panic at some of those.
pub(in crate::sled) fn is_empty(bounds: &Bounds) -> bool {
    match bounds {
        (Bound::Included(from), Bound::Included(to)) => from > to,
        (Bound::Included(from) | Bound::Excluded(from), Bound::Included(to) | Bound::Excluded(to)) => from >= to,
        _ => false,
    }
}

/// The rows of one round within bounds.
struct Layer {
    round: Arc<Round>,
    bounds: Bounds,
    /// Rows that were taken and not yet passed on.
    taken: VecDeque<(RowKey, Row)>,
    is_over: bool,
}

impl Layer {
    /// The next row, without passing it on.
    fn peek(&mut self, order: Order) -> Option<RowKey> {
        if self.taken.is_empty() && !self.is_over {
            self.take(order);
        }
        self.taken.front().map(|(key, _)| *key)
    }

    fn take(&mut self, order: Order) {
        if is_empty(&self.bounds) {
            self.is_over = true;
            return;
        }
        let rows = self.round.rows();
        let range = rows.range(self.bounds);
        let owned = |(key, held): (&RowKey, &Held)| (*key, held.row.clone());
        match order {
            Order::Forward => self.taken.extend(range.take(AT_ONCE).map(owned)),
            Order::Reverse => self.taken.extend(range.rev().take(AT_ONCE).map(owned)),
        }
        drop(rows);
        self.is_over = self.taken.len() < AT_ONCE;
        if let Some((last, _)) = self.taken.back() {
            match order {
                Order::Forward => self.bounds.0 = Bound::Excluded(*last),
                Order::Reverse => self.bounds.1 = Bound::Excluded(*last),
            }
        }
    }
}

/// A range in one direction. It shows every row that was there when it began and was not removed since; of rows that change meanwhile, an
/// earlier or a later state.
pub(in crate::sled) struct Range<B> {
    /// The newest first.
    layers: Vec<Layer>,
    below: B,
    /// The next row of `below`, if it was read already.
    read: Option<Option<(RowKey, IVec)>>,
    order: Order,
}

impl<B: Below> Range<B> {
    /// `rounds` must have been taken before `below` was opened.
    pub(super) fn new(rounds: Vec<Arc<Round>>, below: B, bounds: Bounds, order: Order) -> Self {
        let layer = |round| Layer { round, bounds, taken: VecDeque::new(), is_over: false };
        Self { layers: rounds.into_iter().map(layer).collect(), below, read: None, order }
    }

    /// Returns the next row.
    pub(in crate::sled) fn next(&mut self) -> Result<Option<(RowKey, IVec)>, ReadError> {
        if self.layers.is_empty() {
            return self.below.next();
        }
        loop {
            let below = match &self.read {
                Some(read) => read.as_ref(),
                None => self.read.insert(self.below.next()?).as_ref(),
            };
            let mut first = below.map(|(key, _)| *key);
            for layer in &mut self.layers {
                first = match (first, layer.peek(self.order)) {
                    (Some(first), Some(key)) if self.order == Order::Forward => Some(first.min(key)),
                    (Some(first), Some(key)) => Some(first.max(key)),
                    (first, key) => first.or(key),
                };
            }
            let Some(first) = first else { return Ok(None) };
            // The newest layer that has the row decides; the others move on, too.
            let mut found: Option<Row> = None;
            for layer in &mut self.layers {
                if layer.taken.front().is_some_and(|(key, _)| *key == first) {
                    let row = layer.taken.pop_front().map(|(_, row)| row);
                    found = found.or(row);
                }
            }
            if self.read.as_ref().is_some_and(|read| read.as_ref().is_some_and(|(key, _)| *key == first)) {
                let read = self.read.take().flatten().map(|(_, row)| Some(row));
                found = found.or(read);
            }
            if let Some(Some(row)) = found {
                return Ok(Some((first, row)));
            }
        }
    }
}
