//! The start of a run: its ids, its place on its thread, its first commit.

use std::time::Duration;

use bailiwick_model::base32::prefixed_id;
use bailiwick_model::spec::{AgentRole, RunLimits};
use bailiwick_model::{Error, Issue, Result};
use bailiwick_tenancy::ATTEMPTS;

use futures_util::future::BoxFuture;

use super::new_run::NewRun;
use super::request::{PreparedRun, RunRequest};
use super::result::{result, steered_into};
use crate::actor::check_actor;
use crate::handle::Runs;
use crate::runs::agents::no_front;
use crate::runs::events::WhenBusy;
use crate::runs::follow::Registered;
use crate::runs::host::Callbacks;
use crate::runs::journal::{RunStatus, read_head, replay};
use crate::runs::state::stricter;
use crate::threads::{prompt_files, prompt_message};
use crate::waits::LONGEST_MS;

/// How often a request looks at its run if another process works at it, or if it is queued.
pub(super) const LOOK_EVERY: Duration = Duration::from_millis(500);

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
    pub fn start(
        self,
        prepared: PreparedRun,
        request: RunRequest,
        host: &'a dyn Callbacks,
    ) -> BoxFuture<'a, Result<String>> {
        Box::pin(async move {
            let handle = self.handle;
            handle.scope.unless_closed(&handle.closing, Box::pin(self.run(prepared, request, host))).await
        })
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
        if prompt_files(&prompt).next().is_some() && handle.scope.existing().await?.is_none() {
            return Err(Error::NotFound);
        }
        check_start(request.start_at, now)?;
        let access = handle.scope.for_writing().await?;
        let own = handle.catalogue.agents.agent(&agent).map(|agent| agent.spec.limits).unwrap_or_default();
        let limits = stricter(&stricter(&request.limits, &handle.run_limits()), &own).or(&RunLimits::DEFAULT);
        let registered = prepared.registered.take().ok_or_else(|| Error::internal("A run was begun twice."))?;
        let when_busy = request.when_busy;
        let (run_id, prompt, with) = (prepared.run_id.clone(), Some(prompt), Vec::new());
        let new = NewRun { run_id, request, agent, role, thread_id, limits, prompt, continues: None, with };
        let mut attempts = 0;
        let mut driver = loop {
            if new.is_early(handle.scope.now()) && Box::pin(self.enqueue(&access, &new, &registered)).await? {
                return Box::pin(self.until_rest(&new.run_id, host, Some(registered))).await;
            }
            match self.begin(access.clone(), &new, &registered, host).await {
                // A request with the same key has begun it meanwhile, in another process.
                Err(_) if prepared.is_keyed && read_head(&access, &new.run_id).await?.is_some() => {
                    return Box::pin(self.until_rest(&new.run_id, host, Some(registered))).await;
                }
                Err(Error::ThreadBusy { run: Some(busy), .. })
                    if when_busy != WhenBusy::Reject && attempts < ATTEMPTS =>
                {
                    attempts += 1;
                    if Box::pin(self.enqueue(&access, &new, &registered)).await? {
                        return Box::pin(self.until_rest(&new.run_id, host, Some(registered))).await;
                    }
                    if when_busy == WhenBusy::Replace {
                        Box::pin(self.make_way(&busy.run_id)).await?;
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
                return Box::pin(self.until_rest(&prepared.run_id, host, None)).await.map(Some);
            }
            if prepared.registered.is_some() {
                return Ok(None);
            }
            // The other request is about to begin it, or to fail.
            self.ended_here(&prepared.run_id).await;
            prepared.registered = self.live().register(&prepared.run_id);
        }
    }

    /// Waits until a run rests, wherever a process works at it, and goes on with it if none does. Of a queued one it waits for the turn.
    /// `registered`: its place here, if this process has not begun it.
    async fn until_rest(
        self,
        run_id: &str,
        host: &dyn Callbacks,
        mut registered: Option<Registered>,
    ) -> Result<String> {
        loop {
            if registered.is_none() {
                self.ended_here(run_id).await;
            }
            let Some(access) = self.handle.scope.existing().await? else { return Err(Error::NotFound) };
            let (head, _) = read_head(&access, run_id).await?.ok_or(Error::NotFound)?;
            if head.status.is_end() {
                drop(registered);
                let state = replay(&access, &head).await?.state;
                return match head.status {
                    RunStatus::Steered => Box::pin(self.until_rest(&steered_into(&state)?, host, None)).await,
                    // Calls that it has left are of another run.
                    _ => Ok(result(&state).await),
                };
            }
            if registered.is_none() && head.status == RunStatus::Queued {
                registered = self.live().register(run_id);
            }
            if let Some(here) = registered.take() {
                if let Some(result) = Box::pin(self.wait_turn(run_id, &here, host)).await? {
                    return Ok(result);
                }
                let live = here.live.clone();
                drop(here);
                if live.cancelled.is_cancelled() {
                    self.end(run_id).await?;
                }
                continue;
            }
            let outcome = Box::pin(self.go_on_from(access.clone(), head, None, host, None)).await;
            let Err(Error::ThreadBusy { run: Some(busy), .. }) = &outcome else { return outcome };
            if busy.run_id == run_id {
                tokio::time::sleep(LOOK_EVERY).await;
            } else if !read_head(&access, run_id).await?.is_some_and(|(head, _)| head.status == RunStatus::Steered) {
                return outcome;
            }
            // Otherwise its prompt was handed over meanwhile, to a run that is worked at.
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
}

/// # Errors
/// `InvalidInput` for a time that is too far ahead.
fn check_start(start_at: Option<u64>, now: u64) -> Result<()> {
    if start_at.is_some_and(|at| at > now.saturating_add(LONGEST_MS)) {
        let days = LONGEST_MS / (24 * 60 * 60 * 1000);
        let message = format!(
            "startAt must be at most {days} days ahead. Ask again nearer to the time, or begin a run that does."
        );
        return Err(Error::invalid(message));
    }
    Ok(())
}
