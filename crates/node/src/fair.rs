//! Starts calls on the pool, in turn between lanes. What a call does before it first waits is most of its work: parsing,
//! hashing, sealing, reading. So a few starters do that for one call after the other, and a call goes to the pool as a
//! task of its own only when it has to wait.

use std::future::{Future, poll_fn};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};
use std::task::{Context, Poll, Waker};

use bailiwick_model::{Result, Starts};
use bailiwick_runtime::Lane;

use crate::pool::{pool, threads};

type Call = Pin<Box<dyn Future<Output = ()> + Send>>;

/// What starting a call costs besides its bytes, in bytes: about as long as hashing and sealing so many.
const CALL_COST: u64 = 8 * 1024;
/// What a lane may spend in its turn: one small call.
const QUANTUM: u64 = CALL_COST + 512;

fn starts() -> MutexGuard<'static, Starts<Lane, Call>> {
    static STARTS: OnceLock<Mutex<Starts<Lane, Call>>> = OnceLock::new();
    let starts = STARTS.get_or_init(|| Mutex::new(Starts::new(threads(), QUANTUM)));
    starts.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Starts a call that brings so many bytes once it is its lane's turn.
///
/// # Errors
/// `Internal` if there are no threads.
pub(crate) fn start(lane: Lane, bytes: usize, call: impl Future<Output = ()> + Send + 'static) -> Result<()> {
    let pool = pool()?;
    if starts().push(lane, CALL_COST.saturating_add(bytes as u64), Box::pin(call)) {
        pool.spawn(starter());
    }
    Ok(())
}

async fn starter() {
    let mut started = None;
    loop {
        let Some((lane, call)) = starts().next(started.take()) else { return };
        started = Some(lane);
        begin(call);
        give_way().await;
    }
}

/// Does what a call does before it waits. If it waits, the rest is a task of its own.
fn begin(mut call: Call) {
    // Nobody is to be woken: whatever waits is asked again at once, by its own task.
    let mut context = Context::from_waker(Waker::noop());
    // The starter goes on whatever happens; what a call itself does is caught further in.
    if let Ok(Poll::Pending) = catch_unwind(AssertUnwindSafe(|| call.as_mut().poll(&mut context))) {
        tokio::spawn(call);
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
