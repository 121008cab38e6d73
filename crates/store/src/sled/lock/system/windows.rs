//! Windows. See the module above.
//!
//! It has no modes: who may read a file is inherited from the directory that the store lies in.

use std::ffi::OsString;
use std::fs::{File, Metadata, OpenOptions};
use std::io;
use std::os::windows::fs::{FileExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use super::{Entry, How, Sort};

/// Without it a directory cannot be opened.
const FILE_FLAG_BACKUP_SEMANTICS: u32 = 0x0200_0000;
/// Opens a link itself, and not what it names.
const FILE_FLAG_OPEN_REPARSE_POINT: u32 = 0x0020_0000;

/// Fills `bytes` from a place in a file.
pub(in crate::sled) fn read_exact_at(file: &File, mut bytes: &mut [u8], mut offset: u64) -> io::Result<()> {
    while !bytes.is_empty() {
        match file.seek_read(bytes, offset) {
            Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
            Ok(read) => {
                bytes = bytes.get_mut(read..).unwrap_or_default();
                offset = offset.saturating_add(read as u64);
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

/// Writes all of `bytes` to a place in a file.
pub(in crate::sled) fn write_all_at(file: &File, mut bytes: &[u8], mut offset: u64) -> io::Result<()> {
    while !bytes.is_empty() {
        match file.seek_write(bytes, offset) {
            Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
            Ok(written) => {
                bytes = bytes.get(written..).unwrap_or_default();
                offset = offset.saturating_add(written as u64);
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

/// Nothing, see the module.
pub(in crate::sled) fn make_private_file(_file: &File) -> io::Result<()> {
    Ok(())
}

/// Yes: what is open here keeps its name.
pub(in crate::sled) fn has_name(_file: &File) -> bool {
    true
}

/// What a file that is open is.
pub(in crate::sled) fn entry_of(file: &File) -> io::Result<Entry> {
    Ok(entry(&file.metadata()?))
}

/// Owners and further names are not looked at: who may write into the directory is inherited from the one above.
fn entry(found: &Metadata) -> Entry {
    let sort = match found.file_type() {
        // Junctions too.
        sort if sort.is_symlink() => Sort::Link,
        sort if sort.is_dir() => Sort::Directory,
        sort if sort.is_file() => Sort::File,
        _ => Sort::Other,
    };
    Entry { sort, is_ours: true, has_other_names: false, is_removed: false, bytes: found.len() }
}

/// A directory by its path: while a file in it is open, nobody exchanges it.
pub(in crate::sled) struct Directory {
    path: PathBuf,
    /// What stands before the names in it when they are told.
    label: String,
}

impl Directory {
    /// Opens a directory that is there.
    pub(in crate::sled) fn open(path: &Path) -> io::Result<Self> {
        let directory = Self { path: path.components().collect(), label: String::new() };
        match directory.itself()?.sort {
            Sort::Directory => Ok(directory),
            _ => Err(io::ErrorKind::NotADirectory.into()),
        }
    }

    /// Creates a directory.
    pub(in crate::sled) fn create(path: &Path) -> io::Result<Self> {
        std::fs::create_dir(path)?;
        Self::open(path)
    }

    /// Where it is.
    pub(in crate::sled) fn path(&self) -> &Path {
        &self.path
    }

    /// What messages call something in it.
    pub(in crate::sled) fn label(&self, name: &str) -> String {
        format!("{}{name}", self.label)
    }

    /// What it is itself.
    pub(in crate::sled) fn itself(&self) -> io::Result<Entry> {
        Ok(entry(&std::fs::symlink_metadata(&self.path)?))
    }

    /// Whether its path still leads to a directory.
    pub(in crate::sled) fn is_at_its_path(&self) -> bool {
        Self::open(&self.path).is_ok()
    }

    /// What there is of this name. Nothing is opened.
    pub(in crate::sled) fn entry(&self, name: &str) -> io::Result<Option<Entry>> {
        match std::fs::symlink_metadata(self.path.join(name)) {
            Ok(found) => Ok(Some(entry(&found))),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// All names in it.
    pub(in crate::sled) fn names(&self) -> io::Result<Vec<OsString>> {
        std::fs::read_dir(&self.path)?.map(|entry| entry.map(|entry| entry.file_name())).collect()
    }

    /// Opens what is there, or creates a file. Whether it is what it should be is for the caller to look at.
    pub(in crate::sled) fn open_unchecked(&self, name: &str, how: How) -> io::Result<File> {
        let mut options = OpenOptions::new();
        options.read(true).write(how != How::Read).create(how == How::Create).create_new(how == How::New);
        options.custom_flags(FILE_FLAG_OPEN_REPARSE_POINT).open(self.path.join(name))
    }

    /// Opens a directory in it.
    pub(in crate::sled) fn directory_unchecked(&self, name: &str) -> io::Result<Self> {
        let directory = Self::open(&self.path.join(name))?;
        Ok(Self { label: format!("{}{name}/", self.label), ..directory })
    }

    /// Creates a directory in it.
    pub(in crate::sled) fn create_directory(&self, name: &str) -> io::Result<Self> {
        std::fs::create_dir(self.path.join(name))?;
        self.directory_unchecked(name)
    }

    /// Gives what is in it another name, in the place of what had that.
    pub(in crate::sled) fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        std::fs::rename(self.path.join(from), self.path.join(to))
    }

    /// Removes the name of a file.
    pub(in crate::sled) fn remove_file(&self, name: &str) -> io::Result<()> {
        std::fs::remove_file(self.path.join(name))
    }

    /// Removes a directory in it that is empty.
    pub(in crate::sled) fn remove_directory(&self, name: &str) -> io::Result<()> {
        std::fs::remove_dir(self.path.join(name))
    }

    /// Nothing, see the module.
    pub(in crate::sled) fn make_private(&self) -> io::Result<()> {
        Ok(())
    }

    /// Syncs the names in it.
    pub(in crate::sled) fn sync(&self) -> io::Result<()> {
        sync_directory(&self.path)
    }

    /// The bytes free for us on its disk. `None` if that cannot be known.
    pub(in crate::sled) fn free_bytes(&self) -> Option<u64> {
        fs2::available_space(&self.path).ok()
    }
}

/// Syncs a directory: the names in it. NTFS keeps names in a journal that every sync of a file writes up to that point,
/// so a system that cannot sync a directory by itself is no error.
pub(in crate::sled) fn sync_directory(path: &Path) -> io::Result<()> {
    let directory = OpenOptions::new().write(true).custom_flags(FILE_FLAG_BACKUP_SEMANTICS).open(path);
    match directory.and_then(|directory| directory.sync_all()) {
        Err(error) if !is_refusal(&error) => Err(error),
        _ => Ok(()),
    }
}

/// Whether a system or a file system says that it does not sync directories, in the words of different ones.
fn is_refusal(error: &io::Error) -> bool {
    const ERROR_INVALID_FUNCTION: i32 = 1;
    const ERROR_INVALID_HANDLE: i32 = 6;
    const ERROR_NOT_SUPPORTED: i32 = 50;
    error.kind() == io::ErrorKind::PermissionDenied
        || matches!(error.raw_os_error(), Some(ERROR_INVALID_FUNCTION | ERROR_INVALID_HANDLE | ERROR_NOT_SUPPORTED))
}

/// Nothing: the space comes back when the file is removed.
pub(in crate::sled) fn punch(_file: &File, _offset: u64, _length: u64) {}

/// Nothing: it is about the cache of Linux.
pub(in crate::sled) fn read_page_by_page(_file: &File) {}
