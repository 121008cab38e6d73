//! The key of a record in the cache. Its shard and its hash depend on the tenant: the name of a reference is cut from its id,
//! which is the same for every caller, and the look-up of another tenant's id must touch the same memory as that of an
//! unknown one.

use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hash, Hasher};

use bailiwick_store::{Place, Tag};

/// A tenant's tag and the place of a record below it.
#[derive(Clone, Copy)]
#[cfg_attr(not(test), derive(PartialEq, Eq))]
pub(crate) struct CacheKey {
    pub(crate) tag: Tag,
    pub(crate) place: Place,
}

impl CacheKey {
    /// Returns the number that selects the shard.
    pub(crate) fn shard(&self) -> usize {
        let ([name, ..], [tag, ..]) = (self.place.item, self.tag.0);
        usize::from(name ^ tag)
    }
}

/// Hashes the words of the name that distinguish rows, and two words of the tag. They are multiplied, not added: otherwise the
/// bucket of one foreign id would reveal those of all ids of that tenant. Names and tags are keyed hashes already, so the
/// result is well distributed, and cannot be chosen without the key.
impl Hash for CacheKey {
    fn hash<H: Hasher>(&self, state: &mut H) {
        let name = word(&self.place.item, 8) ^ word(&self.tag.0, 8);
        let rest = word(&self.place.item, 24) ^ u64::from(self.place.kind) ^ word(&self.tag.0, 16);
        let product = u128::from(name).wrapping_mul(u128::from(rest));
        state.write_u64((product as u64) ^ ((product >> 64) as u64));
    }
}

fn word(bytes: &[u8; 32], from: usize) -> u64 {
    let bytes = bytes.get(from..).and_then(|rest| rest.first_chunk::<8>());
    bytes.map_or(0, |bytes| u64::from_le_bytes(*bytes))
}

/// A map whose keys are keyed hashes, or consist of them.
pub(crate) type Map<K, V> = HashMap<K, V, BuildHasherDefault<FoldHasher>>;

/// Folds a keyed hash into a word. A single `u64` is taken as it is.
#[derive(Default)]
pub(crate) struct FoldHasher(u64);

impl Hasher for FoldHasher {
    fn finish(&self) -> u64 {
        self.0
    }
    fn write(&mut self, bytes: &[u8]) {
        for chunk in bytes.chunks(8) {
            let mut word = [0; 8];
            for (to, from) in word.iter_mut().zip(chunk) {
                *to = *from;
            }
            self.0 = (self.0.rotate_left(5) ^ u64::from_le_bytes(word)).wrapping_mul(0x9E37_79B9_7F4A_7C15);
        }
    }
    fn write_u64(&mut self, word: u64) {
        self.0 = word;
    }
}

/// Counts the comparisons with entries of other tenants.
#[cfg(test)]
pub(crate) mod comparisons {
    use std::cell::Cell;

    use super::CacheKey;

    thread_local! {
        static OTHER_TENANT: Cell<usize> = const { Cell::new(0) };
        static SAME_PLACE: Cell<usize> = const { Cell::new(0) };
    }

    impl PartialEq for CacheKey {
        fn eq(&self, other: &Self) -> bool {
            if self.tag != other.tag {
                OTHER_TENANT.set(OTHER_TENANT.get() + 1);
                if self.place == other.place {
                    SAME_PLACE.set(SAME_PLACE.get() + 1);
                }
            }
            self.tag == other.tag && self.place == other.place
        }
    }

    impl Eq for CacheKey {}

    /// Returns the comparisons since the last call: with entries of other tenants, and with those of the same name among them.
    pub(crate) fn take() -> (usize, usize) {
        (OTHER_TENANT.take(), SAME_PLACE.take())
    }
}
