//! One call of a tool: what the host is asked, and what its answer is for the journal and the model.

use std::time::Duration;

use bailiwick_model::Error;
use bailiwick_model::json::{self, Json};
use bailiwick_model::pace::ahead_of;
use data_encoding::HEXLOWER;
use sha2::{Digest, Sha256};

use super::ask::quoted;
use super::callbacks::{Ask, Callbacks, Reply};
use super::driver::{Driver, Halt};
use super::entry::{Entry, GLIMPSE, number, object};
use super::frame::Call;
use super::team::ToolRules;
use crate::references::{ItemRules, ReadContent};

/// The type of results for which the tool names none.
const RESULT_TYPE: &str = "result";
/// The longest message of a failure that is kept and told, in characters: the one limit, whoever failed.
const MESSAGE_CHARACTERS: usize = 2000;
/// Where a message was cut.
const CUT: &str = "… [cut]";

/// What came of a call.
pub(crate) enum Outcome {
    /// `u8 form ‖ bytes`
    Value(Vec<u8>),
    /// It failed: a code and a message, which the model sees.
    Failed(String, String),
    /// Whoever was to do it is gone.
    Gone,
}

const JSON: u8 = 0;
const TEXT: u8 = 1;
const BYTES: u8 = 2;
const REFERENCE: u8 = 3;
/// JSON that the host has validated by the tool's own schema, which may have transformed it.
const VALIDATED: u8 = 4;

/// Asks for a call and waits for what comes of it.
pub(crate) async fn run(callbacks: &dyn Callbacks, request: String, timeout_ms: Option<u64>) -> Outcome {
    let mut asked = callbacks.ask(Ask::Tool, request);
    let reply = match timeout_ms {
        None => asked.next().await,
        Some(most) => match tokio::time::timeout(Duration::from_millis(most), asked.next()).await {
            Ok(reply) => reply,
            Err(_) => return failed("TIMEOUT", &format!("The tool did not answer within {most} ms.")),
        },
    };
    match reply {
        None => Outcome::Gone,
        Some(Reply::Value(value)) => Outcome::Value(value),
        Some(Reply::Piece(_)) => failed("TOOL_FAILED", "The tool answered in parts."),
        Some(Reply::Failure(text)) => {
            let told = json::parse(&text, &json::Limits::default()).unwrap_or(Json::Null);
            let part = |key: &str, default: &str| told.get(key).and_then(Json::as_str).unwrap_or(default).to_owned();
            failed(&part("code", "TOOL_FAILED"), &part("message", "The tool failed."))
        }
    }
}

pub(crate) fn failed(code: &str, message: &str) -> Outcome {
    Outcome::Failed(code.to_owned(), message.to_owned())
}

/// The message of a failure as it is kept, with a mark where it is cut.
pub(crate) fn shortened(message: &str) -> String {
    if message.chars().nth(MESSAGE_CHARACTERS).is_none() {
        return message.to_owned();
    }
    message.chars().take(MESSAGE_CHARACTERS - CUT.chars().count()).chain(CUT.chars()).collect()
}

/// The same for a call that is repeated: what services that must not act twice go by.
fn idempotency_key(run_id: &str, call_id: &str) -> String {
    HEXLOWER.encode(&Sha256::digest(format!("{run_id}/{call_id}")))
}

/// What a model is told of a value that is kept as a reference.
fn shown(id: &str, type_name: &str, byte_length: u64, glimpse: Json) -> Json {
    object([
        ("reference", Json::from(id)),
        ("type", Json::from(type_name)),
        ("byteLength", number(byte_length)),
        (GLIMPSE, glimpse),
    ])
}

/// # Errors
/// `Failed` for a result that does not fit the tool's output schema.
async fn fitting(rules: &ToolRules, value: &Json, length: usize) -> Result<(), Halt> {
    if rules.has_output() {
        ahead_of(length).await;
    }
    match rules.wrong_output(value).await {
        None => Ok(()),
        Some(problems) => {
            let told = format!("The result does not fit the tool's output schema: {problems}");
            Err(super::driver::failed("RESULT_INVALID", &told))
        }
    }
}

fn wrong(message: &str) -> Halt {
    super::driver::failed("RESULT_INVALID", message)
}

/// What a result is refused with that may not be kept; everything else ends the run.
fn refusal(error: Error) -> Halt {
    match error {
        Error::InvalidInput(_) | Error::QuotaExceeded { .. } => wrong(&error.to_string()),
        error => Halt::Error(error),
    }
}

impl Driver<'_> {
    /// Which of the agents at work asks: members of a request.
    pub(crate) fn asking(&self) -> String {
        let (agent, number) = self.state.frames.last().map_or(("", 0), |frame| (frame.agent.as_str(), frame.number));
        format!("\"agent\":{},\"frame\":{number}", quoted(agent))
    }

    /// What the host is asked to do.
    pub(crate) fn tool_request(&self, call: &Call, input: &[u8]) -> String {
        let state = &self.state;
        let actor = state.actor.as_deref().map(|actor| format!(",\"actor\":{}", quoted(actor))).unwrap_or_default();
        format!(
            "{{{},\"threadId\":{},\"callId\":{}{actor},\"tool\":{},\"idempotencyKey\":\"{}\",\"input\":{}}}",
            self.asking(),
            quoted(&state.thread_id),
            quoted(&call.call_id),
            quoted(&call.tool),
            idempotency_key(&state.run_id, &call.call_id),
            String::from_utf8_lossy(input),
        )
    }

    /// Notes what came of a call.
    pub(crate) async fn note_outcome(
        &mut self,
        call_id: &str,
        rules: Option<&ToolRules>,
        outcome: Outcome,
    ) -> Result<(), Halt> {
        match outcome {
            Outcome::Gone => Ok(()),
            Outcome::Failed(code, message) => self.note_failure(call_id, &code, &message),
            Outcome::Value(value) => match self.kept_result(rules, value).await {
                Ok((result, reference)) => self.note_result(call_id, result, reference),
                Err(Halt::Failed(told)) => {
                    let part = |key: &str| told.get(key).and_then(Json::as_str).unwrap_or_default().to_owned();
                    self.note_failure(call_id, &part("code"), &part("message"))
                }
                Err(halt) => Err(halt),
            },
        }
    }

    /// Notes a failure.
    pub(crate) fn note_failure(&mut self, call_id: &str, code: &str, message: &str) -> Result<(), Halt> {
        let error = object([("code", Json::from(code)), ("message", Json::String(shortened(message)))]);
        let entry = self.agent_entry("tool.failed").with("callId", Json::from(call_id)).with("error", error);
        self.note(entry).map_err(Halt::from)
    }

    fn note_result(&mut self, call_id: &str, result: Json, reference: Option<(String, bool)>) -> Result<(), Halt> {
        let mut completed: Entry =
            self.agent_entry("tool.completed").with("callId", Json::from(call_id)).with("result", result);
        if let Some((id, is_new)) = reference {
            if is_new {
                self.note(self.agent_entry("reference.created").with("reference", Json::from(id.as_str())))?;
            }
            completed = completed.with("reference", Json::String(id));
        }
        self.note(completed).map_err(Halt::from)
    }

    /// A result as the model sees it, and the reference that it is kept as, if it is, with whether it is made for it. It is
    /// parsed once, and its text is gone before anything else is made of it. `Failed` halts are the call's, not the run's.
    async fn kept_result(
        &mut self,
        rules: Option<&ToolRules>,
        mut value: Vec<u8>,
    ) -> Result<(Json, Option<(String, bool)>), Halt> {
        let Some(form) = value.first().copied() else { return Err(wrong("The tool answered nothing.")) };
        let length = value.len() - 1;
        let is_step =
            self.state.frames.last().is_some_and(|frame| frame.role == bailiwick_model::spec::AgentRole::Executor);
        let is_small = !is_step && length as u64 <= self.handle.inline_result_bytes();
        let type_name = rules.and_then(|rules| rules.result.as_deref()).unwrap_or(RESULT_TYPE).to_owned();
        let mut held = None;
        let content = match form {
            JSON | VALIDATED => {
                held = self.handle.parsing(value.get(1..).unwrap_or_default(), 1).map_err(refusal)?;
                // What the host has validated by the tool's own schema may have become something else.
                let checked = rules.filter(|rules| form == JSON && rules.has_output());
                let is_looked_at = is_small || checked.is_some();
                let read =
                    self.handle.references().read_json(&type_name, value, 1, is_looked_at).await.map_err(refusal)?;
                if let (Some(rules), ReadContent::Json(value, _)) = (checked, &read) {
                    fitting(rules, value, length).await?;
                }
                read
            }
            TEXT => {
                ahead_of(length).await;
                value.remove(0);
                let text = String::from_utf8(value).map_err(|_| wrong("The result is not text."))?;
                let read = match rules.filter(|rules| rules.has_output()) {
                    None => text,
                    Some(rules) => {
                        let read = Json::String(text);
                        fitting(rules, &read, length).await?;
                        let Json::String(text) = read else { return Err(wrong("The result is not text.")) };
                        text
                    }
                };
                ReadContent::Text(read)
            }
            BYTES => {
                value.remove(0);
                ReadContent::Bytes(value)
            }
            REFERENCE => {
                let id = value.get(1..).map(String::from_utf8_lossy).unwrap_or_default();
                return self.given_reference(&id).await;
            }
            _ => return Err(wrong("The tool answered in an unknown form.")),
        };
        let content = match content {
            ReadContent::Json(value, _) if is_small => return Ok((value, None)),
            ReadContent::Text(text) if is_small => return Ok((Json::String(text), None)),
            content => content,
        };
        let item = ItemRules { type_name, ttl_ms: None, media_type: None };
        let value = self.handle.references().check_read(item, content).await.map_err(refusal)?;
        drop(held);
        let glimpse = json::parse(value.glimpse.as_bytes(), &json::Limits::default()).unwrap_or(Json::Null);
        let (type_name, byte_length) = (value.type_name.clone(), value.content.len() as u64);
        ahead_of(value.content.len()).await;
        let id = self.kept.add(&self.access, value);
        Ok((shown(&id, &type_name, byte_length, glimpse), Some((id, true))))
    }

    /// A reference that a tool answered: it must be this tenant's.
    async fn given_reference(&mut self, id: &str) -> Result<(Json, Option<(String, bool)>), Halt> {
        let reference = match self.handle.references().describe(id).await {
            Ok(reference) => reference,
            Err(Error::NotFound) => {
                return Err(super::driver::failed(
                    "RESULT_INVALID",
                    "The tool answered a reference that is not there.",
                ));
            }
            Err(error) => return Err(error.into()),
        };
        let described = json::parse(reference.json.as_bytes(), &json::Limits::default())?;
        let text = |key: &str| described.get(key).and_then(Json::as_str).unwrap_or_default();
        let byte_length = described.get("byteLength").and_then(super::entry::whole).unwrap_or_default();
        let glimpse = described.get(GLIMPSE).cloned().unwrap_or(Json::Null);
        Ok((shown(text("id"), text("type"), byte_length, glimpse), Some((reference.id, false))))
    }
}

#[cfg(test)]
mod tests {
    use super::{CUT, MESSAGE_CHARACTERS, shortened};

    #[test]
    fn r6_a_message_is_cut_with_a_mark_between_whole_characters() {
        let most = "é".repeat(MESSAGE_CHARACTERS);
        assert_eq!(shortened(&most), most);
        let cut = shortened(&format!("{most}x"));
        assert_eq!(cut.chars().count(), MESSAGE_CHARACTERS);
        assert!(cut.ends_with(CUT));
    }
}
