//! How far the calls of a run are, as their handlers say: of each the last that it said, for followers that have not seen it.

use std::sync::atomic::{AtomicU64, Ordering};

use bailiwick_model::json::{self, Json};
use serde::Serialize;

use super::RunPage;

/// The number of the last progress of any run in this process.
static LAST: AtomicU64 = AtomicU64::new(0);

/// See the module's text.
#[derive(Default)]
pub(super) struct Progresses(Vec<Progress>);

struct Progress {
    /// Grows with each progress in this process: a follower has seen those up to a number.
    number: u64,
    call_id: String,
    event: String,
}

/// A `tool.progress`, which no journal has.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Shown<'a> {
    #[serde(rename = "type")]
    pub(super) kind: &'static str,
    pub(super) run_id: &'a str,
    pub(super) at: u64,
    pub(super) agent: &'a str,
    pub(super) call_id: &'a str,
    pub(super) value: &'a Json,
    pub(super) after: u64,
}

impl Progresses {
    /// Takes the place of what the call said before.
    pub(super) fn set(&mut self, shown: &Shown<'_>) {
        self.0.retain(|progress| progress.call_id != shown.call_id);
        let number = LAST.fetch_add(1, Ordering::Relaxed) + 1;
        self.0.push(Progress { number, call_id: shown.call_id.to_owned(), event: json::to_text(shown) });
    }

    pub(super) fn clear(&mut self) {
        self.0.clear();
    }

    /// The bytes that a follower who has seen those up to a number has not seen.
    pub(super) fn unseen(&self, seen: u64) -> usize {
        self.0.iter().filter(|progress| progress.number > seen).map(|progress| progress.event.len()).sum()
    }

    /// Adds what a follower has not seen.
    pub(super) fn show(&self, page: &mut RunPage) {
        let seen = page.position.progress;
        for progress in self.0.iter().filter(|progress| progress.number > seen) {
            page.events.push(progress.event.clone());
            page.position.progress = page.position.progress.max(progress.number);
        }
    }
}
