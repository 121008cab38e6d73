//! A run that is about to begin, or to be queued.

use bailiwick_model::json::Json;
use bailiwick_model::spec::{AgentRole, RunLimits};
use bailiwick_tenancy::Change;

use super::request::RunRequest;
use crate::runs::events::{
    AgentBegun, ContinuedRun, Entry, Event, LeftCall, Nothing, QueuedRequest, RunContext, RunQueued, RunStarted, Usage,
};
use crate::runs::journal::{End, RunHead, RunStatus};

/// See the module's text.
pub(super) struct NewRun {
    pub(super) run_id: String,
    pub(super) request: RunRequest,
    pub(super) agent: String,
    pub(super) role: AgentRole,
    pub(super) thread_id: String,
    pub(super) limits: RunLimits,
    /// As its thread takes it. `None` for a run that goes on with the calls of another.
    pub(super) prompt: Option<Json>,
    pub(super) continues: Option<Continued>,
    /// What its first commit changes besides.
    pub(super) with: Vec<Change>,
}

/// The run whose calls a run goes on with, and these.
#[derive(Clone)]
pub(super) struct Continued {
    pub(super) run: ContinuedRun,
    pub(super) calls: Vec<LeftCall>,
    /// Who asked that run, unless that is its actor alone.
    pub(super) requesters: Vec<Option<String>>,
}

impl NewRun {
    /// The entries with which it begins. `base`: how many messages the thread had before. `definition`: the hash of its agent's.
    pub(super) fn entries(&self, now: u64, base: u64, definition: Option<String>) -> [Entry; 2] {
        let RunRequest { prompt, actor, trace, instructions, .. } = self.request.clone();
        let (thread_id, agent, limits) = (self.thread_id.clone(), self.agent.clone(), self.limits);
        let (continues, left, requesters) = self.continued();
        let context = RunContext { thread_id, agent, limits, base, trace, instructions, left, requesters };
        let first = Event::AgentStarted(Nothing {}, AgentBegun::Prompt { role: self.role, definition });
        [
            Entry::new(now, Event::RunStarted(RunStarted { prompt, actor, continues }, context)),
            Entry::new(now, first).about(Some(&self.agent)),
        ]
    }

    /// The entry with which it is queued. `exists`: whether its thread does.
    pub(super) fn queued(&self, now: u64, exists: bool) -> Entry {
        let RunRequest { prompt, actor, trace, instructions, when_busy, start_at, .. } = self.request.clone();
        let (thread_id, agent, limits) = (self.thread_id.clone(), self.agent.clone(), self.limits);
        let (continues, left, requesters) = self.continued();
        let of_run = QueuedRequest {
            thread_id,
            agent,
            limits,
            when_busy,
            continues: exists,
            trace,
            instructions,
            left,
            requesters,
        };
        Entry::new(now, Event::RunQueued(RunQueued { prompt, actor, start_at, continues }, of_run))
    }

    fn continued(&self) -> (Option<ContinuedRun>, Vec<LeftCall>, Vec<Option<String>>) {
        match self.continues.clone() {
            Some(Continued { run, calls, requesters }) => (Some(run), calls, requesters),
            None => (None, Vec::new(), Vec::new()),
        }
    }

    /// About how many bytes it begins with.
    pub(super) fn weight(&self) -> u64 {
        let calls = self.continues.iter().flat_map(|continued| &continued.calls).map(LeftCall::weight);
        self.prompt.as_ref().map_or(0, Json::weight) + calls.sum::<u64>()
    }

    /// Whether it must not begin yet.
    pub(super) fn is_early(&self, now: u64) -> bool {
        self.request.start_at.is_some_and(|at| at > now)
    }

    /// Its record of a status once its journal ends there.
    pub(super) fn head(&self, status: RunStatus, now: u64, created_micros: u64, end: &End) -> RunHead {
        RunHead {
            run_id: self.run_id.clone(),
            thread_id: self.thread_id.clone(),
            status,
            agent: self.agent.clone(),
            actor: self.request.actor.clone(),
            started_at: now,
            updated_at: now,
            usage: Usage::default(),
            created_micros,
            next: end.next,
            hash: end.hash,
            counted: Usage::default(),
            waiting: false,
            continued_by: None,
        }
    }
}
