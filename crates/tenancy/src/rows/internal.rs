//! The rows that a store keeps for itself, sealed with its own key. All are of kind 0, and at most one of each lies below a tag.

use bailiwick_model::Result;
use bailiwick_store::{Commit, CommitError, Durability, Engine, Found, Limits, Op, Place, Row, STORE_SLOT, Tag, When};
use bytes::Bytes;

use crate::errors;

/// The kind byte of these rows.
pub(crate) const INTERNAL: u8 = 0;
/// The kind byte under which a tenant is due for work: a run of it may go on. No row has it.
pub(crate) const WORK: u8 = 0x1f;
/// The kind byte under which a tenant of an earlier version is due for a search for such runs. No row has it.
pub(crate) const LEGACY_RUNS: u8 = 0x1e;
/// The tag of the rows about the store itself.
pub(crate) const STORE_TAG: Tag = Tag(STORE_SLOT);

/// Below the tag of the store: ties the engine to the store's keys.
pub(crate) const STORE: Place = place(0);
/// Below a name tag: the tags of the tenants that have or had this name.
pub(crate) const NAME: Place = place(0);
/// Below a tenant's tag: the tenant's id. A tag and a name tag look alike, so this is another place than [`NAME`].
pub(crate) const OWNER: Place = place(1);
/// Below the tag of the store: the process that does the housekeeping.
pub(crate) const HOUSEKEEPING_LEASE: Place = place(2);
/// Below the tag of the store: the progress of the search for legacy threads.
pub(crate) const LEGACY_THREADS: Place = place(3);

/// Below the tag of the store: the progress of the search for legacy runs.
pub(crate) const LEGACY_RUNS_SEARCH: Place = place(4);

const fn place(item: u8) -> Place {
    Place { kind: INTERNAL, item: [item; 32] }
}

pub(crate) async fn read(engine: &dyn Engine, tag: Tag, place: Place) -> Result<Option<Row>> {
    let found = engine.get(tag, vec![(place, None)], u64::MAX, 0).await.map_err(errors::read)?;
    Ok(match found.into_iter().next() {
        Some(Found::Entry(row)) => Some(row),
        _ => None,
    })
}

/// Returns the operation that writes one row.
pub(crate) fn put(place: Place, value: Bytes, when: When) -> Op {
    Op::Put { place, value, expires_at: None, counted: None, when }
}

/// Commits changes of internal rows. `false`: a condition did not hold.
pub(crate) async fn commit(engine: &dyn Engine, tag: Tag, ops: Vec<Op>, durability: Durability) -> Result<bool> {
    let commit = Commit { tag, now: 0, ops, limits: Limits::default(), durability };
    match engine.commit(commit).await {
        Ok(_) => Ok(true),
        Err(CommitError::Conflict { .. }) => Ok(false),
        Err(error) => Err(errors::commit(error)),
    }
}
