//! What the core asks JavaScript: models, tools and approvers. A question is posted to the environment's queue under a
//! token of its own; JavaScript answers it once. Whoever waits is told when the environment ends.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use bailiwick_model::json::{self, Json};
use bailiwick_model::{Error, Result};
use bailiwick_runtime::{Ask, Asked, Callbacks, Held, Reply, TenantHandle};
use tokio::sync::mpsc::UnboundedSender;

use crate::environment::Environment;
use crate::ring::{ASKED, Completion};
use crate::token::Token;

/// That a question is over without an answer.
const OVER: u32 = 8;
/// `u8 what ‖ f64 host`.
const QUESTION_HEADER: usize = 9;
/// The largest question, and the largest answer to one: a tool's input or result may be as large as any value, and names
/// beside it take some room.
pub(crate) const MOST_QUESTION_BYTES: usize = 65 << 20;

/// The questions that wait for an answer, by token.
#[derive(Default)]
pub(crate) struct Questions {
    waiting: Mutex<Waiting>,
}

#[derive(Default)]
struct Waiting {
    replies: HashMap<Token, UnboundedSender<Reply>>,
    ended: bool,
}

impl Questions {
    /// Waits for the answer to a question. `false`: nobody can answer any more.
    fn add(&self, token: Token, replies: UnboundedSender<Reply>) -> bool {
        let mut waiting = self.waiting();
        if !waiting.ended {
            waiting.replies.insert(token, replies);
        }
        !waiting.ended
    }

    /// Hands a reply to whoever waits. `false`: nobody does.
    pub(crate) fn answer(&self, token: Token, reply: Reply) -> bool {
        let mut waiting = self.waiting();
        let replies = match &reply {
            Reply::Piece(_) => waiting.replies.get(&token).cloned(),
            _ => waiting.replies.remove(&token),
        };
        replies.is_some_and(|replies| replies.send(reply).is_ok())
    }

    fn forget(&self, token: Token) -> bool {
        self.waiting().replies.remove(&token).is_some()
    }

    /// Nobody answers any more.
    pub(crate) fn end(&self) {
        let mut waiting = self.waiting();
        waiting.ended = true;
        waiting.replies.clear();
    }

    fn waiting(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The JavaScript side of one run.
pub(crate) struct Host {
    pub(crate) environment: Arc<Environment>,
    /// Whose run it is: its questions wait in the tenant's lane and hold of its limit.
    pub(crate) handle: Arc<TenantHandle>,
    /// What the call that runs gave itself, so that nobody else gets its questions.
    pub(crate) number: u64,
    pub(crate) has_approver: bool,
}

impl Host {
    /// Reserves a question before it is made.
    ///
    /// # Errors
    /// `InvalidInput` if it is too large for JavaScript to be asked at all, `TooMuchInFlight` if there is no room now.
    fn hold(&self, bytes: usize) -> Result<Held> {
        if bytes > MOST_QUESTION_BYTES {
            return Err(Error::invalid(format!(
                "What is asked has {bytes} bytes; at most {MOST_QUESTION_BYTES} (65 MiB) can be. Pass large values as references."
            )));
        }
        self.handle.hold(bytes)
    }

    /// Posts `u8 what ‖ f64le host ‖ request`.
    fn post(&self, what: Ask, request: &str, replies: UnboundedSender<Reply>) -> Result<Token> {
        let held = self.hold(QUESTION_HEADER + request.len())?;
        let token = self.environment.tokens.next()?;
        let number: u8 = match what {
            Ask::Model => 0,
            Ask::Tool => 1,
            Ask::NeedsApproval => 2,
            Ask::Approve => 3,
            Ask::Output => 4,
            Ask::Input => 5,
        };
        let payload = [&[number][..], &(self.number as f64).to_le_bytes(), request.as_bytes()].concat();
        if self.environment.questions.add(token, replies) {
            let completion = Completion { token, state: ASKED, payload, held: Some(Arc::new(held)) };
            self.environment.ring.push(self.handle.lane(), completion);
        }
        Ok(token)
    }
}

/// What the core is told in place of an answer: `{ message, code, retryable }`.
fn refusal(error: &Error) -> Vec<u8> {
    let may_pass = matches!(error, Error::TooMuchInFlight { limit, call, .. } if call <= limit);
    let members = [
        ("message", Json::String(error.to_string())),
        ("code", Json::from(error.code())),
        ("retryable", Json::Bool(may_pass)),
    ];
    json::write(&Json::Object(members.map(|(name, value)| (name.to_owned(), value)).into())).into_bytes()
}

impl Callbacks for Host {
    fn ask(&self, what: Ask, request: String) -> Asked {
        let token = Arc::new(OnceLock::<Token>::new());
        let (environment, lane, asked_as) = (self.environment.clone(), self.handle.lane(), token.clone());
        let (replies, asked) = Asked::new(move || {
            if let Some(token) = asked_as.get().filter(|token| environment.questions.forget(**token)) {
                environment.ring.push(lane, Completion { token: *token, state: OVER, payload: Vec::new(), held: None });
            }
        });
        match self.post(what, &request, replies.clone()) {
            Ok(posted) => _ = token.set(posted),
            // Whoever asks is told, as if the host had failed.
            Err(error) => _ = replies.send(Reply::Failure(refusal(&error))),
        }
        asked
    }

    fn has_approver(&self) -> bool {
        self.has_approver
    }
}
