//! The bytes of a block: the entries that one commit appends.
//!
//! ```text
//! 0    previous   32 bytes  SHA-256 of the block before, zeros in the first
//! 32   entries    for each: u32be length ‖ event (JSON object) ‖ u32be length ‖ what the loop needs (JSON, or empty)
//! ```

use bailiwick_model::Result;
use sha2::{Digest, Sha256};

use crate::runs::events::{Entry, damaged};

/// The hash of a block, which the next one begins with.
pub(crate) type BlockHash = [u8; 32];

/// What stands before the first block.
pub(crate) const NO_BLOCK: BlockHash = [0; 32];

pub(crate) fn write<'a>(previous: &BlockHash, entries: impl IntoIterator<Item = &'a Entry>) -> Vec<u8> {
    let mut body = previous.to_vec();
    for entry in entries {
        sized(&mut body, |body| entry.write_event(body));
        sized(&mut body, |body| entry.write_internal(body));
    }
    body
}

/// Appends what `write` appends, behind its length.
fn sized(body: &mut Vec<u8>, write: impl FnOnce(&mut Vec<u8>)) {
    let at = body.len();
    body.extend_from_slice(&[0; 4]);
    write(body);
    let length = u32::try_from(body.len() - at - 4).unwrap_or(u32::MAX).to_be_bytes();
    for (to, from) in body.iter_mut().skip(at).zip(length) {
        *to = from;
    }
}

/// The hash that the next block begins with.
pub(crate) fn hash(block: &[u8]) -> BlockHash {
    Sha256::digest(block).into()
}

/// The hash of the block before, and the entries.
pub(crate) fn read(block: &[u8]) -> Result<(BlockHash, Vec<Entry>)> {
    let (previous, mut rest) = block.split_first_chunk::<32>().ok_or_else(damaged)?;
    let mut entries = Vec::new();
    while !rest.is_empty() {
        let (event, after) = take_sized(rest).ok_or_else(damaged)?;
        let (internal, after) = take_sized(after).ok_or_else(damaged)?;
        entries.push(Entry::read(event, internal).map_err(|_| damaged())?);
        rest = after;
    }
    Ok((*previous, entries))
}

fn take_sized(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let (length, rest) = bytes.split_first_chunk::<4>()?;
    rest.split_at_checked(u32::from_be_bytes(*length) as usize)
}
