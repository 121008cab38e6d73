//! Where a conversation is folded.

use super::BYTES_A_TOKEN;

/// How many of the last messages stay, and how large they may be together, in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Budget {
    /// The most that is sent.
    pub(crate) room: usize,
    /// How many messages stay if they fit into the room.
    pub(crate) keep: usize,
}

impl Budget {
    /// Returns the budget of an agent's messages. `beside`: the bytes of the system prompt and the tools, which take at most half.
    pub(crate) fn new(max_tokens: u64, keep: u64, beside: usize) -> Self {
        let all = usize::try_from(max_tokens.saturating_mul(BYTES_A_TOKEN)).unwrap_or(usize::MAX);
        Self { room: all - beside.min(all / 2), keep: usize::try_from(keep).unwrap_or(usize::MAX) }
    }

    /// The same for a provider that counts `counted` tokens where the estimate is `estimated`: less room if it counts more.
    pub(crate) fn scaled(self, counted: u64, estimated: u64) -> Self {
        let (counted, estimated) = (u128::from(counted.max(1)), u128::from(estimated.max(1)));
        let room = if counted > estimated { (self.room as u128) * estimated / counted } else { self.room as u128 };
        Self { room: usize::try_from(room).unwrap_or(self.room), ..self }
    }

    /// What is left of the room after a fold, so that the next one is not due at once: half of it.
    pub(crate) fn target(self) -> usize {
        (self.room - self.outline()) / 2
    }

    /// The most bytes of an outline.
    pub(crate) fn outline(self) -> usize {
        (self.room / 4).min(8 << 10)
    }

    /// The most bytes of one message, which is shown by its beginning if it has more.
    pub(crate) fn largest(self) -> usize {
        self.room / 8
    }
}

/// Returns how many of `length` messages are folded. `size`: the bytes that a message is sent with; `begins`: whether a fold may
/// end before it.
pub(crate) fn cut(
    budget: Budget,
    length: usize,
    mut size: impl FnMut(usize) -> usize,
    mut begins: impl FnMut(usize) -> bool,
) -> usize {
    let room = budget.room - budget.outline();
    let (mut total, mut in_target, mut kept, mut last) = (0usize, None, None, None);
    for at in (0..length).rev() {
        total = total.saturating_add(size(at));
        if total > room {
            break;
        }
        if at > 0 && !begins(at) {
            continue;
        }
        last = last.or(Some(at));
        if total <= budget.target() {
            in_target = Some(at);
        }
        if kept.is_none() && length - at >= budget.keep {
            kept = Some(at);
        }
    }
    let is_enough = |at: &usize| length - at >= budget.keep;
    in_target.filter(is_enough).or(kept).or(in_target).or(last).unwrap_or(length)
}
