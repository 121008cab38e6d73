//! The states of a store's slot during a migration, and afterwards in the source.
//!
//! ```text
//! target, until the copy is complete:   0xFE ‖ store id(16) ‖ move id(16)
//! source, once the store has moved:     0xFF ‖ store id(16) ‖ move id(16) ‖ the header from the root generation on
//! ```
//! Everything else begins with 1 and is a header: see `keys`.

use bailiwick_store::vault::MOVED;

use crate::keys::{FORMAT, UNFINISHED};

/// One migration of a store, however often it is interrupted and resumed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct MoveId {
    pub(crate) store_id: [u8; 16],
    pub(crate) move_id: [u8; 16],
}

/// The state of a store's slot.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum SlotState {
    /// The header of a store with this id.
    Store([u8; 16]),
    /// The target of a migration whose copy is not complete.
    Unfinished(MoveId),
    /// The source of a migration: the store is in the target, or will be after the last step. With its header.
    Moved(MoveId, Vec<u8>),
    /// A newer version, or corruption.
    Unknown,
}

/// Decodes a store's slot.
pub(crate) fn slot_state(slot: &[u8]) -> SlotState {
    let Some((mark, rest)) = slot.split_first() else { return SlotState::Unknown };
    let Some((store_id, rest)) = rest.split_first_chunk::<16>() else { return SlotState::Unknown };
    if *mark == FORMAT {
        return SlotState::Store(*store_id);
    }
    let Some((move_id, rest)) = rest.split_first_chunk::<16>() else { return SlotState::Unknown };
    let id = MoveId { store_id: *store_id, move_id: *move_id };
    match *mark {
        UNFINISHED => SlotState::Unfinished(id),
        MOVED => SlotState::Moved(id, [&[FORMAT], store_id.as_slice(), rest].concat()),
        _ => SlotState::Unknown,
    }
}

impl MoveId {
    /// Returns the slot of the target.
    pub(crate) fn unfinished(&self) -> Vec<u8> {
        [&[UNFINISHED], self.store_id.as_slice(), &self.move_id].concat()
    }

    /// Returns the slot of the source, which had this header. `None` if it is no header.
    pub(crate) fn moved(&self, header: &[u8]) -> Option<Vec<u8>> {
        let rest = header.get(17..)?;
        Some([&[MOVED], self.store_id.as_slice(), &self.move_id, rest].concat())
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests may panic")]
    use super::*;

    #[test]
    fn a_header_is_the_same_after_it_was_marked_as_moved() {
        let header = [&[FORMAT], [7; 16].as_slice(), &[9; 76]].concat();
        let id = MoveId { store_id: [7; 16], move_id: [8; 16] };
        let moved = id.moved(&header).unwrap();
        assert!(moved.len() <= bailiwick_store::vault::SLOT_VALUE_BYTES);
        assert_eq!(slot_state(&header), SlotState::Store([7; 16]));
        assert_eq!(slot_state(&moved), SlotState::Moved(id, header));
        assert_eq!(slot_state(&id.unfinished()), SlotState::Unfinished(id));
        for short in [&[][..], &[FORMAT], &[MOVED; 20], &[2; 40]] {
            assert_eq!(slot_state(short), SlotState::Unknown);
        }
    }
}
