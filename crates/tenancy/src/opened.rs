//! The cache of opened records: what was sealed on disk, ready to hand out. Bounded in bytes, fair between tenants.

use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hash, Hasher};
use std::sync::Arc;

use bailiwick_store::{Place, Tag, Version};
use parking_lot::Mutex;

/// An opened record.
#[derive(Debug)]
pub struct Record {
    /// The row's version.
    pub version: Version,
    /// The row's expiry in epoch milliseconds.
    pub expires_at: Option<u64>,
    /// What the runtime wrote, after the owner was checked and cut off.
    pub body: Vec<u8>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
struct Address(Tag, Place);

/// The half of the name that does not choose the shard, and what tells rows of one name apart.
impl Hash for Address {
    fn hash<H: Hasher>(&self, state: &mut H) {
        let word = |from: usize| {
            let bytes = self.1.item.get(from..).and_then(|rest| rest.first_chunk::<8>());
            bytes.map_or(0, |bytes| u64::from_le_bytes(*bytes))
        };
        state.write_u64(word(8));
        state.write_u64(word(24) ^ u64::from(self.1.kind));
    }
}

/// Item names and tags are keyed hashes already, so a few of their bytes are a good hash, which no caller can steer.
#[derive(Default)]
struct Folded(u64);

impl Hasher for Folded {
    fn finish(&self) -> u64 {
        self.0
    }
    fn write(&mut self, bytes: &[u8]) {
        for chunk in bytes.chunks(8) {
            let mut word = [0; 8];
            for (to, from) in word.iter_mut().zip(chunk) {
                *to = *from;
            }
            self.write_u64(u64::from_le_bytes(word));
        }
    }
    fn write_u64(&mut self, word: u64) {
        self.0 = (self.0.rotate_left(5) ^ word).wrapping_mul(0x9E37_79B9_7F4A_7C15);
    }
}

type Map<K, V> = HashMap<K, V, BuildHasherDefault<Folded>>;

const SHARDS: usize = 16;
/// What an entry costs beside its body, measured roughly: map slot, ring slot, `Arc`.
const ENTRY_BYTES: usize = 256;

/// See the module's text.
pub(crate) struct OpenedRecords {
    shards: Vec<Mutex<Shard>>,
}

#[derive(Default)]
struct Shard {
    capacity: usize,
    bytes: usize,
    /// Grows with every change that was committed. A read that began before one must not be kept after it.
    epoch: u64,
    /// Everything that a hit needs lies in one slot of this map: each step to another place in memory costs as much as
    /// the rest of the look-up.
    entries: Map<Address, Entry>,
    ring: Vec<Option<Address>>,
    free: Vec<usize>,
    hand: usize,
    shares: Map<Tag, usize>,
}

struct Entry {
    record: Arc<Record>,
    bytes: usize,
    /// Its place in the ring.
    index: usize,
    used: bool,
}

/// Proof of when a read began.
#[derive(Clone, Copy)]
pub(crate) struct Began(u64);

impl OpenedRecords {
    /// `capacity` in bytes, over all tenants.
    pub(crate) fn new(capacity: usize) -> Self {
        let shard = || Mutex::new(Shard { capacity: capacity / SHARDS, ..Shard::default() });
        Self { shards: (0..SHARDS).map(|_| shard()).collect() }
    }

    /// The record, unless it is not here or has expired by `now`.
    pub(crate) fn get(&self, tag: Tag, place: Place, now: u64) -> Option<Arc<Record>> {
        let mut shard = self.shard(&place)?.lock();
        let entry = shard.entries.get_mut(&Address(tag, place))?;
        if entry.record.expires_at.is_some_and(|at| at <= now) {
            return None;
        }
        entry.used = true;
        Some(entry.record.clone())
    }

    /// Whether a record with a body of so many bytes would be kept.
    pub(crate) fn is_kept(&self, bytes: usize) -> bool {
        self.shards.first().is_some_and(|shard| bytes + ENTRY_BYTES <= shard.lock().capacity / 4)
    }

    /// To be called before a read that may end in [`OpenedRecords::keep`].
    pub(crate) fn began(&self, place: &Place) -> Began {
        Began(self.shard(place).map_or(0, |shard| shard.lock().epoch))
    }

    /// Keeps what was read, unless something near it was committed since the read began.
    pub(crate) fn keep(&self, tag: Tag, place: Place, record: Arc<Record>, began: Began) {
        if let Some(shard) = self.shard(&place) {
            let mut shard = shard.lock();
            if shard.epoch == began.0 {
                shard.insert(Address(tag, place), record);
            }
        }
    }

    /// To be called for every place a commit wrote, after it was applied and before it is acknowledged: `None` if the
    /// row was deleted or is not worth keeping.
    pub(crate) fn committed(&self, tag: Tag, place: Place, record: Option<Arc<Record>>) {
        if let Some(shard) = self.shard(&place) {
            let mut shard = shard.lock();
            shard.epoch += 1;
            // Two commits may be acknowledged in either order: the later version stays.
            let later = shard
                .version(&Address(tag, place))
                .is_some_and(|held| record.as_ref().is_some_and(|record| record.version < held));
            if !later {
                shard.remove(&Address(tag, place));
                if let Some(record) = record {
                    shard.insert(Address(tag, place), record);
                }
            }
        }
    }

    /// Drops everything of a tenant.
    pub(crate) fn forget(&self, tag: Tag) {
        for shard in &self.shards {
            let mut shard = shard.lock();
            shard.epoch += 1;
            let addresses: Vec<Address> = shard.entries.keys().filter(|address| address.0 == tag).copied().collect();
            for address in addresses {
                shard.remove(&address);
            }
        }
    }

    /// Drops everything.
    pub(crate) fn clear(&self) {
        for shard in &self.shards {
            let mut shard = shard.lock();
            let (capacity, epoch) = (shard.capacity, shard.epoch + 1);
            *shard = Shard { capacity, epoch, ..Shard::default() };
        }
    }

    /// Bytes held, over all tenants.
    pub(crate) fn bytes(&self) -> usize {
        self.shards.iter().map(|shard| shard.lock().bytes).sum()
    }

    fn shard(&self, place: &Place) -> Option<&Mutex<Shard>> {
        let [first, ..] = place.item;
        self.shards.get(usize::from(first) % SHARDS)
    }
}

impl Shard {
    fn version(&self, address: &Address) -> Option<Version> {
        Some(self.entries.get(address)?.record.version)
    }

    fn insert(&mut self, address: Address, record: Arc<Record>) {
        let bytes = record.body.len() + ENTRY_BYTES;
        // A value that would push out most of the others is not kept.
        if bytes > self.capacity / 4 {
            return;
        }
        self.remove(&address);
        while self.bytes + bytes > self.capacity {
            if !self.evict() {
                return;
            }
        }
        self.bytes += bytes;
        *self.shares.entry(address.0).or_insert(0) += bytes;
        let index = match self.free.pop() {
            Some(index) => {
                if let Some(slot) = self.ring.get_mut(index) {
                    *slot = Some(address);
                }
                index
            }
            None => {
                self.ring.push(Some(address));
                self.ring.len() - 1
            }
        };
        self.entries.insert(address, Entry { record, bytes, index, used: false });
    }

    fn remove(&mut self, address: &Address) {
        let Some(entry) = self.entries.remove(address) else { return };
        if let Some(slot) = self.ring.get_mut(entry.index) {
            *slot = None;
        }
        self.free.push(entry.index);
        self.bytes -= entry.bytes;
        if let Some(share) = self.shares.get_mut(&address.0) {
            *share -= entry.bytes;
            if *share == 0 {
                self.shares.remove(&address.0);
            }
        }
    }

    /// Moves the clock hand to the next entry to go: one that was not used since the hand last passed, of a tenant that
    /// holds at least the average. So a tenant that reads a lot pushes out its own records, not another's. Two rounds
    /// are enough, because some tenant always holds the average.
    fn evict(&mut self) -> bool {
        let average = self.bytes / self.shares.len().max(1);
        for _ in 0..self.ring.len() * 2 {
            let index = self.hand;
            self.hand = (self.hand + 1) % self.ring.len().max(1);
            let Some(address) = self.ring.get(index).copied().flatten() else { continue };
            let Some(entry) = self.entries.get_mut(&address) else { continue };
            let share = self.shares.get(&address.0).copied().unwrap_or(0);
            if share < average || std::mem::take(&mut entry.used) {
                continue;
            }
            self.remove(&address);
            return true;
        }
        false
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use bailiwick_store::{Place, Tag, Version};

    use super::{OpenedRecords, Record};

    fn place(number: u32) -> Place {
        let mut item = [0; 32];
        item[1..5].copy_from_slice(&number.to_be_bytes());
        Place { kind: 1, item }
    }

    fn record(version: u64, size: usize) -> Arc<Record> {
        Arc::new(Record { version: Version(version), expires_at: None, body: vec![0; size] })
    }

    #[test]
    fn b9_a_tenant_that_reads_a_lot_pushes_out_its_own_records() {
        let cache = OpenedRecords::new(16 * 100_000);
        let (quiet, busy) = (Tag([1; 32]), Tag([2; 32]));
        for number in 0..10 {
            cache.keep(quiet, place(number), record(1, 1000), cache.began(&place(number)));
        }
        for number in 0..100_000 {
            cache.keep(busy, place(number), record(1, 1000), cache.began(&place(number)));
        }
        for number in 0..10 {
            assert!(cache.get(quiet, place(number), 0).is_some(), "record {number} was pushed out");
        }
        assert!(cache.bytes() <= 16 * 100_000);
    }

    #[test]
    fn b1_a_read_that_began_before_a_delete_is_not_kept_after_it() {
        let cache = OpenedRecords::new(1 << 20);
        let tag = Tag([1; 32]);
        let began = cache.began(&place(1));
        cache.committed(tag, place(1), None);
        cache.keep(tag, place(1), record(1, 10), began);
        assert!(cache.get(tag, place(1), 0).is_none());
    }

    #[test]
    fn b8_an_expired_record_is_not_handed_out() {
        let cache = OpenedRecords::new(1 << 20);
        let tag = Tag([1; 32]);
        let expiring = Arc::new(Record { version: Version(1), expires_at: Some(10), body: Vec::new() });
        cache.keep(tag, place(1), expiring, cache.began(&place(1)));
        assert!(cache.get(tag, place(1), 9).is_some());
        assert!(cache.get(tag, place(1), 10).is_none());
    }

    #[test]
    fn the_later_of_two_commits_stays() {
        let cache = OpenedRecords::new(1 << 20);
        let tag = Tag([1; 32]);
        cache.committed(tag, place(1), Some(record(2, 10)));
        cache.committed(tag, place(1), Some(record(1, 10)));
        assert_eq!(cache.get(tag, place(1), 0).map(|record| record.version), Some(Version(2)));
    }
}
