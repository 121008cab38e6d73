//! A message that is too large to be sent: its beginning, its length and its id.

use bailiwick_model::json::{self, Json};
use serde::{Deserialize, Serialize};

use super::{RECALL, beginning};
use crate::runs::STORED;

/// The fewest bytes that are shown of a part.
const LEAST: usize = 40;
/// About how many bytes a part has besides what it shows.
const AROUND: usize = 200;

/// Which messages behind a fold are shown by their beginning: those before a position that have more bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Short {
    pub(crate) until: u64,
    pub(crate) bytes: u64,
}

impl Short {
    /// Returns whether a message of this many bytes is shown by its beginning.
    pub(crate) fn is_for(&self, position: u64, bytes: usize) -> bool {
        position < self.until && bytes as u64 > self.bytes
    }
}

/// Returns a message with at most about this many bytes. Its calls and results all stay, each by its beginning.
pub(crate) fn shortened(message: &str, most: usize, may_recall: bool) -> String {
    let Ok(Json::Object(mut members)) = json::parse(message.as_bytes(), &STORED) else { return message.to_owned() };
    let id = members.iter().find(|(key, _)| key == "messageId").and_then(|(_, id)| id.as_str()).unwrap_or_default();
    let id = id.to_owned();
    if let Some((_, Json::Array(parts))) = members.iter_mut().find(|(key, _)| key == "parts") {
        let share = (most.saturating_sub(AROUND) / parts.len().max(1)).saturating_sub(AROUND).max(LEAST);
        let hint = if may_recall { format!("; {RECALL} gives message {id}") } else { format!(" of message {id}") };
        for part in parts.iter_mut() {
            shorten(part, share, &hint);
        }
        parts.retain(|part| !matches!(part, Json::Null));
    }
    json::write(&Json::Object(members))
}

/// Shortens a part to about this many bytes; what only a provider understands is left out.
fn shorten(part: &mut Json, most: usize, hint: &str) {
    let kind = part.get("type").and_then(Json::as_str).unwrap_or_default().to_owned();
    let is_private = matches!(kind.as_str(), "reasoning" | "opaque");
    if is_private && part.weight() > most as u64 {
        *part = Json::Null;
        return;
    }
    let Json::Object(members) = part else { return };
    members.retain(|(key, value)| key != "metadata" || value.weight() <= most as u64);
    let key = match kind.as_str() {
        "text" => "text",
        "tool-call" => "input",
        "tool-result" => "result",
        _ => return,
    };
    let Some((_, value)) = members.iter_mut().find(|(name, _)| name == key) else { return };
    if let (Json::Object(fields), true) = (&mut *value, key == "result") {
        // Of a result that is kept as a reference, the reference is worth more than its preview.
        let is_kept = fields.iter().any(|(name, value)| name == "reference" && value.as_str().is_some());
        if is_kept && json::write(&Json::Object(fields.clone())).len() > most {
            fields.retain(|(name, _)| name != "glimpse");
        }
    }
    let text = match &*value {
        Json::String(text) if key != "input" => text.clone(),
        value => json::write(value),
    };
    if text.len() <= most {
        return;
    }
    let shown = format!("{}… [{} bytes{hint}]", escaped_beginning(&text, most), text.len());
    *value = if key == "input" { Json::from([("shortened", Json::String(shown))]) } else { Json::String(shown) };
}

/// Returns the beginning of a text that has at most about this many bytes when it is written as JSON.
pub(super) fn escaped_beginning(text: &str, most: usize) -> &str {
    let mut left = most;
    for (at, character) in text.char_indices() {
        let cost = match character {
            '"' | '\\' | '\n' | '\r' | '\t' => 2,
            character if character < ' ' => 6,
            character => character.len_utf8(),
        };
        let Some(rest) = left.checked_sub(cost) else { return beginning(text, at) };
        left = rest;
    }
    text
}
