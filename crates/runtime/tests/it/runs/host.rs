//! A scripted host: models that answer by what they were told so far, tools that act on a world outside, and an approver.

use std::collections::HashMap;
use std::sync::Arc;

use bailiwick_model::json::{self, Json};
use bailiwick_runtime::{CallbackKind, Callbacks, PendingReply, Reply};
use parking_lot::Mutex;

pub(crate) fn parsed(text: &str) -> Json {
    let limits = json::Limits { depth: json::MAX_DEPTH, ..json::Limits::default() };
    json::parse(text.as_bytes(), &limits).unwrap_or_else(|error| panic!("{error} in {text}"))
}

/// What tools have done, as somebody outside counts it.
#[derive(Default)]
pub(crate) struct World {
    /// Every call that a handler was given: tool, idempotency key, input.
    pub(crate) calls: Mutex<Vec<(String, String, String)>>,
}

impl World {
    /// How often each call of a tool was executed, by its idempotency key.
    pub(crate) fn executions(&self, tool: &str) -> HashMap<String, usize> {
        let mut counts = HashMap::new();
        for (name, key, _) in self.calls.lock().iter() {
            if name == tool {
                *counts.entry(key.clone()).or_default() += 1;
            }
        }
        counts
    }
}

/// What a model says, given the agent, how many answers it has given in this conversation, and its last message.
pub(crate) type Say = dyn Fn(&str, usize, &Json) -> Reply + Send + Sync;
/// What a tool answers: `None` if it never does.
pub(crate) type Act = dyn Fn(&str, &Json) -> Option<Reply> + Send + Sync;

/// What a call waits for instead, given the tool and how its last wait ended: the JSON of a request. `None`: it does what it is for.
pub(crate) type WaitFor = dyn Fn(&str, Option<&Json>) -> Option<String> + Send + Sync;

/// One process's host.
pub(crate) struct Host {
    say: Arc<Say>,
    act: Arc<Act>,
    wait_for: Arc<WaitFor>,
    pub(crate) world: Arc<World>,
    /// The answer of the approver, if there is one; empty if it fails.
    pub(crate) approver: Option<&'static str>,
    messages: Mutex<HashMap<String, Vec<Json>>>,
    /// Every request to a model.
    pub(crate) requests: Mutex<Vec<Json>>,
}

impl Host {
    pub(crate) fn new(
        say: impl Fn(&str, usize, &Json) -> Reply + Send + Sync + 'static,
        act: impl Fn(&str, &Json) -> Option<Reply> + Send + Sync + 'static,
    ) -> Self {
        Self {
            say: Arc::new(say),
            act: Arc::new(act),
            wait_for: Arc::new(|_, _| None),
            world: Arc::default(),
            approver: None,
            messages: Mutex::default(),
            requests: Mutex::default(),
        }
    }

    /// The same host, some of whose tools wait.
    pub(crate) fn waiting(
        self,
        wait_for: impl Fn(&str, Option<&Json>) -> Option<String> + Send + Sync + 'static,
    ) -> Self {
        Self { wait_for: Arc::new(wait_for), ..self }
    }

    /// The host of another process that does the same in the same world.
    pub(crate) fn reborn(&self) -> Self {
        Self {
            say: self.say.clone(),
            act: self.act.clone(),
            wait_for: self.wait_for.clone(),
            world: self.world.clone(),
            approver: self.approver,
            messages: Mutex::default(),
            requests: Mutex::default(),
        }
    }

    fn model(&self, request: &Json) -> Reply {
        self.requests.lock().push(request.clone());
        let text = |key: &str| request.get(key).unwrap().as_str().unwrap().to_owned();
        let frame = json::write(request.get("frame").unwrap());
        let mut conversations = self.messages.lock();
        let messages = conversations.entry(frame).or_default();
        messages.truncate(request.get("from").unwrap().as_f64().unwrap() as usize);
        messages.extend(request.get("messages").unwrap().as_array().unwrap().iter().cloned());
        let answers = messages.iter().filter(|message| message.get("role").unwrap().as_str() == Some("assistant"));
        (self.say)(&text("agent"), answers.count(), messages.last().unwrap())
    }
}

impl Callbacks for Host {
    fn request(&self, kind: CallbackKind, request: String) -> PendingReply {
        let (replies, asked) = PendingReply::new(|| {});
        let request = parsed(&request);
        let reply = match kind {
            CallbackKind::Model => Some(self.model(&request)),
            CallbackKind::Tool => {
                let text = |key: &str| request.get(key).unwrap().as_str().unwrap().to_owned();
                let input = request.get("input").unwrap();
                let waits = (self.wait_for)(&text("tool"), request.get("resumed"));
                if let Some(waits) = waits {
                    replies.send(Reply::Value([&[5], waits.as_bytes()].concat())).unwrap();
                    return asked;
                }
                self.world.calls.lock().push((text("tool"), text("idempotencyKey"), json::write(input)));
                (self.act)(&text("tool"), input)
            }
            CallbackKind::NeedsApproval => Some(Reply::Value(b"true".to_vec())),
            CallbackKind::Input => Some(Reply::Value(b"{}".to_vec())),
            CallbackKind::Output => Some(Reply::Value(b"{}".to_vec())),
            CallbackKind::Approve => Some(match self.approver.unwrap() {
                "" => Reply::Failure(br#"{"message":"nobody is there"}"#.to_vec()),
                answer => Reply::Value(answer.as_bytes().to_vec()),
            }),
        };
        match reply {
            Some(reply) => replies.send(reply).unwrap(),
            // Whoever never answers keeps the subject open.
            None => std::mem::forget(replies),
        }
        asked
    }

    fn has_approver(&self) -> bool {
        self.approver.is_some()
    }
}

const USAGE: &str = r#""usage":{"inputTokens":10,"outputTokens":5}"#;

/// A model's answer in words.
pub(crate) fn says(text: &str) -> Reply {
    let text = json::write(&Json::from(text));
    Reply::Value(
        format!(r#"[{{"type":"text.delta","id":"t","delta":{text}}},{{"type":"finish","reason":"stop",{USAGE}}}]"#)
            .into_bytes(),
    )
}

/// A model's answer that calls tools: pairs of a name and JSON.
pub(crate) fn calls(tools: &[(&str, &str)]) -> Reply {
    let calls: Vec<String> = tools
        .iter()
        .enumerate()
        .map(|(at, (tool, input))| {
            let input = json::write(&Json::from(*input));
            format!(r#"{{"type":"tool.call","callId":"call-{at}","tool":"{tool}","input":{input}}}"#)
        })
        .collect();
    Reply::Value(format!(r#"[{},{{"type":"finish","reason":"tool-calls",{USAGE}}}]"#, calls.join(",")).into_bytes())
}

/// A tool's result as JSON.
pub(crate) fn gives(value: &str) -> Option<Reply> {
    Some(Reply::Value([&[0], value.as_bytes()].concat()))
}
