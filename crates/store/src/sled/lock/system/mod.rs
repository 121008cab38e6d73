//! What operating systems do each in their own way: a directory that is opened once, reading and writing at a place,
//! keeping others out of files, and how much room a disk has. Both sides have the same functions.

#[cfg(unix)]
mod unix;
#[cfg(windows)]
mod windows;

#[cfg(unix)]
pub(in crate::sled) use unix::*;
#[cfg(windows)]
pub(in crate::sled) use windows::*;

/// What stands behind a name.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(in crate::sled) enum Sort {
    File,
    Directory,
    Link,
    /// A device, a pipe, a socket.
    Other,
}

/// What is known of a name before it is opened.
pub(in crate::sled) struct Entry {
    pub(in crate::sled) sort: Sort,
    /// Whether it belongs to the user this process runs as.
    pub(in crate::sled) is_ours: bool,
    /// Whether another name leads to it, too. Means nothing of a directory.
    pub(in crate::sled) has_other_names: bool,
    /// Whether no name leads to it any more.
    pub(in crate::sled) is_removed: bool,
    pub(in crate::sled) bytes: u64,
}

/// How a file is opened.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(in crate::sled) enum How {
    /// It must be there.
    Read,
    /// It must be there, for reading too.
    Write,
    /// The same, but that it is created if it is not.
    Create,
    /// It must not be there yet.
    New,
}
