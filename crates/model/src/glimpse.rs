//! Glimpses: summaries of values that fit a prompt.
//!
//! The forms of a glimpse (`…` marks everything that was cut):
//! - rows, an array of objects: `{"rows":3201,"columns":{"title":"string","year":"number|null"},"first":[{…},{…}]}`
//! - text: `{"characters":90210,"text":"Once upon a time…"}`
//! - bytes: `{"bytes":48213,"mediaType":"image/png"}`
//! - other JSON: the value itself if it is small enough, else its shape:
//!   `{"type":"object","keys":57,"shape":{"id":"number","items":"array"}}`,
//!   `{"type":"array","length":5000,"items":"number|string","first":[1,"a",2]}`,
//!   `{"type":"string","characters":90210,"text":"Once upon a time…"}`.

use std::collections::{HashMap, HashSet};

use crate::json::{self, Json, escaped_length, write_at_most};

/// The most bytes of a glimpse, whatever the options say.
pub const MAX_BYTES: usize = 1024;

/// The content to summarise.
#[derive(Debug, Clone, Copy)]
pub enum Content<'a> {
    /// A JSON value.
    Json(&'a Json),
    /// A JSON value that is too large to be shown itself, reduced to what a glimpse uses: the first 1,000 elements of
    /// an array and the types of the others; the types of an object's members.
    Sample(&'a Json),
    /// Text that is not JSON.
    Text(&'a str),
    /// Content of which only this is shown.
    Bytes {
        /// Its size.
        byte_length: u64,
        /// Its media type.
        media_type: &'a str,
    },
}

/// The options of a glimpse.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Options {
    /// The most bytes, 256 to [`MAX_BYTES`] (default); other values count as the nearer of the two.
    pub bytes: usize,
    /// The most rows or elements to show. Default: 3.
    pub first: usize,
}

impl Default for Options {
    fn default() -> Self {
        Self { bytes: MAX_BYTES, first: 3 }
    }
}

/// Returns a summary as JSON text of at most [`MAX_BYTES`] bytes of UTF-8. Equal content and options always give equal
/// text. It takes time linear in the size of the content. Counts are exact; columns and types come from the first 1,000
/// rows or elements.
pub fn glimpse(content: Content<'_>, options: &Options) -> String {
    let bytes = options.bytes.clamp(256, MAX_BYTES);
    let summary = match content {
        Content::Json(value) => match rows_of(value) {
            Some(rows) => rows_summary(rows, bytes, options.first),
            None => match write_at_most(value, bytes) {
                Some(itself) => return itself,
                None => shape_summary(value, bytes, options.first),
            },
        },
        Content::Sample(value) => match rows_of(value) {
            Some(rows) => rows_summary(rows, bytes, options.first),
            None => shape_summary(value, bytes, options.first),
        },
        Content::Text(text) => text_summary(vec![], text, bytes),
        Content::Bytes { byte_length, media_type } => Json::from([
            ("bytes", Json::Number(byte_length as f64)),
            ("mediaType", Json::String(cut(media_type, KEY_BYTES))),
        ]),
    };
    json::write(&summary)
}

/// The rows that are read for columns and types.
const SAMPLE: usize = json::SAMPLE;
const KEY_BYTES: usize = 96;
/// The room for one list that has more entries than fit: `"…":"1234567890 more",` and braces.
const MORE_BYTES: usize = 48;

fn rows_of(value: &Json) -> Option<&[Json]> {
    let elements = value.as_array()?;
    let only_objects = elements.iter().all(|element| element.as_object().is_some());
    (only_objects && !elements.is_empty()).then_some(elements)
}

fn rows_summary(rows: &[Json], bytes: usize, first: usize) -> Json {
    let mut columns: Vec<(&str, Types)> = Vec::new();
    let mut index: HashMap<&str, usize> = HashMap::new();
    for row in rows.iter().take(SAMPLE).filter_map(Json::as_object) {
        for (nth, (key, value)) in row.iter().enumerate() {
            // Most rows have the same keys in the same order.
            let expected = columns.get(nth).is_some_and(|(column, _)| column == key);
            let position = if expected { nth } else { *index.entry(key).or_insert(columns.len()) };
            match columns.get_mut(position) {
                Some((_, types)) => types.add(value),
                None => columns.push((key, Types::of(value))),
            }
        }
    }
    let columns = columns.iter().map(|(key, types)| (*key, types.name()));
    let summary = vec![member("rows", count(rows.len())), member("columns", keys_with_types(columns, bytes / 2))];
    with_first(summary, rows, bytes, first)
}

fn shape_summary(value: &Json, bytes: usize, first: usize) -> Json {
    let mut summary = vec![member("type", Json::from(value.type_name()))];
    match value {
        Json::Object(members) => {
            summary.push(member("keys", count(members.len())));
            let types = members.iter().map(|(key, value)| (key.as_str(), value.type_name().to_owned()));
            summary.push(member("shape", keys_with_types(types, bytes - 128)));
            Json::Object(summary)
        }
        Json::Array(elements) => {
            let mut types = Types::default();
            elements.iter().take(SAMPLE).for_each(|element| types.add(element));
            summary.push(member("length", count(elements.len())));
            summary.push(member("items", Json::String(types.name())));
            with_first(summary, elements, bytes, first)
        }
        Json::String(text) => text_summary(summary, text, bytes),
        // Always small enough to be shown itself.
        Json::Null | Json::Bool(_) | Json::Number(_) => Json::Object(summary),
    }
}

fn text_summary(mut summary: Vec<(String, Json)>, text: &str, bytes: usize) -> Json {
    summary.push(member("characters", count(text.chars().count())));
    summary.push(member("text", Json::String(String::new())));
    let room = bytes.saturating_sub(written_length(&Json::Object(summary.clone())));
    summary.pop();
    summary.push(member("text", Json::String(cut(text, room))));
    Json::Object(summary)
}

/// Adds `first`: as many of the first elements as fit, long ones shortened; shortens more if not even one fits.
fn with_first(mut summary: Vec<(String, Json)>, elements: &[Json], bytes: usize, most: usize) -> Json {
    const SHORTENINGS: [Shortening; 3] = [
        Shortening { string_bytes: 120, entries: 12, depth: 3 },
        Shortening { string_bytes: 40, entries: 8, depth: 2 },
        Shortening { string_bytes: 16, entries: 4, depth: 1 },
    ];
    let empty = Json::Object([summary.clone(), vec![member("first", Json::Array(vec![]))]].concat());
    let room = bytes.saturating_sub(written_length(&empty));
    for shortening in SHORTENINGS {
        let mut shown = Vec::new();
        let mut used = 0;
        for element in elements.iter().take(most) {
            let short = shortening.apply(element);
            used += written_length(&short) + 1;
            if used > room {
                break;
            }
            shown.push(short);
        }
        if !shown.is_empty() {
            summary.push(member("first", Json::Array(shown)));
            break;
        }
    }
    Json::Object(summary)
}

/// Returns an object from keys to the names of their types, with `"…": "7 more"` at the end if not all fit into
/// `bytes`.
fn keys_with_types<'a>(keys: impl ExactSizeIterator<Item = (&'a str, String)>, bytes: usize) -> Json {
    let total = keys.len();
    let mut shown = Vec::new();
    let mut names = HashSet::from([MORE.to_owned(), "__proto__".to_owned()]);
    let mut used = MORE_BYTES;
    for (key, types) in keys {
        let key = cut(key, KEY_BYTES);
        // Quotes, colon and comma.
        used += text_length(&key) + types.len() + 6;
        if used > bytes {
            break;
        }
        if names.insert(key.clone()) {
            shown.push((key, Json::String(types)));
        }
    }
    add_more(&mut shown, total);
    Json::Object(shown)
}

/// How much a value is shortened.
#[derive(Clone, Copy)]
struct Shortening {
    string_bytes: usize,
    /// The most members or elements.
    entries: usize,
    /// The level from which only types are shown.
    depth: usize,
}

impl Shortening {
    fn apply(self, value: &Json) -> Json {
        match value {
            Json::Null | Json::Bool(_) | Json::Number(_) => value.clone(),
            Json::String(text) => Json::String(cut(text, self.string_bytes)),
            Json::Array(elements) if elements.is_empty() => value.clone(),
            Json::Object(members) if members.is_empty() => value.clone(),
            _ if self.depth == 0 => Json::String(format!("{}{MORE}", value.type_name())),
            Json::Array(elements) => {
                let mut shown: Vec<Json> =
                    elements.iter().take(self.entries).map(|element| self.inner().apply(element)).collect();
                if elements.len() > shown.len() {
                    shown.push(Json::String(format!("{MORE} {} more", elements.len() - shown.len())));
                }
                Json::Array(shown)
            }
            Json::Object(members) => {
                let mut names = HashSet::from([MORE.to_owned(), "__proto__".to_owned()]);
                let mut shown = Vec::new();
                for (key, value) in members.iter().take(self.entries) {
                    let key = cut(key, self.string_bytes);
                    if names.insert(key.clone()) {
                        shown.push((key, self.inner().apply(value)));
                    }
                }
                add_more(&mut shown, members.len());
                Json::Object(shown)
            }
        }
    }

    fn inner(self) -> Self {
        Self { depth: self.depth - 1, ..self }
    }
}

/// Marks a cut.
const MORE: &str = "…";

fn add_more(shown: &mut Vec<(String, Json)>, total: usize) {
    let hidden = total.saturating_sub(shown.len());
    if hidden > 0 {
        shown.push((MORE.to_owned(), Json::String(format!("{hidden} more"))));
    }
}

/// Returns the text, or its beginning with a mark, of at most `bytes` when written as JSON.
fn cut(text: &str, bytes: usize) -> String {
    let mut used = 0;
    let mut end_if_cut = 0;
    for (at, character) in text.char_indices() {
        if used + MORE.len() <= bytes {
            end_if_cut = at;
        }
        used += escaped_length(character);
        if used > bytes {
            return format!("{}{MORE}", text.get(..end_if_cut).unwrap_or_default());
        }
    }
    text.to_owned()
}

fn text_length(text: &str) -> usize {
    text.chars().map(escaped_length).sum()
}

fn written_length(value: &Json) -> usize {
    json::write(value).len()
}

fn count(number: usize) -> Json {
    Json::Number(number as f64)
}

fn member(key: &str, value: Json) -> (String, Json) {
    (key.to_owned(), value)
}

/// A set of JSON types.
#[derive(Clone, Copy, Default)]
struct Types(u8);

impl Types {
    /// The types in the order in which they are named.
    const NAMES: [&str; 6] = ["boolean", "number", "string", "array", "object", "null"];

    fn of(value: &Json) -> Self {
        let mut types = Self::default();
        types.add(value);
        types
    }

    fn add(&mut self, value: &Json) {
        self.0 |= match value {
            Json::Bool(_) => 1,
            Json::Number(_) => 2,
            Json::String(_) => 4,
            Json::Array(_) => 8,
            Json::Object(_) => 16,
            Json::Null => 32,
        };
    }

    fn name(self) -> String {
        let names = Self::NAMES.iter().enumerate().filter(|(bit, _)| (self.0 >> bit) & 1 == 1);
        names.map(|(_, name)| *name).collect::<Vec<_>>().join("|")
    }
}
