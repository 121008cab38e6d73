//! How each type of event changes a run's state. `None` everywhere: the entry does not fit what came before.

use std::collections::{BTreeSet, HashSet};

use bailiwick_model::json::Json;
use bailiwick_model::ledger::record::Decision;
use bailiwick_model::pace::ahead;
use bailiwick_model::spec::AgentRole;

use super::frame::{Answer, ApprovalState, Call, Frame, PlanStage, Resumed, calls_of, calls_of_steps};
use super::message::{Done, answer_message, received_message, text_parts, user_message};
use super::{RunState, results_weight, step_prefix};
use crate::runs::events::{
    AgentAnswer, AgentBegun, ApprovalDecided, BrokenOff, ContextFolded, DecidedCall, DecisionShown, Entry, Event,
    FinishReason, KeptContext, ModelAnswer, ModelCompleted, OpenWait, PlanBegun, PromptReceived, QueuedRequest,
    RequestedCall, RunContext, RunQueued, RunStarted, ThreadProgress, ToolCompleted, ToolFailed, ToolResumed,
    ToolWaiting, Usage, WaitingTool, text_of,
};

impl RunState {
    pub(crate) fn begin(run_id: &str, entry: &Entry) -> Option<Self> {
        let (prompt, actor, continues, thread_id, limits, base, trace, instructions, left, requesters) =
            match &entry.event {
                Event::RunStarted(RunStarted { prompt, actor, continues }, context) => {
                    let RunContext { thread_id, limits, base, trace, instructions, left, requesters, .. } = context;
                    (prompt, actor, continues, thread_id, limits, *base, trace, instructions, left, requesters)
                }
                Event::RunQueued(RunQueued { prompt, actor, continues, .. }, request) => {
                    let QueuedRequest { thread_id, limits, trace, instructions, left, requesters, .. } = request;
                    (prompt, actor, continues, thread_id, limits, 0, trace, instructions, left, requesters)
                }
                _ => return None,
            };
        let prompt = parts_of(prompt);
        let left: Vec<Call> = left.iter().map(Call::of_left).collect();
        let continues = continues.as_ref().map(|continued| continued.run_id.clone());
        Some(Self {
            run_id: run_id.to_owned(),
            thread_id: thread_id.clone(),
            actor: actor.clone(),
            requesters: requesters_of(requesters, actor.as_ref()),
            is_queued: matches!(entry.event, Event::RunQueued(..)),
            prompt,
            limits: *limits,
            trace: trace.clone(),
            instructions: instructions.clone(),
            updated_at: entry.at,
            frames: Vec::new(),
            usage: Usage::default(),
            steps: 0,
            tool_calls: 0,
            active_ms: 0,
            base,
            references: Vec::new(),
            answer: None,
            thread_messages: Vec::new(),
            // The prompt came with the first commit.
            threaded: usize::from(continues.is_none()),
            continues,
            told: HashSet::new(),
            rest: None,
            finish_reason: None,
            settled: None,
            call_ids: left.iter().map(|call| call.call_id.clone()).collect(),
            left,
            messages: 0,
            begun: 0,
        })
    }

    /// Waits for a turn to apply the next entry, and applies it.
    pub(crate) async fn take(&mut self, entry: &Entry) -> Option<()> {
        ahead(entry.weight() + self.weight_beside(&entry.event)).await;
        self.apply(entry)
    }

    /// Returns about how many bytes are written besides an event: the prompt for the first agent, and the results of a turn that
    /// ends.
    fn weight_beside(&self, event: &Event) -> u64 {
        if matches!(event, Event::AgentStarted(..)) && self.frames.is_empty() {
            return self.prompt.weight();
        }
        let call_id = match event {
            Event::ToolCompleted(ToolCompleted { call_id, .. })
            | Event::ToolFailed(ToolFailed { call_id, .. })
            | Event::ToolWaiting(ToolWaiting { call_id, .. }, _)
            | Event::ApprovalRequested(_, RequestedCall { call_id: Some(call_id), .. }) => call_id,
            _ => return 0,
        };
        self.frames.last().filter(|frame| frame.ends_with(call_id)).map_or(0, |frame| results_weight(&frame.calls))
    }

    /// Applies the next entry.
    fn apply(&mut self, entry: &Entry) -> Option<()> {
        if self.is_queued && entry.event.cut_off().is_none() {
            let begun = Self::begin(&self.run_id, entry).filter(|begun| !begun.is_queued)?;
            *self = begun;
            return Some(());
        }
        self.updated_at = entry.at;
        self.rest = None;
        self.note_thread(&entry.thread);
        match &entry.event {
            Event::RunQueued(..) | Event::RunStarted(..) => return None,
            Event::PromptReceived(received) => self.prompt_received(entry.at, received)?,
            Event::AgentStarted(_, begun) => self.agent_started(entry, begun)?,
            Event::AgentCompleted(_, answer) => self.agent_completed(entry, answer)?,
            Event::ContextFolded(folded, kept) => self.context_folded(folded, kept)?,
            Event::ModelCompleted(completed, answer) => self.model_completed(entry.at, completed, answer)?,
            Event::ToolCalled(called, intent) => {
                let frame = self.frames.last_mut()?;
                let call = frame.call(&called.call_id)?;
                let counted = u64::from(call.counts());
                call.started = true;
                call.writing.clone_from(&intent.writing);
                call.approval = ApprovalState::NotRequested;
                frame.tool_calls += counted;
                self.tool_calls += counted;
            }
            Event::ToolCompleted(completed) => {
                self.references.extend(completed.reference.clone());
                let done = Done { result: completed.result.clone(), failed: false };
                self.call_done(entry.at, &completed.call_id, done)?;
            }
            Event::ToolFailed(failed) => self.call_done(entry.at, &failed.call_id, Done::failure(&failed.error))?,
            Event::ToolWaiting(waiting, tool) => self.call_waits(entry.at, waiting, tool)?,
            Event::WaitSettled(settled) => self.settled = Some(settled.record.outcome.clone()),
            Event::ToolResumed(resumed, how) => self.call_resumed(resumed, how.waited_ms)?,
            Event::ToolRetried(_) | Event::ReferenceCreated(_) => {}
            Event::PlanSaved(saved) => {
                let (plan_id, version, hash) = (saved.plan_id.clone(), saved.version, saved.hash.clone());
                self.frames.last_mut()?.plan = Some(PlanStage::new(plan_id, version, hash, None));
            }
            Event::ApprovalRequested(requested, call) => {
                self.approval_requested(entry.at, &requested.approval.approval_id, call)?;
            }
            Event::ApprovalDecided(decided, call) => self.approval_decided(decided, call)?,
            Event::RunSuspended(_) => self.rest = Some(entry.event.clone()),
            Event::RunCompleted(_, cut_off)
            | Event::RunFailed(_, cut_off)
            | Event::RunLimited(_, cut_off)
            | Event::RunCancelled(_, cut_off)
            | Event::RunSteered(_, cut_off) => {
                self.usage.add_all(&cut_off.lost);
                if let Some(said) = &cut_off.broken_off {
                    self.answer_cut_off(entry.at, said)?;
                }
                self.rest = Some(entry.event.clone());
            }
        }
        Some(())
    }

    fn context_folded(&mut self, folded: &ContextFolded, kept: &KeptContext) -> Option<()> {
        self.usage.add_all(&folded.usage);
        let frame = self.frames.last_mut()?;
        frame.tokens = frame.tokens.saturating_add(folded.usage.total());
        let context = &mut frame.context;
        context.folded = (kept.fold.messages() > 0).then(|| (kept.fold.clone(), folded.summary.clone()));
        (context.short, context.counted) = (kept.short, None);
        Some(())
    }

    /// Notes what the thread has.
    pub(crate) fn note_thread(&mut self, progress: &ThreadProgress) {
        if let Some(threaded) = progress.threaded {
            self.threaded = usize::try_from(threaded).unwrap_or(usize::MAX);
        }
        self.told.extend(progress.told.iter().cloned());
    }

    /// Adds a prompt to the conversation of the agent that was asked. Its calls that wait are deferred: the model is asked at once.
    fn prompt_received(&mut self, at: u64, received: &PromptReceived) -> Option<()> {
        if !self.has_place_for_prompt() {
            return None;
        }
        for call in self.frames.last_mut()?.calls.iter_mut().filter(|call| call.is_waiting()) {
            call.continues = true;
        }
        self.end_turn(at)?;
        let parts = parts_of(&received.prompt);
        let message = received_message(&self.next_message_id(), &parts, at, received);
        let frame = self.frames.last_mut()?;
        frame.has_stopped = false;
        frame.messages.push(message);
        self.requesters.insert(received.actor.clone());
        Some(())
    }

    fn agent_started(&mut self, entry: &Entry, begun: &AgentBegun) -> Option<()> {
        self.begun += 1;
        let new = |role: AgentRole| Some(Frame::new(self.begun, entry.agent.as_deref()?, role));
        let (mut frame, parts) = match begun {
            AgentBegun::Plan { role, active, plan, call, .. } => {
                let mut frame = Frame { call: call.clone(), began_ms: *active, ..new(*role)? };
                frame.begin_plan(plan)?;
                self.call_ids.extend(frame.calls.iter().map(|call| call.call_id.clone()));
                (frame, None)
            }
            AgentBegun::Task { role, call, active, task, .. } => {
                (Frame { call: Some(call.clone()), began_ms: *active, ..new(*role)? }, Some(task.clone()))
            }
            AgentBegun::Prompt { role, .. } => (new(*role)?, None),
        };
        frame.definition = begun.definition().cloned();
        let parts = match (self.frames.is_empty(), &self.continues) {
            (false, _) => parts,
            (true, None) => Some(self.prompt.clone()),
            (true, Some(_)) => {
                frame.go_on_with(std::mem::take(&mut self.left));
                None
            }
        };
        if let Some(parts) = parts {
            frame.messages.push(user_message(&self.next_message_id(), &parts, entry.at));
        }
        self.frames.push(frame);
        Some(())
    }

    fn agent_completed(&mut self, entry: &Entry, answer: &AgentAnswer) -> Option<()> {
        let frame = self.frames.pop()?;
        if Some(&frame.agent) != entry.agent.as_ref() {
            return None;
        }
        self.usage.add_all(&answer.lost);
        let answer = Answer { text: answer.text.clone(), output: answer.output.clone(), failed: answer.failed };
        let Some(above) = self.frames.last_mut() else {
            self.thread_messages = frame.messages;
            self.left = frame.calls.into_iter().filter(|call| call.is_deferred).collect();
            self.answer = Some(answer);
            return Some(());
        };
        match frame.call.as_deref() {
            // The result of the call is the entry after this one.
            Some(call) => above.call(call).map(|_| ()),
            // An executor that its planner began answers no call: it has run the plan.
            None => above.plan.as_mut().map(|plan| plan.outcome = Some(answer)),
        }
    }

    fn model_completed(&mut self, at: u64, completed: &ModelCompleted, answer: &ModelAnswer) -> Option<()> {
        self.usage.add(&completed.model, completed.usage);
        self.usage.add_all(&answer.lost);
        self.steps += 1;
        self.active_ms = answer.active;
        let calls = self.take_calls(calls_of(&answer.parts, &answer.unread));
        self.messages += 1;
        let correction = answer.correction.as_deref();
        let correction =
            correction.map(|correction| user_message(&self.next_message_id(), &text_parts(correction), at));
        if self.frames.len() == 1 {
            self.finish_reason = Some(completed.finish_reason);
        }
        let frame = self.frames.last_mut()?;
        frame.steps += 1;
        frame.tokens = frame.tokens.saturating_add(completed.usage.total()).saturating_add(answer.lost.total());
        let counted = Some(completed.usage.input()).filter(|tokens| *tokens > 0);
        frame.context.counted = counted.map(|tokens| (tokens, frame.messages.len()));
        frame.messages.push(answer_message(&answer.message_id, &answer.parts, at, false));
        let text = std::mem::take(&mut frame.said) + &text_of(&answer.parts);
        if let Some(correction) = correction {
            frame.messages.push(correction);
            frame.corrections += 1;
        } else if calls.is_empty() && completed.finish_reason == FinishReason::Pause {
            // The provider goes on with its answer when it is asked again.
            frame.said = text;
        } else if calls.is_empty() || frame.role == AgentRole::Executor {
            // Of an agent that was called, and of journals of earlier versions: it has more to say once it has the results.
            if frame.stops_for_now() && !answer.leaves {
                frame.has_stopped = true;
                return Some(());
            }
            // An executor's model reports the results of the plan. It has no tools: its calls are not made.
            let output = answer.output.clone().unwrap_or_else(|| Json::from(text.as_str()));
            frame.answer = Some(Answer { text, output, failed: false });
        } else {
            frame.calls.extend(calls);
        }
        Some(())
    }

    /// The answer of a model that the end of the run cut off. None of its calls is made any more; each gets a result that
    /// says so.
    fn answer_cut_off(&mut self, at: u64, said: &BrokenOff) -> Option<()> {
        let calls = self.take_calls(calls_of(&said.parts, &said.unread));
        self.messages += 1;
        let frame = self.frames.last_mut()?;
        frame.messages.push(answer_message(&said.message_id, &said.parts, at, true));
        frame.calls.extend(calls);
        Some(())
    }

    fn take_calls(&mut self, calls: Vec<Call>) -> Vec<Call> {
        self.call_ids.extend(calls.iter().map(|call| call.call_id.clone()));
        calls
    }

    fn call_done(&mut self, at: u64, call_id: &str, done: Done) -> Option<()> {
        let call = self.frames.last_mut()?.call(call_id)?;
        if call.done.is_some() {
            return None;
        }
        call.done = Some(done);
        call.wait = None;
        self.end_turn(at)
    }

    /// Adds the messages that are due once nothing else of the last agent's turn, and of its deferred calls, is left to do.
    fn end_turn(&mut self, at: u64) -> Option<()> {
        for end in [Frame::end_turn, Frame::end_deferred] {
            let message_id = self.message_id();
            if end(self.frames.last_mut()?, &message_id, at) {
                self.messages += 1;
            }
        }
        Some(())
    }

    fn call_waits(&mut self, at: u64, waiting: &ToolWaiting, tool: &WaitingTool) -> Option<()> {
        let call = self.frames.last_mut()?.call(&waiting.call_id)?;
        let turn = call.resumed.take().map_or(0, |resumed| resumed.turn) + 1;
        call.wait = Some(OpenWait { wait: waiting.wait.clone(), turn, definition: tool.definition.clone() });
        // It is made again, as if it had not been begun.
        call.started = false;
        call.writing = None;
        call.continues = tool.continues;
        self.end_turn(at)
    }

    fn call_resumed(&mut self, resumed: &ToolResumed, waited_ms: u64) -> Option<()> {
        let outcome = self.settled.take()?;
        let call = self.frames.last_mut()?.call(&resumed.call_id)?;
        let OpenWait { turn, definition, .. } = call.wait.take()?;
        call.resumed = Some(Resumed { kind: resumed.kind, outcome, waited_ms, turn, definition });
        Some(())
    }

    fn approval_requested(&mut self, at: u64, approval_id: &str, call: &RequestedCall) -> Option<()> {
        *self.approval_state(call.call_id.as_deref())? = ApprovalState::Pending(approval_id.to_owned());
        let Some(call_id) = &call.call_id else { return Some(()) };
        let asked = self.frames.last_mut()?.call(call_id)?;
        (asked.continues, asked.asked_in) = (call.continues, None);
        self.end_turn(at)
    }

    fn approval_decided(&mut self, decided: &ApprovalDecided, call: &DecidedCall) -> Option<()> {
        let state = decided_as(&decided.record, call);
        if let (ApprovalState::Approved(_), Some(call_id)) = (&state, &call.call_id) {
            let call = self.frames.last_mut()?.call(call_id)?;
            call.was_approved = true;
            if let Some(input) = &decided.edited_input {
                (call.input, call.is_edited) = (input.clone(), true);
            }
        }
        *self.approval_state(call.call_id.as_deref())? = state;
        Some(())
    }

    /// Returns the approval of a call, or of the last agent's plan.
    fn approval_state(&mut self, call_id: Option<&str>) -> Option<&mut ApprovalState> {
        let frame = self.frames.last_mut()?;
        match call_id {
            Some(call_id) => Some(&mut frame.call(call_id)?.approval),
            None => Some(&mut frame.plan.as_mut()?.approval),
        }
    }

    fn next_message_id(&mut self) -> String {
        let id = self.message_id();
        self.messages += 1;
        id
    }
}

impl Frame {
    fn begin_plan(&mut self, plan: &PlanBegun) -> Option<()> {
        let (plan_id, version, hash) = (plan.plan_id.clone(), plan.version, plan.hash.clone());
        self.plan = Some(PlanStage::new(plan_id, version, hash, plan.definition.clone()));
        self.calls = calls_of_steps(&step_prefix(self), &plan.steps)?;
        Some(())
    }
}

/// Returns who asked a run. `noted`: those of the runs whose calls it goes on with.
fn requesters_of(noted: &[Option<String>], actor: Option<&String>) -> BTreeSet<Option<String>> {
    if noted.is_empty() { BTreeSet::from([actor.cloned()]) } else { noted.iter().cloned().collect() }
}

/// Returns a prompt as the parts of a message.
fn parts_of(prompt: &Json) -> Json {
    match prompt {
        Json::String(text) => text_parts(text),
        parts => parts.clone(),
    }
}

/// Returns the state after a decision.
fn decided_as(record: &DecisionShown, call: &DecidedCall) -> ApprovalState {
    if call.again {
        // The definition of the tool is another one now: a person is asked anew.
        return ApprovalState::NotRequested;
    }
    let reason = record.reason.as_deref().map(|reason| format!(" {reason}")).unwrap_or_default();
    match record.decision {
        Decision::Approved => ApprovalState::Approved(record.approval_id.clone()),
        Decision::Rejected => ApprovalState::Rejected(format!("A person rejected this.{reason}")),
        Decision::Expired => ApprovalState::Rejected("No person decided about this in time.".to_owned()),
        Decision::Withdrawn => ApprovalState::Rejected(format!("The approval of this was withdrawn.{reason}")),
    }
}
