//! The fold of the oldest messages of a conversation: what is counted of them, and the outline that a model is sent.

use std::collections::VecDeque;
use std::fmt::Write;

use bailiwick_model::json;
use serde::{Deserialize, Serialize};

use super::short::escaped_beginning;
use super::{Glance, RECALL, beginning, tokens};

/// The most lines of messages that are kept, and of users' among them. The newest are kept.
const LINES: usize = 40;
const USERS_LINES: usize = 20;
/// The most tools that are counted by name.
const TOOLS: usize = 64;

/// About how many bytes an outline has besides its lines, with the message around it.
const AROUND: usize = 180;

/// Returns the bytes of a text as it is written in JSON.
fn escaped(text: &str) -> usize {
    json::to_text(text).len()
}

/// What stands for the oldest messages of a conversation. Folding more messages into it gives the same as folding all of them at
/// once.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Fold {
    /// The position behind its last message: in a thread, or of those of an agent that was called.
    pub(crate) until: u64,
    /// The ids of its first and its last message.
    pub(crate) from: String,
    pub(crate) to: String,
    /// The bytes of its messages together.
    pub(crate) bytes: u64,
    /// How many messages are of users, of models and of tools.
    pub(crate) users: u64,
    pub(crate) assistants: u64,
    pub(crate) tools: u64,
    /// How often each tool was called, in the order of their first calls.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) calls: Vec<(String, u64)>,
    /// How often others were called, if there are too many names.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub(crate) other_calls: u64,
    /// The first lines of its last messages.
    lines: VecDeque<Line>,
    /// What a model wrote of its messages before the position `summarised`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    summary: Option<String>,
    #[serde(default, skip_serializing_if = "is_zero")]
    summarised: u64,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Line {
    id: String,
    role: String,
    text: String,
}

fn is_zero(number: &u64) -> bool {
    *number == 0
}

impl Fold {
    /// Returns how many messages it stands for.
    pub(crate) fn messages(&self) -> u64 {
        self.users + self.assistants + self.tools
    }

    /// Returns about how many tokens its messages have.
    pub(crate) fn tokens(&self) -> u64 {
        tokens(self.bytes)
    }

    /// Returns about how many bytes it is written with.
    pub(crate) fn weight(&self) -> u64 {
        let calls: usize = self.calls.iter().map(|(name, _)| name.len() + 8).sum();
        let lines: usize = self.lines.iter().map(|line| line.id.len() + line.text.len() + 32).sum();
        (calls + lines + self.summary.as_ref().map_or(0, String::len)) as u64
    }

    /// Whether a summary says what all of its messages have.
    pub(crate) fn is_summarised(&self) -> bool {
        self.summary.is_some() && self.summarised == self.until
    }

    /// Sets the summary of all of its messages.
    pub(crate) fn summarise(&mut self, summary: String) {
        (self.summary, self.summarised) = (Some(summary), self.until);
    }

    /// Folds the next message. A summary says nothing of it, and stays the one of those before.
    pub(crate) fn add(&mut self, position: u64, message: Glance) {
        if self.messages() == 0 {
            self.from.clone_from(&message.id);
        }
        self.until = position + 1;
        self.to.clone_from(&message.id);
        self.bytes += message.bytes;
        match message.role.as_str() {
            "user" => self.users += 1,
            "tool" => self.tools += 1,
            _ => self.assistants += 1,
        }
        for tool in message.calls {
            if let Some((_, count)) = self.calls.iter_mut().find(|(name, _)| *name == tool) {
                *count += 1;
            } else if self.calls.len() < TOOLS {
                self.calls.push((tool, 1));
            } else {
                self.other_calls += 1;
            }
        }
        self.lines.push_back(Line { id: message.id, role: message.role, text: message.line });
        let is_users = |line: &Line| line.role == "user";
        let users = self.lines.iter().filter(|line| is_users(line)).count();
        if self.lines.len() > LINES {
            // What users asked for says more than what came of it.
            let goes = self.lines.iter().position(|line| is_users(line) == (users > USERS_LINES)).unwrap_or(0);
            self.lines.remove(goes);
        }
    }

    /// Writes what stands for its messages, at most about this many bytes: first what there is; then the summary; then, unless that is of
    /// all of them, lines, the newest of them if not all fit.
    pub(crate) fn outline(&self, most: usize, may_recall: bool) -> String {
        let are =
            if self.messages() == 1 { "message of this conversation is" } else { "messages of this conversation are" };
        let mut text = format!("[{} earlier {are} folded", self.messages());
        let _ = write!(text, ", {} to {}", self.from, self.to);
        let _ = write!(text, ": {} user, {} assistant, {} tool.", self.users, self.assistants, self.tools);
        self.write_calls(&mut text, most / 4);
        if may_recall {
            let _ = write!(text, " {RECALL} gives any back, by messageId or text.");
        }
        let rest = most.saturating_sub(escaped(&text) + AROUND);
        if let Some(summary) = &self.summary {
            let is_whole = self.is_summarised();
            text.push_str(if is_whole { " A summary of them:\n" } else { " A summary of those before the last:\n" });
            let shown = escaped_beginning(summary, if is_whole { rest } else { rest / 2 });
            text.push_str(shown);
            text.push_str(if shown.len() < summary.len() { " …" } else { "" });
            text.push_str(if is_whole { "]" } else { "\n" });
            if is_whole {
                return text;
            }
        }
        let rest = most.saturating_sub(escaped(&text) + AROUND);
        let lines = self.shown(rest);
        let left_out = self.messages().saturating_sub(lines.len() as u64);
        if !lines.is_empty() {
            text.push_str(" Their first lines");
            if left_out > 0 {
                let _ = write!(text, ", without those of {left_out}");
            }
            text.push(':');
        }
        text.extend(lines);
        text.push(']');
        text
    }

    /// Returns lines that have at most this many bytes together, in their order: half of them users', as far as there are any, and the
    /// newest of each.
    fn shown(&self, most: usize) -> Vec<String> {
        let lines: Vec<(bool, String)> = self
            .lines
            .iter()
            .map(|Line { id, role, text }| (role == "user", format!("\n- {id} {role}: {text}")))
            .collect();
        let (mut left, mut shown) = (most, vec![false; lines.len()]);
        for (is_users, keep) in [(true, most / 2), (false, 0)] {
            for ((_, line), shown) in lines.iter().zip(&mut shown).rev().filter(|((of, _), _)| *of == is_users) {
                match left.checked_sub(escaped(line)) {
                    Some(rest) if rest >= keep => (left, *shown) = (rest, true),
                    _ => break,
                }
            }
        }
        lines.into_iter().zip(shown).filter_map(|((_, line), shown)| shown.then_some(line)).collect()
    }

    fn write_calls(&self, text: &mut String, most: usize) {
        let (mut others, mut shown) = (self.other_calls, String::new());
        for (name, count) in &self.calls {
            let one = format!("{}{} {count}", if shown.is_empty() { "" } else { ", " }, beginning(name, 64));
            if shown.len() + one.len() > most {
                others += count;
            } else {
                shown.push_str(&one);
            }
        }
        if shown.is_empty() && others == 0 {
            return;
        }
        text.push_str(" Calls: ");
        text.push_str(&shown);
        if others > 0 {
            let _ = write!(text, "{}others {others}", if shown.is_empty() { "" } else { ", " });
        }
        text.push('.');
    }
}
