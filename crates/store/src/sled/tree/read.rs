//! Look-ups and ranges. They run beside the committer: a row may be overwritten, and its large value freed, between
//! reading the row and reading the value. Then the row is read again.

use std::ops::Bound;

use ::sled::IVec;

use crate::engine::{Found, Millis, Place, ReadError, Row, ScanRequest, Scanned, Tag, Usage, Version, record_key};
use crate::room::Room;
use crate::sled::tree::Tree;
use crate::sled::tree::codec::{Decoded, DecodedValue, Pointer, decode, decode_usage, usage_key};
use crate::sled::values::files::Files;
use crate::sled::values::record::RecordError;
use crate::sled::wal::batch::RowKey;
use crate::sled::wal::range::Order;

/// The item is the last 32 bytes of the key.
const ITEM_AT: usize = 34;
const KEY: usize = 66;

/// Looks one row up.
pub(in crate::sled) fn find(
    tree: &Tree,
    files: &Files,
    tag: &Tag,
    place: Place,
    known: Option<Version>,
    room: &mut Room,
    now: Millis,
) -> Result<Found, ReadError> {
    let key = record_key(tag, &place);
    let found = tree.get(&key)?;
    find_in((tree, files), &key, place, found, known, room, now)
}

/// What an encoded row is to a reader.
fn find_in(
    (tree, files): (&Tree, &Files),
    key: &[u8; KEY],
    place: Place,
    mut found: Option<IVec>,
    known: Option<Version>,
    room: &mut Room,
    now: Millis,
) -> Result<Found, ReadError> {
    let mut missed: Option<Pointer> = None;
    loop {
        let Some(bytes) = found else { return Ok(Found::Absent) };
        let Decoded { version, expires_at, value, .. } = decode(&bytes).ok_or(ReadError::Corrupt)?;
        if expires_at.is_some_and(|at| at <= now) {
            return Ok(Found::Absent);
        }
        let version = Version(version);
        if known == Some(version) {
            return Ok(Found::NotModified { expires_at });
        }
        let row = |value| Ok(Found::Entry(Row { place, version, expires_at, value }));
        let bytes = match &value {
            DecodedValue::Inline(value) => value.len() as u64,
            DecodedValue::Placed(pointer) => pointer.length,
        };
        if !room.takes(bytes) {
            return Ok(Found::Large { bytes });
        }
        match value {
            DecodedValue::Inline(value) => return row(bytes::Bytes::copy_from_slice(value)),
            // Places are never used twice, so a row that still points where nothing was found is damaged.
            DecodedValue::Placed(pointer) if missed == Some(pointer) => return Err(ReadError::Corrupt),
            DecodedValue::Placed(pointer) => match files.read(key, &pointer) {
                Ok(value) => return row(value),
                Err(RecordError::Io) => return Err(ReadError::Unavailable),
                Err(RecordError::Damaged) => {
                    missed = Some(pointer);
                    found = tree.get(key)?;
                }
            },
        }
    }
}

/// Reads a range.
pub(in crate::sled) fn scan(
    tree: &Tree,
    files: &Files,
    tag: &Tag,
    request: &ScanRequest,
) -> Result<Scanned, ReadError> {
    let mut scanned = Scanned::default();
    if request.from > request.to || request.limit == 0 {
        return Ok(scanned);
    }
    let mut room = Room::new(request.most);
    let bound = |item| RowKey::from(&record_key(tag, &Place { kind: request.kind, item }));
    let (from, to) = (bound(request.from), bound(request.to));
    let order = if request.reverse { Order::Reverse } else { Order::Forward };
    let mut range = tree.range((Bound::Included(from), Bound::Included(to)), order)?;
    while scanned.rows.len() < request.limit {
        let Some((key, bytes)) = range.next()? else { break };
        let key: [u8; KEY] = key.as_ref().try_into().map_err(|_| ReadError::Corrupt)?;
        let item = key.get(ITEM_AT..).and_then(|item| item.try_into().ok()).ok_or(ReadError::Corrupt)?;
        let place = Place { kind: request.kind, item };
        match find_in((tree, files), &key, place, Some(bytes), None, &mut room, request.now)? {
            Found::Entry(row) => scanned.rows.push(row),
            Found::Large { bytes } => {
                scanned.beyond = Some(bytes);
                break;
            }
            Found::Absent | Found::NotModified { .. } => {}
        }
    }
    Ok(scanned)
}

/// What a tag holds.
pub(in crate::sled) fn usage(tree: &Tree, tag: &Tag) -> Result<Usage, ReadError> {
    match tree.get(&usage_key(tag))? {
        Some(bytes) => decode_usage(&bytes).ok_or(ReadError::Corrupt),
        None => Ok(Usage::new()),
    }
}
