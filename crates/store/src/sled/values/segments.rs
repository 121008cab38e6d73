//! Where large values are written and freed. Only the committer uses it. A value is written before the batch of the row
//! that points to it, and freed after the batch that drops the row is synced; the rows about segments travel in the
//! same batches, so that opening knows without a scan what was never committed.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::sled::lock::layout::number_of;
use crate::sled::lock::system::punch;
use crate::sled::tree::codec::{Pointer, Segment, encode_segment, segment_key};
use crate::sled::values::files::Files;
use crate::sled::values::record::{self, HEADER_BYTES};
use crate::sled::wal::batch::Batch;

/// A shared segment that has reached this length gets no more records.
const SEGMENT_BYTES: u64 = 64 * 1024 * 1024;

/// A value above this length gets a file of its own.
pub(in crate::sled) const OWN_FILE_BYTES: usize = 4 * 1024 * 1024;

/// The segment that records are appended to.
#[derive(Clone)]
struct Active {
    number: u64,
    file: Arc<File>,
}

/// See the module.
pub(in crate::sled) struct Segments {
    files: Arc<Files>,
    /// The number of the next file, shared with those who write files of their own.
    next: Arc<AtomicU64>,
    table: BTreeMap<u64, Segment>,
    active: Option<Active>,
    /// Segments whose rows are not yet in a batch.
    changed: BTreeSet<u64>,
    unsynced: Vec<Arc<File>>,
    is_directory_unsynced: bool,
    /// Records without a row since batches that are not yet synced.
    freed: Vec<Pointer>,
    /// Files without a live record since such batches.
    emptied: Vec<(u64, bool)>,
}

impl Segments {
    /// Takes over what is there. `table` is what the rows say.
    pub(in crate::sled) fn new(
        files: Arc<Files>,
        table: BTreeMap<u64, Segment>,
        next: Arc<AtomicU64>,
    ) -> io::Result<Self> {
        let last = table.iter().rev().find(|(_, segment)| !segment.own && segment.end < SEGMENT_BYTES);
        let active = match last {
            Some((&number, _)) => Some(Active { number, file: files.open_to_write(number, false)? }),
            None => None,
        };
        Ok(Self {
            files,
            next,
            table,
            active,
            changed: BTreeSet::new(),
            unsynced: Vec::new(),
            is_directory_unsynced: false,
            freed: Vec::new(),
            emptied: Vec::new(),
        })
    }

    /// The number the next file will have.
    pub(in crate::sled) fn next_number(&self) -> u64 {
        self.next.load(Ordering::Acquire)
    }

    /// Appends a value to the shared segment.
    pub(in crate::sled) fn append(&mut self, key: &[u8; 66], digest: [u8; 32], value: &[u8]) -> io::Result<Pointer> {
        let active = self.active_segment()?;
        let segment = self.table.get_mut(&active.number).ok_or(io::ErrorKind::NotFound)?;
        let offset = segment.end;
        let length = value.len() as u64;
        record::write(&active.file, offset, key, &digest, value)?;
        segment.end = offset.saturating_add(HEADER_BYTES).saturating_add(length);
        segment.live_bytes = segment.live_bytes.saturating_add(HEADER_BYTES.saturating_add(length));
        segment.live_records = segment.live_records.saturating_add(1);
        self.changed.insert(active.number);
        if !self.unsynced.iter().any(|file| Arc::ptr_eq(file, &active.file)) {
            self.unsynced.push(active.file);
        }
        Ok(Pointer { segment: active.number, offset, length, digest })
    }

    fn active_segment(&mut self) -> io::Result<Active> {
        if let Some(active) = &self.active {
            let segment = self.table.get(&active.number).copied();
            if segment.is_some_and(|segment| segment.end < SEGMENT_BYTES) {
                return Ok(active.clone());
            }
            let number = active.number;
            self.active = None;
            self.drop_if_empty(number);
        }
        let number = self.next.fetch_add(1, Ordering::AcqRel);
        let file = self.files.create(number, false)?;
        self.is_directory_unsynced = true;
        self.table.insert(number, Segment { own: false, end: 0, live_bytes: 0, live_records: 0 });
        self.changed.insert(number);
        let active = Active { number, file };
        self.active = Some(active.clone());
        Ok(active)
    }

    /// Whether the file is counted already.
    pub(in crate::sled) fn knows(&self, number: u64) -> bool {
        self.table.contains_key(&number)
    }

    /// Counts a value that was written to a file of its own.
    pub(in crate::sled) fn adopt(&mut self, pointer: &Pointer) {
        let end = HEADER_BYTES.saturating_add(pointer.length);
        self.table.insert(pointer.segment, Segment { own: true, end, live_bytes: end, live_records: 1 });
        self.changed.insert(pointer.segment);
    }

    /// Notes that no row points to a record any more, once the batch at hand is applied.
    pub(in crate::sled) fn free(&mut self, pointer: Pointer) {
        let Some(segment) = self.table.get_mut(&pointer.segment) else { return };
        let bytes = HEADER_BYTES.saturating_add(pointer.length);
        segment.live_bytes = segment.live_bytes.saturating_sub(bytes);
        segment.live_records = segment.live_records.saturating_sub(1);
        self.changed.insert(pointer.segment);
        self.freed.push(pointer);
        if self.active.as_ref().is_none_or(|active| active.number != pointer.segment) {
            self.drop_if_empty(pointer.segment);
        }
    }

    fn drop_if_empty(&mut self, number: u64) {
        if self.table.get(&number).is_some_and(|segment| segment.live_records == 0) {
            if let Some(segment) = self.table.remove(&number) {
                self.emptied.push((number, segment.own));
            }
            self.changed.insert(number);
        }
    }

    /// Makes everything appended durable. Must come before the batch whose rows point to it.
    pub(in crate::sled) fn sync(&mut self) -> io::Result<()> {
        if self.is_directory_unsynced {
            self.files.directory(false).sync()?;
            self.is_directory_unsynced = false;
        }
        for file in self.unsynced.drain(..) {
            file.sync_data()?;
        }
        Ok(())
    }

    /// Adds the rows of what has changed to a batch.
    pub(in crate::sled) fn write_rows(&mut self, batch: &mut Batch) {
        for number in std::mem::take(&mut self.changed) {
            match self.table.get(&number) {
                Some(segment) => batch.insert(&segment_key(number), encode_segment(segment)),
                None => batch.remove(&segment_key(number)),
            }
        }
    }

    /// Gives back the space of what was freed. Must come after the freeing batch is synced. What fails here is lost
    /// space, found again when its segment empties or the store is opened.
    pub(in crate::sled) fn reclaim(&mut self) {
        let emptied = std::mem::take(&mut self.emptied);
        for pointer in std::mem::take(&mut self.freed) {
            if !emptied.iter().any(|(number, _)| *number == pointer.segment) {
                self.punch(&pointer);
            }
        }
        for (number, own) in emptied {
            let _ = self.files.remove(number, own);
        }
    }

    fn punch(&self, pointer: &Pointer) {
        let file = match &self.active {
            Some(active) if active.number == pointer.segment => Ok(Arc::clone(&active.file)),
            _ => self.files.open_to_write(pointer.segment, false),
        };
        if let Ok(file) = file {
            punch(&file, pointer.offset, HEADER_BYTES.saturating_add(pointer.length));
        }
    }
}

/// What was found in the directories of large values.
pub(in crate::sled) struct Recovered {
    /// What is missing.
    pub(in crate::sled) problems: Vec<String>,
    /// A number that is greater than those of all files.
    pub(in crate::sled) next: u64,
}

/// Brings the files in line with what the rows say: what was never committed goes, if `may_repair`. Otherwise it stays.
/// Names that we do not give are nothing to us.
pub(in crate::sled) fn recover(
    files: &Files,
    table: &BTreeMap<u64, Segment>,
    may_repair: bool,
) -> io::Result<Recovered> {
    let mut recovered = Recovered { problems: Vec::new(), next: 0 };
    for own in [false, true] {
        for name in files.directory(own).names()? {
            let Some(number) = name.to_str().and_then(number_of) else { continue };
            let is_known = table.get(&number).is_some_and(|segment| segment.own == own);
            if may_repair && !is_known {
                files.remove(number, own)?;
            } else {
                recovered.next = recovered.next.max(number.saturating_add(1));
            }
        }
    }
    for (&number, segment) in table {
        match files.open_to_write(number, segment.own) {
            Ok(file) => {
                let length = file.metadata()?.len();
                if length < segment.end {
                    recovered.problems.push("a file of large values is shorter than it was".to_owned());
                } else if length > segment.end && may_repair {
                    file.set_len(segment.end)?;
                }
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                recovered.problems.push("a file of large values is missing".to_owned());
            }
            Err(error) => return Err(error),
        }
    }
    Ok(recovered)
}
