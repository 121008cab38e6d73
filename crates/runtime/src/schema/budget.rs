//! Limits the cost of a check. The library cannot be stopped, and after one false answer its others would be wrong too:
//! a check that has spent its budget unwinds to its caller. No state of the library outlives that.

use std::cell::Cell;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::time::{Duration, Instant};

use bailiwick_model::Json;

/// The most steps of a check: about 10 ms.
const STEPS: u64 = 1_000_000;
/// Further steps for each part of the value.
const STEPS_A_PART: u64 = 64;
/// The usual most steps of a check: hundredths of a millisecond for a small value.
const USUAL_STEPS: u64 = 2_000;
/// Further usual steps for each part of the value.
const USUAL_STEPS_A_PART: u64 = 16;
/// The bytes of text that count as a part.
pub(super) const BYTES_A_PART: usize = 64;
/// The most stack that a check may take: half of a thread's.
const STACK: usize = 1 << 20;
/// The longest time for patterns that backtrack. Their steps are inside the engine, so that they are timed.
const BACKTRACKING: Duration = Duration::from_secs(3);

/// See the module's text.
#[derive(Clone, Copy)]
pub(super) struct Budget {
    pub(super) steps: u64,
    /// Whether there are patterns that backtrack.
    pub(super) backtracks: bool,
}

/// The steps that checking a value may take.
#[derive(Clone, Copy)]
pub(super) struct Steps {
    /// The steps after which it counts as long.
    pub(super) usual: u64,
    pub(super) most: u64,
}

impl Steps {
    /// Returns a budget that is linear in the size of the value.
    pub(super) fn of(value: &Json) -> Self {
        let parts = parts(value);
        let steps = |base: u64, a_part: u64| base.saturating_add(a_part.saturating_mul(parts));
        Self { usual: steps(USUAL_STEPS, USUAL_STEPS_A_PART), most: steps(STEPS, STEPS_A_PART) }
    }
}

struct State {
    left: Cell<u64>,
    /// An address on the stack of the caller.
    stack: Cell<usize>,
    until: Cell<Option<Instant>>,
}

thread_local! {
    static STATE: State = const { State { left: Cell::new(0), stack: Cell::new(0), until: Cell::new(None) } };
}

#[cfg(test)]
thread_local! {
    static TAKEN: Cell<u64> = const { Cell::new(0) };
}

/// The payload of the unwinding.
struct Spent;

impl Budget {
    /// Runs `check` within a budget. `None`: it would have cost more.
    pub(super) fn during<T>(self, work: impl FnOnce() -> T) -> Option<T> {
        STATE.with(|state| {
            state.left.set(self.steps);
            state.stack.set(stack_here());
            state.until.set(self.backtracks.then(|| Instant::now() + BACKTRACKING));
        });
        let outcome = catch_unwind(AssertUnwindSafe(work));
        STATE.with(|state| {
            #[cfg(test)]
            TAKEN.set(TAKEN.get() + self.steps - state.left.get());
            state.left.set(0);
            state.until.set(None);
        });
        match outcome {
            Ok(done) => Some(done),
            Err(reason) if reason.is::<Spent>() => None,
            Err(reason) => resume_unwind(reason),
        }
    }
}

/// Counts steps, and unwinds if the budget is spent.
pub(super) fn spend(steps: u64) {
    let can_go_on = STATE.with(|state| match state.left.get().checked_sub(steps) {
        Some(left) => {
            state.left.set(left);
            stack_here().abs_diff(state.stack.get()) <= STACK
        }
        None => false,
    });
    if !can_go_on {
        resume_unwind(Box::new(Spent));
    }
}

/// Counts a look at a text, which a pattern may be about to search.
pub(super) fn spend_on_text(text: &str) {
    spend(1 + (text.len() / BYTES_A_PART) as u64);
    let is_late = STATE.with(|state| state.until.get().is_some_and(|until| Instant::now() > until));
    if is_late {
        resume_unwind(Box::new(Spent));
    }
}

/// Returns the steps that this thread has taken so far.
#[cfg(test)]
pub(super) fn taken() -> u64 {
    TAKEN.get()
}

#[inline]
fn stack_here() -> usize {
    let here = 0_u8;
    std::ptr::from_ref(std::hint::black_box(&here)).addr()
}

/// Returns the size of a value in parts.
pub(super) fn parts(value: &Json) -> u64 {
    match value {
        Json::String(text) => 1 + (text.len() / BYTES_A_PART) as u64,
        Json::Array(elements) => 1 + elements.iter().map(parts).sum::<u64>(),
        Json::Object(members) => {
            1 + members.iter().map(|(key, value)| parts(value) + (key.len() / BYTES_A_PART) as u64).sum::<u64>()
        }
        _ => 1,
    }
}
