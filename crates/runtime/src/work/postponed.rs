//! Runs that could not be taken up: each attempt doubles the time until the next. Known to this process alone, so that another one, or
//! the next, tries at once.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// The first pause in milliseconds.
const FIRST_MS: u64 = 1_000;
/// The longest.
const LONGEST_MS: u64 = 300_000;

/// See the module's text.
#[derive(Default)]
pub(crate) struct Postponed(Mutex<HashMap<String, Pause>>);

struct Pause {
    began: u64,
    length: u64,
}

impl Postponed {
    /// Records an attempt that failed. Returns when the next is to be made, in epoch milliseconds.
    pub(crate) fn failed(&self, run_id: &str, now: u64) -> u64 {
        let mut pauses = self.pauses();
        let length = pauses.get(run_id).map_or(FIRST_MS, |pause| (pause.length * 2).min(LONGEST_MS));
        pauses.insert(run_id.to_owned(), Pause { began: now, length });
        now.saturating_add(length)
    }

    /// Forgets the attempts of a run that was taken up.
    pub(crate) fn taken_up(&self, run_id: &str) {
        self.pauses().remove(run_id);
    }

    /// Whether a run must be left alone at `now`. A clock that went back ends every pause.
    pub(crate) fn is_paused(&self, run_id: &str, now: u64) -> bool {
        self.pauses().get(run_id).is_some_and(|pause| (pause.began..pause.began + pause.length).contains(&now))
    }

    fn pauses(&self) -> MutexGuard<'_, HashMap<String, Pause>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_failure_doubles_the_pause_up_to_five_minutes() {
        let (postponed, mut now) = (Postponed::default(), 5_000);
        for seconds in [1, 2, 4, 8, 16, 32, 64, 128, 256, 300, 300] {
            let next = postponed.failed("run", now);
            assert_eq!(next - now, seconds * 1000);
            assert!(postponed.is_paused("run", now) && postponed.is_paused("run", next - 1));
            assert!(!postponed.is_paused("run", next) && !postponed.is_paused("other", now));
            assert!(!postponed.is_paused("run", now - 1), "the clock has gone back");
            now = next;
        }
        postponed.taken_up("run");
        assert_eq!(postponed.failed("run", now) - now, 1000);
    }
}
