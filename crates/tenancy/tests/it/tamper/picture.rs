//! What there is below a path, byte by byte, without opening anything that could hang.

use std::collections::BTreeMap;
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::{Path, PathBuf};

/// What is known of one name.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Seen {
    mode: u32,
    owner: u32,
    names: u64,
    bytes: u64,
    content: Vec<u8>,
}

/// So much of a file is read. The large ones of these tests are holes.
const READ: u64 = 8 << 20;

/// Every name below a path, and the path itself as an empty one.
pub(crate) fn picture(path: &Path) -> BTreeMap<PathBuf, Seen> {
    let mut all = BTreeMap::new();
    add(path, Path::new(""), &mut all);
    all
}

fn add(root: &Path, below: &Path, all: &mut BTreeMap<PathBuf, Seen>) {
    let path = if below == Path::new("") { root.to_owned() } else { root.join(below) };
    let Ok(found) = std::fs::symlink_metadata(&path) else { return };
    let content = if found.file_type().is_symlink() {
        std::fs::read_link(&path).unwrap().into_os_string().into_encoded_bytes()
    } else if found.is_file() && found.len() <= READ {
        std::fs::read(&path).unwrap()
    } else {
        assert!(found.is_dir() || found.is_file() || found.file_type().is_fifo());
        Vec::new()
    };
    let bytes = if found.is_dir() { 0 } else { found.len() };
    let (mode, owner, names) = (found.mode(), found.uid(), if found.is_dir() { 0 } else { found.nlink() });
    all.insert(below.to_owned(), Seen { mode, owner, names, bytes, content });
    if found.is_dir() {
        for entry in std::fs::read_dir(&path).unwrap() {
            add(root, &below.join(entry.unwrap().file_name()), all);
        }
    }
}
