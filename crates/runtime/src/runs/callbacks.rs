//! How the loop reaches models, tools and approvers, which are the host's: it asks, and is answered piece by piece.

use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

/// The most that the host is asked in one question, in bytes, but for a few KiB about it. What would be more is never made:
/// the call fails, or the run.
pub(crate) const ASKED_BYTES: usize = (64 << 20) - (64 << 10);

/// What is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ask {
    /// A model, for one answer. Pieces and the value are JSON arrays of ModelEvents; the last one is a `finish`.
    Model,
    /// A tool, for its result: `u8 form ‖ bytes`. Form 0 is JSON text, 1 text, 2 bytes, 3 the id of a reference.
    Tool,
    /// Whether a call needs an approval: JSON `true` or `false`.
    NeedsApproval,
    /// Somebody who may decide about an approval: JSON `{ decision, actor?, reason? }`.
    Approve,
    /// What the agent's own schema makes of an output: JSON `{}` for nothing, `{ output }` for what
    /// counts instead, `{ problem }` for its model.
    Output,
    /// Whether an input fits the tool's own schema, before anybody is asked about the call: JSON `{}`, or `{ problem }` for
    /// the model.
    Input,
}

/// What comes back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reply {
    /// A part of the answer; more will come.
    Piece(Vec<u8>),
    /// The answer, or its last part.
    Value(Vec<u8>),
    /// There is no answer: JSON `{ message, code?, retryable?, retryAfterMs? }`.
    Failure(Vec<u8>),
}

/// One question that is under way. Dropping it before it is answered cancels it.
pub struct Asked {
    replies: UnboundedReceiver<Reply>,
    cancel: Option<Box<dyn FnOnce() + Send>>,
}

impl Asked {
    /// A question, and where its replies go. `cancel` is called if it is dropped before it was answered.
    pub fn new(cancel: impl FnOnce() + Send + 'static) -> (UnboundedSender<Reply>, Self) {
        let (sender, replies) = unbounded_channel();
        (sender, Self { replies, cancel: Some(Box::new(cancel)) })
    }

    /// The next reply. `None`: whoever was asked is gone.
    pub(crate) async fn next(&mut self) -> Option<Reply> {
        let reply = self.replies.recv().await;
        if !matches!(reply, Some(Reply::Piece(_))) {
            self.cancel = None;
        }
        reply
    }
}

impl Drop for Asked {
    fn drop(&mut self) {
        if let Some(cancel) = self.cancel.take() {
            cancel();
        }
    }
}

/// The host's side of one run.
pub trait Callbacks: Send + Sync {
    /// Asks. The request is the JSON text of an object.
    fn ask(&self, what: Ask, request: String) -> Asked;

    /// Whether there is anybody who decides about approvals at once. If not, every approval is deferred.
    fn has_approver(&self) -> bool;
}
