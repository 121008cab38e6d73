//! What is taken for a store's own. A directory may have come from somebody else, with links, pipes and huge files in
//! it: so each name is looked at before it is opened, what was opened is looked at again, and nothing is written where
//! anything else than a plain file or directory of ours, with one name, was found.

use std::fs::File;
use std::io;

use crate::sled::lock::system::{Directory, Entry, How, Sort, entry_of};

/// Something in a store's directory that no store makes.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{name} {reason}")]
pub struct Untrusted {
    /// Its name in the directory; empty for the directory itself.
    pub name: String,
    /// What is wrong with it.
    pub reason: Reason,
}

/// Why something is not taken for a store's own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Reason {
    /// It is a symbolic link.
    #[error("is a symbolic link")]
    Link,
    /// There should be a file.
    #[error("is not a regular file")]
    NoFile,
    /// There should be a directory.
    #[error("is not a directory")]
    NoDirectory,
    /// It belongs to another user than the one this process runs as.
    #[error("belongs to another user")]
    Owner,
    /// The same file has another name, here or elsewhere.
    #[error("has a second name (it is a hard link)")]
    SecondName,
    /// No store makes it as large.
    #[error("is larger than a store makes it")]
    Size,
    /// It lies there although the store was never opened to the end.
    #[error("is there before the store was made")]
    Early,
    /// It has a name that sled would take for one of its own files.
    #[error("is named like a file of the tree, and is none")]
    Name,
}

impl Untrusted {
    pub(in crate::sled) fn error(directory: &Directory, name: &str, reason: Reason) -> io::Error {
        io::Error::other(Self { name: directory.label(name), reason })
    }
}

fn check(directory: &Directory, name: &str, entry: &Entry, wanted: Sort) -> io::Result<()> {
    let reason = match entry.sort {
        Sort::Link => Reason::Link,
        sort if sort != wanted && wanted == Sort::Directory => Reason::NoDirectory,
        sort if sort != wanted => Reason::NoFile,
        _ if !entry.is_ours => Reason::Owner,
        Sort::File if entry.has_other_names => Reason::SecondName,
        _ => return Ok(()),
    };
    Err(Untrusted::error(directory, name, reason))
}

impl Directory {
    /// Whether there is something of this name. It must be a file of ours of at most so many bytes.
    pub(in crate::sled) fn has_file(&self, name: &str, most_bytes: u64) -> io::Result<bool> {
        let Some(entry) = self.entry(name)? else { return Ok(false) };
        check(self, name, &entry, Sort::File)?;
        if entry.bytes > most_bytes {
            return Err(Untrusted::error(self, name, Reason::Size));
        }
        Ok(true)
    }

    /// Opens a file of ours.
    pub(in crate::sled) fn file(&self, name: &str, how: How) -> io::Result<File> {
        if how != How::New {
            // A device may do something as soon as it is opened.
            match self.entry(name)? {
                Some(entry) => check(self, name, &entry, Sort::File)?,
                None if how == How::Create => {}
                None => return Err(io::ErrorKind::NotFound.into()),
            }
        }
        let file = self.open_unchecked(name, how)?;
        let opened = entry_of(&file)?;
        check(self, name, &opened, Sort::File)?;
        // Removed meanwhile: a reader looks its row up again.
        if opened.is_removed { Err(io::ErrorKind::NotFound.into()) } else { Ok(file) }
    }

    /// The same, `None` if there is nothing of this name.
    pub(in crate::sled) fn file_if_there(&self, name: &str, how: How) -> io::Result<Option<File>> {
        match self.file(name, how) {
            Ok(file) => Ok(Some(file)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Opens a directory of ours in it. `None` if there is nothing of this name.
    pub(in crate::sled) fn directory(&self, name: &str) -> io::Result<Option<Self>> {
        let Some(entry) = self.entry(name)? else { return Ok(None) };
        check(self, name, &entry, Sort::Directory)?;
        let directory = self.directory_unchecked(name)?;
        check(self, name, &directory.itself()?, Sort::Directory)?;
        Ok(Some(directory))
    }

    /// The same, but that it is created if there is nothing.
    pub(in crate::sled) fn directory_or_new(&self, name: &str) -> io::Result<Self> {
        match self.directory(name)? {
            Some(directory) => {
                directory.make_private()?;
                Ok(directory)
            }
            None => self.create_directory(name),
        }
    }

    /// Refuses what belongs to somebody else.
    pub(in crate::sled) fn refuse_foreign(&self) -> io::Result<()> {
        if self.itself()?.is_ours {
            return Ok(());
        }
        Err(io::Error::other(Untrusted { name: String::new(), reason: Reason::Owner }))
    }

    /// Removes a file if there is one.
    pub(in crate::sled) fn remove_if_there(&self, name: &str) -> io::Result<()> {
        match self.remove_file(name) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            _ => Ok(()),
        }
    }
}
