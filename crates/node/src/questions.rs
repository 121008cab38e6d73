//! What the core asks JavaScript: models, tools and approvers. A question is posted to the environment's queue under a
//! token of its own; JavaScript answers it once. Whoever waits is told when the environment ends.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bailiwick_runtime::{Ask, Asked, Callbacks, Lane, Reply};
use tokio::sync::mpsc::UnboundedSender;

use crate::environment::{Environment, QUESTION};
use crate::ring::{ASKED, Completion};

/// That a question is over without an answer.
const OVER: u32 = 8;

/// The questions that wait for an answer, by token.
#[derive(Default)]
pub(crate) struct Questions {
    waiting: Mutex<Waiting>,
    next: AtomicU32,
}

#[derive(Default)]
struct Waiting {
    replies: HashMap<u32, UnboundedSender<Reply>>,
    ended: bool,
}

impl Questions {
    /// A token for a new question. `None`: nobody can answer any more.
    fn add(&self, replies: UnboundedSender<Reply>) -> Option<u32> {
        let mut waiting = self.waiting();
        if waiting.ended {
            return None;
        }
        loop {
            // A token comes again after 2^31 others at the earliest, and never while it is open.
            let token = self.next.fetch_add(1, Ordering::Relaxed) | QUESTION;
            if let Entry::Vacant(place) = waiting.replies.entry(token) {
                place.insert(replies);
                return Some(token);
            }
        }
    }

    /// Hands a reply to whoever waits. `false`: nobody does.
    pub(crate) fn answer(&self, token: u32, reply: Reply) -> bool {
        let mut waiting = self.waiting();
        let replies = match &reply {
            Reply::Piece(_) => waiting.replies.get(&token).cloned(),
            _ => waiting.replies.remove(&token),
        };
        replies.is_some_and(|replies| replies.send(reply).is_ok())
    }

    fn forget(&self, token: u32) -> bool {
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
    /// Where its tenant's questions wait.
    pub(crate) lane: Lane,
    /// What the call that runs gave itself, so that nobody else gets its questions.
    pub(crate) number: u64,
    pub(crate) has_approver: bool,
}

fn post(environment: &Environment, lane: Lane, token: u32, state: u32, payload: Vec<u8>) {
    environment.ring.push(lane, Completion { token, state, payload, held: None });
}

impl Callbacks for Host {
    /// Posts `u8 what ‖ f64le host ‖ request`.
    fn ask(&self, what: Ask, request: String) -> Asked {
        let number = match what {
            Ask::Model => 0,
            Ask::Tool => 1,
            Ask::NeedsApproval => 2,
            Ask::Approve => 3,
            Ask::Output => 4,
        };
        let token = Arc::new(AtomicU32::new(0));
        let (environment, asked_as, lane) = (self.environment.clone(), token.clone(), self.lane);
        let (replies, asked) = Asked::new(move || {
            let token = asked_as.load(Ordering::Relaxed);
            if environment.questions.forget(token) {
                post(&environment, lane, token, OVER, Vec::new());
            }
        });
        if let Some(number_of_it) = self.environment.questions.add(replies) {
            token.store(number_of_it, Ordering::Relaxed);
            let payload = [&[number][..], &(self.number as f64).to_le_bytes(), request.as_bytes()].concat();
            post(&self.environment, lane, number_of_it, ASKED, payload);
        }
        asked
    }

    fn has_approver(&self) -> bool {
        self.has_approver
    }
}
