//! Expiry buckets: when the kinds of a tag are due. Rows that expire at about the same time share a bucket, which is one row of the tree,
//! written with the first of them. So an expiry costs a put almost nothing.
//!
//! The key of a bucket holds its end, its value the earliest time in it. An [`crate::Op::Wake`] has a bucket of its own, because no row
//! would bring it back.

use std::collections::{BTreeSet, HashMap};

use super::Tree;
use super::codec::{Bucket, bucket_key, decode_bucket, encode_bucket};
use crate::engine::{Due, Millis, ReadError};
use crate::sled::wal::batch::Batch;

/// The length of buckets less than a day ahead.
const MINUTE: Millis = 60 * 1000;
/// The length of all others.
pub(in crate::sled) const LONGEST: Millis = 60 * MINUTE;
const SOON: Millis = 24 * LONGEST;
/// The most buckets in memory.
const CACHED: usize = 16_384;

/// Returns the bucket of a row that expires at a time.
fn bucket_of_row(at: Millis, now: Millis, due: Due) -> Bucket {
    let length = if at.saturating_sub(now) < SOON { MINUTE } else { LONGEST };
    Bucket { end: (at / length).saturating_add(1).saturating_mul(length), due }
}

/// The buckets that the committer has in memory.
#[derive(Default)]
pub(in crate::sled) struct ExpiryBuckets {
    known: HashMap<Bucket, Noted>,
    changed: BTreeSet<Bucket>,
    /// Those of them that have no row: one that comes and goes leaves nothing then.
    fresh: BTreeSet<Bucket>,
    /// Buckets of earlier versions were evicted.
    evicted: u64,
}

#[derive(Clone, Copy)]
struct Noted {
    earliest: Millis,
    /// The version of the last commit that used it.
    version: u64,
}

impl ExpiryBuckets {
    /// Records that a row of a kind expires at a time.
    pub(in crate::sled) fn expires(
        &mut self,
        tree: &Tree,
        due: Due,
        at: Millis,
        now: Millis,
        version: u64,
    ) -> Result<(), ReadError> {
        self.note(tree, bucket_of_row(at, now, due), at, version)
    }

    /// Records that a kind is due at a time.
    pub(in crate::sled) fn wakes(&mut self, tree: &Tree, due: Due, at: Millis, version: u64) -> Result<(), ReadError> {
        self.note(tree, Bucket { end: at, due }, at, version)
    }

    fn note(&mut self, tree: &Tree, bucket: Bucket, at: Millis, version: u64) -> Result<(), ReadError> {
        let before = match self.known.get(&bucket) {
            Some(noted) => Some(noted.earliest),
            None => match tree.get(&bucket_key(&bucket))? {
                Some(bytes) => Some(decode_bucket(&bytes).ok_or(ReadError::Corrupt)?),
                None => None,
            },
        };
        let earliest = before.map_or(at, |before| before.min(at));
        if before != Some(earliest) {
            self.changed.insert(bucket);
        }
        if before.is_none() {
            self.fresh.insert(bucket);
        }
        self.known.insert(bucket, Noted { earliest, version });
        Ok(())
    }

    /// Adds what has changed to a batch.
    pub(in crate::sled) fn write_rows(&mut self, batch: &mut Batch) {
        for bucket in std::mem::take(&mut self.changed) {
            match self.known.get(&bucket) {
                Some(noted) if self.fresh.remove(&bucket) => {
                    batch.insert_new(&bucket_key(&bucket), encode_bucket(noted.earliest));
                }
                Some(noted) => batch.insert(&bucket_key(&bucket), encode_bucket(noted.earliest)),
                None => {
                    self.fresh.remove(&bucket);
                    batch.remove(&bucket_key(&bucket));
                }
            }
        }
    }

    /// Sets a bucket after a sweep that began at version `began`: what is left in it is not earlier than `rest`. A bucket that was used since
    /// then is not changed.
    pub(in crate::sled) fn settle(&mut self, bucket: Bucket, rest: Option<Millis>, began: u64) {
        let is_newer = self.known.get(&bucket).map_or(self.evicted, |noted| noted.version) > began;
        if is_newer {
            return;
        }
        match rest {
            Some(earliest) => self.known.insert(bucket, Noted { earliest, version: began }),
            None => self.known.remove(&bucket),
        };
        self.changed.insert(bucket);
    }

    /// Limits the buckets in memory. Call when none waits to be written.
    pub(in crate::sled) fn evict(&mut self, version: u64) {
        if self.known.len() > CACHED {
            self.known.clear();
            self.evicted = version;
        }
    }
}
