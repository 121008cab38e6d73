//! Approvals in a run: asked for, waited for, and acted on. The request and the suspension of the run are one commit; a
//! decision is the ledger's, and the journal notes it.

mod approver;
mod decisions;

use bailiwick_model::Error;
use bailiwick_model::json;
use bailiwick_model::ledger::record::Decision;
use bailiwick_model::ledger::rule::ApprovalRule;
use bailiwick_model::pace::{ahead, ahead_of};

pub(super) use approver::ask;
pub(super) use decisions::{is_any_decided, note_decisions, withdraw_waiting};

use super::tools::{Checked, note_called, note_failure};
use super::waiting::{continues, shown, suspension_changes};
use crate::approvals::{
    Approval, ApprovalContext, ApprovalRequest, ApprovalStatus, INPUT_BYTES, RequestedSubject, Subject,
};
use crate::runs::driver::{Driver, Stop, failed};
use crate::runs::events::{ApprovalRequested, Entry, Event, FailureCode, RequestedCall, RunSuspended, ToolFailure};
use crate::runs::journal::{RunStatus, fenced};
use crate::runs::lifecycle::{head_after, head_changes, thread_progress};
use crate::runs::state::{Call, Frame};
use bailiwick_tenancy::ATTEMPTS;

/// How many calls are asked about in one commit.
const AT_ONCE: usize = 50;

/// Asks about calls, each under its rule. `false`: the run is suspended.
pub(super) async fn request_for_calls(
    run: &mut Driver<'_>,
    calls: Vec<(Checked, Option<ApprovalRule>)>,
) -> Result<bool, Stop> {
    let mut requests = Vec::new();
    let mut call_ids = Vec::new();
    for (Checked { call, input, .. }, rule) in calls.into_iter().take(AT_ONCE) {
        if input.len() > INPUT_BYTES {
            let told = "The input is too large to be asked about. Keep large values as references.";
            note_called(run, &call).await?;
            note_failure(run, &call.call_id, ToolFailure::new("INPUT_TOO_LARGE", told)).await?;
            continue;
        }
        ahead_of(input.len()).await;
        let input = json::parse(&input, &json::Limits::default())?;
        let definition = run.agents().tool(&call.tool).map(|rules| rules.definition);
        let subject = RequestedSubject::Tool { tool: call.tool, input };
        requests.push(approval_request(run, subject, Some(&call.call_id), definition, rule));
        call_ids.push(Some(call.call_id));
    }
    if requests.is_empty() { Ok(true) } else { request(run, requests, &call_ids).await }
}

/// Asks about the plan of the last agent. `false`: the run is suspended.
pub(super) async fn request_for_plan(run: &mut Driver<'_>) -> Result<bool, Stop> {
    let plan = run.state.frames.last().and_then(|frame| frame.plan.as_ref());
    let Some(plan_id) = plan.map(|plan| plan.plan_id.clone()) else { return Ok(true) };
    let asked = approval_request(run, RequestedSubject::Plan { plan_id }, None, None, None);
    // A plan that was changed or removed meanwhile cannot be asked about.
    match request(run, vec![asked], &[None]).await {
        Err(Stop::Error(Error::NotFound | Error::Conflict(_))) => {
            let told = "The plan of this run was changed before it could be asked about.";
            Err(failed(FailureCode::Internal, told))
        }
        other => other,
    }
}

fn approval_request(
    run: &Driver<'_>,
    subject: RequestedSubject,
    call_id: Option<&str>,
    definition: Option<[u8; 32]>,
    rule: Option<ApprovalRule>,
) -> ApprovalRequest {
    let context = ApprovalContext {
        run_id: Some(run.state.run_id.clone()),
        thread_id: Some(run.state.thread_id.clone()),
        call_id: call_id.map(str::to_owned),
        definition,
    };
    ApprovalRequest { subject, context, requested_by: run.state.actor.clone(), ttl_ms: None, rule }
}

/// Asks for approvals, and suspends the run with them if nothing else is left to do. `false`: it is suspended.
async fn request(
    run: &mut Driver<'_>,
    requests: Vec<ApprovalRequest>,
    call_ids: &[Option<String>],
) -> Result<bool, Stop> {
    if !run.kept.is_empty() || !run.wait_changes.is_empty() {
        // Their conditions are not those of the approvals.
        run.flush().await?;
    }
    let approvals = run.handle.approvals().prepare(requests).await?;
    let (entries, is_suspended) = entries(run, &approvals, call_ids).await?;
    let block = run.block(&entries).await;
    let head = is_suspended.then(|| head_after(run, RunStatus::Suspended, &block));
    for _ in 0..ATTEMPTS {
        ahead(block.bytes).await;
        let mut changes = run.journal.appended(block.body.clone());
        changes.extend(run.storing.iter().cloned());
        if let Some(head) = &head {
            changes.extend(head_changes(run, head, block.bytes, run.journal.expires_at));
            changes.extend(suspension_changes(run, &[]).await?);
        }
        if !run.handle.approvals().commit(&approvals, &changes).await? {
            continue;
        }
        for entry in entries {
            run.note_entry(entry).await?;
        }
        if let Some(head) = head {
            run.head = head;
        }
        run.committed(block.hash, block.bytes).await;
        return Ok(!is_suspended);
    }
    Err(fenced(&run.state.run_id).into())
}

/// The entries of approvals that are asked for, and of the suspension if nothing else is left to do. Also whether it is.
async fn entries(
    run: &Driver<'_>,
    approvals: &[Approval],
    call_ids: &[Option<String>],
) -> Result<(Vec<Entry>, bool), Stop> {
    let at = run.now();
    let shown = shown(approvals).await?;
    let mut entries = Vec::with_capacity(approvals.len() + 1);
    let frame = run.state.frames.last();
    let continues = |call: &Call| continues(run, &call.tool);
    for (approval, call_id) in shown.iter().zip(call_ids) {
        ahead(approval.weight()).await;
        let requested = ApprovalRequested { approval: approval.clone() };
        let call = call_id.as_ref().and_then(|id| frame?.calls.iter().find(|call| call.call_id == *id));
        let continues = call.is_some_and(continues);
        let event = Event::ApprovalRequested(requested, RequestedCall { call_id: call_id.clone(), continues });
        entries.push(Entry::new(at, event).about(run.state.agent()));
    }
    let asked: Vec<Option<&str>> = call_ids.iter().map(Option::as_deref).collect();
    // Waits have conditions of their own, and others are asked about already: the next step suspends a run with some.
    let is_waiting = frame.is_some_and(Frame::is_waiting);
    let is_suspended = !run.host.has_approver() && !is_waiting && run.state.only_waits_with(&asked, &continues);
    if is_suspended {
        let suspended = Entry::new(at, Event::RunSuspended(RunSuspended { approvals: shown, waits: Vec::new() }));
        entries.push(Entry { thread: thread_progress(run), ..suspended });
    }
    Ok((entries, is_suspended))
}

/// Returns an approval if it was given for exactly this call.
pub(super) async fn given_for(
    run: &Driver<'_>,
    approval_id: &str,
    checked: &Checked,
) -> Result<Option<Approval>, Stop> {
    let approval = match run.handle.approvals().get(approval_id).await {
        Ok(approval) => approval,
        Err(Error::NotFound) => return Ok(None),
        Err(error) => return Err(error.into()),
    };
    ahead_of(checked.input.len()).await;
    let is_same = match &approval.subject {
        Subject::Tool { tool, .. } => {
            *tool == checked.call.tool && approval.approved_input() == Some(checked.input.as_slice())
        }
        Subject::Plan { .. } => false,
    };
    let is_given = approval.status == ApprovalStatus::Decided(Decision::Approved)
        && is_same
        && approval.context.run_id.as_deref() == Some(checked.call.asked_in.as_deref().unwrap_or(&run.state.run_id))
        && approval.context.call_id.as_deref() == Some(&checked.call.call_id)
        && !decisions::is_outdated(run.handle, &approval).await?;
    Ok(is_given.then_some(approval))
}
