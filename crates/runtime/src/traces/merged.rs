//! Merges the events of a tenant's runs with those that belong to no run, newest first. Runs that overlapped in time
//! are listed one after the other, the one that began last first. So a page reads little more than what it shows, and
//! no event needs a row for this.

use std::collections::VecDeque;

use bailiwick_model::json::{self, Json, Text};
use bailiwick_model::{Error, Kind, Result};
use bailiwick_tenancy::{Access, List, MergedPosition, Name, PAGE_BYTES};

use super::{block, journal, read_back};
use crate::page::Page;
use crate::runs::{run_events_before, run_id_of};

/// Events of no run that are read at once.
const HOST_EVENTS: usize = 64;
/// An event with its sequence and its time.
type Timed = (u64, u64, String);

struct Merge<'a> {
    access: &'a Access,
    /// The run that is being listed, by its position on the list of runs.
    listed: (u64, Name),
    /// The sequence before which its events are still to be listed.
    end: u64,
    /// The sequence before which events of no run are still to be listed.
    host_end: u64,
    run_id: Option<String>,
    host: VecDeque<Timed>,
    run: VecDeque<Timed>,
    has_more_runs: bool,
}

/// Returns one page.
///
/// # Errors
/// `InvalidInput` for a bad cursor, and those of the store.
pub(super) async fn page(access: &Access, limit: usize, cursor: Option<&str>) -> Result<Page<Text>> {
    let MergedPosition { last: listed, numbers: [host_end, end] } = match cursor {
        None => MergedPosition { last: (u64::MAX, Name::LAST), numbers: [u64::MAX, 0] },
        Some(cursor) => access.open_merged_position(Kind::Traces, cursor)?,
    };
    let run_id = if end > 0 { run_id_of(access, listed.1).await? } else { None };
    let (host, run) = (VecDeque::new(), VecDeque::new());
    let mut merge = Merge { access, listed, end, host_end, run_id, host, run, has_more_runs: true };
    let (mut items, mut bytes) = (Vec::new(), 0);
    loop {
        let next = match merge.next_is_of_run().await {
            // An event that does not fit the reservation is on the next page.
            Err(Error::TooMuchInFlight { .. }) if !items.is_empty() => None,
            next => Some(next?),
        };
        if next == Some(None) {
            return Ok(Page { items, cursor: None });
        }
        let next = next.flatten().filter(|_| items.len() < limit && bytes < PAGE_BYTES);
        let Some(is_of_run) = next else {
            let mark = MergedPosition { last: merge.listed, numbers: [merge.host_end, merge.end] };
            let cursor = access.seal_merged_position(Kind::Traces, &mark)?;
            return Ok(Page { items, cursor: Some(cursor) });
        };
        let item = merge.take(is_of_run);
        bytes += item.as_ref().map_or(0, |item| item.len() as u64);
        items.extend(item.map(Text::new));
    }
}

impl Merge<'_> {
    /// Returns the source of the next event; `None` after the last.
    async fn next_is_of_run(&mut self) -> Result<Option<bool>> {
        self.fill_host().await?;
        self.fill_run().await?;
        Ok(match (self.run.front(), self.host.front()) {
            (Some((_, run_at, _)), Some((_, host_at, _))) => Some(run_at >= host_at),
            (Some(_), None) => Some(true),
            (None, Some(_)) => Some(false),
            (None, None) => None,
        })
    }

    fn take(&mut self, is_of_run: bool) -> Option<String> {
        let (sequence, _, event) = if is_of_run { self.run.pop_front() } else { self.host.pop_front() }?;
        *(if is_of_run { &mut self.end } else { &mut self.host_end }) = sequence;
        Some(event)
    }

    async fn fill_host(&mut self) -> Result<()> {
        if self.host.is_empty() {
            let found = read_back(self.access, journal(self.access), self.host_end, HOST_EVENTS).await?;
            self.host.extend(found.into_iter().map(timed));
        }
        Ok(())
    }

    async fn fill_run(&mut self) -> Result<()> {
        while self.run.is_empty() && self.has_more_runs {
            match &self.run_id {
                Some(run_id) if self.end > 0 => {
                    let events = run_events_before(self.access, run_id, self.end).await?;
                    if events.is_empty() {
                        self.end = 0;
                    }
                    self.run.extend(events.into_iter().rev());
                }
                _ => self.next_run().await?,
            }
        }
        Ok(())
    }

    async fn next_run(&mut self) -> Result<()> {
        let list = List::all(Kind::Runs);
        let Some(run) = self.access.names_before(&list, 1, self.listed).await?.pop() else {
            self.has_more_runs = false;
            return Ok(());
        };
        // What may fail comes first, so that a page which ends here does not skip the run.
        let run_id = run_id_of(self.access, run.1).await?;
        self.end = if run_id.is_some() { u64::MAX } else { 0 };
        (self.listed, self.run_id) = (run, run_id);
        Ok(())
    }
}

fn timed((sequence, event): block::Read) -> Timed {
    let parsed = json::parse(event.as_bytes(), &json::Limits::default());
    let at = parsed.ok().and_then(|event| event.get("at").and_then(Json::as_f64)).unwrap_or_default();
    (sequence, at as u64, event)
}
