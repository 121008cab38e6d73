//! What a run's journal says: entries, each an event as consumers see it and, beside it, what only the loop needs.

mod agent;
mod context;
mod fields;
mod kinds;
mod left;
mod object;
mod parts;
mod queued;
#[cfg(test)]
mod tests;
mod usage;

use bailiwick_model::json::{self, Json};
use bailiwick_model::{Error, Result};
use serde::{Deserialize, Serialize};

pub(crate) use agent::{AgentAnswer, AgentBegun};
pub(crate) use context::{ContextFolded, KeptContext};
pub(crate) use fields::{
    ApprovalShown, BrokenOff, DecisionShown, FailureCode, FinishReason, Limit, Nothing, PlanBegun, ReferencedResult,
    ResumedKind, RunFailure, ToolFailure, ToolRetried,
};
pub(crate) use kinds::{
    ApprovalDecided, ApprovalRequested, CutOff, DecidedCall, Event, ModelAnswer, ModelCompleted, PlanSaved,
    ReferenceCreated, RequestedCall, ResumedCall, RunCompleted, RunContext, RunFailed, RunLimited, RunStarted,
    RunSuspended, ToolCalled, ToolCompleted, ToolFailed, ToolResumed, ToolWaiting, WaitSettled, WaitingTool,
    WriteIntent,
};
pub(crate) use left::{ContinuedRun, LeftApproval, LeftCall, LeftResumed, OpenWait};
use object::ObjectWriter;
pub(crate) use parts::{Part, reasoning_of, text_of};
pub use queued::WhenBusy;
pub(crate) use queued::{PromptReceived, QueuedRequest, RunQueued, RunSteered};
pub(crate) use usage::{TokenUsage, Usage};

/// The limits of stored JSON: it is nested deeper than what was given, by the objects around it.
pub(crate) const STORED: json::Limits =
    json::Limits { bytes: usize::MAX, depth: json::MAX_DEPTH, elements: usize::MAX };

/// One entry of a run's journal. Its sequence is that of its block plus its place in the block.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Entry {
    /// When it happened, in epoch milliseconds.
    pub(crate) at: u64,
    /// The agent that it is about.
    pub(crate) agent: Option<String>,
    pub(crate) event: Event,
    /// What the thread has with this entry.
    pub(crate) thread: ThreadProgress,
}

/// How much of a run its thread has with the commit of an entry. Any entry may say so.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct ThreadProgress {
    /// How many messages of the run's first agent the thread has.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) threaded: Option<u64>,
    /// The calls of the last turn whose results the thread has before those of the other calls.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) told: Vec<String>,
}

/// The members that every event begins with: of a stored event without the run and the sequence.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Head<'a> {
    #[serde(rename = "type")]
    kind: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    run_id: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    sequence: Option<u64>,
    at: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    agent: Option<&'a str>,
}

impl Entry {
    /// An entry about no agent.
    pub(crate) fn new(at: u64, event: Event) -> Self {
        Self { at, agent: None, event, thread: ThreadProgress::default() }
    }

    pub(crate) fn about(self, agent: Option<&str>) -> Self {
        Self { agent: agent.map(str::to_owned), ..self }
    }

    /// The event as consumers get it: JSON text.
    pub(crate) fn json(&self, run_id: &str, sequence: u64) -> String {
        let mut text = Vec::with_capacity(256);
        let mut object = ObjectWriter::new(&mut text);
        object.add(&self.head(Some(run_id), Some(sequence)));
        self.event.write_shown(&mut object);
        if let Event::ApprovalRequested(_, call) = &self.event {
            // Consumers are shown which call waits.
            object.add(&RequestedCall { continues: false, ..call.clone() });
        }
        object.end();
        String::from_utf8(text).unwrap_or_default()
    }

    /// Appends the event as it is stored. The preview of a result that is kept as a reference is in the reference's record and
    /// not stored twice.
    pub(crate) fn write_event(&self, text: &mut Vec<u8>) {
        let mut object = ObjectWriter::new(text);
        object.add(&self.head(None, None));
        match &self.event {
            Event::ToolCompleted(completed) if completed.reference.is_some() => object.add(&completed.stored()),
            event => event.write_shown(&mut object),
        }
        object.end();
    }

    /// Appends what only the loop needs; nothing if there is none.
    pub(crate) fn write_internal(&self, text: &mut Vec<u8>) {
        let mut object = ObjectWriter::new(text);
        self.event.write_internal(&mut object);
        object.add(&self.thread);
        object.end_unless_empty();
    }

    /// Reads what [`Entry::write_event`] and [`Entry::write_internal`] have written.
    ///
    /// # Errors
    /// `InvalidInput` or `StoreCorrupt` if it is anything else.
    pub(crate) fn read(event: &[u8], internal: &[u8]) -> Result<Self> {
        let Json::Object(mut shown) = json::parse(event, &STORED)? else { return Err(damaged()) };
        let mut internal = match json::parse(if internal.is_empty() { b"{}" } else { internal }, &STORED)? {
            Json::Object(members) => members,
            _ => return Err(damaged()),
        };
        if shown.first().is_none_or(|(key, _)| key != "type") {
            return Err(damaged());
        }
        let kind: String = json::from_value(take(&mut shown, "type"))?;
        let at = json::from_value(take(&mut shown, "at"))?;
        let agent = json::from_value(take(&mut shown, "agent"))?;
        let threaded = json::from_value(take(&mut internal, "threaded"))?;
        let told: Option<Vec<String>> = json::from_value(take(&mut internal, "told"))?;
        let thread = ThreadProgress { threaded, told: told.unwrap_or_default() };
        let event = Event::read(&kind, Json::Object(shown), Json::Object(internal))?;
        Ok(Self { at, agent, event, thread })
    }

    /// About how many bytes it is written with.
    pub(crate) fn weight(&self) -> u64 {
        64 + self.event.weight()
    }

    /// The reference that a call's result is kept as, if it is.
    pub(crate) fn kept_as(&self) -> Option<&str> {
        match &self.event {
            Event::ToolCompleted(completed) => completed.reference.as_deref(),
            _ => None,
        }
    }

    /// Gives such a result its preview back.
    pub(crate) fn restore_preview(&mut self, preview: Json) {
        if let Event::ToolCompleted(ToolCompleted { result: Json::Object(members), .. }) = &mut self.event {
            members.push((fields::PREVIEW.to_owned(), preview));
        }
    }

    fn head<'a>(&'a self, run_id: Option<&'a str>, sequence: Option<u64>) -> Head<'a> {
        Head { kind: self.event.kind(), run_id, sequence, at: self.at, agent: self.agent.as_deref() }
    }
}

/// The member of this key, which is gone from the object then. `Null` if there is none.
fn take(members: &mut Vec<(String, Json)>, key: &str) -> Json {
    match members.iter().position(|(name, _)| name == key) {
        Some(at) => members.remove(at).1,
        None => Json::Null,
    }
}

pub(crate) fn type_with_article(value: &Json) -> String {
    match value.type_name() {
        "null" => "null".to_owned(),
        name @ ("array" | "object") => format!("an {name}"),
        name => format!("a {name}"),
    }
}

/// The error for any corruption of a journal.
pub(crate) fn damaged() -> Error {
    Error::StoreCorrupt(
        "The journal of this run is damaged: an entry was altered or removed. Nothing was guessed. Restore the store from a backup."
            .to_owned(),
    )
}
