//! Commits: changes are lowered to operations, sealed, and applied together.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use bailiwick_model::pace::ahead;
use bailiwick_model::{Kind, Result};
use bailiwick_store::engine::record_key;
use bailiwick_store::{Commit, CommitError, Due, Durability, EngineFuture, Limits, Op, Place, Version, When};

use crate::errors;
use crate::rows;
use crate::rows::change::Change;
use crate::rows::internal::WORK;
use crate::rows::record_cache::Record;
use crate::tenant::scope::Access;

/// The least time between two sweeps for a tenant that is at a limit.
const SWEEP_AT_LIMIT_MS: u64 = 10_000;

/// The outcome of a commit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Committed {
    /// Applied, and as durable as requested.
    Done,
    /// The condition of this change (by index) did not hold. Nothing was written.
    Conflict(usize),
}

impl Access {
    /// Applies all changes or none.
    ///
    /// # Errors
    /// `QuotaExceeded`, `InvalidInput` if it is too large, `StoreUnavailable`, `OutcomeUnknown`, `StoreCorrupt`, `Closed`.
    pub fn commit<'a>(
        &'a self,
        changes: Vec<Change>,
        limits: &'a Limits,
        durability: Durability,
    ) -> EngineFuture<'a, Result<Committed>> {
        Box::pin(async move {
            let (store, tag) = (&self.state.store, self.keys.tag);
            let mut touched = Vec::new();
            let mut ops = Vec::with_capacity(changes.len());
            let needs_owner = changes.iter().any(Change::needs_housekeeping);
            let now = self.now();
            let has_work = changes.iter().any(|change| matches!(change, Change::WakeWork { at } if *at <= now));
            for change in changes {
                ahead(change.weight()).await;
                ops.push(self.lower(change, &mut touched)?);
            }
            if needs_owner {
                ops.extend(self.owner_row()?);
            }
            let commit = Commit { tag, now, ops, limits: limits.clone(), durability };
            match self.commit_within_limits(commit).await {
                Ok(version) => {
                    // A relaxed commit may be lost, and the owner row with it.
                    let is_written = needs_owner && durability == Durability::Sync;
                    self.state.has_owner_row.fetch_or(is_written, Ordering::Relaxed);
                    if has_work {
                        store.work.notify();
                    }
                    for (place, after) in touched {
                        let record = match after {
                            After::Same => continue,
                            After::Gone => None,
                            After::Body(body, expires_at) => Some(Arc::new(Record { version, expires_at, body })),
                        };
                        store.record_cache.committed(tag, place, record);
                    }
                    Ok(Committed::Done)
                }
                Err(error) => {
                    // The cache may be wrong about these places: a conflict says that it is, and a retry must read them again.
                    for (place, _) in touched {
                        store.record_cache.committed(tag, place, None);
                    }
                    match error {
                        CommitError::Conflict { op } => Ok(Committed::Conflict(op)),
                        CommitError::Closed => {
                            self.state.erased_elsewhere();
                            Err(errors::closed())
                        }
                        error => Err(errors::commit(error)),
                    }
                }
            }
        })
    }

    /// Commits. At a limit, expired rows are removed first.
    async fn commit_within_limits(&self, commit: Commit) -> Result<Version, CommitError> {
        let (engine, tag, now) = (&self.state.store.engine, commit.tag, commit.now);
        let is_limited = !commit.limits.items.is_empty() || commit.limits.bytes.is_some();
        let again = is_limited.then(|| commit.clone());
        let (kind, again) = match (engine.commit(commit).await, again) {
            (Err(CommitError::Quota { kind, .. }), Some(again)) if self.may_sweep_at_limit(now) => (kind, again),
            (result, _) => return result,
        };
        let kinds = Kind::ALL.into_iter().map(|kind| kind as u8).filter(|one| kind.is_none_or(|kind| kind == *one));
        for kind in kinds {
            engine.sweep(Due { tag, kind }, now).await?;
        }
        engine.commit(again).await
    }

    /// Limits how often that is done: a sweep reads all rows of a kind.
    fn may_sweep_at_limit(&self, now: u64) -> bool {
        let later = |last: u64| (now >= last.saturating_add(SWEEP_AT_LIMIT_MS)).then_some(now);
        self.state.last_sweep_at_limit.fetch_update(Ordering::Relaxed, Ordering::Relaxed, later).is_ok()
    }

    fn lower(&self, change: Change, touched: &mut Vec<Touched>) -> Result<Op> {
        Ok(match change {
            Change::Write { kind, area, name, body, expires_at, counted, when } => {
                let place = rows::place(kind, area, name);
                let value = self.seal_row(&place, &body)?;
                // A body that is not cached is dropped before the commit waits.
                let is_cached = rows::is_cached(&place) && self.state.store.record_cache.accepts(body.len());
                touched.push((place, if is_cached { After::Body(body, expires_at) } else { After::Gone }));
                Op::Put { place, value: value.into(), expires_at, counted, when }
            }
            Change::Extend { kind, area, name, expires_at } => {
                let place = rows::place(kind, area, name);
                touched.push((place, After::Gone));
                Op::Extend { place, expires_at }
            }
            Change::Delete { kind, area, name, when } => {
                let place = rows::place(kind, area, name);
                touched.push((place, After::Gone));
                Op::Delete { place, when }
            }
            Change::Check { kind, area, name, when } => {
                let place = rows::place(kind, area, name);
                touched.push((place, After::Same));
                Op::Check { place, when }
            }
            Change::List { list, micros, name, expires_at } => {
                let place = self.list_place(&list, micros, name);
                Op::Put { place, value: Default::default(), expires_at, counted: None, when: When::Any }
            }
            Change::Unlist { list, micros, name } => {
                Op::Delete { place: self.list_place(&list, micros, name), when: When::Any }
            }
            Change::Wake { kind, at } => Op::Wake { kind: kind as u8, at },
            Change::WakeWork { at } => Op::Wake { kind: WORK, at },
        })
    }

    /// Returns the row of `owner_row`, unless it is known to exist.
    fn owner_row(&self) -> Result<Option<Op>> {
        let state = &self.state;
        if state.has_owner_row.load(Ordering::Relaxed) {
            return Ok(None);
        }
        state.store.owner_row(self.keys.tag, &state.resource_id, &state.entropy.nonces).map(Some)
    }

    /// Seals `u16be(length) ‖ owner ‖ body`, bound to the store and the record key.
    fn seal_row(&self, place: &Place, body: &[u8]) -> Result<Vec<u8>> {
        let owner = self.state.resource_id.as_bytes();
        let key = record_key(&self.keys.tag, place);
        let length = u16::try_from(owner.len()).map_err(|_| errors::corrupt())?.to_be_bytes();
        self.keys
            .records
            .seal(
                &self.state.entropy.nonces,
                &[&self.state.store.keys.store_id, &key],
                2 + owner.len() + body.len(),
                |out| {
                    out.extend_from_slice(&length);
                    out.extend_from_slice(owner);
                    out.extend_from_slice(body);
                },
            )
            .map_err(|_| errors::corrupt())
    }

    /// Opens a row. Returns `None` and counts an alarm if the row belongs to another tenant. The seal makes that impossible; this is
    /// the last check.
    pub(crate) fn open_row(&self, place: &Place, sealed: &[u8]) -> Result<Option<Vec<u8>>> {
        let key = record_key(&self.keys.tag, place);
        let bound: [&[u8]; 2] = [&self.state.store.keys.store_id, &key];
        let mut plaintext = self.keys.records.open(&bound, sealed).map_err(|_| errors::corrupt())?;
        let (length, rest) = plaintext.split_at_checked(2).ok_or_else(errors::corrupt)?;
        let length = length.iter().fold(0, |sum, byte| (sum << 8) | usize::from(*byte));
        let owner = rest.get(..length).ok_or_else(errors::corrupt)?;
        if owner != self.state.resource_id.as_bytes() {
            self.state.store.alarms.fetch_add(1, Ordering::Relaxed);
            return Ok(None);
        }
        plaintext.drain(..2 + length);
        Ok(Some(plaintext))
    }
}

/// A place of a commit, and its row afterwards.
type Touched = (Place, After);

/// The row of a place after a commit, for the cache.
enum After {
    Same,
    /// Deleted, or not cached.
    Gone,
    /// The new body and its expiry.
    Body(Vec<u8>, Option<u64>),
}
