//! The tree of the approval ledger against known vectors and a naive one.

use std::cell::RefCell;
use std::collections::BTreeSet;

use bailiwick_model::Error;
use bailiwick_model::ledger::Hash;
use bailiwick_model::ledger::hash::{empty_root, leaf_hash, node_hash};
use bailiwick_model::ledger::rebuild::Rebuild;
use bailiwick_model::ledger::tile::{TILE_WIDTH, Tile, TileId, TileSet, Tiles};
use bailiwick_model::ledger::tree::{self, MAX_SIZE, append, consistency, inclusion, root};
use bailiwick_model::ledger::verify;
use data_encoding::HEXLOWER;
use proptest::prelude::*;

fn hash(hex: &str) -> Hash {
    HEXLOWER.decode(hex.as_bytes()).unwrap().try_into().unwrap()
}

fn numbered(count: u64) -> Vec<Hash> {
    (0..count).map(|number| leaf_hash(&number.to_be_bytes())).collect()
}

/// RFC 9162, section 2.1.1, word for word.
fn naive_root(leaves: &[Hash]) -> Hash {
    match leaves {
        [] => empty_root(),
        [leaf] => *leaf,
        _ => {
            let (left, right) = leaves.split_at(leaves.len().next_power_of_two() / 2);
            node_hash(&naive_root(left), &naive_root(right))
        }
    }
}

/// RFC 9162, section 2.1.3.1.
fn naive_path(leaf: usize, leaves: &[Hash]) -> Vec<Hash> {
    if leaves.len() == 1 {
        return Vec::new();
    }
    let (left, right) = leaves.split_at(leaves.len().next_power_of_two() / 2);
    let (mut path, sibling) = if leaf < left.len() {
        (naive_path(leaf, left), naive_root(right))
    } else {
        (naive_path(leaf - left.len(), right), naive_root(left))
    };
    path.push(sibling);
    path
}

/// RFC 9162, section 2.1.4.1: SUBPROOF.
fn naive_subproof(from: usize, leaves: &[Hash], whole: bool) -> Vec<Hash> {
    if from == leaves.len() {
        return if whole { Vec::new() } else { vec![naive_root(leaves)] };
    }
    let (left, right) = leaves.split_at(leaves.len().next_power_of_two() / 2);
    let (mut path, sibling) = if from <= left.len() {
        (naive_subproof(from, left, whole), naive_root(right))
    } else {
        (naive_subproof(from - left.len(), right, false), naive_root(left))
    };
    path.push(sibling);
    path
}

fn stored(leaves: &[Hash]) -> TileSet {
    append(0).apply(&TileSet::new(), leaves).unwrap().changed.into_iter().collect()
}

/// Gives only the tiles that were asked for, and notes which were read.
struct Fetched {
    tiles: TileSet,
    read: RefCell<BTreeSet<TileId>>,
}

impl Fetched {
    fn of(store: &TileSet, ids: Vec<TileId>) -> Self {
        let tiles = ids.into_iter().map(|id| (id, store.get(&id).expect("a plan asks for tiles that exist").clone()));
        Self { tiles: tiles.collect(), read: RefCell::default() }
    }
}

impl Tiles for Fetched {
    fn tile(&self, id: TileId) -> Option<&Tile> {
        self.read.borrow_mut().insert(id);
        self.tiles.get(&id)
    }
}

fn computed(plan: &tree::Plan, store: &TileSet) -> Vec<Hash> {
    let fetched = Fetched::of(store, plan.tiles());
    let hashes = plan.hashes(&fetched).unwrap();
    assert_eq!(fetched.read.into_inner().into_iter().collect::<Vec<_>>(), plan.tiles());
    hashes
}

const ROOTS: [&str; 9] = [
    "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
    "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
    "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
];

fn known_leaves() -> Vec<Hash> {
    let data = ["", "00", "10", "2021", "3031", "40414243", "5051525354555657", "606162636465666768696a6b6c6d6e6f"];
    data.iter().map(|hex| leaf_hash(&HEXLOWER.decode(hex.as_bytes()).unwrap())).collect()
}

#[test]
fn the_roots_of_the_certificate_transparency_vectors() {
    let leaves = known_leaves();
    for (size, expected) in ROOTS.iter().enumerate() {
        let appended = append(0).apply(&TileSet::new(), &leaves[..size]).unwrap();
        assert_eq!(appended.root, hash(expected), "{size} leaves");
        assert_eq!(computed(&root(size as u64), &stored(&leaves)), [hash(expected)], "{size} of 8 leaves");
    }
}

#[test]
fn the_paths_of_the_certificate_transparency_vectors() {
    let store = stored(&known_leaves());
    let path = |hexes: &[&str]| hexes.iter().map(|hex| hash(hex)).collect::<Vec<_>>();
    let to_leaf_5 = path(&[
        "bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b",
        "ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0",
        "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    ]);
    assert_eq!(computed(&inclusion(5, 8).unwrap(), &store), to_leaf_5);
    assert_eq!(computed(&inclusion(2, 3).unwrap(), &store), [hash(ROOTS[2])]);
    let from_6 = path(&[
        "0ebc5d3437fbe2db158b9f126a1d118e308181031d0a949f8dededebc558ef6a",
        "ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0",
        "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    ]);
    assert_eq!(computed(&consistency(6, 8).unwrap(), &store), from_6);
    assert!(verify::consistency(6, &hash(ROOTS[6]), 8, &hash(ROOTS[8]), &from_6));
    let from_2 = path(&[
        "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
        "bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b",
    ]);
    assert_eq!(computed(&consistency(2, 5).unwrap(), &store), from_2);
    assert!(verify::consistency(2, &hash(ROOTS[2]), 5, &hash(ROOTS[5]), &from_2));
}

#[test]
fn every_path_of_every_tree_up_to_70_leaves() {
    let leaves = numbered(70);
    let store = stored(&leaves);
    let roots: Vec<Hash> = (0..=70).map(|size| naive_root(&leaves[..size])).collect();
    for size in 0..=70_usize {
        assert_eq!(computed(&root(size as u64), &store), [roots[size]]);
        for leaf in 0..size {
            let path = computed(&inclusion(leaf as u64, size as u64).unwrap(), &store);
            assert_eq!(path, naive_path(leaf, &leaves[..size]), "leaf {leaf} of {size}");
            for other in 0..size as u64 {
                let accepted = verify::inclusion(&leaves[leaf], other, size as u64, &path, &roots[size]);
                assert_eq!(accepted, other == leaf as u64, "leaf {leaf} of {size} as {other}");
            }
        }
        for from in 0..=size {
            let path = computed(&consistency(from as u64, size as u64).unwrap(), &store);
            if from > 0 {
                assert_eq!(path, naive_subproof(from, &leaves[..size], true), "from {from} to {size}");
            }
            assert!(verify::consistency(from as u64, &roots[from], size as u64, &roots[size], &path));
            for other in (0..=size).filter(|other| *other != from) {
                assert!(!verify::consistency(other as u64, &roots[from], size as u64, &roots[size], &path));
                assert!(!verify::consistency(from as u64, &roots[other], size as u64, &roots[size], &path));
            }
        }
    }
}

#[test]
fn a_leaf_outside_the_tree_has_no_path() {
    assert_eq!(inclusion(0, 0), None);
    assert_eq!(inclusion(7, 7), None);
    assert_eq!(consistency(8, 7), None);
    assert!(!verify::inclusion(&[0; 32], 0, 0, &[], &empty_root()));
    assert!(!verify::consistency(0, &[0; 32], 5, &[0; 32], &[]));
    assert!(!verify::consistency(5, &[0; 32], 4, &[0; 32], &[]));
    assert!(!verify::consistency(0, &empty_root(), 0, &[0; 32], &[]));
}

#[test]
fn a_damaged_tree_is_found_not_guessed() {
    let leaves = numbered(40);
    let whole = stored(&leaves);
    let missing =
        |id: TileId| whole.iter().filter(move |(other, _)| **other != id).map(|(id, tile)| (*id, tile.clone()));
    let corrupt = |result: bailiwick_model::Result<()>| matches!(result, Err(Error::StoreCorrupt(_)));
    for id in append(40).tiles() {
        let without: TileSet = missing(id).collect();
        assert!(corrupt(append(40).apply(&without, &leaves[..1]).map(drop)));
        assert!(corrupt(root(40).hashes(&without).map(drop)));
    }
    assert!(corrupt(append(39).apply(&whole, &leaves[..1]).map(drop)), "a size that was put back");
    assert!(corrupt(append(41).apply(&whole, &leaves[..1]).map(drop)), "tiles that were put back");
    assert!(matches!(append(MAX_SIZE).apply(&whole, &leaves[..1]), Err(Error::InvalidInput(_))));
}

#[test]
fn an_append_reads_and_writes_a_logarithm_of_tiles() {
    // Sizes around every power of 16 and some in between, as far as a ledger can grow.
    let powers = (1..13).map(|power| 16_u64.pow(power));
    for size in powers.flat_map(|power| [power - 1, power, power + 1, power * 3 + power / 3, power * 15]) {
        let levels = size.ilog(16) as usize + 1;
        let tiles = append(size).tiles();
        assert!(tiles.len() <= levels, "an append to {size} reads {}", tiles.len());
        let synthetic: TileSet =
            tiles.iter().map(|id| (*id, Tile::new(vec![[7; 32]; id.width_at(size)]).unwrap())).collect();
        let changed = append(size).apply(&synthetic, &[[1; 32]]).unwrap().changed;
        assert!(changed.len() <= levels + 1, "an append to {size} writes {}", changed.len());
        assert!(root(size).tiles().len() <= levels);
        assert!(inclusion(size / 3, size).unwrap().tiles().len() <= 2 * levels);
        assert!(consistency(size / 3, size).unwrap().tiles().len() <= 2 * levels);
    }
}

#[test]
fn ten_thousand_appends_write_16_tiles_for_15_leaves() {
    let (mut store, mut written) = (TileSet::new(), 0);
    for (size, leaf) in (0..).zip(numbered(10_000)) {
        let fetched = Fetched::of(&store, append(size).tiles());
        let appended = append(size).apply(&fetched, &[leaf]).unwrap();
        written += appended.changed.len();
        store.extend(appended.changed);
    }
    assert_eq!(written, 10_000 + 10_000 / 16 + 10_000 / 256 + 10_000 / 4096);
    assert_eq!(store, stored(&numbered(10_000)));
}

#[test]
fn tiles_are_read_back_from_their_bytes_only() {
    let tile = Tile::new(numbered(3)).unwrap();
    assert_eq!(Tile::from_bytes(&tile.to_bytes()), Some(tile.clone()));
    assert_eq!(Tile::from_bytes(&[]), None);
    assert_eq!(Tile::from_bytes(&tile.to_bytes()[1..]), None);
    assert_eq!(Tile::from_bytes(&[0; 32 * (TILE_WIDTH + 1)]), None);
    assert_eq!(TileId { level: 1, index: 2 }.width_at(16 * 33), 1);
    assert_eq!(TileId { level: 1, index: 2 }.width_at(16 * 32), 0);
    assert_eq!(TileId { level: 0, index: 2 }.width_at(1000), TILE_WIDTH);
    assert_eq!(TileId { level: 200, index: 0 }.width_at(u64::MAX), 0);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    #[test]
    fn appends_of_any_size_make_the_naive_tree(chunks in prop::collection::vec(0..70_usize, 0..9)) {
        let leaves = numbered(chunks.iter().sum::<usize>() as u64);
        let (mut store, mut size, mut rebuild) = (TileSet::new(), 0, Rebuild::default());
        for chunk in chunks {
            let fetched = Fetched::of(&store, append(size as u64).tiles());
            let appended = append(size as u64).apply(&fetched, &leaves[size..size + chunk]).unwrap();
            prop_assert_eq!(&rebuild.push(&leaves[size..size + chunk]).unwrap(), &appended.changed);
            size += chunk;
            prop_assert_eq!(appended.size, size as u64);
            prop_assert_eq!(appended.root, naive_root(&leaves[..size]));
            prop_assert_eq!((rebuild.size(), rebuild.root()), (appended.size, appended.root));
            store.extend(appended.changed);
        }
        for (id, tile) in &store {
            prop_assert_eq!(tile.hashes().len(), id.width_at(size as u64));
        }
        prop_assert_eq!(store, stored(&leaves));
    }

    #[test]
    fn paths_equal_the_naive_ones_and_no_bit_of_them_can_change(
        size in 1..300_usize, leaf in any::<prop::sample::Index>(), from in any::<prop::sample::Index>(),
        later in 0..40_usize, at in any::<prop::sample::Index>(), bit in 0..8_u32,
    ) {
        let leaves = numbered((size + later) as u64);
        let store = stored(&leaves);
        let (leaf, from) = (leaf.index(size), from.index(size) + 1);
        let whole = naive_root(&leaves[..size]);

        let path = computed(&inclusion(leaf as u64, size as u64).unwrap(), &store);
        prop_assert_eq!(&path, &naive_path(leaf, &leaves[..size]));
        let holds = |leaf_hash: &Hash, path: &[Hash], root: &Hash|
            verify::inclusion(leaf_hash, leaf as u64, size as u64, path, root);
        prop_assert!(holds(&leaves[leaf], &path, &whole));
        let flipped = |hash: &Hash| { let mut hash = *hash; hash[at.index(32)] ^= 1 << bit; hash };
        prop_assert!(!holds(&flipped(&leaves[leaf]), &path, &whole));
        prop_assert!(!holds(&leaves[leaf], &path, &flipped(&whole)));
        prop_assert!(!holds(&leaves[leaf], &[path.as_slice(), &[whole]].concat(), &whole));
        if !path.is_empty() {
            prop_assert!(!holds(&leaves[leaf], &path[1..], &whole));
            let mut changed = path.clone();
            let place = at.index(path.len());
            changed[place] = flipped(&changed[place]);
            prop_assert!(!holds(&leaves[leaf], &changed, &whole));
        }

        let old = naive_root(&leaves[..from]);
        let path = computed(&consistency(from as u64, size as u64).unwrap(), &store);
        prop_assert_eq!(&path, &naive_subproof(from, &leaves[..size], true));
        let holds = |old: &Hash, new: &Hash, path: &[Hash]|
            verify::consistency(from as u64, old, size as u64, new, path);
        prop_assert!(holds(&old, &whole, &path));
        prop_assert!(!holds(&flipped(&old), &whole, &path));
        prop_assert!(!holds(&old, &flipped(&whole), &path));
        prop_assert!(!holds(&old, &whole, &[path.as_slice(), &[whole]].concat()));
        for place in 0..path.len() {
            let mut changed = path.clone();
            changed[place] = flipped(&changed[place]);
            prop_assert!(!holds(&old, &whole, &changed));
        }
    }

    #[test]
    fn hostile_numbers_and_paths_never_panic(
        numbers in prop::array::uniform3(prop_oneof![any::<u64>(), 0..20_u64, (u64::MAX - 3)..]),
        path in prop::collection::vec(any::<Hash>(), 0..70),
    ) {
        let [a, b, level] = numbers;
        prop_assert!(!verify::inclusion(&[1; 32], a, b, &path, &[2; 32]));
        prop_assert!(!verify::consistency(a, &[1; 32], b, &[2; 32], &path));
        for plan in [Some(root(a)), inclusion(a, b), consistency(a, b)].into_iter().flatten() {
            prop_assert!(plan.tiles().len() <= 64);
            prop_assert!(plan.tiles().is_empty() || plan.hashes(&TileSet::new()).is_err());
        }
        prop_assert!(append(a).tiles().len() <= 16);
        prop_assert_eq!(append(a).apply(&TileSet::new(), &path).is_ok(), a == 0);
        let id = TileId { level: level as u8, index: a };
        prop_assert!(id.width_at(b) <= TILE_WIDTH);
    }
}
