//! Decides which waiting call is started next, and limits how many are started at the same time.
//!
//! A few *starters* take calls one after the other. The next call is chosen when a starter is free, in turn between
//! queue keys, so that thousands of calls under one key do not delay another key's. No key has all starters: a call
//! that takes long cannot keep the calls of others from being started. The heavy calls of all keys together have only
//! some of the starters; the rest is kept for small calls.

use std::collections::HashMap;
use std::hash::Hash;

use crate::fair_queue::FairQueue;

/// The time for which a call occupies a starter.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Weight {
    /// At most `pace::PIECE` bytes of work.
    Small,
    /// More than that, or the rest of a call that asked for another turn.
    Heavy,
}

/// See the module.
#[derive(Debug)]
pub struct Dispatcher<K, T> {
    small: FairQueue<K, T>,
    heavy: FairQueue<K, T>,
    /// The calls of each key that are being started.
    starting: HashMap<K, usize>,
    heavy_starting: usize,
    starters: usize,
    most: usize,
    most_heavy: usize,
}

impl<K: Copy + Eq + Hash, T> Dispatcher<K, T> {
    /// Allows at most `most` starters at the same time, at most `most_heavy` of them with heavy calls; a turn is worth
    /// `quantum`.
    pub fn new(most: usize, most_heavy: usize, quantum: u64) -> Self {
        let most = most.max(1);
        Self {
            small: FairQueue::new(quantum),
            heavy: FairQueue::new(quantum),
            starting: HashMap::new(),
            heavy_starting: 0,
            starters: 0,
            most,
            most_heavy: most_heavy.clamp(1, (most - 1).max(1)),
        }
    }

    /// Adds a call. Returns whether one more starter is needed, which then calls [`Dispatcher::next`] until it returns
    /// `None`.
    #[must_use]
    pub fn push(&mut self, lane: K, weight: Weight, cost: u64, call: T) -> bool {
        match weight {
            Weight::Small => self.small.push(lane, cost, call),
            Weight::Heavy => self.heavy.push(lane, cost, call),
        }
        let is_needed = self.starters < self.most;
        self.starters += usize::from(is_needed);
        is_needed
    }

    /// Returns the next call for a starter, which says what it started before. `None`: this starter ends.
    pub fn next(&mut self, started: Option<(K, Weight)>) -> Option<(K, Weight, T)> {
        if let Some((lane, weight)) = started {
            self.has_started(lane, weight);
        }
        let next = self.next_heavy().or_else(|| self.next_small());
        match &next {
            Some((lane, weight, _)) => {
                *self.starting.entry(*lane).or_default() += 1;
                self.heavy_starting += usize::from(*weight == Weight::Heavy);
            }
            None => self.starters = self.starters.saturating_sub(1),
        }
        next
    }

    /// Returns whether one more starter is needed after all. Call it after [`Dispatcher::next`]: a limit may have kept
    /// a call from starters that have ended.
    #[must_use]
    pub fn needs_another(&mut self) -> bool {
        let is_needed = self.starters < self.most && (self.may_start_heavy() || self.small.any(|lane| self.may(lane)));
        self.starters += usize::from(is_needed);
        is_needed
    }

    fn may_start_heavy(&self) -> bool {
        self.heavy_starting < self.most_heavy && !self.heavy.is_empty()
    }

    /// Returns whether one more small call of a key may be started.
    fn may(&self, lane: &K) -> bool {
        self.starting.get(lane).is_none_or(|starting| *starting < self.most_of_one())
    }

    fn most_of_one(&self) -> usize {
        self.most.saturating_sub(1).max(1)
    }

    /// Heavy calls first, because few run at a time: small ones have other starters.
    fn next_heavy(&mut self) -> Option<(K, Weight, T)> {
        if !self.may_start_heavy() {
            return None;
        }
        self.heavy.pop().map(|(lane, call)| (lane, Weight::Heavy, call))
    }

    fn next_small(&mut self) -> Option<(K, Weight, T)> {
        let (most_of_one, starting) = (self.most_of_one(), &self.starting);
        let may = |lane: &K| starting.get(lane).is_none_or(|starting| *starting < most_of_one);
        self.small.pop_if(may).map(|(lane, call)| (lane, Weight::Small, call))
    }

    fn has_started(&mut self, lane: K, weight: Weight) {
        self.heavy_starting = self.heavy_starting.saturating_sub(usize::from(weight == Weight::Heavy));
        if let Some(starting) = self.starting.get_mut(&lane) {
            *starting = starting.saturating_sub(1);
            if *starting == 0 {
                self.starting.remove(&lane);
            }
        }
    }
}
