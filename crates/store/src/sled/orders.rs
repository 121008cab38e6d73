//! What the committer does between commits, in its turn: it is the only one who writes.

use std::collections::HashSet;

use super::committer::{Committer, Group, Key, find};
use super::entry::{Stored, usage_key};
use super::queue::Answer;
use super::slots::Slot;
use crate::engine::{CommitError, Count, Due, Millis, Tag, Version};
use crate::stage::Entry;

/// The rows that have changed since an export began or asked for them last. While there is one, no space is given back:
/// what a row pointed to at any time meanwhile can be read.
#[derive(Default)]
pub(super) struct Recorder {
    keys: HashSet<Key>,
    is_over: bool,
}

impl Recorder {
    /// Notes a change.
    pub(super) fn note(&mut self, key: Key) {
        if !self.is_over {
            self.keys.insert(key);
        }
    }
}

/// The rows that changed during an export.
pub(super) enum Changed {
    /// Too many to be read by the committer: the export reads them itself and asks again.
    Keys(Vec<Key>),
    /// The last ones, as they are at the moment at which the export ends.
    Last(Vec<(Key, Option<Entry<Stored>>)>),
}

/// So many rows the committer reads itself.
const LAST: usize = 256;

impl Committer {
    /// The last version given out: what has it, or an earlier one, is in the tree once this is answered.
    pub(super) fn version(&self) -> Answer {
        Ok(Version(self.state.version))
    }

    /// Refuses every commit to a tag from now on.
    pub(super) fn fence(&mut self, tag: Tag) -> Answer {
        self.erased.insert(tag);
        self.version()
    }

    /// Removes those of a kind's rows that have expired by now, and says how many.
    pub(super) fn expire(
        &mut self,
        due: Due,
        keys: &[Key],
        now: Millis,
        group: &mut Group,
    ) -> Result<u64, CommitError> {
        self.load_usage(&due.tag)?;
        let rows = self.look_up(keys, group)?;
        let (mut removed, mut counted) = (0, Count::default());
        for (key, row) in rows.into_iter().filter(|(_, row)| !row.is_live(now)) {
            counted.items += u64::from(row.counted.is_some());
            counted.bytes = counted.bytes.saturating_add(row.counted.unwrap_or(0));
            self.remove_row(key, &row, group);
            removed += 1;
        }
        if let Some(count) = self.usage.get_mut(&due.tag).and_then(|usage| usage.get_mut(&due.kind)) {
            count.items = count.items.saturating_sub(counted.items);
            count.bytes = count.bytes.saturating_sub(counted.bytes);
            group.usage_changed.insert(due.tag);
        }
        self.written(group)?;
        Ok(removed)
    }

    /// Removes rows, whoever they belong to.
    pub(super) fn remove(&mut self, keys: &[Key], group: &mut Group) -> Answer {
        for (key, row) in self.look_up(keys, group)? {
            self.remove_row(key, &row, group);
        }
        self.written(group)
    }

    /// Those of these rows that are there. All are read before any is removed.
    fn look_up(&self, keys: &[Key], group: &Group) -> Result<Vec<(Key, Entry<Stored>)>, CommitError> {
        if group.is_disk_full() {
            return Err(CommitError::Full);
        }
        let row = |key: &Key| Ok(find(&self.rows, &self.tree, key)?.map(|row| (*key, row)));
        keys.iter().filter_map(|key| row(key).transpose()).collect()
    }

    fn remove_row(&mut self, key: Key, row: &Entry<Stored>, group: &mut Group) {
        if let Stored::Placed(pointer) = row.value {
            self.segments.free(pointer);
        }
        group.batch.remove(key.as_slice());
        self.rows.insert(key, None);
        self.recorders.values_mut().for_each(|recorder| recorder.note(key));
    }

    /// Forgets what a tag used.
    pub(super) fn remove_usage(&mut self, tag: Tag, group: &mut Group) -> Answer {
        self.usage.remove(&tag);
        group.usage_changed.remove(&tag);
        group.batch.remove(usage_key(&tag).as_slice());
        self.written(group)
    }

    /// Notes what a sweep has left in slots.
    pub(super) fn settle(&mut self, slots: Vec<(Slot, Option<Millis>)>, began: Version, group: &mut Group) -> Answer {
        for (slot, rest) in slots {
            self.slots.settle(slot, rest, began.0);
        }
        self.written(group)
    }

    /// From now on the export of this number is told what changes.
    pub(super) fn begin_export(&mut self, number: u64) -> Answer {
        self.recorders.insert(number, Recorder::default());
        self.version()
    }

    /// What has changed since this was asked last; the export ends with [`Changed::Last`].
    pub(super) fn changed(&mut self, number: u64) -> Result<Changed, CommitError> {
        let recorder = self.recorders.get_mut(&number).ok_or(CommitError::Unavailable)?;
        let keys: Vec<Key> = recorder.keys.drain().collect();
        if keys.len() > LAST {
            return Ok(Changed::Keys(keys));
        }
        recorder.is_over = true;
        let row = |key| Ok((key, find(&self.rows, &self.tree, &key)?));
        keys.into_iter().map(row).collect::<Result<_, CommitError>>().map(Changed::Last)
    }

    /// Everything was read, or nobody asks any more.
    pub(super) fn end_export(&mut self, number: u64) -> Answer {
        self.recorders.remove(&number);
        self.version()
    }

    /// The batch has something to write now, which later versions must not share.
    fn written(&mut self, group: &mut Group) -> Answer {
        self.state.version = self.state.version.saturating_add(1);
        group.is_empty = false;
        self.version()
    }
}
