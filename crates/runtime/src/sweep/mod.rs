//! The sweeper: removes expired rows and the journals behind them, expires undecided approvals, and finishes
//! interrupted erases.

pub(crate) mod journals;

use std::collections::HashSet;
use std::sync::{Arc, Weak};
use std::time::{Duration, Instant};

use bailiwick_model::{Error, Kind, Result};
use bailiwick_tenancy::{DueTask, Promptness, Store, Swept, TaskDone};

use futures_util::future::BoxFuture;

use crate::handle::TenantHandle;
use crate::work;

/// The pause between two rounds.
const PAUSE: Duration = Duration::from_secs(60);
/// The period of the housekeeping lease in milliseconds, if several processes have the store open: a process that has
/// ended misses two rounds.
const LEASE_MS: u64 = 150_000;
/// Tasks read at once.
const TASKS: usize = 256;

/// Does all due tasks of a store. A damaged tenant does not keep those of others undone.
///
/// # Errors
/// The first failure, after all other tasks are done.
pub fn sweep(store: &Arc<Store>, promptness: Promptness) -> BoxFuture<'_, Result<Swept>> {
    Box::pin(async move {
        let (mut swept, began) = (Swept::default(), Instant::now());
        let outcome = do_due(store, promptness, &mut swept).await;
        store.note_swept(swept, u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX));
        outcome.map(|()| swept)
    })
}

async fn do_due(store: &Arc<Store>, promptness: Promptness, swept: &mut Swept) -> Result<()> {
    let mut failure = None;
    while store.wake_legacy().await? {}
    let mut tried = HashSet::new();
    loop {
        // Failed tasks stay due, so more than those are requested.
        let tasks = store.due_tasks(promptness, TASKS + tried.len()).await?;
        let fresh: Vec<DueTask> = tasks.into_iter().filter(|task| tried.insert(task.identity())).collect();
        if fresh.is_empty() {
            if let Err(error) = work::collapse(store).await {
                failure.get_or_insert(error);
            }
            return failure.map_or(Ok(()), Err);
        }
        for task in fresh {
            if let Err(error) = one(store, task, swept).await {
                failure.get_or_insert(error);
            }
        }
    }
}

async fn one(store: &Arc<Store>, task: DueTask, swept: &mut Swept) -> Result<()> {
    if task.is_search_for_runs() {
        if let Some((scope, tenant)) = store.owner_of(task).await? {
            work::announce_suspended(&TenantHandle::of_owner(scope, tenant)).await?;
        }
    } else if let Some((kind, scope, tenant)) = store.tenant_of(task).await? {
        let handle = TenantHandle::of_owner(scope, tenant);
        let done = match kind {
            Kind::Approvals => handle.approvals().expire().await.map(|expired| swept.expired_approvals += expired),
            _ => journals::sweep_all(&handle, kind).await.map(|removed| swept.removed += removed),
        };
        match done {
            // Erased meanwhile: nothing of the tenant is left to do. If the store is closed, the task itself fails.
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

/// Sweeps a store once a minute until it is closed. Returns at once if this process sweeps it already, or if its clock
/// stands still. Waits while another process holds the housekeeping lease.
pub fn keep_swept(store: Weak<Store>) -> BoxFuture<'static, ()> {
    Box::pin(async move {
        if !store.upgrade().is_some_and(|store| store.become_housekeeper()) {
            return;
        }
        while let Some(store) = store.upgrade() {
            // The next round retries a failure; health() reports the state of the store.
            if store.renew_housekeeping_lease(LEASE_MS).await.unwrap_or(false) {
                let _ = sweep(&store, Promptness::Gathered).await;
            }
            let closed = store.closed();
            drop(store);
            if tokio::time::timeout(PAUSE, closed).await.is_ok() {
                return;
            }
        }
    })
}
