//! The host's approver: its channel to a person, who is asked while the run waits.

use std::time::Duration;

use bailiwick_model::Error;
use bailiwick_model::json::{self, Json};
use bailiwick_model::ledger::record::Decision;
use bailiwick_model::pace::{ahead, ahead_of};
use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use serde::Serialize;
use tokio::time::timeout;

use crate::approvals::{Approval, ApprovalStatus, Responded, Response, Subject};
use crate::runs::driver::{Driver, Stop, failed};
use crate::runs::events::{FailureCode, ToolFailure};
use crate::runs::host::{CallbackKind, Callbacks, Reply, host_gone, parsed};
use crate::runs::steps::tools::problem_of_host;
use crate::runs::steps::{AgentContext, with_json};

/// How often a run whose approver thinks checks whether the decision was made elsewhere.
const REFRESH: Duration = Duration::from_secs(1);

/// Asks the host's approver about approvals, and records its decisions.
pub(in crate::runs::steps) async fn ask(run: &mut Driver<'_>, open: Vec<Approval>) -> Result<(), Stop> {
    // The approver may take long, and the process may die meanwhile.
    run.flush().await?;
    let host = run.host;
    let mut asking = FuturesUnordered::new();
    let mut undecided: Vec<String> = Vec::new();
    for approval in open {
        run.requested.insert(approval.approval_id.clone());
        undecided.push(approval.approval_id.clone());
        let request = request(run, &approval).await;
        asking.push(asked(host, approval, request));
    }
    loop {
        let Ok(next) = run.unless_stopped(timeout(REFRESH, asking.next())).await? else {
            if decided_elsewhere(run, &undecided).await? {
                return Ok(());
            }
            continue;
        };
        let Some((approval, reply)) = next else { return Ok(()) };
        let after = match reply {
            None => return Err(host_gone().into()),
            Some(Reply::Value(answer)) => decide(run, &approval, &answer).await?,
            // The approver has not decided: the approval waits, as if it had been deferred. The host tells its own people why.
            Some(_) => None,
        };
        match after.filter(|after| after.approved_by.len() > approval.approved_by.len()) {
            // Its rule asks for more people: the approver may ask the next one.
            Some(after) => {
                let request = request(run, &after).await;
                asking.push(asked(host, after, request));
            }
            None => undecided.retain(|id| *id != approval.approval_id),
        }
    }
}

/// The request to the approver about an approval.
async fn request(run: &Driver<'_>, approval: &Approval) -> String {
    ahead_of(approval.subject.byte_length()).await;
    with_json(&AgentContext::of(run), "approval", &json::to_text(approval)).await
}

/// Sends a request to the approver and waits for the reply.
async fn asked(host: &dyn Callbacks, approval: Approval, request: String) -> (Approval, Option<Reply>) {
    let mut asked = host.request(CallbackKind::Approve, request);
    (approval, asked.next().await)
}

/// Records the answer of the approver. Returns the approval if its rule asks for more people.
async fn decide(run: &Driver<'_>, approval: &Approval, answer: &[u8]) -> Result<Option<Approval>, Stop> {
    let wrong = |told: &str| Err(failed(FailureCode::CallbackFailed, told));
    let answer = parsed(answer).await.unwrap_or(Json::Null);
    let text = |key: &str| answer.get(key).and_then(Json::as_str).filter(|text| !text.is_empty());
    let decision = match text("decision") {
        Some("defer") => return Ok(None),
        Some("approve") => Decision::Approved,
        Some("reject") => Decision::Rejected,
        _ => return wrong("approve must answer { decision: 'approve' | 'reject' | 'defer', … }."),
    };
    let Some(actor) = text("actor") else { return wrong("approve decided without an actor. Say who it was.") };
    let input = answer.get("input");
    if let (Some(input), Subject::Tool { tool, .. }) = (input, &approval.subject)
        && run.handle.validated.tools.contains(tool)
    {
        ahead(2 * input.weight()).await;
        if let Some(problem) = problem_of_host(run, tool, &json::canonical(input)).await? {
            let told = format!("The edited input does not fit the schema of the tool {tool}: {problem}");
            return refused(run, approval, &Error::invalid(told)).await;
        }
    }
    let response = Response { decision, actor, reason: text("reason"), input };
    match run.handle.approvals().decide(&approval.approval_id, response).await {
        // Another decision was faster, or its time is over: that counts then.
        Ok(Responded::Decided(_)) | Err(Error::ApprovalClosed(_)) => Ok(None),
        Ok(Responded::Pending(approval)) => Ok(Some(*approval)),
        // It waits for somebody who may decide, or for an input that fits.
        Err(error @ Error::ApprovalForbidden(_)) => refused(run, approval, &error).await,
        Err(error @ (Error::InvalidInput(_) | Error::QuotaExceeded { .. })) if input.is_some() => {
            refused(run, approval, &error).await
        }
        Err(Error::InvalidInput(told)) => wrong(&told),
        Err(error) => Err(error.into()),
    }
}

/// Tells the host that the answer of its approver is refused: nobody else would hear of it. The approval waits.
async fn refused(run: &Driver<'_>, approval: &Approval, error: &Error) -> Result<Option<Approval>, Stop> {
    let told = Refused { context: AgentContext::of(run), refused: ToolFailure::new(error.code(), &error.to_string()) };
    ahead_of(approval.subject.byte_length()).await;
    let request = with_json(&told, "approval", &json::to_text(approval)).await;
    run.unless_stopped(run.host.request(CallbackKind::Approve, request).next()).await?;
    Ok(None)
}

/// What the host is told of a refused answer.
#[derive(Serialize)]
struct Refused<'a> {
    #[serde(flatten)]
    context: AgentContext<'a>,
    refused: ToolFailure,
}

/// Whether all of these have ended without this approver, in this process or another.
async fn decided_elsewhere(run: &Driver<'_>, approval_ids: &[String]) -> Result<bool, Stop> {
    for approval_id in approval_ids {
        match run.handle.approvals().get(approval_id).await {
            Ok(approval) if approval.status == ApprovalStatus::Pending => return Ok(false),
            Ok(_) | Err(Error::NotFound) => {}
            Err(error) => return Err(error.into()),
        }
    }
    Ok(true)
}
