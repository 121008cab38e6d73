//! A message that a model writes, and how followers see it grow: as deltas, cut from the message at each follower's own
//! position.

use bailiwick_model::json;
use serde::Serialize;

use super::RunPage;
use crate::runs::events::{Entry, Event, Part, reasoning_of, text_of};
use crate::runs::state::message_place;

/// A message that a model writes, or has written.
#[derive(Debug, Clone, Default)]
pub(crate) struct Writing {
    pub(crate) run_id: String,
    pub(crate) agent: String,
    pub(crate) message_id: String,
    pub(crate) at: u64,
    pub(crate) text: Growing,
    pub(crate) reasoning: Growing,
}

/// A text that grows, and that followers have seen some of.
#[derive(Debug, Clone, Default)]
pub(crate) struct Growing {
    text: String,
    /// Its length in UTF-16 units.
    units: u64,
}

/// A `text.delta`, `reasoning.delta` or `message.discarded`, which no journal has.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Delta<'a> {
    #[serde(rename = "type")]
    kind: &'static str,
    run_id: &'a str,
    at: u64,
    agent: &'a str,
    message_id: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    delta: Option<&'a str>,
    /// In UTF-16 units.
    #[serde(skip_serializing_if = "Option::is_none")]
    offset: Option<u64>,
    after: u64,
}

impl Writing {
    /// The message that an entry completes, or that the end which it is cut off.
    pub(crate) fn of(run_id: &str, entry: &Entry) -> Option<Self> {
        let (agent, message_id, parts): (_, _, &[Part]) = match (&entry.event, entry.event.cut_off()) {
            (Event::ModelCompleted(_, answer), _) => (entry.agent.as_ref()?, &answer.message_id, &answer.parts),
            (Event::AgentCompleted(_, answer), _) => (entry.agent.as_ref()?, answer.takes_back.as_ref()?, &[]),
            (_, Some(cut_off)) => {
                let said = cut_off.broken_off.as_ref()?;
                (&said.agent, &said.message_id, &said.parts)
            }
            _ => return None,
        };
        Some(Self {
            run_id: run_id.to_owned(),
            agent: agent.clone(),
            message_id: message_id.clone(),
            at: entry.at,
            text: Growing::of(text_of(parts)),
            reasoning: Growing::of(reasoning_of(parts)),
        })
    }

    /// The bytes of its text and reasoning.
    pub(super) fn byte_length(&self) -> usize {
        self.text.text.len() + self.reasoning.text.len()
    }

    /// The bytes that a follower at these places has not seen.
    pub(super) fn unseen(&self, text: u64, reasoning: u64) -> usize {
        self.text.after(text).len() + self.reasoning.after(reasoning).len()
    }

    /// Adds what a follower has not seen of it.
    pub(super) fn show(&self, after: u64, page: &mut RunPage) {
        if page.position.message_id != self.message_id {
            let seen = std::mem::replace(&mut page.position.message_id, self.message_id.clone());
            if self.takes_the_place_of(&seen) {
                page.events.push(json::to_text(&self.delta("message.discarded", &seen, after)));
            }
            (page.position.text, page.position.reasoning) = (0, 0);
        }
        let parts = [
            ("reasoning.delta", &self.reasoning, &mut page.position.reasoning),
            ("text.delta", &self.text, &mut page.position.text),
        ];
        for (kind, whole, seen) in parts {
            let delta = whole.after(*seen);
            if delta.is_empty() {
                continue;
            }
            let event = Delta { delta: Some(delta), offset: Some(*seen), ..self.delta(kind, &self.message_id, after) };
            page.events.push(json::to_text(&event));
            *seen += delta.encode_utf16().count() as u64;
        }
    }

    fn delta<'a>(&'a self, kind: &'static str, message_id: &'a str, after: u64) -> Delta<'a> {
        let (run_id, at, agent) = (self.run_id.as_str(), self.at, self.agent.as_str());
        Delta { kind, run_id, at, agent, message_id, delta: None, offset: None, after }
    }

    /// Whether this is written anew for the message that a follower has seen some of.
    fn takes_the_place_of(&self, seen: &str) -> bool {
        let place = message_place(&self.run_id, &self.message_id);
        place.is_some() && message_place(&self.run_id, seen) == place
    }
}

impl Growing {
    fn of(text: String) -> Self {
        let units = text.encode_utf16().count() as u64;
        Self { text, units }
    }

    pub(super) fn push(&mut self, more: &str) {
        self.text.push_str(more);
        self.units += more.encode_utf16().count() as u64;
    }

    /// The rest behind this many UTF-16 units. The search begins at the end, so it takes time in what is new.
    fn after(&self, seen: u64) -> &str {
        let mut left = self.units.saturating_sub(seen);
        let mut begin = self.text.len();
        for (at, character) in self.text.char_indices().rev() {
            let Some(rest) = left.checked_sub(character.len_utf16() as u64).filter(|_| left > 0) else { break };
            (left, begin) = (rest, at);
        }
        self.text.get(begin..).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::Growing;

    #[test]
    fn a_follower_continues_between_whole_characters() {
        let mut said = Growing::of("a😀".to_owned());
        said.push("b");
        let expected = ["a😀b", "😀b", "b", "b", "", ""];
        for (seen, rest) in (0..).zip(expected) {
            assert_eq!(said.after(seen), rest, "after {seen}");
        }
        assert_eq!(Growing::default().after(9), "");
    }
}
