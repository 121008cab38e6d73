//! Appends the messages of a run to its thread.

use bailiwick_model::json::Json;
use bailiwick_model::pace::ahead;
use bailiwick_model::{Error, Result};
use bailiwick_tenancy::{Access, Change, When};

use super::head::head_name;
use super::message::{NewMessage, files, new_message, says_something};
use super::{read_head, written};
use crate::handle::Threads;

/// The kind of messages that a run appends to its thread.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Appends {
    /// A prompt, which creates the thread if necessary. The files that it names must exist.
    Prompt,
    /// The messages after it. A deleted thread stays deleted; another one lives at least until `until` (epoch
    /// milliseconds).
    Said { until: Option<u64> },
}

impl Threads<'_> {
    /// Returns the changes that append messages (JSON objects, without ids) to a thread, and its length before. `None`:
    /// the thread does not exist, and must not be created.
    ///
    /// # Errors
    /// `InvalidInput` for a message that is too large, `NotFound` for a file that does not exist, and those of the
    /// store.
    pub(crate) async fn append_changes(
        self,
        access: &Access,
        thread_id: &str,
        messages: &[Json],
        appends: Appends,
    ) -> Result<Option<(Vec<Change>, u64)>> {
        super::check_thread_id(thread_id)?;
        let current = read_head(access, thread_id).await?;
        if current.is_none() && appends != Appends::Prompt {
            return Ok(None);
        }
        let length = current.as_ref().map_or(0, |(_, head)| head.length);
        let expires_at = current.as_ref().and_then(|(record, _)| record.expires_at);
        let lives_on = |until: u64| expires_at.is_none_or(|at| at >= until);
        if messages.is_empty() && matches!(appends, Appends::Said { until } if until.is_none_or(lives_on)) {
            return Ok(Some((Vec::new(), length)));
        }
        let mut new = Vec::with_capacity(messages.len());
        for message in messages {
            ahead(message.weight()).await;
            let message = NewMessage::of_run(message)?;
            self.handle.check_value_bytes(message.byte_length())?;
            new.push(message);
        }
        let (changes, _) = self.appended(access, thread_id, current, &new, appends).await?;
        Ok(Some((changes, length)))
    }

    /// Returns the change that claims a thread for a run that begins without a message, and its length: whoever has read the thread before
    /// finds another version. `None`: the thread does not exist.
    ///
    /// # Errors
    /// Those of the store.
    pub(crate) async fn claimed(self, access: &Access, thread_id: &str) -> Result<Option<(Change, u64)>> {
        let Some((record, head)) = read_head(access, thread_id).await? else { return Ok(None) };
        let (name, when) = (head_name(access, thread_id), When::Version(record.version));
        Ok(Some((written(name, &head, record.expires_at, when), head.length)))
    }
}

/// Checks a prompt: a text, or an array of parts.
pub(crate) fn prompt_message(prompt: &Json, at: u64, run_id: &str, actor: Option<&str>) -> Result<Json> {
    let parts = match prompt {
        Json::String(text) => {
            let text = vec![("type".to_owned(), Json::from("text")), ("text".to_owned(), Json::from(text.as_str()))];
            Json::Array(vec![Json::Object(text)])
        }
        Json::Array(parts) => prompt_parts(parts)?,
        _ => return Err(Error::invalid("prompt must be a text, or an array of text and file parts.")),
    };
    if !parts.as_array().is_some_and(|parts| parts.iter().any(says_something)) {
        return Err(Error::invalid(
            "prompt is empty, and no model answers to nothing. Give a text that is not blank, or a file part.",
        ));
    }
    let mut members = vec![
        ("role".to_owned(), Json::from("user")),
        ("parts".to_owned(), parts),
        ("createdAt".to_owned(), Json::Number(at as f64)),
        ("runId".to_owned(), Json::from(run_id)),
    ];
    members.extend(actor.map(|actor| ("actor".to_owned(), Json::from(actor))));
    let message = Json::Object(members);
    new_message(&message, "prompt", at)?;
    Ok(message)
}

/// Returns the references that a prompt names.
pub(crate) fn prompt_files(prompt: &Json) -> impl Iterator<Item = &str> {
    files(prompt)
}

fn prompt_parts(parts: &[Json]) -> Result<Json> {
    let is_prompt = |part: &Json| matches!(part.get("type").and_then(Json::as_str), Some("text" | "file"));
    if parts.iter().all(is_prompt) {
        Ok(Json::Array(parts.to_vec()))
    } else {
        Err(Error::invalid("A prompt has text and file parts only. Append messages of models and tools to its thread."))
    }
}
