//! Host callbacks: the core calls models, tools and approvers of the host. A request is posted to the environment's
//! completion queue under a token of its own, and JavaScript replies once. When the environment ends, every open callback
//! fails.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use bailiwick_model::json::{self, Json};
use bailiwick_model::{Error, Result};
use bailiwick_runtime::{Ask, Asked, Callbacks, Reply, Reservation, TenantHandle};
use tokio::sync::mpsc::UnboundedSender;

use crate::completions::{CANCELLED, Completion, REQUESTED};
use crate::environment::Environment;
use crate::token::Token;

/// `u8 kind ‖ f64 host`, before the JSON of a request.
const REQUEST_HEADER: usize = 9;
/// The largest request and the largest reply: a tool's input or result may be as large as any value, and names beside it
/// take some room.
pub(crate) const MOST_CALLBACK_BYTES: usize = 65 << 20;

/// The open callbacks of one environment, by token.
#[derive(Default)]
pub(crate) struct OpenCallbacks {
    open: Mutex<Open>,
}

#[derive(Default)]
struct Open {
    replies: HashMap<Token, UnboundedSender<Reply>>,
    ended: bool,
}

impl OpenCallbacks {
    /// Adds an open callback. Returns `false` if the environment has ended.
    fn add(&self, token: Token, replies: UnboundedSender<Reply>) -> bool {
        let mut open = self.open();
        if !open.ended {
            open.replies.insert(token, replies);
        }
        !open.ended
    }

    /// Delivers a reply. Returns `false` if the callback is not open.
    pub(crate) fn answer(&self, token: Token, reply: Reply) -> bool {
        let mut open = self.open();
        let replies = match &reply {
            Reply::Piece(_) => open.replies.get(&token).cloned(),
            _ => open.replies.remove(&token),
        };
        replies.is_some_and(|replies| replies.send(reply).is_ok())
    }

    /// Removes a callback. Returns `false` if it was not open.
    fn remove(&self, token: Token) -> bool {
        self.open().replies.remove(&token).is_some()
    }

    /// Fails all open callbacks, and every later one.
    pub(crate) fn end(&self) {
        let mut open = self.open();
        open.ended = true;
        open.replies.clear();
    }

    fn open(&self) -> MutexGuard<'_, Open> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The JavaScript side of one run.
pub(crate) struct Host {
    pub(crate) environment: Arc<Environment>,
    /// The handle of the run: requests wait in its tenant's lane and count against its limit.
    pub(crate) handle: Arc<TenantHandle>,
    /// The number that JavaScript gave to this call, which decides who gets the requests.
    pub(crate) number: u64,
    pub(crate) has_approver: bool,
}

impl Host {
    /// Reserves a request before it is made.
    ///
    /// # Errors
    /// `InvalidInput` if it is too large at all, `TooMuchInFlight` if there is no room now.
    fn hold(&self, bytes: usize) -> Result<Reservation> {
        if bytes > MOST_CALLBACK_BYTES {
            return Err(Error::invalid(format!(
                "What is asked has {bytes} bytes; at most {MOST_CALLBACK_BYTES} (65 MiB) can be. Pass large values as references."
            )));
        }
        self.handle.hold(bytes)
    }

    /// Posts `u8 kind ‖ f64le host ‖ request`.
    fn post(&self, what: Ask, request: &str, replies: UnboundedSender<Reply>) -> Result<Token> {
        let held = self.hold(REQUEST_HEADER + request.len())?;
        let token = self.environment.tokens.next()?;
        let payload = [&[kind(what)][..], &(self.number as f64).to_le_bytes(), request.as_bytes()].concat();
        if self.environment.callbacks.add(token, replies) {
            let completion = Completion { token, state: REQUESTED, payload, held: Some(Arc::new(held)) };
            self.environment.completions.push(self.handle.queue_key(), completion);
        }
        Ok(token)
    }
}

/// The kind of a callback, as it crosses.
fn kind(what: Ask) -> u8 {
    match what {
        Ask::Model => 0,
        Ask::Tool => 1,
        Ask::NeedsApproval => 2,
        Ask::Approve => 3,
        Ask::Output => 4,
        Ask::Input => 5,
    }
}

/// The reply to a request that was not posted: `{ message, code, retryable }`.
fn refusal(error: &Error) -> Vec<u8> {
    let may_pass = matches!(error, Error::TooMuchInFlight { limit, call, .. } if call <= limit);
    let told = Json::from([
        ("message", Json::String(error.to_string())),
        ("code", Json::from(error.code())),
        ("retryable", Json::Bool(may_pass)),
    ]);
    json::write(&told).into_bytes()
}

impl Callbacks for Host {
    fn ask(&self, what: Ask, request: String) -> Asked {
        let token = Arc::new(OnceLock::<Token>::new());
        let (environment, lane, asked_as) = (self.environment.clone(), self.handle.queue_key(), token.clone());
        let (replies, asked) = Asked::new(move || {
            if let Some(token) = asked_as.get().filter(|token| environment.callbacks.remove(**token)) {
                environment
                    .completions
                    .push(lane, Completion { token: *token, state: CANCELLED, payload: Vec::new(), held: None });
            }
        });
        match self.post(what, &request, replies.clone()) {
            Ok(posted) => _ = token.set(posted),
            // The run sees it as a failure of the host.
            Err(error) => _ = replies.send(Reply::Failure(refusal(&error))),
        }
        asked
    }

    fn has_approver(&self) -> bool {
        self.has_approver
    }
}
