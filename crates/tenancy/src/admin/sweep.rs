//! Housekeeping: what is due in a store, such as expired rows, interrupted erases, and tenants that asked to be woken.

use std::sync::Arc;

use bailiwick_model::{Kind, Result, Tenant};
use bailiwick_store::{Due, Kinds, Promptness};

use crate::errors;
use crate::rows::internal::{INTERNAL, LEGACY_RUNS, WORK};
use crate::rows::{self, needs_housekeeping};
use crate::tenant::scope::Scope;
use crate::tenant::store::{Store, Swept};

/// A kind of a tenant that is due. It does not reveal the tenant.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct DueTask {
    pub(super) due: Due,
    pub(super) now: u64,
}

/// The result of a task.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TaskDone {
    /// The number of expired rows that were removed.
    Swept(u64),
    /// The number of erases that were finished.
    Erased(u64),
}

impl DueTask {
    /// Until when it was due, in epoch milliseconds.
    pub fn until(&self) -> u64 {
        self.now
    }

    /// Whether the tenant of an earlier version may have runs that can go on.
    pub fn is_search_for_runs(&self) -> bool {
        self.due.kind == LEGACY_RUNS
    }

    /// Returns a value that is the same whenever the same task is listed.
    pub fn identity(&self) -> impl Eq + std::hash::Hash + use<> {
        self.due
    }
}

impl Store {
    /// Lists what is due, the longest due first; at most `limit`.
    ///
    /// # Errors
    /// Those of the store.
    pub async fn due_tasks(&self, promptness: Promptness, limit: usize) -> Result<Vec<DueTask>> {
        let now = self.clock.millis();
        self.record_cache.forget_expired(now);
        let dues = self.engine.due(now, Kinds::AllBut(WORK), promptness, limit).await.map_err(errors::read)?;
        Ok(dues.into_iter().map(|due| DueTask { due, now }).collect())
    }

    /// Returns the tenant and the kind of a task that has more to do than remove rows. `None`: it has not, or the tenant was erased.
    ///
    /// # Errors
    /// `StoreCorrupt` if the tenant's keys or its owner row are corrupt, and those of the store.
    pub async fn tenant_of(self: &Arc<Self>, task: DueTask) -> Result<Option<(Kind, Scope, Tenant)>> {
        let Some(kind) = rows::kind(task.due.kind).filter(|kind| needs_housekeeping(*kind)) else { return Ok(None) };
        let owner = self.owner(task.due.tag).await?;
        Ok(owner.map(|(scope, tenant)| (kind, scope, tenant)))
    }

    /// Keeps the result of a round that took so many milliseconds for [`Store::take_swept`], added to those that are kept already.
    pub fn note_swept(&self, round: Swept, duration_ms: u64) {
        let mut kept = self.swept.lock();
        let (before, duration_before) = kept.unwrap_or_default();
        let sum = Swept {
            removed: before.removed.saturating_add(round.removed),
            expired_approvals: before.expired_approvals.saturating_add(round.expired_approvals),
            erased: before.erased.saturating_add(round.erased),
        };
        *kept = Some((sum, duration_before.saturating_add(duration_ms)));
    }

    /// Takes the result of the rounds in this process since it was taken last, and the milliseconds that they took. `None`: there was no
    /// round.
    pub fn take_swept(&self) -> Option<(Swept, u64)> {
        self.swept.lock().take()
    }

    /// Runs a task.
    ///
    /// # Errors
    /// Those of the store; then the task stays due.
    pub async fn run_task(&self, task: DueTask) -> Result<TaskDone> {
        if task.due.kind == INTERNAL {
            return self.finish_erases(task.due.tag.0).await.map(TaskDone::Erased);
        }
        self.engine.sweep(task.due, task.now).await.map(TaskDone::Swept).map_err(errors::commit)
    }
}
