//! What the fields of events are made of.

use bailiwick_model::Result;
use bailiwick_model::json::{self, Json};
use bailiwick_model::ledger::record::{ApprovalRecord, Decision};
use bailiwick_model::ledger::rule::{ApprovalRule, ApprovedBy};
use data_encoding::HEXLOWER;
use serde::{Deserialize, Serialize};

use super::parts::Part;
use crate::approvals::{Approval, ApprovalStatus, Subject};

/// The member of a result that is kept as a reference with what it holds, in short.
pub(crate) const PREVIEW: &str = "glimpse";

/// Of events that have no fields of their own.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Nothing {}

/// Why a model's answer ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum FinishReason {
    Stop,
    Length,
    ToolCalls,
    ContentFilter,
    /// The provider goes on with the answer when it is asked again.
    Pause,
    Other,
}

/// A limit of a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Limit {
    #[serde(rename = "maxSteps")]
    Steps,
    #[serde(rename = "maxToolCalls")]
    ToolCalls,
    #[serde(rename = "maxTokens")]
    Tokens,
    #[serde(rename = "maxDurationMs")]
    Duration,
}

impl Limit {
    /// Returns its name, such as `maxSteps`.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Steps => "maxSteps",
            Self::ToolCalls => "maxToolCalls",
            Self::Tokens => "maxTokens",
            Self::Duration => "maxDurationMs",
        }
    }
}

/// Why a run failed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct RunFailure {
    pub(crate) code: FailureCode,
    pub(crate) message: String,
    /// Whether the same may succeed later.
    pub(crate) retryable: bool,
    /// When it is worth to try again, in milliseconds, if the provider said so.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) retry_after_ms: Option<u64>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub(crate) enum FailureCode {
    ModelFailed,
    OutputInvalid,
    CallbackFailed,
    Internal,
}

/// How a wait ended, as a handler is told that is called again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum ResumedKind {
    Answer,
    Event,
    Time,
    Expired,
}

/// Why a call failed, as its model is told.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct ToolFailure {
    pub(crate) code: String,
    pub(crate) message: String,
}

impl ToolFailure {
    /// A failure with this code and message.
    pub(crate) fn new(code: &str, message: &str) -> Self {
        Self { code: code.to_owned(), message: message.to_owned() }
    }
}

/// A failed attempt of a call, which is made again after a pause.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ToolRetried {
    pub(crate) call_id: String,
    /// The number of the attempt that failed, from 1; a process that takes the run over counts anew.
    pub(crate) attempt: u64,
    pub(crate) error: ToolFailure,
    /// The pause before the next attempt, in milliseconds.
    pub(crate) delay_ms: u64,
}

/// What a model is shown of a result that is kept as a reference.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct ReferencedResult {
    pub(crate) reference: String,
    pub(crate) type_name: String,
    pub(crate) byte_length: u64,
    /// What it holds, in short; null where the reference was deleted.
    pub(crate) glimpse: Json,
}

impl ReferencedResult {
    /// The same as a tree.
    pub(crate) fn into_json(self) -> Json {
        Json::from([
            ("reference", Json::String(self.reference)),
            ("type", Json::String(self.type_name)),
            ("byteLength", Json::Number(self.byte_length as f64)),
            (PREVIEW, self.glimpse),
        ])
    }
}

/// The plan that an executor begins with.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct PlanBegun {
    pub(crate) plan_id: String,
    pub(crate) version: u64,
    pub(crate) hash: String,
    /// As the plan has them.
    pub(crate) steps: Json,
    /// The hash of the definitions of its tools that it was approved with.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) definition: Option<String>,
}

/// What a model had said of an answer that the end of its run cut off.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct BrokenOff {
    pub(crate) agent: String,
    pub(crate) message_id: String,
    pub(crate) parts: Vec<Part>,
    /// As of a whole answer.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) unread: Vec<(String, String)>,
}

/// A record of the approval ledger; of a decision that is gone with its retention no more than the first four.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct DecisionShown {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) sequence: Option<u64>,
    pub(crate) approval_id: String,
    pub(crate) decision: Decision,
    pub(crate) actor: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) reason: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) subject_hash: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) edited_hash: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) rule: Option<ApprovalRule>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) approved_by: Vec<ApprovedBy>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) requested_by: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) requested_at: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) decided_at: Option<u64>,
}

impl DecisionShown {
    pub(crate) fn of(record: &ApprovalRecord) -> Self {
        Self {
            sequence: Some(record.sequence),
            approval_id: record.approval_id.clone(),
            decision: record.decision,
            actor: record.actor.clone(),
            reason: record.reason.clone(),
            subject_hash: Some(HEXLOWER.encode(&record.subject_hash)),
            edited_hash: record.edited_hash.map(|hash| HEXLOWER.encode(&hash)),
            rule: record.rule.clone(),
            approved_by: record.approved_by.clone(),
            requested_by: record.requested_by.clone(),
            requested_at: Some(record.requested_at),
            decided_at: Some(record.decided_at),
        }
    }

    /// An approval whose record was removed at the end of its retention.
    pub(crate) fn gone(approval_id: &str) -> Self {
        Self {
            sequence: None,
            approval_id: approval_id.to_owned(),
            decision: Decision::Expired,
            actor: None,
            reason: None,
            subject_hash: None,
            edited_hash: None,
            rule: None,
            approved_by: Vec::new(),
            requested_by: None,
            requested_at: None,
            decided_at: None,
        }
    }
}

/// An approval as events show it. Of one whose input was nested too deeply, earlier versions stored the id alone.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ApprovalShown {
    pub(crate) approval_id: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    run_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    thread_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    status: Option<ApprovalStatus>,
    #[serde(skip_serializing_if = "Option::is_none")]
    subject: Option<SubjectShown>,
    #[serde(skip_serializing_if = "Option::is_none")]
    subject_hash: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    rule: Option<ApprovalRule>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    approved_by: Vec<ApprovedBy>,
    #[serde(skip_serializing_if = "Option::is_none")]
    requested_by: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    created_at: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    expires_at: Option<u64>,
}

/// What an approval is about.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(untagged, rename_all_fields = "camelCase")]
enum SubjectShown {
    Tool { tool: String, input: Json },
    Plan { plan_id: String, plan_hash: String },
}

impl ApprovalShown {
    /// About how many bytes its input has.
    pub(crate) fn weight(&self) -> u64 {
        match &self.subject {
            Some(SubjectShown::Tool { input, .. }) => input.weight(),
            _ => 0,
        }
    }

    /// An approval as it is now.
    ///
    /// # Errors
    /// `InvalidInput` if its input is not JSON, which it always is.
    pub(crate) fn of(approval: &Approval) -> Result<Self> {
        Ok(Self {
            approval_id: approval.approval_id.clone(),
            run_id: approval.context.run_id.clone(),
            thread_id: approval.context.thread_id.clone(),
            status: Some(approval.status),
            subject: Some(match &approval.subject {
                Subject::Tool { tool, input } => {
                    SubjectShown::Tool { tool: tool.clone(), input: json::parse(input, &json::Limits::default())? }
                }
                Subject::Plan { plan_id, plan_hash } => {
                    SubjectShown::Plan { plan_id: plan_id.clone(), plan_hash: plan_hash.clone() }
                }
            }),
            subject_hash: Some(HEXLOWER.encode(&approval.subject_hash)),
            rule: approval.rule.clone(),
            approved_by: approval.approved_by.clone(),
            requested_by: approval.requested_by.clone(),
            created_at: Some(approval.created_at),
            expires_at: Some(approval.expires_at),
        })
    }
}

pub(super) fn is_false(value: &bool) -> bool {
    !value
}
