//! Which of the calls that wait is started next, and how many are being started at the same time.
//!
//! A few *starters* take calls one after the other. What they take is chosen when they are free, in turn between lanes,
//! so that a lane with thousands of calls has no more of them than any other. And no lane has all of them: a call that
//! takes long cannot keep the calls of others from being started.

use std::collections::HashMap;
use std::hash::Hash;

use crate::turns::Turns;

/// See the module.
#[derive(Debug)]
pub struct Starts<K, T> {
    turns: Turns<K, T>,
    /// How many calls of a lane are being started.
    starting: HashMap<K, usize>,
    starters: usize,
    most: usize,
}

impl<K: Copy + Eq + Hash, T> Starts<K, T> {
    /// At most so many starters at the same time; a turn is worth `quantum`.
    pub fn new(most: usize, quantum: u64) -> Self {
        Self { turns: Turns::new(quantum), starting: HashMap::new(), starters: 0, most: most.max(1) }
    }

    /// Adds a call. Whether one more starter is needed: it then calls [`Starts::next`] until there is nothing for it.
    #[must_use]
    pub fn push(&mut self, lane: K, cost: u64, call: T) -> bool {
        self.turns.push(lane, cost, call);
        let is_needed = self.starters < self.most;
        self.starters += usize::from(is_needed);
        is_needed
    }

    /// The next call for a starter, which says whose call it has started before. `None`: this starter ends.
    pub fn next(&mut self, started: Option<K>) -> Option<(K, T)> {
        if let Some(lane) = started {
            self.has_started(lane);
        }
        let most_of_one = self.most.saturating_sub(1).max(1);
        for _ in 0..self.turns.lines() {
            let Some((lane, _, _)) = self.turns.peek() else { break };
            if self.starting.get(&lane).is_none_or(|starting| *starting < most_of_one) {
                *self.starting.entry(lane).or_default() += 1;
                return self.turns.pop();
            }
            self.turns.pass();
        }
        self.starters = self.starters.saturating_sub(1);
        None
    }

    fn has_started(&mut self, lane: K) {
        if let Some(starting) = self.starting.get_mut(&lane) {
            *starting = starting.saturating_sub(1);
            if *starting == 0 {
                self.starting.remove(&lane);
            }
        }
    }
}
