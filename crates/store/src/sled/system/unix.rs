//! Linux and macOS. See the module above.

use std::fs::{DirBuilder, File, OpenOptions, Permissions};
use std::io;
use std::os::unix::fs::{DirBuilderExt, FileExt, OpenOptionsExt, PermissionsExt};
use std::path::Path;

/// Fills `bytes` from a place in a file.
pub(in crate::sled) fn read_exact_at(file: &File, bytes: &mut [u8], offset: u64) -> io::Result<()> {
    file.read_exact_at(bytes, offset)
}

/// Writes all of `bytes` to a place in a file.
pub(in crate::sled) fn write_all_at(file: &File, bytes: &[u8], offset: u64) -> io::Result<()> {
    file.write_all_at(bytes, offset)
}

/// To open a file for reading and writing. What it creates is its owner's alone, but for what the umask takes away:
/// [`make_private_file`] gives that back.
pub(in crate::sled) fn private_file() -> OpenOptions {
    let mut options = OpenOptions::new();
    options.read(true).write(true).mode(0o600);
    options
}

/// Makes a file its owner's alone, whatever the umask was.
pub(in crate::sled) fn make_private_file(file: &File) -> io::Result<()> {
    file.set_permissions(Permissions::from_mode(0o600))
}

/// The same for a file that need not be opened.
pub(in crate::sled) fn make_private_file_at(path: &Path) -> io::Result<()> {
    std::fs::set_permissions(path, Permissions::from_mode(0o600))
}

/// Creates a directory that is its owner's alone.
pub(in crate::sled) fn create_private_directory(path: &Path) -> io::Result<()> {
    DirBuilder::new().mode(0o700).create(path)
}

/// Makes a directory its owner's alone, whatever the umask was.
pub(in crate::sled) fn make_private_directory(path: &Path) -> io::Result<()> {
    std::fs::set_permissions(path, Permissions::from_mode(0o700))
}

/// Syncs a directory: the names in it.
pub(in crate::sled) fn sync_directory(path: &Path) -> io::Result<()> {
    File::open(path)?.sync_all()
}

/// The bytes free for us on the disk of a directory. `None` if that cannot be known.
pub(in crate::sled) fn free_bytes(directory: &Path) -> Option<u64> {
    let disk = rustix::fs::statvfs(directory).ok()?;
    disk.f_bavail.checked_mul(disk.f_frsize)
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
