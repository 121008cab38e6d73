//! Host callbacks: the core calls models, tools and approvers of the host. A request is posted to the environment's
//! completion queue under a token of its own, and JavaScript replies once. When the environment ends, every open callback
//! fails.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use bailiwick_runtime::Reply;
use tokio::sync::mpsc::UnboundedSender;

use crate::token::Token;

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
    pub(crate) fn add(&self, token: Token, replies: UnboundedSender<Reply>) -> bool {
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
    pub(crate) fn remove(&self, token: Token) -> bool {
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
