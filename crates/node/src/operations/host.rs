//! The host of one run: posts callback requests to JavaScript.

use std::sync::{Arc, OnceLock};

use bailiwick_model::json::{self, Json};
use bailiwick_model::{Error, Result};
use bailiwick_runtime::{CallbackKind, Callbacks, OnChanged, PendingReply, Reply, Reservation, TenantHandle};
use tokio::sync::mpsc::UnboundedSender;

use crate::callbacks::MOST_CALLBACK_BYTES;
use crate::completions::{CANCELLED, Completion, REQUESTED};
use crate::environment::Environment;
use crate::token::Token;

/// `u8 kind ‖ f64 host`, before the JSON of a request.
const REQUEST_HEADER: usize = 9;

/// The JavaScript side of one run.
pub(crate) struct Host {
    pub(crate) environment: Arc<Environment>,
    /// The handle of the run: requests wait in its tenant's fair queue and count against its limit.
    pub(crate) handle: Arc<TenantHandle>,
    /// The number that JavaScript gave to this call: it selects the host that gets the requests.
    pub(crate) number: u64,
    pub(crate) has_approver: bool,
    pub(crate) on_changed: OnChanged,
}

impl Host {
    /// Reserves a request before it is made.
    ///
    /// # Errors
    /// `InvalidInput` if it is too large at all, `TooMuchInFlight` if there is no room now.
    fn hold(&self, bytes: usize) -> Result<Reservation> {
        if bytes > MOST_CALLBACK_BYTES {
            return Err(Error::invalid(format!(
                "The request has {bytes} bytes; at most {MOST_CALLBACK_BYTES} (65 MiB) are allowed. Pass large values as references."
            )));
        }
        self.handle.hold(bytes)
    }

    /// Posts `u8 kind ‖ f64le host ‖ request`.
    fn post(&self, kind: CallbackKind, request: &str, replies: UnboundedSender<Reply>) -> Result<Token> {
        let held = self.hold(REQUEST_HEADER + request.len())?;
        let token = self.environment.tokens.next()?;
        let payload = [&[number_of(kind)][..], &(self.number as f64).to_le_bytes(), request.as_bytes()].concat();
        if self.environment.callbacks.add(token, replies) {
            let completion = Completion { token, state: REQUESTED, payload, held: Some(Arc::new(held)) };
            self.environment.completions.push(self.handle.queue_key(), completion);
        }
        Ok(token)
    }
}

/// The kind of a callback, as it crosses.
fn number_of(kind: CallbackKind) -> u8 {
    match kind {
        CallbackKind::Model => 0,
        CallbackKind::Tool => 1,
        CallbackKind::NeedsApproval => 2,
        CallbackKind::Approve => 3,
        CallbackKind::Output => 4,
        CallbackKind::Input => 5,
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
    fn request(&self, kind: CallbackKind, request: String) -> PendingReply {
        let token = Arc::new(OnceLock::<Token>::new());
        let (environment, queue_key, asked_as) = (self.environment.clone(), self.handle.queue_key(), token.clone());
        let (replies, asked) = PendingReply::new(move || {
            if let Some(token) = asked_as.get().filter(|token| environment.callbacks.remove(**token)) {
                environment
                    .completions
                    .push(queue_key, Completion { token: *token, state: CANCELLED, payload: Vec::new(), held: None });
            }
        });
        match self.post(kind, &request, replies.clone()) {
            Ok(posted) => _ = token.set(posted),
            // The run sees it as a failure of the host.
            Err(error) => _ = replies.send(Reply::Failure(refusal(&error))),
        }
        asked
    }

    fn has_approver(&self) -> bool {
        self.has_approver
    }

    fn on_changed(&self) -> OnChanged {
        self.on_changed
    }
}
