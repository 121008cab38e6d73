//! The committer: the one thread that commits. It takes a group of commits, checks them in order against tree and batch, writes large
//! values, appends one frame to the log, syncs once, and answers all callers.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::{Duration, Instant};

use ::sled::IVec;

use super::change_log::ChangeLog;
use super::queue::{Answer, Job, Large, Next, Queue};
use super::status::{GONE, Status};
use crate::engine::{CommitError, Due, Durability, Op, Place, ReadError, Tag, Usage, record_key};
use crate::sled::error::write_error;
use crate::sled::lock::high_water::HighWater;
use crate::sled::tree::Tree;
use crate::sled::tree::codec::{
    Key, STATE_KEY, State, Stored, decode_usage, encode, encode_state, encode_usage, entry, usage_key,
};
use crate::sled::tree::expiry_buckets::ExpiryBuckets;
use crate::sled::values::files::Files;
use crate::sled::values::segments::Segments;
use crate::sled::wal::batch::Batch;
use crate::stage::{Change, Entry, Refusal, answer, expiries, stage, wakes};

/// The maximum delay before relaxed commits are synced.
const RELAXED: Duration = Duration::from_millis(200);
/// The time without a change after which the log is applied, so that opening the store has little to replay.
const IDLE: Duration = Duration::from_secs(2);
/// The most rows in memory.
const CACHED: usize = 4_096;
/// A maintenance job.
pub(in crate::sled) type Maintenance = Box<dyn FnOnce(&mut Committer, &mut Group) -> Answer + Send>;

/// The queue of commits and maintenance jobs.
pub(in crate::sled) type CommitQueue = Queue<Maintenance>;

/// The committer.
pub(in crate::sled) struct Committer {
    pub(in crate::sled) tree: Arc<Tree>,
    pub(in crate::sled) files: Arc<Files>,
    pub(in crate::sled) queue: Arc<CommitQueue>,
    pub(in crate::sled) status: Arc<Status>,
    pub(in crate::sled) segments: Segments,
    pub(in crate::sled) state: State,
    pub(in crate::sled) high_water: HighWater,
    /// Rows as the last batches left them. There is no other writer, so they are current.
    pub(in crate::sled) rows: HashMap<Key, Option<Entry<Stored>>>,
    pub(in crate::sled) usage: HashMap<Tag, Usage>,
    pub(in crate::sled) buckets: ExpiryBuckets,
    /// Erased tags: commits to them fail. After a restart their keys are gone.
    pub(in crate::sled) erased: HashSet<Tag>,
    /// The changes during exports, by the number of the export.
    pub(in crate::sled) change_logs: HashMap<u64, ChangeLog>,
    /// The time of the first change that is not synced.
    pub(in crate::sled) unsynced: Option<Instant>,
    /// The time of the last change that was not handed over to the applier.
    pub(in crate::sled) changed: Option<Instant>,
    pub(in crate::sled) buffer: Vec<u8>,
}

/// The effect of one group of commits.
#[derive(Default)]
pub(in crate::sled) struct Group {
    pub(in crate::sled) batch: Batch,
    pub(in crate::sled) is_empty: bool,
    pub(in crate::sled) usage_changed: BTreeSet<Tag>,
    pub(super) free_bytes: Option<u64>,
}

/// The store has failed.
pub(super) struct Stop {
    problem: &'static str,
    /// The answer to the callers of the group.
    answer: CommitError,
}

/// Returns the stop for a failure of the log.
pub(super) const fn log_failed(answer: CommitError) -> Stop {
    Stop { problem: "the write-ahead log could not be written", answer }
}

impl Committer {
    /// Commits until the queue is closed or something fails.
    pub(in crate::sled) fn run(mut self) {
        loop {
            let times = [self.unsynced.map(|at| at + RELAXED), self.changed.map(|at| at + IDLE), self.high_water.due()];
            let until = times.into_iter().flatten().min();
            let next = self.queue.next(until);
            let is_last = matches!(next, Next::Closed);
            let jobs = match next {
                Next::Group(jobs) => jobs,
                Next::Idle | Next::Closed => Vec::new(),
            };
            match catch_unwind(AssertUnwindSafe(|| self.turn(jobs, is_last))) {
                Ok(Ok(())) => self.status.end(CommitError::OutcomeUnknown),
                Ok(Err(stop)) => {
                    self.status.fail(stop.problem, &self.queue);
                    self.status.end(stop.answer);
                    return;
                }
                Err(_) => {
                    self.status.turn_reads_off();
                    self.status.fail("the committer has stopped", &self.queue);
                    self.status.end(CommitError::OutcomeUnknown);
                    return;
                }
            }
            if is_last || self.status.has_failed() {
                return;
            }
        }
    }

    /// Commits a group, and does what is due besides.
    fn turn(&mut self, jobs: Vec<Job<Maintenance>>, is_last: bool) -> Result<(), Stop> {
        self.commit(jobs)?;
        self.write_high_water(is_last);
        let failed = |_| log_failed(CommitError::Unavailable);
        if is_last {
            return self.tree.wal().drain(&|| self.status.keep_waiting()).map_err(failed);
        }
        if self.unsynced.is_none() && self.changed.is_some_and(|at| at.elapsed() >= IDLE) {
            let is_done = self.tree.wal().hand_over().map_err(failed)?;
            self.changed = (!is_done).then(Instant::now);
        }
        Ok(())
    }

    /// Commits a group. An empty group syncs relaxed commits.
    fn commit(&mut self, jobs: Vec<Job<Maintenance>>) -> Result<(), Stop> {
        let rows = jobs.iter().map(Job::row_bytes).sum();
        let (waiters, jobs): (Vec<_>, Vec<_>) =
            jobs.into_iter().map(|job| (Some(job.answer), (job.commit, job.large, job.maintenance))).unzip();
        let is_asked = !waiters.is_empty();
        self.status.begin(waiters);
        if is_asked && !self.tree.has_name() {
            return Err(Stop { problem: GONE, answer: CommitError::Unavailable });
        }
        self.evict();
        let free_bytes = if is_asked { self.free_bytes()? } else { None };
        if is_asked && !self.reserve(rows, free_bytes)? {
            jobs.iter().for_each(|(_, large, _)| self.remove_unused(large));
            self.status.answer((0..jobs.len()).map(|number| (number, Err(CommitError::Full))));
            return Ok(());
        }
        let mut group = Group { is_empty: true, free_bytes, ..Group::default() };
        let mut answers: Vec<Answer> = Vec::with_capacity(jobs.len());
        let (mut maintenance, mut relaxed) = (BTreeSet::new(), BTreeSet::new());
        for (number, (commit, large, job)) in jobs.into_iter().enumerate() {
            let answer = match job {
                Some(job) => {
                    maintenance.insert(number);
                    job(self, &mut group)
                }
                None => {
                    if commit.durability == Durability::Relaxed {
                        relaxed.insert(number);
                    }
                    self.stage(&commit, &large, &mut group)
                }
            };
            self.remove_unused(&large);
            answers.push(answer);
        }
        if !group.is_empty {
            self.apply(group)?;
            self.changed = Some(Instant::now());
            self.unsynced = self.unsynced.or(self.changed);
        }
        let is_idle = answers.is_empty();
        let (done, answers): (Vec<_>, Vec<_>) =
            answers.into_iter().enumerate().partition(|(number, _)| maintenance.contains(number));
        self.status.answer(done);
        let (now, later): (Vec<_>, Vec<_>) = answers.into_iter().partition(|(number, _)| relaxed.contains(number));
        self.status.answer(now);
        let is_due = self.unsynced.is_some_and(|since| since.elapsed() >= RELAXED);
        if self.unsynced.is_some() && (!later.is_empty() || is_idle || is_due) {
            self.sync()?;
        }
        self.status.answer(later);
        Ok(())
    }

    /// Removes the files that a refused commit has written.
    fn remove_unused(&self, large: &[Large]) {
        for pointer in large.iter().filter_map(|large| large.placed) {
            if !self.segments.knows(pointer.segment) {
                let _ = self.files.remove(pointer.segment, true);
            }
        }
    }

    fn sync(&mut self) -> Result<(), Stop> {
        let stop = |_| Stop { problem: "a sync of the write-ahead log failed", answer: CommitError::OutcomeUnknown };
        self.tree.sync().map_err(stop)?;
        self.unsynced = None;
        self.high_water.synced(self.state.version);
        if self.change_logs.is_empty() {
            self.segments.reclaim();
        }
        Ok(())
    }

    /// Writes the high-water mark when it is due, or at the end. Without it nothing is lost: it only reveals corruption.
    fn write_high_water(&mut self, is_last: bool) {
        let is_time = self.unsynced.is_none() && (is_last || self.high_water.is_due());
        if is_time && self.high_water.keep(self.state.version).is_err() {
            self.status.note("the mark of the last version could not be written");
        }
    }

    /// Limits the rows in memory.
    fn evict(&mut self) {
        if self.rows.len() > CACHED {
            self.rows.clear();
        }
        if self.usage.len() > CACHED {
            self.usage.clear();
        }
        self.buckets.evict(self.state.version);
    }

    /// Checks one commit and adds its changes to the batch.
    fn stage(&mut self, commit: &crate::Commit, large: &[Large], group: &mut Group) -> Answer {
        if self.erased.contains(&commit.tag) {
            return Err(CommitError::Closed);
        }
        self.refuse_on_full_disk(commit, large, group)?;
        let version = self.state.version.saturating_add(1);
        self.load_usage(&commit.tag)?;
        let none = Usage::new();
        let usage = self.usage.get(&commit.tag).unwrap_or(&none);
        let keep = |number: usize, value: &bytes::Bytes| match large.iter().find(|large| large.op == number) {
            Some(large) => large.placed.map_or(Stored::Unplaced(number), Stored::Placed),
            None => Stored::Inline(value.clone()),
        };
        let (rows, tree) = (&self.rows, &self.tree);
        let look = |place: &Place| find(rows, tree, &record_key(&commit.tag, place));
        let mut staged = stage(commit, version, usage, keep, look).map_err(|refusal| match refusal {
            Refusal::Commit(error) => error,
            Refusal::Read(error) => error.into(),
        })?;
        let answer = answer(&staged, version);
        if staged.changes.is_empty() && wakes(commit).next().is_none() {
            return Ok(answer);
        }
        let due = |kind| Due { tag: commit.tag, kind };
        for (at, kind) in wakes(commit) {
            self.buckets.wakes(&self.tree, due(kind), at, version)?;
        }
        for (at, kind) in expiries(&staged.changes) {
            self.buckets.expires(&self.tree, due(kind), at, commit.now, version)?;
        }
        self.place(commit, large, &mut staged.changes)?;
        // Everything is encoded before anything is added to the batch.
        let mut encoded = Vec::with_capacity(staged.changes.len());
        for change in &staged.changes {
            encoded.push(match &change.after {
                Some(entry) => {
                    encode(entry, &mut self.buffer).ok_or(CommitError::Corrupt)?;
                    Some(IVec::from(self.buffer.as_slice()))
                }
                None => None,
            });
        }
        for (change, encoded) in staged.changes.into_iter().zip(encoded) {
            self.write(&commit.tag, change, encoded, group);
        }
        if let Some(usage) = staged.usage {
            self.usage.insert(commit.tag, usage);
            group.usage_changed.insert(commit.tag);
        }
        self.state.version = version;
        group.is_empty = false;
        Ok(answer)
    }

    pub(in crate::sled) fn load_usage(&mut self, tag: &Tag) -> Result<(), CommitError> {
        if self.usage.contains_key(tag) {
            return Ok(());
        }
        let usage = match self.tree.get(&usage_key(tag)) {
            Ok(None) => Usage::new(),
            Ok(Some(bytes)) => decode_usage(&bytes).ok_or(CommitError::Corrupt)?,
            Err(error) => return Err(error.into()),
        };
        self.usage.insert(*tag, usage);
        Ok(())
    }

    /// Writes the large values of a commit that succeeds.
    fn place(
        &mut self,
        commit: &crate::Commit,
        large: &[Large],
        changes: &mut [Change<Stored>],
    ) -> Result<(), CommitError> {
        let mut placed = Vec::new();
        let mut full = None;
        for change in &mut *changes {
            let Some(Entry { value, .. }) = &mut change.after else { continue };
            let Stored::Unplaced(number) = *value else { continue };
            let digest = large.iter().find(|large| large.op == number).map(|large| large.digest);
            let (Some(Op::Put { value: bytes, .. }), Some(digest)) = (commit.ops.get(number), digest) else {
                return Err(CommitError::Corrupt);
            };
            match self.segments.append(&record_key(&commit.tag, &change.place), digest, bytes) {
                Ok(pointer) => {
                    placed.push(pointer);
                    *value = Stored::Placed(pointer);
                }
                Err(error) => {
                    full = Some(error);
                    break;
                }
            }
        }
        let Some(error) = full else { return Ok(()) };
        for pointer in placed {
            self.segments.free(pointer);
        }
        Err(write_error(&error))
    }

    /// Adds the change of one row to the batch.
    fn write(&mut self, tag: &Tag, change: Change<Stored>, encoded: Option<IVec>, group: &mut Group) {
        let pointer = |entry: &Option<Entry<Stored>>| match entry {
            Some(Entry { value: Stored::Placed(pointer), .. }) => Some(*pointer),
            _ => None,
        };
        let (before, after) = (pointer(&change.before), pointer(&change.after));
        if before != after {
            if let Some(pointer) = after.filter(|pointer| !self.segments.knows(pointer.segment)) {
                self.segments.adopt(&pointer);
            }
            if let Some(pointer) = before {
                self.segments.free(pointer);
            }
        }
        let key = record_key(tag, &change.place);
        let is_new = change.before.is_none();
        let mut at_hand = change.after;
        match (&mut at_hand, encoded) {
            (Some(entry), Some(encoded)) => {
                if after.is_none() {
                    entry.value = Stored::Encoded(encoded.clone());
                }
                if is_new {
                    group.batch.insert_new(&key, encoded);
                } else {
                    group.batch.insert(&key, encoded);
                }
            }
            _ => group.batch.remove(&key),
        }
        self.rows.insert(key, at_hand);
        self.change_logs.values_mut().for_each(|log| log.add(key));
    }

    fn apply(&mut self, mut group: Group) -> Result<(), Stop> {
        // Nothing was applied yet: the segments are truncated when the store is opened again.
        let stop = |_| Stop { problem: "a sync of large values failed", answer: CommitError::Unavailable };
        self.segments.sync().map_err(stop)?;
        self.segments.write_rows(&mut group.batch);
        for tag in &group.usage_changed {
            if let Some(usage) = self.usage.get(tag) {
                group.batch.insert(&usage_key(tag), encode_usage(usage));
            }
        }
        self.buckets.write_rows(&mut group.batch);
        self.state.next_segment = self.segments.next_number();
        group.batch.insert(&STATE_KEY, encode_state(&self.state));
        if self.status.has_failed() {
            return Err(Stop { problem: "the disk does not answer", answer: CommitError::Unavailable });
        }
        let alive = || self.status.keep_waiting();
        let applied = self.tree.apply(group.batch, self.state.version, &alive);
        applied.map_err(|_| log_failed(CommitError::OutcomeUnknown))
    }
}

/// Returns a row as the last commits left it.
pub(in crate::sled) fn find(
    rows: &HashMap<Key, Option<Entry<Stored>>>,
    tree: &Tree,
    key: &Key,
) -> Result<Option<Entry<Stored>>, ReadError> {
    if let Some(known) = rows.get(key) {
        return Ok(known.clone());
    }
    tree.get(key)?.map(|bytes| entry(bytes).ok_or(ReadError::Corrupt)).transpose()
}
