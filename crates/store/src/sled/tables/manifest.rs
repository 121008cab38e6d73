//! The manifest: which tables there are. It is written as a whole, and replaces the one before.

use std::io::{self, Read};

use super::table::{Identity, SUM, first_of};
use crate::sled::lock::directory::write_whole;
use crate::sled::lock::layout::{MANIFEST, MOST_MANIFEST_BYTES};
use crate::sled::lock::system::{Directory, How};

const MAGIC: [u8; 4] = *b"BWM\x01";
const ENTRY: usize = 16 + SUM;

/// Writes the manifest durably. `tables`: the newest first.
pub(super) fn write(store: &Directory, tables: impl Iterator<Item = Identity>) -> io::Result<()> {
    let mut bytes = MAGIC.to_vec();
    for Identity { number, bytes: length, sum } in tables {
        bytes.extend_from_slice(&number.to_be_bytes());
        bytes.extend_from_slice(&length.to_be_bytes());
        bytes.extend_from_slice(&sum);
    }
    let sum = first_of(&blake3::hash(&bytes));
    bytes.extend_from_slice(&sum);
    if bytes.len() as u64 > MOST_MANIFEST_BYTES {
        return Err(io::ErrorKind::FileTooLarge.into());
    }
    write_whole(store, MANIFEST, &bytes)
}

/// What a store has.
pub(super) enum Found {
    Nothing,
    Damaged,
    Tables(Vec<Identity>),
}

/// Reads the manifest.
pub(super) fn read(store: &Directory) -> io::Result<Found> {
    if !store.has_file(MANIFEST, MOST_MANIFEST_BYTES)? {
        return Ok(Found::Nothing);
    }
    let Some(file) = store.file_if_there(MANIFEST, How::Read)? else { return Ok(Found::Nothing) };
    let mut bytes = Vec::new();
    file.take(MOST_MANIFEST_BYTES).read_to_end(&mut bytes)?;
    Ok(decode(&bytes).map_or(Found::Damaged, Found::Tables))
}

fn decode(bytes: &[u8]) -> Option<Vec<Identity>> {
    let (rest, sum) = bytes.split_last_chunk::<SUM>()?;
    if first_of(&blake3::hash(rest)) != *sum {
        return None;
    }
    let (tables, rest) = rest.strip_prefix(&MAGIC)?.as_chunks::<ENTRY>();
    let table = |entry: &[u8; ENTRY]| {
        let (number, rest) = entry.split_first_chunk()?;
        let (length, sum) = rest.split_first_chunk()?;
        let (number, bytes) = (u64::from_be_bytes(*number), u64::from_be_bytes(*length));
        Some(Identity { number, bytes, sum: *sum.first_chunk()? })
    };
    if rest.is_empty() { tables.iter().map(table).collect() } else { None }
}
