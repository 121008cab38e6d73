//! Starts calls on the pool, in turn between lanes. What a call does before it first waits is most of its work: parsing,
//! hashing, sealing, reading. So a few starters do that for one call after the other, and a call goes to the pool as a
//! task of its own only when it has to wait.
//!
//! What grows with a tenant's data says how much it is about to do (`pace::ahead`), in a call that is being started as in
//! one that has waited. Where that is much, the call comes back here and stands in its lane's line again, as a heavy one:
//! so it goes on in pieces, and those of all lanes together never take the last core or the last starter.

use std::future::{Future, poll_fn};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};
use std::task::{Context, Poll, Waker};

use bailiwick_model::pace::{self, PIECE, Polled};
use bailiwick_model::{Result, Starts, Weight};
use bailiwick_runtime::Lane;

use crate::pool::{cores, pool, threads};

/// What a call does, or what is left of it.
type Rest = Pin<Box<dyn Future<Output = ()> + Send>>;

/// A call that waits for its turn.
struct Call {
    rest: Rest,
    /// What it may do in that turn.
    allowance: u64,
}

/// What starting a call costs besides its bytes, in bytes: about as long as hashing and sealing so many.
const CALL_COST: u64 = 8 * 1024;
/// What a lane may spend in its turn: one small call.
const QUANTUM: u64 = CALL_COST + 512;

fn starts() -> MutexGuard<'static, Starts<Lane, Call>> {
    static STARTS: OnceLock<Mutex<Starts<Lane, Call>>> = OnceLock::new();
    let starts = STARTS.get_or_init(|| {
        // A core is left to small calls, and to JavaScript.
        Mutex::new(Starts::new(threads(), cores().saturating_sub(1), QUANTUM))
    });
    starts.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Starts a call that brings so many bytes once it is its lane's turn.
///
/// # Errors
/// `Internal` if there are no threads.
pub(crate) fn start(lane: Lane, bytes: usize, call: impl Future<Output = ()> + Send + 'static) -> Result<()> {
    push(lane, bytes as u64, Box::pin(call))
}

/// Lets a call wait for its turn to do so much.
fn push(lane: Lane, work: u64, rest: Rest) -> Result<()> {
    let pool = pool()?;
    let weight = if work > PIECE { Weight::Heavy } else { Weight::Small };
    let call = Call { rest, allowance: work.max(PIECE) };
    let needs_starter = starts().push(lane, weight, CALL_COST.saturating_add(work), call);
    if needs_starter {
        pool.spawn(starter());
    }
    Ok(())
}

/// Lets a call that has begun wait for its turn to do so much more. It is heavy by now, however little that is.
fn push_again(lane: Lane, work: u64, rest: Rest) {
    // There is a pool: this runs on it.
    let _ = push(lane, work.max(PIECE + 1), rest);
}

/// Another one, from one: so there is a pool.
fn add_starter() {
    if let Ok(pool) = pool() {
        pool.spawn(starter());
    }
}

async fn starter() {
    let mut started = None;
    loop {
        let (next, needs_another) = {
            let mut starts = starts();
            (starts.next(started.take()), starts.needs_another())
        };
        if needs_another {
            add_starter();
        }
        let Some((lane, weight, call)) = next else { return };
        started = Some((lane, weight));
        begin(lane, call);
        give_way().await;
    }
}

/// Does what a call does before it waits. If it waits, the rest is a task of its own.
fn begin(lane: Lane, Call { mut rest, allowance }: Call) {
    // Nobody is to be woken: whatever waits is asked again at once, by its own task.
    let mut context = Context::from_waker(Waker::noop());
    // The starter goes on whatever happens; what a call itself does is caught further in.
    match catch_unwind(AssertUnwindSafe(|| pace::poll(rest.as_mut(), &mut context, allowance))) {
        Ok(Polled::Waits) => {
            tokio::spawn(Waiting { lane, rest: Some(rest) });
        }
        Ok(Polled::Asks(work)) => push_again(lane, work, rest),
        Ok(Polled::Done(())) | Err(_) => {}
    }
}

/// A call that waits for something. When it has that and much to do with it, it stands in line again.
struct Waiting {
    lane: Lane,
    rest: Option<Rest>,
}

impl Future for Waiting {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        let Some(rest) = &mut self.rest else { return Poll::Ready(()) };
        match pace::poll(rest.as_mut(), context, PIECE) {
            Polled::Waits => Poll::Pending,
            Polled::Done(()) => Poll::Ready(()),
            Polled::Asks(work) => {
                if let Some(rest) = self.rest.take() {
                    push_again(self.lane, work, rest);
                }
                Poll::Ready(())
            }
        }
    }
}

/// Lets calls that have waited go on before another one is started. Not tokio's `yield_now`, which comes back only when a
/// thread has nothing else to do.
async fn give_way() {
    let mut is_back = false;
    poll_fn(|context| {
        if is_back {
            return Poll::Ready(());
        }
        is_back = true;
        context.waker().wake_by_ref();
        Poll::Pending
    })
    .await;
}
