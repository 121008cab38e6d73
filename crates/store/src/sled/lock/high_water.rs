//! The high-water mark: a version that log and tables are known to have on the disk, kept beside them. The log takes damage at the
//! end of it for a write that a crash has cut off, and drops it without a word; a tree behind the mark has lost
//! what was acknowledged.
//!
//! ```text
//! 0   version    u64be
//! 8   checksum   16 bytes  the first of BLAKE3 over the version
//! ```
//! Written in place, within one sector, after a sync of the tree: so it is never ahead. A mark that does not verify says
//! nothing.

use std::fs::File;
use std::io;
use std::time::{Duration, Instant};

use crate::sled::lock::layout::HIGH_WATER;
use crate::sled::lock::system::{self, Directory, How};

/// How long a version may be synced and not marked.
const EVERY: Duration = Duration::from_secs(2);
const BYTES: usize = 24;

/// See the module.
pub(in crate::sled) struct HighWater {
    file: File,
    marked: u64,
    /// Since when there is something to mark.
    due: Option<Instant>,
}

impl HighWater {
    /// Opens or creates the file. The version it names is [`HighWater::version`].
    pub(in crate::sled) fn open(store: &Directory) -> io::Result<Self> {
        let file = store.file(HIGH_WATER, How::Create)?;
        system::make_private_file(&file)?;
        let mut bytes = [0; BYTES];
        let marked = match system::read_exact_at(&file, &mut bytes, 0) {
            Ok(()) => decode(&bytes).unwrap_or(0),
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => 0,
            Err(error) => return Err(error),
        };
        Ok(Self { file, marked, due: None })
    }

    /// The tree must have come this far.
    pub(in crate::sled) const fn version(&self) -> u64 {
        self.marked
    }

    /// To be told when a version is synced.
    pub(in crate::sled) fn synced(&mut self, version: u64) {
        if version > self.marked && self.due.is_none() {
            self.due = Some(Instant::now() + EVERY);
        }
    }

    /// When [`HighWater::keep`] is to be called at the latest.
    pub(in crate::sled) const fn due(&self) -> Option<Instant> {
        self.due
    }

    /// Whether that time has come.
    pub(in crate::sled) fn is_due(&self) -> bool {
        self.due.is_some_and(|due| due <= Instant::now())
    }

    /// Marks a version that is synced.
    pub(in crate::sled) fn keep(&mut self, version: u64) -> io::Result<()> {
        self.due = None;
        if version > self.marked {
            system::write_all_at(&self.file, &encode(version), 0)?;
            self.file.sync_data()?;
            self.marked = version;
        }
        Ok(())
    }
}

fn encode(version: u64) -> [u8; BYTES] {
    let mut bytes = [0; BYTES];
    let version = version.to_be_bytes();
    let checksum = blake3::hash(&version);
    for (to, from) in bytes.iter_mut().zip(version.iter().chain(checksum.as_bytes())) {
        *to = *from;
    }
    bytes
}

fn decode(bytes: &[u8; BYTES]) -> Option<u64> {
    let version = u64::from_be_bytes(*bytes.first_chunk::<8>()?);
    (encode(version) == *bytes).then_some(version)
}
