//! Commits waiting for the committer: first come first served within a tag, in turn between tags.

use std::collections::{HashMap, VecDeque};
use std::time::Instant;

use parking_lot::{Condvar, Mutex};
use tokio::sync::oneshot;

use super::committer::{Committer, Group};
use super::entry::{INLINE_BYTES, Pointer};
use crate::engine::{Commit, CommitError, Op, Tag, Version};

/// The answer to a commit.
pub(super) type Answer = Result<Version, CommitError>;

/// So many operations are committed together. More share a sync; but while a batch is applied, readers wait.
const GROUP_OPS: usize = 512;
/// So many bytes of rows are.
const GROUP_INLINE_BYTES: usize = 256 * 1024;
/// So many bytes of large values are.
const GROUP_LARGE_BYTES: usize = 8 * 1024 * 1024;

/// A large value of a commit.
pub(super) struct Large {
    /// The number of its operation.
    pub(super) op: usize,
    /// Its checksum.
    pub(super) digest: [u8; 32],
    /// The file of its own that it was written to.
    pub(super) placed: Option<Pointer>,
}

/// Housekeeping that the committer does in its turn.
pub(super) type Order = Box<dyn FnOnce(&mut Committer, &mut Group) -> Answer + Send>;

/// A commit and who waits for it.
pub(super) struct Job {
    pub(super) commit: Commit,
    pub(super) large: Vec<Large>,
    /// What to do instead of the commit, which then only says whose turn it is.
    pub(super) order: Option<Order>,
    pub(super) answer: oneshot::Sender<Answer>,
}

impl Job {
    /// Its bytes in rows and in segments.
    fn sizes(&self) -> (usize, usize) {
        self.commit.ops.iter().fold((0_usize, 0_usize), |(inline, large), op| match op {
            Op::Put { value, .. } if value.len() <= INLINE_BYTES => (inline.saturating_add(value.len()), large),
            Op::Put { value, .. } => (inline, large.saturating_add(value.len())),
            _ => (inline, large),
        })
    }
}

#[derive(Default)]
struct Waiting {
    jobs: HashMap<Tag, VecDeque<Job>>,
    /// Whose turn it is; every tag with jobs once.
    turns: VecDeque<Tag>,
    is_closed: bool,
}

/// See the module.
#[derive(Default)]
pub(super) struct Queue {
    waiting: Mutex<Waiting>,
    changed: Condvar,
}

/// What the committer is to do next.
pub(super) enum Next {
    /// Commit these together.
    Group(Vec<Job>),
    /// The time asked for has come.
    Idle,
    /// Nothing more will come.
    Closed,
}

impl Queue {
    /// Adds a commit. Gives it back if the queue is closed.
    pub(super) fn push(&self, job: Job) -> Result<(), Box<Job>> {
        let mut waiting = self.waiting.lock();
        if waiting.is_closed {
            return Err(Box::new(job));
        }
        let tag = job.commit.tag;
        let jobs = waiting.jobs.entry(tag).or_default();
        jobs.push_back(job);
        if jobs.len() == 1 {
            waiting.turns.push_back(tag);
            if waiting.turns.len() == 1 {
                self.changed.notify_one();
            }
        }
        Ok(())
    }

    /// Waits for commits, or until a time.
    pub(super) fn next(&self, until: Option<Instant>) -> Next {
        let mut waiting = self.waiting.lock();
        loop {
            if !waiting.turns.is_empty() {
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

    /// Takes no more commits. Those that wait are still handed out.
    pub(super) fn close(&self) {
        self.waiting.lock().is_closed = true;
        self.changed.notify_all();
    }

    /// Takes no more commits, and takes away those that wait.
    pub(super) fn close_and_drain(&self) -> Vec<Job> {
        let mut waiting = self.waiting.lock();
        waiting.is_closed = true;
        waiting.turns.clear();
        self.changed.notify_all();
        waiting.jobs.drain().flat_map(|(_, jobs)| jobs).collect()
    }
}

impl Waiting {
    /// One commit of each tag in turn until the group is full; always at least one.
    fn take_group(&mut self) -> Vec<Job> {
        let mut group = Vec::new();
        let (mut ops, mut inline, mut large) = (0_usize, 0_usize, 0_usize);
        while let Some(tag) = self.turns.pop_front() {
            let Some(jobs) = self.jobs.get_mut(&tag) else { continue };
            if let Some(job) = jobs.front() {
                let (job_inline, job_large) = job.sizes();
                ops = ops.saturating_add(job.commit.ops.len());
                inline = inline.saturating_add(job_inline);
                large = large.saturating_add(job_large);
                let is_full = ops > GROUP_OPS || inline > GROUP_INLINE_BYTES || large > GROUP_LARGE_BYTES;
                if is_full && !group.is_empty() {
                    self.turns.push_front(tag);
                    break;
                }
            }
            group.extend(jobs.pop_front());
            if jobs.is_empty() {
                self.jobs.remove(&tag);
            } else {
                self.turns.push_back(tag);
            }
        }
        group
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::{Durability, Limits, When};

    fn job(tag: u8, number: u8, bytes: usize) -> Job {
        let place = crate::Place { kind: number, item: [0; 32] };
        let op = Op::Put { place, value: vec![0; bytes].into(), expires_at: None, counted: None, when: When::Any };
        let tag = Tag([tag; 32]);
        let commit = Commit { tag, now: 0, ops: vec![op], limits: Limits::default(), durability: Durability::Sync };
        Job { commit, large: Vec::new(), order: None, answer: oneshot::channel().0 }
    }

    fn order(queue: &Queue) -> Vec<(u8, u8)> {
        let Next::Group(jobs) = queue.next(None) else { panic!("there are jobs") };
        let number = |job: &Job| match job.commit.ops[0] {
            Op::Put { place, .. } => place.kind,
            _ => 0,
        };
        jobs.iter().map(|job| (job.commit.tag.0[0], number(job))).collect()
    }

    #[test]
    fn tags_take_turns_and_keep_their_own_order() {
        let queue = Queue::default();
        for (tag, number) in [(1, 0), (1, 1), (1, 2), (2, 0), (3, 0), (3, 1)] {
            assert!(queue.push(job(tag, number, 1)).is_ok());
        }
        assert_eq!(order(&queue), [(1, 0), (2, 0), (3, 0), (1, 1), (3, 1), (1, 2)]);
    }

    #[test]
    fn a_busy_tag_does_not_keep_others_out_of_the_next_group() {
        let queue = Queue::default();
        for number in 0..=255 {
            assert!(queue.push(job(1, number, 2_000)).is_ok());
        }
        assert!(queue.push(job(2, 0, 2_000)).is_ok());
        assert!(order(&queue).contains(&(2, 0)));
        assert!(order(&queue).iter().all(|(tag, _)| *tag == 1));
    }

    #[test]
    fn closing_hands_out_what_waits_and_then_ends() {
        let queue = Queue::default();
        assert!(queue.push(job(1, 0, 1)).is_ok());
        queue.close();
        assert!(queue.push(job(1, 1, 1)).is_err());
        assert_eq!(order(&queue), [(1, 0)]);
        assert!(matches!(queue.next(None), Next::Closed));
    }
}
