//! Commits waiting for a thread: first come first served within a tag, in turn between tags, by what they cost.

use std::collections::HashMap;
use std::time::Instant;

use bailiwick_model::Turns;
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

/// What an operation costs besides its bytes, in bytes: checking a row and adding it to the tree takes about as long as
/// writing so many bytes of a large value.
const OP_COST: u64 = 4 * 1024;
/// What a tag may spend in its turn: a small group's share, two or three small values.
const QUANTUM: u64 = 32 * 1024;
/// For so many groups a tag is remembered that has nothing more waiting.
const REMEMBERED_GROUPS: u32 = 32;

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

    /// What the thread has to do for it. Bytes that have a file already are none of it; an order takes a whole turn.
    fn cost(&self) -> u64 {
        if self.order.is_some() {
            return QUANTUM;
        }
        let ops = OP_COST.saturating_mul(self.commit.ops.len() as u64);
        let (inline, large) = self.sizes();
        let written = self.large.iter().filter_map(|large| large.placed).map(|at| at.length).sum::<u64>();
        let bytes = (inline as u64).saturating_add(large as u64).saturating_sub(written);
        ops.saturating_add(bytes)
    }
}

struct Waiting {
    jobs: Turns<Tag, Job>,
    /// How many tags have had something waiting at once lately.
    around: usize,
    /// For how many more groups that is remembered.
    remembered: u32,
    is_closed: bool,
}

/// See the module.
pub(super) struct Queue {
    waiting: Mutex<Waiting>,
    changed: Condvar,
}

impl Default for Queue {
    fn default() -> Self {
        let waiting = Waiting { jobs: Turns::new(QUANTUM), around: 0, remembered: 0, is_closed: false };
        Self { waiting: Mutex::new(waiting), changed: Condvar::new() }
    }
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
        waiting.jobs.push(job.commit.tag, job.cost(), job);
        if waiting.jobs.len() == 1 {
            self.changed.notify_one();
        }
        Ok(())
    }

    /// Waits for commits, or until a time.
    pub(super) fn next(&self, until: Option<Instant>) -> Next {
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

    /// Waits for one commit. `None`: nothing more will come.
    pub(super) fn next_one(&self) -> Option<Job> {
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

    /// Takes no more commits. Those that wait are still handed out.
    pub(super) fn close(&self) {
        self.waiting.lock().is_closed = true;
        self.changed.notify_all();
    }

    /// Takes no more commits, and takes away those that wait.
    pub(super) fn close_and_drain(&self) -> Vec<Job> {
        let mut waiting = self.waiting.lock();
        waiting.is_closed = true;
        self.changed.notify_all();
        waiting.jobs.drain()
    }
}

impl Waiting {
    /// What is next until the group is full; always at least one. And until everybody has had a turn, if somebody who was
    /// around has nothing more: whoever gets an answer and asks again is to find a small group before it, and not one
    /// that somebody else has filled meanwhile. When all have plenty, the groups are full.
    fn take_group(&mut self) -> Vec<Job> {
        self.look_around();
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
            let is_enough = is_full || (had_its_turn && self.jobs.lines() < self.around);
            if is_enough && !group.is_empty() {
                break;
            }
            group.extend(self.jobs.pop().map(|(_, job)| job));
        }
        group
    }

    fn look_around(&mut self) {
        self.remembered = self.remembered.saturating_sub(1);
        if self.jobs.lines() >= self.around || self.remembered == 0 {
            self.around = self.jobs.lines();
            self.remembered = REMEMBERED_GROUPS;
        }
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
    fn b9_tags_take_turns_and_keep_their_own_order() {
        let queue = Queue::default();
        let half = (QUANTUM / 2 - OP_COST) as usize;
        for (tag, number) in [(1, 0), (1, 1), (1, 2), (2, 0), (3, 0), (3, 1)] {
            assert!(queue.push(job(tag, number, half)).is_ok());
        }
        assert_eq!(order(&queue), [(1, 0), (1, 1), (2, 0), (3, 0), (3, 1)]);
        assert_eq!(order(&queue), [(1, 2)]);
    }

    fn fill(queue: &Queue, tag: u8) {
        for number in 0..=255 {
            assert!(queue.push(job(tag, number, 500)).is_ok());
        }
    }

    /// More than a tag can have in one turn.
    const MORE_THAN_A_TURN: usize = (QUANTUM / OP_COST) as usize + 1;

    #[test]
    fn b9_a_busy_tag_does_not_keep_others_out_of_the_next_group_and_does_not_fill_it() {
        let queue = Queue::default();
        fill(&queue, 1);
        assert!(queue.push(job(2, 0, 500)).is_ok());
        let first = order(&queue);
        assert!(first.contains(&(2, 0)));
        assert!(first.len() <= 1 + MORE_THAN_A_TURN, "{first:?}");
    }

    #[test]
    fn b9_tags_that_all_have_plenty_fill_their_groups_in_equal_parts() {
        let queue = Queue::default();
        fill(&queue, 1);
        fill(&queue, 2);
        let first = order(&queue);
        let of_one = first.iter().filter(|(tag, _)| *tag == 1).count();
        assert!(first.len() > 4 * MORE_THAN_A_TURN, "{}", first.len());
        assert!(of_one.abs_diff(first.len() - of_one) <= MORE_THAN_A_TURN, "{of_one} of {}", first.len());
    }

    #[test]
    fn b9_a_tag_alone_fills_its_groups_again_once_the_other_is_forgotten() {
        let queue = Queue::default();
        let size_alone = || {
            fill(&queue, 1);
            order(&queue).len()
        };
        assert!(size_alone() > MORE_THAN_A_TURN);
        assert!(queue.push(job(2, 0, 500)).is_ok());
        let sizes: Vec<usize> = (0..REMEMBERED_GROUPS).map(|_| size_alone()).collect();
        assert!(sizes.iter().all(|size| *size <= 1 + MORE_THAN_A_TURN), "{sizes:?}");
        assert!(size_alone() > MORE_THAN_A_TURN);
    }

    #[test]
    fn b9_values_with_files_of_their_own_are_handed_out_in_turn() {
        let queue = Queue::default();
        for (tag, number) in [(1, 0), (1, 1), (1, 2), (2, 0)] {
            assert!(queue.push(job(tag, number, 8 << 20)).is_ok());
        }
        queue.close();
        let tags: Vec<u8> = std::iter::from_fn(|| queue.next_one()).map(|job| job.commit.tag.0[0]).collect();
        assert_eq!(tags, [1, 2, 1, 1]);
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
