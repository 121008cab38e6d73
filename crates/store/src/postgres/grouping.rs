//! Commits of a tag that come while another of it is under way wait for it, and then go together: one transaction, one
//! sync, at most two trips for all. Tags do not wait for each other, but for connections in turn.

use std::collections::hash_map::Entry;
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

/// The commits that wait, by tag. A tag is in it while somebody works on it.
#[derive(Default)]
pub(super) struct Groups(Mutex<HashMap<Tag, VecDeque<Waiting>>>);

impl Groups {
    /// Whether nobody works on the tag yet.
    fn join(&self, waiting: Waiting) -> bool {
        match self.0.lock().entry(waiting.commit.tag) {
            Entry::Occupied(mut queue) => {
                queue.get_mut().push_back(waiting);
                false
            }
            Entry::Vacant(queue) => {
                queue.insert(VecDeque::from([waiting]));
                true
            }
        }
    }

    /// What goes next; empty if nothing waits, and then nobody works on the tag any more.
    fn next(&self, tag: Tag) -> Vec<Waiting> {
        let mut groups = self.0.lock();
        let Some(queue) = groups.get_mut(&tag) else { return Vec::new() };
        let (mut group, mut ops, mut bytes) = (Vec::new(), 0, 0);
        let mut touched = HashSet::new();
        while let Some(waiting) = queue.front() {
            ops += waiting.commit.ops.len();
            bytes += waiting.commit.ops.iter().map(value_bytes).sum::<usize>();
            let places: Vec<Place> = waiting.commit.ops.iter().filter_map(commit::place).collect();
            let is_apart = places.iter().all(|place| !touched.contains(place));
            if !group.is_empty() && (ops > MOST_OPS || bytes > MOST_BYTES || !is_apart) {
                break;
            }
            touched.extend(places);
            group.extend(queue.pop_front());
        }
        if group.is_empty() {
            groups.remove(&tag);
        }
        group
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
        tokio::spawn(work(Working { shared: Arc::clone(shared), tag }));
    }
    answered.await.unwrap_or(Err(CommitError::OutcomeUnknown))
}

/// Whoever works on a tag. If that ends by a panic, those who wait learn that they wait for nothing.
struct Working {
    shared: Arc<Shared>,
    tag: Tag,
}

impl Drop for Working {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.shared.groups.0.lock().remove(&self.tag);
        }
    }
}

async fn work(working: Working) {
    let Working { shared, tag } = &working;
    loop {
        let (commits, waiting): (Vec<_>, Vec<_>) =
            shared.groups.next(*tag).into_iter().map(|waiting| (waiting.commit, waiting.answer)).unzip();
        if commits.is_empty() {
            return;
        }
        for (answer, waiting) in commit::run(shared, &commits).await.into_iter().zip(waiting) {
            // Whoever does not wait any more does not want to know.
            let _ = waiting.send(answer);
        }
    }
}
