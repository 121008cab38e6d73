//! A run that this process works at, as its followers see it. A follower keeps its own position and asks for what is new, so
//! a slow one costs nothing: deltas are cut from the message that is being written, and what has left memory is read from
//! the journal.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bailiwick_model::Result;
use bailiwick_model::json::Json;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use super::feed::Feed;
use super::message::Writing;
use super::progress::{self, Progresses};
use super::{RunPage, RunPosition};
use crate::runs::events::Entry;

/// How many bytes of events stay in memory for followers, at least the last one.
const RECENT_BYTES: usize = 256 << 10;

/// See the module's text.
#[derive(Default)]
pub(crate) struct Live {
    inner: Mutex<Inner>,
    changed: watch::Sender<u64>,
    feed: Arc<Feed>,
    /// Cancelled when the run is to end.
    pub(crate) cancelled: CancellationToken,
    /// Cancelled when this process is to wait no longer for the turn of the run, if it is queued.
    pub(crate) leaves_queue: CancellationToken,
    /// Cancelled when this process is to give the run up before its next step.
    pub(crate) yields: CancellationToken,
    /// Cancelled when this process is to give the run up at once.
    pub(crate) released: CancellationToken,
    /// Held while the run ends, and while its lease is renewed.
    pub(crate) ending: tokio::sync::Mutex<()>,
}

#[derive(Default)]
struct Inner {
    recent: VecDeque<Shown>,
    bytes: usize,
    next: u64,
    writing: Option<Writing>,
    progress: Progresses,
    over: bool,
}

/// An event that was committed, as followers see it. Its text is made once, not for each follower.
#[derive(Clone)]
pub(crate) struct Shown {
    sequence: u64,
    event: String,
    message: Option<Arc<Writing>>,
}

impl Shown {
    pub(crate) fn new(run_id: &str, sequence: u64, entry: &Entry) -> Self {
        Self { sequence, event: entry.json(run_id, sequence), message: Writing::of(run_id, entry).map(Arc::new) }
    }

    fn byte_length(&self) -> usize {
        self.event.len() + self.message.as_ref().map_or(0, |message| message.byte_length())
    }

    /// Adds it for a follower: first what that one has not seen of the message, then the event.
    pub(crate) fn show(&self, page: &mut RunPage) {
        if let Some(message) = &self.message {
            message.show(self.sequence.saturating_sub(1), page);
        }
        page.events.push(self.event.clone());
        page.position.next = self.sequence + 1;
    }
}

impl Inner {
    /// The events in memory that a follower has not seen.
    fn after(&self, position: &RunPosition) -> impl Iterator<Item = &Shown> {
        let next = position.next;
        self.recent.iter().filter(move |event| event.sequence >= next)
    }

    /// The bytes of what a follower has not seen.
    fn unread(&self, position: &RunPosition) -> u64 {
        let seen = |id: &str| if position.message_id == id { (position.text, position.reasoning) } else { (0, 0) };
        let unseen = self.writing.as_ref().map_or(0, |writing| {
            let (text, reasoning) = seen(&writing.message_id);
            writing.unseen(text, reasoning)
        });
        let unseen = unseen + self.progress.unseen(position.progress);
        (self.after(position).map(Shown::byte_length).sum::<usize>() + unseen) as u64
    }
}

impl Live {
    /// A run whose events go to the tenant's feed, too.
    pub(super) fn new(feed: Arc<Feed>) -> Self {
        Self { feed, ..Self::default() }
    }

    /// Sets where the journal ends, for a run that is resumed.
    pub(crate) fn begin_at(&self, next: u64) {
        self.inner().next = next;
    }

    /// Shows what was committed: entries with their sequences.
    pub(crate) fn committed<'a>(&self, run_id: &str, entries: impl Iterator<Item = (u64, &'a Entry)>) {
        let events: Vec<Shown> = entries.map(|(sequence, entry)| Shown::new(run_id, sequence, entry)).collect();
        self.feed.add(events.iter().map(|shown| shown.event.as_str()));
        let mut inner = self.inner();
        for event in events {
            if event.message.is_some() {
                inner.writing = None;
            }
            inner.next = event.sequence + 1;
            inner.bytes += event.byte_length();
            inner.recent.push_back(event);
            while inner.bytes > RECENT_BYTES && inner.recent.len() > 1 {
                let oldest = inner.recent.pop_front();
                inner.bytes -= oldest.map_or(0, |oldest| oldest.byte_length());
            }
        }
        drop(inner);
        self.notify();
    }

    /// Begins a message that is being written, in the place of one that was given up.
    pub(crate) fn begin_message(&self, message: Writing) {
        self.inner().writing = Some(message);
        // Followers are told that what they have seen of the other does not count.
        self.notify();
    }

    /// Appends to that message.
    pub(crate) fn write(&self, text: &str, reasoning: &str) {
        if let Some(writing) = &mut self.inner().writing {
            writing.text.push(text);
            writing.reasoning.push(reasoning);
        }
        self.notify();
    }

    /// Shows how far a call of this agent is. Its `tool.called` is committed.
    pub(crate) fn progress(&self, run_id: &str, agent: &str, at: u64, call_id: &str, value: &Json) {
        let mut inner = self.inner();
        let after = inner.next.saturating_sub(1);
        inner.progress.set(&progress::Shown { kind: "tool.progress", run_id, at, agent, call_id, value, after });
        drop(inner);
        self.notify();
    }

    /// Forgets how far calls are: none of them runs any more.
    pub(crate) fn forget_progress(&self) {
        self.inner().progress.clear();
    }

    /// Reads what is in memory for a follower. `None`: it must read the journal first. `reserve` is asked for the bytes before
    /// they are copied.
    ///
    /// # Errors
    /// What `reserve` says.
    pub(super) fn read(&self, position: &RunPosition, reserve: &dyn Fn(u64) -> Result<()>) -> Result<Option<RunPage>> {
        let inner = self.inner();
        let first = inner.recent.front().map_or(inner.next, |event| event.sequence);
        if position.next < first {
            return Ok(None);
        }
        reserve(inner.unread(position))?;
        let mut page = RunPage { events: Vec::new(), position: position.clone(), live: !inner.over, over: false };
        inner.after(position).for_each(|event| event.show(&mut page));
        inner.progress.show(&mut page);
        if let Some(writing) = &inner.writing {
            writing.show(inner.next.saturating_sub(1), &mut page);
        }
        Ok(Some(page))
    }

    /// About how many bytes [`Live::read`] copies for a follower.
    pub(super) fn unread(&self, position: &RunPosition) -> u64 {
        self.inner().unread(position)
    }

    /// The sequence before which everything is durable. The store shows a block a little earlier than that, and what a
    /// follower has seen must survive a crash.
    pub(super) fn committed_before(&self) -> u64 {
        self.inner().next
    }

    /// Tells of every change from now on.
    pub(crate) fn changes(&self) -> watch::Receiver<u64> {
        self.changed.subscribe()
    }

    /// Ends it: no process works at the run.
    pub(super) fn end(&self) {
        self.inner().over = true;
        self.notify();
    }

    fn notify(&self) {
        self.changed.send_modify(|count| *count = count.wrapping_add(1));
    }

    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
