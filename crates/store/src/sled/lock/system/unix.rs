//! Linux and macOS. See the module above.

use std::ffi::{OsStr, OsString};
use std::fs::{DirBuilder, File, Permissions};
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{DirBuilderExt, FileExt, MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};

use rustix::fs::{AtFlags, Dir, FileType, Mode, OFlags, Stat, chmodat, mkdirat, openat, renameat, statat, unlinkat};
use rustix::io::Errno;
use rustix::process::geteuid;

use super::{Entry, How, Sort};

/// Fills `bytes` from a place in a file.
pub(in crate::sled) fn read_exact_at(file: &File, bytes: &mut [u8], offset: u64) -> io::Result<()> {
    file.read_exact_at(bytes, offset)
}

/// Writes all of `bytes` to a place in a file.
pub(in crate::sled) fn write_all_at(file: &File, bytes: &[u8], offset: u64) -> io::Result<()> {
    file.write_all_at(bytes, offset)
}

/// Makes a file its owner's alone, whatever the umask was.
pub(in crate::sled) fn make_private_file(file: &File) -> io::Result<()> {
    file.set_permissions(Permissions::from_mode(0o600))
}

/// Whether a file that is open still has a name.
pub(in crate::sled) fn has_name(file: &File) -> bool {
    rustix::fs::fstat(file).is_ok_and(|found| found.st_nlink != 0)
}

/// What a file that is open is.
pub(in crate::sled) fn entry_of(file: &File) -> io::Result<Entry> {
    Ok(entry(&rustix::fs::fstat(file)?))
}

fn entry(found: &Stat) -> Entry {
    let sort = match FileType::from_raw_mode(found.st_mode) {
        FileType::RegularFile => Sort::File,
        FileType::Directory => Sort::Directory,
        FileType::Symlink => Sort::Link,
        _ => Sort::Other,
    };
    Entry {
        sort,
        is_ours: found.st_uid == geteuid().as_raw(),
        has_other_names: found.st_nlink > 1,
        is_removed: found.st_nlink == 0,
        bytes: u64::try_from(found.st_size).unwrap_or(u64::MAX),
    }
}

/// A directory that was opened once. Names in it are looked up in what was opened, whatever becomes of its path, and
/// are never followed when they are links.
pub(in crate::sled) struct Directory {
    file: File,
    path: PathBuf,
    /// What stands before the names in it when they are told.
    label: String,
}

const DIRECTORY: OFlags = OFlags::DIRECTORY.union(OFlags::NOFOLLOW).union(OFlags::CLOEXEC);

impl Directory {
    /// Opens a directory that is there.
    pub(in crate::sled) fn open(path: &Path) -> io::Result<Self> {
        // Without a slash at the end, which would have a link followed.
        let path: PathBuf = path.components().collect();
        let file = rustix::fs::open(&path, DIRECTORY, Mode::empty())?;
        Ok(Self { file: file.into(), path, label: String::new() })
    }

    /// Creates a directory that is its owner's alone, whatever the umask is.
    pub(in crate::sled) fn create(path: &Path) -> io::Result<Self> {
        DirBuilder::new().mode(0o700).create(path)?;
        let directory = match Self::open(path) {
            // The umask takes away what its owner may do, too.
            Err(error) if error.kind() == io::ErrorKind::PermissionDenied => {
                std::fs::set_permissions(path, Permissions::from_mode(0o700))?;
                Self::open(path)?
            }
            opened => opened?,
        };
        directory.make_private()?;
        Ok(directory)
    }

    /// Where it was when it was opened.
    pub(in crate::sled) fn path(&self) -> &Path {
        &self.path
    }

    /// What messages call something in it.
    pub(in crate::sled) fn label(&self, name: &str) -> String {
        format!("{}{name}", self.label)
    }

    /// What it is itself.
    pub(in crate::sled) fn itself(&self) -> io::Result<Entry> {
        entry_of(&self.file)
    }

    /// Whether its path still leads to it.
    pub(in crate::sled) fn is_at_its_path(&self) -> bool {
        let identity = |file: &File| file.metadata().map(|found| (found.dev(), found.ino()));
        let there = Self::open(&self.path).and_then(|there| identity(&there.file));
        matches!((there, identity(&self.file)), (Ok(there), Ok(here)) if there == here)
    }

    /// What there is of this name. Nothing is opened.
    pub(in crate::sled) fn entry(&self, name: &str) -> io::Result<Option<Entry>> {
        match statat(&self.file, name, AtFlags::SYMLINK_NOFOLLOW) {
            Ok(found) => Ok(Some(entry(&found))),
            Err(Errno::NOENT) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    /// All names in it.
    pub(in crate::sled) fn names(&self) -> io::Result<Vec<OsString>> {
        let mut names = Vec::new();
        for entry in Dir::read_from(&self.file)? {
            let entry = entry?;
            let name = entry.file_name().to_bytes();
            if name != b"." && name != b".." {
                names.push(OsStr::from_bytes(name).to_owned());
            }
        }
        Ok(names)
    }

    /// Opens what is there, or creates a file for its owner alone; nothing is waited for. Whether it is what it should
    /// be is for the caller to look at.
    pub(in crate::sled) fn open_unchecked(&self, name: &str, how: How) -> io::Result<File> {
        let how = match how {
            How::Read => OFlags::RDONLY,
            How::Write => OFlags::RDWR,
            How::Create => OFlags::RDWR | OFlags::CREATE,
            How::New => OFlags::RDWR | OFlags::CREATE | OFlags::EXCL,
        };
        let flags = how | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC;
        Ok(openat(&self.file, name, flags, Mode::RUSR | Mode::WUSR)?.into())
    }

    /// Opens a directory in it. Whether it is ours is for the caller to look at.
    pub(in crate::sled) fn directory_unchecked(&self, name: &str) -> io::Result<Self> {
        let file = openat(&self.file, name, DIRECTORY, Mode::empty())?.into();
        Ok(Self { file, path: self.path.join(name), label: format!("{}{name}/", self.label) })
    }

    /// Creates a directory in it that is its owner's alone, whatever the umask is.
    pub(in crate::sled) fn create_directory(&self, name: &str) -> io::Result<Self> {
        mkdirat(&self.file, name, Mode::RWXU)?;
        let directory = match self.directory_unchecked(name) {
            Err(error) if error.kind() == io::ErrorKind::PermissionDenied => {
                chmodat(&self.file, name, Mode::RWXU, AtFlags::empty())?;
                self.directory_unchecked(name)?
            }
            opened => opened?,
        };
        directory.make_private()?;
        Ok(directory)
    }

    /// Gives what is in it another name, in the place of what had that.
    pub(in crate::sled) fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        Ok(renameat(&self.file, from, &self.file, to)?)
    }

    /// Removes the name of a file.
    pub(in crate::sled) fn remove_file(&self, name: &str) -> io::Result<()> {
        Ok(unlinkat(&self.file, name, AtFlags::empty())?)
    }

    /// Removes a directory in it that is empty.
    pub(in crate::sled) fn remove_directory(&self, name: &str) -> io::Result<()> {
        Ok(unlinkat(&self.file, name, AtFlags::REMOVEDIR)?)
    }

    /// Makes it its owner's alone, whatever the umask was.
    pub(in crate::sled) fn make_private(&self) -> io::Result<()> {
        self.file.set_permissions(Permissions::from_mode(0o700))
    }

    /// Syncs the names in it.
    pub(in crate::sled) fn sync(&self) -> io::Result<()> {
        self.file.sync_all()
    }

    /// The bytes free for us on its disk. `None` if that cannot be known.
    pub(in crate::sled) fn free_bytes(&self) -> Option<u64> {
        let disk = rustix::fs::fstatvfs(&self.file).ok()?;
        disk.f_bavail.checked_mul(disk.f_frsize)
    }
}

/// Syncs the names in a directory.
pub(in crate::sled) fn sync_directory(path: &Path) -> io::Result<()> {
    File::open(path)?.sync_all()
}

/// Gives the space of a part of a file back, where that can be done: it reads as zeros afterwards.
#[cfg(target_os = "linux")]
pub(in crate::sled) fn punch(file: &File, offset: u64, length: u64) {
    use rustix::fs::{FallocateFlags, fallocate};
    // Not every file system can.
    let _ = fallocate(file, FallocateFlags::PUNCH_HOLE | FallocateFlags::KEEP_SIZE, offset, length);
}

/// Nothing: the space comes back when the file is removed.
#[cfg(not(target_os = "linux"))]
pub(in crate::sled) fn punch(_file: &File, _offset: u64, _length: u64) {}

/// Turns reading ahead off for a file, where that can be done: so that its pages stay single in the cache of the system.
#[cfg(target_os = "linux")]
pub(in crate::sled) fn read_page_by_page(file: &File) {
    // It only makes writing faster.
    let _ = rustix::fs::fadvise(file, 0, None, rustix::fs::Advice::Random);
}

/// Nothing.
#[cfg(not(target_os = "linux"))]
pub(in crate::sled) fn read_page_by_page(_file: &File) {}
