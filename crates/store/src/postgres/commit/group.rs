//! Group commit: commits of a tag that arrive while another of it is in progress wait, and are then applied together: one transaction, one
//! sync, at most two round trips for all. Tags do not wait for each other, except for connections.

use std::sync::Arc;

use tokio::sync::oneshot;

use super::groups::Waiting;
use crate::engine::{Commit, CommitError, Tag, Version};
use crate::postgres::shared::Shared;
use crate::stage::check_sizes;

/// Applies a commit, together with others of its tag that wait.
pub(in crate::postgres) async fn commit(shared: &Arc<Shared>, commit: Commit) -> Result<Version, CommitError> {
    check_sizes(&commit)?;
    let tag = commit.tag;
    let (answer, answered) = oneshot::channel();
    if shared.groups.join(Waiting { commit, answer }) {
        tokio::spawn(work(Working { shared: Arc::clone(shared), tag }));
    }
    answered.await.unwrap_or(Err(CommitError::OutcomeUnknown))
}

/// The worker of a tag. If it panics, the waiting commits get an error.
struct Working {
    shared: Arc<Shared>,
    tag: Tag,
}

impl Drop for Working {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.shared.groups.remove(self.tag);
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
        for (answer, waiting) in super::run(shared, &commits).await.into_iter().zip(waiting) {
            // The caller may have gone.
            let _ = waiting.send(answer);
        }
    }
}
