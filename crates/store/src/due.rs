//! What an engine has to do, and which of it is named.

use crate::engine::Tag;

/// A kind of a tag that has something to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Due {
    /// Whose.
    pub tag: Tag,
    /// The kind of its rows.
    pub kind: u8,
}

/// The kinds whose dues are named.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kinds {
    /// This one.
    Only(u8),
    /// All but this one.
    AllBut(u8),
}

impl Kinds {
    /// Whether a kind is among them.
    pub const fn has(self, kind: u8) -> bool {
        match self {
            Self::Only(only) => kind == only,
            Self::AllBut(not) => kind != not,
        }
    }
}

/// Which dues to name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Promptness {
    /// Everything that is due.
    Now,
    /// What can wait for its neighbours waits: an engine may gather rows that expire at about the same time, so that it
    /// goes through a tag's rows once for all of them.
    Gathered,
}
