//! The two files of the log. Their bytes are written before they are used, so that syncing a frame writes no metadata of the file system,
//! and so that a frame cannot meet a full disk.

use std::fs::File;
use std::io::{self, Read};
use std::sync::Arc;

use crate::sled::lock::layout::{MOST_WAL_BYTES, WAL};
use crate::sled::lock::system::{self, Directory, How, make_private_file, read_page_by_page};

/// The length of a file in a store that was just opened.
const FIRST_BYTES: u64 = 128 * 1024;
/// Files grow up to this length by doubling; beyond it only for a frame that needs it.
const USUAL_BYTES: u64 = 16 * 1024 * 1024;
/// The bytes that are written at once while a file grows: a page. Linux keeps what is written at once as one piece in its cache, and writes
/// all of a piece to the disk when a byte of it has changed.
const PIECE_BYTES: u64 = 4 * 1024;

/// Why a file could not grow.
pub(super) enum GrowError {
    /// Its bytes could not be written; it is as long as before.
    Write(io::Error),
    /// A sync failed: what the disk holds of earlier frames is unknown from here on.
    Sync,
}

/// One of the files.
pub(super) struct LogFile {
    file: Arc<File>,
    capacity: u64,
    /// What the last sync made durable.
    #[cfg(test)]
    durable: std::cell::RefCell<Option<Vec<u8>>>,
}

impl LogFile {
    /// Opens the files durably, and creates those that do not exist.
    /// `is_first`: the store has had no log so far, so that frames in them are of another store.
    pub(super) fn open_all(store: &Directory, is_first: bool) -> io::Result<[Self; 2]> {
        let [first, second] = WAL;
        let files = [Self::open(store, first, is_first)?, Self::open(store, second, is_first)?];
        store.sync()?;
        Ok(files)
    }

    fn open(store: &Directory, name: &str, is_first: bool) -> io::Result<Self> {
        store.has_file(name, MOST_WAL_BYTES)?;
        let file = store.file(name, How::Create)?;
        make_private_file(&file)?;
        if is_first {
            file.set_len(0)?;
        }
        // Nor may reading it put larger pieces into the cache.
        read_page_by_page(&file);
        let capacity = file.metadata()?.len();
        let mut file = Self {
            file: Arc::new(file),
            capacity,
            #[cfg(test)]
            durable: Default::default(),
        };
        if capacity < FIRST_BYTES {
            file.write_zeros(FIRST_BYTES)?;
        }
        // What a killed process has written is read back before it is on the disk.
        file.sync_all()?;
        Ok(file)
    }

    /// Writes again what was read, durably. After a failed sync, Linux takes for written what may only be in its cache.
    pub(super) fn write_again(&self, bytes: &[u8]) -> io::Result<()> {
        for (number, piece) in bytes.chunks(PIECE_BYTES as usize).enumerate() {
            self.write(piece, number as u64 * PIECE_BYTES)?;
        }
        self.sync_all()
    }

    pub(super) fn read(&self) -> io::Result<Vec<u8>> {
        let mut bytes = Vec::new();
        self.file.as_ref().take(MOST_WAL_BYTES).read_to_end(&mut bytes)?;
        Ok(bytes)
    }

    pub(super) const fn capacity(&self) -> u64 {
        self.capacity
    }

    pub(super) fn write(&self, bytes: &[u8], offset: u64) -> io::Result<()> {
        system::write_all_at(&self.file, bytes, offset)
    }

    pub(super) fn sync(&self) -> io::Result<()> {
        #[cfg(test)]
        self.note_sync();
        self.file.sync_data()
    }

    fn sync_all(&self) -> io::Result<()> {
        #[cfg(test)]
        self.note_sync();
        self.file.sync_all()
    }

    #[cfg(test)]
    fn note_sync(&self) {
        let mut bytes = vec![0; self.file.metadata().unwrap().len() as usize];
        system::read_exact_at(&self.file, &mut bytes, 0).unwrap();
        *self.durable.borrow_mut() = Some(bytes);
    }

    #[cfg(test)]
    pub(super) fn durable(&self) -> Option<Vec<u8>> {
        self.durable.borrow().clone()
    }

    pub(super) fn file(&self) -> Arc<File> {
        Arc::clone(&self.file)
    }

    /// Returns the length that the file should grow to so that it holds `wanted` bytes. `None` if it should not.
    pub(super) fn next_capacity(&self, wanted: u64) -> Option<u64> {
        let next = self.capacity.saturating_mul(2).max(wanted);
        (self.capacity < USUAL_BYTES).then_some(next.min(USUAL_BYTES)).filter(|next| *next >= wanted)
    }

    /// Grows the file durably.
    pub(super) fn grow(&mut self, capacity: u64) -> Result<(), GrowError> {
        if capacity > MOST_WAL_BYTES {
            return Err(GrowError::Write(io::ErrorKind::StorageFull.into()));
        }
        let before = self.capacity;
        if let Err(error) = self.write_zeros(capacity) {
            self.capacity = before;
            // If this fails too, the file is longer than needed.
            let _ = self.file.set_len(before);
            return Err(GrowError::Write(error));
        }
        self.sync_all().map_err(|_| GrowError::Sync)
    }

    fn write_zeros(&mut self, capacity: u64) -> io::Result<()> {
        let zeros = vec![0; usize::try_from(PIECE_BYTES.min(capacity)).unwrap_or_default()];
        let mut at = self.capacity;
        while at < capacity {
            let piece = zeros.get(..usize::try_from(capacity - at).unwrap_or(usize::MAX)).unwrap_or(&zeros);
            self.write(piece, at)?;
            at = at.saturating_add(piece.len() as u64);
        }
        self.capacity = capacity;
        Ok(())
    }

    /// Gives the space back. Only for a file whose frames are all in tables.
    pub(super) fn shrink(&mut self) {
        // It is only space that is lost if this fails.
        if self.capacity > FIRST_BYTES && self.file.set_len(FIRST_BYTES).is_ok() {
            self.capacity = FIRST_BYTES;
        }
    }
}
