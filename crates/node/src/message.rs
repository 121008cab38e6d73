//! The bytes of calls and answers. Numbers are little-endian; a text or byte string is its `u32` length and its bytes.

use bailiwick_model::{Error, Result, json};

/// Reads a call's arguments in order.
pub(crate) struct Reader<'a> {
    rest: &'a [u8],
}

impl<'a> Reader<'a> {
    pub(crate) fn new(bytes: &'a [u8]) -> Self {
        Self { rest: bytes }
    }

    pub(crate) fn u8(&mut self) -> Result<u8> {
        let [byte] = *self.chunk::<1>()?;
        Ok(byte)
    }

    pub(crate) fn u32(&mut self) -> Result<u32> {
        Ok(u32::from_le_bytes(*self.chunk()?))
    }

    /// Reads a number; `NaN` means absent. Rejects anything that is not a whole number of JavaScript's safe range, under
    /// the given name.
    pub(crate) fn whole(&mut self, name: &str) -> Result<Option<u64>> {
        let number = f64::from_le_bytes(*self.chunk()?);
        if number.is_nan() {
            return Ok(None);
        }
        json::whole(number).map(Some).ok_or_else(|| {
            Error::invalid(format!("{name} must be a whole number, at least 0 and at most 2^53 - 1, not {number}."))
        })
    }

    pub(crate) fn bytes(&mut self) -> Result<&'a [u8]> {
        let length = self.u32()? as usize;
        let (bytes, rest) = self.rest.split_at_checked(length).ok_or_else(malformed)?;
        self.rest = rest;
        Ok(bytes)
    }

    pub(crate) fn text(&mut self) -> Result<&'a str> {
        std::str::from_utf8(self.bytes()?).map_err(|_| malformed())
    }

    /// Reads a text; the empty one means absent.
    pub(crate) fn optional_text(&mut self) -> Result<Option<&'a str>> {
        Ok(Some(self.text()?).filter(|text| !text.is_empty()))
    }

    fn chunk<const N: usize>(&mut self) -> Result<&'a [u8; N]> {
        let (chunk, rest) = self.rest.split_first_chunk::<N>().ok_or_else(malformed)?;
        self.rest = rest;
        Ok(chunk)
    }
}

fn malformed() -> Error {
    Error::internal("A call crossed the boundary in the wrong shape.")
}

/// Writes an answer.
#[derive(Default)]
pub(crate) struct Answer(pub(crate) Vec<u8>);

impl Answer {
    pub(crate) fn with_capacity(bytes: usize) -> Self {
        Self(Vec::with_capacity(bytes))
    }

    pub(crate) fn u8(mut self, byte: u8) -> Self {
        self.0.push(byte);
        self
    }

    pub(crate) fn u32(mut self, number: u32) -> Self {
        self.0.extend_from_slice(&number.to_le_bytes());
        self
    }

    /// Appends bytes without a length.
    pub(crate) fn rest(mut self, bytes: &[u8]) -> Self {
        self.0.extend_from_slice(bytes);
        self
    }
}
