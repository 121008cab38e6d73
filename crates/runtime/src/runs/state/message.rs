//! Messages of a run, as models see them: JSON texts.

use bailiwick_model::json::{self, Json};
use serde::Serialize;

use crate::runs::events::{Part, PromptReceived, ToolFailure};

/// The result of a call.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Done {
    pub(crate) result: Json,
    pub(crate) failed: bool,
}

impl Done {
    /// A failure, as its model is told.
    pub(crate) fn failure(error: &ToolFailure) -> Self {
        let members = [("code", &error.code), ("message", &error.message)];
        let error = Json::Object(members.map(|(key, value)| (key.to_owned(), Json::from(value.as_str()))).into());
        Self { result: Json::Object(vec![("error".to_owned(), error)]), failed: true }
    }
}

/// A message. Its parts are those of a model's answer, of a prompt, or results.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Message<'a, P: ?Sized> {
    message_id: &'a str,
    role: &'static str,
    parts: &'a P,
    created_at: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    interrupted: Option<bool>,
    /// Of a prompt that was handed over: the run that was queued with it.
    #[serde(skip_serializing_if = "Option::is_none")]
    run_id: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    actor: Option<&'a str>,
}

impl<'a, P: ?Sized> Message<'a, P> {
    fn new(message_id: &'a str, role: &'static str, parts: &'a P, created_at: u64) -> Self {
        Self { message_id, role, parts, created_at, interrupted: None, run_id: None, actor: None }
    }
}

/// The part that tells a model the result of a call.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ResultPart<'a> {
    #[serde(rename = "type")]
    kind: &'static str,
    call_id: &'a str,
    result: &'a Json,
    #[serde(skip_serializing_if = "Option::is_none")]
    is_error: Option<bool>,
    /// `waiting` in the place of the result of a deferred call, `late` for that result.
    #[serde(skip_serializing_if = "Option::is_none")]
    state: Option<&'static str>,
    /// Of a late result: the tool.
    #[serde(skip_serializing_if = "Option::is_none")]
    tool: Option<&'a str>,
    /// The input with which the call was made, if a person edited it.
    #[serde(skip_serializing_if = "Option::is_none")]
    edited_input: Option<&'a Json>,
}

impl<'a> ResultPart<'a> {
    /// The result of this call.
    pub(super) fn new(call_id: &'a str, done: &'a Done) -> Self {
        let is_error = done.failed.then_some(true);
        let (state, tool, edited_input) = (None, None, None);
        Self { kind: "tool-result", call_id, result: &done.result, is_error, state, tool, edited_input }
    }

    /// The result of a call of this tool that was deferred.
    pub(super) fn late(call_id: &'a str, tool: &'a str, done: &'a Done) -> Self {
        Self { state: Some("late"), tool: Some(tool), ..Self::new(call_id, done) }
    }

    /// The same of a call that was made with this input, which a person edited.
    pub(super) fn edited(self, input: &'a Json) -> Self {
        Self { edited_input: Some(input), ..self }
    }

    /// What stands for the result of a call that is deferred.
    pub(super) fn waiting(call_id: &'a str, placeholder: &'a Done) -> Self {
        Self { state: Some("waiting"), ..Self::new(call_id, placeholder) }
    }
}

/// A message of a user: a prompt, a task, or what the loop tells a model.
pub(crate) fn user_message(message_id: &str, parts: &Json, at: u64) -> String {
    json::to_text(&Message::new(message_id, "user", parts, at))
}

/// A prompt that was handed to the run: of the run that was queued with it, and of the actor who sent it.
pub(super) fn received_message(message_id: &str, parts: &Json, at: u64, received: &PromptReceived) -> String {
    let (run_id, actor) = (Some(received.from.as_str()), received.actor.as_deref());
    json::to_text(&Message { run_id, actor, ..Message::new(message_id, "user", parts, at) })
}

/// The answer of a model; `interrupted` if it was cut off.
pub(crate) fn answer_message(message_id: &str, parts: &[Part], at: u64, interrupted: bool) -> String {
    let interrupted = interrupted.then_some(true);
    json::to_text(&Message { interrupted, ..Message::new(message_id, "assistant", parts, at) })
}

pub(crate) fn results_message(message_id: &str, parts: &[ResultPart<'_>], at: u64) -> String {
    json::to_text(&Message::new(message_id, "tool", parts, at))
}

pub(crate) fn text_parts(text: &str) -> Json {
    Json::Array(vec![Json::from([("type", Json::from("text")), ("text", Json::from(text))])])
}
