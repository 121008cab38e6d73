//! The start of a run: its ids, its place on its thread, its first commit.

use std::time::Duration;

use bailiwick_model::base32::prefixed_id;
use bailiwick_model::json::{Json, SAFE_INTEGER};
use bailiwick_model::pace::ahead;
use bailiwick_model::spec::{AgentRole, RunLimits};
use bailiwick_model::{Error, Issue, Result};
use bailiwick_tenancy::{ATTEMPTS, Access, Area, Change, Committed, Durability, When, contended};

use super::lease;
use super::request::{PreparedRun, RunRequest, WhenBusy};
use super::result::result;
use crate::actor::check_actor;
use crate::handle::{Runs, expiry};
use crate::runs::agents::no_front;
use crate::runs::definitions::{self, StoredDefinitions};
use crate::runs::driver::Driver;
use crate::runs::events::{AgentBegun, Entry, Event, Nothing, RunContext, RunStarted, Usage, damaged};
use crate::runs::follow::Registered;
use crate::runs::host::Callbacks;
use crate::runs::journal::{
    End, Journal, KIND, NO_BLOCK, Owner, RunHead, RunStatus, UNFINISHED_MS, block_change, busy, hash, owner_name,
    read_head, run_name, write,
};
use crate::runs::state::{RunState, stricter};
use crate::threads::{Appends, history, names_files, prompt_message};
use crate::work;

/// How often a request looks at a run of the same key that another process works at.
const LOOK_EVERY: Duration = Duration::from_millis(500);

/// How much of a thread a model is given, in bytes: about four for each token.
pub(super) const HISTORY_BYTES: usize = 400_000;

impl<'a> Runs<'a> {
    /// Gives a new run its ids: no I/O. With a key, the same key gives the same ids, as long as the store has its secret.
    ///
    /// # Errors
    /// `InvalidInput` for a key that is empty or has more than 1,024 bytes; `Internal` if the random numbers repeat.
    pub fn prepare(self, request_key: Option<&str>) -> Result<PreparedRun> {
        let scope = &self.handle.scope;
        let Some(key) = request_key else {
            let run_id = prefixed_id("run_", &scope.random());
            let registered = self.live().register(&run_id);
            let registered = Some(registered.ok_or_else(|| Error::internal("An id was given out twice."))?);
            return Ok(PreparedRun {
                run_id,
                thread_id: prefixed_id("thr_", &scope.random()),
                registered,
                is_keyed: false,
                is_cancelled: false,
            });
        };
        check_actor(key, "requestKey")?;
        let run_id = prefixed_id("run_", &scope.id_of_key("run", key));
        let registered = self.live().register(&run_id);
        let thread_id = prefixed_id("thr_", &scope.id_of_key("thread", key));
        Ok(PreparedRun { run_id, thread_id, registered, is_keyed: true, is_cancelled: false })
    }

    /// Runs until there is a result, the JSON text of a `RunResult`.
    ///
    /// # Errors
    /// `Spec` if no agent can be asked, `InvalidInput`, `ThreadBusy`, `Closed`, and those of the store.
    pub async fn start(self, prepared: PreparedRun, request: RunRequest, host: &dyn Callbacks) -> Result<String> {
        let handle = self.handle;
        handle.scope.unless_closed(&handle.closing, self.run(prepared, request, host)).await
    }

    async fn run(self, mut prepared: PreparedRun, request: RunRequest, host: &dyn Callbacks) -> Result<String> {
        let handle = self.handle;
        if prepared.is_keyed
            && let Some(result) = self.begun_before(&mut prepared, host).await?
        {
            return Ok(result);
        }
        let (agent, role) = self.requested_agent(request.specialist.as_deref())?;
        let thread_id = request.thread_id.clone().unwrap_or_else(|| prepared.thread_id.clone());
        let now = handle.scope.now();
        let prompt = prompt_message(&request.prompt, now, &prepared.run_id, request.actor.as_deref())?;
        if names_files(&prompt) && handle.scope.existing().await?.is_none() {
            return Err(Error::NotFound);
        }
        let access = handle.scope.for_writing().await?;
        let own = handle.catalogue.agents.agent(&agent).map(|agent| &agent.definition);
        let (own, definition) = own.map(|own| (own.limits, own.hash.clone())).unzip();
        let own = own.unwrap_or_default();
        let limits = stricter(&stricter(&request.limits, &handle.run_limits()), &own).or(&RunLimits::DEFAULT);
        let registered = prepared.registered.take().ok_or_else(|| Error::internal("A run was begun twice."))?;
        let when_busy = request.when_busy;
        let new =
            NewRun { run_id: prepared.run_id.clone(), request, agent, role, thread_id, limits, prompt, definition };
        let mut replaced = 0;
        let mut driver = loop {
            match self.begin(access.clone(), &new, &registered, host).await {
                // A request with the same key has begun it meanwhile, in another process.
                Err(_) if prepared.is_keyed && read_head(&access, &new.run_id).await?.is_some() => {
                    drop(registered);
                    return self.until_rest(&new.run_id, host).await;
                }
                Err(Error::ThreadBusy { run: Some(busy), .. })
                    if when_busy == WhenBusy::Replace && replaced < ATTEMPTS =>
                {
                    replaced += 1;
                    match self.end(&busy.run_id).await {
                        // It has just ended, or was just resumed: look again.
                        Ok(()) | Err(Error::NotFound | Error::ThreadBusy { .. }) => {}
                        Err(error) => return Err(error),
                    }
                }
                begun => break begun?,
            }
        };
        driver.work().await?;
        Ok(result(&driver.state).await)
    }

    /// The result of a run that a request with the same key has begun before. `None`: there is none, and this one may begin it.
    async fn begun_before(self, prepared: &mut PreparedRun, host: &dyn Callbacks) -> Result<Option<String>> {
        loop {
            let exists = match self.handle.scope.existing().await? {
                Some(access) => read_head(&access, &prepared.run_id).await?.is_some(),
                None => false,
            };
            if exists {
                let was_cancelled = prepared.was_cancelled();
                prepared.registered = None;
                if was_cancelled {
                    self.end(&prepared.run_id).await?;
                }
                return self.until_rest(&prepared.run_id, host).await.map(Some);
            }
            if prepared.registered.is_some() {
                return Ok(None);
            }
            // The other request is about to begin it, or to fail.
            self.ended_here(&prepared.run_id).await;
            prepared.registered = self.live().register(&prepared.run_id);
        }
    }

    /// Waits until a run rests, wherever a process works at it, and goes on with it if none does.
    async fn until_rest(self, run_id: &str, host: &dyn Callbacks) -> Result<String> {
        loop {
            self.ended_here(run_id).await;
            match self.go_on(run_id, host, None).await {
                Err(Error::ThreadBusy { run: Some(busy), .. }) if busy.run_id == run_id => {
                    tokio::time::sleep(LOOK_EVERY).await;
                }
                outcome => return outcome,
            }
        }
    }

    fn requested_agent(self, specialist: Option<&str>) -> Result<(String, AgentRole)> {
        let agents = &self.handle.catalogue.agents;
        let agent = match specialist {
            Some(name) => agents.agent(name).filter(|agent| agent.spec.role == AgentRole::Specialist),
            None => agents.front.as_deref().and_then(|name| agents.agent(name)),
        };
        match agent {
            Some(agent) => Ok((agent.spec.name.clone(), agent.spec.role)),
            None if specialist.is_some() => {
                let message = "There is no specialist of this name. Use one of the spec's specialists.".to_owned();
                Err(Error::Spec(vec![Issue { path: "agents".to_owned(), message }]))
            }
            None => Err(no_front()),
        }
    }

    /// Makes the first commit of a run.
    async fn begin<'b>(
        self,
        access: Access,
        new: &NewRun,
        registered: &Registered,
        host: &'b dyn Callbacks,
    ) -> Result<Driver<'b>>
    where
        'a: 'b,
    {
        let handle = self.handle;
        let created_micros = access.next_micros();
        let expires_at = self.unfinished_until(&access)?;
        for _ in 0..ATTEMPTS {
            let prompt = std::slice::from_ref(&new.prompt);
            let thread = handle.threads().append_changes(&access, &new.thread_id, prompt, Appends::Prompt).await?;
            let Some((thread, base)) = thread else { return Err(contended()) };
            ahead(2 * new.prompt.weight()).await;
            let now = access.now();
            let entries = new.entries(now, base);
            let block = write(&NO_BLOCK, &entries);
            let head = new.head(now, created_micros, &block, entries.len());
            let owner = Owner { run_id: new.run_id.clone(), epoch: 1 };
            let when = self.owner_condition(&access, &new.thread_id).await?;
            let (area, body, counted) = (Area::Record, head.write(), Some(block.len() as u64));
            let name = run_name(&access, &new.run_id);
            let mut changes = vec![
                owner.written(owner_name(&access, &new.thread_id), when, expires_at),
                block_change(name, 0, block.clone(), expires_at),
                Change::Write { kind: KIND, area, name, body, expires_at, counted, when: When::Absent },
            ];
            changes.extend(head.listed(name, None, expires_at));
            changes.extend(thread);
            changes.extend(lease::taken(&access, &new.run_id));
            changes.push(work::look_again(now));
            let definition = handle.catalogue.agents.agent(&new.agent).map(|agent| &agent.definition);
            let stored = definition.and_then(|own| definitions::stored(handle, &access, own, expires_at));
            changes.extend(stored.clone());
            if access.commit(changes, &handle.engine_limits, Durability::Sync).await? != Committed::Done {
                continue;
            }
            handle.scope.shared::<StoredDefinitions>().note(stored.as_slice());
            ahead(new.prompt.weight()).await;
            let mut state = entries.first().and_then(|entry| RunState::begin(&new.run_id, entry));
            for entry in entries.iter().skip(1) {
                state.as_mut().ok_or_else(damaged)?.take(entry).await.ok_or_else(damaged)?;
            }
            let state = state.ok_or_else(damaged)?;
            let history = history(&access, &new.thread_id, base, HISTORY_BYTES).await?;
            let end = End::NONE.behind(head.hash, block.len() as u64, entries.len());
            let journal = Journal::of(&access, &owner, &new.thread_id, end, expires_at).await?;
            ahead(new.prompt.weight()).await;
            registered.live.committed(&new.run_id, (0..).zip(&entries));
            return Ok(Driver::new(handle, access, host, registered, state, journal, head, history));
        }
        Err(contended())
    }

    /// The condition under which a new run may take a thread.
    async fn owner_condition(self, access: &Access, thread_id: &str) -> Result<When> {
        match self.owner(access, thread_id).await? {
            (Some(run_id), _) => Err(self.busy_with(access, &run_id).await?),
            (None, when) => Ok(when),
        }
    }

    /// The run that has a thread, and the condition that no run takes or leaves it meanwhile.
    pub(crate) async fn thread_owner(self, access: &Access, thread_id: &str) -> Result<(Option<String>, Change)> {
        let (run_id, when) = self.owner(access, thread_id).await?;
        Ok((run_id, Change::Check { kind: KIND, area: Area::Record, name: owner_name(access, thread_id), when }))
    }

    async fn owner(self, access: &Access, thread_id: &str) -> Result<(Option<String>, When)> {
        let Some((owner, version)) = Owner::read(access, thread_id).await? else { return Ok((None, When::Absent)) };
        // The rest of a run that has expired keeps no other one out.
        let head = read_head(access, &owner.run_id).await?.filter(|(head, _)| !head.status.is_end());
        Ok((head.map(|_| owner.run_id), When::Version(version)))
    }

    /// The error for a thread that this run writes.
    pub(crate) async fn busy_with(self, access: &Access, run_id: &str) -> Result<Error> {
        let Some((head, _)) = read_head(access, run_id).await? else { return Ok(contended()) };
        let is_live = self.at_work(access, std::slice::from_ref(&head)).await?.contains(&true);
        Ok(busy(run_id, head.shown(is_live)))
    }

    /// When the rows of an unfinished run expire that are written now.
    pub(crate) fn unfinished_until(self, access: &Access) -> Result<Option<u64>> {
        let kept = self.handle.retention_ms(KIND).map(|ttl| ttl.saturating_add(UNFINISHED_MS));
        expiry(access.now(), kept.map(|ttl| ttl.min(SAFE_INTEGER)))
    }
}

struct NewRun {
    run_id: String,
    request: RunRequest,
    agent: String,
    role: AgentRole,
    thread_id: String,
    limits: RunLimits,
    /// As its thread takes it.
    prompt: Json,
    /// The hash of the agent's definition.
    definition: Option<String>,
}

impl NewRun {
    /// The entries of its first commit. `base`: how many messages the thread had before.
    fn entries(&self, now: u64, base: u64) -> [Entry; 2] {
        let RunRequest { prompt, actor, trace, instructions, .. } = self.request.clone();
        let (thread_id, agent, limits) = (self.thread_id.clone(), self.agent.clone(), self.limits);
        let context = RunContext { thread_id, agent, limits, base, trace, instructions };
        let first = Event::AgentStarted(
            Nothing {},
            AgentBegun::Prompt { role: self.role, definition: self.definition.clone() },
        );
        [
            Entry::new(now, Event::RunStarted(RunStarted { prompt, actor }, context)),
            Entry::new(now, first).about(Some(&self.agent)),
        ]
    }

    /// Its record once this block is written.
    fn head(&self, now: u64, created_micros: u64, block: &[u8], entries: usize) -> RunHead {
        RunHead {
            run_id: self.run_id.clone(),
            thread_id: self.thread_id.clone(),
            status: RunStatus::Running,
            agent: self.agent.clone(),
            actor: self.request.actor.clone(),
            started_at: now,
            updated_at: now,
            usage: Usage::default(),
            created_micros,
            next: entries as u64,
            hash: hash(block),
            counted: Usage::default(),
        }
    }
}
