//! Blocks in memory, up to a number of bytes: those that were used since half of that was last read.

use std::collections::HashMap;
use std::sync::Arc;

use parking_lot::Mutex;

/// The number of a table and of a block in it.
type Place = (u64, u64);

/// See the module.
pub(super) struct Cache {
    most_bytes: usize,
    blocks: Mutex<Blocks>,
}

#[derive(Default)]
struct Blocks {
    young: HashMap<Place, Arc<[u8]>>,
    old: HashMap<Place, Arc<[u8]>>,
    young_bytes: usize,
}

impl Cache {
    pub(super) fn new(bytes: u64) -> Self {
        Self { most_bytes: usize::try_from(bytes / 2).unwrap_or(usize::MAX), blocks: Mutex::default() }
    }

    pub(super) fn get(&self, place: Place) -> Option<Arc<[u8]>> {
        let mut blocks = self.blocks.lock();
        if let Some(found) = blocks.young.get(&place) {
            return Some(Arc::clone(found));
        }
        let found = blocks.old.remove(&place)?;
        blocks.add(place, Arc::clone(&found), self.most_bytes);
        Some(found)
    }

    pub(super) fn add(&self, place: Place, block: Arc<[u8]>) {
        self.blocks.lock().add(place, block, self.most_bytes);
    }
}

impl Blocks {
    fn add(&mut self, place: Place, block: Arc<[u8]>, most_bytes: usize) {
        self.young_bytes = self.young_bytes.saturating_add(block.len());
        if self.young_bytes > most_bytes {
            self.old = std::mem::take(&mut self.young);
            self.young_bytes = block.len();
        }
        self.young.insert(place, block);
    }
}
