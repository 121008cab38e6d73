//! Traces: one bounded journal per tenant for the events that belong to no run. Events are buffered for a moment and
//! written in relaxed blocks: a durable call does not pay for a second commit, and a crash loses the last moment.

mod block;
mod buffer;
mod merged;

use std::future::poll_fn;
use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use bailiwick_model::json::Text;
use bailiwick_model::{Error, Kind, Result};
use bailiwick_tenancy::{
    ATTEMPTS, Access, Area, Change, Committed, Durability, Entries, Name, Scope, When, check_limit,
};

use futures_util::future::BoxFuture;

use crate::handle::{Traces, expiry};
use crate::page::Page;
pub use block::{HostEvent, Rejection};
use buffer::{Buffer, EVENTS_A_BLOCK, Next};

/// The longest time that an event is buffered.
const PATIENCE: Duration = Duration::from_millis(100);
/// The most events that the journal keeps.
const MOST_EVENTS: u64 = 10_000;
/// The part of the most events that is trimmed at once, so that few blocks cause a deletion.
const TRIMMED_PART: u64 = 10;
/// The blocks trimmed in one commit: those of such a part, and a few more.
const MOST_TRIMMED: usize = 900;
/// Blocks read at once.
const BLOCKS_A_READ: usize = 16;

/// Events for a follower.
pub struct TracePage {
    /// Their JSON texts, oldest first.
    pub events: Vec<String>,
    /// The position of the next events; `None`: no event follows.
    pub next: Option<TracePosition>,
}

/// The position of a follower.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct TracePosition {
    /// The sequence of the next event that belongs to no run.
    pub host: u64,
    /// The number of the next event of a run, as this process counts them.
    pub runs: u64,
}

/// The events of the journal: those from `first` up to, not including, `next`.
#[derive(Clone, Copy, Default)]
struct Extent {
    first: u64,
    next: u64,
}

/// Writes events without the handle, which may be dropped.
#[derive(Clone)]
struct Writer {
    scope: Scope,
    buffer: Arc<Buffer>,
    limits: bailiwick_tenancy::Limits,
    ttl_ms: Option<u64>,
    most: u64,
}

impl<'a> Traces<'a> {
    /// Records an event. It is written a moment later; a failure of the store loses it.
    pub async fn record(self, event: &HostEvent<'_>) {
        let writer = self.writer();
        let now = self.handle.scope.now();
        if matches!(event, HostEvent::RequestRejected { .. }) && !writer.buffer.admits_rejection(now) {
            return;
        }
        let next = writer.buffer.add(event.members(now));
        if !self.handle.scope.time_passes() {
            // A test store is deterministic: it writes full blocks at once, and the rest on demand.
            if writer.buffer.waiting() >= EVENTS_A_BLOCK {
                let _ = writer.flush().await;
            }
        } else if next == Next::Schedule {
            writer.flush_soon();
        }
    }

    /// Writes the buffered events.
    ///
    /// # Errors
    /// Those of the store; then the events are lost.
    pub async fn flush(self) -> Result<()> {
        self.writer().flush().await
    }

    /// Lists the events of a run, or all, newest first. Runs that overlapped in time are listed one after the other.
    ///
    /// # Errors
    /// `InvalidInput` for a bad limit or cursor, and those of the store.
    pub async fn list(self, run_id: Option<&str>, limit: usize, cursor: Option<&str>) -> Result<Page<Text>> {
        check_limit(limit)?;
        if let Some(run_id) = run_id {
            return self.handle.runs().trace(run_id, limit, cursor).await;
        }
        self.flush().await?;
        let Some(access) = self.handle.existing().await? else { return Page::of_nothing(cursor) };
        merged::page(&access, limit, cursor).await
    }

    /// Returns the position of the next event.
    ///
    /// # Errors
    /// Those of the store.
    pub async fn end(self) -> Result<TracePosition> {
        let runs = self.handle.runs().live().feed().follow();
        self.flush().await?;
        let host = match self.handle.scope.existing().await? {
            Some(access) => extent(&access).await?.1.next,
            None => 0,
        };
        Ok(TracePosition { host, runs })
    }

    /// Waits for events from `after` on and returns some of them: those of runs in this process, and those of no run.
    /// It skips dropped events. The last event says that the tenant was erased.
    ///
    /// # Errors
    /// Those of the store.
    pub fn next(self, after: TracePosition) -> BoxFuture<'a, Result<TracePage>> {
        Box::pin(async move {
            let feed = self.handle.runs().live().feed();
            let (mut recorded, mut added) = (self.writer().buffer.recorded.subscribe(), feed.added.subscribe());
            loop {
                recorded.mark_unchanged();
                added.mark_unchanged();
                if self.handle.scope.is_erased() {
                    let (at, sequence) = (self.handle.scope.now(), after.host);
                    let event = format!("{{\"type\":\"tenant.erased\",\"at\":{at},\"sequence\":{sequence}}}");
                    return Ok(TracePage { events: vec![event], next: None });
                }
                let (events, runs) = feed.after(after.runs, &|bytes| self.handle.reserve(bytes))?;
                if !events.is_empty() {
                    return Ok(TracePage { events, next: Some(TracePosition { runs, ..after }) });
                }
                self.flush().await?;
                if let Some(access) = self.handle.existing().await? {
                    let (_, extent) = extent(&access).await?;
                    if after.host < extent.next {
                        let (events, host) = read_on(&access, after.host.max(extent.first), extent.next).await?;
                        return Ok(TracePage { events, next: Some(TracePosition { host, ..after }) });
                    }
                }
                let (mut changed, mut added) = (pin!(recorded.changed()), pin!(added.changed()));
                let mut erased = pin!(self.handle.scope.erased());
                // The senders are in the tenant's shared state, which this handle's scope keeps alive.
                poll_fn(|context| {
                    let is_ready = erased.as_mut().poll(context).is_ready()
                        || changed.as_mut().poll(context).is_ready()
                        || added.as_mut().poll(context).is_ready();
                    if is_ready { Poll::Ready(()) } else { Poll::Pending }
                })
                .await;
            }
        })
    }

    fn writer(self) -> Writer {
        let kind = Kind::Traces;
        let limit = self.handle.engine_limits.items.get(&(kind as u8)).copied();
        Writer {
            scope: self.handle.scope.clone(),
            buffer: self.handle.scope.shared(),
            limits: self.handle.engine_limits.clone(),
            ttl_ms: self.handle.retention_ms(kind),
            most: limit.unwrap_or(MOST_EVENTS).min(MOST_EVENTS),
        }
    }
}

impl Writer {
    /// Writes the buffered events when a block is full or the time is over, in a task.
    fn flush_soon(self) {
        let Ok(runtime) = tokio::runtime::Handle::try_current() else { return };
        runtime.spawn(async move {
            let full = self.buffer.full.notified();
            let _ = tokio::time::timeout(PATIENCE, full).await;
            let _ = self.flush().await;
        });
    }

    async fn flush(&self) -> Result<()> {
        let _in_order = self.buffer.writing.lock().await;
        loop {
            let events = self.buffer.take();
            if events.is_empty() {
                return Ok(());
            }
            self.write(&events).await?;
        }
    }

    async fn write(&self, events: &[String]) -> Result<()> {
        let access = self.scope.for_writing().await?;
        let (kind, name) = (Kind::Traces, journal(&access));
        let expires_at = expiry(access.now(), self.ttl_ms)?;
        for _ in 0..ATTEMPTS {
            let (when, before) = extent(&access).await?;
            let after = Extent { next: before.next + events.len() as u64, ..before };
            let area = Area::Entry(before.next);
            let body = block::write(events);
            // Events count for no quota, which would depend on when they are written. The journal has its own limit.
            let changes = vec![
                written(name, after, when),
                Change::Write { kind, area, name, body, expires_at, counted: None, when: When::Any },
            ];
            if access.commit(changes, &self.limits, Durability::Relaxed).await? == Committed::Done {
                return if after.next - after.first > self.most { self.trim(&access).await } else { Ok(()) };
            }
        }
        Err(Error::StoreUnavailable("Other processes keep writing this trace journal. Try again.".to_owned()))
    }

    /// Removes the oldest blocks until somewhat less than the most events are left.
    async fn trim(&self, access: &Access) -> Result<()> {
        let (kind, name) = (Kind::Traces, journal(access));
        let (when, before) = extent(access).await?;
        let keep_from = before.next.saturating_sub(self.most - self.most / TRIMMED_PART);
        let mut first = before.first;
        let mut changes = Vec::new();
        while first < keep_from && changes.len() < MOST_TRIMMED {
            let wanted = Entries { from: first, to: before.next, reverse: false, limit: BLOCKS_A_READ };
            let blocks = access.entries(kind, name, wanted).await?;
            if blocks.is_empty() {
                // All have expired.
                first = before.next;
            }
            for (sequence, record) in blocks {
                let end = sequence + block::read(sequence, &record.body)?.len() as u64;
                first = sequence;
                if sequence >= keep_from {
                    break;
                }
                changes.push(Change::Delete { kind, area: Area::Entry(sequence), name, when: When::Any });
                first = end;
            }
        }
        changes.push(written(name, Extent { first, ..before }, when));
        // A faster writer has trimmed it, or will.
        access.commit(changes, &self.limits, Durability::Relaxed).await.map(|_| ())
    }
}

fn journal(access: &Access) -> Name {
    access.name(Kind::Traces, b"journal")
}

/// Writes `u64be first ‖ u64be next`.
fn written(name: Name, extent: Extent, when: When) -> Change {
    let body = [extent.first.to_be_bytes(), extent.next.to_be_bytes()].concat();
    Change::Write { kind: Kind::Traces, area: Area::Record, name, body, expires_at: None, counted: None, when }
}

/// Reads the journal's extent, and the condition that it is unchanged.
async fn extent(access: &Access) -> Result<(When, Extent)> {
    let Some(record) = access.read(Kind::Traces, Area::Record, journal(access)).await? else {
        return Ok((When::Absent, Extent::default()));
    };
    let read = || {
        let (first, rest) = record.body.split_first_chunk::<8>()?;
        let next = rest.first_chunk::<8>()?;
        Some(Extent { first: u64::from_be_bytes(*first), next: u64::from_be_bytes(*next) })
    };
    let extent = read().ok_or_else(|| Error::damaged("The trace journal"))?;
    Ok((When::Version(record.version), extent))
}

/// Returns at most `wanted` events before `end`, newest first.
async fn read_back(access: &Access, name: Name, end: u64, wanted: usize) -> Result<Vec<block::Read>> {
    let mut found = Vec::new();
    let mut to = end;
    while found.len() < wanted && to > 0 {
        let range = Entries { from: 0, to: to - 1, reverse: true, limit: BLOCKS_A_READ };
        let blocks = access.entries(Kind::Traces, name, range).await?;
        to = if blocks.len() < BLOCKS_A_READ { 0 } else { blocks.last().map_or(0, |(sequence, _)| *sequence) };
        for (sequence, record) in blocks {
            let events = block::read(sequence, &record.body)?;
            found.extend(events.into_iter().rev().filter(|(sequence, _)| *sequence < end));
        }
    }
    found.truncate(wanted);
    Ok(found)
}

/// Returns some events from `after` on, oldest first, and the sequence after them.
async fn read_on(access: &Access, after: u64, end: u64) -> Result<(Vec<String>, u64)> {
    let name = journal(access);
    // The block of `after` may begin earlier.
    let before = Entries { from: 0, to: after, reverse: true, limit: 1 };
    let from = access.entries(Kind::Traces, name, before).await?.first().map_or(after, |(sequence, _)| *sequence);
    let range = Entries { from, to: u64::MAX, reverse: false, limit: BLOCKS_A_READ };
    let (mut events, mut next) = (Vec::new(), end);
    for (sequence, record) in access.entries(Kind::Traces, name, range).await? {
        for (sequence, event) in block::read(sequence, &record.body)? {
            if sequence >= after {
                events.push(event);
                next = sequence + 1;
            }
        }
    }
    Ok((events, next))
}
