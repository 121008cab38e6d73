//! The rows of a tenant: their keys below its tag, and the cache of opened records. Knows nothing of tenants themselves.

mod cache_key;
pub(crate) mod change;
pub(crate) mod internal;
pub(crate) mod record_cache;

use bailiwick_model::Kind;
use bailiwick_store::Place;

/// The name of an item: 16 bytes of a keyed hash.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Name(pub(crate) [u8; 16]);

impl Name {
    /// The greatest name.
    pub const LAST: Self = Self([0xff; 16]);
}

/// One of an item's rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Area {
    /// The record itself.
    Record,
    /// Content too large to be read with the record.
    Content,
    /// An entry of the item's journal, by its sequence.
    Entry(u64),
}

const ENTRY: u8 = 0x20;
const CONTENT: u8 = 0x40;
const LIST: u8 = 0x80;

/// Returns the place of a row: `name(16) ‖ zeros(8) ‖ u64be(sequence, or zero)` below the kind with the bit of the area.
pub(crate) fn place(kind: Kind, area: Area, name: Name) -> Place {
    let (bit, sequence) = match area {
        Area::Record => (0, 0),
        Area::Content => (CONTENT, 0),
        Area::Entry(sequence) => (ENTRY, sequence),
    };
    let mut item = [0; 32];
    let fields = name.0.into_iter().chain([0; 8]).chain(sequence.to_be_bytes());
    for (to, from) in item.iter_mut().zip(fields) {
        *to = from;
    }
    Place { kind: kind as u8 | bit, item }
}

/// Returns the sequence of an entry.
pub(crate) fn sequence(place: &Place) -> u64 {
    place.item.last_chunk::<8>().map_or(0, |bytes| u64::from_be_bytes(*bytes))
}

/// Returns the kind of a tenant's row, and whether it belongs to a list.
pub(crate) fn kind_of(place: &Place) -> Option<(Kind, bool)> {
    Some((kind(place.kind)?, place.kind & LIST != 0))
}

/// Returns the kind of a kind byte, without the bits of the row.
pub(crate) fn kind(byte: u8) -> Option<Kind> {
    Kind::ALL.into_iter().find(|kind| *kind as u8 == byte & !(ENTRY | CONTENT | LIST))
}

/// Whether a row is cached once it was read or written. Journals and runs are always read from the engine: they would only
/// evict other records.
pub(crate) const fn is_cached(place: &Place) -> bool {
    let is_entry = place.kind & ENTRY != 0;
    let is_plans = place.kind & !ENTRY == Kind::Plans as u8;
    let is_runs = place.kind & !(ENTRY | CONTENT) == Kind::Runs as u8;
    !is_runs && (!is_entry || is_plans)
}

/// Whether housekeeping does more for this kind than remove expired rows: journals outlive their records, and an expired
/// approval is recorded in the ledger.
pub(crate) const fn needs_housekeeping(kind: Kind) -> bool {
    matches!(kind, Kind::Approvals | Kind::Threads | Kind::Runs)
}

/// Returns the kind byte of a list's rows.
pub(crate) fn list_kind(kind: Kind) -> u8 {
    kind as u8 | LIST
}
