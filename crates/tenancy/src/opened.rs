//! The cache of opened records: what was sealed on disk, ready to hand out. Bounded in bytes, fair between tenants.

use std::sync::Arc;

use bailiwick_store::{Place, Tag, Version};
use parking_lot::Mutex;

use crate::address::{Address, Map};

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
        let address = Address { tag, place };
        let mut shard = self.shard(&address)?.lock();
        let entry = shard.entries.get_mut(&address)?;
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
    pub(crate) fn began(&self, tag: Tag, place: Place) -> Began {
        Began(self.shard(&Address { tag, place }).map_or(0, |shard| shard.lock().epoch))
    }

    /// Keeps what was read, unless something near it was committed since the read began.
    pub(crate) fn keep(&self, tag: Tag, place: Place, record: Arc<Record>, began: Began) {
        let address = Address { tag, place };
        if let Some(shard) = self.shard(&address) {
            let mut shard = shard.lock();
            if shard.epoch == began.0 {
                shard.insert(address, record);
            }
        }
    }

    /// To be called for every place a commit wrote, after it was applied and before it is acknowledged: `None` if the
    /// row was deleted or is not worth keeping.
    pub(crate) fn committed(&self, tag: Tag, place: Place, record: Option<Arc<Record>>) {
        let address = Address { tag, place };
        if let Some(shard) = self.shard(&address) {
            let mut shard = shard.lock();
            shard.epoch += 1;
            // Two commits may be acknowledged in either order: the later version stays.
            let later =
                shard.version(&address).is_some_and(|held| record.as_ref().is_some_and(|record| record.version < held));
            if !later {
                shard.remove(&address);
                if let Some(record) = record {
                    shard.insert(address, record);
                }
            }
        }
    }

    /// Drops everything of a tenant.
    pub(crate) fn forget(&self, tag: Tag) {
        for shard in &self.shards {
            let mut shard = shard.lock();
            shard.epoch += 1;
            let addresses: Vec<Address> = shard.entries.keys().filter(|address| address.tag == tag).copied().collect();
            for address in addresses {
                shard.remove(&address);
            }
        }
    }

    /// Drops what has expired by then.
    pub(crate) fn forget_expired(&self, now: u64) {
        for shard in &self.shards {
            let mut shard = shard.lock();
            let is_over = |entry: &Entry| entry.record.expires_at.is_some_and(|at| at <= now);
            let entries = shard.entries.iter().filter(|(_, entry)| is_over(entry));
            let addresses: Vec<Address> = entries.map(|(address, _)| *address).collect();
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

    fn shard(&self, address: &Address) -> Option<&Mutex<Shard>> {
        self.shards.get(address.part() % SHARDS)
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
        *self.shares.entry(address.tag).or_insert(0) += bytes;
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
        if let Some(share) = self.shares.get_mut(&address.tag) {
            *share -= entry.bytes;
            if *share == 0 {
                self.shares.remove(&address.tag);
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
            let share = self.shares.get(&address.tag).copied().unwrap_or(0);
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

    use super::{OpenedRecords, Record, SHARDS};
    use crate::address::comparisons;

    /// Names look like keyed hashes; what chooses the shard is the same in all of them.
    fn place(number: u64) -> Place {
        let mut item = [0; 32];
        item[8..16].copy_from_slice(&mixed(number).to_le_bytes());
        Place { kind: 1, item }
    }

    /// A tag, so too.
    fn tag(number: u64) -> Tag {
        let mut tag = [0; 32];
        for (index, word) in tag.chunks_mut(8).enumerate().skip(1) {
            word.copy_from_slice(&mixed(number * 4 + index as u64).to_le_bytes());
        }
        Tag(tag)
    }

    /// splitmix64
    fn mixed(number: u64) -> u64 {
        let mut word = number.wrapping_add(1).wrapping_mul(0x9E37_79B9_7F4A_7C15);
        word = (word ^ (word >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        word = (word ^ (word >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        word ^ (word >> 31)
    }

    fn record(version: u64, size: usize) -> Arc<Record> {
        Arc::new(Record { version: Version(version), expires_at: None, body: vec![0; size] })
    }

    #[test]
    fn b9_a_tenant_that_reads_a_lot_pushes_out_its_own_records() {
        let cache = OpenedRecords::new(16 * 100_000);
        let (quiet, busy) = (tag(1), tag(2));
        for number in 0..10 {
            cache.keep(quiet, place(number), record(1, 1000), cache.began(quiet, place(number)));
        }
        for number in 0..100_000 {
            cache.keep(busy, place(number), record(1, 1000), cache.began(busy, place(number)));
        }
        for number in 0..10 {
            assert!(cache.get(quiet, place(number), 0).is_some(), "record {number} was pushed out");
        }
        assert!(cache.bytes() <= 16 * 100_000);
    }

    #[test]
    fn b1_a_read_that_began_before_a_delete_is_not_kept_after_it() {
        let cache = OpenedRecords::new(1 << 20);
        let tag = tag(1);
        let began = cache.began(tag, place(1));
        cache.committed(tag, place(1), None);
        cache.keep(tag, place(1), record(1, 10), began);
        assert!(cache.get(tag, place(1), 0).is_none());
    }

    #[test]
    fn b8_an_expired_record_is_not_handed_out() {
        let cache = OpenedRecords::new(1 << 20);
        let tag = tag(1);
        let expiring = Arc::new(Record { version: Version(1), expires_at: Some(10), body: Vec::new() });
        cache.keep(tag, place(1), expiring, cache.began(tag, place(1)));
        assert!(cache.get(tag, place(1), 9).is_some());
        assert!(cache.get(tag, place(1), 10).is_none());
    }

    #[test]
    fn the_later_of_two_commits_stays() {
        let cache = OpenedRecords::new(1 << 20);
        let tag = tag(1);
        cache.committed(tag, place(1), Some(record(2, 10)));
        cache.committed(tag, place(1), Some(record(1, 10)));
        assert_eq!(cache.get(tag, place(1), 0).map(|record| record.version), Some(Version(2)));
    }

    /// Whatever is looked up by somebody else, the owner's entry is not touched: entries are compared as often as chance
    /// has it (7 bits of the hash agree), and none of them because it has the same name.
    #[test]
    fn s9_a_foreign_name_asks_as_much_of_the_table_as_an_unknown_one() {
        const NAMES: u64 = 4_000;
        let cache = OpenedRecords::new(1 << 30);
        let (asking, owners) = (tag(0), [tag(1), tag(2), tag(3), tag(4)]);
        for number in 0..NAMES {
            for owner in owners {
                cache.committed(owner, place(number), Some(record(1, 10)));
            }
        }
        // Entries of its own are compared only when they are found.
        cache.committed(asking, place(NAMES * 2), Some(record(1, 10)));
        comparisons::take();
        let ask = |names: std::ops::Range<u64>| {
            for number in names {
                assert!(cache.get(asking, place(number), 0).is_none());
                cache.began(asking, place(number));
            }
            comparisons::take()
        };
        let (foreign, twins) = ask(0..NAMES);
        let (unknown, none) = ask(NAMES..NAMES * 2);
        assert_eq!((twins, none), (0, 0));
        // One shard holds them all here, at most 7 of 8 places taken: far from one comparison a look-up, and as many.
        assert!(foreign < NAMES as usize / 2 && unknown < NAMES as usize / 2, "{foreign} {unknown}");
        assert!(foreign.abs_diff(unknown) < NAMES as usize / 20, "{foreign} {unknown}");
    }

    #[test]
    fn s9_what_one_name_falls_on_depends_on_whose_it_is() {
        let cache = OpenedRecords::new(1 << 20);
        let shards: Vec<_> = (0..SHARDS as u8)
            .map(|first| {
                let mut tag = tag(1);
                tag.0[0] = first;
                cache.shard(&super::Address { tag, place: place(1) }).map(std::ptr::from_ref)
            })
            .collect();
        assert!((0..SHARDS).all(|index| shards[index].is_some() && !shards[..index].contains(&shards[index])));
    }

    /// A table of one tenant's records or of many tenants' records of one name spreads as well as of random numbers.
    #[test]
    fn s9_addresses_spread_over_the_table() {
        use std::hash::{BuildHasher, BuildHasherDefault};
        let hasher = BuildHasherDefault::<crate::address::Folded>::default();
        let spread = |address: &dyn Fn(u64) -> super::Address| {
            let mut buckets = vec![0_u32; 1 << 12];
            for number in 0..1 << 16 {
                let hash = hasher.hash_one(address(number));
                buckets[hash as usize % (1 << 12)] += 1;
            }
            // 16 in each on average; the most of 4,096 is rarely beyond 36.
            buckets.into_iter().max().unwrap()
        };
        assert!(spread(&|number| super::Address { tag: tag(7), place: place(number) }) < 48);
        assert!(spread(&|number| super::Address { tag: tag(number), place: place(7) }) < 48);
    }
}
