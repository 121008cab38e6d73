//! Runs that are at work in this process, and what their followers see of them. A follower keeps its own position and
//! asks for what is new, so a slow one costs nothing: deltas are cut from the message that is being written, and
//! what has left memory is read from the journal.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bailiwick_model::json::Json;
use bailiwick_model::{Error, Result};
use bailiwick_tenancy::Closing;
use tokio::sync::watch;

use super::ask::quoted;
use super::entry::Entry;
use super::feed::Feed;
use super::parts::broken_off;
use super::state::{message_place, text_of};

/// How many bytes of events stay in memory for followers, at least the last one.
const RECENT_BYTES: usize = 256 << 10;

/// The runs of one tenant that are at work in this process.
#[derive(Default)]
pub(crate) struct LiveRuns {
    runs: Mutex<HashMap<String, Arc<Live>>>,
    /// What those were refused with that cannot be gone on with: their journals are damaged.
    refused: Mutex<HashMap<String, Error>>,
    /// Changed when a run is taken in or refused.
    begun: watch::Sender<u64>,
    feed: Arc<Feed>,
}

impl LiveRuns {
    /// Takes a run in. `None`: it is at work already.
    pub(crate) fn register(self: &Arc<Self>, run_id: &str) -> Option<Registered> {
        let mut runs = self.runs();
        if runs.contains_key(run_id) {
            return None;
        }
        let live = Arc::new(Live { feed: self.feed.clone(), ..Live::default() });
        runs.insert(run_id.to_owned(), live.clone());
        self.refusals().remove(run_id);
        self.begun.send_modify(|count| *count = count.wrapping_add(1));
        Some(Registered { runs: self.clone(), run_id: run_id.to_owned(), live })
    }

    /// The run, if it is at work.
    pub(crate) fn get(&self, run_id: &str) -> Option<Arc<Live>> {
        self.runs().get(run_id).cloned()
    }

    /// What they commit.
    pub(crate) fn feed(&self) -> Arc<Feed> {
        self.feed.clone()
    }

    /// Keeps what a run was refused with if its journal is damaged, and tells those who wait for it, until it is tried again.
    pub(crate) fn came_to<T>(&self, run_id: &str, outcome: &Result<T>) {
        match outcome {
            Ok(_) => drop(self.refusals().remove(run_id)),
            Err(error @ Error::StoreCorrupt(_)) => {
                self.refusals().insert(run_id.to_owned(), error.clone());
                self.begun.send_modify(|count| *count = count.wrapping_add(1));
            }
            Err(_) => {}
        }
    }

    /// What a run was refused with last.
    pub(crate) fn refusal(&self, run_id: &str) -> Option<Error> {
        self.refusals().get(run_id).cloned()
    }

    /// Tells of every run that is taken in or refused from now on.
    pub(crate) fn changes(&self) -> watch::Receiver<u64> {
        self.begun.subscribe()
    }

    fn runs(&self) -> MutexGuard<'_, HashMap<String, Arc<Live>>> {
        self.runs.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn refusals(&self) -> MutexGuard<'_, HashMap<String, Error>> {
        self.refused.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A run's place among those at work, until it is dropped.
pub(crate) struct Registered {
    runs: Arc<LiveRuns>,
    run_id: String,
    pub(crate) live: Arc<Live>,
}

impl Drop for Registered {
    fn drop(&mut self) {
        self.runs.runs().remove(&self.run_id);
        self.live.inner().over = true;
        self.live.notify();
    }
}

/// Where a follower is.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RunPosition {
    /// The sequence of the next event.
    pub next: u64,
    /// The message whose deltas it has seen some of; empty if none.
    pub message_id: String,
    /// How much of its text it has seen, in UTF-16 units.
    pub text: u64,
    /// How much of its reasoning.
    pub reasoning: u64,
}

/// What is new for a follower.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RunPage {
    /// JSON texts of events, oldest first.
    pub events: Vec<String>,
    /// Where to go on.
    pub position: RunPosition,
    /// Whether the run is at work in this process.
    pub live: bool,
    /// Whether it is over, so that nothing comes after these.
    pub over: bool,
}

/// A run at work.
#[derive(Default)]
pub(crate) struct Live {
    inner: Mutex<Inner>,
    changed: watch::Sender<u64>,
    feed: Arc<Feed>,
    /// Closed when somebody wants it to end.
    pub(crate) cancelled: Closing,
    /// Held while the run ends, and while its lease is renewed.
    pub(crate) ending: tokio::sync::Mutex<()>,
}

#[derive(Default)]
struct Inner {
    recent: VecDeque<Shown>,
    bytes: usize,
    next: u64,
    writing: Option<Writing>,
    over: bool,
}

/// An event that was committed.
#[derive(Clone)]
pub(crate) struct Shown {
    sequence: u64,
    event: String,
    /// The message that it completes.
    message: Option<Arc<Writing>>,
}

/// A message that a model writes, or has written.
#[derive(Debug, Clone, Default)]
pub(crate) struct Writing {
    pub(crate) run_id: String,
    pub(crate) agent: String,
    pub(crate) message_id: String,
    pub(crate) at: u64,
    pub(crate) text: Said,
    pub(crate) reasoning: Said,
}

/// A text that grows, and followers that have seen some of it.
#[derive(Debug, Clone, Default)]
pub(crate) struct Said {
    text: String,
    /// Its length in UTF-16 units.
    units: u64,
}

impl Shown {
    /// An entry of the journal as followers see it.
    pub(crate) fn new(run_id: &str, sequence: u64, entry: &Entry) -> Self {
        Self { sequence, event: entry.json(run_id, sequence), message: Writing::of(run_id, entry).map(Arc::new) }
    }

    fn byte_length(&self) -> usize {
        self.event.len()
            + self.message.as_ref().map_or(0, |message| message.text.text.len() + message.reasoning.text.len())
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

impl Writing {
    /// The message that an entry completes, or that was cut off by the end that it is.
    fn of(run_id: &str, entry: &Entry) -> Option<Self> {
        let (kept, agent) = match broken_off(entry) {
            Some(said) => (said, said.get("agent")?.as_str()?),
            None => (entry.kept(), entry.text("agent")?),
        };
        let parts = kept.get("parts")?.as_array()?;
        Some(Self {
            run_id: run_id.to_owned(),
            agent: agent.to_owned(),
            message_id: kept.get("messageId")?.as_str()?.to_owned(),
            at: entry.at(),
            text: Said::of(&text_of(parts)),
            reasoning: Said::of(&reasoning_of(parts)),
        })
    }

    fn show(&self, after: u64, page: &mut RunPage) {
        if page.position.message_id != self.message_id {
            let seen = std::mem::replace(&mut page.position.message_id, self.message_id.clone());
            if self.takes_the_place_of(&seen) {
                page.events.push(format!(
                    "{{\"type\":\"message.discarded\",\"runId\":\"{}\",\"at\":{},\"agent\":{},\"messageId\":{},\"after\":{after}}}",
                    self.run_id,
                    self.at,
                    quoted(&self.agent),
                    quoted(&seen),
                ));
            }
            (page.position.text, page.position.reasoning) = (0, 0);
        }
        let parts = [
            ("reasoning.delta", &self.reasoning, &mut page.position.reasoning),
            ("text.delta", &self.text, &mut page.position.text),
        ];
        for (kind, whole, seen) in parts {
            let delta = whole.after(*seen);
            if delta.is_empty() {
                continue;
            }
            page.events.push(format!(
                "{{\"type\":\"{kind}\",\"runId\":\"{}\",\"at\":{},\"agent\":{},\"messageId\":{},\"delta\":{},\"offset\":{seen},\"after\":{after}}}",
                self.run_id,
                self.at,
                quoted(&self.agent),
                quoted(&self.message_id),
                quoted(delta),
            ));
            *seen += delta.encode_utf16().count() as u64;
        }
    }
}

impl Writing {
    /// Whether this is written anew for the message that a follower has seen some of.
    fn takes_the_place_of(&self, seen: &str) -> bool {
        let place = message_place(&self.run_id, &self.message_id);
        place.is_some() && message_place(&self.run_id, seen) == place
    }
}

fn reasoning_of(parts: &[Json]) -> String {
    let parts = parts.iter().filter(|part| part.get("type").and_then(Json::as_str) == Some("reasoning"));
    parts.filter_map(|part| part.get("text")?.as_str()).collect()
}

impl Said {
    fn of(text: &str) -> Self {
        let mut said = Self::default();
        said.push(text);
        said
    }

    fn push(&mut self, more: &str) {
        self.text.push_str(more);
        self.units += more.encode_utf16().count() as u64;
    }

    /// What comes after so many UTF-16 units. It is looked for from the end, so it takes time in what is new.
    fn after(&self, seen: u64) -> &str {
        let mut left = self.units.saturating_sub(seen);
        let mut begin = self.text.len();
        for (at, character) in self.text.char_indices().rev() {
            let Some(rest) = left.checked_sub(character.len_utf16() as u64).filter(|_| left > 0) else { break };
            (left, begin) = (rest, at);
        }
        self.text.get(begin..).unwrap_or_default()
    }
}

impl Live {
    /// Where the journal ends, for a run that is gone on with.
    pub(crate) fn begin_at(&self, next: u64) {
        self.inner().next = next;
    }

    /// Shows what was committed.
    pub(crate) fn committed(&self, events: impl Iterator<Item = Shown>) {
        let events: Vec<Shown> = events.collect();
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
    pub(crate) fn writing(&self, message: Writing) {
        self.inner().writing = Some(message);
        // Followers are told that what they have seen of the other does not count.
        self.notify();
    }

    /// Goes on with it.
    pub(crate) fn written(&self, text: &str, reasoning: &str) {
        if let Some(writing) = &mut self.inner().writing {
            writing.text.push(text);
            writing.reasoning.push(reasoning);
        }
        self.notify();
    }

    /// What is in memory for a follower. `None`: it must read the journal first. `reserve` is asked for its bytes before it
    /// is copied.
    ///
    /// # Errors
    /// What `reserve` says.
    pub(crate) fn read(&self, position: &RunPosition, reserve: &dyn Fn(u64) -> Result<()>) -> Result<Option<RunPage>> {
        let inner = self.inner();
        let first = inner.recent.front().map_or(inner.next, |event| event.sequence);
        if position.next < first {
            return Ok(None);
        }
        let recent = || inner.recent.iter().filter(|event| event.sequence >= position.next);
        let seen = |id: &str| if position.message_id == id { (position.text, position.reasoning) } else { (0, 0) };
        let unseen = inner.writing.as_ref().map_or(0, |writing| {
            let (text, reasoning) = seen(&writing.message_id);
            writing.text.after(text).len() + writing.reasoning.after(reasoning).len()
        });
        reserve((recent().map(Shown::byte_length).sum::<usize>() + unseen) as u64)?;
        let mut page = RunPage { events: Vec::new(), position: position.clone(), live: !inner.over, over: false };
        recent().for_each(|event| event.show(&mut page));
        if let Some(writing) = &inner.writing {
            writing.show(inner.next.saturating_sub(1), &mut page);
        }
        Ok(Some(page))
    }

    /// The sequence before which everything is durable. The store shows a block a little earlier than that, and what
    /// somebody has seen must survive a crash.
    pub(crate) fn committed_before(&self) -> u64 {
        self.inner().next
    }

    /// Tells of every change from now on.
    pub(crate) fn changes(&self) -> watch::Receiver<u64> {
        self.changed.subscribe()
    }

    fn notify(&self) {
        self.changed.send_modify(|count| *count = count.wrapping_add(1));
    }

    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::Said;

    #[test]
    fn b6_a_follower_goes_on_between_whole_characters() {
        let mut said = Said::of("a😀");
        said.push("b");
        let expected = ["a😀b", "😀b", "b", "b", "", ""];
        for (seen, rest) in (0..).zip(expected) {
            assert_eq!(said.after(seen), rest, "after {seen}");
        }
        assert_eq!(Said::default().after(9), "");
    }
}
