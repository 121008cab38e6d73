//! What a run that is queued begins with.

use bailiwick_model::json::Json;
use bailiwick_model::spec::RunLimits;
use serde::{Deserialize, Serialize};

use super::left::{ContinuedRun, LeftCall};

/// What happens to a request while another run writes its thread, or waits for it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum WhenBusy {
    /// It is refused.
    #[default]
    Reject,
    /// It begins in its turn.
    Queue,
    /// Its prompt is handed to the run that has the thread, before that asks its model again. If that run ends before, it begins in its turn.
    Steer,
    /// The other run is cancelled. It goes before those that wait.
    Replace,
}

/// A prompt that was handed to a run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct PromptReceived {
    /// The run that was queued with it.
    pub(crate) from: String,
    /// A text, or an array of text and file parts.
    pub(crate) prompt: Json,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) actor: Option<String>,
}

/// The end of a run whose prompt was handed to another.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct RunSteered {
    /// The run that has the prompt.
    pub(crate) into: String,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct RunQueued {
    /// A text, or an array of text and file parts.
    pub(crate) prompt: Json,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) actor: Option<String>,
    /// When it begins at the earliest, in epoch milliseconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) start_at: Option<u64>,
    /// The run whose calls it goes on with: then there is no prompt.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) continues: Option<ContinuedRun>,
}

/// What a queued run begins with.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct QueuedRequest {
    pub(crate) thread_id: String,
    pub(crate) agent: String,
    pub(crate) limits: RunLimits,
    pub(crate) when_busy: WhenBusy,
    /// Whether its thread existed when it was queued: if the thread is gone, the run does not begin.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(crate) continues: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) trace: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) instructions: Option<String>,
    /// The calls that it goes on with.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) left: Vec<LeftCall>,
    /// As in [`super::RunContext`].
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) requesters: Vec<Option<String>>,
}
