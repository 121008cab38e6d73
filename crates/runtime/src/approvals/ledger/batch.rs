//! A batch of ledger records, read and hashed to verify the whole ledger.

use std::collections::BTreeMap;

use bailiwick_model::base32::parse_prefixed_id;
use bailiwick_model::ledger::Hash;
use bailiwick_model::ledger::tile::{TILE_WIDTH, TileId, TileSet};
use bailiwick_model::pace::{RECORD, ahead};
use bailiwick_model::{Error, Result};
use bailiwick_tenancy::{Access, Area, Entries};

use super::{KIND, Leaf, ledger_name, read_tiles};
use crate::approvals::record::PREFIX;

/// Records in a batch: whole tiles, and few enough for other calls to run in between.
pub(super) const RECORDS: u64 = 16 * TILE_WIDTH as u64;
/// Bytes of records that are read at once.
const BYTES: u64 = 1 << 20;

/// The stored records from `from` up to, not including, `to`, and the tiles of their leaves.
pub(super) struct Batch {
    pub(super) from: u64,
    pub(super) to: u64,
    /// `None` for a record that cannot be opened or read.
    pub(super) records: BTreeMap<u64, Option<Kept>>,
    pub(super) tiles: TileSet,
}

/// The fields of a record that the check needs.
pub(super) struct Kept {
    pub(super) leaf: Hash,
    /// The bytes of its approval's id.
    pub(super) approval: [u8; 20],
}

impl Batch {
    pub(super) async fn read(access: &Access, from: u64, to: u64) -> Result<Self> {
        let records = read_records(access, from, to).await?;
        let width = TILE_WIDTH as u64;
        let ids: Vec<TileId> = (from / width..to.div_ceil(width)).map(|index| TileId { level: 0, index }).collect();
        let tiles = readable_tiles(access, &ids).await?;
        Ok(Self { from, to, records, tiles })
    }
}

impl Kept {
    fn read(sequence: u64, body: &[u8]) -> Option<Self> {
        let leaf = Leaf::read(sequence, body)?;
        Some(Self { leaf: leaf.hash(), approval: parse_prefixed_id(PREFIX, &leaf.record.approval_id)? })
    }
}

/// Reads the existing records; `None` for those that cannot be read.
async fn read_records(access: &Access, from: u64, to: u64) -> Result<BTreeMap<u64, Option<Kept>>> {
    let name = ledger_name(access);
    match read_parts(access, from, to).await {
        Ok(records) => Ok(records),
        // Finds the record that cannot be opened.
        Err(Error::StoreCorrupt(_)) => {
            let mut records = BTreeMap::new();
            for sequence in from..to {
                match access.read_current(KIND, &[(Area::Entry(sequence), name)]).await {
                    Ok(rows) => {
                        let row = rows.into_iter().next().flatten();
                        records.extend(row.map(|row| (sequence, Kept::read(sequence, &row.body))));
                    }
                    Err(Error::StoreCorrupt(_)) => {
                        records.insert(sequence, None);
                    }
                    Err(error) => return Err(error),
                }
            }
            Ok(records)
        }
        Err(error) => Err(error),
    }
}

/// Reads the existing records a few at a time, and keeps only what the check needs.
async fn read_parts(access: &Access, mut from: u64, to: u64) -> Result<BTreeMap<u64, Option<Kept>>> {
    let mut records = BTreeMap::new();
    while from < to {
        let wanted = Entries { from, to: to - 1, reverse: false, limit: (to - from) as usize };
        let part = access.part(KIND, ledger_name(access), wanted, BYTES).await?;
        from = part.entries.last().filter(|_| part.more).map_or(to, |(last, _)| last + 1);
        for (sequence, row) in part.entries {
            ahead(RECORD).await;
            records.insert(sequence, Kept::read(sequence, &row.body));
        }
    }
    Ok(records)
}

/// Reads the tiles that exist and can be read.
pub(super) async fn readable_tiles(access: &Access, ids: &[TileId]) -> Result<TileSet> {
    match read_tiles(access, ids).await {
        Err(Error::StoreCorrupt(_)) => {}
        tiles => return tiles,
    }
    let mut tiles = TileSet::new();
    for id in ids {
        match read_tiles(access, &[*id]).await {
            Ok(tile) => tiles.extend(tile),
            Err(Error::StoreCorrupt(_)) => {}
            Err(error) => return Err(error),
        }
    }
    Ok(tiles)
}
