//! The directory of a store: what may be in it, who may read it, and that it is really on the disk.

use std::fs::{File, TryLockError};
use std::io::{self, Read, Write};
use std::path::Path;

use super::OpenError;
use super::system::{
    create_private_directory, make_private_directory, make_private_file, private_file, sync_directory,
};

/// What only a complete store has.
const FORMAT_FILE: &str = "format";
/// Everything a store's directory may hold before its `format` file is there.
const UNFINISHED: [&str; 10] =
    ["lock", "format.new", "keys", "root.key", "root.key.new", "db", UNFINISHED_TREE, "mark", "segments", "values"];
/// Where a tree goes whose creation was cut off and that is of no use.
pub(super) const UNFINISHED_TREE: &str = "db.unfinished";
const DIRECTORIES: [&str; 2] = ["segments", "values"];
const FORMAT_START: &str = "bailiwick-store ";
/// The format this version writes.
const FORMAT: u32 = 1;

/// Writes a file that is whole or not there, durably.
pub(super) fn write_whole(directory: &Path, name: &str, bytes: &[u8]) -> io::Result<()> {
    let unfinished = directory.join(format!("{name}.new"));
    let mut file = private_file().create(true).truncate(true).open(&unfinished)?;
    make_private_file(&file)?;
    file.write_all(bytes)?;
    file.sync_all()?;
    std::fs::rename(&unfinished, directory.join(name))?;
    sync_directory(directory)
}

/// Creates a directory and those above it that are missing: each its owner's alone, and synced into the one above
/// before the next is made.
fn create_directories(path: &Path) -> io::Result<()> {
    let mut missing = Vec::new();
    for directory in path.ancestors().filter(|directory| !directory.as_os_str().is_empty()) {
        // A link to nowhere is there: creating something below it fails.
        if std::fs::symlink_metadata(directory).is_ok() {
            // Whoever made it may have been killed before its name was synced. Where that cannot be done, another owns it.
            let _ = sync_parent(directory);
            break;
        }
        missing.push(directory);
    }
    for directory in missing.into_iter().rev() {
        match create_private_directory(directory) {
            Ok(()) => make_private_directory(directory)?,
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            Err(error) => return Err(error),
        }
        sync_parent(directory)?;
    }
    Ok(())
}

/// Syncs the name of a directory into the one above.
///
/// # Errors
/// Those of the operating system.
pub fn sync_parent(path: &Path) -> io::Result<()> {
    match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => sync_directory(parent),
        Some(_) => sync_directory(Path::new(".")),
        None => Ok(()),
    }
}

/// Whether a store was opened in this directory to the end, once at least.
pub fn is_store(path: &Path) -> bool {
    path.join(FORMAT_FILE).is_file()
}

/// Whether somebody has a store in this directory open, or makes one.
pub fn is_in_use(path: &Path) -> bool {
    let lock = File::open(path.join("lock"));
    lock.is_ok_and(|lock| matches!(lock.try_lock(), Err(TryLockError::WouldBlock)))
}

/// How far a store's directory is.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Stage {
    /// It has never been opened to the end.
    Unfinished,
    /// It is a store.
    Complete,
}

/// The lock on a store's directory. It ends when this is dropped, or with the process.
pub(super) struct Lock(#[allow(dead_code, reason = "held for its lock")] File);

/// Makes sure that this is a store of ours, or can become one, and takes its lock.
pub(super) fn enter(path: &Path) -> Result<(Lock, Stage), OpenError> {
    match std::fs::symlink_metadata(path) {
        Ok(found) if found.file_type().is_symlink() => return Err(OpenError::Symlink),
        Ok(found) if !found.is_dir() => return Err(OpenError::Foreign),
        Ok(_) => {}
        Err(error) if error.kind() == io::ErrorKind::NotFound => create_directories(path)?,
        Err(error) => return Err(error.into()),
    }
    // Nothing is written into what is not ours.
    stage(path)?;
    let lock = path.join("lock");
    let lock = private_file().create(true).truncate(false).open(lock)?;
    match lock.try_lock() {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => return Err(OpenError::Locked),
        Err(TryLockError::Error(error)) => return Err(error.into()),
    }
    make_private_file(&lock)?;
    make_private_directory(path)?;
    // Whoever held the lock may have finished it meanwhile.
    let stage = stage(path)?;
    for name in DIRECTORIES {
        let directory = path.join(name);
        match create_private_directory(&directory) {
            Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(error.into()),
            _ => make_private_directory(&directory)?,
        }
    }
    Ok((Lock(lock), stage))
}

fn stage(path: &Path) -> Result<Stage, OpenError> {
    let mut text = Vec::new();
    match File::open(path.join(FORMAT_FILE)) {
        Ok(file) => {
            file.take(64).read_to_end(&mut text)?;
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            for entry in std::fs::read_dir(path)? {
                let name = entry?.file_name();
                if !name.to_str().is_some_and(|name| UNFINISHED.contains(&name)) {
                    return Err(OpenError::Foreign);
                }
            }
            return Ok(Stage::Unfinished);
        }
        Err(error) => return Err(error.into()),
    }
    let number = std::str::from_utf8(&text).ok().and_then(|text| text.strip_prefix(FORMAT_START));
    match number.and_then(|number| number.trim_end().parse::<u32>().ok()) {
        Some(FORMAT) => Ok(Stage::Complete),
        Some(number) if number > FORMAT => Err(OpenError::NewerFormat),
        _ => Err(OpenError::Foreign),
    }
}

/// Makes an unfinished store a complete one: from here on its files are expected to be there.
pub(super) fn complete(path: &Path) -> io::Result<()> {
    for name in DIRECTORIES {
        sync_directory(&path.join(name))?;
    }
    sync_directory(path)?;
    write_whole(path, FORMAT_FILE, format!("{FORMAT_START}{FORMAT}\n").as_bytes())?;
    sync_parent(path)
}
