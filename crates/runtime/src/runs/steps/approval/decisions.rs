//! Approvals that a run waits for, and their decisions.

use std::sync::Arc;

use bailiwick_model::json::{self, Json};
use bailiwick_model::ledger::record::{ApprovalRecord, Decision};
use bailiwick_model::pace::ahead_of;
use bailiwick_model::{Error, Result};

use crate::approvals::{Approval, ApprovalStatus, Subject};
use crate::handle::TenantHandle;
use crate::runs::driver::{Driver, Stop};
use crate::runs::events::{ApprovalDecided, DecidedCall, DecisionShown, Event};
use crate::runs::lifecycle::withdraw_all;
use crate::runs::state::RunState;

/// Why an approval is withdrawn whose tool is another one now.
const OUTDATED: &str = "The definition of a tool has changed since it was asked about.";

/// Notes the decisions about the approvals that the last agent waits for. Returns those that are still open, and whether there
/// was any decision.
pub(in crate::runs::steps) async fn note_decisions(run: &mut Driver<'_>) -> Result<(Vec<Approval>, bool), Stop> {
    let mut open = Vec::new();
    let mut noted = false;
    for approval_id in run.state.pending_approvals() {
        match run.handle.approvals().get(&approval_id).await {
            Ok(approval) if approval.status != ApprovalStatus::Pending => {
                noted |= note_decision(run, &approval_id, false).await?;
            }
            Ok(approval) if is_outdated(run.handle, &approval).await? => {
                run.handle.approvals().withdraw(&[&approval_id], Some(OUTDATED), Vec::new()).await?;
                noted |= note_decision(run, &approval_id, true).await?;
            }
            Ok(approval) => open.push(approval),
            Err(Error::NotFound) => {
                note_removed(run, &approval_id).await?;
                noted = true;
            }
            Err(error) => return Err(error.into()),
        }
    }
    Ok((open, noted))
}

/// Withdraws the approvals that the last agent does not need any more, for this reason.
pub(in crate::runs::steps) async fn withdraw_waiting(run: &mut Driver<'_>, reason: &str) -> Result<(), Stop> {
    let waiting = run.state.pending_approvals();
    withdraw_all(run.handle, &waiting, reason).await?;
    for approval_id in &waiting {
        match run.handle.approvals().get(approval_id).await {
            Ok(_) => drop(note_decision(run, approval_id, false).await?),
            Err(Error::NotFound) => note_removed(run, approval_id).await?,
            Err(error) => return Err(error.into()),
        }
    }
    Ok(())
}

/// Notes the decision about an approval. `false`: there is none. `again`: a person is to be asked again.
async fn note_decision(run: &mut Driver<'_>, approval_id: &str, again: bool) -> Result<bool, Stop> {
    let Some(record) = run.handle.approvals().decision(approval_id).await? else { return Ok(false) };
    // One that was decided before it could be withdrawn is taken as it is.
    let again = again && record.decision == Decision::Withdrawn;
    let edited_input = edited_input(run.handle, approval_id, &record).await?;
    let noted = ApprovalDecided { record: DecisionShown::of(&record), edited_input };
    note(run, approval_id, noted, again).await?;
    Ok(true)
}

/// The input with which a call was approved instead of its own. `None` if the approval was removed: then the call is asked about again.
async fn edited_input(handle: &TenantHandle, approval_id: &str, record: &ApprovalRecord) -> Result<Option<Arc<Json>>> {
    if record.edited_hash.is_none() {
        return Ok(None);
    }
    // It may have been decided since it was read.
    let now = match handle.approvals().get(approval_id).await {
        Ok(now) => now,
        Err(Error::NotFound) => return Ok(None),
        Err(error) => return Err(error),
    };
    let edited = now.edited.ok_or_else(|| Error::damaged("An approval"))?;
    ahead_of(edited.len()).await;
    Ok(Some(Arc::new(json::parse(&edited, &json::Limits::default())?)))
}

/// Notes the decision about an approval that was removed at the end of its retention. The ledger still has the decision.
async fn note_removed(run: &mut Driver<'_>, approval_id: &str) -> Result<(), Stop> {
    if note_decision(run, approval_id, false).await? {
        return Ok(());
    }
    note(run, approval_id, ApprovalDecided { record: DecisionShown::gone(approval_id), edited_input: None }, false)
        .await
}

async fn note(run: &mut Driver<'_>, approval_id: &str, noted: ApprovalDecided, again: bool) -> Result<(), Stop> {
    let of_agent = run.state.frames.last().map(|frame| frame.calls.as_slice()).unwrap_or_default();
    let call = of_agent.iter().chain(&run.state.left).find(|call| call.approval.pending() == Some(approval_id));
    let decided = DecidedCall { call_id: call.map(|call| call.call_id.clone()), again };
    run.note(Event::ApprovalDecided(noted, decided)).await.map_err(Stop::from)
}

/// Whether a decision was made about an approval that a suspended run, or a call that a run has left, waits for, or its subject is another one now.
pub(in crate::runs::steps) async fn is_any_decided(handle: &TenantHandle, state: &RunState) -> Result<bool> {
    for approval_id in &state.pending_approvals() {
        match handle.approvals().get(approval_id).await {
            Ok(approval) if approval.status != ApprovalStatus::Pending => return Ok(true),
            Ok(approval) if is_outdated(handle, &approval).await? => return Ok(true),
            Ok(_) => {}
            Err(Error::NotFound) => return Ok(true),
            Err(error) => return Err(error),
        }
    }
    Ok(false)
}

/// Whether the tools of an approval's subject are defined in another way now.
pub(super) async fn is_outdated(handle: &TenantHandle, approval: &Approval) -> Result<bool> {
    let now = match &approval.subject {
        Subject::Tool { tool, .. } => handle.catalogue.agents.tool(tool).map(|rules| rules.definition),
        Subject::Plan { plan_id, .. } => match handle.plans().load(plan_id, None).await {
            Ok(plan) => Some(handle.plans().definition_of(&plan)),
            // The person who decides is told of a plan that is gone or another one.
            Err(Error::NotFound) => return Ok(false),
            Err(error) => return Err(error),
        },
    };
    Ok(approval.context.definition != now)
}
