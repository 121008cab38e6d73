//! The log of an open store: the committer appends frames and hands full rounds over, the applier takes them.

use std::fs::File;
use std::io;

use parking_lot::{Condvar, Mutex, MutexGuard};
use std::sync::Arc;
use std::time::Duration;

use super::batch::{Batch, Row, RowKey};
use super::files::{GrowError, LogFile};
use super::frame::{self, Link, Sum};
use super::overlay::{Bounds, Overlay, Round};
use super::range::{Below, Order, Range};
use super::replay::{Replayed, replay};
use crate::engine::ReadError;
use crate::sled::lock::system::{self, Directory};

/// The most bytes of memory for the rows of a round.
pub(in crate::sled) const MOST_ROUND_BYTES: u64 = 16 * 1024 * 1024;
/// A round may have at least this many bytes, however full the disk is.
const LEAST_ROUND_BYTES: u64 = 64 * 1024;
/// The space that a table may need for each byte of a round, with reserve.
const SPACE_FACTOR: u64 = 2;
/// How long the files are kept large after the last round.
const UNUSED: Duration = Duration::from_secs(4);
/// How long a wait for the applier lasts before the waiting thread looks around.
const LOOK_EVERY: Duration = Duration::from_millis(500);

/// Why the log does not open.
pub(in crate::sled) enum OpenFailure {
    /// Acknowledged frames are missing or damaged.
    Damaged,
    Io(io::Error),
}

impl From<io::Error> for OpenFailure {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

/// Why the log could not be written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::sled) enum WriteFailure {
    /// There is no space. Nothing was changed.
    Full,
    /// A write or a sync failed, or the applier has.
    Failed,
}

/// See the module.
pub(in crate::sled) struct Wal {
    overlay: Overlay,
    round_bytes: u64,
    /// Used by the committer alone, which keeps it while it waits for the applier.
    log: Mutex<Log>,
    files: [Arc<File>; 2],
    turn: Mutex<Turn>,
    changed: Condvar,
}

/// Where the next frame goes, and what it follows.
struct Log {
    files: [LogFile; 2],
    active: usize,
    offset: u64,
    opening: u64,
    version: u64,
    durable: u64,
    sum: Sum,
    buffer: Vec<u8>,
}

/// Whose turn it is.
#[derive(Default)]
struct Turn {
    /// A round waits for the applier, or is being applied.
    is_frozen: bool,
    /// Counts the applier's steps.
    steps: u64,
    has_failed: bool,
    is_closing: bool,
}

impl Log {
    fn file(&self) -> Result<&LogFile, WriteFailure> {
        self.files.get(self.active).ok_or(WriteFailure::Failed)
    }

    fn fits(&self, bytes: u64) -> bool {
        self.file().is_ok_and(|file| self.offset.saturating_add(bytes) <= file.capacity())
    }

    /// Makes everything appended durable.
    fn sync(&mut self) -> Result<(), WriteFailure> {
        if self.durable < self.version {
            self.file()?.sync().map_err(|_| WriteFailure::Failed)?;
            self.durable = self.version;
        }
        Ok(())
    }

    fn grow(&mut self, capacity: u64) -> Result<(), WriteFailure> {
        let file = self.files.get_mut(self.active).ok_or(WriteFailure::Failed)?;
        match file.grow(capacity) {
            Ok(()) => Ok(()),
            Err(GrowError::Write(error))
                if matches!(error.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded) =>
            {
                Err(WriteFailure::Full)
            }
            Err(_) => Err(WriteFailure::Failed),
        }
    }
}

impl Wal {
    /// Opens the log of a store whose tables hold every row up to version `applied`. Rows after that are in memory afterwards.
    /// `is_first`: see [`LogFile::open_all`].
    pub(in crate::sled) fn open(
        store: &Directory,
        applied: u64,
        round_bytes: u64,
        is_first: bool,
    ) -> Result<Self, OpenFailure> {
        let files = LogFile::open_all(store, is_first)?;
        let [first, second] = &files;
        let handles = [first.file(), second.file()];
        let bytes = [first.read()?, second.read()?];
        let [first, second] = &bytes;
        let Replayed { mut pending, version, sum } =
            replay([first, second], applied).map_err(|_| OpenFailure::Damaged)?;
        for round in &pending {
            if let (Some(file), Some(bytes)) = (files.get(round.file), bytes.get(round.file)) {
                let end = usize::try_from(round.end).unwrap_or(usize::MAX);
                file.write_again(bytes.get(..end).unwrap_or(bytes))?;
            }
        }
        let mut opening = [0; 8];
        getrandom::fill(&mut opening).map_err(io::Error::other)?;
        let last = pending.pop();
        let frozen = pending.pop().map(|older| Round::new(older.rows));
        let (active, offset, rows) = last.map_or_else(Default::default, |last| (last.file, last.end, last.rows));
        let turn = Turn { is_frozen: frozen.is_some(), ..Turn::default() };
        let log = Log {
            files,
            active,
            offset,
            opening: u64::from_be_bytes(opening),
            version,
            durable: version,
            sum,
            buffer: Vec::new(),
        };
        Ok(Self {
            overlay: Overlay::new(Round::new(rows), frozen),
            round_bytes: round_bytes.clamp(LEAST_ROUND_BYTES, MOST_ROUND_BYTES),
            log: Mutex::new(log),
            files: handles,
            turn: Mutex::new(turn),
            changed: Condvar::new(),
        })
    }

    /// Looks a row up. `None`: the tables decide.
    pub(in crate::sled) fn get(&self, key: &RowKey) -> Option<Row> {
        self.overlay.get(key)
    }

    /// Returns a range over the rows of the log and those that `below` opens.
    pub(in crate::sled) fn range<B: Below>(
        &self,
        bounds: Bounds,
        order: Order,
        below: impl FnOnce() -> Result<B, ReadError>,
    ) -> Result<Range<B>, ReadError> {
        let rounds = self.overlay.rounds();
        Ok(Range::new(rounds, below()?, bounds, order))
    }

    /// Whether both files can still be found.
    pub(in crate::sled) fn has_names(&self) -> bool {
        self.files.iter().all(|file| system::has_name(file))
    }

    /// Whether there are rows that no table may hold.
    pub(in crate::sled) fn has_rows(&self) -> bool {
        self.overlay.active().bytes() > 0 || self.overlay.frozen().is_some()
    }

    /// Returns the space that the tables may still need for the rows of the log.
    pub(in crate::sled) fn space_needed(&self) -> u64 {
        let frozen = self.overlay.frozen().map_or(0, |round| round.bytes());
        self.overlay.active().bytes().saturating_add(frozen).saturating_mul(SPACE_FACTOR)
    }

    /// Makes room for a frame with rows of this many bytes: the file grows, or the round is handed over. `free` is the free space of the
    /// disk. Waits for the applier if it still has the round before; then `alive` is called at each of its steps.
    pub(in crate::sled) fn reserve(
        &self,
        rows: usize,
        free: Option<u64>,
        alive: &dyn Fn(),
    ) -> Result<(), WriteFailure> {
        self.make_room(&mut self.log.lock(), frame::length_with(rows) as u64, free, alive)
    }

    fn make_room(
        &self,
        log: &mut MutexGuard<'_, Log>,
        bytes: u64,
        free: Option<u64>,
        alive: &dyn Fn(),
    ) -> Result<(), WriteFailure> {
        // Half of the free space for each of two rounds.
        let most = free.map_or(MOST_ROUND_BYTES, |free| free / SPACE_FACTOR / 2);
        let most = most.clamp(LEAST_ROUND_BYTES, self.round_bytes);
        let is_due = self.overlay.active().bytes() >= most;
        if !is_due && log.fits(bytes) {
            return Ok(());
        }
        let next = log.file()?.next_capacity(log.offset.saturating_add(bytes)).filter(|next| *next / 2 <= most);
        if let Some(next) = next.filter(|_| !is_due) {
            match log.grow(next) {
                Err(WriteFailure::Full) => {}
                other => return other,
            }
        }
        self.hand_over_now(log, alive)?;
        if log.fits(bytes) { Ok(()) } else { log.grow(bytes) }
    }

    /// Appends a frame that leads to a version. Its rows can be read at once, and survive the end of the process; not that of the machine.
    pub(in crate::sled) fn append(&self, batch: Batch, version: u64, alive: &dyn Fn()) -> Result<(), WriteFailure> {
        let mut log = self.log.lock();
        self.make_room(&mut log, frame::length_with(batch.bytes()) as u64, None, alive)?;
        let mut buffer = std::mem::take(&mut log.buffer);
        let link =
            Link { opening: log.opening, before: log.version, after: version, durable: log.durable, chain: log.sum };
        let sum = frame::encode(&link, batch.changes(), &mut buffer).ok_or(WriteFailure::Failed)?;
        log.file()?.write(&buffer, log.offset).map_err(|_| WriteFailure::Failed)?;
        log.offset = log.offset.saturating_add(buffer.len() as u64);
        log.version = version;
        log.sum = sum;
        log.buffer = buffer;
        drop(log);
        self.overlay.write(batch.into_changes());
        Ok(())
    }

    /// Makes everything appended durable.
    pub(in crate::sled) fn sync(&self) -> Result<(), WriteFailure> {
        self.log.lock().sync()
    }

    /// Hands the round over if it has rows and the applier is free. Returns whether nothing is left to hand over.
    pub(in crate::sled) fn hand_over(&self) -> Result<bool, WriteFailure> {
        if self.overlay.active().bytes() == 0 {
            return Ok(true);
        }
        if self.turn.lock().is_frozen {
            return Ok(false);
        }
        self.hand_over_now(&mut self.log.lock(), &|| {}).map(|()| true)
    }

    /// Has everything written to tables, and waits for that.
    pub(in crate::sled) fn drain(&self, alive: &dyn Fn()) -> Result<(), WriteFailure> {
        if self.overlay.active().bytes() > 0 {
            self.hand_over_now(&mut self.log.lock(), alive)?;
        }
        self.wait_for_applier(alive)
    }

    fn hand_over_now(&self, log: &mut MutexGuard<'_, Log>, alive: &dyn Fn()) -> Result<(), WriteFailure> {
        // The first frame of a file says that everything before it is durable.
        log.sync()?;
        self.wait_for_applier(alive)?;
        self.overlay.freeze();
        log.active = 1 - log.active.min(1);
        log.offset = 0;
        self.turn.lock().is_frozen = true;
        self.changed.notify_all();
        Ok(())
    }

    fn wait_for_applier(&self, alive: &dyn Fn()) -> Result<(), WriteFailure> {
        let mut turn = self.turn.lock();
        let mut steps = turn.steps;
        while turn.is_frozen && !turn.has_failed {
            self.changed.wait_for(&mut turn, LOOK_EVERY);
            if turn.steps != steps {
                steps = turn.steps;
                alive();
            }
        }
        if turn.has_failed { Err(WriteFailure::Failed) } else { Ok(()) }
    }

    /// Waits for a round to apply. `None`: there will be none. Files that are not used for a while give their space back.
    pub(in crate::sled) fn next_round(&self) -> Option<Arc<Round>> {
        let mut is_small = false;
        let mut turn = self.turn.lock();
        while !turn.is_frozen && !turn.is_closing && !turn.has_failed {
            if is_small {
                self.changed.wait(&mut turn);
            } else if self.changed.wait_for(&mut turn, UNUSED).timed_out() {
                is_small = MutexGuard::unlocked(&mut turn, || self.shrink_unused());
            }
        }
        if turn.has_failed || !turn.is_frozen { None } else { self.overlay.frozen() }
    }

    /// To be called by the applier at each step. Returns whether it should go on.
    pub(in crate::sled) fn step(&self) -> bool {
        let mut turn = self.turn.lock();
        turn.steps = turn.steps.wrapping_add(1);
        self.changed.notify_all();
        !turn.has_failed
    }

    /// Frees the file of the frozen round, all of whose rows a table holds durably.
    pub(in crate::sled) fn applied(&self) {
        self.overlay.thaw();
        self.turn.lock().is_frozen = false;
        self.changed.notify_all();
    }

    /// Ends the applier, and all waits for it.
    pub(in crate::sled) fn fail(&self) {
        self.turn.lock().has_failed = true;
        self.changed.notify_all();
    }

    /// Ends the applier once it has no round.
    pub(in crate::sled) fn close(&self) {
        self.turn.lock().is_closing = true;
        self.changed.notify_all();
    }

    /// Gives the space of the files back, if the tables hold everything. Returns whether it did. The committer may hold the log while it
    /// waits for the applier, which calls this: so it does not wait.
    pub(in crate::sled) fn shrink_unused(&self) -> bool {
        let Some(mut log) = self.log.try_lock() else { return false };
        // A frame is in the file before its rows are in memory.
        let is_unused = log.offset == 0 && !self.has_rows() && !self.turn.lock().is_frozen;
        if is_unused {
            log.files.iter_mut().for_each(LogFile::shrink);
        }
        is_unused
    }

    /// What the last sync of each file made durable.
    #[cfg(test)]
    pub(super) fn durable(&self) -> [Option<Vec<u8>>; 2] {
        let log = self.log.lock();
        [0, 1].map(|file| log.files.get(file).and_then(LogFile::durable))
    }

    /// Whether a round waits for the applier.
    #[cfg(test)]
    pub(super) fn has_frozen(&self) -> bool {
        self.turn.lock().is_frozen
    }
}
