//! The directory of a store: whose it is, how far it is, who has it open, and that it is really on the disk.

use std::fs::{File, TryLockError};
use std::io::{self, Read, Write};
use std::path::Path;
use std::sync::{Arc, Weak};
use std::time::{Duration, Instant};

use crate::sled::error::OpenError;
use crate::sled::lock::layout::{self, FORMAT, KEYS, LOCK, SEGMENTS, VALUES};
use crate::sled::lock::system::{Directory, How, has_name, make_private_file, sync_directory};
use crate::sled::lock::trust::{Reason, Untrusted};

/// How long a lock may be held by a child process that was forked while the store was open and has not begun its program yet.
const LOCK_PATIENCE: Duration = Duration::from_millis(500);
const FORMAT_START: &str = "bailiwick-store ";
/// The format this version writes.
const FORMAT_NUMBER: u32 = 3;
/// The formats with rows in sled: the first had no write-ahead log. Opening a store in them brings it to the current one.
const OLDER_FORMATS: [u32; 2] = [1, 2];

/// What to do where there is no store.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Absent {
    /// Make one.
    Make,
    /// Refuse, and leave everything as it is.
    Refuse,
}

/// Writes a file that is whole or not there, durably.
pub(in crate::sled) fn write_whole(directory: &Directory, name: &str, bytes: &[u8]) -> io::Result<()> {
    let unfinished = format!("{name}.new");
    let mut file = directory.file(&unfinished, How::Create)?;
    file.set_len(0)?;
    make_private_file(&file)?;
    file.write_all(bytes)?;
    file.sync_all()?;
    directory.rename(&unfinished, name)?;
    directory.sync()
}

/// Reads a file of ours as a whole, if it is there. It is never longer than a store makes it.
pub(in crate::sled) fn read_small(directory: &Directory, name: &str) -> io::Result<Option<Vec<u8>>> {
    if !directory.has_file(name, layout::SMALL)? {
        return Ok(None);
    }
    let Some(file) = directory.file_if_there(name, How::Read)? else { return Ok(None) };
    let mut bytes = Vec::new();
    file.take(layout::SMALL).read_to_end(&mut bytes)?;
    Ok(Some(bytes))
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
        match Directory::create(directory) {
            Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(error),
            _ => sync_parent(directory)?,
        }
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

/// Removes a copy of a store that was never finished: no root key was ever put into it, nobody has it open, and there is
/// nothing in it but what a store makes.
///
/// # Errors
/// [`OpenError::Locked`], [`OpenError::Foreign`] and the like for what is no such copy; then nothing was removed.
pub fn remove_copy(path: &Path) -> Result<(), OpenError> {
    let Some(directory) = open_ours(path)? else { return Ok(()) };
    let names = directory.names()?;
    let has = |wanted: fn(&str) -> bool| names.iter().any(|name| name.to_str().is_some_and(wanted));
    // Whoever makes a copy takes its lock first.
    if !layout::survey(&directory)? || has(layout::is_root_key) || !(names.is_empty() || has(|name| name == LOCK)) {
        return Err(OpenError::Foreign);
    }
    if !names.is_empty() {
        let lock = Lock::take(&directory)?;
        layout::remove_all(&directory)?;
        drop(lock);
    }
    Ok(std::fs::remove_dir(path)?)
}

/// How far a store's directory is.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(in crate::sled) enum Completion {
    /// It has never been opened to the end.
    Unfinished,
    /// It is a store of an older format.
    Older { has_log: bool },
    /// It is a store.
    Complete,
}

/// The lock on a store's directory. It ends when this is dropped, or with the process.
pub(in crate::sled) struct Lock(Arc<File>);

impl Lock {
    fn take(directory: &Directory) -> Result<Self, OpenError> {
        let file = directory.file(LOCK, How::Create)?;
        let until = Instant::now() + LOCK_PATIENCE;
        loop {
            match file.try_lock() {
                Ok(()) => return Ok(Self(Arc::new(file))),
                Err(TryLockError::WouldBlock) if Instant::now() < until => std::thread::sleep(Duration::from_millis(2)),
                Err(TryLockError::WouldBlock) => return Err(OpenError::Locked),
                Err(TryLockError::Error(error)) => return Err(error.into()),
            }
        }
    }

    /// Makes its file its owner's alone.
    pub(in crate::sled) fn make_private(&self) -> io::Result<()> {
        make_private_file(&self.0)
    }
}

/// Says whether a store that is open still is where it was opened.
pub(in crate::sled) struct Presence {
    directory: Arc<Directory>,
    lock: Weak<File>,
}

impl Presence {
    pub(in crate::sled) fn of(directory: Arc<Directory>, lock: &Lock) -> Self {
        Self { directory, lock: Arc::downgrade(&lock.0) }
    }

    /// Whether the path leads to the directory that was opened, and the lock is one that others would find.
    pub(in crate::sled) fn is_given(&self) -> bool {
        self.directory.is_at_its_path() && self.lock.upgrade().is_none_or(|lock| has_name(&lock))
    }
}

/// Opens a directory that is no link and belongs to us. `None` if there is nothing.
fn open_ours(path: &Path) -> Result<Option<Directory>, OpenError> {
    match std::fs::symlink_metadata(path) {
        Ok(found) if found.file_type().is_symlink() => return Err(OpenError::Symlink),
        Ok(found) if !found.is_dir() => return Err(OpenError::Foreign),
        Ok(_) => {}
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error.into()),
    }
    let directory = Directory::open(path)?;
    directory.refuse_foreign()?;
    Ok(Some(directory))
}

/// Makes sure that this is a store of ours, or can become one, and takes its lock. But for the lock's file nothing is
/// written where something is there.
pub(in crate::sled) fn enter(path: &Path, absent: Absent) -> Result<(Directory, Lock, Completion), OpenError> {
    let directory = match open_ours(path)? {
        Some(directory) => directory,
        None if absent == Absent::Refuse => return Err(OpenError::Absent),
        None => {
            create_directories(path)?;
            open_ours(path)?.ok_or(OpenError::Unavailable(io::ErrorKind::NotFound))?
        }
    };
    let early = completion(&directory)?;
    layout::survey(&directory)?;
    if early == Completion::Unfinished && absent == Absent::Refuse {
        // One that has keys has lost its format: that is for whoever opens it to find.
        let has_keys = directory.entry(KEYS)?.is_some_and(|keys| keys.bytes > 0);
        if !has_keys {
            return Err(OpenError::Absent);
        }
    }
    let lock = Lock::take(&directory)?;
    // Whoever held the lock may have finished it meanwhile.
    let completion = completion(&directory)?;
    Ok((directory, lock, completion))
}

/// Keeps others out, and looks again: from here on nobody else can change what is found.
pub(in crate::sled) fn secure(directory: &Directory, lock: &Lock) -> io::Result<[Directory; 2]> {
    directory.make_private()?;
    lock.make_private()?;
    layout::survey(directory)?;
    Ok([directory.directory_or_new(SEGMENTS)?, directory.directory_or_new(VALUES)?])
}

fn completion(directory: &Directory) -> Result<Completion, OpenError> {
    let Some(text) = read_small(directory, FORMAT)? else {
        for name in directory.names()? {
            match name.to_str() {
                Some(name) if layout::is_early(name) => {}
                Some(name) if layout::is_root_key(name) => {
                    return Err(Untrusted::error(directory, name, Reason::Early).into());
                }
                _ => return Err(OpenError::Foreign),
            }
        }
        return Ok(Completion::Unfinished);
    };
    let number = std::str::from_utf8(&text).ok().and_then(|text| text.strip_prefix(FORMAT_START));
    match number.and_then(|number| number.trim_end().parse::<u32>().ok()) {
        Some(FORMAT_NUMBER) => Ok(Completion::Complete),
        Some(number) if OLDER_FORMATS.contains(&number) => Ok(Completion::Older { has_log: number > 1 }),
        Some(number) if number > FORMAT_NUMBER => Err(OpenError::NewerFormat),
        _ => Err(OpenError::Foreign),
    }
}

/// Makes an unfinished or older store a complete one: from here on its files are expected to be there.
pub(in crate::sled) fn complete(directory: &Directory) -> io::Result<()> {
    for name in [SEGMENTS, VALUES] {
        if let Some(below) = directory.directory(name)? {
            below.sync()?;
        }
    }
    directory.sync()?;
    write_whole(directory, FORMAT, format!("{FORMAT_START}{FORMAT_NUMBER}\n").as_bytes())?;
    sync_parent(directory.path())
}
