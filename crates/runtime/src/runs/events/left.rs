//! Calls that still wait when their run is completed: another run of the thread goes on with them.

use std::sync::Arc;

use bailiwick_model::json::Json;
use serde::{Deserialize, Serialize};

use super::fields::{ResumedKind, is_false};
use crate::waits::{Outcome, Wait};

/// The completed run whose calls a run goes on with.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ContinuedRun {
    pub(crate) run_id: String,
}

/// A call that waits, with all that is needed to go on with it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct LeftCall {
    pub(crate) call_id: String,
    pub(crate) tool: String,
    pub(crate) input: Arc<Json>,
    /// The run whose model made it.
    pub(crate) run_id: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) repeats: Option<String>,
    #[serde(default, skip_serializing_if = "is_false")]
    pub(crate) started: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) writing: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) approval: Option<LeftApproval>,
    #[serde(default, skip_serializing_if = "is_false")]
    pub(crate) was_approved: bool,
    /// Whether its input is one that a person edited.
    #[serde(default, skip_serializing_if = "is_false")]
    pub(crate) edited: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) wait: Option<OpenWait>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) resumed: Option<LeftResumed>,
}

/// The pending approval of a call.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct LeftApproval {
    pub(crate) approval_id: String,
    /// The run that asked for it.
    pub(crate) run_id: String,
}

/// An open wait of a call, as far as the journal knows.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct OpenWait {
    pub(crate) wait: Wait,
    /// Which of the waits of its call this is, from 1.
    pub(crate) turn: u64,
    /// The hash of the definition of the tool that waits.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) definition: Option<String>,
}

/// How the last wait of a call ended that waits for an approval now.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct LeftResumed {
    pub(crate) kind: ResumedKind,
    pub(crate) outcome: Outcome,
    pub(crate) waited_ms: u64,
    pub(crate) turn: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) definition: Option<String>,
}

impl LeftCall {
    /// About how many bytes it is written with.
    pub(crate) fn weight(&self) -> u64 {
        let wait = self.wait.as_ref().map_or(0, |open| open.wait.weight());
        let resumed = self.resumed.as_ref().map_or(0, |resumed| resumed.outcome.weight());
        128 + self.input.weight() + wait + resumed
    }
}
