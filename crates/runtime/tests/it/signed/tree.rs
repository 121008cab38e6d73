//! RFC 6962, section 2.1, as it is written there.

use bailiwick_model::ledger::hash::{Hash, empty_root, node_hash};

/// The largest power of two below a number above 1.
fn split(size: usize) -> usize {
    1 << (size - 1).ilog2()
}

/// MTH(D[n])
pub(crate) fn root(leaves: &[Hash]) -> Hash {
    match leaves {
        [] => empty_root(),
        [leaf] => *leaf,
        leaves => {
            let (left, right) = leaves.split_at(split(leaves.len()));
            node_hash(&root(left), &root(right))
        }
    }
}

/// PATH(m, D[n])
pub(crate) fn inclusion(sequence: usize, leaves: &[Hash]) -> Vec<Hash> {
    if leaves.len() < 2 {
        return Vec::new();
    }
    let (left, right) = leaves.split_at(split(leaves.len()));
    let (mut path, last) = if sequence < left.len() {
        (inclusion(sequence, left), root(right))
    } else {
        (inclusion(sequence - left.len(), right), root(left))
    };
    path.push(last);
    path
}

/// PROOF(m, D[n])
pub(crate) fn consistency(size: usize, leaves: &[Hash]) -> Vec<Hash> {
    if size == 0 { Vec::new() } else { part(size, leaves, true) }
}

/// SUBPROOF(m, D[n], b)
fn part(size: usize, leaves: &[Hash], is_known: bool) -> Vec<Hash> {
    if size == leaves.len() {
        return if is_known { Vec::new() } else { vec![root(leaves)] };
    }
    let (left, right) = leaves.split_at(split(leaves.len()));
    let (mut path, last) = if size <= left.len() {
        (part(size, left, is_known), root(right))
    } else {
        (part(size - left.len(), right, false), root(left))
    };
    path.push(last);
    path
}
