//! The dispatcher: starts calls on the pool, in turn between lanes. Most of a call's work comes before it first waits: parsing,
//! hashing, encrypting, reading. A few starters do that for one call after the other, and only a call that waits becomes a task
//! of its own.
//!
//! Work in the size of a tenant's data is announced (`pace::ahead`), whether a call is being started or has waited. If it is
//! much, the call returns here and queues in its lane again, as a heavy one: it continues in pieces, and the heavy calls of
//! all lanes together never take the last core or the last starter.

use std::future::{Future, poll_fn};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};
use std::task::{Context, Poll, Waker};

use bailiwick_model::pace::{self, PIECE, Polled};
use bailiwick_model::{Dispatcher, Result, Weight};
use bailiwick_runtime::QueueKey;

use crate::pool::{cores, pool, threads};

type Rest = Pin<Box<dyn Future<Output = ()> + Send>>;

/// A call that waits for its turn.
struct Call {
    rest: Rest,
    /// The work it may do in that turn.
    allowance: u64,
}

/// The cost of starting a call besides its bytes, in bytes: the time of hashing and encrypting that many.
const CALL_COST: u64 = 8 * 1024;
/// A lane's quantum: one small call.
const QUANTUM: u64 = CALL_COST + 512;

fn dispatcher() -> MutexGuard<'static, Dispatcher<QueueKey, Call>> {
    static DISPATCHER: OnceLock<Mutex<Dispatcher<QueueKey, Call>>> = OnceLock::new();
    let starts = DISPATCHER.get_or_init(|| {
        // A core is left to small calls, and to JavaScript.
        Mutex::new(Dispatcher::new(threads(), cores().saturating_sub(1), QUANTUM))
    });
    starts.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Starts a call with this many bytes of arguments once it is its lane's turn.
///
/// # Errors
/// `Internal` if there are no threads.
pub(crate) fn start(lane: QueueKey, bytes: usize, call: impl Future<Output = ()> + Send + 'static) -> Result<()> {
    push(lane, bytes as u64, Box::pin(call))
}

/// Queues a call for its turn to do this much work.
fn push(lane: QueueKey, work: u64, rest: Rest) -> Result<()> {
    let pool = pool()?;
    let weight = if work > PIECE { Weight::Heavy } else { Weight::Small };
    let call = Call { rest, allowance: work.max(PIECE) };
    let needs_starter = dispatcher().push(lane, weight, CALL_COST.saturating_add(work), call);
    if needs_starter {
        pool.spawn(starter());
    }
    Ok(())
}

/// Queues a call that has begun. It counts as heavy, however little is left.
fn push_again(lane: QueueKey, work: u64, rest: Rest) {
    // It cannot fail: this runs on the pool.
    let _ = push(lane, work.max(PIECE + 1), rest);
}

/// Adds a starter, from a starter.
fn add_starter() {
    if let Ok(pool) = pool() {
        pool.spawn(starter());
    }
}

async fn starter() {
    let mut started = None;
    loop {
        let (next, needs_another) = {
            let mut starts = dispatcher();
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

/// Runs a call until it waits; then the rest becomes a task of its own.
fn begin(lane: QueueKey, Call { mut rest, allowance }: Call) {
    // No wake-up is needed: a call that waits is polled again at once, by its own task.
    let mut context = Context::from_waker(Waker::noop());
    // A starter survives any panic; one of the operation itself is caught further in.
    match catch_unwind(AssertUnwindSafe(|| pace::poll(rest.as_mut(), &mut context, allowance))) {
        Ok(Polled::Waits) => {
            tokio::spawn(Waiting { lane, rest: Some(rest) });
        }
        Ok(Polled::Asks(work)) => push_again(lane, work, rest),
        Ok(Polled::Done(())) | Err(_) => {}
    }
}

/// A call that waits. When it is woken and announces much work, it queues again.
struct Waiting {
    lane: QueueKey,
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

/// Lets calls that have waited continue before another one is started. Unlike tokio's `yield_now`, it returns before the
/// thread is idle.
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
