//! What a tool's handler asks to wait for.

use bailiwick_model::json::{self, Json};
use bailiwick_model::pace::ahead_of;
use bailiwick_model::{Error, Result};
use serde::Deserialize;

use super::record::{LONGEST_MS, Wait, WaitKind, WaitStatus};
use crate::actor::check_actor;
use crate::schema::Schema;

/// The default time to settle a wait, in milliseconds: 7 days.
const OPEN_MS: u64 = 7 * 24 * 60 * 60 * 1000;
/// The longest question, in bytes of UTF-8.
const QUESTION_BYTES: usize = 16 << 10;
/// The largest schema, in bytes of JSON.
const SCHEMA_BYTES: usize = 64 << 10;
/// The longest name of an event, and the longest choice, in bytes of UTF-8.
const NAME_BYTES: usize = 1024;
/// The most choices.
const CHOICES: usize = 100;

/// `{ kind, … }`, as `waitFor` makes it.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct WaitRequest {
    kind: WaitKind,
    question: Option<String>,
    schema: Option<Json>,
    choices: Option<Vec<String>>,
    name: Option<String>,
    to: Option<String>,
    ttl_ms: Option<u64>,
    until: Option<u64>,
    after_ms: Option<u64>,
}

/// The call that waits.
pub(crate) struct WaitingCall {
    pub(crate) run_id: String,
    pub(crate) thread_id: String,
    pub(crate) call_id: String,
    pub(crate) tool: String,
}

impl WaitRequest {
    /// Reads and checks a request.
    ///
    /// # Errors
    /// `InvalidInput`, with what is wrong.
    pub(crate) async fn read(text: &[u8]) -> Result<Self> {
        // Parsed, and its schema compiled.
        ahead_of(4 * text.len()).await;
        let json = json::parse(text, &json::Limits::default())?;
        let request: Self = json::from_value(json)
            .map_err(|_| Error::invalid("A handler waits with what waitFor.answer, .event or .time returns."))?;
        request.check()?;
        Ok(request)
    }

    fn check(&self) -> Result<()> {
        let wrong = |message: String| Err(Error::invalid(message));
        if self.kind == WaitKind::Answer && self.question.as_deref().is_none_or(str::is_empty) {
            return wrong("waitFor.answer needs a question.".to_owned());
        }
        if self.question.as_ref().is_some_and(|question| question.len() > QUESTION_BYTES) {
            return wrong(format!("A question has at most {QUESTION_BYTES} bytes of UTF-8."));
        }
        if self.kind == WaitKind::Event && self.name.as_deref().is_none_or(str::is_empty) {
            return wrong("waitFor.event needs a name.".to_owned());
        }
        let mut texts = self.name.iter().chain(self.choices.iter().flatten());
        if texts.any(|text| text.len() > NAME_BYTES) {
            return wrong(format!("The name of an event, or a choice, has at most {NAME_BYTES} bytes of UTF-8."));
        }
        if self.choices.as_ref().is_some_and(|choices| choices.is_empty() || choices.len() > CHOICES) {
            return wrong(format!("choices has 1 to {CHOICES} texts."));
        }
        self.to.as_deref().map_or(Ok(()), |to| check_actor(to, "to"))?;
        if let Some(schema) = &self.schema {
            if json::write(schema).len() > SCHEMA_BYTES {
                return wrong(format!("The schema of an answer has at most {SCHEMA_BYTES} bytes of JSON."));
            }
            Schema::new(schema).map_err(|refused| Error::invalid(refused.said("the answer")))?;
        }
        match (self.kind, self.until, self.after_ms) {
            (WaitKind::Time, Some(_), None) | (WaitKind::Time, None, Some(_)) => Ok(()),
            (WaitKind::Time, ..) => wrong("waitFor.time takes either until or afterMs.".to_owned()),
            _ => Ok(()),
        }
    }

    /// The wait that it opens now.
    ///
    /// # Errors
    /// `InvalidInput` if it is too long.
    pub(super) fn open(self, wait_id: String, call: WaitingCall, now: u64) -> Result<Wait> {
        let due_at = match self.kind {
            WaitKind::Time => self.until.or(self.after_ms.map(|after| now.saturating_add(after))),
            _ => None,
        };
        let expires_at = due_at.unwrap_or_else(|| now.saturating_add(self.ttl_ms.unwrap_or(OPEN_MS)));
        if expires_at > now.saturating_add(LONGEST_MS) {
            let days = LONGEST_MS / (24 * 60 * 60 * 1000);
            return Err(Error::invalid(format!(
                "A call waits for at most {days} days. Wait in parts: the handler may wait again when it is called again."
            )));
        }
        let WaitingCall { run_id, thread_id, call_id, tool } = call;
        let Self { kind, question, schema, choices, name, to, .. } = self;
        let status = WaitStatus::Open;
        Ok(Wait {
            wait_id,
            kind,
            run_id,
            thread_id,
            call_id,
            tool,
            question,
            schema,
            choices,
            name,
            to,
            status,
            created_at: now,
            expires_at,
            due_at,
        })
    }
}
