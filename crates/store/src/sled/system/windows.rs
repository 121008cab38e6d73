//! Windows. See the module above.
//!
//! It has no modes: who may read a file is inherited from the directory that the store lies in.

use std::fs::{File, OpenOptions};
use std::io;
use std::os::windows::fs::{FileExt, OpenOptionsExt};
use std::path::Path;

/// Without it a directory cannot be opened.
const FILE_FLAG_BACKUP_SEMANTICS: u32 = 0x0200_0000;

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

/// To open a file for reading and writing.
pub(in crate::sled) fn private_file() -> OpenOptions {
    let mut options = OpenOptions::new();
    options.read(true).write(true);
    options
}

/// Nothing, see the module.
pub(in crate::sled) fn make_private_file(_file: &File) -> io::Result<()> {
    Ok(())
}

/// Nothing but to find out whether the file is there, as on other systems.
pub(in crate::sled) fn make_private_file_at(path: &Path) -> io::Result<()> {
    std::fs::symlink_metadata(path).map(drop)
}

/// Creates a directory.
pub(in crate::sled) fn create_private_directory(path: &Path) -> io::Result<()> {
    std::fs::create_dir(path)
}

/// Nothing, see the module.
pub(in crate::sled) fn make_private_directory(_path: &Path) -> io::Result<()> {
    Ok(())
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

/// The bytes free for us on the disk of a directory. `None` if that cannot be known.
pub(in crate::sled) fn free_bytes(directory: &Path) -> Option<u64> {
    fs2::available_space(directory).ok()
}

/// Nothing: the space comes back when the file is removed.
pub(in crate::sled) fn punch(_file: &File, _offset: u64, _length: u64) {}
