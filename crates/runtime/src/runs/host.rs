//! The host's side of a run: models, tools and approvers. The loop sends requests to it and receives replies in pieces.

use bailiwick_model::json::{self, Json};
use bailiwick_model::pace::ahead_of;
use bailiwick_model::{Error, Result};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

/// The most bytes of one request to the host, without a few KiB of context. A larger one fails its call or its run.
pub(crate) const REQUEST_BYTES: usize = (64 << 20) - (64 << 10);

/// The kind of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CallbackKind {
    /// A model, for one answer. Pieces and the value are JSON arrays of ModelEvents; the last one is a `finish`.
    Model,
    /// A tool, for its result: `u8 form ‖ bytes`. Form 0 is JSON text, 1 text, 2 bytes, 3 the id of a
    /// reference, 4 JSON that the host has validated, 5 what the call waits for instead of having a result.
    Tool,
    /// Whether a call needs an approval: JSON `true` or `false`.
    NeedsApproval,
    /// The approver, for a decision about an approval: JSON `{ decision, actor?, reason? }`.
    Approve,
    /// The agent's own schema, for an output: JSON `{}` to keep it, `{ output }` to replace it, `{ problem }` for its model.
    Output,
    /// The tool's own schema, for an input, before an approval is requested: JSON `{}`, or `{ problem }` for the model.
    Input,
}

/// A reply of the host.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reply {
    /// A part of the answer; more follow.
    Piece(Vec<u8>),
    /// The answer, or its last part.
    Value(Vec<u8>),
    /// There is no answer: JSON `{ message, code?, retryable?, retryAfterMs? }`.
    Failure(Vec<u8>),
}

/// The replies to a request in flight. Dropping it before the last reply cancels the request.
pub struct PendingReply {
    replies: UnboundedReceiver<Reply>,
    cancel: Option<Box<dyn FnOnce() + Send>>,
}

impl PendingReply {
    /// Returns the sender of the replies, and their receiver, which calls `cancel` if it is dropped before the last one.
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

impl Drop for PendingReply {
    fn drop(&mut self) {
        if let Some(cancel) = self.cancel.take() {
            cancel();
        }
    }
}

/// Which definition a resumed run goes on with if that of its agent has changed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum OnChanged {
    /// The one that the agent began with, as long as its models are those of providers that the spec still names.
    #[default]
    Keep,
    /// The one of the spec.
    Take,
}

/// The host's side of one run.
pub trait Callbacks: Send + Sync {
    /// Sends a request: the JSON text of an object.
    fn request(&self, kind: CallbackKind, request: String) -> PendingReply;

    /// Whether there is an approver that decides at once. If not, every approval is deferred.
    fn has_approver(&self) -> bool;

    /// What a resumed run does if the definitions of its agents have changed.
    fn on_changed(&self) -> OnChanged {
        OnChanged::default()
    }
}

/// The host of a run that is cancelled without being resumed.
pub(crate) struct NoHost;

impl Callbacks for NoHost {
    fn request(&self, _: CallbackKind, _: String) -> PendingReply {
        PendingReply::new(|| {}).1
    }

    fn has_approver(&self) -> bool {
        false
    }
}

/// A failure that the host reports. Every member may be absent.
#[derive(Default)]
pub(crate) struct HostFailure {
    pub(crate) code: Option<String>,
    pub(crate) message: Option<String>,
    /// Whether the same may be tried again, if the error says.
    pub(crate) retryable: Option<bool>,
    pub(crate) retry_after_ms: Option<u64>,
}

impl HostFailure {
    /// Reads the members that can be read.
    pub(crate) async fn read(text: &[u8]) -> Self {
        let told = parsed(text).await.unwrap_or(Json::Null);
        let text = |key: &str| told.get(key).and_then(Json::as_str).map(str::to_owned);
        Self {
            code: text("code"),
            message: text("message"),
            retryable: told.get("retryable").and_then(Json::as_bool),
            retry_after_ms: told.get("retryAfterMs").and_then(Json::as_whole),
        }
    }
}

/// Waits for a turn to parse a reply of the host, and parses it.
///
/// # Errors
/// `InvalidInput` if it is not JSON.
pub(crate) async fn parsed(reply: &[u8]) -> Result<Json> {
    ahead_of(reply.len()).await;
    json::parse(reply, &json::Limits::default())
}

/// The error when the host has closed its runtime.
pub(crate) fn host_gone() -> Error {
    Error::Closed("The runtime that this run was started on is closed. Resume the run with another.".to_owned())
}
