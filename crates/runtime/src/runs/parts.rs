//! The parts of an answer as messages keep them: what the model wrote, under ids of our own making where it gave none or
//! one twice. Arguments that are no JSON stay texts.

use std::collections::HashMap;

use bailiwick_model::json::Json;

use super::collected::{Collected, Input, Part};
use super::entry::{Entry, member};
use super::frame::is_call;
use super::state::RunState;
use super::usage::{TokenUsage, Usage};

/// The id of a call to which the model gave none.
const NO_ID: &str = "call";

/// The parts of an answer, and what its loop must know of them.
#[derive(Debug)]
pub(super) struct Parts {
    pub(super) parts: Vec<Json>,
    /// The calls whose arguments could not be read, each with the reason: pairs, since an id may be no key.
    unread: Vec<Json>,
}

impl Parts {
    /// What an answer is kept as. `ended`: why it ended, for whoever is told that it was cut off.
    pub(super) fn of(collected: Collected, state: &RunState, ended: &str) -> Self {
        let mut taken: HashMap<String, u64> = HashMap::new();
        let (mut parts, mut unread) = (Vec::with_capacity(collected.parts.len()), Vec::new());
        for part in collected.parts {
            let (mut members, metadata) = match part {
                Part::Text { text, metadata } => (written("text", text), metadata),
                Part::Reasoning { text, metadata } => (written("reasoning", text), metadata),
                Part::Opaque { provider, data } => {
                    let members = [("provider", Json::String(provider)), ("data", data)];
                    (object_of("opaque", members), None)
                }
                Part::Call { call_id, tool, input, metadata } => {
                    let wanted = if call_id.is_empty() { NO_ID } else { call_id.as_str() };
                    let call_id = state.free_call_id(wanted, &mut taken);
                    let input = match input {
                        Input::Read(input) => input,
                        Input::Unread(text, reason) => {
                            let reason = Json::String(told(&reason, ended));
                            unread.push(Json::Array(vec![Json::from(call_id.as_str()), reason]));
                            Json::String(text)
                        }
                    };
                    let members = [("callId", Json::String(call_id)), ("tool", Json::String(tool)), ("input", input)];
                    (object_of("tool-call", members), metadata)
                }
            };
            members.extend(metadata.map(|metadata| member("metadata", metadata)));
            parts.push(Json::Object(members));
        }
        Self { parts, unread }
    }

    /// Whether it calls anything.
    pub(super) fn has_calls(&self) -> bool {
        self.parts.iter().any(is_call)
    }

    /// Adds them to what the loop keeps of an entry.
    pub(super) fn noted(self, mut members: Vec<(String, Json)>) -> Vec<(String, Json)> {
        members.push(member("parts", Json::Array(self.parts)));
        if !self.unread.is_empty() {
            members.push(member("unread", Json::Array(self.unread)));
        }
        members
    }
}

fn object_of<const N: usize>(kind: &str, members: [(&str, Json); N]) -> Vec<(String, Json)> {
    let members = members.into_iter().map(|(key, value)| member(key, value));
    std::iter::once(member("type", Json::from(kind))).chain(members).collect()
}

fn written(kind: &str, text: String) -> Vec<(String, Json)> {
    object_of(kind, [("text", Json::String(text))])
}

/// What a model is told of arguments that could not be read.
fn told(reason: &str, ended: &str) -> String {
    let length = match ended {
        "length" => " The answer reached its length limit (finishReason length): write less at once.",
        _ => "",
    };
    format!("The input is cut off or not JSON. {reason}{length}")
}

/// What is kept of answers that broke off, until an entry notes it.
#[derive(Debug, Default)]
pub(crate) struct BrokenOff {
    /// The last one that had said something: what `run.…` ends with.
    said: Option<Json>,
    /// What they have used, as far as it was told.
    used: Usage,
}

impl BrokenOff {
    /// Takes in what came of an answer before it broke off.
    pub(super) fn take(&mut self, mut collected: Collected, model: &str, state: &RunState) {
        if let Some(usage) = collected.usage.filter(|usage| *usage != TokenUsage::default()) {
            self.used.add(model, usage);
        }
        let Some(agent) = state.frames.last().filter(|_| !collected.parts.is_empty()).map(|frame| frame.agent.clone())
        else {
            return;
        };
        let message_id = std::mem::take(&mut collected.message_id);
        let members = vec![member("agent", Json::String(agent)), member("messageId", Json::String(message_id))];
        self.said = Some(Json::Object(Parts::of(collected, state, "").noted(members)));
    }

    /// Notes what was used with the next entry, which is about another answer.
    pub(super) fn used(&mut self, entry: Entry) -> Entry {
        self.said = None;
        match std::mem::take(&mut self.used) {
            used if used.is_empty() => entry,
            used => entry.own("lost", used.to_json()),
        }
    }

    /// Notes all of it with the entry that ends the run.
    pub(crate) fn ended(&mut self, entry: Entry) -> Entry {
        let said = self.said.take();
        let entry = self.used(entry);
        match said {
            Some(said) => entry.own("brokenOff", said),
            None => entry,
        }
    }
}

/// What an entry says of an answer that broke off.
pub(crate) fn broken_off(entry: &Entry) -> Option<&Json> {
    entry.own_get("brokenOff")
}

/// Why the arguments of a call could not be read, by what its entry keeps.
pub(crate) fn unread(kept: &Json, call_id: &str) -> Option<String> {
    let pairs = kept.get("unread")?.as_array()?;
    let pair =
        pairs.iter().filter_map(Json::as_array).find(|pair| pair.first().and_then(Json::as_str) == Some(call_id))?;
    pair.get(1)?.as_str().map(str::to_owned)
}

/// An object of what was used by answers that broke off.
pub(crate) fn lost(entry: &Entry) -> Option<Usage> {
    match entry.own_get("lost") {
        Some(lost) => Usage::read(lost),
        None => Some(Usage::default()),
    }
}
