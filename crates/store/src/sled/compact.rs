//! Giving back the space of replaced and removed rows at once.

use std::sync::Arc;

use tokio::sync::oneshot;

use super::engine::spawn;
use super::shared::Shared;
use crate::engine::{CommitError, Compacted, Tag};

/// Whose turn it waits for: that of the store.
const STORE: Tag = Tag([0; 32]);

/// See [`crate::Engine::compact`].
pub(in crate::sled) async fn compact(shared: &Arc<Shared>) -> Result<Option<Compacted>, CommitError> {
    shared.maintain(STORE, |committer, _| committer.apply_log()).await?;
    let (done, compacted) = oneshot::channel();
    let tree = Arc::clone(&shared.tree);
    let before = tree.bytes();
    let merge = move || drop(done.send(tree.merger().merge_all().map(|()| tree.bytes())));
    spawn("compact", merge).map_err(|_| CommitError::Unavailable)?;
    let after = compacted.await.unwrap_or(Err(CommitError::Unavailable))?;
    Ok(Some(Compacted { before, after }))
}
