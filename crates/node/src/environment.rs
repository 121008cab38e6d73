//! One JavaScript environment (the main thread or a worker): what it has submitted, and the ring of answers it drains.
//!
//! ```text
//! JavaScript                          Rust
//! submit(operation, target, bytes) →  runs on the pool
//!                                     the answer goes to the queue; the doorbell rings if it was empty
//! drain(slab) ← ring                  u32 length ‖ u32 count ‖ u32 waiting ‖ u32 zero ‖
//!                                     for each: u64 token ‖ u32 state ‖ u32 length ‖ bytes
//! ```
//! State 0: done, 1: failed, 4: the host is asked something, 8: that question is over; plus 2: too large for the slab,
//! fetched with `take` by its token. Questions are in `questions`.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bailiwick_model::{Error, Result};
use bailiwick_runtime::stores::StoreHandle;
use bailiwick_runtime::{Held, Lane};

use crate::message::Answer;
use crate::pool::pool;
use crate::questions::Questions;
use crate::ring::{Completion, Doorbell, FAILED, Ring};
use crate::tables::Tables;
use crate::token::{Token, Tokens};
use crate::{fair, guard, operation};

/// See the module's text.
pub(crate) struct Environment {
    pub(crate) ring: Ring,
    tables: Mutex<Tables>,
    pub(crate) tokens: Tokens,
    pub(crate) questions: Questions,
}

impl Environment {
    pub(crate) fn new(doorbell: Doorbell) -> Arc<Self> {
        Arc::new(Self {
            ring: Ring::new(doorbell),
            tables: Mutex::default(),
            tokens: Tokens::default(),
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

    /// Starts an operation and returns the token of its answer.
    ///
    /// # Errors
    /// `TooMuchInFlight` if the tenant's calls would hold more than its limit: then nothing is copied or started.
    pub(crate) fn submit(self: &Arc<Self>, number: u32, target: u32, arguments: &[u8]) -> Result<Token> {
        let held = self.hold(number, target, arguments.len());
        let held = held.inspect_err(|_| operation::refused(self, number, arguments))?;
        let lane = held.as_ref().map_or(Lane::NOBODY, |held| held.lane());
        let token = self.tokens.next()?;
        let (environment, arguments) = (self.clone(), arguments.to_vec());
        let bytes = arguments.len();
        fair::start(lane, bytes, async move {
            let name = operation::name(number);
            let running = operation::run(&environment, number, target, arguments, held.as_ref());
            let outcome = guard::operation(name, running).await;
            environment.complete(token, number, held, outcome);
        })?;
        Ok(token)
    }

    /// What a call holds of its tenant's limit. Calls of no tenant hold nothing, and so do those of a handle that is not
    /// here: they learn that when they run.
    fn hold(&self, number: u32, target: u32, bytes: usize) -> Result<Option<Arc<Held>>> {
        if !operation::is_of_a_tenant(number) {
            return Ok(None);
        }
        let handle = self.tables().handles.get(target).ok();
        handle.map(|handle| handle.hold(operation::CALL_BYTES + bytes).map(Arc::new)).transpose()
    }

    fn complete(&self, token: Token, number: u32, held: Option<Arc<Held>>, outcome: Result<Answer>) {
        let bytes = outcome.as_ref().map_or(0, |answer| answer.0.len() as u64);
        let fits = held.as_ref().map_or(Ok(()), |held| held.answered(bytes, operation::only_reads(number)));
        let (state, payload) = match outcome.and_then(|answer| fits.map(|()| answer)) {
            Ok(answer) => (0, answer.0),
            Err(error) => (FAILED, guard::failure_json(&error).into_bytes()),
        };
        let lane = held.as_ref().map_or(Lane::NOBODY, |held| held.lane());
        self.ring.push(lane, Completion { token, state, payload, held });
    }

    /// To be called when the environment ends: nothing rings after it, and its stores are given back.
    pub(crate) fn end(&self) {
        self.ring.close();
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
}
