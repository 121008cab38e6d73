//! Maintenance jobs: what the committer does between commits, because it is the only writer.

use super::change_log::{ChangeLog, Changed, LAST};
use super::committer::{Committer, Group, find};
use super::queue::Answer;
use crate::engine::{CommitError, Count, Due, Millis, Tag, Version};
use crate::sled::tree::codec::{Bucket, Key, Stored, usage_key};
use crate::stage::Entry;

impl Committer {
    /// Returns the last version assigned: every row with it or an earlier one is in the tree once this is answered.
    pub(in crate::sled) fn version(&self) -> Answer {
        Ok(Version(self.state.version))
    }

    /// Has the log written to tables.
    pub(in crate::sled) fn apply_log(&self) -> Answer {
        let drained = self.tree.wal().drain(&|| self.status.keep_waiting());
        drained.map_err(|_| CommitError::Unavailable)?;
        self.version()
    }

    /// Fences a tag: every later commit to it fails.
    pub(in crate::sled) fn fence(&mut self, tag: Tag) -> Answer {
        self.erased.insert(tag);
        self.version()
    }

    /// Removes those of a kind's rows that have expired. Returns how many.
    pub(in crate::sled) fn expire(
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

    /// Removes rows.
    pub(in crate::sled) fn remove(&mut self, keys: &[Key], group: &mut Group) -> Answer {
        for (key, row) in self.look_up(keys, group)? {
            self.remove_row(key, &row, group);
        }
        self.written(group)
    }

    /// Returns the rows that exist. All are read before any is removed.
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
        group.batch.remove(&key);
        self.rows.insert(key, None);
        self.change_logs.values_mut().for_each(|log| log.add(key));
    }

    /// Removes the usage of a tag.
    pub(in crate::sled) fn remove_usage(&mut self, tag: Tag, group: &mut Group) -> Answer {
        self.usage.remove(&tag);
        group.usage_changed.remove(&tag);
        group.batch.remove(&usage_key(&tag));
        self.written(group)
    }

    /// Records what a sweep has left in expiry buckets.
    pub(in crate::sled) fn settle(
        &mut self,
        buckets: Vec<(Bucket, Option<Millis>)>,
        began: Version,
        group: &mut Group,
    ) -> Answer {
        for (bucket, rest) in buckets {
            self.buckets.settle(bucket, rest, began.0);
        }
        self.written(group)
    }

    /// Starts to record changes for an export.
    pub(in crate::sled) fn begin_export(&mut self, number: u64) -> Answer {
        self.change_logs.insert(number, ChangeLog::default());
        self.version()
    }

    /// Returns what has changed since the last call; the export ends with [`Changed::Last`].
    pub(in crate::sled) fn changed(&mut self, number: u64) -> Result<Changed, CommitError> {
        let log = self.change_logs.get_mut(&number).ok_or(CommitError::Unavailable)?;
        let keys: Vec<Key> = log.keys.drain().collect();
        if keys.len() > LAST {
            return Ok(Changed::Keys(keys));
        }
        log.is_finished = true;
        let row = |key| Ok((key, find(&self.rows, &self.tree, &key)?));
        keys.into_iter().map(row).collect::<Result<_, CommitError>>().map(Changed::Last)
    }

    /// Ends an export.
    pub(in crate::sled) fn end_export(&mut self, number: u64) -> Answer {
        self.change_logs.remove(&number);
        self.version()
    }

    /// Assigns a version to the changes of this job and marks the group as not empty.
    fn written(&mut self, group: &mut Group) -> Answer {
        self.state.version = self.state.version.saturating_add(1);
        group.is_empty = false;
        self.version()
    }
}
