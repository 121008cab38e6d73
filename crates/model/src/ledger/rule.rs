//! The rule under which an approval is decided, and the people who have approved so far. Also how members of records are read.

use crate::json::Json;

/// Who may decide an approval, and how many must approve. It is fixed when the approval is requested.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ApprovalRule {
    /// The actors who may decide; `None`: every actor.
    pub to: Option<Vec<String>>,
    /// How many different actors must approve; one rejection rejects.
    pub quorum: u64,
    /// The actors who asked, of a rule with `notBy: 'requester'`: they may not decide. `None`: they may.
    pub requesters: Option<Vec<String>>,
}

impl ApprovalRule {
    /// Whether this actor may decide. Names are compared byte by byte.
    pub fn admits(&self, actor: &str) -> bool {
        let has = |names: &Vec<String>| names.iter().any(|name| name == actor);
        self.to.as_ref().is_none_or(has) && !self.requesters.as_ref().is_some_and(has)
    }

    /// Whether enough actors may decide for the rule to be met.
    pub fn can_be_met(&self) -> bool {
        let Some(to) = &self.to else { return true };
        to.iter().filter(|actor| self.admits(actor)).count() as u64 >= self.quorum
    }

    /// Returns `{ to?, quorum, notBy?, requesters? }`.
    pub fn to_json(&self) -> Json {
        let list = |names: &Vec<String>| Json::Array(names.iter().map(|name| text(name)).collect());
        let mut members = Vec::with_capacity(4);
        members.extend(self.to.as_ref().map(|to| ("to".to_owned(), list(to))));
        members.push(("quorum".to_owned(), number(self.quorum)));
        if let Some(requesters) = &self.requesters {
            members.push(("notBy".to_owned(), text(REQUESTER)));
            members.push(("requesters".to_owned(), list(requesters)));
        }
        Json::Object(members)
    }

    /// Reads a rule. `None` if a key is missing, unknown or of another type.
    pub fn from_json(value: &Json) -> Option<Self> {
        const KEYS: [&str; 4] = ["to", "quorum", "notBy", "requesters"];
        only(value, &KEYS)?;
        let requesters = read_names(value.get("requesters"))?;
        match (value.get("notBy"), &requesters) {
            (None, None) => {}
            (Some(Json::String(word)), Some(_)) if word == REQUESTER => {}
            _ => return None,
        }
        Some(Self { to: read_names(value.get("to"))?, quorum: value.get("quorum")?.as_whole()?, requesters })
    }
}

/// The one word that `notBy` may be.
const REQUESTER: &str = "requester";

/// One approval of several that a rule asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ApprovedBy {
    /// The actor, as the host named them.
    pub actor: String,
    /// The actor's reason.
    pub reason: Option<String>,
    /// The time, in epoch milliseconds. At most [`MAX_SIZE`](super::tree::MAX_SIZE).
    pub at: u64,
}

impl ApprovedBy {
    /// Returns `{ actor, reason?, at }`.
    pub fn to_json(&self) -> Json {
        let mut members = vec![("actor".to_owned(), text(&self.actor))];
        members.extend(self.reason.as_deref().map(|reason| ("reason".to_owned(), text(reason))));
        members.push(("at".to_owned(), number(self.at)));
        Json::Object(members)
    }

    /// Reads one. `None` if a key is missing, unknown or of another type.
    pub fn from_json(value: &Json) -> Option<Self> {
        const KEYS: [&str; 3] = ["actor", "reason", "at"];
        only(value, &KEYS)?;
        Some(Self {
            actor: read_text(value.get("actor")?)?,
            reason: read_optional(value.get("reason"))?,
            at: value.get("at")?.as_whole()?,
        })
    }
}

/// `None` for a value that is no object or has other keys.
fn only(value: &Json, keys: &[&str]) -> Option<()> {
    value.as_object()?.iter().all(|(key, _)| keys.contains(&key.as_str())).then_some(())
}

/// `None` for a member that exists and is no list of strings.
fn read_names(value: Option<&Json>) -> Option<Option<Vec<String>>> {
    match value {
        Some(value) => Some(Some(value.as_array()?.iter().map(read_text).collect::<Option<_>>()?)),
        None => Some(None),
    }
}

/// `None` for a member that exists and is not a string.
pub(super) fn read_optional(value: Option<&Json>) -> Option<Option<String>> {
    match value {
        Some(value) => Some(Some(read_text(value)?)),
        None => Some(None),
    }
}

pub(super) fn read_text(value: &Json) -> Option<String> {
    value.as_str().map(str::to_owned)
}

pub(super) fn text(value: &str) -> Json {
    Json::from(value)
}

/// Returns a number that JSON represents exactly.
pub(super) fn number(value: u64) -> Json {
    Json::Number(value as f64)
}

macro_rules! as_json {
    ($name:ident, $wrong:literal) => {
        impl serde::Serialize for $name {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                self.to_json().serialize(serializer)
            }
        }

        impl<'de> serde::Deserialize<'de> for $name {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let value = Json::deserialize(deserializer)?;
                Self::from_json(&value).ok_or_else(|| serde::de::Error::custom($wrong))
            }
        }
    };
}

as_json!(ApprovalRule, "a rule of an approval has another form");
as_json!(ApprovedBy, "an approval of one actor has another form");
