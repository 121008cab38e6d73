//! Cooperative scheduling of work that grows with its data. Code awaits [`ahead`] before it does more work. [`poll`]
//! grants an allowance: work within it continues at once; beyond it the future yields, and [`Polled::Asks`] says how
//! much it still wants. Code must hold no lock while it waits.
//!
//! Outside of [`poll`], for instance in a crate's own tests, [`ahead`] never waits.

use std::cell::Cell;
use std::pin::Pin;
use std::task::{Context, Poll};

/// The work that needs no new turn, in bytes parsed, hashed or sealed: about a millisecond.
pub const PIECE: u64 = 128 * 1024;
/// The cost of reading, opening and checking a record besides its bytes.
pub const RECORD: u64 = 512;

#[derive(Clone, Copy)]
struct Pace {
    /// The allowance that is left; `None` outside of [`poll`].
    left: Option<u64>,
    /// The requested work.
    asked: Option<u64>,
}

thread_local! {
    static PACE: Cell<Pace> = const { Cell::new(Pace { left: None, asked: None }) };
}

/// The result of a [`poll`].
#[derive(Debug, PartialEq, Eq)]
pub enum Polled<T> {
    /// The future is ready.
    Done(T),
    /// It waits for something else.
    Waits,
    /// It waits for a turn to do this much work.
    Asks(u64),
}

/// Polls a future and allows it this much work.
pub fn poll<F: Future + ?Sized>(future: Pin<&mut F>, context: &mut Context<'_>, allowance: u64) -> Polled<F::Output> {
    let _outer = RestorePace(PACE.replace(Pace { left: Some(allowance), asked: None }));
    match future.poll(context) {
        Poll::Ready(output) => Polled::Done(output),
        Poll::Pending => PACE.get().asked.map_or(Polled::Waits, Polled::Asks),
    }
}

/// Restores the outer state, even if the polled future panics.
struct RestorePace(Pace);

impl Drop for RestorePace {
    fn drop(&mut self) {
        PACE.set(self.0);
    }
}

/// Waits for a turn to do work worth `cost` bytes. Await it before that work.
pub fn ahead(cost: u64) -> Ahead {
    Ahead { cost, has_asked: false }
}

/// Waits for a turn to work on data of this length.
pub fn ahead_of(length: usize) -> Ahead {
    ahead(length as u64)
}

/// See [`ahead`].
#[derive(Debug)]
#[must_use = "it is waited for with .await"]
pub struct Ahead {
    cost: u64,
    has_asked: bool,
}

impl Future for Ahead {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        let mut pace = PACE.get();
        let Some(left) = pace.left else { return Poll::Ready(()) };
        if self.cost > left && !self.has_asked {
            pace.asked = Some(self.cost.max(pace.asked.unwrap_or(0)));
            PACE.set(pace);
            self.has_asked = true;
            // Combinators in between poll only futures that were woken.
            context.waker().wake_by_ref();
            return Poll::Pending;
        }
        pace.left = Some(left.saturating_sub(self.cost));
        PACE.set(pace);
        Poll::Ready(())
    }
}
