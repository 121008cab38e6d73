//! The commits that wait while another of their tag is in progress.

use std::collections::hash_map::Entry;
use std::collections::{HashMap, HashSet, VecDeque};

use parking_lot::Mutex;
use tokio::sync::oneshot;

use super::plan::place;
use crate::engine::{Commit, CommitError, Op, Place, Tag, Version};

/// The most operations of a group, unless one commit has more.
const MOST_OPS: usize = 1_024;
/// The most bytes of values of a group, unless one commit has more.
const MOST_BYTES: usize = 1024 * 1024;

/// A commit and its caller.
pub(super) struct Waiting {
    pub(super) commit: Commit,
    pub(super) answer: oneshot::Sender<Result<Version, CommitError>>,
}

/// The waiting commits, by tag. A tag has an entry while a worker commits for it.
#[derive(Default)]
pub(in crate::postgres) struct Groups(Mutex<HashMap<Tag, VecDeque<Waiting>>>);

impl Groups {
    /// Adds a commit. Returns whether the caller must start a worker for its tag.
    pub(super) fn join(&self, waiting: Waiting) -> bool {
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

    /// Takes the next group. Empty: nothing waits, and the worker ends.
    pub(super) fn next(&self, tag: Tag) -> Vec<Waiting> {
        let mut groups = self.0.lock();
        let Some(queue) = groups.get_mut(&tag) else { return Vec::new() };
        let (mut group, mut ops, mut bytes) = (Vec::new(), 0, 0);
        let mut touched = HashSet::new();
        while let Some(waiting) = queue.front() {
            ops += waiting.commit.ops.len();
            bytes += waiting.commit.ops.iter().map(value_bytes).sum::<usize>();
            let places: Vec<Place> = waiting.commit.ops.iter().filter_map(place).collect();
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

    /// Drops the waiting commits of a tag.
    pub(super) fn remove(&self, tag: Tag) {
        self.0.lock().remove(&tag);
    }
}

fn value_bytes(op: &Op) -> usize {
    if let Op::Put { value, .. } = op { value.len() } else { 0 }
}
