//! The events of runs: followed as they come, and read back page by page.

use std::time::Duration;

use bailiwick_model::json::Text;
use bailiwick_model::pace::ahead;
use bailiwick_model::{Error, Result};
use bailiwick_tenancy::{Access, Area, Name, PAGE_BYTES};

use futures_util::future::BoxFuture;

use super::live::Shown;
use super::{RunPage, RunPosition};
use crate::handle::Runs;
use crate::page::Page;
use crate::runs::events::Event;
use crate::runs::journal::{KIND, RunHead, read_before, read_entries, read_from, read_head, run_name};

/// How many blocks a follower reads at once.
const BLOCKS: usize = 32;
/// How often a follower checks for what another process may have done.
const REFRESH: Duration = Duration::from_millis(250);

/// The id of the run with this name. `None` once it has expired.
pub(crate) async fn run_id_of(access: &Access, name: Name) -> Result<Option<String>> {
    let record = access.read(KIND, Area::Record, name).await?;
    record.map(|record| Ok(RunHead::read(&record.body)?.run_id)).transpose()
}

/// The last events of a run before a sequence, oldest first: sequence, time, JSON text.
pub(crate) async fn run_events_before(access: &Access, run_id: &str, end: u64) -> Result<Vec<(u64, u64, String)>> {
    let mut events = Vec::new();
    for (sequence, entry) in read_before(access, run_id, end).await? {
        ahead(entry.weight()).await;
        events.push((sequence, entry.at, entry.json(run_id, sequence)));
    }
    Ok(events)
}

impl<'a> Runs<'a> {
    /// Waits until there is something new for a follower of a run that a process works at, and returns it. Of one that this
    /// process does not work at it returns what is in the journal, which may be nothing; with `patient` it waits then until
    /// the run is resumed, unless it is over.
    ///
    /// # Errors
    /// `NotFound` for every id that is not this tenant's; with `patient` the `StoreCorrupt` of the last attempt to resume the
    /// run; those of the store.
    pub fn events(self, run_id: &'a str, position: RunPosition, patient: bool) -> BoxFuture<'a, Result<RunPage>> {
        Box::pin(async move {
            let handle = self.handle;
            let work = async {
                loop {
                    let mut changes = self.live().changes();
                    changes.mark_unchanged();
                    let before = handle.held_bytes();
                    let page = self.new_events(run_id, position.clone()).await?;
                    if !patient || !page.events.is_empty() || page.over {
                        return Ok(page);
                    }
                    handle.give_back_to(before);
                    if let Some(error) = self.live().failure(run_id) {
                        return Err(error);
                    }
                    // The sender is in the tenant's shared state, which this handle's scope holds. Another process tells nothing.
                    let changed = changes.changed();
                    if handle.scope.process().is_some() {
                        let _ = tokio::time::timeout(REFRESH, changed).await;
                    } else {
                        let _ = changed.await;
                    }
                }
            };
            handle.scope.unless_closed(&handle.closing, work).await
        })
    }

    async fn new_events(self, run_id: &str, position: RunPosition) -> Result<RunPage> {
        while let Some(live) = self.live().get(run_id) {
            let mut changes = live.changes();
            changes.mark_unchanged();
            ahead(live.unread(&position)).await;
            match live.read(&position, &|bytes| self.handle.reserve(bytes))? {
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

    /// Reads what is in the journal for a follower; of a run that this process works at, what comes before `durable`.
    async fn journaled(self, run_id: &str, position: RunPosition, durable: Option<u64>) -> Result<RunPage> {
        let Some(access) = self.handle.existing().await? else { return Err(Error::NotFound) };
        let (head, _) = read_head(&access, run_id).await?.ok_or(Error::NotFound)?;
        let mut page = RunPage { events: Vec::new(), position, live: durable.is_some(), over: false };
        let from = page.position.next;
        for (sequence, block) in read_from(&access, run_id, from, BLOCKS).await? {
            let entries = (sequence..).zip(read_entries(&access, &block).await?);
            let is_shown = |sequence: u64| sequence >= from && durable.is_none_or(|end| sequence < end);
            for (sequence, entry) in entries {
                if !is_shown(sequence) {
                    continue;
                }
                ahead(entry.weight()).await;
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
    pub(crate) async fn trace(self, run_id: &str, limit: usize, cursor: Option<&str>) -> Result<Page<Text>> {
        let Some(access) = self.handle.existing().await? else { return Page::of_nothing(cursor) };
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
                ahead(entry.weight()).await;
                let item = entry.json(run_id, *sequence);
                bytes += item.len() as u64;
                items.push(Text::new(item));
                last = *sequence;
            }
        }
        let ended = items.len() == limit || end > 0;
        let cursor = if ended && last > 0 { Some(access.seal_position(KIND, name, last)?) } else { None };
        Ok(Page { items, cursor })
    }

    /// The W3C `traceparent` of the span in which a run was begun; empty if it was not traced.
    ///
    /// # Errors
    /// `NotFound` for every id that is not this tenant's, and those of the store.
    pub async fn origin(self, run_id: &str) -> Result<String> {
        let Some(access) = self.handle.existing().await? else { return Err(Error::NotFound) };
        read_head(&access, run_id).await?.ok_or(Error::NotFound)?;
        let blocks = read_from(&access, run_id, 0, 1).await?;
        let Some((_, block)) = blocks.first() else { return Ok(String::new()) };
        let entries = read_entries(&access, block).await?;
        match entries.into_iter().next().map(|entry| entry.event) {
            Some(Event::RunStarted(_, context)) => Ok(context.trace.unwrap_or_default()),
            Some(Event::RunQueued(_, request)) => Ok(request.trace.unwrap_or_default()),
            _ => Ok(String::new()),
        }
    }
}
