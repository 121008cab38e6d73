//! The result of a run, from its journal.

use bailiwick_model::Result;
use bailiwick_model::json::{self, Json};
use bailiwick_model::pace::ahead;
use serde::Serialize;

use crate::runs::events::{
    ApprovalShown, Event, FinishReason, Limit, RunCompleted, RunFailed, RunFailure, RunLimited, RunSteered,
    RunSuspended, Usage, damaged,
};
use crate::runs::state::RunState;
use crate::waits::Wait;

/// A `RunResult`.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct RunResult<'a> {
    run_id: &'a str,
    thread_id: &'a str,
    status: &'static str,
    text: String,
    usage: &'a Usage,
    #[serde(skip_serializing_if = "Option::is_none")]
    output: Option<&'a Json>,
    #[serde(skip_serializing_if = "Option::is_none")]
    approvals: Option<&'a [ApprovalShown]>,
    #[serde(skip_serializing_if = "Option::is_none")]
    waits: Option<Vec<&'a Wait>>,
    /// The calls of a completed run that still wait.
    #[serde(skip_serializing_if = "<[String]>::is_empty")]
    waiting: &'a [String],
    #[serde(skip_serializing_if = "Option::is_none")]
    limit: Option<Limit>,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<&'a RunFailure>,
    /// From the answer itself, so that runs have it whose end was written without.
    #[serde(skip_serializing_if = "Option::is_none")]
    finish_reason: Option<FinishReason>,
}

/// The `RunResult` as JSON text.
pub(super) async fn result(state: &RunState) -> String {
    let status = state.rest.as_ref().and_then(|event| event.kind().strip_prefix("run."));
    let mut result = RunResult {
        run_id: &state.run_id,
        thread_id: &state.thread_id,
        status: status.unwrap_or("interrupted"),
        text: String::new(),
        usage: &state.usage,
        output: None,
        approvals: None,
        waits: None,
        waiting: &[],
        limit: None,
        error: None,
        finish_reason: None,
    };
    match &state.rest {
        Some(Event::RunCompleted(RunCompleted { text, output, waiting, .. }, _)) => {
            ahead(text.len() as u64 + output.weight()).await;
            result.text.clone_from(text);
            result.waiting = waiting;
            (result.output, result.finish_reason) = (Some(output), state.finish_reason);
            return json::to_text(&result);
        }
        Some(Event::RunSuspended(RunSuspended { approvals, .. })) => {
            let waits: Vec<&Wait> = state.open_waits().map(|(_, open)| &open.wait).collect();
            ahead(waits.iter().map(|wait| wait.weight()).sum()).await;
            result.approvals = Some(approvals);
            result.waits = Some(waits);
        }
        Some(Event::RunLimited(RunLimited { limit }, _)) => result.limit = Some(*limit),
        Some(Event::RunFailed(RunFailed { error }, _)) => result.error = Some(error),
        _ => {}
    }
    result.text = state.last_text().await;
    json::to_text(&result)
}

/// The run that has the prompt of this one, which was handed over.
///
/// # Errors
/// `StoreCorrupt` if its journal does not say so.
pub(super) fn steered_into(state: &RunState) -> Result<String> {
    match &state.rest {
        Some(Event::RunSteered(RunSteered { into }, _)) => Ok(into.clone()),
        _ => Err(damaged()),
    }
}
