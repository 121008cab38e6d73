//! The decision about an approval, as the ledger stores it.

use data_encoding::HEXLOWER;

use super::hash::{Hash, Opening, leaf_data, leaf_hash};
use super::rule::{ApprovalRule, ApprovedBy, number, read_optional, read_text, text};
use crate::json::{self, Json};

/// The outcome of an approval.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Decision {
    /// An actor approved it.
    Approved,
    /// An actor rejected it.
    Rejected,
    /// No actor decided in time.
    Expired,
    /// It was withdrawn: its run was cancelled, or its subject changed.
    Withdrawn,
}

impl Decision {
    /// Every decision.
    pub const ALL: [Self; 4] = [Self::Approved, Self::Rejected, Self::Expired, Self::Withdrawn];

    /// Returns the word in a record.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Approved => "approved",
            Self::Rejected => "rejected",
            Self::Expired => "expired",
            Self::Withdrawn => "withdrawn",
        }
    }

    /// Returns the decision of that word.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|decision| decision.name() == name)
    }
}

/// A record of the ledger.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ApprovalRecord {
    /// The number of its leaf, from 0. At most [`MAX_SIZE`](super::tree::MAX_SIZE).
    pub sequence: u64,
    /// The approval that was decided.
    pub approval_id: String,
    /// The outcome.
    pub decision: Decision,
    /// The actor who decided, as the host named them.
    pub actor: Option<String>,
    /// The actor's reason.
    pub reason: Option<String>,
    /// The hash of the subject.
    pub subject_hash: Hash,
    /// The hash of the subject with the edited input, with which it was approved; `None`: as it was asked.
    pub edited_hash: Option<Hash>,
    /// The rule under which it was decided, if there was one.
    pub rule: Option<ApprovalRule>,
    /// The actors who approved under the rule, in their order; empty without a rule. With a rejection, those who approved before.
    pub approved_by: Vec<ApprovedBy>,
    /// The requester.
    pub requested_by: Option<String>,
    /// The time of the request, in epoch milliseconds. At most [`MAX_SIZE`](super::tree::MAX_SIZE), as the other time.
    pub requested_at: u64,
    /// The time of the decision, in epoch milliseconds.
    pub decided_at: u64,
}

impl ApprovalRecord {
    /// Returns the record as the API shows it. Absent members have no key, but an absent `actor` is `null`.
    pub fn to_json(&self) -> Json {
        let mut members = vec![
            ("sequence".to_owned(), number(self.sequence)),
            ("approvalId".to_owned(), text(&self.approval_id)),
            ("decision".to_owned(), text(self.decision.name())),
            ("actor".to_owned(), self.actor.as_deref().map_or(Json::Null, text)),
        ];
        members.extend(self.reason.as_deref().map(|reason| ("reason".to_owned(), text(reason))));
        members.push(("subjectHash".to_owned(), Json::String(HEXLOWER.encode(&self.subject_hash))));
        members.extend(self.edited_hash.map(|hash| ("editedHash".to_owned(), Json::String(HEXLOWER.encode(&hash)))));
        members.extend(self.rule.as_ref().map(|rule| ("rule".to_owned(), rule.to_json())));
        if !self.approved_by.is_empty() {
            let approved_by = self.approved_by.iter().map(ApprovedBy::to_json).collect();
            members.push(("approvedBy".to_owned(), Json::Array(approved_by)));
        }
        members.extend(self.requested_by.as_deref().map(|who| ("requestedBy".to_owned(), text(who))));
        members.push(("requestedAt".to_owned(), number(self.requested_at)));
        members.push(("decidedAt".to_owned(), number(self.decided_at)));
        Json::Object(members)
    }

    /// Reads a record. `None` if a key is missing, unknown or of another type.
    pub fn from_json(value: &Json) -> Option<Self> {
        const KEYS: [&str; 12] = [
            "sequence",
            "approvalId",
            "decision",
            "actor",
            "reason",
            "subjectHash",
            "editedHash",
            "rule",
            "approvedBy",
            "requestedBy",
            "requestedAt",
            "decidedAt",
        ];
        if !value.as_object()?.iter().all(|(key, _)| KEYS.contains(&key.as_str())) {
            return None;
        }
        Some(Self {
            sequence: value.get("sequence")?.as_whole()?,
            approval_id: read_text(value.get("approvalId")?)?,
            decision: Decision::from_name(value.get("decision")?.as_str()?)?,
            actor: match value.get("actor")? {
                Json::Null => None,
                actor => Some(read_text(actor)?),
            },
            reason: read_optional(value.get("reason"))?,
            subject_hash: read_hash(value.get("subjectHash")?)?,
            edited_hash: match value.get("editedHash") {
                Some(hash) => Some(read_hash(hash)?),
                None => None,
            },
            rule: match value.get("rule") {
                Some(rule) => Some(ApprovalRule::from_json(rule)?),
                None => None,
            },
            approved_by: read_approved_by(value.get("approvedBy"))?,
            requested_by: read_optional(value.get("requestedBy"))?,
            requested_at: value.get("requestedAt")?.as_whole()?,
            decided_at: value.get("decidedAt")?.as_whole()?,
        })
    }

    /// Returns the RFC 8785 form, which is hashed.
    pub fn canonical(&self) -> Vec<u8> {
        json::canonical(&self.to_json())
    }

    /// Returns the hash of this record's leaf.
    pub fn leaf(&self, opening: &Opening) -> Hash {
        leaf_hash(&leaf_data(opening, &self.canonical()))
    }
}

impl serde::Serialize for ApprovalRecord {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.to_json().serialize(serializer)
    }
}

fn read_hash(value: &Json) -> Option<Hash> {
    HEXLOWER.decode(value.as_str()?.as_bytes()).ok()?.try_into().ok()
}

/// `None` for a member that exists and is no list of approvals, or an empty one.
fn read_approved_by(value: Option<&Json>) -> Option<Vec<ApprovedBy>> {
    match value {
        Some(value) => {
            let approved_by = value.as_array().filter(|approved_by| !approved_by.is_empty())?;
            approved_by.iter().map(ApprovedBy::from_json).collect()
        }
        None => Some(Vec::new()),
    }
}
