//! Cursors: where a page ended, sealed, so that one tenant's or one list's is of no use with another's.

use bailiwick_model::{Error, Result};
use data_encoding::BASE64URL_NOPAD;

use crate::failure;
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

/// What any cursor is that this list of this tenant did not give out.
pub fn bad_cursor() -> Error {
    Error::invalid("This cursor is not one that this list of this tenant gave. Start again without a cursor.")
}
