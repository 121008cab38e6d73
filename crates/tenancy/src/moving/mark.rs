//! What a store's slot says while the store is moved from one place to another, and afterwards in the old one.
//!
//! ```text
//! where it is copied to, until it is whole:   0xFE ‖ store id(16) ‖ move id(16)
//! where it was before:                        0xFF ‖ store id(16) ‖ move id(16) ‖ the header from the root generation on
//! ```
//! Everything else there begins with 1 and is a header: see `keys`.

use bailiwick_model::Error;
use bailiwick_store::vault::MOVED;

use crate::keys::FORMAT;

const UNFINISHED: u8 = 0xFE;

/// Which store goes where: one attempt to move it, however often it is cut off.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Move {
    pub(crate) store_id: [u8; 16],
    pub(crate) move_id: [u8; 16],
}

/// What stands in a store's slot.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Standing {
    /// The header of a store with this id.
    Store([u8; 16]),
    /// What is copied to here is not whole.
    Unfinished(Move),
    /// The store is elsewhere, or will be with the next step. This was its header.
    Moved(Move, Vec<u8>),
    /// Something of a newer version, or damage.
    Unknown,
}

/// Reads a store's slot.
pub(crate) fn standing(slot: &[u8]) -> Standing {
    let Some((mark, rest)) = slot.split_first() else { return Standing::Unknown };
    let Some((store_id, rest)) = rest.split_first_chunk::<16>() else { return Standing::Unknown };
    if *mark == FORMAT {
        return Standing::Store(*store_id);
    }
    let Some((move_id, rest)) = rest.split_first_chunk::<16>() else { return Standing::Unknown };
    let going = Move { store_id: *store_id, move_id: *move_id };
    match *mark {
        UNFINISHED => Standing::Unfinished(going),
        MOVED => Standing::Moved(going, [&[FORMAT], store_id.as_slice(), rest].concat()),
        _ => Standing::Unknown,
    }
}

impl Move {
    /// For the slot of the place that is copied to.
    pub(crate) fn unfinished(&self) -> Vec<u8> {
        [&[UNFINISHED], self.store_id.as_slice(), &self.move_id].concat()
    }

    /// For the slot of the place that had this header. `None` if it is no such header.
    pub(crate) fn moved(&self, header: &[u8]) -> Option<Vec<u8>> {
        let rest = header.get(17..)?;
        Some([&[MOVED], self.store_id.as_slice(), &self.move_id, rest].concat())
    }
}

/// Why what begins with this byte is not opened.
pub(crate) fn refusal(mark: Option<&u8>) -> Error {
    match mark.copied() {
        Some(UNFINISHED) => Error::invalid(
            "A store is being moved to this place, and not all of it is here. Run `bailiwick migrate` again from where it was, to the end.",
        ),
        Some(MOVED) => moved(),
        _ => Error::invalid("This store was written by a newer version of bailiwick. Update bailiwick."),
    }
}

/// For whoever opens a store where it is no longer.
pub(crate) fn moved() -> Error {
    Error::invalid(
        "This store was moved, and nothing may be written here any more. Open it where it is now. If the move was cut off, run `bailiwick migrate` again with the same two places.",
    )
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests may panic")]
    use super::*;

    #[test]
    fn inv_sealed_a_header_is_the_same_after_it_was_marked_as_moved() {
        let header = [&[FORMAT], [7; 16].as_slice(), &[9; 76]].concat();
        let going = Move { store_id: [7; 16], move_id: [8; 16] };
        let moved = going.moved(&header).unwrap();
        assert!(moved.len() <= bailiwick_store::vault::SLOT_VALUE_BYTES);
        assert_eq!(standing(&header), Standing::Store([7; 16]));
        assert_eq!(standing(&moved), Standing::Moved(going, header));
        assert_eq!(standing(&going.unfinished()), Standing::Unfinished(going));
        for short in [&[][..], &[FORMAT], &[MOVED; 20], &[2; 40]] {
            assert_eq!(standing(short), Standing::Unknown);
        }
    }
}
