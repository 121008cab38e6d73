//! The bytes of every row. Drawn in `docs/format/sled.md`.

use ::sled::IVec;
use bytes::Bytes;

use crate::engine::{Count, Due, Millis, Tag, Usage};
use crate::stage::Entry;

/// The key of a record.
pub(in crate::sled) type Key = [u8; 66];

/// The key of the row of the store's counters.
pub(in crate::sled) const STATE_KEY: [u8; 1] = [0x00];
const USAGE_PREFIX: u8 = 0x02;
/// The first byte of the key of a segment's row.
pub(in crate::sled) const SEGMENT_PREFIX: u8 = 0x03;

/// The first byte of the key of a bucket's row.
pub(in crate::sled) const BUCKET_PREFIX: u8 = 0x04;

const FORMAT: u8 = 0x01;
const HAS_EXPIRY: u8 = 1;
const IS_COUNTED: u8 = 2;
const IS_POINTER: u8 = 4;
const KNOWN_FLAGS: u8 = HAS_EXPIRY | IS_COUNTED | IS_POINTER;

/// An entry with a value of this length takes at most 4 KiB. Larger values are written once, to files that are not merged.
pub(in crate::sled) const INLINE_BYTES: usize = 4_096 - 26;

/// The position of a large value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::sled) struct Pointer {
    /// The number of the segment.
    pub(in crate::sled) segment: u64,
    /// The start of its record.
    pub(in crate::sled) offset: u64,
    /// The length of the value alone.
    pub(in crate::sled) length: u64,
    /// See [`crate::sled::values::record::digest`].
    pub(in crate::sled) digest: [u8; 32],
}

/// The value of a row in the committer.
#[derive(Clone, Debug)]
pub(in crate::sled) enum Stored {
    /// In the row; not yet encoded.
    Inline(Bytes),
    /// In the row: the whole encoded row.
    Encoded(IVec),
    /// In a segment.
    Placed(Pointer),
    /// The large value of the operation with this number, not yet written.
    Unplaced(usize),
}

/// Reads fields from the front of bytes.
struct Fields<'a>(&'a [u8]);

impl<'a> Fields<'a> {
    fn take<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (field, rest) = self.0.split_first_chunk::<N>()?;
        self.0 = rest;
        Some(*field)
    }

    fn byte(&mut self) -> Option<u8> {
        self.take::<1>().map(|[byte]| byte)
    }

    fn number(&mut self) -> Option<u64> {
        self.take().map(u64::from_be_bytes)
    }

    fn end(self) -> Option<()> {
        self.0.is_empty().then_some(())
    }
}

/// A decoded row.
pub(in crate::sled) struct Decoded<'a> {
    pub(in crate::sled) version: u64,
    pub(in crate::sled) expires_at: Option<u64>,
    pub(in crate::sled) counted: Option<u64>,
    pub(in crate::sled) value: DecodedValue<'a>,
}

/// Its value.
pub(in crate::sled) enum DecodedValue<'a> {
    Inline(&'a [u8]),
    Placed(Pointer),
}

/// Decodes a row. `None` if it is corrupt.
pub(in crate::sled) fn decode(bytes: &[u8]) -> Option<Decoded<'_>> {
    let mut fields = Fields(bytes);
    let (format, flags) = (fields.byte()?, fields.byte()?);
    if format != FORMAT || flags & !KNOWN_FLAGS != 0 {
        return None;
    }
    let version = fields.number()?;
    let expires_at = if flags & HAS_EXPIRY != 0 { Some(fields.number()?) } else { None };
    let counted = if flags & IS_COUNTED != 0 { Some(fields.number()?) } else { None };
    let value = if flags & IS_POINTER != 0 {
        let (segment, offset, length) = (fields.number()?, fields.number()?, fields.number()?);
        let pointer = Pointer { segment, offset, length, digest: fields.take()? };
        fields.end()?;
        DecodedValue::Placed(pointer)
    } else {
        DecodedValue::Inline(fields.0)
    };
    Some(Decoded { version, expires_at, counted, value })
}

/// Converts an encoded row to an entry. `None` if it is corrupt.
pub(in crate::sled) fn entry(bytes: IVec) -> Option<Entry<Stored>> {
    let Decoded { version, expires_at, counted, value } = decode(&bytes)?;
    let value = match value {
        DecodedValue::Placed(pointer) => Stored::Placed(pointer),
        DecodedValue::Inline(_) => Stored::Encoded(bytes),
    };
    Some(Entry { version, expires_at, counted, value })
}

/// Encodes a row into `buffer`. `None` if its value is not yet written, or corrupt.
pub(in crate::sled) fn encode(entry: &Entry<Stored>, buffer: &mut Vec<u8>) -> Option<()> {
    buffer.clear();
    let mut flags = 0;
    flags |= if entry.expires_at.is_some() { HAS_EXPIRY } else { 0 };
    flags |= if entry.counted.is_some() { IS_COUNTED } else { 0 };
    flags |= if matches!(entry.value, Stored::Placed(_)) { IS_POINTER } else { 0 };
    buffer.extend_from_slice(&[FORMAT, flags]);
    buffer.extend_from_slice(&entry.version.to_be_bytes());
    for number in [entry.expires_at, entry.counted].into_iter().flatten() {
        buffer.extend_from_slice(&number.to_be_bytes());
    }
    match &entry.value {
        Stored::Inline(bytes) => buffer.extend_from_slice(bytes),
        Stored::Encoded(bytes) => match decode(bytes)?.value {
            DecodedValue::Inline(bytes) => buffer.extend_from_slice(bytes),
            DecodedValue::Placed(_) => return None,
        },
        Stored::Placed(pointer) => {
            for number in [pointer.segment, pointer.offset, pointer.length] {
                buffer.extend_from_slice(&number.to_be_bytes());
            }
            buffer.extend_from_slice(&pointer.digest);
        }
        Stored::Unplaced(_) => return None,
    }
    Some(())
}

/// Returns the key of a tag's usage row.
pub(in crate::sled) fn usage_key(tag: &Tag) -> [u8; 33] {
    let mut key = [USAGE_PREFIX; 33];
    let (_, rest) = key.split_at_mut(1);
    rest.copy_from_slice(&tag.0);
    key
}

/// Encodes a usage row.
pub(in crate::sled) fn encode_usage(usage: &Usage) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(1 + usage.len() * 17);
    bytes.push(FORMAT);
    for (kind, count) in usage {
        bytes.push(*kind);
        bytes.extend_from_slice(&count.items.to_be_bytes());
        bytes.extend_from_slice(&count.bytes.to_be_bytes());
    }
    bytes
}

/// Decodes a usage row. `None` if it is corrupt.
pub(in crate::sled) fn decode_usage(bytes: &[u8]) -> Option<Usage> {
    let mut fields = Fields(bytes);
    if fields.byte()? != FORMAT {
        return None;
    }
    let mut usage = Usage::new();
    while !fields.0.is_empty() {
        let kind = fields.byte()?;
        usage.insert(kind, Count { items: fields.number()?, bytes: fields.number()? });
    }
    Some(usage)
}

/// The state of a segment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::sled) struct Segment {
    /// Whether it is the file of a single large value.
    pub(in crate::sled) own: bool,
    /// The end of its last record. What follows in the file was never committed.
    pub(in crate::sled) end: u64,
    /// The bytes of the records that rows point to.
    pub(in crate::sled) live_bytes: u64,
    /// The number of those records.
    pub(in crate::sled) live_records: u64,
}

/// Returns the key of a segment's row.
pub(in crate::sled) fn segment_key(number: u64) -> [u8; 9] {
    let mut key = [SEGMENT_PREFIX; 9];
    let (_, rest) = key.split_at_mut(1);
    rest.copy_from_slice(&number.to_be_bytes());
    key
}

/// Returns the segment of a key. `None` for any other key.
pub(in crate::sled) fn segment_of(key: &[u8]) -> Option<u64> {
    let mut fields = Fields(key);
    let prefix = fields.byte()?;
    let number = fields.number()?;
    fields.end()?;
    (prefix == SEGMENT_PREFIX).then_some(number)
}

/// Encodes a segment's row.
pub(in crate::sled) fn encode_segment(segment: &Segment) -> Vec<u8> {
    let mut bytes = vec![FORMAT, u8::from(segment.own)];
    for number in [segment.end, segment.live_bytes, segment.live_records] {
        bytes.extend_from_slice(&number.to_be_bytes());
    }
    bytes
}

/// Decodes a segment's row. `None` if it is corrupt.
pub(in crate::sled) fn decode_segment(bytes: &[u8]) -> Option<Segment> {
    let mut fields = Fields(bytes);
    let (format, own) = (fields.byte()?, fields.byte()?);
    let segment =
        Segment { own: own == 1, end: fields.number()?, live_bytes: fields.number()?, live_records: fields.number()? };
    fields.end()?;
    (format == FORMAT && own <= 1).then_some(segment)
}

/// An expiry bucket of a kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(in crate::sled) struct Bucket {
    /// The time from which on nothing new can be added.
    pub(in crate::sled) end: Millis,
    /// What is due.
    pub(in crate::sled) due: Due,
}

/// Returns the key of a bucket's row.
pub(in crate::sled) fn bucket_key(bucket: &Bucket) -> [u8; 42] {
    let mut key = [BUCKET_PREFIX; 42];
    let fields = bucket.end.to_be_bytes().into_iter().chain(bucket.due.tag.0).chain([bucket.due.kind]);
    for (to, from) in key.iter_mut().skip(1).zip(fields) {
        *to = from;
    }
    key
}

/// Returns the bucket of a key. `None` for any other key.
pub(in crate::sled) fn bucket_of(key: &[u8]) -> Option<Bucket> {
    let mut fields = Fields(key);
    let prefix = fields.byte()?;
    let bucket = Bucket { end: fields.number()?, due: Due { tag: Tag(fields.take()?), kind: fields.byte()? } };
    fields.end()?;
    (prefix == BUCKET_PREFIX).then_some(bucket)
}

/// Encodes a bucket's row.
pub(in crate::sled) fn encode_bucket(earliest: Millis) -> Vec<u8> {
    let mut bytes = vec![FORMAT];
    bytes.extend_from_slice(&earliest.to_be_bytes());
    bytes
}

/// Decodes a bucket's row. `None` if it is corrupt.
pub(in crate::sled) fn decode_bucket(bytes: &[u8]) -> Option<Millis> {
    let mut fields = Fields(bytes);
    let format = fields.byte()?;
    let earliest = fields.number()?;
    fields.end()?;
    (format == FORMAT).then_some(earliest)
}

/// The store's counters.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(in crate::sled) struct State {
    /// The last version assigned.
    pub(in crate::sled) version: u64,
    /// The number of the next segment.
    pub(in crate::sled) next_segment: u64,
}

/// Encodes the row of the counters.
pub(in crate::sled) fn encode_state(state: &State) -> Vec<u8> {
    let mut bytes = vec![FORMAT];
    bytes.extend_from_slice(&state.version.to_be_bytes());
    bytes.extend_from_slice(&state.next_segment.to_be_bytes());
    bytes
}

/// Decodes the row of the counters. `None` if it is corrupt.
pub(in crate::sled) fn decode_state(bytes: &[u8]) -> Option<State> {
    let mut fields = Fields(bytes);
    let format = fields.byte()?;
    let state = State { version: fields.number()?, next_segment: fields.number()? };
    fields.end()?;
    (format == FORMAT).then_some(state)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_are_read_back_and_damage_is_noticed() {
        let pointer = Pointer { segment: 3, offset: 4, length: 5, digest: [6; 32] };
        for value in
            [Stored::Inline(Bytes::new()), Stored::Inline(vec![1; INLINE_BYTES].into()), Stored::Placed(pointer)]
        {
            for (expires_at, counted) in [(None, None), (Some(1), None), (None, Some(2)), (Some(3), Some(u64::MAX))] {
                let mut bytes = Vec::new();
                encode(&Entry { version: 7, expires_at, counted, value: value.clone() }, &mut bytes).unwrap();
                assert!(bytes.len() <= 4_096);
                let decoded = decode(&bytes).unwrap();
                assert_eq!((decoded.version, decoded.expires_at, decoded.counted), (7, expires_at, counted));
                match (&value, decoded.value) {
                    (Stored::Inline(written), DecodedValue::Inline(read)) => assert_eq!(written, read),
                    (Stored::Placed(written), DecodedValue::Placed(read)) => assert_eq!(*written, read),
                    _ => panic!("another sort of value"),
                }
                let mut again = Vec::new();
                encode(&entry(IVec::from(bytes.clone())).unwrap(), &mut again).unwrap();
                assert_eq!(bytes, again);
                assert!(decode(&bytes[..9]).is_none());
                bytes[0] = 2;
                assert!(decode(&bytes).is_none());
            }
        }
    }

    #[test]
    fn internal_rows_are_read_back() {
        let usage: Usage = [(1, Count { items: 2, bytes: 3 }), (9, Count { items: 0, bytes: u64::MAX })].into();
        assert_eq!(decode_usage(&encode_usage(&usage)), Some(usage));
        let segment = Segment { own: true, end: 1, live_bytes: 2, live_records: 3 };
        assert_eq!(decode_segment(&encode_segment(&segment)), Some(segment));
        let state = State { version: 1, next_segment: 2 };
        assert_eq!(decode_state(&encode_state(&state)), Some(state));
        let bucket = Bucket { end: 60_000, due: Due { tag: Tag([3; 32]), kind: 9 } };
        assert_eq!(bucket_of(&bucket_key(&bucket)), Some(bucket));
        assert_eq!(decode_bucket(&encode_bucket(59_999)), Some(59_999));
        assert_eq!(segment_of(&segment_key(77)), Some(77));
        assert_eq!(segment_of(&usage_key(&Tag([3; 32]))), None);
    }
}
