//! Whether the store runs, and who waits for what is being committed. A failure is for good: after a failed fsync
//! nobody knows what the disk holds, so nothing is tried again.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use parking_lot::{Condvar, Mutex};
use tokio::sync::oneshot;

use super::queue::{Answer, Queue};
use crate::engine::CommitError;

/// What would be written now, nobody would find.
pub(super) const GONE: &str = "the store's directory, or a file of it, was removed, moved or replaced while it is open";

/// A group that takes longer is not coming back.
const PATIENCE: Duration = Duration::from_secs(10);
const LOOK_EVERY: Duration = Duration::from_secs(1);

#[derive(Default)]
struct InFlight {
    since: Option<Instant>,
    waiters: Vec<Option<oneshot::Sender<Answer>>>,
}

/// See the module.
#[derive(Default)]
pub(super) struct Status {
    is_closed: AtomicBool,
    has_failed: AtomicBool,
    reads_are_off: AtomicBool,
    problems: Mutex<Vec<String>>,
    in_flight: Mutex<InFlight>,
    watch: Mutex<bool>,
    watch_changed: Condvar,
}

impl Status {
    pub(super) fn is_closed(&self) -> bool {
        self.is_closed.load(Ordering::Acquire)
    }

    /// From here on every call is refused. Whether it was open.
    pub(super) fn set_closed(&self) -> bool {
        !self.is_closed.swap(true, Ordering::AcqRel)
    }

    pub(super) fn has_failed(&self) -> bool {
        self.has_failed.load(Ordering::Acquire)
    }

    pub(super) fn reads_are_off(&self) -> bool {
        self.reads_are_off.load(Ordering::Acquire)
    }

    /// Something an operator should know.
    pub(super) fn note(&self, problem: &str) {
        let mut problems = self.problems.lock();
        if !problems.iter().any(|known| known == problem) {
            problems.push(problem.to_owned());
        }
    }

    pub(super) fn problems(&self) -> Vec<String> {
        self.problems.lock().clone()
    }

    /// Stops for good: no more commits. Those that wait in the queue certainly did not happen.
    pub(super) fn fail(&self, problem: &str, queue: &Queue) {
        self.note(problem);
        self.has_failed.store(true, Ordering::Release);
        for job in queue.close_and_drain() {
            let _ = job.answer.send(Err(CommitError::Unavailable));
        }
    }

    /// What can be read may be half of a commit.
    pub(super) fn turn_reads_off(&self) {
        self.reads_are_off.store(true, Ordering::Release);
    }

    /// A group is being committed for these.
    pub(super) fn begin(&self, waiters: Vec<Option<oneshot::Sender<Answer>>>) {
        *self.in_flight.lock() = InFlight { since: Some(Instant::now()), waiters };
    }

    /// Answers some of the group, by number.
    pub(super) fn answer(&self, answers: impl IntoIterator<Item = (usize, Answer)>) {
        let mut in_flight = self.in_flight.lock();
        for (number, answer) in answers {
            if let Some(waiter) = in_flight.waiters.get_mut(number).and_then(Option::take) {
                let _ = waiter.send(answer);
            }
        }
    }

    /// The group is done; whoever has no answer yet gets this one.
    pub(super) fn end(&self, rest: CommitError) {
        let mut in_flight = self.in_flight.lock();
        in_flight.since = None;
        for waiter in in_flight.waiters.drain(..).flatten() {
            let _ = waiter.send(Err(rest.clone()));
        }
    }

    /// Looks after the committer until [`Status::end_watch`]: one that hangs is given up.
    pub(super) fn watch(&self, queue: &Queue) {
        let mut is_over = self.watch.lock();
        while !*is_over {
            self.watch_changed.wait_for(&mut is_over, LOOK_EVERY);
            let hangs = self.in_flight.lock().since.is_some_and(|since| since.elapsed() > PATIENCE);
            if hangs {
                self.fail("the disk does not answer", queue);
                self.end(CommitError::OutcomeUnknown);
            }
        }
    }

    pub(super) fn end_watch(&self) {
        *self.watch.lock() = true;
        self.watch_changed.notify_all();
    }
}
