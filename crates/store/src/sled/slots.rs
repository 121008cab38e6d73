//! When which kinds of which tags have something to do. Rows that expire at about the same time share a slot, and a slot
//! is one row of the tree, written with the first of them: so an expiry costs a put next to nothing.
//!
//! A slot's key names its end, its value the earliest time in it. What an [`crate::Op::Wake`] asks for is a slot of its
//! own, because no row would tell of it again.

use std::collections::{BTreeSet, HashMap};

use ::sled::Batch;

use super::entry::{decode_slot, encode_slot, slot_key};
use super::tree::Tree;
use crate::engine::{Due, Millis, ReadError};

/// The length of slots that are less than a day away.
const MINUTE: Millis = 60 * 1000;
/// The length of all others, and the longest there is.
pub(super) const LONGEST: Millis = 60 * MINUTE;
const SOON: Millis = 24 * LONGEST;
/// So many slots are kept at hand.
const AT_HAND: usize = 16_384;

/// One slot of a kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) struct Slot {
    /// From when on nothing new can come into it.
    pub(super) end: Millis,
    /// What has something to do.
    pub(super) due: Due,
}

impl Slot {
    /// The slot of a row that expires then.
    fn of_row(at: Millis, now: Millis, due: Due) -> Self {
        let length = if at.saturating_sub(now) < SOON { MINUTE } else { LONGEST };
        Self { end: (at / length).saturating_add(1).saturating_mul(length), due }
    }
}

/// The slots as the committer knows them.
#[derive(Default)]
pub(super) struct Slots {
    known: HashMap<Slot, Noted>,
    changed: BTreeSet<Slot>,
    /// What was known before this version is forgotten.
    forgotten: u64,
}

#[derive(Clone, Copy)]
struct Noted {
    earliest: Millis,
    /// The version of the last commit that wanted it.
    version: u64,
}

impl Slots {
    /// Notes that a row of a kind expires then.
    pub(super) fn expires(
        &mut self,
        tree: &Tree,
        due: Due,
        at: Millis,
        now: Millis,
        version: u64,
    ) -> Result<(), ReadError> {
        self.note(tree, Slot::of_row(at, now, due), at, version)
    }

    /// Notes that a kind wants to be named from then on.
    pub(super) fn wakes(&mut self, tree: &Tree, due: Due, at: Millis, version: u64) -> Result<(), ReadError> {
        self.note(tree, Slot { end: at, due }, at, version)
    }

    fn note(&mut self, tree: &Tree, slot: Slot, at: Millis, version: u64) -> Result<(), ReadError> {
        let before = match self.known.get(&slot) {
            Some(noted) => Some(noted.earliest),
            None => match tree.get(&slot_key(&slot))? {
                Some(bytes) => Some(decode_slot(&bytes).ok_or(ReadError::Corrupt)?),
                None => None,
            },
        };
        let earliest = before.map_or(at, |before| before.min(at));
        if before != Some(earliest) {
            self.changed.insert(slot);
        }
        self.known.insert(slot, Noted { earliest, version });
        Ok(())
    }

    /// Adds what has changed to a batch.
    pub(super) fn write_rows(&mut self, batch: &mut Batch) {
        for slot in std::mem::take(&mut self.changed) {
            match self.known.get(&slot) {
                Some(noted) => batch.insert(slot_key(&slot).as_slice(), encode_slot(noted.earliest)),
                None => batch.remove(slot_key(&slot).as_slice()),
            }
        }
    }

    /// A sweep that began when `began` was the last version has seen everything in a slot: what is left in it is not
    /// earlier than `rest`. Whatever was noted since then stays.
    pub(super) fn settle(&mut self, slot: Slot, rest: Option<Millis>, began: u64) {
        let is_newer = self.known.get(&slot).map_or(self.forgotten, |noted| noted.version) > began;
        if is_newer {
            return;
        }
        match rest {
            Some(earliest) => self.known.insert(slot, Noted { earliest, version: began }),
            None => self.known.remove(&slot),
        };
        self.changed.insert(slot);
    }

    /// Keeps what is at hand within bounds. To be called when nothing waits to be written.
    pub(super) fn forget(&mut self, version: u64) {
        if self.known.len() > AT_HAND {
            self.known.clear();
            self.forgotten = version;
        }
    }
}
