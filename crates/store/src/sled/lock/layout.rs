//! What a store's directory holds: the names of its files and directories, how large they may be, and looking through
//! all of them before anything is written. The names are drawn in `docs/format/sled.md`.

use std::io;

use crate::sled::lock::system::Directory;
use crate::sled::lock::trust::{Reason, Untrusted};

/// What only a complete store has.
pub(in crate::sled) const FORMAT: &str = "format";
/// Whoever has the store open holds a lock on it.
pub(in crate::sled) const LOCK: &str = "lock";
/// The vault.
pub(in crate::sled) const KEYS: &str = "keys";
/// The secret beside the data.
pub(in crate::sled) const ROOT_KEY: &str = "root.key";
/// The one that is to follow it.
pub(in crate::sled) const NEXT_ROOT_KEY: &str = "root.key.next";
/// How far the tree has come.
pub(in crate::sled) const HIGH_WATER: &str = "mark";
/// The files of the write-ahead log.
pub(in crate::sled) const WAL: [&str; 2] = ["wal-1", "wal-2"];
/// Which tables there are.
pub(in crate::sled) const MANIFEST: &str = "manifest";
/// The tables, which hold the rows.
pub(in crate::sled) const TABLES: &str = "tables";
/// sled's directory, in a store of format 1 or 2.
pub(in crate::sled) const TREE: &str = "db";
/// Where a tree goes whose creation was cut off and that is of no use.
pub(in crate::sled) const UNFINISHED_TREE: &str = "db.unfinished";
/// Copies of a damaged tree. There are no more of them.
pub(in crate::sled) const DAMAGED_TREES: [&str; 3] = ["db.damaged-1", "db.damaged-2", "db.damaged-3"];
/// Files shared by large values.
pub(in crate::sled) const SEGMENTS: &str = "segments";
/// Files of one large value each.
pub(in crate::sled) const VALUES: &str = "values";

/// sled's names in its directory, but for its snapshots.
pub(in crate::sled) const TREE_FILE: &str = "db";
pub(in crate::sled) const TREE_SETTINGS: &str = "conf";
pub(in crate::sled) const TREE_BLOBS: &str = "blobs";
/// A snapshot while it is written ends so.
pub(in crate::sled) const GENERATING: &str = ".generating";

/// Files that are written as a whole. What is longer was made by somebody else, and is never read.
pub(in crate::sled) const SMALL: u64 = 4096;
/// Of 256 bytes for each name: four million of them. Opening reads it through.
pub(in crate::sled) const MOST_KEYS_BYTES: u64 = 1 << 30;
/// Some two thousand tables: a hundred times as many as there usually are.
pub(in crate::sled) const MOST_MANIFEST_BYTES: u64 = 64 * 1024;
/// A usual file of the log is a quarter as long. Opening reads it into memory as a whole.
pub(in crate::sled) const MOST_WAL_BYTES: u64 = 64 * 1024 * 1024;
/// Opening reads the index of a table into memory.
const MOST_TABLE_BYTES: u64 = 1 << 40;
/// sled looks at each 2 MiB of it when it opens.
const MOST_TREE_BYTES: u64 = 1 << 40;
/// sled takes a snapshot into memory as a whole. It says in some 20 bytes where a page lies.
const MOST_SNAPSHOT_BYTES: u64 = 1 << 30;

/// How large a file at the top of the directory may be. `None`: a store makes no file of this name.
fn most_bytes(name: &str) -> Option<u64> {
    match name.strip_suffix(".new").unwrap_or(name) {
        FORMAT | ROOT_KEY | NEXT_ROOT_KEY => Some(SMALL),
        LOCK | HIGH_WATER if !name.ends_with(".new") => Some(SMALL),
        KEYS if !name.ends_with(".new") => Some(MOST_KEYS_BYTES),
        MANIFEST => Some(MOST_MANIFEST_BYTES),
        _ if WAL.contains(&name) => Some(MOST_WAL_BYTES),
        _ => None,
    }
}

/// Whether this is the root key's file, or one of those that become it.
pub(in crate::sled) fn is_root_key(name: &str) -> bool {
    matches!(name.strip_suffix(".new").unwrap_or(name), ROOT_KEY | NEXT_ROOT_KEY)
}

/// Whether a store that was never opened to the end may have this.
pub(in crate::sled) fn is_early(name: &str) -> bool {
    WAL.contains(&name)
        || [SEGMENTS, VALUES, TABLES].contains(&name)
        || matches!(name, LOCK | "format.new" | KEYS | MANIFEST | "manifest.new" | TREE | UNFINISHED_TREE | HIGH_WATER)
}

fn is_tree(name: &str) -> bool {
    [TREE, UNFINISHED_TREE].contains(&name) || DAMAGED_TREES.contains(&name)
}

/// The number of a file of large values, from its name: 16 hexadecimal digits, as we give it.
pub(in crate::sled) fn number_of(name: &str) -> Option<u64> {
    let is_ours = name.len() == 16 && name.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
    if is_ours { u64::from_str_radix(name, 16).ok() } else { None }
}

/// The name of a file of large values.
pub(in crate::sled) fn name_of(number: u64) -> String {
    format!("{number:016x}")
}

/// Whether sled gives a snapshot this name, or takes it for one.
fn is_snapshot(name: &str) -> Option<bool> {
    let digits = name.strip_prefix("snap.")?;
    let digits = digits.strip_suffix(GENERATING).unwrap_or(digits);
    Some(digits.len() == 16 && digits.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'A'..=b'F')))
}

/// sled's snapshots in a directory of a tree.
pub(in crate::sled) fn snapshots(tree: &Directory) -> io::Result<Vec<String>> {
    Ok(names(tree)?.0.into_iter().filter(|name| is_snapshot(name) == Some(true)).collect())
}

/// The names that can be ours, and whether there are others.
fn names(directory: &Directory) -> io::Result<(Vec<String>, bool)> {
    let (mut names, mut has_others) = (Vec::new(), false);
    for name in directory.names()? {
        match name.into_string() {
            Ok(name) => names.push(name),
            Err(_) => has_others = true,
        }
    }
    Ok((names, has_others))
}

/// Looks at everything of a store without opening any file. Whether there is nothing else in the directory; what is, is
/// nothing to us and stays.
///
/// # Errors
/// [`Untrusted`] in an `io::Error` for what bears a name of ours and cannot be ours.
pub(in crate::sled) fn survey(store: &Directory) -> io::Result<bool> {
    look_through(store, |name| {
        if let Some(most) = most_bytes(name) {
            store.has_file(name, most)?;
            Ok(true)
        } else if is_tree(name) {
            below(store, name, survey_tree)
        } else if [SEGMENTS, VALUES].contains(&name) {
            below(store, name, |values| survey_numbered(values, u64::MAX))
        } else if name == TABLES {
            below(store, name, |tables| survey_numbered(tables, MOST_TABLE_BYTES))
        } else {
            Ok(false)
        }
    })
}

fn survey_numbered(directory: &Directory, most: u64) -> io::Result<bool> {
    look_through(directory, |name| {
        let is_ours = number_of(name).is_some();
        if is_ours {
            directory.has_file(name, most)?;
        }
        Ok(is_ours)
    })
}

fn survey_tree(tree: &Directory) -> io::Result<bool> {
    look_through(tree, |name| {
        let most = match (name, is_snapshot(name)) {
            (TREE_BLOBS, _) => return below(tree, name, survey_blobs),
            (TREE_FILE, _) => MOST_TREE_BYTES,
            (TREE_SETTINGS, _) => SMALL,
            (_, Some(true)) => MOST_SNAPSHOT_BYTES,
            (_, Some(false)) => return Err(Untrusted::error(tree, name, Reason::Name)),
            (_, None) => return Ok(false),
        };
        tree.has_file(name, most)?;
        Ok(true)
    })
}

/// sled must not have made any.
fn survey_blobs(blobs: &Directory) -> io::Result<bool> {
    look_through(blobs, |name| {
        blobs.has_file(name, u64::MAX)?;
        Ok(false)
    })
}

/// Looks at every name in a directory. Whether all of them are ours.
fn look_through(directory: &Directory, look: impl Fn(&str) -> io::Result<bool>) -> io::Result<bool> {
    let (names, has_others) = names(directory)?;
    let mut is_alone = !has_others;
    for name in &names {
        is_alone &= look(name)?;
    }
    Ok(is_alone)
}

/// Looks through a directory, which may have gone since its name was read.
fn below(above: &Directory, name: &str, look: fn(&Directory) -> io::Result<bool>) -> io::Result<bool> {
    above.directory(name)?.as_ref().map_or(Ok(true), look)
}

/// Removes a tree, as far as the names in it are sled's.
pub(in crate::sled) fn remove_tree(store: &Directory, name: &str) -> io::Result<()> {
    let Some(tree) = store.directory(name)? else { return Ok(()) };
    for file in snapshots(&tree)? {
        tree.remove_file(&file)?;
    }
    tree.remove_if_there(TREE_FILE)?;
    tree.remove_if_there(TREE_SETTINGS)?;
    if tree.directory(TREE_BLOBS)?.is_some() {
        tree.remove_directory(TREE_BLOBS)?;
    }
    // So that no file comes back without its directory.
    tree.sync()?;
    store.remove_directory(name)
}

/// Removes everything that was found to be a store's, the lock last.
pub(in crate::sled) fn remove_all(store: &Directory) -> io::Result<()> {
    let (names, _) = names(store)?;
    for name in &names {
        if is_tree(name) {
            remove_tree(store, name)?;
        } else if [SEGMENTS, VALUES, TABLES].contains(&name.as_str()) {
            let Some(values) = store.directory(name)? else { continue };
            let (files, _) = self::names(&values)?;
            for file in files.iter().filter(|file| number_of(file).is_some()) {
                values.remove_file(file)?;
            }
            store.remove_directory(name)?;
        } else if name != LOCK && most_bytes(name).is_some() {
            store.remove_file(name)?;
        }
    }
    store.remove_if_there(LOCK)
}
