//! Rebuilds the tree from its leaves, to compare it with the stored one.

use super::hash::{Hash, empty_root};
use super::tile::{Tile, TileId, TileSet};
use super::tree::{Appended, append};
use crate::Result;

/// A tree that is built leaf by leaf and keeps only the tiles it still needs: at most one per level.
#[derive(Debug, Clone)]
pub struct Rebuild {
    size: u64,
    root: Hash,
    open: TileSet,
}

impl Default for Rebuild {
    fn default() -> Self {
        Self { size: 0, root: empty_root(), open: TileSet::new() }
    }
}

impl Rebuild {
    /// Appends leaf hashes, best a thousand at a time, and returns the tiles that are new or grew. A stored tile is
    /// right if it begins with each version returned here, and equals the last one.
    ///
    /// # Errors
    /// `InvalidInput` if there are more leaves than a tree may have.
    pub fn push(&mut self, leaves: &[Hash]) -> Result<Vec<(TileId, Tile)>> {
        let Appended { changed, size, root } = append(self.size).apply(&self.open, leaves)?;
        let needed = append(size).tiles();
        self.open.extend(changed.iter().cloned());
        self.open.retain(|id, _| needed.contains(id));
        (self.size, self.root) = (size, root);
        Ok(changed)
    }

    /// Returns the number of leaves.
    pub fn size(&self) -> u64 {
        self.size
    }

    /// Returns the root of all leaves.
    pub fn root(&self) -> Hash {
        self.root
    }
}
