//! A model's answer as it comes in, event by event, and how much of it is taken.

use std::collections::HashMap;
use std::sync::Arc;

use bailiwick_model::json::{self, Json};

use super::event::{self, Event};
use crate::runs::events::{FinishReason, Part, TokenUsage, type_with_article};

/// The largest answer of a model in bytes, written as JSON: its text, reasoning, calls, opaque parts, metadata and warnings.
pub(super) const ANSWER_BYTES: usize = 4 << 20;
/// The most bytes of events that it may come in: small deltas are many times larger than what is in them.
const EVENTS_BYTES: usize = 64 << 20;
/// What an event costs besides its bytes, however little is in it.
const EVENT_COST: usize = 64;
/// The most parts of an answer: calls, opaque parts, and texts and reasonings with ids of their own. A message of a thread
/// takes as many.
const PARTS: usize = 1024;
/// The most warnings that are kept of an answer.
const WARNINGS: usize = 32;
/// The longest warning, in characters.
const WARNING_CHARACTERS: usize = 1000;
/// Events are nested two levels deeper than what is in them, which a message takes up to 100.
const EVENTS: json::Limits = json::Limits { bytes: EVENTS_BYTES, depth: 102, elements: 4_000_000 };

/// A message that comes in.
#[derive(Default)]
pub(super) struct Collected {
    pub(super) message_id: String,
    pub(super) parts: Vec<Part>,
    /// The calls whose arguments are no JSON that is accepted, by their places among the parts, and why.
    pub(super) unread: HashMap<usize, String>,
    /// Where the texts and the reasonings are among them, by whether it is a text and by the id of its deltas.
    places: HashMap<(bool, String), usize>,
    pub(super) finish: Option<Finish>,
    /// What was used, as far as it was told.
    pub(super) usage: Option<TokenUsage>,
    /// What the provider did not do as asked, and what was mended here.
    pub(super) warnings: Vec<String>,
    /// Of what is kept of it.
    pub(super) bytes: Bytes,
    event_bytes: usize,
    /// How many events came.
    events: u64,
}

/// How many bytes of an answer are kept, written as JSON.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub(super) struct Bytes {
    text: usize,
    reasoning: usize,
    calls: usize,
    opaque: usize,
    metadata: usize,
    warnings: usize,
}

/// How it ended.
pub(super) struct Finish {
    pub(super) reason: FinishReason,
    pub(super) usage: TokenUsage,
}

impl Collected {
    /// Nothing of a message yet.
    pub(super) fn new(message_id: String) -> Self {
        Self { message_id, ..Self::default() }
    }

    /// Takes events in, a JSON array. Returns the new text and the new reasoning.
    ///
    /// # Errors
    /// What is wrong with them, as a text for the author of the model, or which limit they are over.
    pub(super) fn take(&mut self, text: &[u8]) -> Result<(String, String), String> {
        self.event_bytes = self.event_bytes.saturating_add(text.len());
        if self.event_bytes > EVENTS_BYTES {
            return Err(too_many_events());
        }
        let next = self.events + 1;
        let events = match json::parse(text, &EVENTS) {
            Ok(Json::Array(events)) => events,
            Ok(other) => {
                return Err(format!("The model's events must be an array, not {}.", type_with_article(&other)));
            }
            Err(error) => return Err(format!("The model's events from event {next} on cannot be read. {error}")),
        };
        self.event_bytes = self.event_bytes.saturating_add(events.len().saturating_mul(EVENT_COST));
        if self.event_bytes > EVENTS_BYTES {
            return Err(too_many_events());
        }
        let mut more = (String::new(), String::new());
        for event in events {
            self.events += 1;
            let event::Read { event, mended } =
                event::read(event, self.events).map_err(|told| format!("The model's answer is wrong: {told}."))?;
            if self.finish.is_some() {
                return Err(format!("The model's answer is wrong: event {} comes after the finish.", self.events));
            }
            mended.into_iter().for_each(|told| self.warn(told));
            self.event(event, &mut more);
            self.check()?;
        }
        Ok(more)
    }

    /// # Errors
    /// Which limit the answer is over, and with what.
    fn check(&self) -> Result<(), String> {
        let bytes = self.bytes.sum();
        if bytes > ANSWER_BYTES {
            let Bytes { text, reasoning, calls, opaque, metadata, warnings } = self.bytes;
            return Err(format!(
                "The model's answer has more than {ANSWER_BYTES} bytes (4 MiB) of text, reasoning, inputs and metadata. With \
                 event {} it has {bytes}: text {text}, reasoning {reasoning}, calls {calls}, opaque parts {opaque}, metadata \
                 {metadata}, warnings {warnings}. Ask it for less at once.",
                self.events
            ));
        }
        if self.parts.len() > PARTS {
            return Err(format!(
                "The model's answer has more than {PARTS} parts. Give all deltas of one text the same id."
            ));
        }
        Ok(())
    }

    fn event(&mut self, event: Event, (more_text, more_reasoning): &mut (String, String)) {
        match event {
            Event::Delta { is_text, id, delta, metadata } => {
                let (more, bytes) = if is_text {
                    (more_text, &mut self.bytes.text)
                } else {
                    (more_reasoning, &mut self.bytes.reasoning)
                };
                more.push_str(&delta);
                *bytes += written_bytes(&delta);
                self.delta(is_text, id, delta, metadata);
            }
            Event::Call { call_id, tool, input, metadata } => {
                self.bytes.calls += written_bytes(&call_id) + written_bytes(&tool);
                self.bytes.metadata += byte_length(metadata.as_ref());
                let input = self.read_input(input);
                self.parts.push(Part::ToolCall { call_id, tool, input: Arc::new(input), metadata });
            }
            Event::Opaque { provider, data } => {
                self.bytes.opaque += written_bytes(&provider) + byte_length(Some(&data));
                self.parts.push(Part::Opaque { provider, data });
            }
            Event::Usage(usage) => self.usage = Some(usage),
            Event::Warning(message) => self.warn(message),
            Event::Finish { reason, usage } => {
                self.usage = Some(usage);
                self.finish = Some(Finish { reason, usage });
            }
        }
    }

    /// The arguments of the next call. Those that cannot be read stay a text.
    fn read_input(&mut self, text: String) -> Json {
        // Providers send nothing for a call without arguments.
        if text.trim().is_empty() {
            self.bytes.calls += 2;
            return Json::Object(Vec::new());
        }
        match json::parse(text.as_bytes(), &json::Limits::default()) {
            Ok(input) => {
                self.bytes.calls += byte_length(Some(&input));
                input
            }
            Err(error) => {
                let reason = error.to_string();
                self.bytes.calls += written_bytes(&text) + written_bytes(&reason);
                self.unread.insert(self.parts.len(), reason);
                Json::String(text)
            }
        }
    }

    fn warn(&mut self, message: String) {
        if self.warnings.len() >= WARNINGS {
            return;
        }
        let message: String = message.chars().take(WARNING_CHARACTERS).collect();
        if self.warnings.contains(&message) {
            return;
        }
        self.bytes.warnings += written_bytes(&message);
        self.warnings.push(message);
    }

    fn delta(&mut self, is_text: bool, id: String, delta: String, metadata: Option<Json>) {
        let place = *self.places.entry((is_text, id)).or_insert(self.parts.len());
        if let Some(Part::Text { text, metadata: kept } | Part::Reasoning { text, metadata: kept }) =
            self.parts.get_mut(place)
        {
            text.push_str(&delta);
            // Providers send what must be replayed (a signature, say) with the last delta, and some send it with each.
            if metadata.is_some() && metadata != *kept {
                self.bytes.metadata -= byte_length(kept.as_ref());
                self.bytes.metadata += byte_length(metadata.as_ref());
                *kept = metadata;
            }
            return;
        }
        self.bytes.metadata += byte_length(metadata.as_ref());
        self.parts.push(if is_text {
            Part::Text { text: delta, metadata }
        } else {
            Part::Reasoning { text: delta, metadata }
        });
    }
}

impl Bytes {
    pub(super) fn sum(self) -> usize {
        self.text + self.reasoning + self.calls + self.opaque + self.metadata + self.warnings
    }
}

fn byte_length(value: Option<&Json>) -> usize {
    value.map_or(0, |value| json::write(value).len())
}

/// The bytes of a text within JSON, without its quotes.
fn written_bytes(text: &str) -> usize {
    let bytes = text.bytes().map(|byte| match byte {
        b'"' | b'\\' | b'\n' | b'\r' | b'\t' | 0x08 | 0x0c => 2,
        0..0x20 => 6,
        _ => 1,
    });
    bytes.sum()
}

fn too_many_events() -> String {
    format!(
        "The model's answer came in too many events: at most {EVENTS_BYTES} bytes (64 MiB), where each counts {EVENT_COST} \
         besides its own. Put more into each delta."
    )
}

#[cfg(test)]
mod tests {
    use super::{ANSWER_BYTES, Collected, EVENTS_BYTES, PARTS, Part, WARNINGS};

    fn deltas(ids: impl Iterator<Item = usize>, delta: &str) -> String {
        let events = ids.map(|id| format!("{{\"type\":\"text.delta\",\"id\":\"{id}\",\"delta\":\"{delta}\"}}"));
        format!("[{}]", events.collect::<Vec<_>>().join(","))
    }

    #[test]
    fn parts_are_bounded_and_found_by_their_ids() {
        let mut collected = Collected::default();
        for _ in 0..3 {
            collected.take(deltas(0..PARTS, "x").as_bytes()).unwrap();
        }
        collected.take(br#"[{"type":"reasoning.delta","id":"0","delta":"y"}]"#).unwrap_err();
        assert_eq!(collected.parts.len(), PARTS + 1, "a reasoning is another part than the text of the same id");
        assert!(matches!(&collected.parts[7], Part::Text { text, .. } if text == "xxx"));
        let told = Collected::default().take(deltas(0..PARTS + 1, "").as_bytes()).unwrap_err();
        assert_eq!(told, "The model's answer has more than 1024 parts. Give all deltas of one text the same id.");
        let opaque = vec![r#"{"type":"opaque","provider":"p","data":null}"#; PARTS + 1].join(",");
        assert_eq!(Collected::default().take(format!("[{opaque}]").as_bytes()), Err(told));
    }

    #[test]
    fn empty_deltas_count() {
        let mut collected = Collected { event_bytes: EVENTS_BYTES - 1_000_000, ..Collected::default() };
        let (one, many) = (deltas(0..1, ""), deltas(std::iter::repeat_n(0, 15_000), ""));
        assert!(many.len() < 1_000_000, "so their bytes alone fit");
        assert_eq!(collected.take(one.as_bytes()), Ok((String::new(), String::new())));
        assert!(collected.take(many.as_bytes()).unwrap_err().contains("too many events"));
    }

    #[test]
    fn metadata_counts_by_what_is_kept_however_often_it_is_sent() {
        let metadata = format!("{{\"signature\":\"{}\"}}", "s".repeat(1500));
        let event = format!(r#"{{"type":"reasoning.delta","id":"r","delta":"hello","metadata":{metadata}}}"#);
        let mut collected = Collected::default();
        for _ in 0..30 {
            collected.take(format!("[{}]", vec![event.as_str(); 100].join(",")).as_bytes()).unwrap();
        }
        assert_eq!((collected.bytes.metadata, collected.bytes.reasoning), (metadata.len(), 15_000));
        for size in [10, 4000, 1] {
            let metadata = "m".repeat(size);
            let event = format!(r#"[{{"type":"reasoning.delta","id":"r","delta":"","metadata":"{metadata}"}}]"#);
            collected.take(event.as_bytes()).unwrap();
            assert_eq!(collected.bytes.metadata, size + 2, "what takes its place is counted, and nothing else");
        }
    }

    #[test]
    fn an_exceeded_limit_says_what_exceeds_it() {
        let large = "x".repeat(ANSWER_BYTES);
        for (event, what) in [
            (format!(r#"{{"type":"text.delta","id":"t","delta":"{large}!"}}"#), "text 4194305"),
            (format!(r#"{{"type":"tool.call","callId":"{large}","tool":"t","input":"{{}}"}}"#), "calls 4194307"),
            (format!(r#"{{"type":"opaque","provider":"p","data":"{large}"}}"#), "opaque parts 4194307"),
            (format!(r#"{{"type":"reasoning.delta","id":"t","delta":"","metadata":"{large}"}}"#), "metadata 4194306"),
        ] {
            let told = Collected::default().take(format!("[{event}]").as_bytes()).unwrap_err();
            assert!(told.contains("more than 4194304 bytes") && told.contains(what), "{told}");
        }
        // A message has its size as JSON, and a thread takes as much.
        let told = Collected::default().take(deltas(0..1, &"\\n".repeat(ANSWER_BYTES / 2 + 1)).as_bytes());
        assert!(told.unwrap_err().contains("text 4194306"));
    }

    #[test]
    fn arguments_are_read_or_kept_with_the_reason_why_not() {
        for (input, reason) in [
            (r#"{\"a\":"#, "EOF"),
            (r#"{\"a\":1,\"a\":2}"#, "duplicate key"),
            (r#"{\"a\":1e400}"#, "out of range"),
            (r#"{\"a\":\"\\ud800\"}"#, "hex escape"),
            (r#"{\"__proto__\":1}"#, "__proto__"),
            ("not JSON", "expected"),
        ] {
            let mut collected = Collected::default();
            let event = format!(r#"[{{"type":"tool.call","callId":"c","tool":"t","input":"{input}"}}]"#);
            collected.take(event.as_bytes()).unwrap();
            let told = &collected.unread[&0];
            assert!(told.contains(reason), "{input}: {told}");
        }
    }

    #[test]
    fn warnings_are_bounded_and_unique() {
        let events: Vec<String> =
            (0..100).map(|at| format!(r#"{{"type":"warning","message":"{}"}}"#, at / 2)).collect();
        let mut collected = Collected::default();
        collected.take(format!("[{}]", events.join(",")).as_bytes()).unwrap();
        assert_eq!(collected.warnings, (0..WARNINGS).map(|at| at.to_string()).collect::<Vec<_>>());
    }
}
