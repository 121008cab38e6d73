//! A run's record: what lists show of it, and where its journal ended when the record was written.
//!
//! JSON { runId, threadId, status, agent, actor?, startedAt, updatedAt, usage, createdMicros, next, hash, counted, waiting?, continuedBy? }

use bailiwick_model::json;
use bailiwick_model::{Error, Kind, Result};
use bailiwick_tenancy::{Access, Change, List, Name};
use data_encoding::HEXLOWER;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::block::BlockHash;
use crate::runs::events::{Usage, damaged};

pub(crate) const KIND: Kind = Kind::Runs;

/// The status of a run, as its record has it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum RunStatus {
    /// Begins once its thread is free, or its time has come.
    Queued,
    /// A process works at it; or, if none does, it is interrupted.
    Running,
    /// Waits for decisions about approvals.
    Suspended,
    /// Done.
    Completed,
    /// Ended by one of its limits.
    Limited,
    /// Ended because something went wrong.
    Failed,
    /// Cancelled.
    Cancelled,
    /// Handed to the run that had its thread.
    Steered,
}

impl RunStatus {
    const ALL: [Self; 8] = [
        Self::Queued,
        Self::Running,
        Self::Suspended,
        Self::Completed,
        Self::Limited,
        Self::Failed,
        Self::Cancelled,
        Self::Steered,
    ];

    /// The word in the API.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Queued => "queued",
            Self::Running => "running",
            Self::Suspended => "suspended",
            Self::Completed => "completed",
            Self::Limited => "limited",
            Self::Failed => "failed",
            Self::Cancelled => "cancelled",
            Self::Steered => "steered",
        }
    }

    /// The status of that word.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|status| status.name() == name)
    }

    /// Whether the run is over.
    pub const fn is_end(self) -> bool {
        !matches!(self, Self::Queued | Self::Running | Self::Suspended)
    }
}

/// See the module's text.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct RunHead {
    pub(crate) run_id: String,
    pub(crate) thread_id: String,
    pub(crate) status: RunStatus,
    pub(crate) agent: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) actor: Option<String>,
    pub(crate) started_at: u64,
    pub(crate) updated_at: u64,
    pub(crate) usage: Usage,
    pub(crate) created_micros: u64,
    /// Where the journal ended when this was written.
    pub(crate) next: u64,
    #[serde(serialize_with = "write_hash", deserialize_with = "read_hash")]
    pub(crate) hash: BlockHash,
    /// The tokens that the tenant's sum has already.
    pub(crate) counted: Usage,
    /// Whether it is completed and calls of it still wait, with which no other run goes on yet.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(crate) waiting: bool,
    /// The run that goes on with the calls that it has left.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) continued_by: Option<String>,
}

fn write_hash<S: Serializer>(hash: &BlockHash, serializer: S) -> std::result::Result<S::Ok, S::Error> {
    serializer.serialize_str(&HEXLOWER.encode(hash))
}

fn read_hash<'de, D: Deserializer<'de>>(deserializer: D) -> std::result::Result<BlockHash, D::Error> {
    let text = String::deserialize(deserializer)?;
    let hash = HEXLOWER.decode(text.as_bytes()).ok().and_then(|hash| hash.try_into().ok());
    hash.ok_or_else(|| serde::de::Error::custom("a hash has 64 hexadecimal digits"))
}

/// A `RunSummary`, as lists show it.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Summary<'a> {
    run_id: &'a str,
    thread_id: &'a str,
    status: &'static str,
    agent: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    actor: Option<&'a str>,
    started_at: u64,
    updated_at: u64,
    usage: &'a Usage,
    /// Of a suspended run: the sequence of the event at which it was.
    #[serde(skip_serializing_if = "Option::is_none")]
    rests_at: Option<u64>,
}

impl RunHead {
    /// The bytes of the record.
    pub(crate) fn write(&self) -> Vec<u8> {
        json::to_text(self).into_bytes()
    }

    pub(crate) fn read(body: &[u8]) -> Result<Self> {
        json::from_slice(body, &json::Limits::default()).map_err(|_| damaged())
    }

    /// The `RunSummary` as JSON text.
    pub(crate) fn summary(&self, is_live: bool) -> String {
        self.summary_at(is_live, None)
    }

    /// The same with `restsAt`, if the run is suspended.
    pub(crate) fn summary_with_rest(&self, is_live: bool) -> String {
        let rests_at = (self.status == RunStatus::Suspended).then(|| self.next.saturating_sub(1));
        self.summary_at(is_live, rests_at)
    }

    fn summary_at(&self, is_live: bool, rests_at: Option<u64>) -> String {
        json::to_text(&Summary {
            run_id: &self.run_id,
            thread_id: &self.thread_id,
            status: self.shown(is_live),
            agent: &self.agent,
            actor: self.actor.as_deref(),
            started_at: self.started_at,
            updated_at: self.updated_at,
            usage: &self.usage,
            rests_at,
        })
    }

    /// The word for its status: one that no process works at is interrupted.
    pub(crate) fn shown(&self, is_live: bool) -> &'static str {
        if self.status == RunStatus::Running && !is_live { "interrupted" } else { self.status.name() }
    }

    /// Whether it is completed and has left calls that still wait, or did when it was.
    pub(crate) fn has_left_calls(&self) -> bool {
        self.waiting || self.continued_by.is_some()
    }

    /// The list of the runs of a thread whose calls wait and with which no other run goes on.
    pub(crate) fn leaving(thread_id: &str) -> List {
        filtered("leaving", thread_id)
    }

    /// The lists that it is on, but for that of its status.
    fn lists(&self) -> Vec<List> {
        let mut lists = vec![List::all(KIND), filtered("thread", &self.thread_id)];
        lists.extend(self.actor.as_deref().map(|actor| filtered("actor", actor)));
        lists.extend(self.waiting.then(|| Self::leaving(&self.thread_id)));
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

/// The list of runs that share a filter's value.
pub(crate) fn filtered(filter: &'static str, value: &str) -> List {
    List { kind: KIND, filter, value: value.to_owned() }
}

/// The name of a run's record and journal.
pub(crate) fn run_name(access: &Access, run_id: &str) -> Name {
    access.name(KIND, run_id.as_bytes())
}

/// `run_` and 32 characters of `a–z2–7`.
pub(crate) fn is_run_id(text: &str) -> bool {
    bailiwick_model::base32::parse_prefixed_id("run_", text).is_some()
}

/// The error for a thread that another run, of this status, writes or waits for.
pub(crate) fn busy(run_id: &str, status: &'static str) -> Error {
    if status == RunStatus::Queued.name() {
        let message = format!(
            "The run {run_id}, which is queued, is the next to write this thread. Wait for it or cancel it, come after it with \
             whenBusy: 'queue', or use another thread."
        );
        return Error::run_busy(message, run_id, status);
    }
    let message = format!(
        "The run {run_id}, which is {status}, is writing this thread. Wait for it, resume it or cancel it, or use another \
         thread."
    );
    Error::run_busy(message, run_id, status)
}
