//! Does what the state says is next, until the run ends or waits for a person.

use std::collections::{HashMap, HashSet};
use std::future::{Future, poll_fn};
use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use bailiwick_model::json::Json;
use bailiwick_model::pace::ahead;
use bailiwick_model::spec::RunLimits;
use bailiwick_model::{Error, Result};
use bailiwick_tenancy::{Access, Change, Committed, Durability, Limits};
use tokio::time::Instant;

use super::callbacks::Callbacks;
use super::entry::{Entry, damaged, object};
use super::head::RunHead;
use super::journal::{CONDITIONS, Journal, taken_over};
use super::lease::Renewal;
use super::live::{Live, Shown};
use super::parts::BrokenOff;
use super::state::{Next, RunState};
use super::team::{AgentRules, Team};
use crate::handle::TenantHandle;
use crate::references::Kept;
use crate::retry::{ATTEMPTS, contended};

/// How the last answer of the agent that was asked ended, of a run that is completed.
pub(crate) const FINISH_REASON: &str = "finishReason";

/// Why a run does not go on.
#[derive(Debug)]
pub(crate) enum Halt {
    /// Somebody wants it to end.
    Cancelled,
    /// One of its limits is reached.
    Limited(&'static str),
    /// A model, a callback or the spec has failed it: a `RunFailure`.
    Failed(Json),
    /// It could not be gone on with here. Its journal is as it was.
    Error(Error),
}

impl From<Error> for Halt {
    fn from(error: Error) -> Self {
        Self::Error(error)
    }
}

/// A `RunFailure` that there is no use in trying again.
pub(crate) fn failed(code: &str, message: &str) -> Halt {
    Halt::Failed(object([
        ("code", Json::from(code)),
        ("message", Json::from(message)),
        ("retryable", Json::Bool(false)),
    ]))
}

/// A run at work.
pub(crate) struct Driver<'a> {
    pub(crate) handle: &'a TenantHandle,
    pub(crate) access: Access,
    pub(crate) callbacks: &'a dyn Callbacks,
    pub(crate) live: Arc<Live>,
    pub(crate) state: RunState,
    pub(crate) journal: Journal,
    pub(crate) head: RunHead,
    /// Entries that the state has taken in and the journal has not.
    pub(crate) pending: Vec<Entry>,
    /// References that the next commit keeps.
    pub(crate) kept: Kept,
    /// The messages of the thread before the run.
    pub(crate) history: Vec<String>,
    /// How many messages of each agent the host has.
    pub(crate) sent: HashMap<u64, usize>,
    /// The agents that the host knows.
    pub(crate) introduced: HashSet<String>,
    /// What is kept of answers of models that broke off.
    pub(crate) broken_off: BrokenOff,
    /// The approvals that the host was asked about.
    pub(crate) asked: HashSet<String>,
    pub(crate) began: Instant,
    /// How long the run was worked at before, in milliseconds.
    pub(crate) active_before: u64,
}

impl Driver<'_> {
    /// Goes on until the run ends or is suspended.
    ///
    /// # Errors
    /// `ThreadBusy` once another process has taken the run over, and those of the store; then the run is interrupted.
    pub(crate) async fn work(&mut self) -> Result<()> {
        let renewal = Renewal {
            access: self.access.clone(),
            run_id: self.state.run_id.clone(),
            live: self.live.clone(),
            limits: self.handle.engine_limits.clone(),
            owner: (self.journal.owner, self.journal.version),
        };
        renewal.during(self.drive()).await
    }

    async fn drive(&mut self) -> Result<()> {
        loop {
            let outcome = match self.state.next() {
                Next::Ended => return Ok(()),
                next => self.step(next).await,
            };
            let entry = match outcome {
                Ok(true) => continue,
                Ok(false) => return Ok(()),
                Err(Halt::Error(error)) => return Err(error),
                Err(Halt::Cancelled) => self.entry("run.cancelled"),
                Err(Halt::Limited(limit)) => self.entry("run.limited").with("limit", Json::from(limit)),
                Err(Halt::Failed(failure)) => self.entry("run.failed").with("error", failure),
            };
            let entry = self.broken_off.ended(entry);
            self.end(entry).await?;
        }
    }

    /// `false`: the run is suspended.
    async fn step(&mut self, next: Next) -> Result<bool, Halt> {
        self.check_halted()?;
        match next {
            Next::Ask => self.ask().await?,
            Next::Calls(ready) => return self.calls(&ready).await,
            Next::SavePlan => self.save_plan().await?,
            Next::AskAboutPlan => return self.ask_about_plan().await,
            Next::Execute => self.execute().await?,
            Next::Wait => return self.wait().await,
            Next::Leave => self.leave().await?,
            Next::Finish => self.finish().await?,
            Next::Ended => {}
        }
        Ok(true)
    }

    async fn finish(&mut self) -> Result<(), Halt> {
        let Some(answer) = self.state.answer.clone() else { return Err(damaged().into()) };
        let usage = self.state.usage.to_json();
        let reason = self.state.finish_reason.clone();
        let entry = self.entry("run.completed").with("text", Json::String(answer.text)).with("output", answer.output);
        let entry = entry.with_text(FINISH_REASON, reason.as_deref());
        self.end(entry.with("usage", usage)).await.map_err(Halt::from)
    }

    pub(crate) fn team(&self) -> &Team {
        &self.handle.catalogue.team
    }

    /// The rules of the last agent.
    pub(crate) fn agent(&self) -> Result<&AgentRules, Halt> {
        let name = self.state.frames.last().map(|frame| frame.agent.as_str()).unwrap_or_default();
        self.team().agent(name).ok_or_else(|| {
            failed(
                "INTERNAL",
                &format!(
                    "The agent {name} is not in the spec any more. Resume with a spec that has it, or start anew."
                ),
            )
        })
    }

    /// An entry of now.
    pub(crate) fn entry(&self, kind: &str) -> Entry {
        Entry::new(kind, self.access.now().max(self.state.updated_at))
    }

    /// An entry of now about the last agent.
    pub(crate) fn agent_entry(&self, kind: &str) -> Entry {
        let agent = self.state.frames.last().map(|frame| frame.agent.as_str());
        self.entry(kind).with_text("agent", agent)
    }

    /// Takes an entry in, to be committed with the next.
    ///
    /// # Errors
    /// `StoreCorrupt` if it does not fit.
    pub(crate) fn note(&mut self, entry: Entry) -> Result<()> {
        self.state.apply(&entry).ok_or_else(damaged)?;
        self.pending.push(entry);
        Ok(())
    }

    /// Commits what waits.
    ///
    /// # Errors
    /// `ThreadBusy` if another process has taken the run over, and those of the store.
    pub(crate) async fn flush(&mut self) -> Result<()> {
        self.flush_with(Vec::new()).await
    }

    /// Commits what waits, with changes that have no condition.
    ///
    /// # Errors
    /// As [`Driver::flush`].
    pub(crate) async fn flush_with(&mut self, others: Vec<Change>) -> Result<()> {
        if self.pending.is_empty() {
            return Ok(());
        }
        for _ in 0..ATTEMPTS {
            if self.try_flush(others.clone()).await? {
                return Ok(());
            }
        }
        Err(contended())
    }

    /// Commits what waits, with other changes. `false`: a condition of those did not hold, and nothing was written.
    ///
    /// # Errors
    /// As [`Driver::flush`].
    pub(crate) async fn try_flush(&mut self, others: Vec<Change>) -> Result<bool> {
        let handle = self.handle;
        self.try_flush_within(others, &handle.engine_limits).await
    }

    /// The same, within other limits than the tenant's.
    ///
    /// # Errors
    /// As [`Driver::flush`].
    pub(crate) async fn try_flush_within(&mut self, others: Vec<Change>, limits: &Limits) -> Result<bool> {
        ahead(self.pending.iter().map(Entry::weight).sum::<u64>() + self.kept.weight() as u64).await;
        let (block, mut changes) = self.journal.appended(&self.pending);
        changes.extend(self.kept.changes(&self.access)?);
        changes.extend(others);
        match self.access.commit(changes, limits, Durability::Sync).await? {
            Committed::Done => {
                self.committed(&block);
                Ok(true)
            }
            Committed::Conflict(at) if at < CONDITIONS => Err(taken_over(&self.state.run_id)),
            Committed::Conflict(_) => {
                self.kept.look_again(&self.access).await?;
                Ok(false)
            }
        }
    }

    /// To be called when a block with everything that waited is in the store.
    pub(crate) fn committed(&mut self, block: &[u8]) {
        let entries = std::mem::take(&mut self.pending);
        let first = self.journal.next;
        self.journal.committed(block, entries.len());
        self.kept = Kept::default();
        let run_id = self.state.run_id.as_str();
        self.live.committed((first..).zip(&entries).map(|(sequence, entry)| Shown::new(run_id, sequence, entry)));
    }

    /// How long the run was worked at, in milliseconds.
    pub(crate) fn active_ms(&self) -> u64 {
        let now = u64::try_from(self.began.elapsed().as_millis()).unwrap_or(u64::MAX);
        self.active_before.saturating_add(now)
    }

    /// When the time of the run, or of an agent at work, is over.
    fn deadline(&self) -> Option<Instant> {
        let of_agents = self.state.frames.iter().filter_map(|frame| {
            let most = self.team().agent(&frame.agent)?.spec.limits.max_duration_ms?;
            Some(frame.began_ms.saturating_add(most))
        });
        let until = self.state.limits.max_duration_ms.into_iter().chain(of_agents).min()?;
        self.began.checked_add(Duration::from_millis(until.saturating_sub(self.active_before)))
    }

    fn check_halted(&self) -> Result<(), Halt> {
        if self.live.cancelled.is_closed() {
            return Err(Halt::Cancelled);
        }
        match self.deadline() {
            Some(deadline) if Instant::now() >= deadline => Err(Halt::Limited("maxDurationMs")),
            _ => Ok(()),
        }
    }

    /// # Errors
    /// `Limited` if a model must not be asked once more.
    pub(crate) fn check_steps(&self, own: &RunLimits) -> Result<(), Halt> {
        let Some(frame) = self.state.frames.last() else { return Ok(()) };
        let run = &self.state.limits;
        let reached = |used: u64, limit: Option<u64>| limit.is_some_and(|limit| used >= limit);
        if reached(self.state.steps, run.max_steps) || reached(frame.steps, own.max_steps) {
            return Err(Halt::Limited("maxSteps"));
        }
        if reached(self.state.usage.total(), run.max_tokens) || reached(frame.tokens, own.max_tokens) {
            return Err(Halt::Limited("maxTokens"));
        }
        Ok(())
    }

    /// # Errors
    /// `Limited` if so many more tools must not be called.
    pub(crate) fn check_tool_calls(&self, more: u64) -> Result<(), Halt> {
        let Some(frame) = self.state.frames.last() else { return Ok(()) };
        let own = self.agent()?.spec.limits.max_tool_calls;
        let exceeded = |used: u64, limit: Option<u64>| limit.is_some_and(|limit| used + more > limit);
        if exceeded(self.state.tool_calls, self.state.limits.max_tool_calls) || exceeded(frame.tool_calls, own) {
            return Err(Halt::Limited("maxToolCalls"));
        }
        Ok(())
    }

    /// Waits for something of the host's, unless the run is cancelled or its time is over meanwhile.
    pub(crate) async fn unless_halted<T>(&self, work: impl Future<Output = T>) -> Result<T, Halt> {
        let (mut work, mut cancelled) = (pin!(work), pin!(self.live.cancelled.closed()));
        let mut over = pin!(until(self.deadline()));
        poll_fn(|context| {
            if let Poll::Ready(value) = work.as_mut().poll(context) {
                return Poll::Ready(Ok(value));
            }
            if cancelled.as_mut().poll(context).is_ready() {
                return Poll::Ready(Err(Halt::Cancelled));
            }
            over.as_mut().poll(context).map(|()| Err(Halt::Limited("maxDurationMs")))
        })
        .await
    }
}

async fn until(deadline: Option<Instant>) {
    match deadline {
        Some(deadline) => tokio::time::sleep_until(deadline).await,
        None => std::future::pending().await,
    }
}

/// What is said when the host that was to answer is gone.
pub(crate) fn host_gone() -> Error {
    Error::Closed("The runtime that this run was started on is closed. Resume the run with another.".to_owned())
}
