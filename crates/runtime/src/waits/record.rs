//! A wait, and its record in the store: JSON { wait, micros, retainMs?, outcome?, outcomeHash?, settledAt? }. `micros` is its place
//! in lists. `outcome` is there from its end until its run has taken it, its hash for as long as the record is kept, and `settledAt`
//! from then on.

use bailiwick_model::json::{self, Json};
use bailiwick_model::ledger::Hash;
use bailiwick_model::pace::ahead_of;
use bailiwick_model::{Error, Kind, Result};
use bailiwick_tenancy::{Access, Area, Change, List, Name, Version, When};
use serde::{Deserialize, Deserializer, Serialize};
use sha2::{Digest, Sha256};

use crate::handle::expiry;
use crate::hex;

pub(crate) const KIND: Kind = Kind::Waits;
pub(super) const PREFIX: &str = "wait_";
/// The longest wait, in milliseconds: the rows of an unfinished run live 30 days longer than the retention says.
pub(crate) const LONGEST_MS: u64 = 29 * 24 * 60 * 60 * 1000;
/// The limits of stored JSON: a value is nested deeper than it was given, by the record around it.
const STORED: json::Limits = json::Limits { bytes: usize::MAX, depth: json::MAX_DEPTH, elements: usize::MAX };
/// How many records are read at once.
const READ_AT_ONCE: usize = 32;

/// What a call waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum WaitKind {
    /// A person's answer.
    Answer,
    /// Something outside.
    Event,
    /// A moment.
    Time,
}

impl WaitKind {
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Answer => "answer",
            Self::Event => "event",
            Self::Time => "time",
        }
    }

    /// The kind of that name.
    pub(super) fn from_name(name: &str) -> Option<Self> {
        [Self::Answer, Self::Event, Self::Time].into_iter().find(|kind| kind.name() == name)
    }
}

/// The status of a wait.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum WaitStatus {
    Open,
    /// An answer or an event came, or its time did.
    Settled,
    /// Nobody settled it in time.
    Expired,
    /// It was cancelled, or its run has ended.
    Cancelled,
}

/// An error that a wait was settled with.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct GivenError {
    pub(crate) code: String,
    pub(crate) message: String,
}

/// What a wait was settled with: `value` or `error`; of one that ended otherwise, neither.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Outcome {
    #[serde(default, deserialize_with = "present", skip_serializing_if = "Option::is_none")]
    pub(crate) value: Option<Json>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) error: Option<GivenError>,
    /// Who settled it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) actor: Option<String>,
    /// When it ended, in epoch milliseconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) settled_at: Option<u64>,
}

impl Outcome {
    /// The hash of what it was settled with and by whom, to recognise the same again.
    pub(super) fn hash(&self) -> Hash {
        let same = Self { settled_at: None, ..self.clone() };
        let text = json::to_text(&same);
        let canonical = json::parse(text.as_bytes(), &STORED).map(|json| json::canonical(&json));
        Sha256::digest(canonical.unwrap_or_else(|_| text.into_bytes())).into()
    }

    /// About how many bytes it is written with.
    pub(crate) fn weight(&self) -> u64 {
        self.value.as_ref().map_or(0, Json::weight)
    }
}

/// A value that is there, be it null.
fn present<'de, D: Deserializer<'de>>(deserializer: D) -> std::result::Result<Option<Json>, D::Error> {
    Json::deserialize(deserializer).map(Some)
}

/// A call that waits.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Wait {
    /// `wait_` and 32 characters.
    pub(crate) wait_id: String,
    pub(crate) kind: WaitKind,
    pub(crate) run_id: String,
    pub(crate) thread_id: String,
    pub(crate) call_id: String,
    pub(crate) tool: String,
    /// Of an answer: what a person is asked.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) question: Option<String>,
    /// The JSON Schema of what it is settled with.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) schema: Option<Json>,
    /// The answers to choose from.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) choices: Option<Vec<String>>,
    /// Of an event: its name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) name: Option<String>,
    /// Who is asked, as the host names them.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) to: Option<String>,
    pub(crate) status: WaitStatus,
    /// In epoch milliseconds, as are the others.
    pub(crate) created_at: u64,
    /// From when on it cannot be settled.
    pub(crate) expires_at: u64,
    /// Of a time: when it comes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) due_at: Option<u64>,
}

impl Wait {
    /// When it ends by itself, in epoch milliseconds.
    pub(crate) fn until(&self) -> u64 {
        self.due_at.unwrap_or(self.expires_at)
    }

    /// The status at a time: one that nobody settled ends by itself.
    pub(crate) fn status_at(&self, now: u64) -> WaitStatus {
        match (self.status, self.kind) {
            (WaitStatus::Open, WaitKind::Time) if now >= self.until() => WaitStatus::Settled,
            (WaitStatus::Open, _) if now >= self.until() => WaitStatus::Expired,
            (status, _) => status,
        }
    }

    /// The same without what is asked and how it may be answered.
    pub(crate) fn without_question(&self) -> Self {
        Self { question: None, schema: None, choices: None, ..self.clone() }
    }

    /// About how many bytes it is written with.
    pub(crate) fn weight(&self) -> u64 {
        let texts = self.question.iter().chain(self.choices.iter().flatten()).map(|text| text.len() as u64);
        self.schema.as_ref().map_or(0, Json::weight) + texts.sum::<u64>()
    }
}

/// A wait as the API shows it, with what it was settled with as long as its run has not taken that.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct WaitRecord {
    #[serde(flatten)]
    pub(crate) wait: Wait,
    #[serde(flatten)]
    pub(crate) outcome: Outcome,
}

/// The record.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Stored {
    pub(crate) wait: Wait,
    micros: u64,
    /// How long it is kept after its end, in milliseconds; `None`: until the tenant is erased.
    #[serde(skip_serializing_if = "Option::is_none")]
    retain_ms: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) outcome: Option<Outcome>,
    #[serde(default, with = "hex::optional", skip_serializing_if = "Option::is_none")]
    pub(super) outcome_hash: Option<Hash>,
    /// When it ended, of one whose outcome its run has taken.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) settled_at: Option<u64>,
}

/// A record as it was read.
#[derive(Debug, Clone)]
pub(crate) struct Found {
    pub(crate) stored: Stored,
    version: Version,
}

fn wait_name(access: &Access, wait_id: &str) -> Name {
    access.name(KIND, wait_id.as_bytes())
}

/// The list of waits that share a filter's value.
pub(super) fn filtered(filter: &'static str, value: &str) -> List {
    List { kind: KIND, filter, value: value.to_owned() }
}

impl Stored {
    /// A new wait.
    pub(super) fn new(access: &Access, wait: Wait, retain_ms: Option<u64>) -> Self {
        Self { wait, micros: access.next_micros(), retain_ms, outcome: None, outcome_hash: None, settled_at: None }
    }

    pub(super) fn read(body: &[u8]) -> Result<Self> {
        json::from_slice(body, &STORED).map_err(|_| Error::damaged("The record of a wait"))
    }

    pub(super) const fn micros(&self) -> u64 {
        self.micros
    }

    /// The wait as it is shown at a time.
    pub(crate) fn shown(&self, now: u64) -> WaitRecord {
        let wait = Wait { status: self.wait.status_at(now), ..self.wait.clone() };
        WaitRecord { wait, outcome: self.outcome.clone().unwrap_or_default() }
    }

    /// The changes that write it for the first time. `run_until`: when the rows of its run expire.
    pub(super) fn created(&self, access: &Access, run_until: Option<u64>) -> Vec<Change> {
        let mut changes = vec![self.written(access, When::Absent, run_until, true)];
        changes.extend(self.listed(access, run_until));
        changes
    }

    fn written(&self, access: &Access, when: When, expires_at: Option<u64>, is_counted: bool) -> Change {
        let (name, body) = (wait_name(access, &self.wait.wait_id), json::to_text(self).into_bytes());
        let counted = is_counted.then_some(body.len() as u64);
        Change::Write { kind: KIND, area: Area::Record, name, body, expires_at, counted, when }
    }

    fn listed(&self, access: &Access, expires_at: Option<u64>) -> Vec<Change> {
        let (name, micros) = (wait_name(access, &self.wait.wait_id), self.micros);
        let lists = [List::all(KIND), filtered("run", &self.wait.run_id), filtered("kind", self.wait.kind.name())];
        lists.into_iter().map(|list| Change::List { list, micros, name, expires_at }).collect()
    }
}

impl Found {
    /// The change that ends it with an outcome, which its run has still to take: so it lives as long as the rows of the run.
    pub(crate) fn ended(
        mut self,
        access: &Access,
        status: WaitStatus,
        outcome: Outcome,
        run_until: Option<u64>,
    ) -> (Stored, Change) {
        self.stored.wait.status = status;
        self.stored.outcome_hash = (status == WaitStatus::Settled).then(|| outcome.hash());
        self.stored.outcome = Some(outcome);
        let change = self.stored.written(access, When::Version(self.version), run_until, true);
        (self.stored, change)
    }

    /// The changes with which its run takes it, or ends it without having waited for it: from then on it is kept as long as the
    /// retention says, and does not count.
    ///
    /// # Errors
    /// `InvalidInput` if the retention is out of range, which the spec excludes.
    pub(crate) fn closed(mut self, access: &Access, status: WaitStatus) -> Result<Vec<Change>> {
        let expires_at = expiry(access.now(), self.stored.retain_ms)?;
        self.stored.wait.status = status;
        if let Some(outcome) = self.stored.outcome.take() {
            self.stored.settled_at = outcome.settled_at;
        }
        let mut changes = vec![self.stored.written(access, When::Version(self.version), expires_at, false)];
        changes.extend(self.stored.listed(access, expires_at));
        Ok(changes)
    }

    /// The condition that it is as it was read.
    pub(crate) fn unchanged(&self, access: &Access) -> Change {
        let (name, when) = (wait_name(access, &self.stored.wait.wait_id), When::Version(self.version));
        Change::Check { kind: KIND, area: Area::Record, name, when }
    }
}

/// Reads waits, past the cache of opened records. `None` for one that is absent, expired or foreign.
pub(crate) async fn find(access: &Access, wait_ids: &[&str]) -> Result<Vec<Option<Found>>> {
    let mut all = Vec::with_capacity(wait_ids.len());
    for ids in wait_ids.chunks(READ_AT_ONCE) {
        let rows: Vec<_> = ids.iter().map(|wait_id| (Area::Record, wait_name(access, wait_id))).collect();
        for (record, wait_id) in access.read_current(KIND, &rows).await?.into_iter().zip(ids) {
            let Some(record) = record else {
                all.push(None);
                continue;
            };
            ahead_of(record.body.len()).await;
            let stored = Stored::read(&record.body)?;
            all.push((stored.wait.wait_id == **wait_id).then_some(Found { stored, version: record.version }));
        }
    }
    Ok(all)
}
