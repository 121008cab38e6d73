//! The bytes of a frame. Drawn in `docs/format/sled.md`.

use super::batch::{Change, ROW_BYTES, Row, RowKey};
use ::sled::IVec;

/// The length of the part before the rows.
const HEADER: usize = 72;
const SUM: usize = 16;
/// The checksum covers what stands before it, and the rows.
const SUM_AT: usize = HEADER - SUM;
const MAGIC: [u8; 4] = *b"BWL\x01";
/// Frames start at multiples of this.
pub(super) const ALIGNMENT: usize = 8;

/// The first 16 bytes of the BLAKE3 checksum of a frame.
pub(super) type Sum = [u8; SUM];

/// The place of a frame among the others.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Link {
    /// A random number of the opening that wrote the frame: so two different frames never have the same checksum.
    pub(super) opening: u64,
    /// The version that the frame follows.
    pub(super) before: u64,
    /// The version that it leads to.
    pub(super) after: u64,
    /// The version that was known to be durable when it was written.
    pub(super) durable: u64,
    /// The checksum of the frame before it.
    pub(super) chain: Sum,
}

/// Returns the length of a frame with rows of this length.
pub(super) const fn length_with(rows: usize) -> usize {
    (HEADER + rows).next_multiple_of(ALIGNMENT)
}

/// Encodes a frame into `buffer`, and returns its checksum. `None` if it would be too long.
pub(super) fn encode(link: &Link, changes: &[Change], buffer: &mut Vec<u8>) -> Option<Sum> {
    buffer.clear();
    buffer.extend_from_slice(&MAGIC);
    buffer.extend_from_slice(&[0; 4]);
    for number in [link.opening, link.before, link.after, link.durable] {
        buffer.extend_from_slice(&number.to_be_bytes());
    }
    buffer.extend_from_slice(&link.chain);
    buffer.extend_from_slice(&[0; SUM]);
    for Change { key, row, .. } in changes {
        // The length of a row is written with 1 added: 0 is a removed row.
        let length = row.as_ref().map_or(Some(0), |row| u32::try_from(row.len()).ok()?.checked_add(1))?;
        buffer.push(u8::try_from(key.len()).ok()?);
        buffer.extend_from_slice(&length.to_be_bytes());
        buffer.extend_from_slice(key);
        buffer.extend_from_slice(row.as_deref().unwrap_or_default());
    }
    let length = u32::try_from(buffer.len().checked_sub(HEADER)?).ok()?;
    buffer.get_mut(MAGIC.len()..8)?.copy_from_slice(&length.to_be_bytes());
    let sum = sum(buffer)?;
    buffer.get_mut(SUM_AT..HEADER)?.copy_from_slice(&sum);
    buffer.resize(buffer.len().next_multiple_of(ALIGNMENT), 0);
    Some(sum)
}

fn sum(frame: &[u8]) -> Option<Sum> {
    let mut hasher = blake3::Hasher::new();
    hasher.update(frame.get(..SUM_AT)?).update(frame.get(HEADER..)?);
    hasher.finalize().as_bytes().first_chunk().copied()
}

/// A frame whose checksum is right.
pub(super) struct Frame<'a> {
    pub(super) link: Link,
    pub(super) sum: Sum,
    /// The bytes that it takes in the file.
    pub(super) length: usize,
    rows: &'a [u8],
}

/// Whether a frame may begin here.
pub(super) fn may_begin(bytes: &[u8]) -> bool {
    bytes.starts_with(&MAGIC)
}

/// Returns how many bytes [`read`] looks at to tell whether this is a frame.
pub(super) fn cost(bytes: &[u8]) -> usize {
    HEADER.saturating_add(rows_length(bytes).unwrap_or(0)).min(bytes.len())
}

fn rows_length(bytes: &[u8]) -> Option<usize> {
    usize::try_from(u32::from_be_bytes(*bytes.get(MAGIC.len()..)?.first_chunk()?)).ok()
}

/// Reads the frame at the beginning of `bytes`. `None` if there is none, or it is not whole.
pub(super) fn read(bytes: &[u8]) -> Option<Frame<'_>> {
    if !may_begin(bytes) {
        return None;
    }
    let length = rows_length(bytes)?;
    let frame = bytes.get(..HEADER.checked_add(length)?)?;
    let number = |at: usize| Some(u64::from_be_bytes(*frame.get(at..)?.first_chunk()?));
    let chain: Sum = *frame.get(40..)?.first_chunk()?;
    let link = Link { opening: number(8)?, before: number(16)?, after: number(24)?, durable: number(32)?, chain };
    let found: Sum = *frame.get(SUM_AT..)?.first_chunk()?;
    let is_right = link.after > link.before && link.durable <= link.before && sum(frame)? == found;
    is_right.then_some(Frame { link, sum: found, length: length_with(length), rows: frame.get(HEADER..)? })
}

impl Frame<'_> {
    /// Decodes the rows. `None` if they are not what is written by [`encode`].
    pub(super) fn rows(&self) -> Option<Vec<(RowKey, Row)>> {
        let mut rest = self.rows;
        let mut rows = Vec::new();
        while !rest.is_empty() {
            let ([key_length, length @ ..], after) = rest.split_first_chunk::<ROW_BYTES>()?;
            let (key, after) = after.split_at_checked(usize::from(*key_length))?;
            let length = usize::try_from(u32::from_be_bytes(*length)).ok()?;
            let (row, after) = after.split_at_checked(length.saturating_sub(1))?;
            rows.push((RowKey::new(key)?, (length > 0).then(|| IVec::from(row))));
            rest = after;
        }
        Some(rows)
    }
}
