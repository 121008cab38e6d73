//! The layout of a tenant's ledger in the store.
//!
//! ```text
//! record "ledger"          u64be size ‖ u64be pending approvals ‖ u64be no pending approval expires before
//! entry n of "ledger"      opening(32) ‖ RFC 8785 JSON of the record
//! record "tile/" ‖ level(1) ‖ u64be index    1 to 16 hashes
//! entry 0 of an approval   u64be sequence: that it was decided, written once
//! ```

mod batch;
mod proofs;
mod verify;

use bailiwick_model::json;
use bailiwick_model::ledger::hash::{Opening, leaf_data, leaf_hash};
use bailiwick_model::ledger::record::ApprovalRecord;
use bailiwick_model::ledger::tile::{Tile, TileId, TileSet};
use bailiwick_model::ledger::{Hash, tree};
use bailiwick_model::{Error, Kind, Result};
use bailiwick_tenancy::{ATTEMPTS, Access, Area, Change, Name, Version, When, contended};

use crate::approvals::record::damaged;

pub use verify::{Problem, VerifyReport};

pub(crate) const KIND: Kind = Kind::Approvals;

/// Serialises the ledger writers of one tenant in this process. An optimisation: version conflicts decide between processes.
#[derive(Default)]
pub(crate) struct LedgerTurns(pub(crate) tokio::sync::Mutex<()>);

/// The name of the ledger's head and entries.
pub(crate) fn ledger_name(access: &Access) -> Name {
    access.name(KIND, b"ledger")
}

/// The name of an approval's record and of its decision.
pub(crate) fn approval_name(access: &Access, approval_id: &str) -> Name {
    access.name(KIND, &[b"approval/", approval_id.as_bytes()].concat())
}

fn tile_name(access: &Access, id: TileId) -> Name {
    access.name(KIND, &[b"tile/".as_slice(), &[id.level], &id.index.to_be_bytes()].concat())
}

/// The head of a ledger.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Head {
    /// The number of records.
    pub(crate) size: u64,
    /// The number of approvals that wait for a decision.
    pub(crate) pending: u64,
    /// No approval that waits expires before this time, in epoch milliseconds.
    pub(crate) next_expiry: u64,
}

impl Head {
    const NEW: Self = Self { size: 0, pending: 0, next_expiry: u64::MAX };

    fn write(self) -> Vec<u8> {
        [self.size, self.pending, self.next_expiry].map(u64::to_be_bytes).concat()
    }

    fn read(body: &[u8]) -> Option<Self> {
        let (numbers, []) = body.as_chunks::<8>() else { return None };
        let [size, pending, next_expiry] = *numbers else { return None };
        let [size, pending, next_expiry] = [size, pending, next_expiry].map(u64::from_be_bytes);
        Some(Self { size, pending, next_expiry })
    }
}

/// A head as it was read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Ledger {
    pub(crate) head: Head,
    version: Option<Version>,
}

/// A record with its opening, which is hashed before it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Leaf {
    pub(crate) record: ApprovalRecord,
    pub(crate) opening: Opening,
    /// The bytes of the record. They are kept, because writing a million records again takes as long as the rest of the
    /// check.
    text: Vec<u8>,
}

impl Leaf {
    pub(crate) fn new(record: ApprovalRecord, opening: Opening) -> Self {
        Self { text: record.canonical(), record, opening }
    }

    pub(crate) fn hash(&self) -> Hash {
        leaf_hash(&leaf_data(&self.opening, &self.text))
    }

    fn write(&self) -> Vec<u8> {
        [self.opening.as_slice(), &self.text].concat()
    }

    /// Parses an entry. `None` if it is not the record with this sequence.
    pub(crate) fn read(sequence: u64, body: &[u8]) -> Option<Self> {
        let (opening, text) = body.split_first_chunk::<32>()?;
        let record = ApprovalRecord::from_json(&json::parse(text, &json::Limits::default()).ok()?)?;
        (record.sequence == sequence).then(|| Self { record, opening: *opening, text: text.to_vec() })
    }
}

impl Ledger {
    /// Reads the head.
    ///
    /// # Errors
    /// `StoreCorrupt` if a record exists beyond the head: the head was rolled back or removed.
    pub(crate) async fn read(access: &Access) -> Result<Self> {
        let mut before = Self::read_head(access).await?;
        for _ in 0..ATTEMPTS {
            if !before.has_more(access).await? {
                return Ok(before);
            }
            // Head and records change in one commit. If the head is unchanged, the two never fitted.
            let now = Self::read_head(access).await?;
            if now.version == before.version {
                return Err(damaged());
            }
            before = now;
        }
        Err(contended())
    }

    pub(crate) async fn read_head(access: &Access) -> Result<Self> {
        let rows = [(Area::Record, ledger_name(access))];
        Ok(match access.read_current(KIND, &rows).await?.pop().flatten() {
            Some(record) => Self { head: Head::read(&record.body).ok_or_else(damaged)?, version: Some(record.version) },
            None => Self { head: Head::NEW, version: None },
        })
    }

    /// Returns whether a record exists right behind the last one.
    pub(crate) async fn has_more(&self, access: &Access) -> Result<bool> {
        let rows = [(Area::Entry(self.head.size), ledger_name(access))];
        Ok(access.read_current(KIND, &rows).await?.iter().any(Option::is_some))
    }

    /// Returns the change that replaces this head.
    pub(crate) fn write_head(&self, access: &Access, head: Head) -> Change {
        Change::Write {
            kind: KIND,
            area: Area::Record,
            name: ledger_name(access),
            body: head.write(),
            expires_at: None,
            counted: None,
            when: self.version.map_or(When::Absent, When::Version),
        }
    }

    /// Returns the changes that append records, without the head: the records, if they are absent, then the tiles. `None`: another
    /// process has appended since the head was read.
    ///
    /// # Errors
    /// `StoreCorrupt` if the tiles are not those of a ledger of this size.
    pub(crate) async fn append(&self, access: &Access, leaves: &[Leaf]) -> Result<Option<Vec<Change>>> {
        let append = tree::append(self.head.size);
        let tiles = read_tiles(access, &append.tiles()).await?;
        let hashes: Vec<Hash> = leaves.iter().map(Leaf::hash).collect();
        let appended = match append.apply(&tiles, &hashes) {
            Err(Error::StoreCorrupt(_)) if Self::read_head(access).await?.version != self.version => return Ok(None),
            appended => appended?,
        };
        let name = ledger_name(access);
        let records =
            leaves.iter().map(|leaf| write(Area::Entry(leaf.record.sequence), name, leaf.write(), When::Absent));
        let tiles = appended
            .changed
            .iter()
            .map(|(id, tile)| write(Area::Record, tile_name(access, *id), tile.to_bytes(), When::Any));
        Ok(Some(records.chain(tiles).collect()))
    }
}

/// Returns a row of the ledger. It never expires, and its bytes count with its approval.
pub(crate) fn write(area: Area, name: Name, body: Vec<u8>, when: When) -> Change {
    Change::Write { kind: KIND, area, name, body, expires_at: None, counted: None, when }
}

/// Reads the existing tiles.
///
/// # Errors
/// `StoreCorrupt` if one of them is damaged.
pub(crate) async fn read_tiles(access: &Access, ids: &[TileId]) -> Result<TileSet> {
    let rows: Vec<_> = ids.iter().map(|id| (Area::Record, tile_name(access, *id))).collect();
    let records = access.read_current(KIND, &rows).await?;
    let there = ids.iter().zip(records).filter_map(|(id, record)| Some((*id, record?)));
    there.map(|(id, record)| Ok((id, Tile::from_bytes(&record.body).ok_or_else(damaged)?))).collect()
}
