//! The answers that wait for their JavaScript thread: in their order within a lane, in turn between lanes.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bailiwick_model::{Error, Result, Turns};
use bailiwick_runtime::{Held, Lane};
use napi::Status;
use napi::threadsafe_function::{ThreadsafeFunction, ThreadsafeFunctionCallMode};

use crate::guard;
use crate::token::Token;

/// Calls no arguments, holds no environment alive.
pub(crate) type Doorbell = ThreadsafeFunction<(), (), (), Status, false, true>;

/// The state of an answer that is a failure.
pub(crate) const FAILED: u32 = 1;
const LARGE: u32 = 2;
/// The state of a question.
pub(crate) const ASKED: u32 = 4;
/// So many questions are fetched at once: what JavaScript does for one, a tool's work say, may take long, and the event
/// loop gets a turn in between.
const MOST_QUESTIONS: usize = 2;
const HEADER: usize = 16;
const ENTRY: usize = 16;
/// The largest answer. JavaScript makes a text of most, and the longest text that it can make has 512 MiB.
const MOST_BYTES: usize = 256 << 20;

/// What taking an answer costs JavaScript besides its bytes, in bytes.
const ANSWER_COST: u64 = 4 * 1024;
/// What a lane may spend in its turn: one small answer.
const QUANTUM: u64 = ANSWER_COST + 512;

/// An answer or a question, and what its call holds until it is taken.
pub(crate) struct Completion {
    pub(crate) token: Token,
    /// 0: done, [`FAILED`], or those of `questions`.
    pub(crate) state: u32,
    pub(crate) payload: Vec<u8>,
    #[allow(dead_code, reason = "given back when it is dropped")]
    pub(crate) held: Option<Arc<Held>>,
}

/// See the module's text.
pub(crate) struct Ring {
    bell: Mutex<Bell>,
    answers: Mutex<Answers>,
}

/// Not under the lock of the answers: JavaScript wakes while it still rings, and would wait for that lock.
struct Bell {
    doorbell: Doorbell,
    is_closed: bool,
}

struct Answers {
    waiting: Turns<Lane, Completion>,
    /// Those that did not fit the slab, by their tokens.
    large: HashMap<Token, Completion>,
    is_closed: bool,
}

impl Ring {
    pub(crate) fn new(doorbell: Doorbell) -> Self {
        let answers = Answers { waiting: Turns::new(QUANTUM), large: HashMap::new(), is_closed: false };
        Self { bell: Mutex::new(Bell { doorbell, is_closed: false }), answers: Mutex::new(answers) }
    }

    /// Adds an answer to its lane, and rings if there was none.
    pub(crate) fn push(&self, lane: Lane, mut completion: Completion) {
        completion.bound();
        let mut answers = self.answers();
        if answers.is_closed {
            return;
        }
        let cost = ANSWER_COST.saturating_add(completion.payload.len() as u64);
        answers.waiting.push(lane, cost, completion);
        let was_empty = answers.waiting.len() == 1;
        drop(answers);
        if was_empty {
            // Under a lock, so that the bell cannot ring after the environment has closed it.
            let bell = self.bell.lock().unwrap_or_else(PoisonError::into_inner);
            if !bell.is_closed {
                bell.doorbell.call((), ThreadsafeFunctionCallMode::NonBlocking);
            }
        }
    }

    /// Writes up to `most` answers into the slab, few questions among them.
    pub(crate) fn drain(&self, slab: &mut [u8], most: usize) -> Result<()> {
        let mut answers = self.answers();
        // A fetch that fails half-way has brought nothing.
        put(slab, 0, &[0; HEADER])?;
        let mut at = HEADER;
        let (mut count, mut questions) = (0u32, 0);
        while (count as usize) < most && questions < MOST_QUESTIONS {
            let Some((_, _, completion)) = answers.waiting.peek() else { break };
            let length = completion.payload.len();
            let fits = at + ENTRY + length <= slab.len();
            // What does not fit now may fit into an empty slab.
            let never_fits = HEADER + ENTRY + length > slab.len();
            if !fits && (!never_fits || at + ENTRY > slab.len()) {
                break;
            }
            let Some((_, completion)) = answers.waiting.pop() else { break };
            let state = completion.state | if fits { 0 } else { LARGE };
            at = put(slab, at, &completion.token.to_bytes())?;
            for number in [state, u32::try_from(length).unwrap_or(u32::MAX)] {
                at = put(slab, at, &number.to_le_bytes())?;
            }
            if fits {
                at = put(slab, at, &completion.payload)?;
            } else {
                answers.large.insert(completion.token, completion);
            }
            count += 1;
            questions += usize::from(state & ASKED != 0);
            if !fits {
                // What JavaScript does with a large answer takes long: others get a turn before the next one.
                break;
            }
        }
        let waiting = u32::try_from(answers.waiting.len()).unwrap_or(u32::MAX);
        drop(answers);
        let mut head = 0;
        for number in [u32::try_from(at).unwrap_or(u32::MAX), count, waiting] {
            head = put(slab, head, &number.to_le_bytes())?;
        }
        Ok(())
    }

    /// Copies a large answer out, once. It is gone afterwards, even where it does not fit.
    pub(crate) fn take(&self, token: Token, target: &mut [u8]) -> Result<()> {
        let completion = self.answers().large.remove(&token).ok_or_else(slab_too_small)?;
        put(target, 0, &completion.payload).map(|_| ())
    }

    /// Nothing rings any more, and what waits is gone.
    pub(crate) fn close(&self) {
        self.bell.lock().unwrap_or_else(PoisonError::into_inner).is_closed = true;
        let mut answers = self.answers();
        answers.is_closed = true;
        let gone = (answers.waiting.drain(), std::mem::take(&mut answers.large));
        drop(answers);
        drop(gone);
    }

    fn answers(&self) -> MutexGuard<'_, Answers> {
        self.answers.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Completion {
    /// Makes a failure of an answer that JavaScript could not make a text of.
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
    Error::Internal("An answer was fetched in the wrong shape.".to_owned())
}
