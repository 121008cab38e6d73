//! Where an opened record lies in memory. Everything that chooses a place there depends on whose record it is: the name
//! of a reference is cut from its id, which is the same for whoever asks, and a look-up of another tenant's id must
//! touch what a look-up of an unknown one touches.

use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hash, Hasher};

use bailiwick_store::{Place, Tag};

/// A record of a tenant.
#[derive(Clone, Copy)]
#[cfg_attr(not(test), derive(PartialEq, Eq))]
pub(crate) struct Address {
    pub(crate) tag: Tag,
    pub(crate) place: Place,
}

impl Address {
    /// A number that chooses among a few parts of a table.
    pub(crate) fn part(&self) -> usize {
        let ([name, ..], [tag, ..]) = (self.place.item, self.tag.0);
        usize::from(name ^ tag)
    }
}

/// The words of the name that tell rows apart, and two of the tag. They are multiplied, not added up: who knows where one
/// foreign id lies could otherwise reckon where all of that tenant's do. Names and tags are keyed hashes already, so this
/// is a good hash, and nobody who cannot compute a tag can steer it.
impl Hash for Address {
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

/// For keys that are keyed hashes, or made of some.
pub(crate) type Map<K, V> = HashMap<K, V, BuildHasherDefault<Folded>>;

/// A few bytes of a keyed hash are a good hash, which no caller can steer. A whole word is one that was made for this.
#[derive(Default)]
pub(crate) struct Folded(u64);

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
            self.0 = (self.0.rotate_left(5) ^ u64::from_le_bytes(word)).wrapping_mul(0x9E37_79B9_7F4A_7C15);
        }
    }
    fn write_u64(&mut self, word: u64) {
        self.0 = word;
    }
}

/// In tests, comparisons with entries of other tenants are counted.
#[cfg(test)]
pub(crate) mod comparisons {
    use std::cell::Cell;

    use super::Address;

    thread_local! {
        static OF_ANOTHER: Cell<usize> = const { Cell::new(0) };
        static OF_ANOTHERS_TWIN: Cell<usize> = const { Cell::new(0) };
    }

    impl PartialEq for Address {
        fn eq(&self, other: &Self) -> bool {
            if self.tag != other.tag {
                OF_ANOTHER.set(OF_ANOTHER.get() + 1);
                if self.place == other.place {
                    OF_ANOTHERS_TWIN.set(OF_ANOTHERS_TWIN.get() + 1);
                }
            }
            self.tag == other.tag && self.place == other.place
        }
    }

    impl Eq for Address {}

    /// Comparisons since this was last asked: with entries of other tenants, and with those of the same name among them.
    pub(crate) fn take() -> (usize, usize) {
        (OF_ANOTHER.take(), OF_ANOTHERS_TWIN.take())
    }
}
