//! A request to a tenant's agents.

use bailiwick_model::json::{self, Json};
use bailiwick_model::spec::RunLimits;
use bailiwick_model::{Error, Result};

use crate::actor::check_actor;
use crate::runs::follow::Registered;
use crate::runs::state::read_limits;

/// The longest `traceparent`, in bytes; those of today have 55.
const TRACE_BYTES: usize = 128;

/// A run that has its ids and is not begun. It can be cancelled from here on.
pub struct PreparedRun {
    /// Its id.
    pub run_id: String,
    /// An id for its thread, if the caller has none.
    pub thread_id: String,
    pub(crate) registered: Registered,
}

impl PreparedRun {
    /// Lets it end as cancelled as soon as it has begun.
    pub fn cancel(&self) {
        self.registered.live.cancelled.cancel();
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
}

impl RunRequest {
    /// Reads `{ specialist?, prompt, threadId?, actor?, trace?, limits? }`.
    ///
    /// # Errors
    /// `InvalidInput`.
    pub fn read(text: &[u8]) -> Result<Self> {
        let Json::Object(members) = json::parse(text, &json::Limits::default())? else {
            return Err(Error::invalid("query takes a prompt or { prompt, … }."));
        };
        let mut request = Self {
            specialist: None,
            prompt: Json::Null,
            thread_id: None,
            actor: None,
            trace: None,
            limits: RunLimits::default(),
        };
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
                _ => {
                    return Err(Error::invalid(
                        "A request has prompt, threadId, actor and limits: texts, and limits an object.",
                    ));
                }
            }
        }
        request.actor.as_deref().map_or(Ok(()), |actor| check_actor(actor, "actor"))?;
        Ok(request)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_is_read_strictly() {
        let read = |text: &str| RunRequest::read(text.as_bytes());
        assert_eq!(read(r#"{"prompt":"x","limits":{"maxSteps":3}}"#).unwrap().limits.max_steps, Some(3));
        for wrong in ["[]", r#"{"prompt":"x","tenant":"b"}"#, r#"{"limits":{"maxSteps":0}}"#, r#"{"actor":""}"#] {
            assert!(matches!(read(wrong), Err(Error::InvalidInput(_))), "{wrong}");
        }
    }
}
