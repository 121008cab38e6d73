//! Tiles: the tree in storage.
//!
//! Tile `index` of level `t` has, in order, the roots of the complete subtrees of height `4t` numbered `16·index …
//! 16·index + 15`, as far as the tree has them. Level 0 has leaf hashes, level 1 the roots of full tiles of level 0,
//! and so on. A hash in a tile never changes; only the last tile of a level grows.

use std::collections::BTreeMap;

use super::hash::{Hash, node_hash};

/// The levels of the tree that one tile covers.
pub const TILE_HEIGHT: u8 = 4;
/// The most hashes in a tile, `2^TILE_HEIGHT`.
pub const TILE_WIDTH: usize = 1 << TILE_HEIGHT;

/// The position of a tile. Ordered by level, then by index.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct TileId {
    /// 0 for leaf hashes; at most 15.
    pub level: u8,
    /// The number of the tile on its level, from 0.
    pub index: u64,
}

impl TileId {
    /// Returns the number of hashes that this tile has in a tree of `size` leaves: 0 (it does not exist) to
    /// [`TILE_WIDTH`].
    pub fn width_at(self, size: u64) -> usize {
        let on_level = size.checked_shr(u32::from(self.level) * u32::from(TILE_HEIGHT)).unwrap_or(0);
        let before = self.index.saturating_mul(TILE_WIDTH as u64);
        on_level.saturating_sub(before).min(TILE_WIDTH as u64) as usize
    }
}

/// One to [`TILE_WIDTH`] hashes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tile(Vec<Hash>);

impl Tile {
    /// Returns a tile of these hashes. `None` if there are none or too many.
    pub fn new(hashes: Vec<Hash>) -> Option<Self> {
        (1..=TILE_WIDTH).contains(&hashes.len()).then_some(Self(hashes))
    }

    /// Reads the bytes of [`Tile::to_bytes`]. `None` for any other bytes.
    pub fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let (hashes, rest) = bytes.as_chunks::<32>();
        if rest.is_empty() { Self::new(hashes.to_vec()) } else { None }
    }

    /// Returns the hashes one after the other: 32 to 512 bytes.
    pub fn to_bytes(&self) -> Vec<u8> {
        self.0.concat()
    }

    /// Returns the hashes from left to right.
    pub fn hashes(&self) -> &[Hash] {
        &self.0
    }
}

/// The source of the tiles that a computation needs.
pub trait Tiles {
    /// Returns the tile at this position, if it was fetched and exists.
    fn tile(&self, id: TileId) -> Option<&Tile>;
}

/// Fetched tiles by their position.
pub type TileSet = BTreeMap<TileId, Tile>;

impl Tiles for TileSet {
    fn tile(&self, id: TileId) -> Option<&Tile> {
        self.get(&id)
    }
}

/// Returns the root over `2^k` neighbouring hashes, `None` for no hashes.
pub(super) fn fold_complete(hashes: &[Hash]) -> Option<Hash> {
    let mut row = hashes.to_vec();
    while row.len() > 1 {
        let (pairs, odd) = row.as_chunks::<2>();
        row = pairs.iter().map(|[left, right]| node_hash(left, right)).chain(odd.iter().copied()).collect();
    }
    row.first().copied()
}
