//! Commits of a tag that come while others of it are under way wait for them, and then go together: one transaction, one
//! sync, at most two trips for all. Tags do not wait for each other, but for connections in turn.

use std::collections::{HashMap, HashSet, VecDeque};
use std::sync::Arc;

use parking_lot::Mutex;
use tokio::sync::oneshot;

use super::{Shared, commit};
use crate::engine::{Commit, CommitError, Op, Place, Tag, Version};
use crate::stage::check_sizes;

/// The most operations of a group, unless one commit has more.
const MOST_OPS: usize = 1_024;
/// The most bytes of values of a group, unless one commit has more.
const MOST_BYTES: usize = 1024 * 1024;

/// A commit and who waits for it.
struct Waiting {
    commit: Commit,
    answer: oneshot::Sender<Result<Version, CommitError>>,
}

/// How many groups of a tag are under way at once: while one is synced, the next is on its way.
const AT_ONCE: usize = 2;

/// The commits of a tag.
#[derive(Default)]
struct Line {
    waiting: VecDeque<Waiting>,
    /// What the groups under way touch.
    touched: HashSet<Place>,
    /// How many work on it.
    workers: usize,
}

impl Line {
    fn forget(&mut self, places: &[Place]) {
        for place in places {
            self.touched.remove(place);
        }
    }

    /// One works on it no more. Whether it was the last.
    fn is_left(&mut self) -> bool {
        self.workers = self.workers.saturating_sub(1);
        self.workers == 0
    }
}

/// The commits that wait, by tag. A tag is in it while somebody works on it.
#[derive(Default)]
pub(super) struct Groups(Mutex<HashMap<Tag, Line>>);

impl Groups {
    /// Whether somebody else is to work on the tag.
    fn join(&self, waiting: Waiting) -> bool {
        let mut groups = self.0.lock();
        let line = groups.entry(waiting.commit.tag).or_default();
        line.waiting.push_back(waiting);
        let is_wanted = line.workers < AT_ONCE;
        line.workers += usize::from(is_wanted);
        is_wanted
    }

    /// What goes next, after a group that touched these places; empty if nothing waits but what touches a group under way.
    /// Then whoever asks works on the tag no more: who works on that group does the rest.
    fn next(&self, tag: Tag, done: &[Place]) -> Vec<Waiting> {
        let mut groups = self.0.lock();
        let Some(line) = groups.get_mut(&tag) else { return Vec::new() };
        line.forget(done);
        let (mut group, mut ops, mut bytes) = (Vec::new(), 0, 0);
        while let Some(waiting) = line.waiting.front() {
            ops += waiting.commit.ops.len();
            bytes += waiting.commit.ops.iter().map(value_bytes).sum::<usize>();
            let is_small = group.is_empty() || (ops <= MOST_OPS && bytes <= MOST_BYTES);
            let places: Vec<Place> = waiting.commit.ops.iter().filter_map(commit::place).collect();
            if !is_small || places.iter().any(|place| line.touched.contains(place)) {
                break;
            }
            line.touched.extend(places);
            group.extend(line.waiting.pop_front());
        }
        if group.is_empty() && line.is_left() {
            groups.remove(&tag);
        }
        group
    }

    /// After a panic: those who wait learn that they wait for nothing, unless somebody else works on the tag.
    fn abandon(&self, tag: Tag, touched: &[Place]) {
        let mut groups = self.0.lock();
        let Some(line) = groups.get_mut(&tag) else { return };
        line.forget(touched);
        if line.is_left() {
            groups.remove(&tag);
        }
    }
}

fn value_bytes(op: &Op) -> usize {
    if let Op::Put { value, .. } = op { value.len() } else { 0 }
}

/// Applies a commit, with others of its tag if there are some.
pub(super) async fn commit(shared: &Arc<Shared>, commit: Commit) -> Result<Version, CommitError> {
    check_sizes(&commit)?;
    let tag = commit.tag;
    let (answer, answered) = oneshot::channel();
    if shared.groups.join(Waiting { commit, answer }) {
        tokio::spawn(work(Working { shared: Arc::clone(shared), tag, touched: Vec::new() }));
    }
    answered.await.unwrap_or(Err(CommitError::OutcomeUnknown))
}

/// Whoever works on a tag.
struct Working {
    shared: Arc<Shared>,
    tag: Tag,
    /// What the group under way touches.
    touched: Vec<Place>,
}

impl Drop for Working {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.shared.groups.abandon(self.tag, &self.touched);
        }
    }
}

async fn work(mut working: Working) {
    loop {
        let Working { shared, tag, touched } = &mut working;
        let group = shared.groups.next(*tag, touched);
        if group.is_empty() {
            return;
        }
        let (commits, waiting): (Vec<_>, Vec<_>) =
            group.into_iter().map(|waiting| (waiting.commit, waiting.answer)).unzip();
        *touched = commits.iter().flat_map(|commit| &commit.ops).filter_map(commit::place).collect();
        for (answer, waiting) in commit::run(shared, &commits).await.into_iter().zip(waiting) {
            // Whoever does not wait any more does not want to know.
            let _ = waiting.send(answer);
        }
    }
}
