//! The cache of decrypted records, bounded in bytes and fair between tenants.

use std::sync::Arc;

use bailiwick_store::{Place, Tag, Version};
use parking_lot::Mutex;

use super::cache_key::{CacheKey, Map};

/// A decrypted record.
#[derive(Debug)]
pub struct Record {
    /// The row's version.
    pub version: Version,
    /// The row's expiry in epoch milliseconds.
    pub expires_at: Option<u64>,
    /// The content, without the owner, which was checked.
    pub body: Vec<u8>,
}

const SHARDS: usize = 16;
/// The approximate overhead of an entry: map slot, ring slot, `Arc`.
const ENTRY_BYTES: usize = 256;

/// A CLOCK cache in shards.
pub(crate) struct RecordCache {
    shards: Vec<Mutex<Shard>>,
}

#[derive(Default)]
struct Shard {
    capacity: usize,
    bytes: usize,
    /// Increases with every commit. A read that began before a commit must not be cached after it.
    epoch: u64,
    /// One slot holds everything that a hit needs: another cache miss would double the time of a look-up.
    entries: Map<CacheKey, Entry>,
    ring: Vec<Option<CacheKey>>,
    free: Vec<usize>,
    hand: usize,
    shares: Map<Tag, usize>,
}

struct Entry {
    record: Arc<Record>,
    bytes: usize,
    index: usize,
    used: bool,
}

/// The epoch at which a read began.
#[derive(Clone, Copy)]
pub(crate) struct ReadEpoch(u64);

impl RecordCache {
    /// `capacity`: bytes, over all tenants.
    pub(crate) fn new(capacity: usize) -> Self {
        let shard = || Mutex::new(Shard { capacity: capacity / SHARDS, ..Shard::default() });
        Self { shards: (0..SHARDS).map(|_| shard()).collect() }
    }

    /// Returns a record that is cached and has not expired by `now`.
    pub(crate) fn get(&self, tag: Tag, place: Place, now: u64) -> Option<Arc<Record>> {
        let key = CacheKey { tag, place };
        let mut shard = self.shard(&key)?.lock();
        let entry = shard.entries.get_mut(&key)?;
        if entry.record.expires_at.is_some_and(|at| at <= now) {
            return None;
        }
        entry.used = true;
        Some(entry.record.clone())
    }

    /// Whether a body of this size would be cached.
    pub(crate) fn accepts(&self, bytes: usize) -> bool {
        self.shards.first().is_some_and(|shard| bytes + ENTRY_BYTES <= shard.lock().capacity / 4)
    }

    /// Call before a read whose result is passed to [`RecordCache::insert`].
    pub(crate) fn begin_read(&self, tag: Tag, place: Place) -> ReadEpoch {
        ReadEpoch(self.shard(&CacheKey { tag, place }).map_or(0, |shard| shard.lock().epoch))
    }

    /// Caches a record that was read, unless its shard saw a commit since the read began.
    pub(crate) fn insert(&self, tag: Tag, place: Place, record: Arc<Record>, began: ReadEpoch) {
        let key = CacheKey { tag, place };
        if let Some(shard) = self.shard(&key) {
            let mut shard = shard.lock();
            if shard.epoch == began.0 {
                shard.insert(key, record);
            }
        }
    }

    /// Call for every place of a commit, after it was applied and before it is acknowledged. `None`: deleted, or not to be
    /// cached.
    pub(crate) fn committed(&self, tag: Tag, place: Place, record: Option<Arc<Record>>) {
        let key = CacheKey { tag, place };
        if let Some(shard) = self.shard(&key) {
            let mut shard = shard.lock();
            shard.epoch += 1;
            // Two commits may be acknowledged in either order: keep the later version.
            let later =
                shard.version(&key).is_some_and(|held| record.as_ref().is_some_and(|record| record.version < held));
            if !later {
                shard.remove(&key);
                if let Some(record) = record {
                    shard.insert(key, record);
                }
            }
        }
    }

    /// Removes the records of a tenant.
    pub(crate) fn forget(&self, tag: Tag) {
        for shard in &self.shards {
            let mut shard = shard.lock();
            shard.epoch += 1;
            let keys: Vec<CacheKey> = shard.entries.keys().filter(|key| key.tag == tag).copied().collect();
            for key in keys {
                shard.remove(&key);
            }
        }
    }

    /// Removes records that have expired by `now`.
    pub(crate) fn forget_expired(&self, now: u64) {
        for shard in &self.shards {
            let mut shard = shard.lock();
            let is_over = |entry: &Entry| entry.record.expires_at.is_some_and(|at| at <= now);
            let entries = shard.entries.iter().filter(|(_, entry)| is_over(entry));
            let keys: Vec<CacheKey> = entries.map(|(key, _)| *key).collect();
            for key in keys {
                shard.remove(&key);
            }
        }
    }

    /// Removes everything.
    pub(crate) fn clear(&self) {
        for shard in &self.shards {
            let mut shard = shard.lock();
            let (capacity, epoch) = (shard.capacity, shard.epoch + 1);
            *shard = Shard { capacity, epoch, ..Shard::default() };
        }
    }

    /// Returns the bytes in use, over all tenants.
    pub(crate) fn bytes(&self) -> usize {
        self.shards.iter().map(|shard| shard.lock().bytes).sum()
    }

    fn shard(&self, key: &CacheKey) -> Option<&Mutex<Shard>> {
        self.shards.get(key.shard() % SHARDS)
    }
}

impl Shard {
    fn version(&self, key: &CacheKey) -> Option<Version> {
        Some(self.entries.get(key)?.record.version)
    }

    fn insert(&mut self, key: CacheKey, record: Arc<Record>) {
        let bytes = record.body.len() + ENTRY_BYTES;
        // A value that would evict most of the others is not cached.
        if bytes > self.capacity / 4 {
            return;
        }
        self.remove(&key);
        while self.bytes + bytes > self.capacity {
            if !self.evict() {
                return;
            }
        }
        self.bytes += bytes;
        *self.shares.entry(key.tag).or_insert(0) += bytes;
        let index = match self.free.pop() {
            Some(index) => {
                if let Some(slot) = self.ring.get_mut(index) {
                    *slot = Some(key);
                }
                index
            }
            None => {
                self.ring.push(Some(key));
                self.ring.len() - 1
            }
        };
        self.entries.insert(key, Entry { record, bytes, index, used: false });
    }

    fn remove(&mut self, key: &CacheKey) {
        let Some(entry) = self.entries.remove(key) else { return };
        if let Some(slot) = self.ring.get_mut(entry.index) {
            *slot = None;
        }
        self.free.push(entry.index);
        self.bytes -= entry.bytes;
        if let Some(share) = self.shares.get_mut(&key.tag) {
            *share -= entry.bytes;
            if *share == 0 {
                self.shares.remove(&key.tag);
            }
        }
    }

    /// Evicts the next entry that was not used since the hand last passed it, of a tenant that holds at least the average
    /// share. So a busy tenant evicts its own records. Two rounds suffice, because some tenant always holds the average.
    fn evict(&mut self) -> bool {
        let average = self.bytes / self.shares.len().max(1);
        for _ in 0..self.ring.len() * 2 {
            let index = self.hand;
            self.hand = (self.hand + 1) % self.ring.len().max(1);
            let Some(key) = self.ring.get(index).copied().flatten() else { continue };
            let Some(entry) = self.entries.get_mut(&key) else { continue };
            let share = self.shares.get(&key.tag).copied().unwrap_or(0);
            if share < average || std::mem::take(&mut entry.used) {
                continue;
            }
            self.remove(&key);
            return true;
        }
        false
    }
}

#[cfg(test)]
#[path = "record_cache_tests.rs"]
mod tests;
