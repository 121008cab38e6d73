//! The bytes of a plan's records, all of them JSON in RFC 8785 form.
//!
//! ```text
//! head     { planId, type, version, hash, status, goal, createdAt, updatedAt, createdMicros, byteLength, definition? }
//! version  { content: { type, goal, steps, details? }, savedAt, previous: { hash, status, updatedAt } | null }
//! ```
//! The head is the plan's newest version and its status; `definition` is the hash of its tools' definitions that the
//! approval was given for. A version is written once; it names the one before it by hash,
//! with what became of that one, so that a history that was altered or put back to an older state is found.

use bailiwick_model::json::{self, Json};
use bailiwick_model::{Error, Result};

use super::content::Content;

/// What is stored is nested deeper than what was given.
const STORED: json::Limits = json::Limits { bytes: usize::MAX, depth: json::MAX_DEPTH, elements: usize::MAX };

/// How far a plan has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PlanStatus {
    /// Saved, and nobody has decided.
    Draft,
    /// Somebody approved it.
    Approved,
    /// Somebody rejected it.
    Rejected,
    /// An executor is at work.
    Executing,
    /// All steps are done.
    Completed,
    /// A step failed for good.
    Failed,
}

impl PlanStatus {
    /// Every status.
    pub const ALL: [Self; 6] =
        [Self::Draft, Self::Approved, Self::Rejected, Self::Executing, Self::Completed, Self::Failed];

    /// The word in the API.
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

    fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|status| status.name() == name)
    }

    /// Whether a plan of this status may get that one. An approval may come again after a rejection; what runs or has
    /// run is not approved again: that takes a new version.
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

/// One version of a plan, with what is known of the plan.
#[derive(Debug, Clone, PartialEq)]
pub struct Plan {
    /// The caller's own id, or `plan_` and 32 characters.
    pub plan_id: String,
    /// The name of its type, registered or not.
    pub type_name: String,
    /// From 1.
    pub version: u64,
    /// SHA-256 over the RFC 8785 JSON of `{ details?, goal, planId, steps, type, version }`: 64 hex digits.
    pub hash: String,
    /// The status; of an older version, the one it had when the next was saved.
    pub status: PlanStatus,
    /// What is to be reached.
    pub goal: String,
    /// An array of `{ id, tool, input, dependsOn?, note? }`.
    pub steps: Json,
    /// What the plan type asks for.
    pub details: Option<Json>,
    /// When the first version was saved, in epoch milliseconds.
    pub created_at: u64,
    /// When this version was saved or its status changed last, in epoch milliseconds.
    pub updated_at: u64,
    /// The hash of its tools' definitions that it was approved with; of the newest version alone.
    pub(crate) definition: Option<String>,
}

impl Plan {
    /// The plan as the API shows it.
    pub fn to_json(&self) -> Json {
        let mut members = vec![
            member("planId", text(&self.plan_id)),
            member("type", text(&self.type_name)),
            member("version", number(self.version)),
            member("hash", text(&self.hash)),
            member("status", text(self.status.name())),
            member("goal", text(&self.goal)),
            member("steps", self.steps.clone()),
        ];
        members.extend(self.details.clone().map(|details| member("details", details)));
        members.push(member("createdAt", number(self.created_at)));
        members.push(member("updatedAt", number(self.updated_at)));
        Json::Object(members)
    }
}

/// The newest version of a plan and its status.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Head {
    pub(crate) plan_id: String,
    pub(crate) type_name: String,
    pub(crate) version: u64,
    pub(crate) hash: String,
    pub(crate) status: PlanStatus,
    pub(crate) goal: String,
    pub(crate) updated_at: u64,
    /// Epoch microseconds: the plan's place in lists.
    pub(crate) created_micros: u64,
    /// The bytes of all versions together, which are what the plan counts with.
    pub(crate) byte_length: u64,
    /// The hash of its tools' definitions that it was approved with.
    pub(crate) definition: Option<String>,
}

impl Head {
    pub(crate) fn created_at(&self) -> u64 {
        self.created_micros / 1000
    }

    fn members(&self) -> Vec<(String, Json)> {
        vec![
            member("planId", text(&self.plan_id)),
            member("type", text(&self.type_name)),
            member("version", number(self.version)),
            member("hash", text(&self.hash)),
            member("status", text(self.status.name())),
            member("goal", text(&self.goal)),
            member("createdAt", number(self.created_at())),
            member("updatedAt", number(self.updated_at)),
        ]
    }

    /// The plan as lists show it.
    pub(crate) fn summary(&self) -> String {
        json::write(&Json::Object(self.members()))
    }

    pub(crate) fn write(&self) -> Vec<u8> {
        let mut members = self.members();
        members.push(member("createdMicros", number(self.created_micros)));
        members.push(member("byteLength", number(self.byte_length)));
        members.extend(self.definition.as_deref().map(|hash| member("definition", text(hash))));
        json::canonical(&Json::Object(members))
    }

    pub(crate) fn read(body: &[u8]) -> Result<Self> {
        let stored = json::parse(body, &STORED).map_err(|_| damaged())?;
        Self::from_json(&stored).ok_or_else(damaged)
    }

    fn from_json(stored: &Json) -> Option<Self> {
        Some(Self {
            plan_id: read_text(stored, "planId")?,
            type_name: read_text(stored, "type")?,
            version: read_number(stored, "version")?,
            hash: read_text(stored, "hash")?,
            status: PlanStatus::from_name(stored.get("status")?.as_str()?)?,
            goal: read_text(stored, "goal")?,
            updated_at: read_number(stored, "updatedAt")?,
            created_micros: read_number(stored, "createdMicros")?,
            byte_length: read_number(stored, "byteLength")?,
            definition: read_text(stored, "definition"),
        })
    }
}

/// What a version says about the one before it.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Previous {
    pub(crate) hash: String,
    pub(crate) status: PlanStatus,
    pub(crate) updated_at: u64,
}

/// One version as it is stored.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Entry {
    pub(crate) content: Content,
    pub(crate) saved_at: u64,
    pub(crate) previous: Option<Previous>,
}

impl Entry {
    pub(crate) fn write(&self) -> Vec<u8> {
        let previous = self.previous.as_ref().map_or(Json::Null, |previous| {
            Json::Object(vec![
                member("hash", text(&previous.hash)),
                member("status", text(previous.status.name())),
                member("updatedAt", number(previous.updated_at)),
            ])
        });
        let saved_at = number(self.saved_at);
        json::canonical(&Json::Object(vec![
            member("content", self.content.to_json()),
            member("savedAt", saved_at),
            member("previous", previous),
        ]))
    }

    pub(crate) fn read(body: &[u8]) -> Result<Self> {
        let stored = json::parse(body, &STORED).map_err(|_| damaged())?;
        Self::from_json(&stored).ok_or_else(damaged)
    }

    fn from_json(stored: &Json) -> Option<Self> {
        let content = stored.get("content")?;
        let previous = match stored.get("previous")? {
            Json::Null => None,
            previous => Some(Previous {
                hash: read_text(previous, "hash")?,
                status: PlanStatus::from_name(previous.get("status")?.as_str()?)?,
                updated_at: read_number(previous, "updatedAt")?,
            }),
        };
        Some(Self {
            content: Content {
                type_name: read_text(content, "type")?,
                goal: read_text(content, "goal")?,
                steps: content.get("steps")?.clone(),
                details: content.get("details").cloned(),
            },
            saved_at: read_number(stored, "savedAt")?,
            previous,
        })
    }
}

/// What every damage of a plan is to a caller.
pub(crate) fn damaged() -> Error {
    Error::StoreCorrupt(
        "The versions of this plan do not fit together: one was altered, removed or put back to an older state. Nothing was guessed. Restore the store from a backup."
            .to_owned(),
    )
}

fn member(key: &str, value: Json) -> (String, Json) {
    (key.to_owned(), value)
}

fn text(value: &str) -> Json {
    Json::from(value)
}

fn number(value: u64) -> Json {
    Json::Number(value as f64)
}

fn read_text(stored: &Json, key: &str) -> Option<String> {
    stored.get(key)?.as_str().map(str::to_owned)
}

fn read_number(stored: &Json, key: &str) -> Option<u64> {
    stored.get(key)?.as_whole()
}
