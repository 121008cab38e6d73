//! The record of a large value in a file: a header, then the value. Drawn in `docs/format/sled.md`.

use std::fs::File;
use std::io;

use bytes::Bytes;

use crate::sled::lock::system;
use crate::sled::tree::codec::Pointer;

/// The length of the header.
pub(in crate::sled) const HEADER_BYTES: u64 = 112;
const HEADER: usize = 112;
const MAGIC: [u8; 6] = *b"BWVAL\x01";

/// The checksum of a record: BLAKE3 of its key, its length and its value.
pub(in crate::sled) fn digest(key: &[u8; 66], value: &[u8]) -> [u8; 32] {
    let mut hasher = blake3::Hasher::new();
    hasher.update(key).update(&(value.len() as u64).to_be_bytes()).update(value);
    *hasher.finalize().as_bytes()
}

fn header(key: &[u8; 66], length: u64, digest: &[u8; 32]) -> Vec<u8> {
    let mut header = Vec::with_capacity(HEADER);
    header.extend_from_slice(&MAGIC);
    header.extend_from_slice(key);
    header.extend_from_slice(&length.to_be_bytes());
    header.extend_from_slice(digest);
    header
}

/// Writes a record. It is not synced.
pub(in crate::sled) fn write(
    file: &File,
    offset: u64,
    key: &[u8; 66],
    digest: &[u8; 32],
    value: &[u8],
) -> io::Result<()> {
    system::write_all_at(file, &header(key, value.len() as u64, digest), offset)?;
    system::write_all_at(file, value, offset.saturating_add(HEADER_BYTES))
}

/// Why a record could not be read.
#[derive(Debug)]
pub(in crate::sled) enum RecordError {
    /// It is not there, or something else is.
    Damaged,
    /// The file cannot be read.
    Io,
}

/// Reads the record that a row points to, and makes sure that it is that.
pub(in crate::sled) fn read(file: &File, key: &[u8; 66], pointer: &Pointer) -> Result<Bytes, RecordError> {
    let length = usize::try_from(pointer.length).map_err(|_| RecordError::Damaged)?;
    if length > crate::stage::LIMITS.value_bytes {
        return Err(RecordError::Damaged);
    }
    let mut record = vec![0; HEADER.saturating_add(length)];
    system::read_exact_at(file, &mut record, pointer.offset).map_err(|error| match error.kind() {
        io::ErrorKind::UnexpectedEof => RecordError::Damaged,
        _ => RecordError::Io,
    })?;
    let (found, value) = record.split_at_checked(HEADER).ok_or(RecordError::Damaged)?;
    if found != header(key, pointer.length, &pointer.digest) || digest(key, value) != pointer.digest {
        return Err(RecordError::Damaged);
    }
    Ok(Bytes::from(record).slice(HEADER..))
}
