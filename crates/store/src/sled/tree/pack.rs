//! Packing the rows of a store of format 1, which kept each row of a list for itself.

use std::ops::Bound;

use ::sled::IVec;

use super::database::{Database, RESERVE_BYTES};
use super::page::{PACKED_FROM, is_packed};
use crate::engine::{KEY_FORMAT, ReadError};
use crate::sled::wal::batch::RowKey;

/// There while rows may not be packed yet. Earlier versions pass over it.
const UNPACKED_KEY: RowKey = RowKey::short([0x05]);
/// The rows that are packed at once.
const TOGETHER: usize = 4_096;

/// Notes durably that rows have to be packed.
pub(super) fn announce(database: &Database) -> Result<(), ReadError> {
    let mut writer = database.writer();
    writer.write(&UNPACKED_KEY, &Some(IVec::default()))?;
    writer.finish()
}

/// Packs what has to be. A crash loses nothing: the rest is packed when the store is opened again. Returns `false` if the disk is full before.
pub(super) fn pack(database: &Database) -> Result<bool, ReadError> {
    if database.get(&UNPACKED_KEY)?.is_none() {
        return Ok(true);
    }
    let mut from = Bound::Included(RowKey::short([KEY_FORMAT]));
    while let Some((rows, next)) = unpacked(database, from)? {
        if database.free_bytes().is_some_and(|free| free < RESERVE_BYTES) {
            return Ok(false);
        }
        let mut writer = database.writer();
        rows.iter().try_for_each(|(key, row)| writer.write(key, &Some(row.clone())))?;
        writer.finish()?;
        // Only now is it safe to remove them: a removed row must be in a page, on the disk.
        let mut writer = database.writer();
        rows.iter().try_for_each(|(key, _)| writer.remove_unpacked(key))?;
        writer.finish()?;
        from = next;
    }
    let mut writer = database.writer();
    writer.write(&UNPACKED_KEY, &None)?;
    writer.finish().map(|()| true)
}

/// Some rows that are to be packed, and where to go on.
type Part = (Vec<(RowKey, IVec)>, Bound<RowKey>);

/// Returns the next part. `None`: there is none.
fn unpacked(database: &Database, mut from: Bound<RowKey>) -> Result<Option<Part>, ReadError> {
    let end = Bound::Excluded(RowKey::short([KEY_FORMAT + 1]));
    let mut rows = Vec::new();
    database.with(|trees| {
        while rows.len() < TOGETHER {
            let start = from;
            for found in trees.rows.range((from, end)) {
                let (key, row) = found?;
                let key = RowKey::new(&key).ok_or(ReadError::Corrupt)?;
                if !is_packed(&key) {
                    // On to the first packed row of the tag, or the first row of the next one.
                    from = Bound::Included(first_packed(&key).ok_or(ReadError::Corrupt)?);
                    break;
                }
                from = Bound::Excluded(key);
                rows.push((key, row));
                if rows.len() == TOGETHER {
                    break;
                }
            }
            if from == start {
                break;
            }
        }
        Ok(())
    })?;
    Ok((!rows.is_empty()).then_some((rows, from)))
}

/// The lowest packed key of the tag of a key that is not packed.
fn first_packed(key: &[u8]) -> Option<RowKey> {
    let mut first = key.get(..super::page::KIND_AT)?.to_vec();
    first.push(PACKED_FROM);
    RowKey::new(&first)
}
