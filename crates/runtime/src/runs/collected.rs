//! A model's answer as it comes in, event by event, and how much of it is taken.

use std::collections::HashMap;

use bailiwick_model::json::{self, Json};

use super::usage::TokenUsage;

/// The largest answer of a model in bytes of its text, reasoning, inputs and metadata.
pub(super) const ANSWER_BYTES: usize = 4 << 20;
/// The most bytes of events that it may come in: small deltas are many times larger than what is in them.
const EVENTS_BYTES: usize = 64 << 20;
/// What an event costs besides its bytes, however little is in it.
const EVENT_COST: usize = 64;
/// The most tools that are called in one answer.
const CALLS: usize = 128;
/// The most parts of an answer: calls, and texts and reasonings with ids of their own.
const PARTS: usize = 1024;

/// A message as it comes in.
#[derive(Default)]
pub(super) struct Collected {
    pub(super) message_id: String,
    pub(super) parts: Vec<Part>,
    /// Where the texts and the reasonings are among them, by whether it is a text and by the id of its deltas.
    places: HashMap<(bool, String), usize>,
    calls: usize,
    pub(super) finish: Option<Finish>,
    /// Of what is kept of it.
    pub(super) bytes: usize,
    /// Of the events that it came in.
    event_bytes: usize,
}

/// A part of it.
pub(super) enum Part {
    Text { text: String, metadata: Option<Json> },
    Reasoning { text: String, metadata: Option<Json> },
    Call { call_id: String, tool: String, input: String, metadata: Option<Json> },
}

/// How it ended.
pub(super) struct Finish {
    pub(super) reason: String,
    pub(super) usage: TokenUsage,
}

impl Collected {
    /// Nothing of a message yet.
    pub(super) fn new(message_id: String) -> Self {
        Self { message_id, ..Self::default() }
    }

    /// Takes events in, a JSON array. Returns what came of text and reasoning.
    ///
    /// # Errors
    /// What is wrong with them, as a text for whoever wrote the model.
    pub(super) fn take(&mut self, text: &[u8]) -> Result<(String, String), String> {
        self.event_bytes = self.event_bytes.saturating_add(text.len());
        if self.event_bytes > EVENTS_BYTES {
            return Err(too_many_events());
        }
        let events = match json::parse(text, &json::Limits::default()) {
            Ok(Json::Array(events)) => events,
            _ => return Err(no_event()),
        };
        self.event_bytes = self.event_bytes.saturating_add(events.len().saturating_mul(EVENT_COST));
        if self.event_bytes > EVENTS_BYTES {
            return Err(too_many_events());
        }
        let mut more = (String::new(), String::new());
        for event in events {
            self.event(&event, &mut more).ok_or_else(no_event)?;
            if self.bytes > ANSWER_BYTES {
                return Err(format!(
                    "The model's answer has more than {ANSWER_BYTES} bytes (4 MiB) of text, reasoning, inputs and \
                     metadata. Ask it for less at once."
                ));
            }
            if self.parts.len() > PARTS {
                return Err(format!(
                    "The model's answer has more than {PARTS} parts. Give all deltas of one text the same id."
                ));
            }
        }
        Ok(more)
    }

    /// Takes one event in. `None` if it is none, or not here.
    fn event(&mut self, event: &Json, (more_text, more_reasoning): &mut (String, String)) -> Option<()> {
        if self.finish.is_some() {
            return None;
        }
        let kind = event.get("type")?.as_str()?;
        let metadata = event.get("metadata").cloned();
        self.bytes += metadata.as_ref().map_or(0, |metadata| json::write(metadata).len());
        match kind {
            "text.delta" | "reasoning.delta" => {
                let (id, delta) = (event.get("id")?.as_str()?, event.get("delta")?.as_str()?);
                let is_text = kind == "text.delta";
                self.bytes += delta.len();
                if is_text {
                    more_text.push_str(delta)
                } else {
                    more_reasoning.push_str(delta)
                }
                self.delta(is_text, id, delta, metadata);
            }
            "tool.call" => {
                let text = |key: &str| event.get(key)?.as_str().map(str::to_owned);
                let (call_id, tool, input) = (text("callId")?, text("tool")?, text("input")?);
                if !(1..=128).contains(&call_id.len())
                    || !bailiwick_model::names::is_tool_name(&tool)
                    || self.calls >= CALLS
                {
                    return None;
                }
                self.calls += 1;
                self.bytes += input.len();
                self.parts.push(Part::Call { call_id, tool, input, metadata });
            }
            "finish" => {
                let reason = event.get("reason")?.as_str()?;
                if !["stop", "length", "tool-calls", "content-filter", "other"].contains(&reason) {
                    return None;
                }
                let usage = TokenUsage::read(event.get("usage")?)?;
                self.finish = Some(Finish { reason: reason.to_owned(), usage });
            }
            _ => return None,
        }
        Some(())
    }

    fn delta(&mut self, is_text: bool, id: &str, delta: &str, metadata: Option<Json>) {
        let place = *self.places.entry((is_text, id.to_owned())).or_insert(self.parts.len());
        if let Some(Part::Text { text, metadata: kept } | Part::Reasoning { text, metadata: kept }) =
            self.parts.get_mut(place)
        {
            text.push_str(delta);
            // Providers send what must be replayed (a signature, say) with the last delta.
            if metadata.is_some() {
                *kept = metadata;
            }
            return;
        }
        let text = delta.to_owned();
        self.parts.push(if is_text { Part::Text { text, metadata } } else { Part::Reasoning { text, metadata } });
    }
}

fn no_event() -> String {
    format!("The model answered something that is not a ModelEvent, or called more than {CALLS} tools.")
}

fn too_many_events() -> String {
    format!(
        "The model's answer came in too many events: at most {EVENTS_BYTES} bytes (64 MiB), where each counts {EVENT_COST} \
         besides its own. Put more into each delta."
    )
}

#[cfg(test)]
mod tests {
    use super::{Collected, EVENTS_BYTES, PARTS, Part};

    fn deltas(ids: impl Iterator<Item = usize>, delta: &str) -> String {
        let events = ids.map(|id| format!("{{\"type\":\"text.delta\",\"id\":\"{id}\",\"delta\":\"{delta}\"}}"));
        format!("[{}]", events.collect::<Vec<_>>().join(","))
    }

    #[test]
    fn s7_parts_are_bounded_and_found_by_their_ids() {
        let mut collected = Collected::default();
        for _ in 0..3 {
            collected.take(deltas(0..PARTS, "x").as_bytes()).unwrap();
        }
        collected.take(br#"[{"type":"reasoning.delta","id":"0","delta":"y"}]"#).unwrap_err();
        assert_eq!(collected.parts.len(), PARTS + 1, "a reasoning is another part than the text of the same id");
        assert!(matches!(&collected.parts[7], Part::Text { text, .. } if text == "xxx"));
        let told = Collected::default().take(deltas(0..PARTS + 1, "").as_bytes()).unwrap_err();
        assert_eq!(told, "The model's answer has more than 1024 parts. Give all deltas of one text the same id.");
    }

    #[test]
    fn s7_empty_deltas_count() {
        let mut collected = Collected { event_bytes: EVENTS_BYTES - 1_000_000, ..Collected::default() };
        let (one, many) = (deltas(0..1, ""), deltas(std::iter::repeat_n(0, 15_000), ""));
        assert!(many.len() < 1_000_000, "so their bytes alone fit");
        assert_eq!(collected.take(one.as_bytes()), Ok((String::new(), String::new())));
        assert!(collected.take(many.as_bytes()).unwrap_err().contains("too many events"));
    }
}
