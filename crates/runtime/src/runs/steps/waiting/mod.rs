//! What a run waits for: approvals, and calls that are open until they are settled. While nothing of it has ended, and nothing
//! else is left to do, the run is suspended.

mod leave;
mod suspend;

use bailiwick_model::spec::AgentRole;
use bailiwick_model::{Error, Result};
use data_encoding::HEXLOWER;

use super::approval;
use super::tools::note_failure;
use crate::approvals::Approval;
use crate::handle::TenantHandle;
use crate::runs::driver::{Driver, Stop};
use crate::runs::events::{
    Event, OpenWait, ResumedCall, ResumedKind, ToolFailure, ToolResumed, ToolWaiting, WaitSettled, WaitingTool,
};
use crate::runs::journal::{KIND, UNFINISHED_MS};
use crate::runs::lifecycle::take_prompts;
use crate::runs::state::{Call, Frame, RunState};
use crate::waits::{Found, Outcome, Wait, WaitKind, WaitRecord, WaitRequest, WaitStatus, WaitingCall, find};

pub(super) use leave::leave;
pub(super) use suspend::{shown, suspension_changes};

/// The most waits of a run that are open at once: their conditions fit into the commit of its suspension.
const MOST_OPEN: usize = 500;
/// The most changes of waits in one commit.
const MOST_CHANGES: usize = 400;
/// How long before its own rows expire a run must have what it waits for, in milliseconds.
const DAY_MS: u64 = 24 * 60 * 60 * 1000;

/// The open waits of the last agent.
struct Open {
    waits: Vec<Wait>,
    /// Those that are in the store already.
    found: Vec<Found>,
}

impl Open {
    /// Whether all of them are as they were read.
    async fn is_unchanged(&self, run: &Driver<'_>) -> Result<bool, Stop> {
        let ids: Vec<&str> = self.found.iter().map(|found| found.stored.wait.wait_id.as_str()).collect();
        let now = find(&run.access, &ids).await?;
        let is_same = |(now, found): (&Option<Found>, &Found)| {
            now.as_ref().is_some_and(|now| now.stored.wait.status == found.stored.wait.status)
        };
        Ok(now.iter().zip(&self.found).all(is_same))
    }
}

/// Notes what has ended of what the last agent waits for. `false`: nothing has, and the run is suspended.
pub(super) async fn wait(run: &mut Driver<'_>) -> Result<bool, Stop> {
    let (approvals, is_any_decided) = approval::note_decisions(run).await?;
    let (open, is_any_settled) = note_settled(run).await?;
    if is_any_decided || is_any_settled {
        return Ok(true);
    }
    if take_prompts(run).await? {
        return Ok(true);
    }
    if unasked(run, &approvals) {
        approval::ask(run, approvals).await?;
        return Ok(true);
    }
    Ok(!suspend::suspend(run, &approvals, &open).await?)
}

/// Whether the host has an approver that was not asked about one of these.
fn unasked(run: &Driver<'_>, approvals: &[Approval]) -> bool {
    run.host.has_approver() && approvals.iter().any(|approval| !run.requested.contains(&approval.approval_id))
}

/// Notes what has ended of the deferred calls of the last agent. `false`: nothing has.
pub(super) async fn note_ended(run: &mut Driver<'_>) -> Result<bool, Stop> {
    // Nothing comes between the parts of an answer in which its provider has paused.
    let is_due = |frame: &Frame| frame.is_waiting() && frame.said.is_empty();
    if !run.state.frames.last().is_some_and(is_due) {
        return Ok(false);
    }
    let (_, is_any_decided) = approval::note_decisions(run).await?;
    let (_, is_any_settled) = note_settled(run).await?;
    Ok(is_any_decided || is_any_settled)
}

/// Whether the last agent goes on while a call of this tool waits. The steps of a plan are no turn of a model.
pub(super) fn continues(run: &Driver<'_>, tool: &str) -> bool {
    let is_plan = run.state.frames.last().is_some_and(|frame| frame.role == AgentRole::Executor);
    !is_plan && run.agents().tool(tool).is_some_and(|rules| rules.continues)
}

/// Opens the wait that the handler of a call asks for, with the next commit.
pub(super) async fn open(run: &mut Driver<'_>, call: &Call, request: &[u8]) -> Result<(), Stop> {
    match opened(run, call, request).await {
        Ok(()) => Ok(()),
        Err(Stop::Error(Error::InvalidInput(told))) => {
            note_failure(run, &call.call_id, ToolFailure::new("RESULT_INVALID", &told)).await
        }
        Err(Stop::Error(error @ Error::QuotaExceeded { .. })) => {
            note_failure(run, &call.call_id, ToolFailure::new(error.code(), &error.to_string())).await
        }
        Err(stop) => Err(stop),
    }
}

async fn opened(run: &mut Driver<'_>, call: &Call, request: &[u8]) -> Result<(), Stop> {
    let request = WaitRequest::read(request).await?;
    let open: usize = run.state.frames.iter().map(|frame| frame.open_waits().count()).sum();
    if open >= MOST_OPEN {
        let told = format!("A run waits for at most {MOST_OPEN} calls at once.");
        return Err(Error::invalid(told).into());
    }
    let waiting = WaitingCall {
        run_id: run.state.run_id.clone(),
        thread_id: run.state.thread_id.clone(),
        call_id: call.call_id.clone(),
        tool: call.tool.clone(),
    };
    let opening = run.opening.len() as u64;
    let run_until = run.journal.expires_at;
    let (wait, changes) = run.handle.open_wait(&run.access, request, waiting, opening, run_until).await?;
    let kept_until = run.handle.retention_ms(KIND).map(|kept| run.head.started_at + kept + UNFINISHED_MS - DAY_MS);
    if kept_until.is_some_and(|kept_until| wait.until() > kept_until) {
        let told = "The run expires before this wait would end. Wait for less, or raise retention.runs in the spec.";
        return Err(Error::invalid(told).into());
    }
    let definition = run.agents().tool(&call.tool).map(|rules| HEXLOWER.encode(&rules.definition));
    let event = ToolWaiting { call_id: call.call_id.clone(), wait: wait.clone() };
    run.note(Event::ToolWaiting(event, WaitingTool { definition, continues: continues(run, &call.tool) })).await?;
    run.opening.push(wait);
    run.wait_changes.extend(changes);
    flush_if_many(run).await
}

/// Commits what is pending if it has about as many changes as fit into one commit.
async fn flush_if_many(run: &mut Driver<'_>) -> Result<(), Stop> {
    if run.wait_changes.len() >= MOST_CHANGES { run.flush().await.map_err(Stop::from) } else { Ok(()) }
}

/// The waits of the last agent, or of the calls that no agent has, with their calls.
fn open_waits(state: &RunState) -> Vec<(String, OpenWait)> {
    state.open_waits().map(|(call, wait)| (call.call_id.clone(), wait.clone())).collect()
}

/// Notes the ends of waits of the last agent. Returns those that are still open, and whether any has ended.
async fn note_settled(run: &mut Driver<'_>) -> Result<(Open, bool), Stop> {
    let waits = open_waits(&run.state);
    let is_over = |(_, open): &(String, OpenWait)| open.wait.until() <= run.access.now();
    if !run.opening.is_empty() && waits.iter().any(is_over) {
        run.flush().await?;
    }
    let mut open = Open { waits: run.opening.clone(), found: Vec::new() };
    let mut is_any_settled = false;
    for (call_id, wait) in waits {
        if open.waits.iter().any(|opening| opening.wait_id == wait.wait.wait_id) {
            continue;
        }
        match ended(run, &wait).await? {
            Ok(found) => {
                open.waits.push(found.stored.wait.clone());
                open.found.push(found);
            }
            Err(record) => {
                note_end(run, &call_id, &wait, record).await?;
                flush_if_many(run).await?;
                is_any_settled = true;
            }
        }
    }
    Ok((open, is_any_settled))
}

/// The end of a wait, which is durable once this resolves or with the next commit; or the wait, if it is still open. `None`: its
/// record is gone.
async fn ended(run: &mut Driver<'_>, wait: &OpenWait) -> Result<Result<Found, Option<WaitRecord>>, Stop> {
    for _ in 0..bailiwick_tenancy::ATTEMPTS {
        let Some(found) = find(&run.access, &[&wait.wait.wait_id]).await?.pop().flatten() else { return Ok(Err(None)) };
        let now = run.access.now();
        match (found.stored.wait.status, found.stored.wait.status_at(now)) {
            (WaitStatus::Open, WaitStatus::Open) => return Ok(Ok(found)),
            // It has ended by itself, and is read again as one that has.
            (WaitStatus::Open, status) => {
                let outcome = Outcome { settled_at: Some(now), ..Outcome::default() };
                let (_, change) = found.ended(&run.access, status, outcome, run.journal.expires_at);
                let limits = bailiwick_tenancy::Limits::default();
                run.access.commit(vec![change], &limits, bailiwick_tenancy::Durability::Sync).await?;
            }
            (status, _) => {
                let record = found.stored.shown(now);
                // Nobody changes it any more. Its outcome goes with the commit of the entry that has it.
                if found.stored.outcome.is_some() {
                    run.wait_changes.extend(found.closed(&run.access, status)?);
                }
                return Ok(Err(Some(record)));
            }
        }
    }
    Err(bailiwick_tenancy::contended().into())
}

/// Notes the end of a wait: its call is made again, or fails.
async fn note_end(
    run: &mut Driver<'_>,
    call_id: &str,
    wait: &OpenWait,
    record: Option<WaitRecord>,
) -> Result<(), Stop> {
    let Some(record) = record else {
        let told = "What the call waited for was removed at the end of its retention.";
        return note_failure(run, call_id, ToolFailure::new("WAIT_EXPIRED", told)).await;
    };
    let (status, kind, actor) = (record.wait.status, record.wait.kind, record.outcome.actor.clone());
    run.note(Event::WaitSettled(WaitSettled { record })).await?;
    let kind = match (status, kind) {
        (WaitStatus::Expired, _) => ResumedKind::Expired,
        (WaitStatus::Cancelled | WaitStatus::Open, _) => {
            let told = "What the call waited for was cancelled.";
            return note_failure(run, call_id, ToolFailure::new("WAIT_CANCELLED", told)).await;
        }
        (WaitStatus::Settled, WaitKind::Answer) => ResumedKind::Answer,
        (WaitStatus::Settled, WaitKind::Event) => ResumedKind::Event,
        (WaitStatus::Settled, WaitKind::Time) => ResumedKind::Time,
    };
    let waited_ms = run.now().saturating_sub(wait.wait.created_at);
    let resumed = ToolResumed { call_id: call_id.to_owned(), kind, actor };
    run.note(Event::ToolResumed(resumed, ResumedCall { waited_ms })).await.map_err(Stop::from)
}

/// Cancels the waits that the last agent does not need any more.
pub(super) async fn cancel_waits(run: &mut Driver<'_>) -> Result<(), Stop> {
    let waits = open_waits(&run.state);
    if !run.opening.is_empty() {
        run.flush().await?;
    }
    let ids: Vec<&str> = waits.iter().map(|(_, open)| open.wait.wait_id.as_str()).collect();
    run.handle.close_waits(&run.access, &ids).await.map_err(Stop::from)
}

/// Whether nothing has changed for a suspended run, or for the calls that a run has left: nothing of what waits has ended.
pub(crate) async fn still_waits(handle: &TenantHandle, state: &RunState) -> Result<bool> {
    let is_waiting = state.frames.last().is_some_and(Frame::is_waiting) || !state.left.is_empty();
    if !is_waiting || approval::is_any_decided(handle, state).await? {
        return Ok(false);
    }
    let Some(access) = handle.scope.existing().await? else { return Ok(false) };
    let waits = open_waits(state);
    let ids: Vec<&str> = waits.iter().map(|(_, open)| open.wait.wait_id.as_str()).collect();
    let found = find(&access, &ids).await?;
    let is_open = |found: &Option<Found>| {
        found.as_ref().is_some_and(|found| found.stored.wait.status_at(access.now()) == WaitStatus::Open)
    };
    Ok(found.iter().all(is_open))
}
