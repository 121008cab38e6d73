//! The status of a store: open, closed or failed, and the callers of the group that is being committed. A failure is permanent: after a
//! failed fsync the content of the disk is unknown, so nothing is retried.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use parking_lot::{Condvar, Mutex};
use tokio::sync::oneshot;

use crate::engine::CommitError;
use crate::sled::writer::queue::{Answer, Queue};

/// The problem of a directory whose path no longer leads to it: what is written there would be lost.
pub(in crate::sled) const GONE: &str =
    "the store's directory, or a file of it, was removed, moved or replaced while it is open";

/// A group that takes longer is considered hung.
const PATIENCE: Duration = Duration::from_secs(10);
const LOOK_EVERY: Duration = Duration::from_secs(1);

#[derive(Default)]
struct InFlight {
    since: Option<Instant>,
    waiters: Vec<Option<oneshot::Sender<Answer>>>,
}

/// The status of a store.
#[derive(Default)]
pub(in crate::sled) struct Status {
    is_closed: AtomicBool,
    has_failed: AtomicBool,
    reads_are_off: AtomicBool,
    problems: Mutex<Vec<String>>,
    in_flight: Mutex<InFlight>,
    /// The time of the applier's last step, while it has a round.
    step: Mutex<Option<Instant>>,
    watchdog_ends: Mutex<bool>,
    watchdog_changed: Condvar,
}

impl Status {
    pub(in crate::sled) fn is_closed(&self) -> bool {
        self.is_closed.load(Ordering::Acquire)
    }

    /// Closes the store: every later call fails. Returns whether it was open.
    pub(in crate::sled) fn set_closed(&self) -> bool {
        !self.is_closed.swap(true, Ordering::AcqRel)
    }

    pub(in crate::sled) fn has_failed(&self) -> bool {
        self.has_failed.load(Ordering::Acquire)
    }

    pub(in crate::sled) fn reads_are_off(&self) -> bool {
        self.reads_are_off.load(Ordering::Acquire)
    }

    /// Adds a problem for the operator.
    pub(in crate::sled) fn note(&self, problem: &str) {
        let mut problems = self.problems.lock();
        if !problems.iter().any(|known| known == problem) {
            problems.push(problem.to_owned());
        }
    }

    pub(in crate::sled) fn problems(&self) -> Vec<String> {
        self.problems.lock().clone()
    }

    /// Stops all commits permanently. Those in the queue fail, and were not applied.
    pub(in crate::sled) fn fail<M>(&self, problem: &str, queue: &Queue<M>) {
        self.note(problem);
        self.has_failed.store(true, Ordering::Release);
        for job in queue.close_and_drain() {
            let _ = job.answer.send(Err(CommitError::Unavailable));
        }
    }

    /// Stops all reads: the tree may contain half of a commit.
    pub(in crate::sled) fn turn_reads_off(&self) {
        self.reads_are_off.store(true, Ordering::Release);
    }

    /// Begins a group for these callers.
    pub(in crate::sled) fn begin(&self, waiters: Vec<Option<oneshot::Sender<Answer>>>) {
        *self.in_flight.lock() = InFlight { since: Some(Instant::now()), waiters };
    }

    /// Answers some callers of the group, by number.
    pub(in crate::sled) fn answer(&self, answers: impl IntoIterator<Item = (usize, Answer)>) {
        let mut in_flight = self.in_flight.lock();
        for (number, answer) in answers {
            if let Some(waiter) = in_flight.waiters.get_mut(number).and_then(Option::take) {
                let _ = waiter.send(answer);
            }
        }
    }

    /// Ends the group. Callers without an answer get this error.
    pub(in crate::sled) fn end(&self, rest: CommitError) {
        let mut in_flight = self.in_flight.lock();
        in_flight.since = None;
        for waiter in in_flight.waiters.drain(..).flatten() {
            let _ = waiter.send(Err(rest.clone()));
        }
    }

    /// Restarts the watchdog's time for the group: it waits for the applier, which makes progress.
    pub(in crate::sled) fn keep_waiting(&self) {
        if let Some(since) = &mut self.in_flight.lock().since {
            *since = Instant::now();
        }
    }

    /// Begins the next step of the applier.
    pub(in crate::sled) fn step(&self) {
        *self.step.lock() = Some(Instant::now());
    }

    /// Ends the last step of a round.
    pub(in crate::sled) fn end_steps(&self) {
        *self.step.lock() = None;
    }

    /// Runs the watchdog until [`Status::end_watchdog`]: fails the store if the committer or the applier hangs.
    pub(in crate::sled) fn run_watchdog<M>(&self, queue: &Queue<M>) {
        let mut is_over = self.watchdog_ends.lock();
        while !*is_over {
            self.watchdog_changed.wait_for(&mut is_over, LOOK_EVERY);
            let is_long_ago = |since: Instant| since.elapsed() > PATIENCE;
            let hangs = self.in_flight.lock().since.is_some_and(is_long_ago);
            if hangs || self.step.lock().is_some_and(is_long_ago) {
                self.fail("the disk does not answer", queue);
                self.end(CommitError::OutcomeUnknown);
            }
        }
    }

    pub(in crate::sled) fn end_watchdog(&self) {
        *self.watchdog_ends.lock() = true;
        self.watchdog_changed.notify_all();
    }
}
