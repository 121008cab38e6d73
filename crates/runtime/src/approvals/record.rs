//! The bytes of an approval's record.
//!
//! ```text
//! 0  length  u32be
//! 4  JSON    { approvalId, approvedBy?, byteLength, callId?, createdAt, createdMicros, definition?, expiresAt, inputLength?,
//!              requestedBy?, retainMs?, rule?, runId?, status, subject: { tool } | { planHash, planId }, subjectHash, threadId? }, as RFC 8785 orders keys
//! …  input   the tool's input as it was asked about, RFC 8785 JSON: inputLength bytes, or the rest
//! …  edited  the rest, if there is inputLength: the input with which it was approved instead, RFC 8785 JSON
//! ```

use bailiwick_model::json;
use bailiwick_model::ledger::Hash;
use bailiwick_model::ledger::record::Decision;
use bailiwick_model::ledger::rule::{ApprovalRule, ApprovedBy};
use bailiwick_model::pace::ahead_of;
use bailiwick_model::{Error, Result};
use bailiwick_tenancy::Access;
use serde::{Deserialize, Serialize};

use super::subject::{ApprovalContext, Subject};
use crate::hex;

pub(super) const PREFIX: &str = "approval_";

/// The status of an approval.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(into = "&'static str", try_from = "String")]
pub enum ApprovalStatus {
    /// Waits for a decision.
    Pending,
    /// Has ended; the ledger says how.
    Decided(Decision),
}

impl From<ApprovalStatus> for &'static str {
    fn from(status: ApprovalStatus) -> Self {
        match status {
            ApprovalStatus::Pending => "pending",
            ApprovalStatus::Decided(decision) => decision.name(),
        }
    }
}

impl TryFrom<String> for ApprovalStatus {
    type Error = &'static str;

    fn try_from(name: String) -> std::result::Result<Self, Self::Error> {
        if name == "pending" {
            return Ok(Self::Pending);
        }
        Decision::from_name(&name).map(Self::Decided).ok_or("an approval has another status")
    }
}

/// A request for a person's decision, as the API shows it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Approval {
    /// `approval_` and 32 characters.
    pub approval_id: String,
    /// The run that it belongs to.
    #[serde(flatten)]
    pub context: ApprovalContext,
    /// Its status.
    pub status: ApprovalStatus,
    /// The subject of the decision.
    pub subject: Subject,
    /// The input with which it was approved instead of that of the subject: RFC 8785 JSON.
    #[serde(rename = "editedInput", skip_serializing_if = "Option::is_none", serialize_with = "as_json")]
    pub edited: Option<Vec<u8>>,
    /// The hash that the decision is bound to.
    #[serde(with = "hex")]
    pub subject_hash: Hash,
    /// The rule under which it is decided; `None`: every actor may decide alone.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rule: Option<ApprovalRule>,
    /// The actors who have approved under the rule so far, in their order.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub approved_by: Vec<ApprovedBy>,
    /// The requester.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub requested_by: Option<String>,
    /// In epoch milliseconds.
    pub created_at: u64,
    /// The time from which it cannot be decided any more, in epoch milliseconds.
    pub expires_at: u64,
    /// Epoch microseconds: its position in the list of pending approvals.
    #[serde(skip)]
    pub(crate) created_micros: u64,
    /// The bytes that it reserves.
    #[serde(skip)]
    pub(crate) byte_length: u64,
    /// How long it is kept after its end, in milliseconds; `None`: until the tenant is erased. Fixed by the request, so
    /// that it does not depend on which process ends it.
    #[serde(skip)]
    pub(crate) retain_ms: Option<u64>,
}

/// The JSON part of the record.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Stored {
    approval_id: String,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    approved_by: Vec<ApprovedBy>,
    byte_length: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    call_id: Option<String>,
    created_at: u64,
    created_micros: u64,
    #[serde(default, with = "hex::optional", skip_serializing_if = "Option::is_none")]
    definition: Option<Hash>,
    expires_at: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    input_length: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    requested_by: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    retain_ms: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    rule: Option<ApprovalRule>,
    #[serde(skip_serializing_if = "Option::is_none")]
    run_id: Option<String>,
    status: ApprovalStatus,
    subject: StoredSubject,
    #[serde(with = "hex")]
    subject_hash: Hash,
    #[serde(skip_serializing_if = "Option::is_none")]
    thread_id: Option<String>,
}

#[derive(Serialize, Deserialize)]
#[serde(untagged, rename_all_fields = "camelCase")]
enum StoredSubject {
    Tool { tool: String },
    Plan { plan_hash: String, plan_id: String },
}

impl Approval {
    /// Returns the hash that a decision is bound to, computed anew.
    pub(crate) fn hash(&self, access: &Access) -> Hash {
        self.subject.hash(access, &self.context, self.rule.as_ref())
    }

    /// Returns the hash of the subject with the edited input, if it has one.
    pub(crate) fn edited_hash(&self, access: &Access) -> Option<Hash> {
        let (Subject::Tool { tool, .. }, Some(input)) = (&self.subject, self.edited.clone()) else { return None };
        let edited = Subject::Tool { tool: tool.clone(), input };
        Some(edited.hash(access, &self.context, self.rule.as_ref()))
    }

    /// Returns the input with which the tool is called once it is approved: RFC 8785 JSON. `None` for a plan.
    pub(crate) fn approved_input(&self) -> Option<&[u8]> {
        let Subject::Tool { input, .. } = &self.subject else { return None };
        Some(self.edited.as_deref().unwrap_or(input))
    }

    pub(crate) fn write(&self) -> Result<Vec<u8>> {
        let approval = self.clone();
        let ApprovalContext { run_id, thread_id, call_id, definition } = approval.context;
        let (subject, input) = match approval.subject {
            Subject::Tool { tool, input } => (StoredSubject::Tool { tool }, input),
            Subject::Plan { plan_id, plan_hash } => (StoredSubject::Plan { plan_hash, plan_id }, Vec::new()),
        };
        let edited = approval.edited;
        let text = json::to_text(&Stored {
            approval_id: approval.approval_id,
            approved_by: approval.approved_by,
            byte_length: approval.byte_length,
            call_id,
            created_at: approval.created_at,
            created_micros: approval.created_micros,
            definition,
            expires_at: approval.expires_at,
            input_length: edited.as_ref().map(|_| input.len() as u64),
            requested_by: approval.requested_by,
            retain_ms: approval.retain_ms,
            rule: approval.rule,
            run_id,
            status: approval.status,
            subject,
            subject_hash: approval.subject_hash,
            thread_id,
        });
        let length = u32::try_from(text.len()).map_err(|_| damaged())?;
        Ok([length.to_be_bytes().as_slice(), text.as_bytes(), &input, &edited.unwrap_or_default()].concat())
    }

    pub(crate) async fn read(body: &[u8]) -> Result<Self> {
        ahead_of(body.len()).await;
        let (length, rest) = body.split_first_chunk::<4>().ok_or_else(damaged)?;
        let (text, input) = rest.split_at_checked(u32::from_be_bytes(*length) as usize).ok_or_else(damaged)?;
        let stored: Stored = json::from_slice(text, &json::Limits::default()).map_err(|_| damaged())?;
        let Stored { run_id, thread_id, call_id, definition, .. } = stored;
        let (input, edited) = match stored.input_length {
            Some(length) => {
                let at = usize::try_from(length).map_err(|_| damaged())?;
                let (input, edited) = input.split_at_checked(at).ok_or_else(damaged)?;
                (input, Some(edited.to_vec()))
            }
            None => (input, None),
        };
        Ok(Self {
            approval_id: stored.approval_id,
            context: ApprovalContext { run_id, thread_id, call_id, definition },
            status: stored.status,
            subject: match stored.subject {
                StoredSubject::Tool { tool } => Subject::Tool { tool, input: input.to_vec() },
                StoredSubject::Plan { plan_hash, plan_id } => Subject::Plan { plan_id, plan_hash },
            },
            edited,
            subject_hash: stored.subject_hash,
            rule: stored.rule,
            approved_by: stored.approved_by,
            requested_by: stored.requested_by,
            created_at: stored.created_at,
            expires_at: stored.expires_at,
            created_micros: stored.created_micros,
            byte_length: stored.byte_length,
            retain_ms: stored.retain_ms,
        })
    }
}

/// Writes an input that is there.
fn as_json<S: serde::Serializer>(input: &Option<Vec<u8>>, serializer: S) -> std::result::Result<S::Ok, S::Error> {
    json::raw(input.as_deref().unwrap_or(b"null"), serializer)
}

/// Returns the error for damaged approvals and ledgers.
pub(crate) fn damaged() -> Error {
    Error::StoreCorrupt(
        "The approvals of this tenant and their ledger do not match: a record was altered, removed or rolled back. Nothing was guessed. See approvals.verify(), and restore the store from a backup."
            .to_owned(),
    )
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests may panic")]

    use bailiwick_model::json;
    use bailiwick_model::ledger::record::ApprovalRecord;
    use futures_util::FutureExt;

    use super::Approval;
    use crate::golden::bodies;

    #[test]
    fn golden_records_are_written_as_they_were() {
        let records = bodies(include_str!("../../tests/golden/approvals-record.jsonl"));
        let approvals: Vec<_> = records.iter().filter(|body| body.get(4) == Some(&b'{')).collect();
        assert!(approvals.len() > 4);
        for body in approvals {
            let approval = Approval::read(body).now_or_never().unwrap().unwrap();
            assert_eq!(&approval.write().unwrap(), body);
        }
    }

    #[test]
    fn golden_records_of_the_ledger_are_written_as_they_were() {
        let entries = bodies(include_str!("../../tests/golden/approvals-entry.jsonl"));
        let texts: Vec<_> = entries.iter().filter(|body| body.len() > 8).map(|body| &body[32..]).collect();
        assert!(!texts.is_empty());
        for text in texts {
            let record = json::parse(text, &json::Limits::default()).unwrap();
            assert_eq!(ApprovalRecord::from_json(&record).unwrap().canonical(), text);
        }
    }
}
