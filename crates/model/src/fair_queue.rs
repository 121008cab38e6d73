//! A fair queue: deficit round robin (Shreedhar and Varghese, "Efficient fair queueing using deficit round robin", SIGCOMM 1995).
//!
//! Each key has a line, and the lines take turns. In each turn a line gains a *quantum* of credit, which it may spend on the cost
//! of its items. Unspent credit stays for the next turn, and is lost when the line becomes empty. So a small item waits for at most
//! one turn of every other line, however long those are.

use std::collections::{HashMap, VecDeque};
use std::hash::Hash;

/// See the module.
#[derive(Debug)]
pub struct FairQueue<K, T> {
    quantum: u64,
    lines: HashMap<K, Line<T>>,
    /// Every line that has items, in the order of their turns; it is the first one's turn.
    order: VecDeque<K>,
    /// Whether the first line was given its quantum for this turn.
    is_granted: bool,
    turn: u64,
    len: usize,
}

#[derive(Debug)]
struct Line<T> {
    waiting: VecDeque<(u64, T)>,
    /// The credit that it may spend.
    credit: u64,
}

impl<T> Line<T> {
    fn cost(&self) -> u64 {
        self.waiting.front().map_or(0, |(cost, _)| *cost)
    }

    fn can_pay(&self) -> bool {
        self.cost() <= self.credit
    }
}

impl<K: Copy + Eq + Hash, T> FairQueue<K, T> {
    /// Creates an empty queue. Each turn is worth `quantum`, in the unit of the costs.
    pub fn new(quantum: u64) -> Self {
        Self {
            quantum: quantum.max(1),
            lines: HashMap::new(),
            order: VecDeque::new(),
            is_granted: false,
            turn: 0,
            len: 0,
        }
    }

    /// Returns the number of items.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Returns whether the queue is empty.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Returns the number of lines that have items.
    pub fn lines(&self) -> usize {
        self.order.len()
    }

    /// Returns whether `which` holds for any line that has items.
    pub fn any(&self, is_one: impl FnMut(&K) -> bool) -> bool {
        self.order.iter().any(is_one)
    }

    /// Adds an item at the end of a line.
    pub fn push(&mut self, key: K, cost: u64, item: T) {
        let line = self.lines.entry(key).or_insert_with(|| Line { waiting: VecDeque::new(), credit: 0 });
        if line.waiting.is_empty() {
            self.order.push_back(key);
        }
        line.waiting.push_back((cost, item));
        self.len += 1;
    }

    /// Returns the next item, its line, and the number of that line's turn.
    pub fn peek(&mut self) -> Option<(K, u64, &T)> {
        let key = self.settle(|_| true)?;
        let (_, item) = self.lines.get(&key)?.waiting.front()?;
        Some((key, self.turn, item))
    }

    /// Takes the next item.
    pub fn pop(&mut self) -> Option<(K, T)> {
        self.pop_if(|_| true)
    }

    /// Takes the next item of the lines that `may` allows. The others keep their turns and credit.
    pub fn pop_if(&mut self, may: impl Fn(&K) -> bool) -> Option<(K, T)> {
        let key = self.settle(may)?;
        let line = self.lines.get_mut(&key)?;
        let (cost, item) = line.waiting.pop_front()?;
        line.credit = line.credit.saturating_sub(cost);
        self.len = self.len.saturating_sub(1);
        if line.waiting.is_empty() {
            self.lines.remove(&key);
            self.order.pop_front();
            self.is_granted = false;
        }
        Some((key, item))
    }

    /// Takes all items, in no order.
    pub fn drain(&mut self) -> Vec<T> {
        self.order.clear();
        self.is_granted = false;
        self.len = 0;
        self.lines.drain().flat_map(|(_, line)| line.waiting).map(|(_, item)| item).collect()
    }

    /// Moves on to an allowed line whose credit pays for its next item.
    fn settle(&mut self, may: impl Fn(&K) -> bool) -> Option<K> {
        let (mut passed, mut some_may) = (0, false);
        loop {
            let key = *self.order.front()?;
            let line = self.lines.get_mut(&key)?;
            if may(&key) {
                if !self.is_granted {
                    line.credit = line.credit.saturating_add(self.quantum);
                    self.is_granted = true;
                    self.turn = self.turn.wrapping_add(1);
                }
                if line.can_pay() {
                    return Some(key);
                }
                some_may = true;
            } else if self.is_granted {
                line.credit = line.credit.saturating_sub(self.quantum);
            }
            self.end_turn();
            passed += 1;
            if passed == self.order.len() {
                if !some_may {
                    return None;
                }
                self.pass_poor_rounds(&may);
                (passed, some_may) = (0, false);
            }
        }
    }

    fn end_turn(&mut self) {
        if !self.order.is_empty() {
            self.order.rotate_left(1);
        }
        self.is_granted = false;
    }

    /// In a whole round no line could pay. Skips all rounds before the one in which a line can pay.
    fn pass_poor_rounds(&mut self, may: impl Fn(&K) -> bool) {
        let rounds = |line: &Line<T>| line.cost().saturating_sub(line.credit).div_ceil(self.quantum);
        let some = self.lines.iter().filter(|(key, _)| may(key));
        // One less: the last round is gone through turn by turn, so that the order decides.
        let fewest = some.map(|(_, line)| rounds(line)).min().map(|rounds| rounds.saturating_sub(1));
        let Some(fewest) = fewest else { return };
        for (_, line) in self.lines.iter_mut().filter(|(key, _)| may(key)) {
            line.credit = line.credit.saturating_add(fewest.saturating_mul(self.quantum));
        }
    }
}
