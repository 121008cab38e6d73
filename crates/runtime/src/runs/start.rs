//! Beginning a run, going on with one, and cancelling one.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use bailiwick_model::base32::prefixed_id;
use bailiwick_model::json::{self, Json};
use bailiwick_model::spec::{AgentRole, RunLimits};
use bailiwick_model::{Error, Issue, Result};
use bailiwick_tenancy::{Access, Area, Change, Committed, Durability, When};
use tokio::time::Instant;

use super::callbacks::{Ask, Asked, Callbacks};
use super::driver::Driver;
use super::entry::{self, Entry, NO_BLOCK, damaged, member, number};
use super::head::{KIND, RunHead, RunStatus, busy, owner_name, run_name};
use super::journal::{Journal, Owner, UNFINISHED_MS, load, read_head, taken_over};
use super::live::{LiveRuns, Registered, Shown};
use super::state::{RunState, read_limits, role_name, stricter, write_limits};
use super::usage::Usage;
use crate::handle::{TenantHandle, expiry};
use crate::references::{ATTEMPTS, Kept, contended};
use crate::threads::{history, prompt_message};

/// How much of a thread a model is given, in bytes: about so many times four tokens.
const HISTORY_BYTES: usize = 400_000;
/// The longest name of who asks, in bytes of UTF-8.
const ACTOR_BYTES: usize = 256;

/// A run that has its ids and is not begun. It can be cancelled from here on.
pub struct PreparedRun {
    /// Its id.
    pub run_id: String,
    /// An id for its thread, if the caller has none.
    pub thread_id: String,
    registered: Registered,
}

/// What is asked of a tenant's agents.
#[derive(Debug, Clone, PartialEq)]
pub struct RunRequest {
    /// A specialist; `None`: who is asked by queries.
    pub specialist: Option<String>,
    /// A text, or an array of text and file parts.
    pub prompt: Json,
    /// The caller's own thread.
    pub thread_id: Option<String>,
    /// Who asks.
    pub actor: Option<String>,
    /// Its own limits, which go with those of the tenant and the agent.
    pub limits: RunLimits,
}

impl RunRequest {
    /// Reads `{ specialist?, prompt, threadId?, actor?, limits? }`.
    ///
    /// # Errors
    /// `InvalidInput`.
    pub fn read(text: &[u8]) -> Result<Self> {
        let Json::Object(members) = json::parse(text, &json::Limits::default())? else {
            return Err(Error::invalid("query takes a prompt or { prompt, … }."));
        };
        let mut request =
            Self { specialist: None, prompt: Json::Null, thread_id: None, actor: None, limits: RunLimits::default() };
        for (key, value) in members {
            match (key.as_str(), value) {
                ("specialist", Json::String(name)) => request.specialist = Some(name),
                ("threadId", Json::String(id)) => request.thread_id = Some(id),
                ("actor", Json::String(actor)) => request.actor = Some(actor),
                ("prompt", prompt) => request.prompt = prompt,
                ("limits", limits) => {
                    request.limits = read_limits(&limits).ok_or_else(|| {
                        Error::invalid("limits may have maxSteps, maxToolCalls, maxTokens and maxDurationMs: positive whole numbers.")
                    })?;
                }
                _ => {
                    return Err(Error::invalid(
                        "A request has prompt, threadId, actor and limits: texts, and limits an object.",
                    ));
                }
            }
        }
        if request.actor.as_ref().is_some_and(|actor| !(1..=ACTOR_BYTES).contains(&actor.len())) {
            return Err(Error::invalid("actor must have 1 to 256 bytes of UTF-8."));
        }
        Ok(request)
    }
}

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

    /// Goes on with a run from its journal, until there is a result.
    ///
    /// # Errors
    /// `NotFound`; `ThreadBusy` if it is at work; `Closed`, and those of the store.
    pub async fn resume_run(&self, run_id: &str, callbacks: &dyn Callbacks) -> Result<String> {
        self.scope.unless_closed(&self.closing, self.resume(run_id, callbacks)).await
    }

    /// Ends a run that is not over: its approvals are withdrawn and its thread is free. Does nothing to one that is over.
    ///
    /// # Errors
    /// `NotFound`, `Closed`, and those of the store.
    pub async fn cancel_run(&self, run_id: &str) -> Result<()> {
        self.scope.unless_closed(&self.closing, self.cancel(run_id)).await
    }

    pub(crate) fn live_runs(&self) -> Arc<LiveRuns> {
        self.scope.shared::<LiveRuns>()
    }

    async fn start(&self, prepared: PreparedRun, request: RunRequest, callbacks: &dyn Callbacks) -> Result<String> {
        let (agent, role) = self.asked_agent(request.specialist.as_deref())?;
        let thread_id = request.thread_id.clone().unwrap_or_else(|| prepared.thread_id.clone());
        let now = self.scope.now();
        let prompt = prompt_message(&request.prompt, now, &prepared.run_id, request.actor.as_deref())?;
        let access = self.scope.for_writing().await?;
        let own = self.catalogue.team.agent(&agent).map(|agent| agent.spec.limits).unwrap_or_default();
        let limits = stricter(&stricter(&request.limits, &self.run_limits()), &own);
        let begun = Begun { prepared: &prepared, request: &request, agent, role, thread_id, limits, prompt };
        let mut driver = self.begin(access, begun, &prepared.registered, callbacks).await?;
        driver.drive().await?;
        Ok(driver.result())
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
            let thread = self.append_changes(&access, &thread_id, vec![prompt.clone()], true).await?;
            let Some((thread, base)) = thread else { return Err(contended()) };
            let started = Entry::new("run.started", now)
                .with("prompt", request.prompt.clone())
                .with_text("actor", request.actor.as_deref())
                .own("threadId", Json::from(thread_id.as_str()))
                .own("agent", Json::from(agent.as_str()))
                .own("limits", write_limits(&limits))
                .own("base", number(base));
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
        let Some((owner, version)) = Owner::read(access, thread_id).await? else { return Ok(When::Absent) };
        match read_head(access, &owner.run_id).await? {
            Some((head, _)) if !head.status.is_end() => Err(busy(&owner.run_id)),
            // What is left of a run that has expired keeps nobody out.
            _ => Ok(When::Version(version)),
        }
    }

    async fn resume(&self, run_id: &str, callbacks: &dyn Callbacks) -> Result<String> {
        let Some(access) = self.scope.existing().await? else { return Err(Error::NotFound) };
        let Some((head, _)) = read_head(&access, run_id).await? else { return Err(Error::NotFound) };
        if head.status.is_end() {
            return Ok(result(&load(&access, &head).await?.state));
        }
        let registered = self
            .live_runs()
            .register(run_id)
            .ok_or_else(|| Error::ThreadBusy("This run is at work already. Follow it with runs.follow.".to_owned()))?;
        let Some(mut driver) = self.take_over(access.clone(), run_id, &registered, callbacks).await? else {
            // It has ended meanwhile.
            let (head, _) = read_head(&access, run_id).await?.ok_or(Error::NotFound)?;
            return Ok(result(&load(&access, &head).await?.state));
        };
        driver.drive().await?;
        Ok(driver.result())
    }

    async fn cancel(&self, run_id: &str) -> Result<()> {
        if let Some(live) = self.live_runs().get(run_id) {
            let mut changes = live.changes();
            live.cancelled.close();
            while self.live_runs().get(run_id).is_some_and(|now| Arc::ptr_eq(&now, &live)) {
                changes.mark_unchanged();
                if self.live_runs().get(run_id).is_none() || changes.changed().await.is_err() {
                    break;
                }
            }
            return Ok(());
        }
        let Some(access) = self.scope.existing().await? else { return Err(Error::NotFound) };
        let Some((head, _)) = read_head(&access, run_id).await? else { return Err(Error::NotFound) };
        if head.status.is_end() {
            return Ok(());
        }
        let registered = self.live_runs().register(run_id);
        let registered = registered
            .ok_or_else(|| Error::ThreadBusy("This run has just been resumed. Cancel it again.".to_owned()))?;
        if let Some(mut driver) = self.take_over(access, run_id, &registered, &Nobody).await? {
            let entry = driver.entry("run.cancelled");
            driver.end(entry).await?;
        }
        Ok(())
    }

    /// Makes this process the one that goes on with a run. `None`: it has ended.
    async fn take_over<'a>(
        &'a self,
        access: Access,
        run_id: &str,
        registered: &Registered,
        callbacks: &'a dyn Callbacks,
    ) -> Result<Option<Driver<'a>>> {
        for _ in 0..ATTEMPTS {
            let (before, record) = read_head(&access, run_id).await?.ok_or(Error::NotFound)?;
            if before.status.is_end() {
                return Ok(None);
            }
            let thread_id = before.thread_id.clone();
            let current = Owner::read(&access, &thread_id).await?;
            let (epoch, when) = match &current {
                Some((owner, version)) if owner.run_id == run_id => (owner.epoch, When::Version(*version)),
                Some((owner, _)) => return Err(busy(&owner.run_id)),
                None => (0, When::Absent),
            };
            let owner = Owner { run_id: run_id.to_owned(), epoch: epoch + 1 };
            let (name, owner_at) = (run_name(&access, run_id), owner_name(&access, &thread_id));
            let expires_at = self.unfinished_until(&access)?;
            let head = RunHead { status: RunStatus::Running, ..before.clone() };
            let (area, body, when_head) = (Area::Record, head.write(), When::Version(record.version));
            let mut changes = vec![
                owner.written(owner_at, when, expires_at),
                Change::Write { kind: KIND, area, name, body, expires_at, counted: None, when: when_head },
            ];
            // The journal behind the record is read once nobody else can append to it.
            let counted = Some(load(&access, &before).await?.bytes);
            if let Some(Change::Write { counted: place, .. }) = changes.get_mut(1) {
                *place = counted;
            }
            changes.extend(head.listed(name, Some(before.status), expires_at));
            if access.commit(changes, &self.engine_limits, Durability::Sync).await? != Committed::Done {
                continue;
            }
            let version = owned(&access, &owner, &thread_id).await?;
            let loaded = load(&access, &head).await?;
            let history = self.history_of(&access, &loaded.state).await?;
            registered.live.begin_at(loaded.next);
            let journal = Journal {
                name,
                owner: owner_at,
                version,
                next: loaded.next,
                hash: loaded.hash,
                bytes: loaded.bytes,
                expires_at,
            };
            return Ok(Some(self.driver(access, callbacks, registered, loaded.state, journal, head, history)));
        }
        Err(contended())
    }

    async fn history_of(&self, access: &Access, state: &RunState) -> Result<Vec<String>> {
        history(access, &state.thread_id, state.base, HISTORY_BYTES).await
    }

    fn unfinished_until(&self, access: &Access) -> Result<Option<u64>> {
        let kept = self.retention_ms(KIND).map(|ttl| ttl.saturating_add(UNFINISHED_MS));
        expiry(access.now(), kept.map(|ttl| ttl.min((1 << 53) - 1)))
    }

    fn driver<'a>(
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
async fn owned(access: &Access, owner: &Owner, thread_id: &str) -> Result<bailiwick_tenancy::Version> {
    match Owner::read(access, thread_id).await? {
        Some((now, version)) if now == *owner => Ok(version),
        _ => Err(taken_over()),
    }
}

impl Driver<'_> {
    /// The `RunResult` as JSON text.
    fn result(&self) -> String {
        result(&self.state)
    }
}

fn result(state: &RunState) -> String {
    let last = state.last.as_ref();
    let status = last.and_then(|last| last.kind().strip_prefix("run.")).unwrap_or("interrupted");
    let text = match last.and_then(|last| last.text("text")) {
        Some(text) => text.to_owned(),
        None => state.last_text(),
    };
    let mut members = vec![
        member("runId", Json::from(state.run_id.as_str())),
        member("threadId", Json::from(state.thread_id.as_str())),
        member("status", Json::from(status)),
        member("text", Json::String(text)),
        member("usage", state.usage.to_json()),
    ];
    let keys = ["output", "approvals", "limit", "error"];
    members.extend(keys.iter().filter_map(|key| Some(member(key, last?.get(key)?.clone()))));
    json::write(&Json::Object(members))
}

/// For a run that is ended without being gone on with.
struct Nobody;

impl Callbacks for Nobody {
    fn ask(&self, _: Ask, _: String) -> Asked {
        Asked::new(|| {}).1
    }

    fn has_approver(&self) -> bool {
        false
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn m7_a_request_is_read_strictly() {
        let read = |text: &str| RunRequest::read(text.as_bytes());
        assert_eq!(read(r#"{"prompt":"x","limits":{"maxSteps":3}}"#).unwrap().limits.max_steps, Some(3));
        for wrong in ["[]", r#"{"prompt":"x","tenant":"b"}"#, r#"{"limits":{"maxSteps":0}}"#, r#"{"actor":""}"#] {
            assert!(matches!(read(wrong), Err(Error::InvalidInput(_))), "{wrong}");
        }
    }
}
