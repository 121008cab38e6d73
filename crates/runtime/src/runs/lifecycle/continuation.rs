//! The run that goes on with the calls that a completed run has left open. What they wait for names the run that made it wait, so that
//! one is due when a call of it ends; then this begins, or queues, the run that goes on. Each run has at most one such run: the commit
//! that begins or queues it writes its id into the record of the run before, on condition of that record.

use std::sync::Arc;

use bailiwick_model::base32::prefixed_id;
use bailiwick_model::spec::RunLimits;
use bailiwick_model::{Error, Result};
use bailiwick_tenancy::{ATTEMPTS, Access, Area, Change, Committed, Durability, Limits, Record, When, contended};

use super::end::withdraw_all;
use super::new_run::{Continued, NewRun};
use super::request::RunRequest;
use super::result::result;
use crate::handle::Runs;
use crate::runs::events::{ContinuedRun, LeftCall, WhenBusy};
use crate::runs::follow::Live;
use crate::runs::host::Callbacks;
use crate::runs::journal::{KIND, Replayed, RunHead, read_head, replay, run_name};
use crate::runs::state::{RunState, stricter};
use crate::runs::steps::still_waits;
use crate::sweep::journals::unconditional;
use crate::threads::thread_is_there;
use crate::work;

/// Runs whose calls are closed at once.
const AT_ONCE: usize = 100;
/// Why approvals of calls are withdrawn with which no run goes on.
const GONE: &str = "The conversation that asked is gone.";

impl Runs<'_> {
    /// Goes on with the calls that a completed run has left: with the run that goes on with them already, or with a new one if one of them
    /// has ended. Returns the result of that run, or else that of the completed one.
    ///
    /// # Errors
    /// `ThreadBusy` if the run that goes on is at work or queued; `Spec` if its agent is not in the spec; those of a run that begins, and
    /// those of the store.
    pub(super) async fn go_on_with_left(
        self,
        access: &Access,
        run_id: &str,
        row: Option<u64>,
        host: &dyn Callbacks,
    ) -> Result<String> {
        for _ in 0..ATTEMPTS {
            let (mut head, mut record) = read_head(access, run_id).await?.ok_or(Error::NotFound)?;
            while let Some(next) = head.continued_by.clone() {
                let Some(after) = read_head(access, &next).await? else {
                    // It has ended, and has expired since: nothing is left.
                    self.not_due(access, run_id, row, None).await?;
                    return Ok(result(&replay(access, &head).await?.state).await);
                };
                (head, record) = after;
            }
            let last = head.run_id.as_str();
            if last != run_id {
                self.pass_on(access, run_id, row, last).await?;
            }
            if !head.waiting {
                return Box::pin(self.go_on(last, host, row)).await;
            }
            let replayed = replay(access, &head).await?;
            if still_waits(self.handle, &replayed.state).await? {
                self.not_due(access, last, row, replayed.state.next_end()).await?;
                return Ok(result(&replayed.state).await);
            }
            if !thread_is_there(access, &head.thread_id).await? {
                // The rest of a conversation that is gone is not done any more.
                if self.close_left(access, &head, &record, &replayed, row).await? {
                    return Ok(result(&replayed.state).await);
                }
                continue;
            }
            if let Some(result) = Box::pin(self.begin_for(access, &head, &record, &replayed, row, host)).await? {
                return Ok(result);
            }
        }
        Err(contended())
    }

    /// The run with this id that this process works at, or the one that goes on with the calls that it has left.
    ///
    /// # Errors
    /// Those of the store.
    pub(super) async fn live_or_next(self, run_id: &str) -> Result<Option<Arc<Live>>> {
        let mut run_id = run_id.to_owned();
        loop {
            if let Some(live) = self.live().get(&run_id) {
                return Ok(Some(live));
            }
            let Some(access) = self.handle.scope.existing().await? else { return Ok(None) };
            match read_head(&access, &run_id).await?.and_then(|(head, _)| head.continued_by) {
                Some(next) => run_id = next,
                None => return Ok(None),
            }
        }
    }

    /// Makes another run due in the place of one, at the same time.
    async fn pass_on(self, access: &Access, from: &str, row: Option<u64>, to: &str) -> Result<()> {
        let Some(at) = row else { return Ok(()) };
        let until = self.unfinished_until(access)?;
        let changes = vec![work::not_due(run_name(access, from), at), work::due_as(run_name(access, to), at, until)];
        unconditional(access.commit(changes, &Limits::default(), Durability::Sync).await?)
    }

    /// Begins the run that goes on with the calls of another and works at it until there is a result. `None`: another process has begun it.
    ///
    /// # Errors
    /// `ThreadBusy` once it is queued because its thread is busy.
    async fn begin_for(
        self,
        access: &Access,
        head: &RunHead,
        record: &Record,
        replayed: &Replayed,
        row: Option<u64>,
        host: &dyn Callbacks,
    ) -> Result<Option<String>> {
        let handle = self.handle;
        let state = &replayed.state;
        let spec = &handle.catalogue.agents.beginning(&head.agent)?.spec;
        let run_id = prefixed_id("run_", &handle.scope.random());
        let registered = self.live().register(&run_id).ok_or_else(|| Error::internal("An id was given out twice."))?;
        let mut with = handed_over(access, head, record, replayed, Some(run_id.clone()));
        with.extend(row.map(|at| work::not_due(run_name(access, &head.run_id), at)));
        let new = NewRun {
            request: RunRequest {
                thread_id: Some(head.thread_id.clone()),
                actor: head.actor.clone(),
                trace: state.trace.clone(),
                instructions: state.instructions.clone(),
                when_busy: WhenBusy::Queue,
                ..RunRequest::new("".into())
            },
            run_id,
            agent: head.agent.clone(),
            role: spec.role,
            thread_id: head.thread_id.clone(),
            limits: stricter(&stricter(&rest_of(state), &handle.run_limits()), &spec.limits),
            prompt: None,
            continues: Some(Continued {
                run: ContinuedRun { run_id: head.run_id.clone() },
                calls: state.left_calls(),
                requesters: state.other_requesters(),
            }),
            with,
        };
        for _ in 0..ATTEMPTS {
            match Box::pin(self.begin(access.clone(), &new, &registered, host)).await {
                Ok(mut driver) => {
                    driver.work().await?;
                    return Ok(Some(result(&driver.state).await));
                }
                Err(busy @ Error::ThreadBusy { .. }) => match Box::pin(self.enqueue(access, &new, &registered)).await {
                    Ok(true) => return Err(busy),
                    Ok(false) => {}
                    Err(error) => return self.unless_begun(access, head, record, error).await,
                },
                Err(error) => return self.unless_begun(access, head, record, error).await,
            }
        }
        Ok(None)
    }

    /// Returns an error, unless it came because another process has begun the run that goes on with the calls of this one.
    async fn unless_begun(
        self,
        access: &Access,
        head: &RunHead,
        record: &Record,
        error: Error,
    ) -> Result<Option<String>> {
        let now = read_head(access, &head.run_id).await?;
        if now.is_none_or(|(_, now)| now.version == record.version) { Err(error) } else { Ok(None) }
    }

    /// Closes the calls that the completed runs of a thread have left.
    ///
    /// # Errors
    /// Those of the store.
    pub(crate) async fn close_left_of(self, access: &Access, thread_id: &str) -> Result<()> {
        let mut cursor = None;
        loop {
            let page = access.record_page(&RunHead::leaving(thread_id), AT_ONCE, cursor.as_deref()).await?;
            for record in page.records.into_iter().filter_map(|(_, record)| record) {
                let run_id = RunHead::read(&record.body)?.run_id;
                let Some((head, record)) = read_head(access, &run_id).await? else { continue };
                if head.waiting && head.thread_id == thread_id {
                    let replayed = replay(access, &head).await?;
                    // One that has just been gone on with has the thread, and is cancelled with it.
                    self.close_left(access, &head, &record, &replayed, None).await?;
                }
            }
            cursor = page.cursor;
            if cursor.is_none() {
                return Ok(());
            }
        }
    }

    /// Closes the calls that a completed run has left. `false`: another run goes on with them now.
    pub(super) async fn close_left(
        self,
        access: &Access,
        head: &RunHead,
        record: &Record,
        replayed: &Replayed,
        row: Option<u64>,
    ) -> Result<bool> {
        self.close_calls(access, &replayed.state.left_calls()).await?;
        let mut changes = handed_over(access, head, record, replayed, None);
        changes.extend(row.map(|at| work::not_due(run_name(access, &head.run_id), at)));
        Ok(access.commit(changes, &Limits::default(), Durability::Sync).await? == Committed::Done)
    }

    /// Closes calls with which no run goes on: cancels their waits, and withdraws their approvals.
    pub(super) async fn close_calls(self, access: &Access, calls: &[LeftCall]) -> Result<()> {
        let waits = calls.iter().filter_map(|call| Some(call.wait.as_ref()?.wait.wait_id.as_str()));
        self.handle.close_waits(access, &waits.collect::<Vec<_>>()).await?;
        let approvals = calls.iter().filter_map(|call| Some(call.approval.as_ref()?.approval_id.clone()));
        withdraw_all(self.handle, &approvals.collect::<Vec<_>>(), GONE).await
    }
}

/// What is left of the limits of a run. The first run that goes on has all of them, as a request has; those after it share them, so that
/// calls that wait again and again come to an end.
fn rest_of(state: &RunState) -> RunLimits {
    if state.continues.is_none() {
        return state.limits;
    }
    let rest = |limit: Option<u64>, used: u64| limit.map(|limit| limit.saturating_sub(used));
    RunLimits {
        max_steps: rest(state.limits.max_steps, state.steps),
        max_tool_calls: rest(state.limits.max_tool_calls, state.tool_calls),
        max_tokens: rest(state.limits.max_tokens, state.usage.total()),
        max_duration_ms: rest(state.limits.max_duration_ms, state.active_ms),
    }
}

/// The changes that note in the record of a completed run which run goes on with its calls, or that they are closed.
fn handed_over(
    access: &Access,
    head: &RunHead,
    record: &Record,
    replayed: &Replayed,
    continued_by: Option<String>,
) -> Vec<Change> {
    let name = run_name(access, &head.run_id);
    let after = RunHead { waiting: false, continued_by, ..head.clone() };
    let (kind, area, body, expires_at) = (KIND, Area::Record, after.write(), record.expires_at);
    let (counted, when) = (Some(replayed.end.bytes), When::Version(record.version));
    vec![
        Change::Write { kind, area, name, body, expires_at, counted, when },
        Change::Unlist { list: RunHead::leaving(&head.thread_id), micros: head.created_micros, name },
    ]
}
