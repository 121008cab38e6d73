//! One agent of a run: its conversation, its calls, its plan. Pure: it changes with entries alone.

use std::collections::hash_map::Entry;
use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use bailiwick_model::json::{self, Json};
use bailiwick_model::spec::AgentRole;

use serde::Serialize;

use super::message::Done;
use crate::context::{Fold, Short};
use crate::runs::events::{OpenWait, Part, ResumedKind};
use crate::waits::Outcome;

/// See the module's text.
#[derive(Debug)]
pub(crate) struct Frame {
    /// Which of the run's agents this is, in the order in which they began.
    pub(crate) number: u64,
    pub(crate) agent: String,
    pub(crate) role: AgentRole,
    /// The hash of the definition that it began with.
    pub(crate) definition: Option<String>,
    /// The call of the agent above that this one answers.
    pub(crate) call: Option<String>,
    /// The messages that its model has seen: JSON texts.
    pub(crate) messages: Vec<String>,
    /// What its model is sent of them.
    pub(crate) context: FrameContext,
    /// The calls of its last message and, before them, those of earlier ones that are deferred; or the steps of its plan.
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
    /// Whether its model has stopped while calls of it are deferred: it is asked again with their results.
    pub(crate) has_stopped: bool,
    /// Its answer, once its model stopped for good; with calls that wait, unless one of them ends before the run.
    pub(crate) answer: Option<Answer>,
}

/// What the model of an agent is sent of its conversation.
#[derive(Debug, Default)]
pub(crate) struct FrameContext {
    /// What is folded, and the outline that stands for it.
    pub(crate) folded: Option<(Fold, String)>,
    /// The messages behind it that are shown by their beginning.
    pub(crate) short: Option<Short>,
    /// The tokens that the provider has counted of the last request, if nothing was folded since, and how many messages of the agent
    /// it had.
    pub(crate) counted: Option<(u64, usize)>,
}

/// The answer of an agent.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Answer {
    pub(crate) text: String,
    /// What fits its output schema, if it has one; else the text.
    pub(crate) output: Json,
    /// Whether it could not do what it was asked.
    pub(crate) failed: bool,
}

impl Answer {
    /// Returns about how many bytes it is written with.
    pub(crate) fn weight(&self) -> u64 {
        self.text.len() as u64 + self.output.weight()
    }
}

/// How far a plan has come in a run.
#[derive(Debug, Clone)]
pub(crate) struct PlanStage {
    pub(crate) plan_id: String,
    pub(crate) version: u64,
    pub(crate) hash: String,
    pub(crate) approval: ApprovalState,
    /// The hash of the definitions of its tools that it was approved with. `None` where it is not run.
    pub(crate) definition: Option<String>,
    pub(crate) outcome: Option<Answer>,
}

/// The approval of a call or a plan.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum ApprovalState {
    NotRequested,
    /// The id of a pending approval, as far as the journal knows.
    Pending(String),
    /// The id of the approval.
    Approved(String),
    /// The text for the model.
    Rejected(String),
}

/// One call of a tool or a route.
#[derive(Debug, Clone)]
pub(crate) struct Call {
    pub(crate) call_id: String,
    pub(crate) tool: String,
    pub(crate) input: Arc<Json>,
    /// The run whose model made it, if that is an earlier one.
    pub(crate) origin: Option<String>,
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
    pub(crate) approval: ApprovalState,
    /// The run that asked for its approval, if that is an earlier one.
    pub(crate) asked_in: Option<String>,
    /// Whether a person has ever approved of it.
    pub(crate) was_approved: bool,
    /// Whether its input is one that a person edited before they approved.
    pub(crate) is_edited: bool,
    /// What it waits for.
    pub(crate) wait: Option<OpenWait>,
    /// Whether its agent goes on while it waits, as its last wait or approval says.
    pub(crate) continues: bool,
    /// Whether its model was told that it waits: its turn has ended without it.
    pub(crate) is_deferred: bool,
    /// How its last wait ended.
    pub(crate) resumed: Option<Resumed>,
    pub(crate) done: Option<Done>,
}

/// The end of a wait, as a handler is told of it that is called again.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Resumed {
    pub(crate) kind: ResumedKind,
    #[serde(flatten)]
    pub(crate) outcome: Outcome,
    pub(crate) waited_ms: u64,
    /// Which of the waits of its call it was, from 1.
    pub(crate) turn: u64,
    /// The hash of the definition of the tool that waited.
    #[serde(skip)]
    pub(crate) definition: Option<String>,
}

impl PlanStage {
    /// A plan that no person was asked about.
    pub(crate) fn new(plan_id: String, version: u64, hash: String, definition: Option<String>) -> Self {
        Self { plan_id, version, hash, approval: ApprovalState::NotRequested, definition, outcome: None }
    }
}

impl Call {
    /// A call that was not begun.
    pub(crate) fn new(call_id: &str, tool: &str, input: Arc<Json>) -> Self {
        Self {
            call_id: call_id.to_owned(),
            tool: tool.to_owned(),
            input,
            origin: None,
            unread: None,
            repeats: None,
            after: Vec::new(),
            started: false,
            writing: None,
            approval: ApprovalState::NotRequested,
            asked_in: None,
            was_approved: false,
            is_edited: false,
            wait: None,
            continues: false,
            is_deferred: false,
            resumed: None,
            done: None,
        }
    }

    /// Whether it counts for the limit of calls when it is made now. One that a process has died in counts once, and so does one that
    /// has waited once; a handler that waits again and again does not go on for ever.
    pub(crate) fn counts(&self) -> bool {
        !self.started && self.resumed.as_ref().is_none_or(|resumed| resumed.turn > 1)
    }

    /// Whether a process that is gone began it, and no person has said since how to go on.
    pub(crate) fn is_interrupted(&self) -> bool {
        self.started && self.approval == ApprovalState::NotRequested && self.done.is_none()
    }
}

impl Frame {
    pub(crate) fn new(number: u64, agent: &str, role: AgentRole) -> Self {
        Self {
            number,
            agent: agent.to_owned(),
            role,
            definition: None,
            call: None,
            messages: Vec::new(),
            context: FrameContext::default(),
            calls: Vec::new(),
            plan: None,
            steps: 0,
            tool_calls: 0,
            tokens: 0,
            began_ms: 0,
            corrections: 0,
            said: String::new(),
            has_stopped: false,
            answer: None,
        }
    }

    pub(crate) fn call(&mut self, call_id: &str) -> Option<&mut Call> {
        self.calls.iter_mut().find(|call| call.call_id == call_id)
    }

    /// The calls that could go on now: not done, and waiting neither for something outside nor for each other.
    pub(crate) fn ready(&self) -> impl Iterator<Item = (usize, &Call)> {
        let is_done = |at: &usize| self.calls.get(*at).is_some_and(|call| call.done.is_some());
        self.calls
            .iter()
            .enumerate()
            .filter(move |(_, call)| call.done.is_none() && !call.is_waiting() && call.after.iter().all(is_done))
    }

    /// The approvals that it waits for.
    pub(crate) fn waiting(&self) -> Vec<&str> {
        let plan = self.plan.iter().map(|plan| &plan.approval);
        self.calls.iter().map(|call| &call.approval).chain(plan).filter_map(ApprovalState::pending).collect()
    }

    /// The calls that wait for an answer, an event or a time.
    pub(crate) fn open_waits(&self) -> impl Iterator<Item = (&Call, &OpenWait)> {
        self.calls.iter().filter_map(|call| Some((call, call.wait.as_ref()?)))
    }

    /// Whether a step of the plan that it runs has failed.
    pub(crate) fn has_failed(&self) -> bool {
        self.role == AgentRole::Executor
            && self.calls.iter().any(|call| call.done.as_ref().is_some_and(|done| done.failed))
    }
}

/// The calls of a model's answer. One that is the same as an earlier one says so.
pub(crate) fn calls_of(parts: &[Part], unread: &[(String, String)]) -> Vec<Call> {
    let mut calls: Vec<Call> = Vec::new();
    for part in parts {
        let Part::ToolCall { call_id, tool, input, .. } = part else { continue };
        let mut call = Call::new(call_id, tool, input.clone());
        call.unread = unread.iter().find(|(id, _)| id == call_id).map(|(_, reason)| reason.clone());
        calls.push(call);
    }
    if calls.len() > 1 {
        let mut first: HashMap<(String, Vec<u8>), String> = HashMap::new();
        for call in &mut calls {
            match first.entry((call.tool.clone(), json::canonical(&call.input))) {
                Entry::Occupied(first) => call.repeats = Some(first.get().clone()),
                Entry::Vacant(place) => drop(place.insert(call.call_id.clone())),
            }
        }
    }
    calls
}

/// The calls of a plan's steps. `None` if these are no steps.
pub(crate) fn calls_of_steps(prefix: &str, steps: &Json) -> Option<Vec<Call>> {
    let steps = steps.as_array()?;
    let ids: Vec<&str> = steps.iter().map(|step| step.get("id")?.as_str()).collect::<Option<_>>()?;
    let places: HashMap<&str, usize> = ids.iter().enumerate().rev().map(|(at, id)| (*id, at)).collect();
    let place = |id: &str| places.get(id).copied();
    let mut calls = Vec::with_capacity(steps.len());
    for (step, id) in steps.iter().zip(&ids) {
        let input = step.get("input")?;
        let mut call = Call::new(&format!("{prefix}{id}"), step.get("tool")?.as_str()?, Arc::new(input.clone()));
        let mut after: HashSet<usize> = HashSet::new();
        for needed in step.get("dependsOn").and_then(Json::as_array).unwrap_or_default() {
            after.insert(place(needed.as_str()?)?);
        }
        for needed in super::step_refs::references(input) {
            after.insert(place(needed)?);
        }
        call.after = after.into_iter().collect();
        call.after.sort_unstable();
        calls.push(call);
    }
    Some(calls)
}
