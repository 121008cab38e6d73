//! Tenants that are due for work: a run of theirs may go on. A commit that lets a run go on makes its tenant due
//! ([`Change::WakeWork`](crate::Change)); which run it is, the tenant's own rows say.

use std::sync::Arc;

use bailiwick_model::{Result, Tenant};
use bailiwick_store::{Due, Kinds, Promptness};

use super::sweep::DueTask;
use crate::errors;
use crate::rows::internal::WORK;
use crate::tenant::scope::{Access, Scope};
use crate::tenant::store::Store;

impl Store {
    /// Lists tenants that are due for work, the longest due first; at most `limit`. In a store of one process, the first call looks
    /// `margin` milliseconds ahead, for the leases of the process before have no holder any more; further calls do so until
    /// [`Store::has_named_all_work`].
    ///
    /// # Errors
    /// Those of the store.
    pub async fn due_work(&self, margin: u64, limit: usize) -> Result<Vec<DueTask>> {
        let until = self.work.until(self.clock.millis(), margin, !self.engine.is_shared());
        self.due_work_until(until, limit).await
    }

    /// Records that all the tenants that were due have been named and dealt with.
    pub fn has_named_all_work(&self) {
        self.work.caught_up();
    }

    /// Lists tenants that have been due for work since a time before `until`, in epoch milliseconds.
    ///
    /// # Errors
    /// Those of the store.
    pub async fn due_work_until(&self, until: u64, limit: usize) -> Result<Vec<DueTask>> {
        let dues = self.engine.due(until, Kinds::Only(WORK), Promptness::Now, limit).await.map_err(errors::read)?;
        Ok(dues.into_iter().map(|due| DueTask { due, now: until }).collect())
    }

    /// Ends that these tenants are due for work since a time until `until`, in epoch milliseconds.
    ///
    /// # Errors
    /// Those of the store.
    pub async fn no_work_until(&self, until: u64, tasks: &[DueTask]) -> Result<()> {
        let dues = tasks.iter().map(|task| task.due).collect();
        self.engine.forget_wakes(dues, until).await.map_err(errors::commit)
    }

    /// Returns the tenant of a task. `None`: it was erased.
    ///
    /// # Errors
    /// `StoreCorrupt` if the tenant's keys or its owner row are corrupt, and those of the store.
    pub async fn owner_of(self: &Arc<Self>, task: DueTask) -> Result<Option<(Scope, Tenant)>> {
        self.owner(task.due.tag).await
    }

    /// Resolves once a commit of this process makes a tenant due for work. Such a commit counts from this call on.
    pub fn work_came(&self) -> impl Future<Output = ()> + '_ {
        self.work.notified()
    }
}

impl Access {
    /// Ends that the tenant is due for work since a time until `until`, in epoch milliseconds.
    ///
    /// # Errors
    /// Those of the store.
    pub async fn no_work_until(&self, until: u64) -> Result<()> {
        let due = Due { tag: self.keys.tag, kind: WORK };
        self.state.store.engine.forget_wakes(vec![due], until).await.map_err(errors::commit)
    }
}
