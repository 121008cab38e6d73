//! Where a tenant's rows lie below its tag, and what can be done to them.

use bailiwick_model::Kind;
use bailiwick_store::{Place, When};

/// The name of an item: 16 bytes of a keyed hash.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Name(pub(crate) [u8; 16]);

impl Name {
    /// Behind every other.
    pub const LAST: Self = Self([0xff; 16]);
}

/// Which of an item's rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Area {
    /// The record itself.
    Record,
    /// Content that is too large to be read with the record.
    Content,
    /// An entry of the item's journal, by its sequence.
    Entry(u64),
}

/// The kind byte of the row that says which tags a name has, under the name's own tag, and of the row that says whose a
/// tag is.
pub(crate) const NAME_ROW: u8 = 0;
const ENTRY: u8 = 0x20;
const CONTENT: u8 = 0x40;
const LIST: u8 = 0x80;

/// `name(16) ‖ zeros(8) ‖ u64be(sequence, or zero)` below the kind, with the area's bit.
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

/// The sequence of an entry's place.
pub(crate) fn sequence(place: &Place) -> u64 {
    place.item.last_chunk::<8>().map_or(0, |bytes| u64::from_be_bytes(*bytes))
}

/// The kind of a row that is there for a tenant, and whether it is a list's.
pub(crate) fn kind_of(place: &Place) -> Option<(Kind, bool)> {
    Some((kind(place.kind)?, place.kind & LIST != 0))
}

/// The kind that a kind byte is of, whichever of its rows.
pub(crate) fn kind(byte: u8) -> Option<Kind> {
    Kind::ALL.into_iter().find(|kind| *kind as u8 == byte & !(ENTRY | CONTENT | LIST))
}

/// Whether a row is worth keeping opened once it was written or read. Journals are read past the cache, and a run's record is
/// looked at as it is now: they would only push out what others look up.
pub(crate) const fn is_kept_open(place: &Place) -> bool {
    let is_entry = place.kind & ENTRY != 0;
    let is_plans = place.kind & !ENTRY == Kind::Plans as u8;
    let is_runs = place.kind & !(ENTRY | CONTENT) == Kind::Runs as u8;
    !is_runs && (!is_entry || is_plans)
}

/// Whether something of this kind leaves rows behind that no expiry of their own removes, or has more to do when its time
/// has come: journals outlive their records, and approvals get their record in the ledger.
pub(crate) const fn is_looked_after(kind: Kind) -> bool {
    matches!(kind, Kind::Approvals | Kind::Threads | Kind::Runs)
}

/// The kind byte of a list's rows.
pub(crate) fn list_kind(kind: Kind) -> u8 {
    kind as u8 | LIST
}

/// A list of items, newest first: all of a kind, or those that share a filter's value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct List {
    /// Of what.
    pub kind: Kind,
    /// Which filter, such as `type`; empty for all.
    pub filter: &'static str,
    /// The filter's value.
    pub value: String,
}

impl List {
    /// Everything of a kind.
    pub const fn all(kind: Kind) -> Self {
        Self { kind, filter: "", value: String::new() }
    }
}

impl Change {
    /// Whether the sweeper may have to find the tenant because of it.
    pub(crate) const fn is_looked_after(&self) -> bool {
        match self {
            Self::Wake { .. } => true,
            Self::Write { kind, .. } => is_looked_after(*kind),
            _ => false,
        }
    }
}

/// One change of a commit.
#[derive(Debug, Clone)]
pub enum Change {
    /// Writes a record. `counted`: the bytes it counts with as one item of its kind.
    Write {
        /// The kind.
        kind: Kind,
        /// The row.
        area: Area,
        /// The item.
        name: Name,
        /// What.
        body: Vec<u8>,
        /// Epoch milliseconds.
        expires_at: Option<u64>,
        /// Bytes, or `None` for a row that belongs to a counted one.
        counted: Option<u64>,
        /// The condition.
        when: When,
    },
    /// Keeps the later of two expiries. Conflicts if the record is absent.
    Extend {
        /// The kind.
        kind: Kind,
        /// The row.
        area: Area,
        /// The item.
        name: Name,
        /// Epoch milliseconds.
        expires_at: Option<u64>,
    },
    /// Removes a record.
    Delete {
        /// The kind.
        kind: Kind,
        /// The row.
        area: Area,
        /// The item.
        name: Name,
        /// The condition.
        when: When,
    },
    /// Only the condition: with it, a commit acknowledges that what was read is durable.
    Check {
        /// The kind.
        kind: Kind,
        /// The row.
        area: Area,
        /// The item.
        name: Name,
        /// The condition.
        when: When,
    },
    /// Puts an item on a list, or sets its expiry there.
    List {
        /// The list.
        list: List,
        /// The item's time: epoch microseconds.
        micros: u64,
        /// The item.
        name: Name,
        /// Epoch milliseconds.
        expires_at: Option<u64>,
    },
    /// Has the sweeper look after this kind of the tenant from that time on.
    Wake {
        /// The kind.
        kind: Kind,
        /// Epoch milliseconds.
        at: u64,
    },
    /// Takes an item off a list.
    Unlist {
        /// The list.
        list: List,
        /// The item's time: epoch microseconds.
        micros: u64,
        /// The item.
        name: Name,
    },
}
