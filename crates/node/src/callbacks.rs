//! Host callbacks: the core calls models, tools and approvers of the host. A request is posted to the environment's
//! completion queue under a token of its own, and JavaScript replies once. When the environment ends, every open callback
//! fails.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use bailiwick_runtime::Reply;
use tokio::sync::mpsc::UnboundedSender;

use crate::dispatch;
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
    callbacks: HashMap<Token, OpenCallback>,
    ended: bool,
}

/// One open callback.
pub(crate) struct OpenCallback {
    pub(crate) replies: UnboundedSender<Reply>,
    /// Whether its run may block a thread for a disk.
    pub(crate) blocks: bool,
}

impl OpenCallbacks {
    /// Adds an open callback. Returns `false` if the environment has ended.
    pub(crate) fn add(&self, token: Token, callback: OpenCallback) -> bool {
        let mut open = self.open();
        if !open.ended {
            open.callbacks.insert(token, callback);
        }
        !open.ended
    }

    /// Delivers a reply. Returns `false` if the callback is not open.
    ///
    /// Where JavaScript would only wait for the run's next request, the run continues on this thread: see
    /// [`dispatch::on_this_thread`].
    pub(crate) fn answer(&self, token: Token, reply: Reply) -> bool {
        let (replies, is_last) = {
            let mut open = self.open();
            if let Reply::Piece(_) = reply {
                (open.callbacks.get(&token).map(|callback| callback.replies.clone()), false)
            } else {
                let callback = open.callbacks.remove(&token);
                let is_last = open.callbacks.is_empty() && callback.as_ref().is_some_and(|callback| !callback.blocks);
                (callback.map(|callback| callback.replies), is_last)
            }
        };
        let Some(replies) = replies else { return false };
        let send = || replies.send(reply).is_ok();
        if is_last { dispatch::on_this_thread(send) } else { send() }
    }

    /// Removes a callback. Returns `false` if it was not open.
    pub(crate) fn remove(&self, token: Token) -> bool {
        self.open().callbacks.remove(&token).is_some()
    }

    /// Fails all open callbacks, and every later one.
    pub(crate) fn end(&self) {
        let mut open = self.open();
        open.ended = true;
        open.callbacks.clear();
    }

    fn open(&self) -> MutexGuard<'_, Open> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
