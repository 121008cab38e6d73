//! Takes work: runs that can go on, for this process to take up.
//!
//! The engine's dues are cleared before the runs are read, and a later due is committed before that, if there is anything to do. So a
//! run that can go on is always due, and nothing is announced that was seen.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bailiwick_model::{Error, Result};
use bailiwick_tenancy::{Access, Change, DueTask, Durability, Store};
use futures_util::future::BoxFuture;
use serde::Serialize;

use super::find::{DueRun, find};
use super::{LATEST_MS, look_again};
use crate::handle::TenantHandle;
use crate::sweep::journals::unconditional;

/// How often a process asks for what others have made due.
const ASKED: Duration = Duration::from_millis(500);
/// Dues of a tenant that are older than this, in milliseconds, are left by hosts: no host runs.
const UNUSED_MS: u64 = 60_000;
/// Tenants whose work is taken together.
const BATCH: usize = 64;
/// Tenants read at once, at least: so many damaged ones do not hide the others.
const TENANTS: usize = 256;

/// The work of one tenant.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct TenantWork {
    /// The tenant.
    pub tenant: String,
    /// Its runs that can go on, those of the list first, the earliest first.
    pub runs: Vec<DueRun>,
    /// There are more: ask with `TenantHandle::work`.
    pub has_more: bool,
}

impl TenantWork {
    /// Returns that a tenant has none.
    pub fn none(handle: &TenantHandle) -> Self {
        Self { tenant: handle.tenant.resource_id().to_owned(), runs: Vec::new(), has_more: false }
    }
}

/// Waits for work, as long as `patience`, and returns it: the tenants that are due, the longest due first, each with at most `each` runs, until there are `most`
/// runs or a few more. They are not due in other processes then. What is returned and not taken up is due again after 20 seconds at most.
///
/// # Errors
/// `Closed` once the store is closed, and those of the store. If a tenant is damaged, its error comes once there is no other work.
pub fn take(
    store: &Arc<Store>,
    most: usize,
    each: usize,
    patience: Duration,
) -> BoxFuture<'_, Result<Vec<TenantWork>>> {
    Box::pin(async move {
        let began = Instant::now();
        loop {
            let came = store.work_came();
            let work = take_now(store, most, each).await?;
            let left = patience.saturating_sub(began.elapsed());
            if !work.is_empty() || left.is_zero() {
                return Ok(work);
            }
            tokio::select! {
                () = came => {}
                () = tokio::time::sleep(left.min(ASKED)) => {}
                () = store.closed() => return Err(Error::Closed("The store is closed.".to_owned())),
            }
        }
    })
}

async fn take_now(store: &Arc<Store>, most: usize, each: usize) -> Result<Vec<TenantWork>> {
    let (mut work, mut runs, mut failure) = (Vec::new(), 0, None);
    let tasks = store.due_work(LATEST_MS, most.max(TENANTS)).await?;
    let is_all = tasks.len() < most.max(TENANTS);
    for batch in tasks.chunks(BATCH) {
        if runs >= most {
            return Ok(work);
        }
        for taken in take_batch(store, batch, each).await? {
            match taken {
                Ok(taken) if taken.runs.is_empty() => {}
                Ok(taken) => {
                    runs += taken.runs.len();
                    work.push(taken);
                }
                Err(error) => _ = failure.get_or_insert(error),
            }
        }
    }
    if is_all {
        store.has_named_all_work();
    }
    match failure {
        Some(error) if work.is_empty() => Err(error),
        _ => Ok(work),
    }
}

/// Takes the work of some tenants. A failure of one concerns no other.
async fn take_batch(store: &Arc<Store>, tasks: &[DueTask], each: usize) -> Result<Vec<Result<TenantWork>>> {
    let (mut opened, mut cleared, mut work) = (Vec::new(), Vec::new(), Vec::new());
    let until = tasks.iter().map(DueTask::until).max().unwrap_or_default();
    for task in tasks {
        match open(store, *task, until).await {
            Ok(tenant) => {
                opened.extend(tenant);
                cleared.push(*task);
            }
            Err(error) => work.push(Err(error)),
        }
    }
    store.no_work_until(until, &cleared).await?;
    for tenant in opened {
        work.push(tenant.take(until, each).await);
    }
    Ok(work)
}

async fn open(store: &Arc<Store>, task: DueTask, until: u64) -> Result<Option<Opened>> {
    match owner(store, task).await? {
        Some(handle) => Opened::new(handle, until).await,
        None => Ok(None),
    }
}

/// A tenant that is due, and will be due again if there is anything.
struct Opened {
    handle: TenantHandle,
    access: Access,
    was_busy: bool,
}

impl Opened {
    async fn new(handle: TenantHandle, until: u64) -> Result<Option<Self>> {
        let Some(access) = handle.scope.existing().await? else { return Ok(None) };
        let was_busy = find(&handle, &access, until, 0).await?.is_busy;
        if was_busy {
            wake(&handle, &access, look_again(until)).await?;
        }
        Ok(Some(Self { handle, access, was_busy }))
    }

    /// Takes what there is, once the dues are cleared: a commit that came between has lost its due.
    async fn take(self, until: u64, most: usize) -> Result<TenantWork> {
        let found = find(&self.handle, &self.access, until, most).await?;
        if found.is_busy && !self.was_busy {
            wake(&self.handle, &self.access, look_again(until)).await?;
        }
        let tenant = self.handle.tenant.resource_id().to_owned();
        Ok(TenantWork { tenant, runs: found.runs, has_more: found.has_more })
    }
}

/// Returns a handle of the tenant of a task. `None`: it was erased, and is no longer due.
async fn owner(store: &Arc<Store>, task: DueTask) -> Result<Option<TenantHandle>> {
    let Some((scope, tenant)) = store.owner_of(task).await? else {
        store.run_task(task).await?;
        return Ok(None);
    };
    Ok(Some(TenantHandle::of_owner(scope, tenant)))
}

impl TenantHandle {
    /// Takes at most `most` of the tenant's runs that can go on, of those that are due by `until` (epoch milliseconds). `None`: it has
    /// never written anything.
    ///
    /// # Errors
    /// `StoreCorrupt` for a damaged record, and those of the store.
    pub fn work(&self, until: u64, most: usize) -> BoxFuture<'_, Result<Option<TenantWork>>> {
        Box::pin(async move {
            let until = until.max(self.scope.now());
            let Some(opened) = Opened::new(self.clone(), until).await? else { return Ok(None) };
            opened.access.no_work_until(until).await?;
            opened.take(until, most).await.map(Some)
        })
    }
}

async fn wake(handle: &TenantHandle, access: &Access, change: Change) -> Result<()> {
    unconditional(access.commit(vec![change], &handle.engine_limits, Durability::Relaxed).await?)
}

/// Makes one due of those that no host takes, so that they do not pile up.
///
/// # Errors
/// The first failure, after all others are done.
pub(crate) async fn collapse(store: &Arc<Store>) -> Result<()> {
    let until = store.now().saturating_sub(UNUSED_MS);
    let (mut tried, mut failure) = (HashSet::new(), None);
    loop {
        let tasks = store.due_work_until(until, tried.len() + TENANTS).await?;
        let fresh: Vec<DueTask> = tasks.into_iter().filter(|task| tried.insert(task.identity())).collect();
        if fresh.is_empty() {
            return failure.map_or(Ok(()), Err);
        }
        for task in fresh {
            if let Err(error) = collapse_one(store, task).await {
                failure.get_or_insert(error);
            }
        }
    }
}

async fn collapse_one(store: &Arc<Store>, task: DueTask) -> Result<()> {
    let Some(handle) = owner(store, task).await? else { return Ok(()) };
    let Some(access) = handle.scope.existing().await? else { return Ok(()) };
    if find(&handle, &access, access.now(), 1).await?.is_busy {
        wake(&handle, &access, Change::WakeWork { at: access.now() }).await?;
    }
    access.no_work_until(task.until()).await
}
