//! The bytes of an approval's record.
//!
//! ```text
//! 0  length  u32be
//! 4  JSON    { approvalId, runId?, threadId?, callId?, definition?, status, subject: { tool } | { planId, planHash },
//!              subjectHash, requestedBy?, createdAt, expiresAt, createdMicros, byteLength, retainMs? }
//! …  input   the rest: the tool's input as it was approved, RFC 8785 JSON
//! ```

use bailiwick_model::json::{self, Json};
use bailiwick_model::ledger::Hash;
use bailiwick_model::ledger::record::Decision;
use bailiwick_model::{Error, Result};
use data_encoding::HEXLOWER;

use super::subject::{ApprovalContext, Subject};

/// How an approval stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ApprovalStatus {
    /// Nobody has decided yet.
    Pending,
    /// What the ledger says about it.
    Decided(Decision),
}

impl ApprovalStatus {
    /// The word in the API.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Decided(decision) => decision.name(),
        }
    }

    fn from_name(name: &str) -> Option<Self> {
        if name == "pending" { Some(Self::Pending) } else { Decision::from_name(name).map(Self::Decided) }
    }
}

/// A question to a person, and how it stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Approval {
    /// `approval_` and 32 characters.
    pub approval_id: String,
    /// Of which run it is part.
    pub context: ApprovalContext,
    /// How it stands.
    pub status: ApprovalStatus,
    /// What it is about.
    pub subject: Subject,
    /// What a decision is bound to.
    pub subject_hash: Hash,
    /// Who asked.
    pub requested_by: Option<String>,
    /// In epoch milliseconds.
    pub created_at: u64,
    /// From when on it cannot be decided any more, in epoch milliseconds.
    pub expires_at: u64,
    /// Epoch microseconds: its place in the list of those that are pending.
    pub(crate) created_micros: u64,
    /// The bytes that it counts with.
    pub(crate) byte_length: u64,
    /// How long it is kept once it has ended, in milliseconds; `None`: for good. Fixed when it is asked for, so that it does
    /// not depend on who ends it.
    pub(crate) retain_ms: Option<u64>,
}

impl Approval {
    /// The approval as the API shows it: JSON text.
    pub fn json(&self) -> String {
        let ApprovalContext { run_id, thread_id, .. } = &self.context;
        let mut text = format!("{{\"approvalId\":{}", quoted(&self.approval_id));
        for (key, value) in [("runId", run_id), ("threadId", thread_id)] {
            if let Some(value) = value {
                text.push_str(&format!(",\"{key}\":{}", quoted(value)));
            }
        }
        let subject = match &self.subject {
            Subject::Tool { tool, input } => {
                format!("{{\"tool\":{},\"input\":{}}}", quoted(tool), String::from_utf8_lossy(input))
            }
            Subject::Plan { plan_id, plan_hash } => {
                format!("{{\"planId\":{},\"planHash\":{}}}", quoted(plan_id), quoted(plan_hash))
            }
        };
        let hash = HEXLOWER.encode(&self.subject_hash);
        text.push_str(&format!(
            ",\"status\":\"{}\",\"subject\":{subject},\"subjectHash\":\"{hash}\"",
            self.status.name()
        ));
        if let Some(requested_by) = &self.requested_by {
            text.push_str(&format!(",\"requestedBy\":{}", quoted(requested_by)));
        }
        text.push_str(&format!(",\"createdAt\":{},\"expiresAt\":{}}}", self.created_at, self.expires_at));
        text
    }

    pub(crate) fn write(&self) -> Result<Vec<u8>> {
        let (subject, input): (_, &[u8]) = match &self.subject {
            Subject::Tool { tool, input } => (vec![member("tool", Json::from(tool.as_str()))], input),
            Subject::Plan { plan_id, plan_hash } => {
                let members = [("planId", plan_id), ("planHash", plan_hash)];
                (members.map(|(key, value)| member(key, Json::from(value.as_str()))).into(), &[])
            }
        };
        let mut members = vec![
            member("approvalId", Json::from(self.approval_id.as_str())),
            member("status", Json::from(self.status.name())),
            member("subject", Json::Object(subject)),
            member("subjectHash", Json::String(HEXLOWER.encode(&self.subject_hash))),
            member("createdAt", Json::Number(self.created_at as f64)),
            member("expiresAt", Json::Number(self.expires_at as f64)),
            member("createdMicros", Json::Number(self.created_micros as f64)),
            member("byteLength", Json::Number(self.byte_length as f64)),
        ];
        members.extend(self.retain_ms.map(|ms| member("retainMs", Json::Number(ms as f64))));
        let definition = self.context.definition.map(|hash| HEXLOWER.encode(&hash));
        let optional = [
            ("runId", &self.context.run_id),
            ("threadId", &self.context.thread_id),
            ("callId", &self.context.call_id),
            ("definition", &definition),
            ("requestedBy", &self.requested_by),
        ];
        for (key, value) in optional {
            members.extend(value.as_deref().map(|value| member(key, Json::from(value))));
        }
        let text = json::canonical(&Json::Object(members));
        let length = u32::try_from(text.len()).map_err(|_| damaged())?;
        Ok([length.to_be_bytes().as_slice(), &text, input].concat())
    }

    pub(crate) fn read(body: &[u8]) -> Result<Self> {
        Self::parse(body).ok_or_else(damaged)
    }

    fn parse(body: &[u8]) -> Option<Self> {
        let (length, rest) = body.split_first_chunk::<4>()?;
        let (text, input) = rest.split_at_checked(u32::from_be_bytes(*length) as usize)?;
        let stored = json::parse(text, &json::Limits::default()).ok()?;
        let subject = stored.get("subject")?;
        Some(Self {
            approval_id: read_text(&stored, "approvalId")?,
            context: ApprovalContext {
                run_id: read_text(&stored, "runId"),
                thread_id: read_text(&stored, "threadId"),
                call_id: read_text(&stored, "callId"),
                definition: match stored.get("definition") {
                    Some(hash) => Some(read_hash(hash)?),
                    None => None,
                },
            },
            status: ApprovalStatus::from_name(stored.get("status")?.as_str()?)?,
            subject: match read_text(subject, "tool") {
                Some(tool) => Subject::Tool { tool, input: input.to_vec() },
                None => {
                    Subject::Plan { plan_id: read_text(subject, "planId")?, plan_hash: read_text(subject, "planHash")? }
                }
            },
            subject_hash: read_hash(stored.get("subjectHash")?)?,
            requested_by: read_text(&stored, "requestedBy"),
            created_at: read_number(&stored, "createdAt")?,
            expires_at: read_number(&stored, "expiresAt")?,
            created_micros: read_number(&stored, "createdMicros")?,
            byte_length: read_number(&stored, "byteLength")?,
            retain_ms: match stored.get("retainMs") {
                Some(_) => Some(read_number(&stored, "retainMs")?),
                None => None,
            },
        })
    }
}

/// What every damage of approvals and their ledger is to a caller.
pub(crate) fn damaged() -> Error {
    Error::StoreCorrupt(
        "The approvals of this tenant and their ledger do not fit together: something was altered, removed or put back to an older state. Nothing was guessed. See approvals.verify(), and restore the store from a backup."
            .to_owned(),
    )
}

fn member(key: &str, value: Json) -> (String, Json) {
    (key.to_owned(), value)
}

fn quoted(text: &str) -> String {
    json::write(&Json::from(text))
}

fn read_text(stored: &Json, key: &str) -> Option<String> {
    stored.get(key)?.as_str().map(str::to_owned)
}

fn read_number(stored: &Json, key: &str) -> Option<u64> {
    stored.get(key)?.as_whole()
}

fn read_hash(value: &Json) -> Option<Hash> {
    HEXLOWER.decode(value.as_str()?.as_bytes()).ok()?.try_into().ok()
}
