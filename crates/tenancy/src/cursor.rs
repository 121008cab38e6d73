//! Cursors: where a page ended, sealed, so that one tenant's or one list's is of no use with another's.

use bailiwick_model::{Error, Kind, Result};
use data_encoding::BASE64URL_NOPAD;

use crate::failure;
use crate::row::Name;
use crate::scope::Access;

impl Access {
    /// A cursor for a position in what `bound` names.
    pub(crate) fn seal_cursor(&self, bound: &[&[u8]], position: &[u8]) -> Result<String> {
        let sealed = self
            .keys
            .cursors
            .seal(&self.state.entropy.shown, bound, position.len(), |out| out.extend_from_slice(position))
            .map_err(|_| failure::corrupt())?;
        Ok(BASE64URL_NOPAD.encode(&sealed))
    }

    /// The position in a cursor that was given out for the same `bound`.
    pub(crate) fn open_cursor<const N: usize>(&self, bound: &[&[u8]], cursor: &str) -> Result<[u8; N]> {
        let sealed = BASE64URL_NOPAD.decode(cursor.as_bytes()).map_err(|_| bad_cursor())?;
        let position = self.keys.cursors.open(bound, &sealed).map_err(|_| bad_cursor())?;
        position.try_into().map_err(|_| bad_cursor())
    }
}

/// Where a page ended of a list that is merged with a journal.
///
/// `u64be(micros) ‖ name(16) ‖ u64be(numbers)(2)`
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Mark {
    /// The last item of the list, as [`Access::names_before`] takes it.
    pub last: (u64, Name),
    /// The caller's own.
    pub numbers: [u64; 2],
}

impl Access {
    /// A cursor for a mark in what belongs to this kind.
    ///
    /// # Errors
    /// `StoreCorrupt` if it cannot be sealed.
    pub fn seal_mark(&self, kind: Kind, mark: &Mark) -> Result<String> {
        let (micros, name) = mark.last;
        let numbers = mark.numbers.map(u64::to_be_bytes);
        let bytes = [&micros.to_be_bytes()[..], &name.0, numbers.as_flattened()].concat();
        self.seal_cursor(&[b"mark", &[kind as u8]], &bytes)
    }

    /// The mark in a cursor of this kind.
    ///
    /// # Errors
    /// `InvalidInput` for every other cursor.
    pub fn open_mark(&self, kind: Kind, cursor: &str) -> Result<Mark> {
        let bytes: [u8; 40] = self.open_cursor(&[b"mark", &[kind as u8]], cursor)?;
        let read = || {
            let (micros, rest) = bytes.split_first_chunk::<8>()?;
            let (name, rest) = rest.split_first_chunk::<16>()?;
            let (one, rest) = rest.split_first_chunk::<8>()?;
            let other = rest.first_chunk::<8>()?;
            let numbers = [one, other].map(|number| u64::from_be_bytes(*number));
            Some(Mark { last: (u64::from_be_bytes(*micros), Name(*name)), numbers })
        };
        read().ok_or_else(bad_cursor)
    }
}

/// What any cursor is that this list of this tenant did not give out.
pub fn bad_cursor() -> Error {
    Error::invalid("This cursor is not one that this list of this tenant gave. Start again without a cursor.")
}
