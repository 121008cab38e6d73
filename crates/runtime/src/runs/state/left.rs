//! Calls that a run leaves open when it is completed, and those that it goes on with. Pure.

use super::frame::{ApprovalState, Call, Frame, Resumed};
use super::{Answer, RunState};
use crate::runs::events::{LeftApproval, LeftCall, LeftResumed};
use bailiwick_model::json::Json;
use bailiwick_model::spec::AgentRole;

/// The most calls that a run leaves, and the most bytes of them together. A run with more is suspended until they have ended: the runs that
/// go on with them each have a copy.
const MOST_LEFT: usize = 100;
const MOST_LEFT_BYTES: u64 = 1 << 20;

impl Call {
    /// The call as the run that goes on with it is told. `run_id`: the run that leaves it.
    pub(crate) fn left(&self, run_id: &str) -> LeftCall {
        let of = |run: &Option<String>| run.clone().unwrap_or_else(|| run_id.to_owned());
        let asked = |id: &str| LeftApproval { approval_id: id.to_owned(), run_id: of(&self.asked_in) };
        LeftCall {
            call_id: self.call_id.clone(),
            tool: self.tool.clone(),
            input: self.input.clone(),
            run_id: of(&self.origin),
            repeats: self.repeats.clone(),
            started: self.started,
            writing: self.writing.clone(),
            approval: self.approval.pending().map(asked),
            was_approved: self.was_approved,
            edited: self.is_edited,
            wait: self.wait.clone(),
            resumed: self.resumed.clone().map(|resumed| {
                let Resumed { kind, outcome, waited_ms, turn, definition } = resumed;
                LeftResumed { kind, outcome, waited_ms, turn, definition }
            }),
        }
    }

    /// A call that the run before has left. Its model was told that it waits.
    pub(super) fn of_left(left: &LeftCall) -> Self {
        let LeftCall { call_id, tool, input, run_id, repeats, started, writing, approval, wait, resumed, .. } =
            left.clone();
        let mut call = Self::new(&call_id, &tool, input);
        (call.origin, call.repeats, call.started, call.writing) = (Some(run_id), repeats, started, writing);
        (call.was_approved, call.is_edited) = (left.was_approved, left.edited);
        (call.continues, call.is_deferred) = (true, true);
        if let Some(LeftApproval { approval_id, run_id }) = approval {
            (call.approval, call.asked_in) = (ApprovalState::Pending(approval_id), Some(run_id));
        }
        call.wait = wait;
        call.resumed = resumed.map(|resumed| {
            let LeftResumed { kind, outcome, waited_ms, turn, definition } = resumed;
            Resumed { kind, outcome, waited_ms, turn, definition }
        });
        call
    }
}

impl Frame {
    /// Whether it has its answer, and calls of it still wait: the run ends without them unless one of them ends before.
    pub(crate) fn leaves_calls(&self) -> bool {
        self.answer.is_some() && self.stops_for_now()
    }

    /// Begins where the run before has ended: with its calls that wait, and nothing to say until one of them has ended.
    pub(super) fn go_on_with(&mut self, calls: Vec<Call>) {
        self.calls = calls;
        self.answer = Some(Answer { text: String::new(), output: Json::from(""), failed: false });
    }
}

impl RunState {
    /// Whether the next answer of the last agent without calls is for good although calls of it wait. An agent that another one called
    /// gives its answer once it has all results, and so does one with many such calls.
    pub(crate) fn may_leave_calls(&self) -> bool {
        let [frame] = self.frames.as_slice() else { return false };
        let is_small = frame.deferred().count() <= MOST_LEFT
            && frame.deferred().map(|call| call.left(&self.run_id).weight()).sum::<u64>() <= MOST_LEFT_BYTES;
        !matches!(frame.role, AgentRole::Planner | AgentRole::Executor) && frame.stops_for_now() && is_small
    }

    /// Who asked it, for the run that goes on with its calls; none if that is its actor alone.
    pub(crate) fn other_requesters(&self) -> Vec<Option<String>> {
        let is_actor_alone = self.requesters.len() == 1 && self.requesters.contains(&self.actor);
        if is_actor_alone { Vec::new() } else { self.requesters.iter().cloned().collect() }
    }

    /// The calls that no agent of it has: those that it begins with, or has left.
    pub(crate) fn left_calls(&self) -> Vec<LeftCall> {
        self.left.iter().map(|call| call.left(&self.run_id)).collect()
    }
}
