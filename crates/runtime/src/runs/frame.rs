//! What one agent of a run is at: its conversation, its calls, its plan. Pure: it changes with entries alone.

use std::collections::hash_map::Entry;
use std::collections::{HashMap, HashSet};

use bailiwick_model::json::{self, Json};
use bailiwick_model::spec::AgentRole;

use super::entry::{member, number, object};

/// One agent at work.
#[derive(Debug, Clone)]
pub(crate) struct Frame {
    /// Which of the run's agents at work this is, in the order in which they began.
    pub(crate) number: u64,
    pub(crate) agent: String,
    pub(crate) role: AgentRole,
    /// The call of the agent above that this one answers.
    pub(crate) call: Option<String>,
    /// What its model has seen: JSON texts of messages.
    pub(crate) messages: Vec<String>,
    /// What it calls now: the calls of its last message, or the steps of a plan.
    pub(crate) calls: Vec<Call>,
    /// The plan that it made or runs.
    pub(crate) plan: Option<PlanStage>,
    /// How often its model was asked.
    pub(crate) steps: u64,
    /// How many tools it has called.
    pub(crate) tool_calls: u64,
    /// How many tokens it has used.
    pub(crate) tokens: u64,
    /// How long the run had been worked at when it began, in milliseconds.
    pub(crate) began_ms: u64,
    /// How often its model was told that its answer will not do.
    pub(crate) corrections: u64,
    /// What its model has said so far of an answer in which its provider paused.
    pub(crate) said: String,
    /// What it came to, once its model stopped.
    pub(crate) answer: Option<Answer>,
}

/// What an agent came to.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Answer {
    pub(crate) text: String,
    /// What fits its output schema, if it has one; else the text.
    pub(crate) output: Json,
    /// Whether it could not do what it was asked.
    pub(crate) failed: bool,
}

/// How far a plan has come in a run.
#[derive(Debug, Clone)]
pub(crate) struct PlanStage {
    pub(crate) plan_id: String,
    pub(crate) version: u64,
    pub(crate) hash: String,
    pub(crate) approval: Approving,
    /// The hash of the definitions of its tools that it was approved with. `None` where it is not run.
    pub(crate) definition: Option<String>,
    /// What the executor came to.
    pub(crate) outcome: Option<Answer>,
}

/// How somebody's consent stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Approving {
    /// Nobody was asked.
    No,
    /// This approval waits, as far as the journal knows.
    Waiting(String),
    /// This one was given.
    Given(String),
    /// Refused, and what is said of that.
    Refused(String),
}

/// One call of a tool or a route.
#[derive(Debug, Clone)]
pub(crate) struct Call {
    pub(crate) call_id: String,
    pub(crate) tool: String,
    pub(crate) input: Json,
    /// Why what the model wrote as its input could not be read. The input is that text then.
    pub(crate) unread: Option<String>,
    /// The call before it in the same answer that has the same name and input.
    pub(crate) repeats: Option<String>,
    /// The calls that must be done before: places among the agent's calls.
    pub(crate) after: Vec<usize>,
    /// Whether it was begun, possibly by a process that is gone.
    pub(crate) started: bool,
    /// The hash of the definition under which it was begun, if that could change something outside.
    pub(crate) writing: Option<String>,
    pub(crate) approving: Approving,
    pub(crate) done: Option<Done>,
}

/// What a call came to.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Done {
    pub(crate) result: Json,
    pub(crate) failed: bool,
}

impl Call {
    pub(crate) fn new(call_id: &str, tool: &str, input: Json) -> Self {
        Self {
            call_id: call_id.to_owned(),
            tool: tool.to_owned(),
            input,
            unread: None,
            repeats: None,
            after: Vec::new(),
            started: false,
            writing: None,
            approving: Approving::No,
            done: None,
        }
    }

    /// Whether it was begun by a process that is gone, and nobody has said since what is to become of it.
    pub(crate) fn is_interrupted(&self) -> bool {
        self.started && self.approving == Approving::No && self.done.is_none()
    }
}

impl Frame {
    pub(crate) fn new(number: u64, agent: &str, role: AgentRole, call: Option<&str>) -> Self {
        Self {
            number,
            agent: agent.to_owned(),
            role,
            call: call.map(str::to_owned),
            messages: Vec::new(),
            calls: Vec::new(),
            plan: None,
            steps: 0,
            tool_calls: 0,
            tokens: 0,
            began_ms: 0,
            corrections: 0,
            said: String::new(),
            answer: None,
        }
    }

    pub(crate) fn call(&mut self, call_id: &str) -> Option<&mut Call> {
        self.calls.iter_mut().find(|call| call.call_id == call_id)
    }

    /// The calls that could go on now: not done, not waiting for a person or for each other.
    pub(crate) fn ready(&self) -> Vec<usize> {
        let is_done = |at: &usize| self.calls.get(*at).is_some_and(|call| call.done.is_some());
        let ready = self.calls.iter().enumerate().filter(|(_, call)| {
            call.done.is_none() && !matches!(call.approving, Approving::Waiting(_)) && call.after.iter().all(is_done)
        });
        ready.map(|(at, _)| at).collect()
    }

    /// The approvals that it waits for.
    pub(crate) fn waiting(&self) -> Vec<&str> {
        let plan = self.plan.iter().map(|plan| &plan.approval);
        let approvals = self.calls.iter().map(|call| &call.approving).chain(plan);
        approvals
            .filter_map(|approving| if let Approving::Waiting(id) = approving { Some(id.as_str()) } else { None })
            .collect()
    }

    /// Whether a step of the plan that it runs has failed.
    pub(crate) fn has_failed(&self) -> bool {
        self.role == AgentRole::Executor
            && self.calls.iter().any(|call| call.done.as_ref().is_some_and(|done| done.failed))
    }

    /// Ends a turn whose calls are all done: their results become a message, and the next turn may begin.
    pub(crate) fn end_turn(&mut self, message_id: &str, at: u64) {
        if self.role == AgentRole::Executor
            || self.calls.is_empty()
            || self.calls.iter().any(|call| call.done.is_none())
        {
            return;
        }
        let parts = self.calls.drain(..).filter_map(|call| {
            let done = call.done?;
            Some(result_part(&call.call_id, done.result, done.failed))
        });
        let parts = Json::Array(parts.collect());
        self.messages.push(message(message_id, "tool", parts, at));
    }
}

/// The part that tells a model what a call came to.
pub(crate) fn result_part(call_id: &str, result: Json, failed: bool) -> Json {
    let mut members = vec![
        member("type", Json::from("tool-result")),
        member("callId", Json::from(call_id)),
        member("result", result),
    ];
    if failed {
        members.push(member("isError", Json::Bool(true)));
    }
    Json::Object(members)
}

/// A message as models see it: JSON text.
pub(crate) fn message(message_id: &str, role: &str, parts: Json, at: u64) -> String {
    json::write(&message_members(message_id, role, parts, at))
}

/// A message of a model that was cut off while it wrote it.
pub(crate) fn interrupted_message(message_id: &str, parts: Json, at: u64) -> String {
    let Json::Object(mut members) = message_members(message_id, "assistant", parts, at) else { return String::new() };
    members.push(member("interrupted", Json::Bool(true)));
    json::write(&Json::Object(members))
}

fn message_members(message_id: &str, role: &str, parts: Json, at: u64) -> Json {
    object([
        ("messageId", Json::from(message_id)),
        ("role", Json::from(role)),
        ("parts", parts),
        ("createdAt", number(at)),
    ])
}

/// The parts of a text.
pub(crate) fn text_parts(text: &str) -> Json {
    Json::Array(vec![object([("type", Json::from("text")), ("text", Json::from(text))])])
}

/// The calls that a message asks for. One that is the same as an earlier one says so.
pub(crate) fn calls_of(parts: &[Json]) -> Option<Vec<Call>> {
    let calls = parts.iter().filter(|part| is_call(part)).map(|part| {
        Some(Call::new(part.get("callId")?.as_str()?, part.get("tool")?.as_str()?, part.get("input")?.clone()))
    });
    let mut calls = calls.collect::<Option<Vec<Call>>>()?;
    if calls.len() > 1 {
        let mut first: HashMap<(String, Vec<u8>), String> = HashMap::new();
        for call in &mut calls {
            match first.entry((call.tool.clone(), json::canonical(&call.input))) {
                Entry::Occupied(first) => call.repeats = Some(first.get().clone()),
                Entry::Vacant(place) => drop(place.insert(call.call_id.clone())),
            }
        }
    }
    Some(calls)
}

/// Whether a part of a message is a call.
pub(crate) fn is_call(part: &Json) -> bool {
    part.get("type").and_then(Json::as_str) == Some("tool-call")
}

/// The calls of a plan's steps.
pub(crate) fn calls_of_steps(run_call: &str, steps: &Json) -> Option<Vec<Call>> {
    let steps = steps.as_array()?;
    let ids: Vec<&str> = steps.iter().map(|step| step.get("id")?.as_str()).collect::<Option<_>>()?;
    let place = |id: &str| ids.iter().position(|other| *other == id);
    let mut calls = Vec::with_capacity(steps.len());
    for (step, id) in steps.iter().zip(&ids) {
        let input = step.get("input")?;
        let mut call = Call::new(&format!("{run_call}{id}"), step.get("tool")?.as_str()?, input.clone());
        let mut after: HashSet<usize> = HashSet::new();
        for needed in step.get("dependsOn").and_then(Json::as_array).unwrap_or_default() {
            after.insert(place(needed.as_str()?)?);
        }
        for needed in super::steps::references(input) {
            after.insert(place(needed)?);
        }
        call.after = after.into_iter().collect();
        call.after.sort_unstable();
        calls.push(call);
    }
    Some(calls)
}

const ROLES: [(&str, AgentRole); 4] = [
    ("coordinator", AgentRole::Coordinator),
    ("planner", AgentRole::Planner),
    ("executor", AgentRole::Executor),
    ("specialist", AgentRole::Specialist),
];

/// The role of this name.
pub(crate) fn role_named(name: &str) -> Option<AgentRole> {
    ROLES.iter().find(|(word, _)| *word == name).map(|(_, role)| *role)
}

/// The word for a role.
pub(crate) fn role_name(role: AgentRole) -> &'static str {
    ROLES.iter().find(|(_, other)| *other == role).map_or("", |(word, _)| word)
}
