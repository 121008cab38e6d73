//! The files of large values: their names, and the ones kept open for readers.

use std::collections::HashMap;
use std::fs::File;
use std::io;
use std::sync::Arc;

use bytes::Bytes;
use parking_lot::RwLock;

use crate::sled::lock::layout::name_of;
use crate::sled::lock::system::{self, Directory, How};
use crate::sled::tree::codec::Pointer;
use crate::sled::values::record::{self, RecordError};

/// So many segments are kept open for reading.
const MOST_OPEN: usize = 64;

/// The directories `segments` (shared files) and `values` (one file per value).
pub(in crate::sled) struct Files {
    segments: Directory,
    values: Directory,
    open: RwLock<HashMap<u64, Arc<File>>>,
}

impl Files {
    pub(in crate::sled) fn new([segments, values]: [Directory; 2]) -> Self {
        Self { segments, values, open: RwLock::default() }
    }

    /// The directory of the one sort or the other.
    pub(in crate::sled) const fn directory(&self, own: bool) -> &Directory {
        if own { &self.values } else { &self.segments }
    }

    /// Creates a file that is not there yet.
    pub(in crate::sled) fn create(&self, number: u64, own: bool) -> io::Result<Arc<File>> {
        let file = self.directory(own).file(&name_of(number), How::New)?;
        system::make_private_file(&file)?;
        Ok(Arc::new(file))
    }

    /// Opens a file for writing.
    pub(in crate::sled) fn open_to_write(&self, number: u64, own: bool) -> io::Result<Arc<File>> {
        self.directory(own).file(&name_of(number), How::Write).map(Arc::new)
    }

    /// Removes a file. Whoever is reading it may go on.
    pub(in crate::sled) fn remove(&self, number: u64, own: bool) -> io::Result<()> {
        self.open.write().remove(&number);
        self.directory(own).remove_file(&name_of(number))
    }

    /// Reads what a row points to.
    pub(in crate::sled) fn read(&self, key: &[u8; 66], pointer: &Pointer) -> Result<Bytes, RecordError> {
        let known = self.open.read().get(&pointer.segment).cloned();
        let file = match known {
            Some(file) => file,
            None => self.open_to_read(pointer.segment)?,
        };
        record::read(&file, key, pointer)
    }

    fn open_to_read(&self, number: u64) -> Result<Arc<File>, RecordError> {
        let not_found = |error: &io::Error| error.kind() == io::ErrorKind::NotFound;
        match self.segments.file(&name_of(number), How::Read) {
            Ok(file) => {
                let file = Arc::new(file);
                let mut open = self.open.write();
                if open.len() >= MOST_OPEN {
                    open.clear();
                }
                open.insert(number, Arc::clone(&file));
                Ok(file)
            }
            Err(error) if not_found(&error) => match self.values.file(&name_of(number), How::Read) {
                Ok(file) => Ok(Arc::new(file)),
                Err(error) if not_found(&error) => Err(RecordError::Damaged),
                Err(_) => Err(RecordError::Io),
            },
            Err(_) => Err(RecordError::Io),
        }
    }
}
