//! The bytes of every row in the tree. Drawn in `docs/format/sled.md`.

use ::sled::IVec;
use bytes::Bytes;

use super::slots::Slot;
use crate::engine::{Count, Due, Millis, Tag, Usage};
use crate::stage::Entry;

/// The key of the row of the store's counters.
pub(super) const STATE_KEY: [u8; 1] = [0x00];
const USAGE_PREFIX: u8 = 0x02;
/// What the keys of the rows about segments start with.
pub(super) const SEGMENT_PREFIX: u8 = 0x03;

/// What the keys of the rows about slots start with.
pub(super) const SLOT_PREFIX: u8 = 0x04;

const FORMAT: u8 = 0x01;
const HAS_EXPIRY: u8 = 1;
const IS_COUNTED: u8 = 2;
const IS_POINTER: u8 = 4;
const KNOWN_FLAGS: u8 = HAS_EXPIRY | IS_COUNTED | IS_POINTER;

/// An entry with a value of this length takes at most 4 KiB: larger ones make sled write files of their own, which it
/// never syncs.
pub(super) const INLINE_BYTES: usize = 4_096 - 26;

/// Where a large value lies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Pointer {
    /// The number of the segment.
    pub(super) segment: u64,
    /// Where its record starts.
    pub(super) offset: u64,
    /// The length of the value alone.
    pub(super) length: u64,
    /// See [`super::records::digest`].
    pub(super) digest: [u8; 32],
}

/// The value of a row, as the committer handles it.
#[derive(Clone, Debug)]
pub(super) enum Stored {
    /// In the row itself; not yet encoded.
    Inline(Bytes),
    /// In the row itself: all of the encoded row.
    Encoded(IVec),
    /// In a segment.
    Placed(Pointer),
    /// The large value of the operation of this number, not yet written anywhere.
    Unplaced(usize),
}

/// Reads fields off the front of bytes.
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

/// An encoded row taken apart.
pub(super) struct Decoded<'a> {
    pub(super) version: u64,
    pub(super) expires_at: Option<u64>,
    pub(super) counted: Option<u64>,
    pub(super) value: DecodedValue<'a>,
}

/// Its value.
pub(super) enum DecodedValue<'a> {
    Inline(&'a [u8]),
    Placed(Pointer),
}

/// Takes an encoded row apart. `None` if it is damaged.
pub(super) fn decode(bytes: &[u8]) -> Option<Decoded<'_>> {
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

/// An encoded row as the committer handles it. `None` if it is damaged.
pub(super) fn entry(bytes: IVec) -> Option<Entry<Stored>> {
    let Decoded { version, expires_at, counted, value } = decode(&bytes)?;
    let value = match value {
        DecodedValue::Placed(pointer) => Stored::Placed(pointer),
        DecodedValue::Inline(_) => Stored::Encoded(bytes),
    };
    Some(Entry { version, expires_at, counted, value })
}

/// Encodes a row into `buffer`. `None` if its value is not yet placed, or damaged.
pub(super) fn encode(entry: &Entry<Stored>, buffer: &mut Vec<u8>) -> Option<()> {
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

/// The key of a tag's usage row.
pub(super) fn usage_key(tag: &Tag) -> [u8; 33] {
    let mut key = [USAGE_PREFIX; 33];
    let (_, rest) = key.split_at_mut(1);
    rest.copy_from_slice(&tag.0);
    key
}

/// Encodes a usage row.
pub(super) fn encode_usage(usage: &Usage) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(1 + usage.len() * 17);
    bytes.push(FORMAT);
    for (kind, count) in usage {
        bytes.push(*kind);
        bytes.extend_from_slice(&count.items.to_be_bytes());
        bytes.extend_from_slice(&count.bytes.to_be_bytes());
    }
    bytes
}

/// Takes a usage row apart. `None` if it is damaged.
pub(super) fn decode_usage(bytes: &[u8]) -> Option<Usage> {
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

/// What is known of a segment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Segment {
    /// Whether it is a file of its own for one large value.
    pub(super) own: bool,
    /// Where its last record ends. What the file has beyond was never committed.
    pub(super) end: u64,
    /// The bytes of its records that rows point to.
    pub(super) live_bytes: u64,
    /// How many those are.
    pub(super) live_records: u64,
}

/// The key of a segment's row.
pub(super) fn segment_key(number: u64) -> [u8; 9] {
    let mut key = [SEGMENT_PREFIX; 9];
    let (_, rest) = key.split_at_mut(1);
    rest.copy_from_slice(&number.to_be_bytes());
    key
}

/// The segment a key is about. `None` if it is no such key.
pub(super) fn segment_of(key: &[u8]) -> Option<u64> {
    let mut fields = Fields(key);
    let prefix = fields.byte()?;
    let number = fields.number()?;
    fields.end()?;
    (prefix == SEGMENT_PREFIX).then_some(number)
}

/// Encodes a segment's row.
pub(super) fn encode_segment(segment: &Segment) -> Vec<u8> {
    let mut bytes = vec![FORMAT, u8::from(segment.own)];
    for number in [segment.end, segment.live_bytes, segment.live_records] {
        bytes.extend_from_slice(&number.to_be_bytes());
    }
    bytes
}

/// Takes a segment's row apart. `None` if it is damaged.
pub(super) fn decode_segment(bytes: &[u8]) -> Option<Segment> {
    let mut fields = Fields(bytes);
    let (format, own) = (fields.byte()?, fields.byte()?);
    let segment =
        Segment { own: own == 1, end: fields.number()?, live_bytes: fields.number()?, live_records: fields.number()? };
    fields.end()?;
    (format == FORMAT && own <= 1).then_some(segment)
}

/// The key of a slot's row.
pub(super) fn slot_key(slot: &Slot) -> [u8; 42] {
    let mut key = [SLOT_PREFIX; 42];
    let fields = slot.end.to_be_bytes().into_iter().chain(slot.due.tag.0).chain([slot.due.kind]);
    for (to, from) in key.iter_mut().skip(1).zip(fields) {
        *to = from;
    }
    key
}

/// The slot a key is about. `None` if it is no such key.
pub(super) fn slot_of(key: &[u8]) -> Option<Slot> {
    let mut fields = Fields(key);
    let prefix = fields.byte()?;
    let slot = Slot { end: fields.number()?, due: Due { tag: Tag(fields.take()?), kind: fields.byte()? } };
    fields.end()?;
    (prefix == SLOT_PREFIX).then_some(slot)
}

/// Encodes a slot's row.
pub(super) fn encode_slot(earliest: Millis) -> Vec<u8> {
    let mut bytes = vec![FORMAT];
    bytes.extend_from_slice(&earliest.to_be_bytes());
    bytes
}

/// Takes a slot's row apart. `None` if it is damaged.
pub(super) fn decode_slot(bytes: &[u8]) -> Option<Millis> {
    let mut fields = Fields(bytes);
    let format = fields.byte()?;
    let earliest = fields.number()?;
    fields.end()?;
    (format == FORMAT).then_some(earliest)
}

/// The store's counters.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct State {
    /// The last version given to a row.
    pub(super) version: u64,
    /// The number of the next segment.
    pub(super) next_segment: u64,
}

/// Encodes the row of the counters.
pub(super) fn encode_state(state: &State) -> Vec<u8> {
    let mut bytes = vec![FORMAT];
    bytes.extend_from_slice(&state.version.to_be_bytes());
    bytes.extend_from_slice(&state.next_segment.to_be_bytes());
    bytes
}

/// Takes the row of the counters apart. `None` if it is damaged.
pub(super) fn decode_state(bytes: &[u8]) -> Option<State> {
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
        let slot = Slot { end: 60_000, due: Due { tag: Tag([3; 32]), kind: 9 } };
        assert_eq!(slot_of(&slot_key(&slot)), Some(slot));
        assert_eq!(decode_slot(&encode_slot(59_999)), Some(59_999));
        assert_eq!(segment_of(&segment_key(77)), Some(77));
        assert_eq!(segment_of(&usage_key(&Tag([3; 32]))), None);
    }
}
