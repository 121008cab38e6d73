//! The approval ledger without I/O: records, the Merkle tree over them, proofs, and signed notes. The caller brings
//! tiles, openings and keys.
//!
//! The tree is that of RFC 6962 and RFC 9162 over SHA-256. It is stored in [tiles](tile), so that appends, proofs and
//! roots read O(log n) small values. Every computation has two steps: it names the tiles that it needs, then computes
//! with them.
//!
//! ```
//! use bailiwick_model::ledger::{tile::TileSet, tree, verify};
//!
//! let mut store = TileSet::new(); // stands for the storage
//! let leaves = [[1; 32], [2; 32], [3; 32]];
//! let append = tree::append(0);
//! assert!(append.tiles().is_empty(), "an empty tree has no tiles");
//! let appended = append.apply(&store, &leaves)?;
//! store.extend(appended.changed);
//!
//! let plan = tree::inclusion(1, 3).ok_or(bailiwick_model::Error::NotFound)?;
//! let needed: TileSet = plan.tiles().into_iter().filter_map(|id| Some((id, store.get(&id)?.clone()))).collect();
//! let path = plan.hashes(&needed)?;
//! assert!(verify::inclusion(&[2; 32], 1, 3, &path, &appended.root));
//! # Ok::<(), bailiwick_model::Error>(())
//! ```

pub mod checkpoint;
pub mod hash;
pub mod note;
pub mod proof;
pub mod rebuild;
pub mod receipt;
pub mod record;
pub mod rule;
pub mod tile;
pub mod tree;
pub mod verify;

pub use hash::Hash;
