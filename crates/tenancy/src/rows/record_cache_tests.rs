//! Tests of the record cache.
use std::sync::Arc;

use bailiwick_store::{Place, Tag, Version};

use super::{Record, RecordCache, SHARDS};
use crate::rows::cache_key::{CacheKey, comparisons};

/// A name like a keyed hash; the bytes that choose the shard are equal in all of them.
fn place(number: u64) -> Place {
    let mut item = [0; 32];
    item[8..16].copy_from_slice(&mixed(number).to_le_bytes());
    Place { kind: 1, item }
}

/// A tag, likewise.
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
fn a_tenant_that_reads_a_lot_evicts_its_own_records() {
    let cache = RecordCache::new(16 * 100_000);
    let (quiet, busy) = (tag(1), tag(2));
    for number in 0..10 {
        cache.insert(quiet, place(number), record(1, 1000), cache.begin_read(quiet, place(number)));
    }
    for number in 0..100_000 {
        cache.insert(busy, place(number), record(1, 1000), cache.begin_read(busy, place(number)));
    }
    for number in 0..10 {
        assert!(cache.get(quiet, place(number), 0).is_some(), "record {number} was pushed out");
    }
    assert!(cache.bytes() <= 16 * 100_000);
}

#[test]
fn a_read_that_began_before_a_delete_is_not_cached_after_it() {
    let cache = RecordCache::new(1 << 20);
    let tag = tag(1);
    let began = cache.begin_read(tag, place(1));
    cache.committed(tag, place(1), None);
    cache.insert(tag, place(1), record(1, 10), began);
    assert!(cache.get(tag, place(1), 0).is_none());
}

#[test]
fn an_expired_record_is_not_returned() {
    let cache = RecordCache::new(1 << 20);
    let tag = tag(1);
    let expiring = Arc::new(Record { version: Version(1), expires_at: Some(10), body: Vec::new() });
    cache.insert(tag, place(1), expiring, cache.begin_read(tag, place(1)));
    assert!(cache.get(tag, place(1), 9).is_some());
    assert!(cache.get(tag, place(1), 10).is_none());
}

#[test]
fn the_later_of_two_commits_stays() {
    let cache = RecordCache::new(1 << 20);
    let tag = tag(1);
    cache.committed(tag, place(1), Some(record(2, 10)));
    cache.committed(tag, place(1), Some(record(1, 10)));
    assert_eq!(cache.get(tag, place(1), 0).map(|record| record.version), Some(Version(2)));
}

/// A look-up by another tenant never touches the owner's entry: entries are compared as often as chance has it (7 bits
/// of the hash agree), and none because its name is the same.
#[test]
fn a_foreign_name_costs_as_many_comparisons_as_an_unknown_one() {
    const NAMES: u64 = 4_000;
    let cache = RecordCache::new(1 << 30);
    let (asking, owners) = (tag(0), [tag(1), tag(2), tag(3), tag(4)]);
    for number in 0..NAMES {
        for owner in owners {
            cache.committed(owner, place(number), Some(record(1, 10)));
        }
    }
    // A tenant's own entries are compared only when they are found.
    cache.committed(asking, place(NAMES * 2), Some(record(1, 10)));
    comparisons::take();
    let ask = |names: std::ops::Range<u64>| {
        for number in names {
            assert!(cache.get(asking, place(number), 0).is_none());
            cache.begin_read(asking, place(number));
        }
        comparisons::take()
    };
    let (foreign, twins) = ask(0..NAMES);
    let (unknown, none) = ask(NAMES..NAMES * 2);
    assert_eq!((twins, none), (0, 0));
    // One shard has them all, at most 7 of 8 places taken: on average far from one comparison a look-up.
    assert!(foreign < NAMES as usize / 2 && unknown < NAMES as usize / 2, "{foreign} {unknown}");
    assert!(foreign.abs_diff(unknown) < NAMES as usize / 20, "{foreign} {unknown}");
}

#[test]
fn the_place_of_a_name_in_the_table_depends_on_its_tenant() {
    let cache = RecordCache::new(1 << 20);
    let shards: Vec<_> = (0..SHARDS as u8)
        .map(|first| {
            let mut tag = tag(1);
            tag.0[0] = first;
            cache.shard(&CacheKey { tag, place: place(1) }).map(std::ptr::from_ref)
        })
        .collect();
    assert!((0..SHARDS).all(|index| shards[index].is_some() && !shards[..index].contains(&shards[index])));
}

/// The records of one tenant, and records of many tenants under one name, spread as well as random numbers.
#[test]
fn records_spread_evenly_over_the_table() {
    use std::hash::{BuildHasher, BuildHasherDefault};
    let hasher = BuildHasherDefault::<crate::rows::cache_key::FoldHasher>::default();
    let spread = |address: &dyn Fn(u64) -> CacheKey| {
        let mut buckets = vec![0_u32; 1 << 12];
        for number in 0..1 << 16 {
            let hash = hasher.hash_one(address(number));
            buckets[hash as usize % (1 << 12)] += 1;
        }
        // 16 in each on average; the most of 4,096 is rarely beyond 36.
        buckets.into_iter().max().unwrap()
    };
    assert!(spread(&|number| CacheKey { tag: tag(7), place: place(number) }) < 48);
    assert!(spread(&|number| CacheKey { tag: tag(number), place: place(7) }) < 48);
}
