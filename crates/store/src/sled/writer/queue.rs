//! The queue of commits: first in, first out within a tag, fair between tags by their cost.

use std::collections::HashMap;
use std::time::Instant;

use bailiwick_model::FairQueue;
use parking_lot::{Condvar, Mutex};
use tokio::sync::oneshot;

use crate::engine::{Commit, CommitError, Op, Tag, Version};
use crate::sled::tree::codec::{INLINE_BYTES, Pointer};

/// The answer to a commit.
pub(in crate::sled) type Answer = Result<Version, CommitError>;

/// The most operations of a group. More would share a sync; but readers wait while a batch is applied.
const GROUP_OPS: usize = 512;
/// The most bytes of rows of a group.
const GROUP_INLINE_BYTES: usize = 256 * 1024;
/// The most bytes of large values of a group.
const GROUP_LARGE_BYTES: usize = 8 * 1024 * 1024;

/// The cost of an operation besides its bytes: checking a row and adding it to the tree takes about as long as writing this many
/// bytes of a large value.
const OP_COST: u64 = 4 * 1024;
/// The credit of a tag per turn: two or three small values.
const QUANTUM: u64 = 32 * 1024;
/// The number of groups for which a tag is remembered after its line became empty.
const REMEMBERED_GROUPS: u32 = 32;

/// The most bytes in the log that an operation takes besides its value: its row, an expiry bucket, a segment.
const OP_ROW_BYTES: usize = 71 + 82 + 56 + 40;
/// The bytes in the log that a commit takes besides its operations: the usage of its tag.
const COMMIT_ROW_BYTES: usize = 512;
/// The bytes in the log that a maintenance job usually takes.
const MAINTENANCE_ROW_BYTES: usize = 8 * 1024;

/// A large value of a commit.
pub(in crate::sled) struct Large {
    /// The number of its operation.
    pub(in crate::sled) op: usize,
    /// Its checksum.
    pub(in crate::sled) digest: [u8; 32],
    /// The file of its own that it was written to.
    pub(in crate::sled) placed: Option<Pointer>,
}

/// A commit, or a maintenance job of type `M`.
pub(in crate::sled) struct Job<M> {
    pub(in crate::sled) commit: Commit,
    pub(in crate::sled) large: Vec<Large>,
    /// What to do instead of the commit, which then only names the tag.
    pub(in crate::sled) maintenance: Option<M>,
    pub(in crate::sled) answer: oneshot::Sender<Answer>,
}

impl<M> Job<M> {
    /// Returns its bytes in rows and in segments.
    fn sizes(&self) -> (usize, usize) {
        self.commit.ops.iter().fold((0_usize, 0_usize), |(inline, large), op| match op {
            Op::Put { value, .. } if value.len() <= INLINE_BYTES => (inline.saturating_add(value.len()), large),
            Op::Put { value, .. } => (inline, large.saturating_add(value.len())),
            _ => (inline, large),
        })
    }

    /// Returns at most how many bytes its rows take in the log. What little a maintenance job or the usage of many kinds takes beyond that
    /// is found room for later.
    pub(in crate::sled) fn row_bytes(&self) -> usize {
        let (inline, _) = self.sizes();
        let ops = OP_ROW_BYTES.saturating_mul(self.commit.ops.len());
        let rest = if self.maintenance.is_some() { MAINTENANCE_ROW_BYTES } else { COMMIT_ROW_BYTES };
        inline.saturating_add(ops).saturating_add(rest)
    }

    /// Returns its cost. Bytes that are written already cost nothing; a maintenance job costs a whole turn.
    fn cost(&self) -> u64 {
        if self.maintenance.is_some() {
            return QUANTUM;
        }
        let ops = OP_COST.saturating_mul(self.commit.ops.len() as u64);
        let (inline, large) = self.sizes();
        let written = self.large.iter().filter_map(|large| large.placed).map(|at| at.length).sum::<u64>();
        let bytes = (inline as u64).saturating_add(large as u64).saturating_sub(written);
        ops.saturating_add(bytes)
    }
}

struct Waiting<M> {
    jobs: FairQueue<Tag, Job<M>>,
    /// The number of tags that recently waited at the same time.
    recent_tags: usize,
    /// The number of groups for which that is remembered.
    remembered: u32,
    is_closed: bool,
}

/// The queue. `M` is the type of maintenance jobs.
pub(in crate::sled) struct Queue<M> {
    waiting: Mutex<Waiting<M>>,
    changed: Condvar,
}

impl<M> Default for Queue<M> {
    fn default() -> Self {
        let waiting = Waiting { jobs: FairQueue::new(QUANTUM), recent_tags: 0, remembered: 0, is_closed: false };
        Self { waiting: Mutex::new(waiting), changed: Condvar::new() }
    }
}

/// The next work of the committer.
pub(in crate::sled) enum Next<M> {
    /// Commit these together.
    Group(Vec<Job<M>>),
    /// The requested time has come.
    Idle,
    /// The queue is closed and empty.
    Closed,
}

impl<M> Queue<M> {
    /// Adds a job. Returns it if the queue is closed.
    pub(in crate::sled) fn push(&self, job: Job<M>) -> Result<(), Box<Job<M>>> {
        let mut waiting = self.waiting.lock();
        if waiting.is_closed {
            return Err(Box::new(job));
        }
        waiting.jobs.push(job.commit.tag, job.cost(), job);
        if waiting.jobs.len() == 1 {
            self.changed.notify_one();
        }
        Ok(())
    }

    /// Waits for jobs, or until a time.
    pub(in crate::sled) fn next(&self, until: Option<Instant>) -> Next<M> {
        let mut waiting = self.waiting.lock();
        loop {
            if !waiting.jobs.is_empty() {
                return Next::Group(waiting.take_group());
            }
            if waiting.is_closed {
                return Next::Closed;
            }
            match until {
                Some(until) if self.changed.wait_until(&mut waiting, until).timed_out() => return Next::Idle,
                Some(_) => {}
                None => self.changed.wait(&mut waiting),
            }
        }
    }

    /// Waits for one job. `None`: closed and empty.
    pub(in crate::sled) fn next_one(&self) -> Option<Job<M>> {
        let mut waiting = self.waiting.lock();
        loop {
            if let Some((_, job)) = waiting.jobs.pop() {
                return Some(job);
            }
            if waiting.is_closed {
                return None;
            }
            self.changed.wait(&mut waiting);
        }
    }

    /// Closes the queue. Jobs in it are still returned.
    pub(in crate::sled) fn close(&self) {
        self.waiting.lock().is_closed = true;
        self.changed.notify_all();
    }

    /// Closes the queue and returns all jobs in it.
    pub(in crate::sled) fn close_and_drain(&self) -> Vec<Job<M>> {
        let mut waiting = self.waiting.lock();
        waiting.is_closed = true;
        self.changed.notify_all();
        waiting.jobs.drain()
    }
}

impl<M> Waiting<M> {
    /// Takes the next group: at least one job, and until it is full. If a recent tag has nothing waiting, only until every tag had one
    /// turn: so a tag that waits for an answer before it commits again meets a small group, not one that a busy tag has filled. If
    /// all tags have enough jobs, the groups are full.
    fn take_group(&mut self) -> Vec<Job<M>> {
        self.count_tags();
        let mut group = Vec::new();
        let mut turns: HashMap<Tag, u64> = HashMap::new();
        let (mut ops, mut inline, mut large) = (0_usize, 0_usize, 0_usize);
        while let Some((tag, turn, job)) = self.jobs.peek() {
            let (job_inline, job_large) = job.sizes();
            ops = ops.saturating_add(job.commit.ops.len());
            inline = inline.saturating_add(job_inline);
            large = large.saturating_add(job_large);
            let is_full = ops > GROUP_OPS || inline > GROUP_INLINE_BYTES || large > GROUP_LARGE_BYTES;
            let had_its_turn = *turns.entry(tag).or_insert(turn) != turn;
            let is_enough = is_full || (had_its_turn && self.jobs.lines() < self.recent_tags);
            if is_enough && !group.is_empty() {
                break;
            }
            group.extend(self.jobs.pop().map(|(_, job)| job));
        }
        group
    }

    fn count_tags(&mut self) {
        self.remembered = self.remembered.saturating_sub(1);
        if self.jobs.lines() >= self.recent_tags || self.remembered == 0 {
            self.recent_tags = self.jobs.lines();
            self.remembered = REMEMBERED_GROUPS;
        }
    }
}

#[cfg(test)]
#[path = "queue_tests.rs"]
mod tests;
