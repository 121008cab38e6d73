//! A host whose models answer piece by piece, as a script says, and whose tools answer at once.

use std::collections::VecDeque;

use bailiwick_model::json::{self, Json};
use bailiwick_runtime::{CallbackKind, Callbacks, PendingReply, Reply, RunRequest, TenantHandle};
use parking_lot::Mutex;

use super::host::parsed;
use super::{request, text};

/// The answers of a run's models, in their order, and what was asked.
pub(crate) struct Scripted {
    answers: Mutex<VecDeque<Vec<Reply>>>,
    /// Every request to a model.
    pub(crate) requests: Mutex<Vec<Json>>,
    /// Every call of a tool: its name and its input.
    pub(crate) calls: Mutex<Vec<(String, Json)>>,
}

impl Scripted {
    pub(crate) fn new(answers: impl IntoIterator<Item = Vec<Reply>>) -> Self {
        Self { answers: Mutex::new(answers.into_iter().collect()), requests: Mutex::default(), calls: Mutex::default() }
    }
}

impl Callbacks for Scripted {
    fn request(&self, kind: CallbackKind, request: String) -> PendingReply {
        let (sender, asked) = PendingReply::new(|| {});
        let request = parsed(&request);
        let replies = match kind {
            CallbackKind::Model => {
                self.requests.lock().push(request);
                self.answers.lock().pop_front().unwrap_or_else(|| vec![fails(false)])
            }
            CallbackKind::Tool => {
                let tool = request.get("tool").and_then(Json::as_str).unwrap().to_owned();
                self.calls.lock().push((tool, request.get("input").unwrap().clone()));
                vec![Reply::Value(b"\0null".to_vec())]
            }
            CallbackKind::Input | CallbackKind::Output => vec![Reply::Value(b"{}".to_vec())],
            CallbackKind::NeedsApproval | CallbackKind::Approve => panic!("nobody is asked"),
        };
        let is_over = replies.iter().any(|reply| !matches!(reply, Reply::Piece(_)));
        replies.into_iter().for_each(|reply| sender.send(reply).unwrap());
        if !is_over {
            // It never goes on.
            std::mem::forget(sender);
        }
        asked
    }

    fn has_approver(&self) -> bool {
        false
    }
}

/// Events of an answer that goes on.
pub(crate) fn piece(events: &str) -> Reply {
    Reply::Piece(format!("[{events}]").into_bytes())
}

/// The last events of an answer.
pub(crate) fn last(events: &str) -> Reply {
    Reply::Value(format!("[{events}]").into_bytes())
}

/// A model that fails.
pub(crate) fn fails(retryable: bool) -> Reply {
    Reply::Failure(format!(r#"{{"message":"cut off","retryable":{retryable},"retryAfterMs":0}}"#).into_bytes())
}

/// A piece of text.
pub(crate) fn text_delta(text: &str) -> String {
    format!(r#"{{"type":"text.delta","id":"t","delta":"{text}"}}"#)
}

/// What was used so far.
pub(crate) fn used(input: u64, output: u64) -> String {
    format!(r#"{{"type":"usage","usage":{{"inputTokens":{input},"outputTokens":{output}}}}}"#)
}

/// The end of an answer.
pub(crate) fn finish(reason: &str) -> String {
    format!(r#"{{"type":"finish","reason":"{reason}","usage":{{"inputTokens":10,"outputTokens":5}}}}"#)
}

/// A whole answer in words.
pub(crate) fn answer(text: &str) -> Vec<Reply> {
    vec![last(&format!("{},{}", text_delta(text), finish("stop")))]
}

/// A host whose first answer fails, so that it may be asked for again, once a test says so.
pub(crate) struct Stepwise {
    scripted: Scripted,
    open: Mutex<Option<tokio::sync::mpsc::UnboundedSender<Reply>>>,
}

impl Stepwise {
    /// The first answer does not end by itself.
    pub(crate) fn new(answers: impl IntoIterator<Item = Vec<Reply>>) -> Self {
        Self { scripted: Scripted::new(answers), open: Mutex::default() }
    }

    /// Lets it fail. `false`: it has failed already.
    pub(crate) fn fail(&self) -> bool {
        self.open.lock().take().is_some_and(|open| open.send(fails(true)).is_ok())
    }

    /// Whether it is still to fail.
    pub(crate) fn is_asked(&self) -> bool {
        self.open.lock().is_some()
    }
}

impl Callbacks for Stepwise {
    fn request(&self, kind: CallbackKind, request: String) -> PendingReply {
        if !self.scripted.requests.lock().is_empty() {
            return self.scripted.request(kind, request);
        }
        let (sender, asked) = PendingReply::new(|| {});
        self.scripted.requests.lock().push(parsed(&request));
        let replies = self.scripted.answers.lock().pop_front().unwrap();
        replies.into_iter().for_each(|reply| sender.send(reply).unwrap());
        *self.open.lock() = Some(sender);
        asked
    }

    fn has_approver(&self) -> bool {
        false
    }
}

/// Runs a query to its result.
pub(crate) async fn query(handle: &TenantHandle, request: RunRequest, host: &Scripted) -> Json {
    let prepared = handle.runs().prepare(None).unwrap();
    parsed(&handle.runs().start(prepared, request, host).await.unwrap())
}

/// A query on a thread.
pub(crate) fn on(thread: &str, prompt: &str) -> RunRequest {
    RunRequest { thread_id: Some(thread.to_owned()), ..request(prompt) }
}

/// What a thread has.
pub(crate) async fn messages(handle: &TenantHandle, thread: &str) -> Vec<Json> {
    let page = handle.threads().messages(thread, 1000, None).await.unwrap();
    page.items.iter().map(|message| parsed(message)).collect()
}

/// The parts of a message.
pub(crate) fn parts(message: &Json) -> &[Json] {
    message.get("parts").unwrap().as_array().unwrap()
}

/// What the calls of a message came to, as the model was told.
pub(crate) fn told(message: &Json) -> Vec<String> {
    let texts = parts(message).iter().map(|part| {
        let error = part.get("result").unwrap().get("error").unwrap();
        format!("{}: {}", text(error, "code"), text(error, "message"))
    });
    texts.collect()
}

/// A call as a model writes it.
pub(crate) fn call(id: &str, tool: &str, input: &str) -> String {
    let quoted = |text: &str| json::write(&Json::from(text));
    let (id, tool, input) = (quoted(id), quoted(tool), quoted(input));
    format!(r#"{{"type":"tool.call","callId":{id},"tool":{tool},"input":{input}}}"#)
}

/// An answer that makes these calls.
pub(crate) fn calling(calls: &[String]) -> Vec<Reply> {
    vec![last(&format!("{},{}", calls.join(","), finish("tool-calls")))]
}
