//! The files of large values: their names, and the ones kept open for readers.

use std::collections::HashMap;
use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use bytes::Bytes;
use parking_lot::RwLock;

use super::entry::Pointer;
use super::records::{self, RecordError};
use super::system;

/// So many segments are kept open for reading.
const MOST_OPEN: usize = 64;

/// The directories `segments` (shared files) and `values` (one file per value).
pub(super) struct Files {
    segments: PathBuf,
    values: PathBuf,
    open: RwLock<HashMap<u64, Arc<File>>>,
}

impl Files {
    pub(super) fn new(store: &Path) -> Self {
        Self { segments: store.join("segments"), values: store.join("values"), open: RwLock::default() }
    }

    /// The directory of the one sort or the other.
    pub(super) fn directory(&self, own: bool) -> &Path {
        if own { &self.values } else { &self.segments }
    }

    /// The path of a file.
    pub(super) fn path(&self, number: u64, own: bool) -> PathBuf {
        self.directory(own).join(format!("{number:016x}"))
    }

    /// Creates a file that is not there yet.
    pub(super) fn create(&self, number: u64, own: bool) -> io::Result<Arc<File>> {
        let path = self.path(number, own);
        let file = system::private_file().create_new(true).open(path)?;
        system::make_private_file(&file)?;
        Ok(Arc::new(file))
    }

    /// Opens a file for writing.
    pub(super) fn open_to_write(&self, number: u64, own: bool) -> io::Result<Arc<File>> {
        system::private_file().open(self.path(number, own)).map(Arc::new)
    }

    /// Removes a file. Whoever is reading it may go on.
    pub(super) fn remove(&self, number: u64, own: bool) -> io::Result<()> {
        self.open.write().remove(&number);
        std::fs::remove_file(self.path(number, own))
    }

    /// Reads what a row points to.
    pub(super) fn read(&self, key: &[u8; 66], pointer: &Pointer) -> Result<Bytes, RecordError> {
        let known = self.open.read().get(&pointer.segment).cloned();
        let file = match known {
            Some(file) => file,
            None => self.open_to_read(pointer.segment)?,
        };
        records::read(&file, key, pointer)
    }

    fn open_to_read(&self, number: u64) -> Result<Arc<File>, RecordError> {
        let not_found = |error: &io::Error| error.kind() == io::ErrorKind::NotFound;
        match File::open(self.path(number, false)) {
            Ok(file) => {
                let file = Arc::new(file);
                let mut open = self.open.write();
                if open.len() >= MOST_OPEN {
                    open.clear();
                }
                open.insert(number, Arc::clone(&file));
                Ok(file)
            }
            Err(error) if not_found(&error) => match File::open(self.path(number, true)) {
                Ok(file) => Ok(Arc::new(file)),
                Err(error) if not_found(&error) => Err(RecordError::Damaged),
                Err(_) => Err(RecordError::Io),
            },
            Err(_) => Err(RecordError::Io),
        }
    }
}
