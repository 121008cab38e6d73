//! What an outline and `recall` read of a message.

use bailiwick_model::json::{self, Json};

use super::beginning;
use crate::runs::STORED;

/// The longest line of a message, in bytes: of a user's, and of others.
const USERS_LINE: usize = 400;
const LINE: usize = 160;
/// The longest name of a tool, in bytes. A model wrote it.
const NAME: usize = 64;

/// What an outline has of a message.
#[derive(Debug, Default)]
pub(crate) struct Glance {
    pub(crate) id: String,
    pub(crate) role: String,
    pub(crate) bytes: u64,
    /// The tools that it calls.
    pub(crate) calls: Vec<String>,
    /// Its first line.
    pub(crate) line: String,
}

impl Glance {
    /// Returns what an outline has of a message: a JSON text.
    pub(crate) fn of(message: &str) -> Self {
        let Ok(read) = json::parse(message.as_bytes(), &STORED) else { return Self::default() };
        let text = |key: &str| read.get(key).and_then(Json::as_str).unwrap_or_default().to_owned();
        let role = text("role");
        let most = if role == "user" { USERS_LINE } else { LINE };
        let called = |part: &Json| Some(named(part.get("tool")?.as_str()?));
        let calls = parts(&read).iter().filter(|part| kind(part) == "tool-call").filter_map(called).collect();
        let line = parts(&read).iter().find_map(|part| line(part, most)).unwrap_or_default();
        Self { id: text("messageId"), role, bytes: message.len() as u64, calls, line }
    }
}

fn parts(message: &Json) -> &[Json] {
    message.get("parts").and_then(Json::as_array).unwrap_or_default()
}

fn kind(part: &Json) -> &str {
    part.get("type").and_then(Json::as_str).unwrap_or_default()
}

/// Whether a text would go on in another line of an outline. What models and tools write must not look like a line of its own.
fn ends_line(character: char) -> bool {
    character.is_control() || matches!(character, '\u{2028}' | '\u{2029}')
}

/// Returns the name of a tool as an outline shows it.
fn named(tool: &str) -> String {
    beginning(tool, NAME).replace(ends_line, " ")
}

/// Returns the first line of a part that says something, cut at this many bytes.
fn line(part: &Json, most: usize) -> Option<String> {
    let text = match kind(part) {
        "text" => part.get("text")?.as_str()?.to_owned(),
        "tool-result" => match part.get("result")? {
            Json::String(text) => beginning(text, 4 * LINE).to_owned(),
            result => json::write(result),
        },
        "tool-call" => format!("calls {}", named(part.get("tool")?.as_str()?)),
        "file" => format!("file {}", part.get("reference")?.as_str()?),
        _ => return None,
    };
    let first = text.split(ends_line).map(str::trim).find(|line| !line.is_empty())?;
    let shown = beginning(first, most);
    Some(if shown.len() < first.len() { format!("{shown}…") } else { shown.to_owned() })
}

/// Returns all that a stored message says, as a text for people and models. A result of a tool is shown to both, so it has no reasoning, no
/// data of a provider, and of a failure its code alone.
pub(crate) fn stored_text(message: &Json) -> String {
    let mut text = String::new();
    for part in parts(message) {
        let said = |key: &str| part.get(key).and_then(Json::as_str).unwrap_or_default();
        let json = |key: &str| match part.get(key) {
            Some(Json::String(text)) => text.clone(),
            Some(value) => json::write(value),
            None => String::new(),
        };
        if !text.is_empty() {
            text.push('\n');
        }
        match kind(part) {
            "text" => text.push_str(said("text")),
            "tool-call" => text.push_str(&format!("[call {} of {}] {}", said("callId"), said("tool"), json("input"))),
            "tool-result" if part.get("isError").and_then(Json::as_bool) == Some(true) => {
                let code = part.get("result").and_then(|result| result.get("error")?.get("code")?.as_str());
                text.push_str(&format!("[result of {}] failed: {}", said("callId"), code.unwrap_or("unknown")));
            }
            "tool-result" => text.push_str(&format!("[result of {}] {}", said("callId"), json("result"))),
            "file" => text.push_str(&format!("[file {} {}]", said("reference"), said("mediaType"))),
            _ => {}
        }
    }
    text
}

/// Returns whether a message is of this role. It is the first member after the id, as messages of threads and runs are written.
fn is_of(message: &str, role: &str) -> bool {
    let rest = message.split_once(',').and_then(|(_, rest)| rest.strip_prefix("\"role\":\""));
    rest.and_then(|rest| rest.strip_prefix(role)).is_some_and(|rest| rest.starts_with('"'))
}

/// Returns whether a message is a user's.
pub(crate) fn is_users(message: &str) -> bool {
    is_of(message, "user")
}

/// Returns whether a conversation may begin with this message behind an outline: it has no result whose call is before it.
pub(crate) fn begins_group(message: &str) -> bool {
    if !is_of(message, "tool") {
        return true;
    }
    if !message.contains("\"state\":\"late\"") {
        return false;
    }
    let is_late = |part: &Json| part.get("state").and_then(Json::as_str) == Some("late");
    json::parse(message.as_bytes(), &STORED).is_ok_and(|message| parts(&message).iter().all(is_late))
}
