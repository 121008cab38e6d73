//! Takes the next step of a run until the run ends or waits for a person. The steps are in `steps`; here is what they share.

mod budget;
mod commit;
mod definitions;

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use bailiwick_model::{Error, Result};
use bailiwick_tenancy::{Access, Area, Change, Durability, Limits, When};
use tokio::time::Instant;

pub(crate) use commit::Block;

use super::agents::{AgentRules, Agents};
use super::definitions::Definition;
use super::events::{CutOff, Entry, Event, FailureCode, Limit, Nothing, RunFailed, RunFailure, RunLimited, damaged};
use super::follow::{Live, Registered};
use super::host::Callbacks;
use super::journal::{Journal, KIND, RunHead};
use super::lifecycle::{Renewal, end, given_back};
use super::state::{Next, RunState};
use super::steps::{self, BrokenAnswers};
use crate::handle::TenantHandle;
use crate::references::Kept;
use crate::threads::History;
use crate::waits::Wait;

/// Why a run stops.
#[derive(Debug)]
pub(crate) enum Stop {
    Cancelled,
    /// One of its limits is reached.
    Limited(Limit),
    /// One of the limits of an agent that was called is reached, which has this place among the agents at work: its call fails.
    AgentLimited(Limit, usize),
    /// A model, a callback or the spec has failed it.
    Failed(RunFailure),
    /// It cannot go on here. Its journal is as it was.
    Error(Error),
}

impl From<Error> for Stop {
    fn from(error: Error) -> Self {
        Self::Error(error)
    }
}

/// A failure that will come again.
pub(crate) fn failed(code: FailureCode, message: &str) -> Stop {
    Stop::Failed(RunFailure { code, message: message.to_owned(), retryable: false, retry_after_ms: None })
}

/// The error for those who wait here for the result of a run that this process has given up.
pub(crate) fn given_up() -> Error {
    let message = "This process has given the run up, and any other may go on with it. Follow it with runs.follow.";
    Error::Closed(message.to_owned())
}

/// A run that this process works at.
pub(crate) struct Driver<'a> {
    pub(crate) handle: &'a TenantHandle,
    pub(crate) access: Access,
    pub(crate) host: &'a dyn Callbacks,
    pub(crate) live: Arc<Live>,
    pub(crate) state: RunState,
    pub(crate) journal: Journal,
    pub(crate) head: RunHead,
    /// Entries that the state has and the journal does not have yet.
    pub(crate) pending: Vec<Entry>,
    /// References that the next commit keeps.
    pub(crate) kept: Kept,
    /// Waits that the next commit opens.
    pub(crate) opening: Vec<Wait>,
    /// What the next commit changes of waits.
    pub(crate) wait_changes: Vec<Change>,
    /// Definitions of agents that the next commit stores.
    pub(crate) storing: Vec<Change>,
    /// The messages of the thread before the run, once they are read.
    pub(crate) history: Option<History>,
    /// How many messages of each agent the host has.
    pub(crate) sent: HashMap<u64, usize>,
    /// The agents whose configuration the host has, each with the hash of the definition.
    pub(crate) configured: HashMap<String, String>,
    /// The definitions of agents that are not those of the spec, by the numbers of the agents.
    definitions: HashMap<u64, Arc<Definition>>,
    /// Answers of models that broke off and that no entry mentions yet.
    pub(crate) broken: BrokenAnswers,
    /// The approvals that the host's approver was requested to decide.
    pub(crate) requested: HashSet<String>,
    began: Instant,
    /// How long the run was worked at before, in milliseconds.
    active_before: u64,
}

impl<'a> Driver<'a> {
    /// A run that goes on from this state.
    pub(crate) fn new(
        handle: &'a TenantHandle,
        access: Access,
        host: &'a dyn Callbacks,
        registered: &Registered,
        state: RunState,
        journal: Journal,
        head: RunHead,
    ) -> Self {
        Self {
            handle,
            access,
            host,
            live: registered.live.clone(),
            active_before: state.active_ms,
            state,
            journal,
            head,
            pending: Vec::new(),
            kept: Kept::default(),
            opening: Vec::new(),
            wait_changes: Vec::new(),
            storing: Vec::new(),
            history: None,
            sent: HashMap::new(),
            configured: HashMap::new(),
            definitions: HashMap::new(),
            broken: BrokenAnswers::default(),
            requested: HashSet::new(),
            began: Instant::now(),
        }
    }

    /// Goes on until the run ends or is suspended.
    ///
    /// # Errors
    /// `ThreadBusy` once another process has taken the run over, `Closed` once it was given up, and those of the store; then the run
    /// is interrupted.
    pub(crate) async fn work(&mut self) -> Result<()> {
        let renewal = Renewal {
            access: self.access.clone(),
            run_id: self.state.run_id.clone(),
            live: self.live.clone(),
            limits: self.handle.engine_limits.clone(),
            owner: (self.journal.owner, self.journal.version),
        };
        let live = self.live.clone();
        let outcome = tokio::select! {
            biased;
            outcome = renewal.during(Box::pin(self.drive())) => outcome,
            () = live.released.cancelled() => Err(given_up()),
        };
        if outcome.is_err() && (live.yields.is_cancelled() || live.released.is_cancelled()) {
            self.give_up().await?;
        }
        outcome
    }

    /// Removes the run's lease, and makes its tenant due for work. Does nothing if the run has ended, or another process has it.
    async fn give_up(&self) -> Result<()> {
        let (kind, when) = (KIND, When::Version(self.journal.version));
        let mut changes = vec![Change::Check { kind, area: Area::Record, name: self.journal.owner, when }];
        changes.extend(given_back(&self.access, &self.state.run_id));
        changes.push(Change::WakeWork { at: self.access.now() });
        self.access.commit(changes, &Limits::default(), Durability::Relaxed).await.map(drop)
    }

    async fn drive(&mut self) -> Result<()> {
        loop {
            let outcome = match self.state.next() {
                Next::Ended => return Ok(()),
                next => self.take(next).await,
            };
            let stop = match outcome {
                Ok(true) => continue,
                Ok(false) => return Ok(()),
                Err(Stop::Error(error)) => return Err(error),
                Err(stop) => stop,
            };
            let cut_off = self.broken.cut_off();
            let event = match stop {
                Stop::Limited(limit) | Stop::AgentLimited(limit, _) => Event::RunLimited(RunLimited { limit }, cut_off),
                Stop::Failed(error) => Event::RunFailed(RunFailed { error }, cut_off),
                Stop::Cancelled | Stop::Error(_) => Event::RunCancelled(Nothing {}, cut_off),
            };
            end(self, event).await?;
        }
    }

    /// Ends the run as cancelled.
    pub(crate) async fn cancel(&mut self) -> Result<()> {
        end(self, Event::RunCancelled(Nothing {}, CutOff::default())).await
    }

    /// Takes a step. `false`: the run is suspended.
    async fn take(&mut self, next: Next) -> Result<bool, Stop> {
        match self.step(next).await {
            Err(Stop::AgentLimited(limit, at)) => steps::end_agents(self, limit, at).await.map(|()| true),
            outcome => outcome,
        }
    }

    async fn step(&mut self, next: Next) -> Result<bool, Stop> {
        self.check_stopped()?;
        if self.live.yields.is_cancelled() {
            // What the step before has done is done.
            self.flush().await?;
            return Err(given_up().into());
        }
        steps::take(self, next).await
    }

    /// The agents and tools of the spec.
    pub(crate) fn agents(&self) -> &'a Agents {
        &self.handle.catalogue.agents
    }

    pub(crate) fn agent(&self) -> Result<&'a AgentRules, Stop> {
        let name = self.state.agent().unwrap_or_default();
        self.agents().agent(name).ok_or_else(|| {
            let told =
                format!("The agent {name} is not in the spec any more. Resume with a spec that has it, or start anew.");
            failed(FailureCode::Internal, &told)
        })
    }

    /// The time of a new entry, in epoch milliseconds: never before that of the last one.
    pub(crate) fn now(&self) -> u64 {
        self.access.now().max(self.state.updated_at)
    }

    /// Applies an event of now about no agent, to be committed with the next block.
    ///
    /// # Errors
    /// `StoreCorrupt` if it does not fit.
    pub(crate) async fn note_run(&mut self, event: Event) -> Result<()> {
        self.note_entry(Entry::new(self.now(), event)).await
    }

    /// The same about the last agent.
    ///
    /// # Errors
    /// `StoreCorrupt` if it does not fit.
    pub(crate) async fn note(&mut self, event: Event) -> Result<()> {
        self.note_entry(Entry::new(self.now(), event).about(self.state.agent())).await
    }

    /// The same for an entry.
    ///
    /// # Errors
    /// `StoreCorrupt` if it does not fit.
    pub(crate) async fn note_entry(&mut self, entry: Entry) -> Result<()> {
        self.state.take(&entry).await.ok_or_else(damaged)?;
        self.pending.push(entry);
        Ok(())
    }
}
