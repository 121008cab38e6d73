//! Where a run stands: what its journal says, and what is to be done next. Pure, so that resuming is reading the journal
//! and going on, and a test can drive it without a store.

use std::collections::{HashMap, HashSet};

use bailiwick_model::json::{self, Json};
use bailiwick_model::spec::{AgentRole, RunLimits};

use super::entry::{Entry, STORED, object, whole};
use super::frame::{
    Answer, Approving, Call, Done, Frame, PlanStage, calls_of, calls_of_steps, interrupted_message, message,
    role_named, text_parts,
};
use super::limits::read_limits;
use super::parts::{broken_off, lost, unread};
use super::usage::{TokenUsage, Usage};

/// See the module's text.
#[derive(Debug, Clone)]
pub(crate) struct RunState {
    pub(crate) run_id: String,
    pub(crate) thread_id: String,
    pub(crate) actor: Option<String>,
    /// The parts of the prompt.
    pub(crate) prompt: Json,
    pub(crate) limits: RunLimits,
    pub(crate) updated_at: u64,
    /// The agents at work: the one below is called by the one above.
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
    /// What the agent that was asked came to.
    pub(crate) answer: Option<Answer>,
    /// The messages of the agent that was asked, once that one is done.
    pub(crate) thread_messages: Vec<String>,
    /// How many of these its thread has.
    pub(crate) threaded: usize,
    /// The calls whose results it has before those of their turn are complete.
    pub(crate) told: HashSet<String>,
    /// The last entry if it is an end or a suspension.
    pub(crate) last: Option<Entry>,
    /// How the last answer of the agent that was asked ended.
    pub(crate) finish_reason: Option<String>,
    call_ids: HashSet<String>,
    messages: u64,
    begun: u64,
}

/// What is to be done next.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Next {
    /// Ask the model of the last agent.
    Ask,
    /// Go on with these calls of the last agent.
    Calls(Vec<usize>),
    /// Save the plan that the last agent has drafted.
    SavePlan,
    /// Ask somebody about the plan of the last agent.
    AskAboutPlan,
    /// Begin the executor with the plan of the last agent.
    Execute,
    /// Look at the approvals that the last agent waits for.
    Wait,
    /// The last agent is done.
    Leave,
    /// The run is done.
    Finish,
    /// It has ended.
    Ended,
}

impl RunState {
    /// A run as its first entry begins it.
    pub(crate) fn begin(run_id: &str, entry: &Entry) -> Option<Self> {
        if entry.kind() != "run.started" {
            return None;
        }
        let prompt = match entry.get("prompt")? {
            Json::String(text) => text_parts(text),
            parts => parts.clone(),
        };
        Some(Self {
            run_id: run_id.to_owned(),
            thread_id: entry.own_text("threadId")?.to_owned(),
            actor: entry.text("actor").map(str::to_owned),
            prompt,
            limits: read_limits(entry.own_get("limits")?)?,
            updated_at: entry.at(),
            frames: Vec::new(),
            usage: Usage::default(),
            steps: 0,
            tool_calls: 0,
            active_ms: 0,
            base: entry.own_get("base").and_then(whole)?,
            references: Vec::new(),
            answer: None,
            thread_messages: Vec::new(),
            threaded: 1,
            told: HashSet::new(),
            last: None,
            finish_reason: None,
            call_ids: HashSet::new(),
            messages: 0,
            begun: 0,
        })
    }

    /// Takes the next entry in. `None`: it does not fit what came before.
    pub(crate) fn apply(&mut self, entry: &Entry) -> Option<()> {
        self.updated_at = entry.at();
        self.last = None;
        self.take_threaded(entry)?;
        match entry.kind() {
            "agent.started" => self.agent_started(entry)?,
            "agent.completed" => self.agent_completed(entry)?,
            "model.completed" => self.model_completed(entry)?,
            "tool.called" => {
                let frame = self.frames.last_mut()?;
                let call = frame.call(entry.text("callId")?)?;
                call.started = true;
                call.writing = entry.own_text("writing").map(str::to_owned);
                call.approving = Approving::No;
                frame.tool_calls += 1;
                self.tool_calls += 1;
            }
            "tool.completed" => {
                if let Some(reference) = entry.text("reference") {
                    self.references.push(reference.to_owned());
                }
                self.call_done(entry, Done { result: entry.get("result")?.clone(), failed: false })?;
            }
            "tool.failed" => {
                let result = object([("error", entry.get("error")?.clone())]);
                self.call_done(entry, Done { result, failed: true })?;
            }
            "reference.created" => {}
            "plan.saved" => {
                let frame = self.frames.last_mut()?;
                frame.plan = Some(PlanStage {
                    plan_id: entry.text("planId")?.to_owned(),
                    version: whole(entry.get("version")?)?,
                    hash: entry.text("hash")?.to_owned(),
                    approval: Approving::No,
                    definition: None,
                    outcome: None,
                });
            }
            "approval.requested" => {
                let approval_id = entry.get("approval")?.get("approvalId")?.as_str()?.to_owned();
                *self.approving(entry)? = Approving::Waiting(approval_id);
            }
            "approval.decided" => {
                let record = entry.get("record")?;
                let approval_id = record.get("approvalId")?.as_str()?.to_owned();
                let approving = match (record.get("decision")?.as_str()?, entry.own_get("again")) {
                    // What was asked about is not what it was: it is asked about anew.
                    (_, Some(_)) => Approving::No,
                    ("approved", None) => Approving::Given(approval_id),
                    (decision, None) => Approving::Refused(refusal(decision, record)),
                };
                *self.approving(entry)? = approving;
            }
            "run.suspended" => self.last = Some(entry.clone()),
            _ if entry.is_end() => {
                self.ended(entry)?;
                self.last = Some(entry.clone());
            }
            _ => return None,
        }
        Some(())
    }

    /// Notes what the thread has with this entry.
    pub(crate) fn take_threaded(&mut self, entry: &Entry) -> Option<()> {
        if let Some(threaded) = entry.own_get("threaded").and_then(whole) {
            self.threaded = usize::try_from(threaded).ok()?;
        }
        let told = entry.own_get("told").and_then(Json::as_array).unwrap_or_default();
        self.told.extend(told.iter().filter_map(Json::as_str).map(str::to_owned));
        Some(())
    }

    /// What is to be done next.
    pub(crate) fn next(&self) -> Next {
        if self.last.as_ref().is_some_and(Entry::is_end) {
            return Next::Ended;
        }
        let Some(frame) = self.frames.last() else { return Next::Finish };
        if frame.role == AgentRole::Planner && frame.answer.is_some() {
            return plan_next(frame);
        }
        if frame.answer.is_some() || frame.has_failed() {
            return Next::Leave;
        }
        let ready = frame.ready();
        if !ready.is_empty() {
            Next::Calls(ready)
        } else if !frame.waiting().is_empty() {
            Next::Wait
        } else {
            Next::Ask
        }
    }

    /// The text of the last answer of the agent that was asked; empty if there is none.
    pub(crate) fn last_text(&self) -> String {
        let messages = self.frames.first().map_or(&self.thread_messages, |frame| &frame.messages);
        let texts = messages.iter().rev().filter_map(|message| {
            let message = json::parse(message.as_bytes(), &STORED).ok()?;
            let is_answer = message.get("role")?.as_str()? == "assistant";
            is_answer.then(|| message.get("parts")?.as_array().map(text_of)).flatten()
        });
        texts.into_iter().next().unwrap_or_default()
    }

    /// The id of the next message.
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

    fn agent_started(&mut self, entry: &Entry) -> Option<()> {
        self.begun += 1;
        let role = role_named(entry.own_text("role")?)?;
        let mut frame = Frame::new(self.begun, entry.text("agent")?, role, entry.own_text("call"));
        frame.began_ms = entry.own_get("active").and_then(whole).unwrap_or(0);
        if let Some(plan) = entry.own_get("plan") {
            frame.plan = Some(PlanStage {
                plan_id: plan.get("planId")?.as_str()?.to_owned(),
                version: whole(plan.get("version")?)?,
                hash: plan.get("hash")?.as_str()?.to_owned(),
                approval: Approving::No,
                definition: plan.get("definition").and_then(Json::as_str).map(str::to_owned),
                outcome: None,
            });
            let prefix = format!("{}/", plan.get("planId")?.as_str()?);
            frame.calls = calls_of_steps(&prefix, plan.get("steps")?)?;
            for call in &frame.calls {
                self.call_ids.insert(call.call_id.clone());
            }
        }
        let parts = if self.frames.is_empty() { Some(self.prompt.clone()) } else { entry.own_get("task").cloned() };
        if let Some(parts) = parts {
            frame.messages.push(message(&self.next_message_id(), "user", parts, entry.at()));
        }
        self.frames.push(frame);
        Some(())
    }

    fn agent_completed(&mut self, entry: &Entry) -> Option<()> {
        let frame = self.frames.pop()?;
        if frame.agent != entry.text("agent")? {
            return None;
        }
        let answer = Answer {
            text: entry.own_text("text")?.to_owned(),
            output: entry.own_get("output")?.clone(),
            failed: entry.own_get("failed").is_some(),
        };
        let Some(above) = self.frames.last_mut() else {
            self.thread_messages = frame.messages;
            self.answer = Some(answer);
            return Some(());
        };
        if above.role == AgentRole::Planner {
            above.plan.as_mut()?.outcome = Some(answer);
            return Some(());
        }
        // What the call came to is the entry after this one.
        above.call(frame.call.as_deref()?).map(|_| ())
    }

    fn model_completed(&mut self, entry: &Entry) -> Option<()> {
        let kept = entry.kept();
        let Json::Array(parts) = kept.get("parts")? else { return None };
        let usage = TokenUsage::read(entry.get("usage")?)?;
        self.usage.add(entry.text("model")?, usage);
        self.steps += 1;
        self.active_ms = entry.own_get("active").and_then(whole)?;
        let calls = self.calls_in(kept)?;
        let message_id = entry.own_text("messageId")?;
        self.messages += 1;
        let (correction, output) = (entry.own_text("correction"), entry.own_get("output"));
        let correction_id = correction.map(|_| self.next_message_id());
        let finish_reason = entry.text("finishReason");
        let lost = self.lost(entry)?;
        if self.frames.len() == 1 {
            self.finish_reason = finish_reason.map(str::to_owned);
        }
        let frame = self.frames.last_mut()?;
        frame.steps += 1;
        frame.tokens = frame.tokens.saturating_add(usage.total()).saturating_add(lost);
        frame.messages.push(message(message_id, "assistant", Json::Array(parts.clone()), entry.at()));
        let text = std::mem::take(&mut frame.said) + &text_of(parts);
        if let (Some(correction), Some(message_id)) = (correction, correction_id) {
            frame.messages.push(message(&message_id, "user", text_parts(correction), entry.at()));
            frame.corrections += 1;
        } else if calls.is_empty() && finish_reason == Some("pause") {
            // The provider goes on with its answer when it is asked again.
            frame.said = text;
        } else if calls.is_empty() || frame.role == AgentRole::Executor {
            // An executor's model tells what came of the plan. It has no tools: whatever it calls all the same is not called.
            let output = output.cloned().unwrap_or_else(|| Json::from(text.as_str()));
            frame.answer = Some(Answer { text, output, failed: false });
        } else {
            frame.calls = calls;
        }
        Some(())
    }

    /// Takes in the calls of an answer, with what is wrong with them.
    fn calls_in(&mut self, kept: &Json) -> Option<Vec<Call>> {
        let mut calls = calls_of(kept.get("parts")?.as_array()?)?;
        for call in &mut calls {
            self.call_ids.insert(call.call_id.clone());
            call.unread = unread(kept, &call.call_id);
        }
        Some(calls)
    }

    /// Counts what answers have used that broke off.
    fn lost(&mut self, entry: &Entry) -> Option<u64> {
        let lost = lost(entry)?;
        self.usage.add_all(&lost);
        Some(lost.total())
    }

    /// Takes in what was said of an answer that the end cut off.
    fn ended(&mut self, entry: &Entry) -> Option<()> {
        self.lost(entry)?;
        let Some(said) = broken_off(entry) else { return Some(()) };
        let calls = self.calls_in(said)?;
        self.messages += 1;
        let frame = self.frames.last_mut()?;
        let id = said.get("messageId")?.as_str()?;
        frame.messages.push(interrupted_message(id, said.get("parts")?.clone(), entry.at()));
        // None of them is made any more; each gets a result that says so.
        frame.calls = calls;
        Some(())
    }

    fn call_done(&mut self, entry: &Entry, done: Done) -> Option<()> {
        let call = self.frames.last_mut()?.call(entry.text("callId")?)?;
        if call.done.is_some() {
            return None;
        }
        call.done = Some(done);
        self.end_turn(entry.at());
        Some(())
    }

    fn end_turn(&mut self, at: u64) {
        let message_id = self.message_id();
        let Some(frame) = self.frames.last_mut() else { return };
        let before = frame.messages.len();
        frame.end_turn(&message_id, at);
        if frame.messages.len() > before {
            self.messages += 1;
        }
    }

    /// Whose consent an entry is about: a call's, or the plan's.
    fn approving(&mut self, entry: &Entry) -> Option<&mut Approving> {
        let frame = self.frames.last_mut()?;
        match entry.own_text("callId") {
            Some(call_id) => Some(&mut frame.call(call_id)?.approving),
            None => Some(&mut frame.plan.as_mut()?.approval),
        }
    }

    fn next_message_id(&mut self) -> String {
        let id = self.message_id();
        self.messages += 1;
        id
    }
}

/// Which of a run's messages an id is of, however often that was written anew: see `Driver::written_id`.
pub(crate) fn message_place<'a>(run_id: &str, message_id: &'a str) -> Option<&'a str> {
    message_id.strip_prefix(run_id)?.strip_prefix('-')?.split('-').next()
}

/// What a planner whose model is done does next.
fn plan_next(frame: &Frame) -> Next {
    let Some(plan) = &frame.plan else { return Next::SavePlan };
    match (&plan.outcome, &plan.approval) {
        (Some(_), _) | (None, Approving::Refused(_)) => Next::Leave,
        (None, Approving::No) => Next::AskAboutPlan,
        (None, Approving::Waiting(_)) => Next::Wait,
        (None, Approving::Given(_)) => Next::Execute,
    }
}

/// What is said of a refusal.
fn refusal(decision: &str, record: &Json) -> String {
    let reason = record.get("reason").and_then(Json::as_str).map(|reason| format!(" {reason}")).unwrap_or_default();
    match decision {
        "rejected" => format!("A person rejected this.{reason}"),
        "expired" => "Nobody decided about this in time.".to_owned(),
        _ => format!("The question about this was withdrawn.{reason}"),
    }
}

/// The text parts together.
pub(crate) fn text_of(parts: &[Json]) -> String {
    let texts = parts.iter().filter(|part| part.get("type").and_then(Json::as_str) == Some("text"));
    texts.filter_map(|part| part.get("text")?.as_str()).collect()
}
