//! What an export needs to know of the commits during it.

use std::collections::HashSet;

use crate::sled::tree::codec::{Key, Stored};
use crate::stage::Entry;

/// The rows that changed since an export began or last took them. While there is one, no space is reclaimed: every large value that a row
/// pointed to meanwhile can still be read.
#[derive(Default)]
pub(in crate::sled) struct ChangeLog {
    pub(super) keys: HashSet<Key>,
    pub(super) is_finished: bool,
}

impl ChangeLog {
    /// Records a change.
    pub(in crate::sled) fn add(&mut self, key: Key) {
        if !self.is_finished {
            self.keys.insert(key);
        }
    }
}

/// The rows that changed during an export.
pub(in crate::sled) enum Changed {
    /// Too many for the committer: the export reads them itself and asks again.
    Keys(Vec<Key>),
    /// The last ones, as they are at the moment of the export.
    Last(Vec<(Key, Option<Entry<Stored>>)>),
}

/// The most rows that the committer reads itself.
pub(super) const LAST: usize = 256;
