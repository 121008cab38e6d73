//! The tree in tiles: plans the reads of an append, a root or a proof, and computes it.
//!
//! Sources: RFC 9162, sections 2.1.1 (roots), 2.1.3.1 (inclusion) and 2.1.4.1 (consistency). All three need hashes of
//! ranges of leaves. Each range is a few complete subtrees, and each of these is in one tile.

use std::collections::BTreeSet;
use std::ops::Range;

use super::hash::{Hash, empty_root, node_hash};
use super::tile::{TILE_HEIGHT, TILE_WIDTH, Tile, TileId, TileSet, Tiles, fold_complete};
use crate::{Error, Result};

/// The most leaves of a tree: sequences and sizes are exact numbers in JavaScript.
pub const MAX_SIZE: u64 = (1 << 53) - 1;

/// Hashes to compute from tiles: a root, or the hashes of a path in their order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Plan {
    /// The leaves under each hash.
    ranges: Vec<Range<u64>>,
}

impl Plan {
    /// Returns the tiles that [`Plan::hashes`] reads, each once, in order: O(log n) of them.
    pub fn tiles(&self) -> Vec<TileId> {
        let subtrees = self.ranges.iter().cloned().flat_map(subtrees);
        subtrees.map(|subtree| subtree.tile()).collect::<BTreeSet<_>>().into_iter().collect()
    }

    /// Computes the hashes. The tiles may be those of a larger tree.
    ///
    /// # Errors
    /// `StoreCorrupt` if a tile is missing or too short.
    pub fn hashes(&self, tiles: &impl Tiles) -> Result<Vec<Hash>> {
        self.ranges.iter().cloned().map(|range| range_hash(range, tiles)).collect()
    }
}

/// Returns the plan for the root of the first `size` leaves: one hash.
pub fn root(size: u64) -> Plan {
    Plan { ranges: vec![Range { start: 0, end: size }] }
}

/// Returns the plan for the inclusion path of leaf `sequence` in the tree of the first `size` leaves. `None` if the
/// leaf is not in it.
pub fn inclusion(sequence: u64, size: u64) -> Option<Plan> {
    if sequence >= size {
        return None;
    }
    let (mut ranges, mut start, mut end) = (Vec::new(), 0, size);
    while end - start > 1 {
        let middle = start + split(end - start);
        if sequence < middle {
            ranges.push(middle..end);
            end = middle;
        } else {
            ranges.push(start..middle);
            start = middle;
        }
    }
    ranges.reverse();
    Some(Plan { ranges })
}

/// Returns the plan for the consistency path between the trees of the first `from` and the first `to` leaves. The path
/// is empty if `from` is 0 or `to`. `None` if `from` is larger than `to`.
pub fn consistency(from: u64, to: u64) -> Option<Plan> {
    if from > to {
        return None;
    }
    let (mut ranges, mut start, mut end) = (Vec::new(), 0, to);
    while from != end && from != 0 {
        let middle = start + split(end - start);
        if from <= middle {
            ranges.push(middle..end);
            end = middle;
        } else {
            ranges.push(start..middle);
            start = middle;
        }
    }
    // The verifier knows the old root, so the old tree itself is left out.
    if start != 0 {
        ranges.push(start..end);
    }
    ranges.reverse();
    Some(Plan { ranges })
}

/// An append to the tree of `size` leaves.
pub fn append(size: u64) -> Append {
    Append { size }
}

/// Returns an append to a tree of this size.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Append {
    size: u64,
}

/// The result of an append.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Appended {
    /// The tiles to write, which are new or grew.
    pub changed: Vec<(TileId, Tile)>,
    /// The new number of leaves.
    pub size: u64,
    /// The root of all leaves.
    pub root: Hash,
}

impl Append {
    /// Returns the tiles that [`Append::apply`] reads, for any number of leaves: the last tile of each level that is
    /// not full. They exist.
    pub fn tiles(self) -> Vec<TileId> {
        levels(self.size)
            .filter(|(_, count)| width_of_last(*count) > 0)
            .map(|(level, count)| last(level, count))
            .collect()
    }

    /// Appends leaf hashes. Of `n` leaves, `n / 15 + 1` per level and a few more tiles change.
    ///
    /// # Errors
    /// `StoreCorrupt` if a tile is missing or does not match a tree of this size; `InvalidInput` if the tree would have
    /// more than [`MAX_SIZE`] leaves.
    pub fn apply(self, tiles: &impl Tiles, leaves: &[Hash]) -> Result<Appended> {
        let size = self.size.checked_add(leaves.len() as u64).filter(|size| *size <= MAX_SIZE);
        let size = size.ok_or_else(|| Error::invalid("The approval ledger is full."))?;
        let mut changed = TileSet::new();
        let (mut level, mut count, mut row) = (0, self.size, leaves.to_vec());
        while !row.is_empty() {
            let open = open_tile(last(level, count), count, tiles)?;
            row = extend_level(last(level, count), open, row, &mut changed);
            level += 1;
            count /= TILE_WIDTH as u64;
        }
        let root = range_hash(0..size, &Overlay { over: &changed, under: tiles })?;
        Ok(Appended { changed: changed.into_iter().collect(), size, root })
    }
}

/// Appends hashes to those of the open tile, and returns the roots of the tiles that this filled.
fn extend_level(mut id: TileId, mut open: Vec<Hash>, row: Vec<Hash>, changed: &mut TileSet) -> Vec<Hash> {
    let mut full = Vec::new();
    for hash in row {
        open.push(hash);
        if open.len() == TILE_WIDTH {
            full.extend(fold_complete(&open));
            changed.extend(Tile::new(std::mem::take(&mut open)).map(|tile| (id, tile)));
            id.index += 1;
        }
    }
    changed.extend(Tile::new(open).map(|tile| (id, tile)));
    full
}

/// Returns the hashes of the last tile of a level; none if it does not exist yet.
fn open_tile(id: TileId, count: u64, tiles: &impl Tiles) -> Result<Vec<Hash>> {
    let width = width_of_last(count);
    if width == 0 {
        return Ok(Vec::new());
    }
    let tile = tiles.tile(id).ok_or_else(corrupt)?;
    // More would mean that the size was rolled back.
    if tile.hashes().len() == width { Ok(tile.hashes().to_vec()) } else { Err(corrupt()) }
}

/// Returns the levels of tiles of a tree, with the number of hashes on each.
fn levels(size: u64) -> impl Iterator<Item = (u8, u64)> {
    let counts = std::iter::successors(Some(size), |count| Some(count / TILE_WIDTH as u64));
    (0..).zip(counts.take_while(|count| *count > 0))
}

fn width_of_last(count: u64) -> usize {
    (count % TILE_WIDTH as u64) as usize
}

/// Returns the tile of the next hash of a level that has `count` of them.
fn last(level: u8, count: u64) -> TileId {
    TileId { level, index: count / TILE_WIDTH as u64 }
}

/// Returns the largest power of two below `count`, which is at least 2.
fn split(count: u64) -> u64 {
    1 << count.saturating_sub(1).max(1).ilog2()
}

/// The complete subtree over the leaves `index · 2^height … (index + 1) · 2^height - 1`.
struct Subtree {
    height: u8,
    index: u64,
}

impl Subtree {
    /// Returns the number of the first hash under this subtree on the level of its tile.
    fn first(&self) -> u64 {
        self.index << (self.height % TILE_HEIGHT)
    }

    fn tile(&self) -> TileId {
        last(self.height / TILE_HEIGHT, self.first())
    }

    fn hash(&self, tiles: &impl Tiles) -> Result<Hash> {
        let start = width_of_last(self.first());
        let under = start..start + (1 << (self.height % TILE_HEIGHT));
        let tile = tiles.tile(self.tile()).ok_or_else(corrupt)?;
        tile.hashes().get(under).and_then(fold_complete).ok_or_else(corrupt)
    }
}

/// Returns the complete subtrees of a range of leaves, the largest first. Ranges of RFC 9162 start at a multiple of
/// their largest subtree.
fn subtrees(mut range: Range<u64>) -> impl DoubleEndedIterator<Item = Subtree> {
    let mut found = Vec::new();
    while let Some(log) = (range.end - range.start).checked_ilog2() {
        found.push(Subtree { height: log as u8, index: range.start >> log });
        range.start += 1 << log;
    }
    found.into_iter()
}

fn range_hash(range: Range<u64>, tiles: &impl Tiles) -> Result<Hash> {
    let mut hashes = subtrees(range).rev().map(|subtree| subtree.hash(tiles));
    let Some(smallest) = hashes.next() else { return Ok(empty_root()) };
    hashes.try_fold(smallest?, |right, left| Ok(node_hash(&left?, &right)))
}

/// Tiles that override others.
struct Overlay<'a, T> {
    over: &'a TileSet,
    under: &'a T,
}

impl<T: Tiles> Tiles for Overlay<'_, T> {
    fn tile(&self, id: TileId) -> Option<&Tile> {
        self.over.get(&id).or_else(|| self.under.tile(id))
    }
}

fn corrupt() -> Error {
    Error::StoreCorrupt(
        "The tree of the approval ledger does not match its size. Restore the store from a backup.".to_owned(),
    )
}
