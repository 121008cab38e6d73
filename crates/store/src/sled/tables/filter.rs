//! A Bloom filter: says of most keys that a table does not have that it does not. Its bytes are part of the format.

/// The bits for each key: about one in a hundred keys is not told apart.
const BITS: u64 = 10;
/// All bits of a key lie in one line of this many words, which is one line of the processor's cache.
const WORDS: usize = 8;
const PROBES: u32 = 6;

/// Returns the number of a key that [`Filter`] uses. Keys consist of tags and names that nobody chooses, so it need not be secret.
pub(super) fn hash(key: &[u8]) -> u64 {
    let mut hash = 0x9e37_79b9_7f4a_7c15_u64 ^ key.len() as u64;
    for chunk in key.chunks(8) {
        let mut word = [0; 8];
        word.iter_mut().zip(chunk).for_each(|(to, from)| *to = *from);
        hash = (hash ^ u64::from_le_bytes(word)).wrapping_mul(0xff51_afd7_ed55_8ccd);
        hash ^= hash >> 32;
    }
    hash.wrapping_mul(0xc4ce_b9fe_1a85_ec53) ^ (hash >> 29)
}

fn lines_for(keys: u64) -> u64 {
    keys.saturating_mul(BITS).div_ceil(64 * WORDS as u64).max(1)
}

/// See the module.
pub(super) struct Filter {
    lines: Vec<[u64; WORDS]>,
}

/// The bits of a key within its line.
fn bits(hash: u64) -> impl Iterator<Item = (usize, u64)> {
    let rest = hash.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    (0..PROBES).map(move |probe| {
        let bit = (rest >> (probe * 9)) & 511;
        ((bit / 64) as usize, 1 << (bit % 64))
    })
}

impl Filter {
    /// Returns an empty filter for at most this many keys.
    pub(super) fn new(most_keys: u64) -> Self {
        let lines = lines_for(most_keys);
        // So that it can be folded to a few lines.
        let unit = 1 << lines.ilog2().saturating_sub(3);
        Self { lines: vec![[0; WORDS]; usize::try_from(lines.next_multiple_of(unit)).unwrap_or(1)] }
    }

    /// Makes it smaller if fewer keys were added.
    pub(super) fn fit(&mut self, keys: u64) {
        while self.lines.len().is_multiple_of(2) && self.lines.len() as u64 / 2 >= lines_for(keys) {
            // With half of the lines, a key is in the line of half the number.
            let (pairs, _) = self.lines.as_chunks::<2>();
            let fold = |[one, other]: &[[u64; WORDS]; 2]| {
                let mut line = *one;
                line.iter_mut().zip(other).for_each(|(to, from)| *to |= from);
                line
            };
            self.lines = pairs.iter().map(fold).collect();
        }
    }

    fn line(&self, hash: u64) -> usize {
        (((hash >> 32) * self.lines.len() as u64) >> 32) as usize
    }

    /// Adds a key by its hash.
    pub(super) fn add(&mut self, hash: u64) {
        let line = self.line(hash);
        let Some(line) = self.lines.get_mut(line) else { return };
        for (word, bit) in bits(hash) {
            if let Some(word) = line.get_mut(word) {
                *word |= bit;
            }
        }
    }

    /// Whether a key with this hash may have been added.
    pub(super) fn may_have(&self, hash: u64) -> bool {
        let line = self.lines.get(self.line(hash));
        line.is_none_or(|line| bits(hash).all(|(word, bit)| line.get(word).is_none_or(|word| word & bit != 0)))
    }

    /// Appends its bytes.
    pub(super) fn encode(&self, bytes: &mut Vec<u8>) {
        self.lines.iter().flatten().for_each(|word| bytes.extend_from_slice(&word.to_be_bytes()));
    }

    /// Reads its bytes. `None` if they are not those of a filter.
    pub(super) fn decode(bytes: &[u8]) -> Option<Self> {
        let (words, rest) = bytes.as_chunks::<8>();
        let (lines, more) = words.as_chunks::<WORDS>();
        let is_whole = rest.is_empty() && more.is_empty() && !lines.is_empty();
        is_whole.then(|| Self { lines: lines.iter().map(|line| line.map(u64::from_be_bytes)).collect() })
    }
}
