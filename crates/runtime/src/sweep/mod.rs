//! The sweeper: removes expired rows and the journals behind them, records undecided approvals as expired, and finishes erases
//! that were cut off.

use std::collections::HashSet;
use std::sync::{Arc, Weak};
use std::time::Duration;

use bailiwick_model::spec::{Limits, Retention};
use bailiwick_model::{Error, Kind, Result};
use bailiwick_tenancy::{DueTask, Promptness, Store, TaskDone};

use crate::catalogue::Catalogue;
use crate::handle::TenantHandle;
use crate::leftover;

/// The pause between two rounds.
const PAUSE: Duration = Duration::from_secs(60);
/// The housekeeping lease in milliseconds, where several processes have the store open: a process that ended misses two
/// rounds.
const LEASE_MS: u64 = 150_000;
/// Tasks read at once.
const TASKS: usize = 256;

/// The work of one sweep.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Swept {
    /// Expired rows that were removed, with the journals of deleted threads and runs.
    pub removed: u64,
    /// Approvals that were recorded as expired in the ledger.
    pub expired_approvals: u64,
    /// Erases that had been cut off and are finished now.
    pub erased: u64,
}

/// Does all due chores of a store. A damaged tenant does not keep the others from theirs.
///
/// # Errors
/// The first failure, once everything else was done.
pub async fn sweep(store: &Arc<Store>, promptness: Promptness) -> Result<Swept> {
    let (mut swept, mut failure) = (Swept::default(), None);
    while store.wake_legacy_threads().await? {}
    let mut tried = HashSet::new();
    loop {
        // Those that have failed stay due, so that more must be asked for than they are.
        let tasks = store.due_tasks(promptness, TASKS + tried.len()).await?;
        let fresh: Vec<DueTask> = tasks.into_iter().filter(|task| tried.insert(task.identity())).collect();
        if fresh.is_empty() {
            return failure.map_or(Ok(swept), Err);
        }
        for task in fresh {
            if let Err(error) = one(store, task, &mut swept).await {
                failure.get_or_insert(error);
            }
        }
    }
}

async fn one(store: &Arc<Store>, task: DueTask, swept: &mut Swept) -> Result<()> {
    if let Some((kind, scope, tenant)) = store.tenant_of(task).await? {
        let (catalogue, limits, retention) = (Arc::new(Catalogue::empty()), Limits::default(), Retention::default());
        let handle = TenantHandle::of_scope(scope, tenant, catalogue, limits, retention);
        let done = match kind {
            Kind::Approvals => handle.approvals().expire().await.map(|expired| swept.expired_approvals += expired),
            _ => leftover::sweep_all(&handle, kind).await.map(|removed| swept.removed += removed),
        };
        match done {
            // Erased meanwhile: there is nothing of the tenant to look after. Of a closed store the task itself tells.
            Err(Error::Closed(_)) => {}
            done => done?,
        }
    }
    match store.run_task(task).await? {
        TaskDone::Swept(rows) => swept.removed += rows,
        TaskDone::Erased(tenants) => swept.erased += tenants,
    }
    Ok(())
}

/// Sweeps a store once a minute until it is closed. Returns at once if this process sweeps it already, or if its clock stands
/// still. While another process holds the housekeeping lease, this one waits.
pub async fn keep_swept(store: Weak<Store>) {
    if !store.upgrade().is_some_and(|store| store.become_housekeeper()) {
        return;
    }
    while let Some(store) = store.upgrade() {
        // A failure is retried in the next round; health() reports the state of the store.
        if store.renew_housekeeping_lease(LEASE_MS).await.unwrap_or(false) {
            let _ = sweep(&store, Promptness::Gathered).await;
        }
        let closed = store.closed();
        drop(store);
        if tokio::time::timeout(PAUSE, closed).await.is_ok() {
            return;
        }
    }
}
