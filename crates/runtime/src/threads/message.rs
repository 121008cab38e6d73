//! Checks messages, and defines the bytes of an entry in a thread's journal.
//!
//! ```text
//! 0    id        20 bytes  u64be sequence ‖ 12 random bytes
//! 20   members   the rest  members of a JSON object: "role", "parts", "createdAt", "runId"?, "actor"?, "interrupted"?
//! ```
//! The sequence in the id leads to its entry without an index; the random part proves that it is the right one.

use bailiwick_model::base32::{parse_prefixed_id, parse_reference_id, prefixed_id};
use bailiwick_model::json::{self, Json};
use bailiwick_model::names::is_media_type;
use bailiwick_model::{Error, Result};

use crate::actor::check_actor;

const PREFIX: &str = "msg_";
/// The limits of stored JSON, which is nested deeper than the values in it.
pub(crate) const STORED: json::Limits =
    json::Limits { bytes: usize::MAX, depth: json::MAX_DEPTH, elements: usize::MAX };
/// The largest message, written as JSON.
const MESSAGE_BYTES: usize = 8 << 20;
/// The most messages of one append, which is one commit.
const MOST_MESSAGES: usize = 1000;
/// The most parts of a message: as many as a model's answer may have.
const MOST_PARTS: usize = 1024;
/// The longest label in bytes: a run, a call, a thread.
const LABEL_BYTES: usize = 256;

/// The bytes of a message's id.
pub(crate) type MessageId = [u8; 20];

/// The author of a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Role {
    User,
    Assistant,
    Tool,
}

impl Role {
    const ALL: [Self; 3] = [Self::User, Self::Assistant, Self::Tool];

    const fn name(self) -> &'static str {
        match self {
            Self::User => "user",
            Self::Assistant => "assistant",
            Self::Tool => "tool",
        }
    }

    /// Returns the role of a message as it is stored.
    pub(crate) fn of(message: &Json) -> Option<Self> {
        let name = message.get("role")?.as_str()?;
        Self::ALL.into_iter().find(|role| role.name() == name)
    }

    /// Returns the types of parts that it may have.
    const fn types(self) -> &'static [&'static str] {
        match self {
            Self::User => &["text", "file"],
            Self::Assistant => &["text", "reasoning", "file", "tool-call", "opaque"],
            Self::Tool => &["tool-result"],
        }
    }
}

/// A call, or the result of one, in a message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Exchange {
    Call(String),
    Result(String),
}

/// The calls and results of a message, with their places among its parts.
pub(crate) fn exchanges(message: &Json) -> Vec<(usize, Exchange)> {
    let parts = message.get("parts").and_then(Json::as_array).unwrap_or_default();
    let exchange = |(at, part): (usize, &Json)| {
        let call_id = || part.get("callId").and_then(Json::as_str).map(str::to_owned);
        match part.get("type")?.as_str()? {
            "tool-call" => Some((at, Exchange::Call(call_id()?))),
            // A late result is not the answer of its call: that said that it waits.
            "tool-result" if is_late(part) => None,
            "tool-result" => Some((at, Exchange::Result(call_id()?))),
            _ => None,
        }
    };
    parts.iter().enumerate().filter_map(exchange).collect()
}

/// Whether a part is the result of a call whose turn has ended without it.
pub(crate) fn is_late(part: &Json) -> bool {
    part.get("state").and_then(Json::as_str) == Some("late")
}

/// The references that the file parts of a message name.
pub(crate) fn files(message: &Json) -> impl Iterator<Item = &str> {
    let parts = message.get("parts").and_then(Json::as_array).unwrap_or_default().iter();
    let files = parts.filter(|part| part.get("type").and_then(Json::as_str) == Some("file"));
    files.filter_map(|part| part.get("reference")?.as_str())
}

/// A message that has no id yet.
pub(crate) struct NewMessage {
    members: String,
    pub(crate) role: Role,
    pub(crate) actor: Option<String>,
    /// The references that its file parts name.
    pub(crate) files: Vec<String>,
    /// Its calls and results, with their places among its parts.
    pub(crate) exchanges: Vec<(usize, Exchange)>,
}

impl NewMessage {
    /// Returns a message of a run: an object without an id, role first. Only its size is checked.
    ///
    /// # Errors
    /// `InvalidInput` if it is too large.
    pub(crate) fn of_run(message: &Json) -> Result<Self> {
        let role = Role::of(message).ok_or_else(|| wrong("message", "has no role"))?;
        let text = json::write(message);
        let members = text.strip_prefix('{').and_then(|text| text.strip_suffix('}')).unwrap_or_default();
        Self::new(message, role, members.to_owned(), "message")
    }

    fn new(message: &Json, role: Role, members: String, path: &str) -> Result<Self> {
        if members.len() > MESSAGE_BYTES {
            return Err(wrong(
                path,
                "has more than 8 MiB; keep large content as a reference and name it in a file part",
            ));
        }
        let actor = message.get("actor").and_then(Json::as_str).map(str::to_owned);
        let (files, exchanges) = (files(message).map(str::to_owned).collect(), exchanges(message));
        Ok(Self { members, role, actor, files, exchanges })
    }

    /// Returns the bytes of its entry.
    pub(crate) fn byte_length(&self) -> usize {
        20 + self.members.len()
    }

    /// Writes the bytes of its entry.
    pub(crate) fn entry(&self, id: &MessageId) -> Vec<u8> {
        let mut body = Vec::with_capacity(self.byte_length());
        body.extend_from_slice(id);
        body.extend_from_slice(self.members.as_bytes());
        body
    }
}

/// Returns the id of the message at a position of a journal.
pub(crate) fn message_id(sequence: u64, random: [u8; 12]) -> MessageId {
    let mut id = [0; 20];
    for (to, from) in id.iter_mut().zip(sequence.to_be_bytes().into_iter().chain(random)) {
        *to = from;
    }
    id
}

/// Parses an id into its bytes and its position in the journal. `None` if it is malformed.
pub(crate) fn parse_message_id(text: &str) -> Option<(MessageId, u64)> {
    let id = parse_prefixed_id(PREFIX, text)?;
    let sequence = u64::from_be_bytes(*id.first_chunk::<8>()?);
    Some((id, sequence))
}

/// Returns the id that an entry begins with.
pub(crate) fn entry_id(entry: &[u8]) -> Option<MessageId> {
    entry.first_chunk::<20>().copied()
}

/// Returns the message of an entry, without the id.
pub(crate) fn stored_message(entry: &[u8]) -> Result<Json> {
    json::parse(message_json(entry)?.as_bytes(), &STORED).map_err(|_| Error::damaged("A message's record"))
}

/// Returns the message of an entry as JSON text.
pub(crate) fn message_json(entry: &[u8]) -> Result<String> {
    let damaged = || Error::damaged("A message's record");
    let (id, members) = entry.split_first_chunk::<20>().ok_or_else(damaged)?;
    let members = std::str::from_utf8(members).map_err(|_| damaged())?;
    Ok(format!("{{\"messageId\":\"{}\",{members}}}", prefixed_id(PREFIX, id)))
}

/// Checks a JSON array of messages without ids. Messages without a time get `now`.
///
/// # Errors
/// `InvalidInput` names the place and the problem, and repeats nothing of the messages.
pub(crate) fn parse_messages(text: &[u8], now: u64) -> Result<Vec<NewMessage>> {
    // The values of models and tools are nested a few levels deeper here.
    let limits = json::Limits { depth: json::MAX_DEPTH, ..json::Limits::default() };
    let value = json::parse(text, &limits)?;
    let Some(messages) = value.as_array() else { return Err(wrong("messages", "must be an array")) };
    if !(1..=MOST_MESSAGES).contains(&messages.len()) {
        return Err(wrong("messages", "must have 1 to 1000 messages; append more in several calls"));
    }
    let each = messages.iter().enumerate();
    each.map(|(index, message)| new_message(message, &format!("messages[{index}]"), now)).collect()
}

/// Checks one message. `path` is its place.
pub(crate) fn new_message(message: &Json, path: &str, now: u64) -> Result<NewMessage> {
    let fields = Fields::of(message, path, &["role", "parts", "createdAt", "runId", "actor", "interrupted"])?;
    fields.text("role")?;
    let Some(role) = Role::of(message) else {
        return Err(wrong(&fields.path("role"), "must be user, assistant or tool"));
    };
    let parts = fields.required("parts")?;
    let parts_path = fields.path("parts");
    match parts.as_array() {
        Some(list) if list.len() <= MOST_PARTS => {
            for (index, part) in list.iter().enumerate() {
                check_part(part, role, &format!("{parts_path}[{index}]"))?;
            }
            if role == Role::Tool && list.is_empty() {
                return Err(wrong(&parts_path, "must have the result of a call"));
            }
        }
        _ => return Err(wrong(&parts_path, "must be an array of at most 1024 parts")),
    }
    let created_at = fields.get("createdAt").cloned().unwrap_or(Json::Number(now as f64));
    if created_at.as_whole().is_none() {
        return Err(wrong(&fields.path("createdAt"), "must be a time in whole epoch milliseconds"));
    }
    let mut members = format!(
        "\"role\":\"{}\",\"parts\":{},\"createdAt\":{}",
        role.name(),
        json::write(parts),
        json::write(&created_at)
    );
    for name in ["runId", "actor"] {
        if fields.get(name).is_some() {
            match name {
                "actor" => check_actor(fields.text(name)?, &fields.path(name))?,
                _ => _ = fields.label(name)?,
            }
            members.push_str(&format!(",\"{name}\":{}", json::write(fields.required(name)?)));
        }
    }
    match fields.get("interrupted") {
        None | Some(Json::Bool(false)) => {}
        Some(Json::Bool(true)) => members.push_str(",\"interrupted\":true"),
        Some(_) => return Err(wrong(&fields.path("interrupted"), "must be true or false")),
    }
    NewMessage::new(message, role, members, path)
}

/// Returns whether a part has content that can be sent to a model.
pub(crate) fn says_something(part: &Json) -> bool {
    let text = |text: &str| !text.trim().is_empty();
    part.get("text").and_then(Json::as_str).map_or(part.get("reference").is_some(), text)
}

fn check_part(part: &Json, role: Role, path: &str) -> Result<()> {
    let kind = part.get("type").and_then(Json::as_str);
    let known: &[&str] = match kind {
        Some("text" | "reasoning") => &["type", "metadata", "text"],
        Some("file") => &["type", "metadata", "reference", "mediaType"],
        Some("tool-call") => &["type", "metadata", "callId", "tool", "input"],
        Some("tool-result") => &["type", "metadata", "callId", "result", "isError", "state", "tool", "editedInput"],
        Some("opaque") => &["type", "metadata", "provider", "data"],
        _ => return Err(wrong(path, "must be a part of type text, reasoning, file, tool-call, tool-result or opaque")),
    };
    if !kind.is_some_and(|kind| role.types().contains(&kind)) {
        let (role, types) = (role.name(), role.types().join(", "));
        return Err(wrong(path, &format!("cannot be in a message of role {role}, whose parts are of type {types}")));
    }
    let fields = Fields::of(part, path, known)?;
    match kind {
        Some("file") => {
            if parse_reference_id(fields.text("reference")?).is_none() {
                return Err(wrong(&fields.path("reference"), "must be the id of a reference"));
            }
            if !is_media_type(fields.text("mediaType")?) {
                return Err(wrong(&fields.path("mediaType"), "must look like type/subtype"));
            }
        }
        Some("tool-call") => {
            // A model wrote both, so they may be anything.
            fields.filled("callId")?;
            fields.text("tool")?;
            fields.required("input")?;
        }
        Some("opaque") => {
            fields.label("provider")?;
            fields.required("data")?;
        }
        Some("tool-result") => {
            fields.filled("callId")?;
            fields.required("result")?;
            if fields.get("isError").is_some_and(|value| value.as_bool().is_none()) {
                return Err(wrong(&fields.path("isError"), "must be true or false"));
            }
            match fields.get("state").map(Json::as_str) {
                None | Some(Some("waiting")) => {}
                // A model named the tool, so it may be anything.
                Some(Some("late")) => _ = fields.text("tool")?,
                Some(_) => return Err(wrong(&fields.path("state"), "must be waiting or late")),
            }
            if fields.get("tool").is_some() {
                fields.text("tool")?;
            }
        }
        _ => {
            fields.text("text")?;
        }
    }
    Ok(())
}

/// Returns the members of an object without unknown ones.
struct Fields<'a> {
    members: &'a [(String, Json)],
    path: &'a str,
}

impl<'a> Fields<'a> {
    fn of(value: &'a Json, path: &'a str, known: &[&str]) -> Result<Self> {
        let Some(members) = value.as_object() else { return Err(wrong(path, "must be an object")) };
        if members.iter().any(|(name, _)| !known.contains(&name.as_str())) {
            return Err(wrong(path, &format!("may only have {}", known.join(", "))));
        }
        Ok(Self { members, path })
    }

    fn path(&self, name: &str) -> String {
        format!("{}.{name}", self.path)
    }

    fn get(&self, name: &str) -> Option<&'a Json> {
        self.members.iter().find(|(key, _)| key == name).map(|(_, value)| value)
    }

    fn required(&self, name: &str) -> Result<&'a Json> {
        self.get(name).ok_or_else(|| wrong(&self.path(name), "is missing"))
    }

    fn text(&self, name: &str) -> Result<&'a str> {
        self.required(name)?.as_str().ok_or_else(|| wrong(&self.path(name), "must be a string"))
    }

    /// Returns a text that the message has room for.
    fn filled(&self, name: &str) -> Result<&'a str> {
        let text = self.text(name)?;
        if text.is_empty() { Err(wrong(&self.path(name), "must not be empty")) } else { Ok(text) }
    }

    fn label(&self, name: &str) -> Result<&'a str> {
        let text = self.text(name)?;
        if is_label(text) { Ok(text) } else { Err(wrong(&self.path(name), "must have 1 to 256 bytes of UTF-8")) }
    }
}

/// Returns whether a text can be a label: a run, a call, a thread.
pub(crate) fn is_label(text: &str) -> bool {
    (1..=LABEL_BYTES).contains(&text.len())
}

/// Returns the error for a part of a message.
pub(crate) fn wrong(path: &str, what: &str) -> Error {
    Error::invalid(format!("{path} {what}."))
}
