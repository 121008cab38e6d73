//! The completion queue: answers and callback requests that wait for their JavaScript thread, in order within a lane and in
//! turn between lanes. JavaScript is woken when the queue goes from empty to not empty.
//!
//! ```text
//! what `drain` writes:  u32 bytes in all ‖ u32 count ‖ u32 waiting ‖ u32 0 ‖
//!                       for each: u64 token ‖ u32 state ‖ u32 length ‖ bytes
//! ```

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bailiwick_model::{Error, FairQueue, Result};
use bailiwick_runtime::{QueueKey, Reservation};
use napi::Status;
use napi::threadsafe_function::{ThreadsafeFunction, ThreadsafeFunctionCallMode};

use crate::guard;
use crate::token::Token;

/// Calls the JavaScript function that drains the queue. Weak: it does not keep the process alive.
pub(crate) type WakeUp = ThreadsafeFunction<(), (), (), Status, false, true>;

/// The state of an answer.
pub(crate) const DONE: u32 = 0;
/// The state of an answer that is a failure: its JSON.
pub(crate) const FAILED: u32 = 1;
/// Added to a state: the payload is too large for the slab, and is fetched with `take`.
const LARGE: u32 = 2;
/// The state of a callback request.
pub(crate) const REQUESTED: u32 = 4;
/// The state of a callback that was cancelled; there is no payload.
pub(crate) const CANCELLED: u32 = 8;
/// The largest number of callback requests in one fetch: the host's work for one may take long, and the event loop gets a
/// turn in between.
const MOST_REQUESTS: usize = 2;
const HEADER: usize = 16;
const ENTRY: usize = 16;
/// The largest answer. JavaScript makes a string of most, and its longest string has 512 MiB.
const MOST_BYTES: usize = 256 << 20;

/// The cost of taking an answer besides its bytes, in bytes.
const ANSWER_COST: u64 = 4 * 1024;
/// A lane's quantum: one small answer.
const QUANTUM: u64 = ANSWER_COST + 512;

/// An answer or a callback request, and what its call reserves until it is fetched.
pub(crate) struct Completion {
    pub(crate) token: Token,
    /// [`DONE`], [`FAILED`], [`REQUESTED`] or [`CANCELLED`].
    pub(crate) state: u32,
    pub(crate) payload: Vec<u8>,
    #[allow(dead_code, reason = "the reservation ends when it is dropped")]
    pub(crate) held: Option<Arc<Reservation>>,
}

pub(crate) struct CompletionQueue {
    /// Not under the lock of the entries: JavaScript may run before the wake-up returns, and would wait for that lock.
    waker: Mutex<Waker>,
    entries: Mutex<Entries>,
}

struct Waker {
    wake_up: WakeUp,
    is_closed: bool,
}

struct Entries {
    waiting: FairQueue<QueueKey, Completion>,
    /// The ones that did not fit the slab, by token.
    large: HashMap<Token, Completion>,
    is_closed: bool,
}

impl CompletionQueue {
    pub(crate) fn new(wake_up: WakeUp) -> Self {
        let entries = Entries { waiting: FairQueue::new(QUANTUM), large: HashMap::new(), is_closed: false };
        Self { waker: Mutex::new(Waker { wake_up, is_closed: false }), entries: Mutex::new(entries) }
    }

    /// Adds an entry to its lane, and wakes JavaScript if the queue was empty.
    pub(crate) fn push(&self, lane: QueueKey, mut completion: Completion) {
        completion.bound();
        let mut entries = self.entries();
        if entries.is_closed {
            return;
        }
        let cost = ANSWER_COST.saturating_add(completion.payload.len() as u64);
        entries.waiting.push(lane, cost, completion);
        let was_empty = entries.waiting.len() == 1;
        drop(entries);
        if was_empty {
            // Under a lock, so that nothing is woken after the environment has closed the queue.
            let waker = self.waker.lock().unwrap_or_else(PoisonError::into_inner);
            if !waker.is_closed {
                waker.wake_up.call((), ThreadsafeFunctionCallMode::NonBlocking);
            }
        }
    }

    /// Writes up to `most` entries into the slab, few callback requests among them.
    pub(crate) fn drain(&self, slab: &mut [u8], most: usize) -> Result<()> {
        let mut entries = self.entries();
        // If the fetch fails half-way, the slab says that there is nothing.
        put(slab, 0, &[0; HEADER])?;
        let mut at = HEADER;
        let (mut count, mut requests) = (0u32, 0);
        while (count as usize) < most && requests < MOST_REQUESTS {
            let Some((_, _, completion)) = entries.waiting.peek() else { break };
            let length = completion.payload.len();
            let fits = at + ENTRY + length <= slab.len();
            // What does not fit now may fit into an empty slab.
            let never_fits = HEADER + ENTRY + length > slab.len();
            if !fits && (!never_fits || at + ENTRY > slab.len()) {
                break;
            }
            let Some((_, completion)) = entries.waiting.pop() else { break };
            let state = completion.state | if fits { 0 } else { LARGE };
            at = put(slab, at, &completion.token.to_bytes())?;
            for number in [state, u32::try_from(length).unwrap_or(u32::MAX)] {
                at = put(slab, at, &number.to_le_bytes())?;
            }
            if fits {
                at = put(slab, at, &completion.payload)?;
            } else {
                entries.large.insert(completion.token, completion);
            }
            count += 1;
            requests += usize::from(state & REQUESTED != 0);
            if !fits {
                // JavaScript takes long for a large answer: other lanes get a turn before the next one.
                break;
            }
        }
        let waiting = u32::try_from(entries.waiting.len()).unwrap_or(u32::MAX);
        drop(entries);
        let mut head = 0;
        for number in [u32::try_from(at).unwrap_or(u32::MAX), count, waiting] {
            head = put(slab, head, &number.to_le_bytes())?;
        }
        Ok(())
    }

    /// Copies a large answer out, once. It is removed even if it does not fit.
    pub(crate) fn take(&self, token: Token, target: &mut [u8]) -> Result<()> {
        let completion = self.entries().large.remove(&token).ok_or_else(slab_too_small)?;
        put(target, 0, &completion.payload).map(|_| ())
    }

    /// Ends all wake-ups and drops all entries.
    pub(crate) fn close(&self) {
        self.waker.lock().unwrap_or_else(PoisonError::into_inner).is_closed = true;
        let mut entries = self.entries();
        entries.is_closed = true;
        let dropped = (entries.waiting.drain(), std::mem::take(&mut entries.large));
        drop(entries);
        drop(dropped);
    }

    fn entries(&self) -> MutexGuard<'_, Entries> {
        self.entries.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Completion {
    /// FairQueue an answer that is too large for a JavaScript string into a failure.
    fn bound(&mut self) {
        let bytes = self.payload.len();
        if bytes > MOST_BYTES {
            let error = Error::invalid(format!(
                "The answer has {bytes} bytes; at most {MOST_BYTES} (256 MiB) can be given at once. Ask for less at a time."
            ));
            self.payload = guard::failure_json(&error).into_bytes();
            self.state = FAILED;
        }
    }
}

/// Copies bytes to a position and returns the one after them.
pub(crate) fn put(slab: &mut [u8], at: usize, bytes: &[u8]) -> Result<usize> {
    let end = at + bytes.len();
    slab.get_mut(at..end).ok_or_else(slab_too_small)?.copy_from_slice(bytes);
    Ok(end)
}

fn slab_too_small() -> Error {
    Error::internal("An answer was fetched in the wrong shape.")
}
