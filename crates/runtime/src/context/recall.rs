//! What `recall` gives back.

use bailiwick_model::json::Json;

use super::beginning;

/// What a model wants back.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Wanted {
    /// A message, from a byte of its text on.
    Message { id: String, offset: usize },
    /// Messages that have this text, in lower case.
    Text(String),
}

impl Wanted {
    /// Reads the input of a call.
    ///
    /// # Errors
    /// What is wrong with it, as a text for a model.
    pub(crate) fn read(input: &Json) -> Result<Self, String> {
        let told = "Give either messageId, the id of a message, or text, which is searched for; with messageId, offset may say from which byte on.";
        let Some(members) = input.as_object() else { return Err(told.to_owned()) };
        let text = |key: &str| input.get(key).and_then(Json::as_str).filter(|text| !text.trim().is_empty());
        let is_known = |(key, _): &(String, Json)| matches!(key.as_str(), "messageId" | "text" | "offset");
        match (text("messageId"), text("text"), input.get("offset")) {
            (Some(id), None, offset) if members.iter().all(is_known) => {
                let offset = offset.map_or(Some(0), Json::as_whole).and_then(|offset| usize::try_from(offset).ok());
                Ok(Self::Message { id: id.to_owned(), offset: offset.ok_or(told)? })
            }
            (None, Some(text), None) if members.iter().all(is_known) => Ok(Self::Text(text.to_lowercase())),
            _ => Err(told.to_owned()),
        }
    }
}

/// A message that was found.
#[derive(Debug)]
pub(crate) struct Found {
    pub(crate) id: String,
    pub(crate) role: String,
    /// A part of what it says.
    pub(crate) text: String,
}

impl Found {
    /// Returns the members that tell it.
    pub(crate) fn members(self) -> Vec<(String, Json)> {
        let texts = [("messageId", self.id), ("role", self.role), ("text", self.text)];
        texts.map(|(key, text)| (key.to_owned(), Json::String(text))).into()
    }
}

/// Returns a part of a text from a byte on, at most this many bytes, and the byte behind it if there is more.
pub(crate) fn page(text: &str, offset: usize, most: usize) -> (&str, Option<usize>) {
    let start = (0..=offset.min(text.len())).rev().find(|at| text.is_char_boundary(*at)).unwrap_or(0);
    let rest = text.get(start..).unwrap_or_default();
    let shown = match beginning(rest, most) {
        // One character at least, or no page would ever end.
        "" => rest.chars().next().map_or("", |first| beginning(rest, first.len_utf8())),
        shown => shown,
    };
    let end = start + shown.len();
    (shown, (end < text.len()).then_some(end))
}

/// Returns what stands around the first place that has a text, in whatever case. `wanted` is in lower case.
pub(crate) fn excerpt(text: &str, wanted: &str, most: usize) -> Option<String> {
    let at = text.to_lowercase().find(wanted)?;
    // Lower case may have another length: the place is that of the same share of bytes, counted exactly.
    let mut lower = 0;
    let place = text.char_indices().find(|(_, character)| {
        lower += character.to_lowercase().map(char::len_utf8).sum::<usize>();
        lower > at
    });
    let place = place.map_or(0, |(place, _)| place);
    let (shown, more) = page(text, place.saturating_sub(most / 4), most);
    let (before, behind) = (if place > most / 4 { "…" } else { "" }, if more.is_some() { "…" } else { "" });
    Some(format!("{before}{shown}{behind}"))
}
