//! Finds a tenant's runs that can go on.

use std::collections::HashSet;
use std::sync::Arc;

use bailiwick_model::Result;
use bailiwick_tenancy::{Access, Change, Durability, Record};
use serde::Serialize;

use super::{Postponed, due, list, not_due};
use crate::handle::TenantHandle;
use crate::runs::{RunHead, RunStatus, filtered, run_name};
use crate::sweep::journals::unconditional;

/// Rows read at once.
const ROWS: usize = 100;
/// Rows of runs that have ended that are removed at once.
const REMOVED: usize = 256;

/// Why a run can go on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum WorkReason {
    /// What it waited for has ended: an approval was decided, a wait was settled, a time came.
    Settled,
    /// The process that worked at it has ended or given it up.
    Interrupted,
    /// It was queued, and its thread is free or its time has come.
    Queued,
}

/// A run that can go on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct DueRun {
    /// The run.
    pub run_id: String,
    /// Since when it can, in epoch milliseconds.
    pub due_at: u64,
    /// The time of its row on the list, in epoch microseconds, if it has one. Pass it to `Runs::take_up`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub row: Option<u64>,
    /// Why.
    pub reason: WorkReason,
}

/// What a tenant has.
#[derive(Default)]
pub(super) struct Found {
    /// Runs that can go on here and now, those of the list first, the earliest first.
    pub(super) runs: Vec<DueRun>,
    /// There are more of them.
    pub(super) has_more: bool,
    /// Whether the tenant must be looked at again: it has a run at work, or a row that is not removed.
    pub(super) is_busy: bool,
}

/// A search, at one time.
struct Search<'a> {
    handle: &'a TenantHandle,
    access: &'a Access,
    postponed: Arc<Postponed>,
    now: u64,
    most: usize,
    seen: HashSet<String>,
    found: Found,
}

/// Finds at most `most` runs that can go on by `until`, in epoch milliseconds. Rows of runs that have ended are removed.
///
/// # Errors
/// `StoreCorrupt` for a damaged record, and those of the store.
pub(super) async fn find(handle: &TenantHandle, access: &Access, until: u64, most: usize) -> Result<Found> {
    let postponed = handle.scope.shared::<Postponed>();
    let (now, seen, found) = (access.now(), HashSet::new(), Found::default());
    let mut search = Search { handle, access, postponed, now, most, seen, found };
    search.listed(until).await?;
    search.running().await?;
    Ok(search.found)
}

impl Search<'_> {
    /// Reads the list.
    async fn listed(&mut self, until: u64) -> Result<()> {
        let last = until.saturating_mul(1000).saturating_add(999);
        let mut cursor: Option<String> = None;
        let mut ended = Vec::new();
        while !self.found.has_more {
            let page = self.access.record_page(&list(), ROWS, cursor.as_deref()).await?;
            let rows = page.records.into_iter().map(|(micros, record)| (u64::MAX - micros, record));
            let rows: Vec<(u64, Option<Arc<Record>>)> = rows.take_while(|(at, _)| *at <= last).collect();
            let is_last = rows.len() < ROWS;
            let mut heads = Vec::with_capacity(rows.len());
            for (at, record) in rows {
                let Some(record) = record else { continue };
                let head = RunHead::read(&record.body)?;
                if head.status.is_end() && !head.has_left_calls() {
                    ended.push(not_due(run_name(self.access, &head.run_id), at));
                } else {
                    heads.push((Some(at), head));
                }
            }
            self.add(heads).await?;
            match page.cursor.filter(|_| !is_last) {
                Some(next) => cursor = Some(next),
                None => break,
            }
        }
        for rows in ended.chunks(REMOVED) {
            let limits = &self.handle.engine_limits;
            unconditional(self.access.commit(rows.to_vec(), limits, Durability::Relaxed).await?)?;
        }
        Ok(())
    }

    /// Reads the list of running runs.
    async fn running(&mut self) -> Result<()> {
        let mut cursor: Option<String> = None;
        while !self.found.has_more {
            let running = filtered("status", RunStatus::Running.name());
            let page = self.access.record_page(&running, ROWS, cursor.as_deref()).await?;
            let mut heads = Vec::with_capacity(page.records.len());
            for record in page.records.into_iter().filter_map(|(_, record)| record) {
                let head = RunHead::read(&record.body)?;
                if head.status == RunStatus::Running {
                    heads.push((None, head));
                }
            }
            self.add(heads).await?;
            match page.cursor {
                Some(next) => cursor = Some(next),
                None => break,
            }
        }
        Ok(())
    }

    /// Adds those that can be taken up, each with the time of its row if it has one.
    async fn add(&mut self, found: Vec<(Option<u64>, RunHead)>) -> Result<()> {
        let (rows, heads): (Vec<Option<u64>>, Vec<RunHead>) = found.into_iter().unzip();
        self.found.is_busy |= !heads.is_empty();
        let at_work = self.handle.runs().at_work(self.access, &heads).await?;
        for ((row, head), is_at_work) in rows.into_iter().zip(heads).zip(at_work) {
            if is_at_work || self.postponed.is_paused(&head.run_id, self.now) || !self.seen.insert(head.run_id.clone())
            {
                continue;
            }
            if self.found.runs.len() == self.most {
                self.found.has_more = true;
                return Ok(());
            }
            let reason = match head.status {
                RunStatus::Queued => WorkReason::Queued,
                RunStatus::Running => WorkReason::Interrupted,
                _ => WorkReason::Settled,
            };
            let due_at = row.map_or(head.updated_at, |at| at / 1000);
            self.found.runs.push(DueRun { run_id: head.run_id, due_at, row, reason });
        }
        Ok(())
    }
}

/// Puts every suspended run of a tenant of an earlier version on the list, and makes the tenant due. Those that still wait are taken
/// off it again once they were looked at.
///
/// # Errors
/// Those of the store.
pub(crate) async fn announce_suspended(handle: &TenantHandle) -> Result<()> {
    let Some(access) = handle.scope.existing().await? else { return Ok(()) };
    let mut cursor: Option<String> = None;
    loop {
        let suspended = filtered("status", RunStatus::Suspended.name());
        let page = access.page(&suspended, ROWS, cursor.as_deref()).await?;
        let now = access.now();
        let until = handle.runs().unfinished_until(&access)?;
        let rows = page.names.into_iter().flat_map(|(_, name)| due(&access, name, now, until));
        let changes: Vec<Change> = rows.chain([Change::WakeWork { at: now }]).collect();
        unconditional(access.commit(changes, &handle.engine_limits, Durability::Relaxed).await?)?;
        match page.cursor {
            Some(next) => cursor = Some(next),
            None => return Ok(()),
        }
    }
}
