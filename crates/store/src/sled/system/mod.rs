//! What operating systems do each in their own way: reading and writing at a place, syncing a directory, keeping others
//! out of files, and how much room a disk has. Both sides have the same functions.

#[cfg(unix)]
mod unix;
#[cfg(windows)]
mod windows;

#[cfg(unix)]
pub(super) use unix::*;
#[cfg(windows)]
pub(super) use windows::*;
