//! One call of a tool: the request to the host, and its outcome.

use std::time::Duration;

use bailiwick_model::pace::ahead_of;
use bailiwick_model::spec::ToolEffects;
use data_encoding::HEXLOWER;
use serde::Serialize;
use sha2::{Digest, Sha256};

use super::telling::Told;
use super::{Checked, shortened};
use crate::handle::TenantHandle;
use crate::runs::driver::Driver;
use crate::runs::events::{ToolFailure, ToolRetried};
use crate::runs::host::{CallbackKind, Callbacks, HostFailure, Reply};
use crate::runs::state::{Call, Resumed};
use crate::runs::steps::{AgentContext, with_json};

/// The form of an answer that is no result: its first byte.
const WAITS: u8 = 5;

pub(in crate::runs::steps) enum Outcome {
    /// `u8 form ‖ bytes`
    Value(Vec<u8>),
    /// What the call waits for: JSON.
    Waits(Vec<u8>),
    Failed(ToolFailure),
    HostGone,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct ToolRequest<'a> {
    #[serde(flatten)]
    context: AgentContext<'a>,
    run_id: &'a str,
    thread_id: &'a str,
    call_id: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    actor: Option<&'a str>,
    tool: &'a str,
    idempotency_key: String,
    /// How its last wait ended.
    #[serde(skip_serializing_if = "Option::is_none")]
    resumed: Option<&'a Resumed>,
}

/// The request for a call with this input, which is JSON.
pub(super) async fn request(run: &Driver<'_>, call: &Call, input: &[u8]) -> String {
    let state = &run.state;
    let request = ToolRequest {
        context: AgentContext::of(run),
        run_id: &state.run_id,
        thread_id: &state.thread_id,
        call_id: &call.call_id,
        actor: state.actor.as_deref(),
        tool: &call.tool,
        idempotency_key: idempotency_key(call.origin.as_deref().unwrap_or(&state.run_id), &call.call_id),
        resumed: call.resumed.as_ref(),
    };
    with_json(&request, "input", &String::from_utf8_lossy(input)).await
}

/// What the loop of attempts needs to know of a failure.
struct Attempted {
    outcome: Outcome,
    /// Whether it may be tried again, and after how many milliseconds if the failure says.
    again: Option<Option<u64>>,
}

impl From<Outcome> for Attempted {
    fn from(outcome: Outcome) -> Self {
        Self { outcome, again: None }
    }
}

/// Sends a request and waits for the outcome. A failure that may pass is tried again as the tool's definition says. What it tells
/// before is told to `tell`.
pub(super) async fn run(
    handle: &TenantHandle,
    host: &dyn Callbacks,
    request: String,
    checked: &Checked,
    tell: &(dyn Fn(Told) + Sync),
) -> Outcome {
    let mut attempts = 0;
    loop {
        attempts += 1;
        let Some((most, longest)) =
            checked.retry.and_then(|retry| Some((retry.pause_after(attempts)?, retry.max_backoff_ms)))
        else {
            return attempt(host, request, checked, tell).await.outcome;
        };
        ahead_of(request.len()).await;
        let Attempted { outcome, again } = attempt(host, request.clone(), checked, tell).await;
        // A service that asks for more time than that is not asked again.
        let Some(told) = again.filter(|told| told.is_none_or(|told| told <= longest)) else { return outcome };
        let delay_ms = told.unwrap_or_else(|| most - u64::from_le_bytes(handle.scope.random()) % (most / 2 + 1));
        if let Outcome::Failed(error) = outcome {
            let error = ToolFailure { message: shortened(&error.message), ..error };
            let call_id = checked.call.call_id.clone();
            tell(Told::Retried(ToolRetried { call_id, attempt: attempts, error, delay_ms }));
        }
        tokio::time::sleep(Duration::from_millis(delay_ms)).await;
    }
}

/// Sends a request once.
async fn attempt(host: &dyn Callbacks, request: String, checked: &Checked, tell: &(dyn Fn(Told) + Sync)) -> Attempted {
    let answered = answered(host, request, tell);
    let reply = match checked.timeout_ms {
        None => answered.await,
        Some(most) => match tokio::time::timeout(Duration::from_millis(most), answered).await {
            Ok(reply) => reply,
            Err(_) => {
                let outcome = failed("TIMEOUT", &format!("The tool did not answer within {most} ms."));
                // What it writes may still be under way.
                let again = (checked.effects == ToolEffects::Read).then_some(None);
                return Attempted { outcome, again };
            }
        },
    };
    let outcome = match reply {
        None => Outcome::HostGone,
        Some(Reply::Value(mut value)) if value.first() == Some(&WAITS) => Outcome::Waits(value.split_off(1)),
        Some(Reply::Value(value)) => Outcome::Value(value),
        Some(Reply::Piece(_)) => failed("TOOL_FAILED", "The tool answered in parts."),
        Some(Reply::Failure(text)) => {
            let HostFailure { code, message, retryable, retry_after_ms } = HostFailure::read(&text).await;
            let again = (retryable == Some(true)).then_some(retry_after_ms);
            let told = message.as_deref().unwrap_or("The tool failed.");
            return Attempted { outcome: failed(code.as_deref().unwrap_or("TOOL_FAILED"), told), again };
        }
    };
    outcome.into()
}

/// The answer of a call, after what it says of its progress.
async fn answered(host: &dyn Callbacks, request: String, tell: &(dyn Fn(Told) + Sync)) -> Option<Reply> {
    let mut asked = host.request(CallbackKind::Tool, request);
    loop {
        match asked.next().await {
            Some(Reply::Piece(value)) => tell(Told::Progress(value)),
            reply => return reply,
        }
    }
}

fn failed(code: &str, message: &str) -> Outcome {
    Outcome::Failed(ToolFailure::new(code, message))
}

/// The idempotency key of a call, stable across its retries.
fn idempotency_key(run_id: &str, call_id: &str) -> String {
    HEXLOWER.encode(&Sha256::digest(format!("{run_id}/{call_id}")))
}
