//! A request to a tenant's agents.

use bailiwick_model::json::{self, Json};
use bailiwick_model::names::shown;
use bailiwick_model::spec::{Prompt, RunLimits};
use bailiwick_model::{Error, Result};

use crate::actor::check_actor;
use crate::runs::events::WhenBusy;
use crate::runs::follow::Registered;
use crate::runs::prompt::render;
use crate::runs::state::read_limits;

/// The longest `traceparent`, in bytes; those of today have 55.
const TRACE_BYTES: usize = 128;
/// The longest instructions, in bytes of UTF-8.
const INSTRUCTIONS_BYTES: usize = 64 << 10;

/// A run that has its ids and is not begun. It can be cancelled from here on.
pub struct PreparedRun {
    /// Its id.
    pub run_id: String,
    /// An id for its thread, if the caller has none.
    pub thread_id: String,
    /// `None` if this process works at it already, for another request with the same key.
    pub(crate) registered: Option<Registered>,
    /// Whether its ids come from a key: then there may be such a run already.
    pub(crate) is_keyed: bool,
    /// Whether it was cancelled before it had a place of its own.
    pub(crate) is_cancelled: bool,
}

impl PreparedRun {
    /// Lets it end as cancelled as soon as it has begun.
    pub fn cancel(&mut self) {
        self.is_cancelled = true;
        if let Some(registered) = &self.registered {
            registered.live.cancelled.cancel();
        }
    }

    pub(crate) fn was_cancelled(&self) -> bool {
        self.is_cancelled || self.registered.as_ref().is_some_and(|registered| registered.live.cancelled.is_cancelled())
    }
}

/// See the module's text.
#[derive(Debug, Clone, PartialEq)]
pub struct RunRequest {
    /// A specialist; `None`: the agent that handles `query`.
    pub specialist: Option<String>,
    /// A text, or an array of text and file parts.
    pub prompt: Json,
    /// The caller's own thread.
    pub thread_id: Option<String>,
    /// The actor: who asks, as the host names them.
    pub actor: Option<String>,
    /// The trace that it is part of, a W3C `traceparent`, to which a resumed run can refer.
    pub trace: Option<String>,
    /// Its own limits, which go with those of the tenant and the agent.
    pub limits: RunLimits,
    /// What the system prompts of its agents end with.
    pub instructions: Option<String>,
    /// What happens while another run writes the thread.
    pub when_busy: WhenBusy,
    /// When it begins at the earliest, in epoch milliseconds.
    pub start_at: Option<u64>,
}

impl RunRequest {
    /// A request with nothing but a prompt.
    pub fn new(prompt: Json) -> Self {
        Self {
            specialist: None,
            prompt,
            thread_id: None,
            actor: None,
            trace: None,
            limits: RunLimits::default(),
            instructions: None,
            when_busy: WhenBusy::default(),
            start_at: None,
        }
    }

    /// Reads `{ specialist?, prompt, threadId?, actor?, trace?, limits?, instructions?, whenBusy?, startAt? }`.
    ///
    /// # Errors
    /// `InvalidInput`.
    pub fn read(text: &[u8]) -> Result<Self> {
        let Json::Object(members) = json::parse(text, &json::Limits::default())? else {
            return Err(Error::invalid("query takes a prompt or { prompt, … }."));
        };
        let mut request = Self::new(Json::Null);
        for (key, value) in members {
            match (key.as_str(), value) {
                ("specialist", Json::String(name)) => request.specialist = Some(name),
                ("threadId", Json::String(id)) => request.thread_id = Some(id),
                ("actor", Json::String(actor)) => request.actor = Some(actor),
                // It comes from the host's tracer: one of another form is no reason to refuse a request.
                ("trace", Json::String(trace)) => {
                    request.trace = Some(trace).filter(|trace| trace.len() <= TRACE_BYTES)
                }
                ("prompt", prompt) => request.prompt = prompt,
                ("limits", limits) => request.limits = read_limits(&limits)?,
                ("instructions", text) => request.instructions = Some(read_instructions(&text)?),
                ("whenBusy", Json::String(word)) => request.when_busy = read_when_busy(&word)?,
                ("startAt", time) => request.start_at = Some(read_time(&time)?),
                _ => {
                    return Err(Error::invalid(
                        "A request has prompt, threadId, actor and whenBusy: texts, limits, an object, instructions, a text or a layered prompt, and startAt, a number.",
                    ));
                }
            }
        }
        request.actor.as_deref().map_or(Ok(()), |actor| check_actor(actor, "actor"))?;
        Ok(request)
    }
}

fn read_when_busy(name: &str) -> Result<WhenBusy> {
    match name {
        "reject" => Ok(WhenBusy::Reject),
        "queue" => Ok(WhenBusy::Queue),
        "steer" => Ok(WhenBusy::Steer),
        "replace" => Ok(WhenBusy::Replace),
        _ => Err(Error::invalid(format!("whenBusy must be reject, queue, steer or replace, not {}.", shown(name)))),
    }
}

fn read_time(json: &Json) -> Result<u64> {
    json.as_whole().ok_or_else(|| {
        let given = json::write(json);
        Error::invalid(format!(
            "startAt must be a time in epoch milliseconds, such as Date.now() + 60_000: a whole number, not {given}."
        ))
    })
}

fn read_instructions(json: &Json) -> Result<String> {
    let text = render(&Prompt::from_json(json, "instructions")?);
    if text.len() > INSTRUCTIONS_BYTES {
        let message =
            format!("instructions has at most {INSTRUCTIONS_BYTES} bytes of UTF-8. Put longer texts into the prompt.");
        return Err(Error::invalid(message));
    }
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_is_read_strictly() {
        let read = |text: &str| RunRequest::read(text.as_bytes());
        assert_eq!(read(r#"{"prompt":"x","limits":{"maxSteps":3}}"#).unwrap().limits.max_steps, Some(3));
        for wrong in [
            "[]",
            r#"{"prompt":"x","tenant":"b"}"#,
            r#"{"limits":{"maxSteps":0}}"#,
            r#"{"actor":""}"#,
            r#"{"startAt":0.5}"#,
            r#"{"startAt":"1"}"#,
        ] {
            assert!(matches!(read(wrong), Err(Error::InvalidInput(_))), "{wrong}");
        }
    }
}
