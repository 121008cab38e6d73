//! The bytes of a plan's records. Each is RFC 8785 JSON: the fields of the types below are in its order of keys.
//!
//! ```text
//! head     { byteLength, createdAt, createdMicros, definition?, goal, hash, planId, status, type, updatedAt, version }
//! version  { content: { details?, goal, steps, type }, previous: { hash, status, updatedAt } | null, savedAt }
//! ```
//! The head has the plan's newest version and its status; `definition` is the hash of its tools' definitions at the
//! approval. A version is written once. It contains the hash and the last status of the one before it, so that an
//! altered or rolled-back history is detected.

use bailiwick_model::json::{self, Json};
use bailiwick_model::ledger::record::Decision;
use bailiwick_model::{Error, Result};
use serde::{Deserialize, Serialize};

use super::content::Content;

/// The limits of stored JSON, which is nested deeper than the values in it.
const STORED: json::Limits = json::Limits { bytes: usize::MAX, depth: json::MAX_DEPTH, elements: usize::MAX };

/// The status of a plan.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum PlanStatus {
    /// Saved and not decided.
    Draft,
    /// Approved by a person.
    Approved,
    /// Rejected by a person.
    Rejected,
    /// An executor runs its steps.
    Executing,
    /// All steps are done.
    Completed,
    /// A step failed for good.
    Failed,
}

impl PlanStatus {
    /// Returns the word in the API.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Draft => "draft",
            Self::Approved => "approved",
            Self::Rejected => "rejected",
            Self::Executing => "executing",
            Self::Completed => "completed",
            Self::Failed => "failed",
        }
    }

    /// Returns the status of a plan after a person's decision.
    pub(crate) const fn after(decision: Decision) -> Option<Self> {
        match decision {
            Decision::Approved => Some(Self::Approved),
            Decision::Rejected => Some(Self::Rejected),
            Decision::Expired | Decision::Withdrawn => None,
        }
    }

    /// Returns whether a plan of this status may get the next one. An approval may follow a rejection. A plan that runs
    /// or has run needs a new version to be approved again.
    pub const fn may_become(self, next: Self) -> bool {
        match self {
            Self::Draft | Self::Approved | Self::Rejected => match next {
                Self::Approved | Self::Rejected => true,
                Self::Executing => matches!(self, Self::Approved),
                Self::Draft | Self::Completed | Self::Failed => false,
            },
            Self::Executing => matches!(next, Self::Completed | Self::Failed),
            Self::Completed | Self::Failed => false,
        }
    }
}

/// One version of a plan, as the API shows it.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Plan {
    /// The caller's id, or `plan_` and 32 characters.
    pub plan_id: String,
    /// The name of its type, registered or not.
    #[serde(rename = "type")]
    pub type_name: String,
    /// From 1.
    pub version: u64,
    /// SHA-256 over the RFC 8785 JSON of `{ details?, goal, planId, steps, type, version }`: 64 hex digits.
    pub hash: String,
    /// The status; of an older version, its last one.
    pub status: PlanStatus,
    /// The goal of the plan.
    pub goal: String,
    /// An array of `{ id, tool, input, dependsOn?, note? }`.
    pub steps: Json,
    /// The details that the plan type requires.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub details: Option<Json>,
    /// The time of the first version, in epoch milliseconds.
    pub created_at: u64,
    /// The time of this version or of its last status, in epoch milliseconds.
    pub updated_at: u64,
    /// The hash of its tools' definitions at the approval; of the newest version alone.
    #[serde(skip)]
    pub(crate) definition: Option<String>,
}

/// A plan as lists show it.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct PlanSummary {
    /// As in [`Plan`].
    pub plan_id: String,
    /// As in [`Plan`].
    #[serde(rename = "type")]
    pub type_name: String,
    /// The newest version.
    pub version: u64,
    /// The hash of that version.
    pub hash: String,
    /// The status of that version.
    pub status: PlanStatus,
    /// The goal of that version.
    pub goal: String,
    /// As in [`Plan`].
    pub created_at: u64,
    /// As in [`Plan`].
    pub updated_at: u64,
}

/// The newest version of a plan and its status.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Head {
    /// The bytes of all versions together, which count for the plan.
    pub(crate) byte_length: u64,
    pub(crate) created_at: u64,
    /// Epoch microseconds: the plan's position in lists.
    pub(crate) created_micros: u64,
    /// The hash of its tools' definitions at the approval.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) definition: Option<String>,
    pub(crate) goal: String,
    pub(crate) hash: String,
    pub(crate) plan_id: String,
    pub(crate) status: PlanStatus,
    #[serde(rename = "type")]
    pub(crate) type_name: String,
    pub(crate) updated_at: u64,
    pub(crate) version: u64,
}

impl Head {
    pub(crate) fn summary(self) -> PlanSummary {
        let Self { plan_id, type_name, version, hash, status, goal, created_at, updated_at, .. } = self;
        PlanSummary { plan_id, type_name, version, hash, status, goal, created_at, updated_at }
    }

    pub(crate) fn write(&self) -> Vec<u8> {
        json::to_text(self).into_bytes()
    }

    pub(crate) fn read(body: &[u8]) -> Result<Self> {
        json::from_slice(body, &STORED).map_err(|_| damaged())
    }
}

/// The last state of the previous version.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Previous {
    pub(crate) hash: String,
    pub(crate) status: PlanStatus,
    pub(crate) updated_at: u64,
}

/// One version as it is stored.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Entry {
    pub(crate) content: Content,
    pub(crate) previous: Option<Previous>,
    pub(crate) saved_at: u64,
}

impl Entry {
    pub(crate) fn write(&self) -> Vec<u8> {
        json::to_text(self).into_bytes()
    }

    pub(crate) fn read(body: &[u8]) -> Result<Self> {
        json::from_slice(body, &STORED).map_err(|_| damaged())
    }
}

/// Returns the error for a damaged plan.
pub(crate) fn damaged() -> Error {
    Error::StoreCorrupt(
        "The versions of this plan do not match: one was altered, removed or rolled back. Nothing was guessed. Restore the store from a backup."
            .to_owned(),
    )
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests may panic")]

    use super::{Entry, Head};
    use crate::golden::bodies;

    #[test]
    fn golden_records_are_written_as_they_were() {
        let heads = bodies(include_str!("../../tests/golden/plans-record.jsonl"));
        let versions = bodies(include_str!("../../tests/golden/plans-entry.jsonl"));
        assert!(!heads.is_empty() && !versions.is_empty());
        heads.iter().for_each(|body| assert_eq!(&Head::read(body).unwrap().write(), body));
        versions.iter().for_each(|body| assert_eq!(&Entry::read(body).unwrap().write(), body));
    }
}
