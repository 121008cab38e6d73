//! Verifies paths by RFC 9162, sections 2.1.3.2 and 2.1.4.2.

use super::hash::{Hash, empty_root, node_hash};

/// Returns whether `path` proves that the leaf with this hash is number `sequence` of the `size` leaves under `root`.
pub fn inclusion(leaf: &Hash, sequence: u64, size: u64, path: &[Hash], root: &Hash) -> bool {
    if sequence >= size {
        return false;
    }
    let mut place = Place { node: sequence, last: size - 1 };
    let mut hash = *leaf;
    for sibling in path {
        match place.climb() {
            Some(Side::Left) => hash = node_hash(sibling, &hash),
            Some(Side::Right) => hash = node_hash(&hash, sibling),
            None => return false,
        }
    }
    place.last == 0 && hash == *root
}

/// Returns whether `path` proves that the first `from` of the `to` leaves under `to_root` are the leaves under
/// `from_root`.
pub fn consistency(from: u64, from_root: &Hash, to: u64, to_root: &Hash, path: &[Hash]) -> bool {
    if from == 0 || from >= to {
        let known = if from == 0 { *from_root == empty_root() } else { from == to && from_root == to_root };
        return known && path.is_empty() && (to != 0 || *to_root == empty_root());
    }
    // The old tree is itself a subtree of the new one: the path starts at its root.
    let start = from.is_power_of_two().then_some(from_root);
    let mut path = start.into_iter().chain(path);
    let Some(first) = path.next() else { return false };
    let mut place = Place { node: from - 1, last: to - 1 };
    while place.node % 2 == 1 {
        place.up();
    }
    let (mut old, mut new) = (*first, *first);
    for sibling in path {
        match place.climb() {
            Some(Side::Left) => {
                old = node_hash(sibling, &old);
                new = node_hash(sibling, &new);
            }
            Some(Side::Right) => new = node_hash(&new, sibling),
            None => return false,
        }
    }
    place.last == 0 && old == *from_root && new == *to_root
}

/// A node and the last node on its level (`fn` and `sn` of the RFC).
struct Place {
    node: u64,
    last: u64,
}

/// The side of a node's sibling.
enum Side {
    Left,
    Right,
}

impl Place {
    fn up(&mut self) {
        self.node /= 2;
        self.last /= 2;
    }

    /// Moves to the parent that the next sibling of the path leads to. `None` at the root.
    fn climb(&mut self) -> Option<Side> {
        if self.last == 0 {
            return None;
        }
        let left = self.node % 2 == 1 || self.node == self.last;
        // A last node without a right neighbour stands for its parent.
        while left && self.node != 0 && self.node.is_multiple_of(2) {
            self.up();
        }
        self.up();
        Some(if left { Side::Left } else { Side::Right })
    }
}
