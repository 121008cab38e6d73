//! What runs at work in this process have committed lately, for those who follow all of a tenant's events. It is kept
//! from when somebody first follows, and bounded: whoever falls behind it goes on with what is left. Every run's journal has
//! all of it.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};

use bailiwick_model::Result;
use tokio::sync::watch;

/// How many bytes of events are kept, at least the last one.
const MOST_BYTES: usize = 256 << 10;

/// See the module's text.
#[derive(Default)]
pub(crate) struct Feed {
    state: Mutex<State>,
    /// Changed with every event.
    pub(crate) added: watch::Sender<u64>,
}

#[derive(Default)]
struct State {
    is_followed: bool,
    events: VecDeque<String>,
    bytes: usize,
    /// The number of the first event that is kept.
    first: u64,
}

impl Feed {
    /// The number of the next event. From now on events are kept.
    pub(crate) fn follow(&self) -> u64 {
        let mut state = self.state();
        state.is_followed = true;
        state.first + state.events.len() as u64
    }

    /// Takes events in, oldest first.
    pub(crate) fn add<'a>(&self, events: impl Iterator<Item = &'a str>) {
        let mut state = self.state();
        if !state.is_followed {
            return;
        }
        for event in events {
            state.bytes += event.len();
            state.events.push_back(event.to_owned());
            while state.bytes > MOST_BYTES && state.events.len() > 1 {
                state.bytes -= state.events.pop_front().map_or(0, |oldest| oldest.len());
                state.first += 1;
            }
        }
        drop(state);
        self.added.send_modify(|count| *count = count.wrapping_add(1));
    }

    /// The events from a number on that are kept, and the number of the one after them. `reserve` is asked for their bytes
    /// first.
    ///
    /// # Errors
    /// What `reserve` says.
    pub(crate) fn after(&self, number: u64, reserve: &dyn Fn(u64) -> Result<()>) -> Result<(Vec<String>, u64)> {
        let state = self.state();
        let skipped = usize::try_from(number.saturating_sub(state.first)).unwrap_or(usize::MAX);
        let events = || state.events.iter().skip(skipped);
        reserve(events().map(|event| event.len() as u64).sum())?;
        Ok((events().cloned().collect(), state.first + state.events.len() as u64))
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::{Feed, MOST_BYTES};

    #[test]
    fn a_feed_keeps_events_from_the_first_follower_on_up_to_its_bound() {
        let feed = Feed::default();
        let after = |number| feed.after(number, &|_| Ok(())).unwrap();
        feed.add(["before"].into_iter());
        assert_eq!((feed.follow(), after(0)), (0, (vec![], 0)));
        feed.add(["a", "b"].into_iter());
        assert_eq!(after(1), (vec!["b".to_owned()], 2));
        assert_eq!(after(2), (vec![], 2));
        let large = "x".repeat(MOST_BYTES);
        feed.add([large.as_str(), "c"].into_iter());
        assert_eq!(after(0), (vec!["c".to_owned()], 4));
        assert_eq!(feed.follow(), 4);
    }
}
