//! The state of a run: what its journal says, and what is to be done next. Pure, so that resuming is replaying the journal,
//! and a test can drive it without a store.

mod apply;
mod frame;
mod left;
mod limits;
mod message;
pub(crate) mod step_refs;
mod turn;
#[cfg(test)]
mod turn_tests;

use std::collections::{BTreeSet, HashMap, HashSet};

use bailiwick_model::json::{self, Json};
use bailiwick_model::pace::ahead_of;
use bailiwick_model::spec::{AgentRole, RunLimits};

pub(crate) use frame::{Answer, ApprovalState, Call, Frame, PlanStage, Resumed};
pub(crate) use limits::{read_limits, stricter};
pub(crate) use message::{Done, ResultPart, answer_message, results_message, text_parts, user_message};

use super::events::{Event, FinishReason, OpenWait, Part, STORED, Usage};
use crate::waits::Outcome;

/// See the module's text.
#[derive(Debug)]
pub(crate) struct RunState {
    pub(crate) run_id: String,
    pub(crate) thread_id: String,
    pub(crate) actor: Option<String>,
    /// The actors of its requests so far: its own, of prompts that were handed to it, and of the runs whose calls it goes on with.
    /// `None`: a request without an actor.
    pub(crate) requesters: BTreeSet<Option<String>>,
    /// Whether it is queued, and has not begun.
    is_queued: bool,
    pub(crate) prompt: Json,
    pub(crate) limits: RunLimits,
    /// The run whose calls it goes on with: then it has no prompt.
    pub(crate) continues: Option<String>,
    /// The W3C `traceparent` of the span in which it was begun.
    pub(crate) trace: Option<String>,
    /// What the system prompts of its agents end with.
    pub(crate) instructions: Option<String>,
    pub(crate) updated_at: u64,
    /// The agents that are not done: each is called by the one before it.
    pub(crate) frames: Vec<Frame>,
    pub(crate) usage: Usage,
    pub(crate) steps: u64,
    pub(crate) tool_calls: u64,
    /// How long it was worked at, in milliseconds, as of the last answer of a model.
    pub(crate) active_ms: u64,
    /// How many messages the thread had before.
    pub(crate) base: u64,
    /// The references that it made or was given.
    pub(crate) references: Vec<String>,
    /// The answer of the agent that was asked.
    pub(crate) answer: Option<Answer>,
    /// The calls that wait and that no agent of it has: those that it begins with, or has left.
    pub(crate) left: Vec<Call>,
    /// The messages of the agent that was asked, once that one is done.
    pub(crate) thread_messages: Vec<String>,
    /// How many of these its thread has.
    pub(crate) threaded: usize,
    /// The calls whose results the thread has before those of their turn are complete.
    pub(crate) told: HashSet<String>,
    /// The last event if it is an end or a suspension.
    pub(crate) rest: Option<Event>,
    /// How the last answer of the agent that was asked ended.
    pub(crate) finish_reason: Option<FinishReason>,
    /// How the wait ended whose call is resumed with the next entry.
    settled: Option<Outcome>,
    call_ids: HashSet<String>,
    /// How many messages it has.
    messages: u64,
    /// How many agents began.
    begun: u64,
}

/// The next step of a run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Next {
    /// Send a request to the model of the last agent.
    RequestModel,
    /// Go on with these calls of the last agent.
    Calls(Vec<usize>),
    /// Save the plan that the last agent has drafted.
    SavePlan,
    /// Request an approval of the plan of the last agent.
    RequestPlanApproval,
    /// Begin the executor with the plan of the last agent.
    Execute,
    /// Check the approvals and the waits that the last agent waits for.
    Wait,
    /// Complete the last agent.
    Leave,
    /// Complete the run.
    Finish,
    /// Nothing: it has ended.
    Ended,
}

impl RunState {
    pub(crate) fn next(&self) -> Next {
        if self.rest.as_ref().is_some_and(|event| event.cut_off().is_some()) {
            return Next::Ended;
        }
        let Some(frame) = self.frames.last() else { return Next::Finish };
        if frame.role == AgentRole::Planner && frame.answer.is_some() {
            return plan_next(frame);
        }
        let ready: Vec<usize> = frame.ready().map(|(at, _)| at).collect();
        let goes_on = frame.leaves_calls() && !ready.is_empty();
        if (frame.answer.is_some() && !goes_on) || frame.has_failed() {
            return Next::Leave;
        }
        if !ready.is_empty() {
            Next::Calls(ready)
        } else if frame.must_wait() {
            Next::Wait
        } else {
            Next::RequestModel
        }
    }

    /// Whether it takes another prompt now, and may ask its model once more.
    pub(crate) fn takes_prompts(&self) -> bool {
        let is_below = |used: u64, most: Option<u64>| most.is_none_or(|most| used < most);
        let is_within =
            is_below(self.steps, self.limits.max_steps) && is_below(self.usage.total(), self.limits.max_tokens);
        is_within && self.has_place_for_prompt()
    }

    /// Whether another prompt has a place here: the agent that was asked is about to ask its model, or waits.
    pub(super) fn has_place_for_prompt(&self) -> bool {
        let [frame] = self.frames.as_slice() else { return false };
        let is_at_rest = |call: &Call| call.done.is_some() || call.is_waiting();
        let is_said = frame.answer.is_none() && frame.said.is_empty();
        frame.role != AgentRole::Executor && is_said && frame.calls.iter().all(is_at_rest)
    }

    /// The open waits of the last agent, or of the calls that no agent has.
    pub(crate) fn open_waits(&self) -> impl Iterator<Item = (&Call, &OpenWait)> {
        let left = self.left.iter().filter_map(|call| Some((call, call.wait.as_ref()?)));
        self.frames.last().into_iter().flat_map(Frame::open_waits).chain(left)
    }

    /// The approvals that the last agent, or a call that no agent has, waits for.
    pub(crate) fn pending_approvals(&self) -> Vec<String> {
        let of_agent = self.frames.last().map(Frame::waiting).unwrap_or_default();
        let left = self.left.iter().filter_map(|call| call.approval.pending());
        of_agent.into_iter().chain(left).map(str::to_owned).collect()
    }

    /// When the first of these open waits ends by itself, in epoch milliseconds.
    pub(crate) fn next_end(&self) -> Option<u64> {
        self.open_waits().map(|(_, open)| open.wait.until()).min()
    }

    /// Whether nothing is left to do but to wait once a person is asked about these calls of the last agent, or about its plan.
    /// `continues`: those of them whose agent goes on meanwhile.
    pub(crate) fn only_waits_with(&self, asked: &[Option<&str>], continues: &dyn Fn(&Call) -> bool) -> bool {
        let Some(frame) = self.frames.last() else { return false };
        if frame.role == AgentRole::Planner && frame.answer.is_some() {
            return frame.plan.as_ref().is_some_and(|plan| plan.outcome.is_none());
        }
        let is_asked = |call: &Call| asked.contains(&Some(call.call_id.as_str()));
        let is_left = frame.ready().any(|(_, call)| !is_asked(call));
        frame.answer.is_none() && !frame.has_failed() && !is_left && frame.must_wait_with(&is_asked, continues)
    }

    /// The text of the last answer of the agent that was asked; empty if there is none.
    pub(crate) async fn last_text(&self) -> String {
        let messages = self.frames.first().map_or(&self.thread_messages, |frame| &frame.messages);
        for message in messages.iter().rev() {
            ahead_of(message.len()).await;
            if let Some(text) = answer_text(message) {
                return text;
            }
        }
        String::new()
    }

    /// The name of the last agent.
    pub(crate) fn agent(&self) -> Option<&str> {
        self.frames.last().map(|frame| frame.agent.as_str())
    }

    pub(crate) fn message_id(&self) -> String {
        format!("{}-{}", self.run_id, self.messages)
    }

    /// An id for a call that no other call of this run has. `taken`: how often each id was wanted in this answer.
    pub(crate) fn free_call_id(&self, wanted: &str, taken: &mut HashMap<String, u64>) -> String {
        let mut id = wanted.to_owned();
        let mut number = taken.get(wanted).copied().unwrap_or(1);
        while self.call_ids.contains(&id) || taken.contains_key(&id) {
            number += 1;
            id = format!("{wanted}-{number}");
        }
        taken.insert(wanted.to_owned(), number);
        taken.entry(id.clone()).or_insert(1);
        id
    }
}

/// Which of a run's messages an id belongs to, however often that message was written anew: see `steps::model`.
pub(crate) fn message_place<'a>(run_id: &str, message_id: &'a str) -> Option<&'a str> {
    message_id.strip_prefix(run_id)?.strip_prefix('-')?.split('-').next()
}

/// The text of a message of a run, if it is a model's answer.
fn answer_text(message: &str) -> Option<String> {
    let message = json::parse(message.as_bytes(), &STORED).ok()?;
    let is_answer = message.get("role")?.as_str()? == "assistant";
    let parts = message.get("parts")?.as_array()?.iter();
    let texts = parts.filter(|part| part.get("type").and_then(Json::as_str) == Some("text"));
    is_answer.then(|| texts.filter_map(|part| part.get("text")?.as_str()).collect())
}

/// The next step of a planner whose model is done.
fn plan_next(frame: &Frame) -> Next {
    let Some(plan) = &frame.plan else { return Next::SavePlan };
    match (&plan.outcome, &plan.approval) {
        (Some(_), _) | (None, ApprovalState::Rejected(_)) => Next::Leave,
        (None, ApprovalState::NotRequested) => Next::RequestPlanApproval,
        (None, ApprovalState::Pending(_)) => Next::Wait,
        (None, ApprovalState::Approved(_)) => Next::Execute,
    }
}

/// Returns about how many bytes the results of these calls are written with.
pub(crate) fn results_weight(calls: &[Call]) -> u64 {
    let edited = |call: &Call| if call.is_edited { call.input.weight() } else { 0 };
    calls.iter().filter_map(|call| Some(call.done.as_ref()?.result.weight() + edited(call))).sum()
}

/// The results of a plan's steps, by their ids.
pub(crate) fn step_results(frame: &Frame) -> Json {
    let prefix = step_prefix(frame);
    let results = frame.calls.iter().filter_map(|call| {
        let step = call.call_id.strip_prefix(&prefix)?;
        Some((step.to_owned(), call.done.as_ref()?.result.clone()))
    });
    Json::Object(results.collect())
}

/// The inputs of a plan's steps that people edited, by the ids of the steps. `None`: there are none.
pub(crate) fn edited_steps(frame: &Frame) -> Option<Json> {
    let prefix = step_prefix(frame);
    let is_made = |call: &&Call| call.is_edited && call.done.as_ref().is_some_and(|done| !done.failed);
    let edited = frame.calls.iter().filter(is_made);
    let edited =
        edited.filter_map(|call| Some((call.call_id.strip_prefix(&prefix)?.to_owned(), (*call.input).clone())));
    let edited: Vec<_> = edited.collect();
    (!edited.is_empty()).then_some(Json::Object(edited))
}

/// The beginning of the ids of an executor's calls, before the id of the step.
pub(crate) fn step_prefix(frame: &Frame) -> String {
    frame.plan.as_ref().map(|plan| format!("{}/", plan.plan_id)).unwrap_or_default()
}

/// Whether a model called anything.
pub(crate) fn has_calls(parts: &[Part]) -> bool {
    parts.iter().any(Part::is_call)
}
