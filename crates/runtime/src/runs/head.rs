//! The record of a run: what lists show of it, and where its journal ends. It changes when the run begins, is suspended
//! and ends; a step leaves it alone.
//!
//! JSON { runId, threadId, status, agent, actor?, startedAt, updatedAt, usage, createdMicros, next, hash, counted }

use bailiwick_model::json::{self, Json};
use bailiwick_model::{Error, Kind, Result};
use bailiwick_tenancy::{Access, Change, List, Name};
use data_encoding::HEXLOWER;

use super::entry::{BlockHash, damaged, member, number, whole};
use super::usage::Usage;

pub(crate) const KIND: Kind = Kind::Runs;

/// How a run stands, as its record says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RunStatus {
    /// At work; or, if no process is at work at it, interrupted.
    Running,
    /// Waits for decisions about approvals.
    Suspended,
    /// Done.
    Completed,
    /// Ended by one of its limits.
    Limited,
    /// Ended because something went wrong.
    Failed,
    /// Ended because somebody wanted it to.
    Cancelled,
}

impl RunStatus {
    const ALL: [Self; 6] =
        [Self::Running, Self::Suspended, Self::Completed, Self::Limited, Self::Failed, Self::Cancelled];

    /// The word in the API.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Running => "running",
            Self::Suspended => "suspended",
            Self::Completed => "completed",
            Self::Limited => "limited",
            Self::Failed => "failed",
            Self::Cancelled => "cancelled",
        }
    }

    /// The status of that word.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|status| status.name() == name)
    }

    /// Whether the run is over.
    pub const fn is_end(self) -> bool {
        !matches!(self, Self::Running | Self::Suspended)
    }
}

/// See the module's text.
#[derive(Debug, Clone)]
pub(crate) struct RunHead {
    pub(crate) run_id: String,
    pub(crate) thread_id: String,
    pub(crate) status: RunStatus,
    pub(crate) agent: String,
    pub(crate) actor: Option<String>,
    pub(crate) started_at: u64,
    pub(crate) updated_at: u64,
    pub(crate) usage: Usage,
    pub(crate) created_micros: u64,
    /// Where the journal ended when this was written.
    pub(crate) next: u64,
    pub(crate) hash: BlockHash,
    /// The tokens that the tenant's sum has already.
    pub(crate) counted: Usage,
}

impl RunHead {
    pub(crate) fn write(&self) -> Vec<u8> {
        let mut members = self.members(self.status.name());
        members.push(member("createdMicros", number(self.created_micros)));
        members.push(member("next", number(self.next)));
        members.push(member("hash", Json::String(HEXLOWER.encode(&self.hash))));
        members.push(member("counted", self.counted.to_json()));
        json::write(&Json::Object(members)).into_bytes()
    }

    /// # Errors
    /// `StoreCorrupt`.
    pub(crate) fn read(body: &[u8]) -> Result<Self> {
        Self::parse(body).ok_or_else(damaged)
    }

    fn parse(body: &[u8]) -> Option<Self> {
        let stored = json::parse(body, &json::Limits::default()).ok()?;
        let text = |key: &str| stored.get(key)?.as_str().map(str::to_owned);
        let count = |key: &str| stored.get(key).and_then(whole);
        Some(Self {
            run_id: text("runId")?,
            thread_id: text("threadId")?,
            status: RunStatus::from_name(&text("status")?)?,
            agent: text("agent")?,
            actor: text("actor"),
            started_at: count("startedAt")?,
            updated_at: count("updatedAt")?,
            usage: Usage::read(stored.get("usage")?)?,
            created_micros: count("createdMicros")?,
            next: count("next")?,
            hash: HEXLOWER.decode(text("hash")?.as_bytes()).ok()?.try_into().ok()?,
            counted: Usage::read(stored.get("counted")?)?,
        })
    }

    /// The `RunSummary`: a run that nobody is at work at is interrupted.
    pub(crate) fn summary(&self, is_live: bool) -> String {
        json::write(&Json::Object(self.members(self.shown(is_live))))
    }

    /// The same with `restsAt`, if the run is suspended: the sequence of the event at which it was.
    pub(crate) fn summary_with_rest(&self, is_live: bool) -> String {
        let mut members = self.members(self.shown(is_live));
        if self.status == RunStatus::Suspended {
            members.push(member("restsAt", number(self.next.saturating_sub(1))));
        }
        json::write(&Json::Object(members))
    }

    /// The word for how it stands.
    pub(crate) fn shown(&self, is_live: bool) -> &'static str {
        if self.status == RunStatus::Running && !is_live { "interrupted" } else { self.status.name() }
    }

    fn members(&self, status: &str) -> Vec<(String, Json)> {
        let mut members = vec![
            member("runId", Json::from(self.run_id.as_str())),
            member("threadId", Json::from(self.thread_id.as_str())),
            member("status", Json::from(status)),
            member("agent", Json::from(self.agent.as_str())),
        ];
        members.extend(self.actor.as_deref().map(|actor| member("actor", Json::from(actor))));
        members.push(member("startedAt", number(self.started_at)));
        members.push(member("updatedAt", number(self.updated_at)));
        members.push(member("usage", self.usage.to_json()));
        members
    }

    /// The lists that it is on, but for that of its status.
    fn lists(&self) -> Vec<List> {
        let mut lists = vec![List::all(KIND), filtered("thread", &self.thread_id)];
        lists.extend(self.actor.as_deref().map(|actor| filtered("actor", actor)));
        lists
    }

    /// The changes that put it on its lists. `before`: the status whose list it leaves.
    pub(crate) fn listed(&self, name: Name, before: Option<RunStatus>, expires_at: Option<u64>) -> Vec<Change> {
        let micros = self.created_micros;
        let mut changes: Vec<Change> = Vec::new();
        if let Some(before) = before.filter(|before| *before != self.status) {
            changes.push(Change::Unlist { list: filtered("status", before.name()), micros, name });
        }
        let lists = self.lists().into_iter().chain([filtered("status", self.status.name())]);
        changes.extend(lists.map(|list| Change::List { list, micros, name, expires_at }));
        changes
    }
}

/// The runs that share a filter's value.
pub(crate) fn filtered(filter: &'static str, value: &str) -> List {
    List { kind: KIND, filter, value: value.to_owned() }
}

/// The name of a run's record and journal.
pub(crate) fn run_name(access: &Access, run_id: &str) -> Name {
    access.name(KIND, run_id.as_bytes())
}

/// The name of the record that says which run writes a thread. A run's id has another first byte.
pub(crate) fn owner_name(access: &Access, thread_id: &str) -> Name {
    access.name(KIND, &[b"owner/", thread_id.as_bytes()].concat())
}

/// The name of the record with the sum of a tenant's tokens.
pub(crate) fn tokens_name(access: &Access) -> Name {
    access.name(KIND, b"tokens")
}

/// `run_` and 32 characters of `a–z2–7`.
pub(crate) fn is_run_id(text: &str) -> bool {
    bailiwick_model::base32::parse_prefixed_id("run_", text).is_some()
}

/// What is said when a thread is written by another run, which stands like that.
pub(crate) fn busy(run_id: &str, status: &'static str) -> Error {
    let message = format!(
        "The run {run_id}, which is {status}, is writing this thread. Wait for it, resume it or cancel it, or use another \
         thread."
    );
    Error::run_busy(message, run_id, status)
}
