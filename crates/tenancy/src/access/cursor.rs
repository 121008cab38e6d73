//! Cursors: sealed positions that only their own tenant and list can open.

use bailiwick_model::{Error, Kind, Result};
use data_encoding::BASE64URL_NOPAD;

use crate::errors;
use crate::rows::Name;
use crate::tenant::scope::Access;

impl Access {
    /// Seals a position, bound to what `bound` names.
    pub(crate) fn seal_cursor(&self, bound: &[&[u8]], position: &[u8]) -> Result<String> {
        let sealed = self
            .keys
            .cursors
            .seal(&self.state.entropy.shown, bound, position.len(), |out| out.extend_from_slice(position))
            .map_err(|_| errors::corrupt())?;
        Ok(BASE64URL_NOPAD.encode(&sealed))
    }

    /// Opens a cursor that was sealed with the same `bound`.
    pub(crate) fn open_cursor<const N: usize>(&self, bound: &[&[u8]], cursor: &str) -> Result<[u8; N]> {
        let sealed = BASE64URL_NOPAD.decode(cursor.as_bytes()).map_err(|_| bad_cursor())?;
        let position = self.keys.cursors.open(bound, &sealed).map_err(|_| bad_cursor())?;
        position.try_into().map_err(|_| bad_cursor())
    }
}

/// The end of a page of a list that is merged with a journal.
///
/// `u64be(micros) ‖ name(16) ‖ u64be(numbers)(2)`
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MergedPosition {
    /// The last item of the list, as [`Access::names_before`] takes it.
    pub last: (u64, Name),
    /// Two numbers of the caller.
    pub numbers: [u64; 2],
}

impl Access {
    /// Returns a cursor for a position of this kind.
    ///
    /// # Errors
    /// `StoreCorrupt` if it cannot be sealed.
    pub fn seal_merged_position(&self, kind: Kind, position: &MergedPosition) -> Result<String> {
        let (micros, name) = position.last;
        let numbers = position.numbers.map(u64::to_be_bytes);
        let bytes = [&micros.to_be_bytes()[..], &name.0, numbers.as_flattened()].concat();
        self.seal_cursor(&[b"mark", &[kind as u8]], &bytes)
    }

    /// Returns the position in a cursor of this kind.
    ///
    /// # Errors
    /// `InvalidInput` for any other cursor.
    pub fn open_merged_position(&self, kind: Kind, cursor: &str) -> Result<MergedPosition> {
        let bytes: [u8; 40] = self.open_cursor(&[b"mark", &[kind as u8]], cursor)?;
        let read = || {
            let (micros, rest) = bytes.split_first_chunk::<8>()?;
            let (name, rest) = rest.split_first_chunk::<16>()?;
            let (one, rest) = rest.split_first_chunk::<8>()?;
            let other = rest.first_chunk::<8>()?;
            let numbers = [one, other].map(|number| u64::from_be_bytes(*number));
            Some(MergedPosition { last: (u64::from_be_bytes(*micros), Name(*name)), numbers })
        };
        read().ok_or_else(bad_cursor)
    }
}

/// Returns the error for a cursor of another list or tenant.
pub fn bad_cursor() -> Error {
    Error::invalid("This cursor is not one that this list of this tenant gave. Start again without a cursor.")
}
