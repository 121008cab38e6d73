//! One JavaScript environment (the main thread or a worker): what it has submitted, and the ring of answers it drains.
//!
//! ```text
//! JavaScript                          Rust
//! submit(operation, target, bytes) →  runs on the pool
//!                                     the answer goes to the queue; the doorbell rings if it was empty
//! drain(slab) ← ring                  u32 count ‖ u32 waiting ‖ for each: u32 token ‖ u32 state ‖ u32 length ‖ bytes
//! ```
//! State 0: done, 1: failed, 4: the host is asked something, 8: that question is over; plus 2: too large for the slab,
//! fetched with `take` by its token. Questions are in `questions`.

use std::collections::{HashMap, VecDeque};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bailiwick_model::{Error, Result};
use bailiwick_runtime::stores::StoreHandle;
use napi::Status;
use napi::threadsafe_function::{ThreadsafeFunction, ThreadsafeFunctionCallMode};

use crate::guard;
use crate::message::Answer;
use crate::operation;
use crate::pool::pool;
use crate::questions::Questions;
use crate::tables::Tables;

/// Calls no arguments, holds no environment alive.
pub(crate) type Doorbell = ThreadsafeFunction<(), (), (), Status, false, true>;

const FAILED: u32 = 1;
const LARGE: u32 = 2;
/// The bit of a token that is a question's and not a call's.
pub(crate) const QUESTION: u32 = 1 << 31;
const HEADER: usize = 8;
const ENTRY: usize = 12;

/// See the module's text.
pub(crate) struct Environment {
    doorbell: Doorbell,
    tables: Mutex<Tables>,
    queue: Mutex<Queue>,
    next_token: AtomicU32,
    pub(crate) questions: Questions,
}

#[derive(Default)]
struct Queue {
    waiting: VecDeque<Completion>,
    large: HashMap<u32, Vec<u8>>,
    closed: bool,
}

struct Completion {
    token: u32,
    state: u32,
    payload: Vec<u8>,
}

impl Environment {
    pub(crate) fn new(doorbell: Doorbell) -> Arc<Self> {
        Arc::new(Self {
            doorbell,
            tables: Mutex::default(),
            queue: Mutex::default(),
            next_token: AtomicU32::new(1),
            questions: Questions::default(),
        })
    }

    pub(crate) fn tables(&self) -> MutexGuard<'_, Tables> {
        self.tables.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Holds a store for this environment and returns its number.
    ///
    /// # Errors
    /// `Closed` if the environment has ended meanwhile; then the store is the caller's to release.
    pub(crate) fn keep_store(&self, store: Arc<StoreHandle>) -> Result<u32> {
        let mut tables = self.tables();
        if tables.ended {
            return Err(Error::Closed("This thread has ended.".to_owned()));
        }
        tables.stores.add(store)
    }

    /// Starts an operation and returns the token of its answer. Tokens wrap after 2^31 calls; by then the first is
    /// long answered.
    pub(crate) fn submit(self: &Arc<Self>, number: u32, target: u32, arguments: &[u8]) -> Result<u32> {
        let token = self.next_token.fetch_add(1, Ordering::Relaxed) & !QUESTION;
        let (environment, arguments) = (self.clone(), arguments.to_vec());
        pool()?.spawn(async move {
            let name = operation::name(number);
            let outcome = guard::operation(name, operation::run(&environment, number, target, &arguments)).await;
            environment.complete(token, outcome);
        });
        Ok(token)
    }

    fn complete(&self, token: u32, outcome: Result<Answer>) {
        let (state, payload) = match outcome {
            Ok(answer) => (0, answer.0),
            Err(error) => (FAILED, guard::failure_json(&error).into_bytes()),
        };
        self.post(token, state, payload);
    }

    /// Puts something into the queue for JavaScript. Does nothing once the environment has ended.
    pub(crate) fn post(&self, token: u32, state: u32, payload: Vec<u8>) {
        let mut queue = self.queue();
        if queue.closed {
            return;
        }
        queue.waiting.push_back(Completion { token, state, payload });
        if queue.waiting.len() == 1 {
            // Under the lock, so that the bell cannot ring after the environment has closed it.
            self.doorbell.call((), ThreadsafeFunctionCallMode::NonBlocking);
        }
    }

    /// Writes up to `most` answers into the slab.
    pub(crate) fn drain(&self, slab: &mut [u8], most: usize) -> Result<()> {
        let mut queue = self.queue();
        let mut at = HEADER;
        let mut count = 0u32;
        while (count as usize) < most {
            let Some(completion) = queue.waiting.front() else { break };
            let length = completion.payload.len();
            let fits = at + ENTRY + length <= slab.len();
            // What does not fit now may fit into an empty slab.
            let never_fits = HEADER + ENTRY + length > slab.len();
            if !fits && (!never_fits || at + ENTRY > slab.len()) {
                break;
            }
            let Some(completion) = queue.waiting.pop_front() else { break };
            let state = completion.state | if fits { 0 } else { LARGE };
            for number in [completion.token, state, u32::try_from(length).unwrap_or(u32::MAX)] {
                at = put(slab, at, &number.to_le_bytes())?;
            }
            if fits {
                at = put(slab, at, &completion.payload)?;
            } else {
                queue.large.insert(completion.token, completion.payload);
            }
            count += 1;
        }
        let waiting = u32::try_from(queue.waiting.len()).unwrap_or(u32::MAX);
        drop(queue);
        let after = put(slab, 0, &count.to_le_bytes())?;
        put(slab, after, &waiting.to_le_bytes())?;
        Ok(())
    }

    /// Copies a large answer out, once.
    pub(crate) fn take(&self, token: u32, target: &mut [u8]) -> Result<()> {
        let payload = self.queue().large.remove(&token).ok_or_else(slab_too_small)?;
        put(target, 0, &payload).map(|_| ())
    }

    /// To be called when the environment ends: nothing rings after it, and its stores are given back.
    pub(crate) fn end(&self) {
        let mut queue = self.queue();
        queue.closed = true;
        queue.waiting.clear();
        queue.large.clear();
        drop(queue);
        self.questions.end();
        let mut tables = self.tables();
        tables.ended = true;
        tables.prepared.clear();
        drop(tables.computing.drain());
        tables.handles.drain().iter().for_each(|handle| handle.close());
        let stores = tables.stores.drain();
        drop(tables);
        if let Ok(pool) = pool() {
            for store in stores {
                pool.spawn(async move { store.release().await });
            }
        }
    }

    fn queue(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
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
