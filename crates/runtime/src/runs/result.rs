//! What came of a run, from its journal.

use bailiwick_model::json::{self, Json};

use super::driver::FINISH_REASON;
use super::entry::member;
use super::state::RunState;

/// The `RunResult` as JSON text.
pub(crate) fn result(state: &RunState) -> String {
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
    // From the answer itself, so that runs have it whose end was written without.
    let reason = state.finish_reason.as_deref().filter(|_| status == "completed");
    members.extend(reason.map(|reason| member(FINISH_REASON, Json::from(reason))));
    json::write(&Json::Object(members))
}
