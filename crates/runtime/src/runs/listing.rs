//! Runs as they are listed and followed.

use std::time::Duration;

use bailiwick_model::names::shown;
use bailiwick_model::{Error, Result};
use bailiwick_tenancy::{Access, Area, List, Name, PAGE_BYTES, bad_cursor, check_limit};

use super::entry::Entry;
use super::head::{KIND, RunHead, RunStatus, filtered, run_name};
use super::journal::{load, read_before, read_entries, read_from, read_head};
use super::live::{RunPage, RunPosition, Shown};
use super::usage::Usage;
use crate::handle::TenantHandle;
use crate::page::Page;

/// How many blocks a follower reads at once.
const BLOCKS: usize = 32;
/// How many rows are looked at for one page, for filters that have no list of their own.
const LOOKED_AT: usize = 1000;
/// How often a follower looks for what another process may have done.
const LOOKED_AGAIN: Duration = Duration::from_millis(250);

/// Which runs to list.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RunFilter {
    /// How they stand: a word of the API, `interrupted` included.
    pub status: Option<String>,
    /// On which thread.
    pub thread_id: Option<String>,
    /// Who asked.
    pub actor: Option<String>,
}

impl RunFilter {
    /// The list with the fewest others.
    fn list(&self) -> Result<List> {
        let status = match self.status.as_deref() {
            None => None,
            Some("interrupted") => Some(RunStatus::Running),
            Some(name) => Some(RunStatus::from_name(name).ok_or_else(|| {
                Error::invalid(format!(
                    "status must be running, interrupted, suspended, completed, limited, failed or cancelled, not {}.",
                    shown(name)
                ))
            })?),
        };
        Ok(match (&self.thread_id, &self.actor, status) {
            (Some(thread_id), _, _) => filtered("thread", thread_id),
            (None, Some(actor), _) => filtered("actor", actor),
            (None, None, Some(status)) => filtered("status", status.name()),
            (None, None, None) => List::all(KIND),
        })
    }

    fn takes(&self, head: &RunHead, is_live: bool) -> bool {
        self.status.as_deref().is_none_or(|status| status == head.shown(is_live))
            && self.thread_id.as_ref().is_none_or(|thread_id| *thread_id == head.thread_id)
            && (self.actor.is_none() || self.actor == head.actor)
    }
}

/// The id of the run with this name. `None` once it has expired.
///
/// # Errors
/// Those of the store.
pub(crate) async fn run_id_of(access: &Access, name: Name) -> Result<Option<String>> {
    let record = access.read(KIND, Area::Record, name).await?;
    record.map(|record| Ok(RunHead::read(&record.body)?.run_id)).transpose()
}

/// The last events of a run before a sequence, oldest first: sequence, time, JSON text.
///
/// # Errors
/// Those of the store.
pub(crate) async fn run_events_before(access: &Access, run_id: &str, end: u64) -> Result<Vec<(u64, u64, String)>> {
    let entries = read_before(access, run_id, end).await?;
    let shown = |(sequence, entry): (u64, Entry)| (sequence, entry.at(), entry.json(run_id, sequence));
    Ok(entries.into_iter().map(shown).collect())
}

impl TenantHandle {
    /// A run as `RunSummary`, JSON text; of a suspended one with `restsAt`, the sequence of the event at which it was.
    ///
    /// # Errors
    /// `NotFound` for every id that is not this tenant's, and those of the store.
    pub async fn run_summary(&self, run_id: &str) -> Result<String> {
        let Some(access) = self.existing().await? else { return Err(Error::NotFound) };
        let (head, _) = read_head(&access, run_id).await?.ok_or(Error::NotFound)?;
        let is_live = self.at_work(&access, std::slice::from_ref(&head)).await?.contains(&true);
        Ok(head.summary_with_rest(is_live))
    }

    /// Lists runs, newest first. With several filters a page may have fewer than `limit` and still go on.
    ///
    /// # Errors
    /// `InvalidInput` for a bad filter, limit or cursor, and those of the store.
    pub async fn list_runs(&self, filter: &RunFilter, limit: usize, cursor: Option<&str>) -> Result<Page> {
        check_limit(limit)?;
        let list = filter.list()?;
        let Some(access) = self.existing().await? else {
            return if cursor.is_some() { Err(bad_cursor()) } else { Ok(Page { items: Vec::new(), cursor: None }) };
        };
        let (mut items, mut cursor, mut looked_at) = (Vec::new(), cursor.map(str::to_owned), 0);
        loop {
            let before = self.held_bytes();
            let page = match access.record_page(&list, limit - items.len(), cursor.as_deref()).await {
                // What there is no room for is on the next page.
                Err(Error::TooMuchInFlight { .. }) if looked_at > 0 => return Ok(Page { items, cursor }),
                page => page?,
            };
            looked_at += page.records.len();
            let mut heads = Vec::new();
            for (micros, record) in page.records {
                let Some(record) = record else { continue };
                heads.extend(Some(RunHead::read(&record.body)?).filter(|head| head.created_micros == micros));
            }
            let at_work = self.at_work(&access, &heads).await?;
            let taken = heads.iter().zip(at_work).filter(|(head, is_live)| filter.takes(head, *is_live));
            let taken: Vec<String> = taken.map(|(head, is_live)| head.summary(is_live)).collect();
            self.give_back_to(before + taken.iter().map(|summary| summary.len() as u64).sum::<u64>());
            items.extend(taken);
            cursor = page.cursor;
            if cursor.is_none() || items.len() == limit || looked_at >= LOOKED_AT {
                return Ok(Page { items, cursor });
            }
        }
    }

    /// Waits until there is something new for a follower of a run at work, and returns it. Of one that is not at work in
    /// this process it returns what is in the journal, which may be nothing; with `patient` it waits then until the run
    /// is gone on with, unless it is over.
    ///
    /// # Errors
    /// `NotFound` for every id that is not this tenant's; with `patient` the `StoreCorrupt` that going on with the run was
    /// refused with; those of the store.
    pub async fn run_events(&self, run_id: &str, position: RunPosition, patient: bool) -> Result<RunPage> {
        let work = async {
            loop {
                let mut begun = self.live_runs().changes();
                begun.mark_unchanged();
                let before = self.held_bytes();
                let page = self.events(run_id, position.clone()).await?;
                if !patient || !page.events.is_empty() || page.over {
                    return Ok(page);
                }
                self.give_back_to(before);
                if let Some(error) = self.live_runs().refusal(run_id) {
                    return Err(error);
                }
                // The sender is in the tenant's shared state, which this handle's scope holds. Another process tells nobody.
                let changed = begun.changed();
                if self.scope.process().is_some() {
                    let _ = tokio::time::timeout(LOOKED_AGAIN, changed).await;
                } else {
                    let _ = changed.await;
                }
            }
        };
        self.scope.unless_closed(&self.closing, work).await
    }

    async fn events(&self, run_id: &str, position: RunPosition) -> Result<RunPage> {
        while let Some(live) = self.live_runs().get(run_id) {
            let mut changes = live.changes();
            changes.mark_unchanged();
            match live.read(&position, &|bytes| self.reserve(bytes))? {
                Some(page) if !page.events.is_empty() => return Ok(page),
                None => return self.journaled(run_id, position, Some(live.committed_before())).await,
                Some(page) if !page.live => break,
                Some(_) => {}
            }
            // The sender is in the run, which this holds.
            let _ = changes.changed().await;
        }
        self.journaled(run_id, position, None).await
    }

    /// What is in the journal for a follower; of a run at work in this process, what comes before `durable`.
    async fn journaled(&self, run_id: &str, position: RunPosition, durable: Option<u64>) -> Result<RunPage> {
        let Some(access) = self.existing().await? else { return Err(Error::NotFound) };
        let (head, _) = read_head(&access, run_id).await?.ok_or(Error::NotFound)?;
        let mut page = RunPage { events: Vec::new(), position, live: durable.is_some(), over: false };
        let from = page.position.next;
        for (sequence, block) in read_from(&access, run_id, from, BLOCKS).await? {
            let entries = (sequence..).zip(read_entries(&access, &block).await?);
            let is_shown = |sequence: u64| sequence >= from && durable.is_none_or(|end| sequence < end);
            for (sequence, entry) in entries.filter(|(sequence, _)| is_shown(*sequence)) {
                Shown::new(run_id, sequence, &entry).show(&mut page);
            }
        }
        page.over = head.status.is_end() && page.position.next >= head.next;
        Ok(page)
    }

    /// One page of a run's events, newest first. Of a run that is not this tenant's there are none.
    ///
    /// # Errors
    /// `InvalidInput` for a bad cursor, and those of the store.
    pub(crate) async fn run_trace(&self, run_id: &str, limit: usize, cursor: Option<&str>) -> Result<Page> {
        let Some(access) = self.existing().await? else {
            return if cursor.is_some() { Err(bad_cursor()) } else { Ok(Page { items: Vec::new(), cursor: None }) };
        };
        let name = run_name(&access, run_id);
        let mut end = match cursor {
            None => u64::MAX,
            Some(cursor) => access.open_position(KIND, name, cursor)?,
        };
        let (mut items, mut last) = (Vec::new(), 0);
        if read_head(&access, run_id).await?.is_none() {
            return Ok(Page { items, cursor: None });
        }
        let mut bytes = 0;
        while items.len() < limit && end > 0 && bytes < PAGE_BYTES {
            let entries = match read_before(&access, run_id, end).await {
                // What there is no room for is on the next page.
                Err(Error::TooMuchInFlight { .. }) if !items.is_empty() => break,
                entries => entries?,
            };
            end = entries.first().map_or(0, |(first, _)| *first);
            for (sequence, entry) in entries.iter().rev().take(limit - items.len()) {
                let item = entry.json(run_id, *sequence);
                bytes += item.len() as u64;
                items.push(item);
                last = *sequence;
            }
        }
        let ended = items.len() == limit || end > 0;
        let cursor = if ended && last > 0 { Some(access.seal_position(KIND, name, last)?) } else { None };
        Ok(Page { items, cursor })
    }

    /// The tokens that models have read and written, by model, those of runs that are at work or interrupted included: what
    /// they have used since they were begun or suspended is in no sum yet.
    ///
    /// # Errors
    /// `StoreCorrupt` if the sum or a journal is damaged, and those of the store.
    pub(crate) async fn tokens_of_all_runs(&self) -> Result<Usage> {
        let Some(access) = self.scope.existing().await? else { return Ok(Usage::default()) };
        let mut sum = super::ending::tokens(&access).await?.0;
        let (list, mut cursor) = (filtered("status", RunStatus::Running.name()), None);
        loop {
            let page = access.record_page(&list, BLOCKS, cursor.as_deref()).await?;
            for (_, record) in page.records {
                let Some(record) = record else { continue };
                let head = RunHead::read(&record.body)?;
                sum.add_all(&load(&access, &head).await?.state.usage.since(&head.counted));
            }
            match page.cursor {
                Some(next) => cursor = Some(next),
                None => return Ok(sum),
            }
        }
    }

    /// The tokens that models have read and written, by model, as JSON text. They only grow.
    ///
    /// # Errors
    /// Those of the store.
    pub async fn tokens(&self) -> Result<String> {
        let usage = match self.existing().await? {
            Some(access) => super::ending::tokens(&access).await?.0,
            None => Usage::default(),
        };
        Ok(bailiwick_model::json::write(&usage.to_json()))
    }
}
