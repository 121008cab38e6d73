//! Lists, and the changes of a commit, as callers name them.

use bailiwick_model::Kind;
use bailiwick_store::When;

use super::{Area, Name, needs_housekeeping};

/// A list of items, newest first: all of a kind, or those that share a filter's value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct List {
    /// The kind of its items.
    pub kind: Kind,
    /// The name of the filter, such as `type`; empty for all items.
    pub filter: &'static str,
    /// The filter's value.
    pub value: String,
}

impl List {
    /// Returns the list of all items of a kind.
    pub const fn all(kind: Kind) -> Self {
        Self { kind, filter: "", value: String::new() }
    }
}

/// One change of a commit.
#[derive(Debug, Clone)]
pub enum Change {
    /// Writes a row.
    Write {
        /// The kind.
        kind: Kind,
        /// The row.
        area: Area,
        /// The item.
        name: Name,
        /// The content.
        body: Vec<u8>,
        /// Epoch milliseconds.
        expires_at: Option<u64>,
        /// `Some(bytes)`: counts as one item of its kind. `None`: belongs to a counted row.
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
    /// Checks the condition alone: the commit then confirms that what was read is durable.
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
    /// Adds an item to a list, or sets its expiry there.
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
    /// Makes this kind of the tenant due for housekeeping at a time.
    Wake {
        /// The kind.
        kind: Kind,
        /// Epoch milliseconds.
        at: u64,
    },
    /// Makes the tenant due for work at a time: a run of it may go on.
    WakeWork {
        /// Epoch milliseconds.
        at: u64,
    },
    /// Removes an item from a list.
    Unlist {
        /// The list.
        list: List,
        /// The item's time: epoch microseconds.
        micros: u64,
        /// The item.
        name: Name,
    },
}

impl Change {
    /// Whether housekeeping has to find the tenant afterwards.
    pub(crate) const fn needs_housekeeping(&self) -> bool {
        match self {
            Self::Wake { .. } | Self::WakeWork { .. } => true,
            Self::Write { kind, .. } => needs_housekeeping(*kind),
            _ => false,
        }
    }

    /// Returns the bytes that it writes.
    pub const fn weight(&self) -> u64 {
        if let Self::Write { body, .. } = self { body.len() as u64 } else { 0 }
    }
}
