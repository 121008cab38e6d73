//! The queue of a thread: the runs that wait for it, in their order. They do not own the thread. The row is absent while none waits.
//!
//! JSON [{ runId, mode }]

use bailiwick_model::json;
use bailiwick_model::{Error, Result};
use bailiwick_tenancy::{Access, Area, Change, Name, When};
use serde::{Deserialize, Serialize};

use super::head::{KIND, RunStatus, run_name};
use super::read_head;
use crate::runs::events::{WhenBusy, damaged};
use crate::work;

/// How many runs wait for a thread at most.
const LONGEST: usize = 100;

/// How a run gets the thread.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Mode {
    /// In its turn.
    Queue,
    /// Its prompt is handed to the run that has the thread; if that ends before, in its turn.
    Steer,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Waiting {
    run_id: String,
    mode: Mode,
}

/// See the module's text.
#[derive(Debug, Clone)]
pub(crate) struct Queue {
    name: Name,
    /// Without those that have expired before the first one that is still queued.
    waiting: Vec<Waiting>,
    when: When,
    /// Set if the row has such ones: when it expires.
    pruned: Option<Option<u64>>,
}

impl Queue {
    /// Reads the queue of a thread, past the cache of opened records.
    ///
    /// # Errors
    /// `StoreCorrupt` if it is damaged, and those of the store.
    pub(crate) async fn read(access: &Access, thread_id: &str) -> Result<Self> {
        let name = access.name(KIND, &[b"queue/", thread_id.as_bytes()].concat());
        let Some(record) = access.read_current(KIND, &[(Area::Record, name)]).await?.pop().flatten() else {
            return Ok(Self { name, waiting: Vec::new(), when: When::Absent, pruned: None });
        };
        let waiting = json::from_slice(&record.body, &json::Limits::default()).map_err(|_| damaged())?;
        let mut queue = Self { name, waiting, when: When::Version(record.version), pruned: None };
        let next = queue.next(access, None).await?;
        let gone = queue.run_ids().take_while(|run_id| Some(*run_id) != next.as_deref()).count();
        if gone > 0 {
            queue.waiting.drain(..gone);
            queue.pruned = Some(record.expires_at);
        }
        Ok(queue)
    }

    /// The runs in it, the next first.
    pub(crate) fn run_ids(&self) -> impl DoubleEndedIterator<Item = &str> {
        self.waiting.iter().map(|waiting| waiting.run_id.as_str())
    }

    /// The runs in it whose prompts are to be handed to the run that has the thread.
    pub(crate) fn steering(&self) -> impl Iterator<Item = &str> {
        self.waiting.iter().filter(|waiting| waiting.mode == Mode::Steer).map(|waiting| waiting.run_id.as_str())
    }

    /// Whether a run is in it.
    pub(crate) fn has(&self, run_id: &str) -> bool {
        self.run_ids().any(|waiting| waiting == run_id)
    }

    /// Returns the first run that is still queued, passing over `but`.
    ///
    /// # Errors
    /// Those of the store.
    async fn next(&self, access: &Access, but: Option<&str>) -> Result<Option<String>> {
        for run_id in self.run_ids().filter(|run_id| Some(*run_id) != but) {
            let head = read_head(access, run_id).await?;
            if head.is_some_and(|(head, _)| head.status == RunStatus::Queued) {
                return Ok(Some(run_id.to_owned()));
            }
        }
        Ok(None)
    }

    /// Returns the next run, if one waits.
    pub(crate) fn first(&self) -> Option<&str> {
        self.run_ids().next()
    }

    /// Returns the changes that make the next run due, passing over `but`.
    ///
    /// # Errors
    /// Those of the store.
    pub(crate) async fn next_due(
        &self,
        access: &Access,
        but: Option<&str>,
        expires_at: Option<u64>,
    ) -> Result<Vec<Change>> {
        let next = self.next(access, but).await?;
        let due = next.map(|run_id| work::due(access, run_name(access, &run_id), access.now(), expires_at));
        Ok(due.into_iter().flatten().collect())
    }

    /// Returns the condition that it is as it was read.
    pub(crate) fn unchanged(&self) -> Change {
        match self.pruned {
            Some(expires_at) => self.written(&self.waiting, expires_at),
            None => Change::Check { kind: KIND, area: Area::Record, name: self.name, when: self.when },
        }
    }

    /// Returns the change that puts a run at its end, or in front if it replaces others.
    ///
    /// # Errors
    /// `ThreadBusy` if it is full.
    pub(crate) fn with(&self, run_id: &str, when_busy: WhenBusy, expires_at: Option<u64>) -> Result<Change> {
        if let Some(first) = self.waiting.first().filter(|_| self.waiting.len() >= LONGEST) {
            let message = format!(
                "{LONGEST} runs are queued on this thread, which is the most. Wait until some have begun, cancel some, or use \
                 another thread."
            );
            return Err(Error::run_busy(message, &first.run_id, RunStatus::Queued.name()));
        }
        let mut waiting = self.waiting.clone();
        let at = if when_busy == WhenBusy::Replace { 0 } else { waiting.len() };
        let mode = if when_busy == WhenBusy::Steer { Mode::Steer } else { Mode::Queue };
        waiting.insert(at, Waiting { run_id: run_id.to_owned(), mode });
        Ok(self.written(&waiting, expires_at))
    }

    /// Returns the change that takes runs out; if none is in it, the condition that none is.
    pub(crate) fn without(&self, run_ids: &[&str], expires_at: Option<u64>) -> Change {
        if !run_ids.iter().any(|run_id| self.has(run_id)) {
            return self.unchanged();
        }
        let is_left = |waiting: &&Waiting| !run_ids.contains(&waiting.run_id.as_str());
        let rest: Vec<Waiting> = self.waiting.iter().filter(is_left).cloned().collect();
        self.written(&rest, expires_at)
    }

    fn written(&self, waiting: &[Waiting], expires_at: Option<u64>) -> Change {
        let (kind, area, name, when) = (KIND, Area::Record, self.name, self.when);
        if waiting.is_empty() {
            return Change::Delete { kind, area, name, when };
        }
        let body = json::to_text(&waiting).into_bytes();
        Change::Write { kind, area, name, body, expires_at, counted: None, when }
    }
}
