//! The host's side of a run: models, tools and approvers. The loop sends requests to it and is answered piece by piece.

use bailiwick_model::Error;
use bailiwick_model::json::{self, Json};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

/// The most bytes of one request to the host, but for a few KiB about it. A larger one is never made: the call fails, or the
/// run.
pub(crate) const ASKED_BYTES: usize = (64 << 20) - (64 << 10);

/// The kind of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ask {
    /// A model, for one answer. Pieces and the value are JSON arrays of ModelEvents; the last one is a `finish`.
    Model,
    /// A tool, for its result: `u8 form ‖ bytes`. Form 0 is JSON text, 1 text, 2 bytes, 3 the id of a reference.
    Tool,
    /// Whether a call needs an approval: JSON `true` or `false`.
    NeedsApproval,
    /// The approver, for a decision about an approval: JSON `{ decision, actor?, reason? }`.
    Approve,
    /// The agent's own schema, for an output: JSON `{}` for nothing, `{ output }` for what counts instead, `{ problem }` for
    /// its model.
    Output,
    /// The tool's own schema, for an input, before a person is asked about the call: JSON `{}`, or `{ problem }` for the
    /// model.
    Input,
}

/// A reply of the host.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reply {
    /// A part of the answer; more will come.
    Piece(Vec<u8>),
    /// The answer, or its last part.
    Value(Vec<u8>),
    /// There is no answer: JSON `{ message, code?, retryable?, retryAfterMs? }`.
    Failure(Vec<u8>),
}

/// A request that is under way. Dropping it before it is answered cancels it.
pub struct Asked {
    replies: UnboundedReceiver<Reply>,
    cancel: Option<Box<dyn FnOnce() + Send>>,
}

impl Asked {
    /// A request, and where its replies go. `cancel` is called if it is dropped before it was answered.
    pub fn new(cancel: impl FnOnce() + Send + 'static) -> (UnboundedSender<Reply>, Self) {
        let (sender, replies) = unbounded_channel();
        (sender, Self { replies, cancel: Some(Box::new(cancel)) })
    }

    /// Waits for the next reply. `None`: the host is gone.
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
    /// Sends a request: the JSON text of an object.
    fn ask(&self, what: Ask, request: String) -> Asked;

    /// Whether there is an approver that decides at once. If not, every approval is deferred.
    fn has_approver(&self) -> bool;
}

/// The host of a run that is cancelled without being resumed.
pub(crate) struct NoHost;

impl Callbacks for NoHost {
    fn ask(&self, _: Ask, _: String) -> Asked {
        Asked::new(|| {}).1
    }

    fn has_approver(&self) -> bool {
        false
    }
}

/// What the host says in place of an answer. All of it may be absent.
#[derive(Default)]
pub(crate) struct HostFailure {
    pub(crate) code: Option<String>,
    pub(crate) message: Option<String>,
    pub(crate) retryable: bool,
    pub(crate) retry_after_ms: Option<u64>,
}

impl HostFailure {
    /// Reads it, as far as it can be read.
    pub(crate) fn read(text: &[u8]) -> Self {
        let told = json::parse(text, &json::Limits::default()).unwrap_or(Json::Null);
        let text = |key: &str| told.get(key).and_then(Json::as_str).map(str::to_owned);
        Self {
            code: text("code"),
            message: text("message"),
            retryable: told.get("retryable").and_then(Json::as_bool).unwrap_or(false),
            retry_after_ms: told.get("retryAfterMs").and_then(Json::as_whole),
        }
    }
}

/// The error when the host that was to answer is gone.
pub(crate) fn host_gone() -> Error {
    Error::Closed("The runtime that this run was started on is closed. Resume the run with another.".to_owned())
}
