//! Beginning a run: its ids, its place on its thread, its first commit.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use bailiwick_model::base32::prefixed_id;
use bailiwick_model::json::Json;
use bailiwick_model::spec::{AgentRole, RunLimits};
use bailiwick_model::{Error, Issue, Result};
use bailiwick_tenancy::{Access, Area, Change, Committed, Durability, When};
use tokio::time::Instant;

use super::callbacks::Callbacks;
use super::driver::Driver;
use super::entry::{self, Entry, NO_BLOCK, damaged, number};
use super::frame::role_name;
use super::head::{KIND, RunHead, RunStatus, busy, owner_name, run_name};
use super::journal::{Journal, Owner, UNFINISHED_MS, read_head, taken_over};
use super::lease;
use super::limits::{stricter, write_limits};
use super::live::{LiveRuns, Registered, Shown};
use super::parts::BrokenOff;
use super::request::{PreparedRun, RunRequest};
use super::result::result;
use super::state::RunState;
use super::usage::Usage;
use crate::handle::{TenantHandle, expiry};
use crate::references::Kept;
use crate::retry::{ATTEMPTS, contended};
use crate::threads::{Appends, history, names_files, prompt_message};

/// How much of a thread a model is given, in bytes: about so many times four tokens.
pub(crate) const HISTORY_BYTES: usize = 400_000;

impl TenantHandle {
    /// Gives a new run its ids: no I/O.
    ///
    /// # Errors
    /// `Internal` if the random numbers repeat.
    pub fn prepare_run(&self) -> Result<PreparedRun> {
        let run_id = prefixed_id("run_", &self.scope.random());
        let registered = self.live_runs().register(&run_id);
        let registered = registered.ok_or_else(|| Error::Internal("An id was given out twice.".to_owned()))?;
        Ok(PreparedRun { run_id, thread_id: prefixed_id("thr_", &self.scope.random()), registered })
    }

    /// Runs until there is a result, the JSON text of a `RunResult`.
    ///
    /// # Errors
    /// `Spec` if nobody can be asked, `InvalidInput`, `ThreadBusy`, `Closed`, and those of the store.
    pub async fn start_run(
        &self,
        prepared: PreparedRun,
        request: RunRequest,
        callbacks: &dyn Callbacks,
    ) -> Result<String> {
        self.scope.unless_closed(&self.closing, self.start(prepared, request, callbacks)).await
    }

    pub(crate) fn live_runs(&self) -> Arc<LiveRuns> {
        self.scope.shared::<LiveRuns>()
    }

    async fn start(&self, prepared: PreparedRun, request: RunRequest, callbacks: &dyn Callbacks) -> Result<String> {
        let (agent, role) = self.asked_agent(request.specialist.as_deref())?;
        let thread_id = request.thread_id.clone().unwrap_or_else(|| prepared.thread_id.clone());
        let now = self.scope.now();
        let prompt = prompt_message(&request.prompt, now, &prepared.run_id, request.actor.as_deref())?;
        if names_files(&prompt) && self.scope.existing().await?.is_none() {
            return Err(Error::NotFound);
        }
        let access = self.scope.for_writing().await?;
        let own = self.catalogue.team.agent(&agent).map(|agent| agent.spec.limits).unwrap_or_default();
        let limits = stricter(&stricter(&request.limits, &self.run_limits()), &own).or(&RunLimits::DEFAULT);
        let begun = Begun { prepared: &prepared, request: &request, agent, role, thread_id, limits, prompt };
        let mut driver = self.begin(access, begun, &prepared.registered, callbacks).await?;
        driver.work().await?;
        Ok(result(&driver.state))
    }

    fn asked_agent(&self, specialist: Option<&str>) -> Result<(String, AgentRole)> {
        let team = &self.catalogue.team;
        let agent = match specialist {
            Some(name) => team.agent(name).filter(|agent| agent.spec.role == AgentRole::Specialist),
            None => team.front.as_deref().and_then(|name| team.agent(name)),
        };
        match agent {
            Some(agent) => Ok((agent.spec.name.clone(), agent.spec.role)),
            None if specialist.is_some() => {
                let message = "There is no specialist of this name. Use one of the spec's specialists.".to_owned();
                Err(Error::Spec(vec![Issue { path: "agents".to_owned(), message }]))
            }
            None => Err(super::team::no_front()),
        }
    }

    async fn begin<'a>(
        &'a self,
        access: Access,
        begun: Begun<'_>,
        registered: &Registered,
        callbacks: &'a dyn Callbacks,
    ) -> Result<Driver<'a>> {
        let Begun { prepared, request, agent, role, thread_id, limits, prompt } = begun;
        let run_id = prepared.run_id.clone();
        let owner = Owner { run_id: run_id.clone(), epoch: 1 };
        let (name, owner_at) = (run_name(&access, &run_id), owner_name(&access, &thread_id));
        let expires_at = self.unfinished_until(&access)?;
        let created_micros = access.next_micros();
        for _ in 0..ATTEMPTS {
            let now = access.now();
            let thread = self
                .threads()
                .append_changes(&access, &thread_id, std::slice::from_ref(&prompt), Appends::Prompt)
                .await?;
            let Some((thread, base)) = thread else { return Err(contended()) };
            let started = Entry::new("run.started", now)
                .with("prompt", request.prompt.clone())
                .with_text("actor", request.actor.as_deref())
                .own("threadId", Json::from(thread_id.as_str()))
                .own("agent", Json::from(agent.as_str()))
                .own("limits", write_limits(&limits))
                .own("base", number(base));
            let started = match &request.trace {
                Some(trace) => started.own("trace", Json::from(trace.as_str())),
                None => started,
            };
            let first = Entry::new("agent.started", now)
                .with("agent", Json::from(agent.as_str()))
                .own("role", Json::from(role_name(role)));
            let entries = vec![started, first];
            let block = entry::write(&NO_BLOCK, &entries);
            let head = RunHead {
                run_id: run_id.clone(),
                thread_id: thread_id.clone(),
                status: RunStatus::Running,
                agent: agent.clone(),
                actor: request.actor.clone(),
                started_at: now,
                updated_at: now,
                usage: Usage::default(),
                created_micros,
                next: entries.len() as u64,
                hash: entry::hash(&block),
                counted: Usage::default(),
            };
            let when = self.owner_condition(&access, &thread_id).await?;
            let body = head.write();
            let (area, counted) = (Area::Record, Some(block.len() as u64));
            let mut changes = vec![
                owner.written(owner_at, when, expires_at),
                super::journal::block(name, 0, block.clone(), expires_at),
                Change::Write { kind: KIND, area, name, body, expires_at, counted, when: When::Absent },
            ];
            changes.extend(head.listed(name, None, expires_at));
            changes.extend(thread);
            changes.extend(lease::taken(&access, &run_id));
            if access.commit(changes, &self.engine_limits, Durability::Sync).await? != Committed::Done {
                continue;
            }
            let mut state = entries.first().and_then(|entry| RunState::begin(&run_id, entry)).ok_or_else(damaged)?;
            entries.iter().skip(1).try_for_each(|entry| state.apply(entry)).ok_or_else(damaged)?;
            let history = history(&access, &thread_id, base, HISTORY_BYTES).await?;
            let journal = Journal {
                name,
                owner: owner_at,
                version: owned(&access, &owner, &thread_id).await?,
                epoch: owner.epoch,
                next: head.next,
                hash: head.hash,
                bytes: block.len() as u64,
                expires_at,
            };
            let shown = (0..).zip(&entries).map(|(sequence, entry)| Shown::new(&run_id, sequence, entry));
            registered.live.committed(shown);
            return Ok(self.driver(access, callbacks, registered, state, journal, head, history));
        }
        Err(contended())
    }

    /// The condition under which a new run may take a thread.
    async fn owner_condition(&self, access: &Access, thread_id: &str) -> Result<When> {
        match self.owner(access, thread_id).await? {
            (Some(run_id), _) => Err(self.busy_with(access, &run_id).await?),
            (None, when) => Ok(when),
        }
    }

    /// The run that has a thread, and the condition that nobody takes or leaves it meanwhile.
    ///
    /// # Errors
    /// Those of the store.
    pub(crate) async fn thread_owner(&self, access: &Access, thread_id: &str) -> Result<(Option<String>, Change)> {
        let (run_id, when) = self.owner(access, thread_id).await?;
        Ok((run_id, Change::Check { kind: KIND, area: Area::Record, name: owner_name(access, thread_id), when }))
    }

    async fn owner(&self, access: &Access, thread_id: &str) -> Result<(Option<String>, When)> {
        let Some((owner, version)) = Owner::read(access, thread_id).await? else { return Ok((None, When::Absent)) };
        // What is left of a run that has expired keeps nobody out.
        let head = read_head(access, &owner.run_id).await?.filter(|(head, _)| !head.status.is_end());
        Ok((head.map(|_| owner.run_id), When::Version(version)))
    }

    /// What is said of a thread that this run writes.
    ///
    /// # Errors
    /// Those of the store.
    pub(crate) async fn busy_with(&self, access: &Access, run_id: &str) -> Result<Error> {
        let Some((head, _)) = read_head(access, run_id).await? else { return Ok(contended()) };
        let is_live = self.at_work(access, std::slice::from_ref(&head)).await?.contains(&true);
        Ok(busy(run_id, head.shown(is_live)))
    }

    pub(crate) fn unfinished_until(&self, access: &Access) -> Result<Option<u64>> {
        let kept = self.retention_ms(KIND).map(|ttl| ttl.saturating_add(UNFINISHED_MS));
        expiry(access.now(), kept.map(|ttl| ttl.min((1 << 53) - 1)))
    }

    pub(crate) fn driver<'a>(
        &'a self,
        access: Access,
        callbacks: &'a dyn Callbacks,
        registered: &Registered,
        state: RunState,
        journal: Journal,
        head: RunHead,
        history: Vec<String>,
    ) -> Driver<'a> {
        Driver {
            handle: self,
            access,
            callbacks,
            live: registered.live.clone(),
            active_before: state.active_ms,
            state,
            journal,
            head,
            pending: Vec::new(),
            kept: Kept::default(),
            history,
            sent: HashMap::new(),
            introduced: HashSet::new(),
            broken_off: BrokenOff::default(),
            asked: HashSet::new(),
            began: Instant::now(),
        }
    }
}

/// What a run begins with.
struct Begun<'a> {
    prepared: &'a PreparedRun,
    request: &'a RunRequest,
    agent: String,
    role: AgentRole,
    thread_id: String,
    limits: RunLimits,
    prompt: Json,
}

/// The version of the owner's record that was just written.
pub(crate) async fn owned(access: &Access, owner: &Owner, thread_id: &str) -> Result<bailiwick_tenancy::Version> {
    match Owner::read(access, thread_id).await? {
        Some((now, version)) if now == *owner => Ok(version),
        _ => Err(taken_over(&owner.run_id)),
    }
}
