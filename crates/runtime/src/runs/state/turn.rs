//! The end of a turn, and calls that outlast theirs. A call that waits and whose agent goes on is *deferred*: the results of its turn
//! say that it waits, and its own comes later, in a message of its own. Pure.

use bailiwick_model::json::Json;
use bailiwick_model::spec::AgentRole;

use super::frame::{ApprovalState, Call, Frame};
use super::message::{Done, ResultPart, results_message};

/// What a model is told of a call that is deferred.
const WAITING: &str = "This call waits. Go on without it: its result will come later, in a message of its own.";

impl Call {
    /// Whether it waits for something outside.
    pub(crate) fn is_waiting(&self) -> bool {
        self.approval.pending().is_some() || self.wait.is_some()
    }

    /// Whether its agent goes on although it waits.
    fn is_deferrable(&self) -> bool {
        self.is_waiting() && (self.continues || self.is_deferred)
    }

    /// Tells its model this result of it, which is late if it was deferred.
    pub(crate) fn result_part<'a>(&'a self, done: &'a Done) -> ResultPart<'a> {
        let part = if self.is_deferred {
            ResultPart::late(&self.call_id, &self.tool, done)
        } else {
            ResultPart::new(&self.call_id, done)
        };
        if self.is_edited { part.edited(&self.input) } else { part }
    }

    /// What its model is told in the place of its result: that it waits, and for what.
    fn placeholder(&self) -> Done {
        let approval_id = self.approval.pending().map(|id| ("approvalId", id));
        let wait_id = self.wait.as_ref().map(|open| ("waitId", open.wait.wait_id.as_str()));
        let members = [Some(("status", "waiting")), wait_id, approval_id, Some(("message", WAITING))];
        let members = members.into_iter().flatten().map(|(key, text)| (key.to_owned(), Json::from(text)));
        Done { result: Json::Object(members.collect()), failed: false }
    }
}

impl Frame {
    /// Whether it waits for something outside.
    pub(crate) fn is_waiting(&self) -> bool {
        self.calls.iter().any(Call::is_waiting) || self.is_plan_pending()
    }

    /// Whether it does nothing until something of it has ended: one of its calls waits and is not deferred, its plan waits for an
    /// approval, or its model has stopped.
    pub(crate) fn must_wait(&self) -> bool {
        let holds_up = |call: &Call| call.is_waiting() && !call.is_deferrable();
        self.has_stopped || self.is_plan_pending() || self.calls.iter().any(holds_up)
    }

    fn is_plan_pending(&self) -> bool {
        self.plan.as_ref().and_then(|plan| plan.approval.pending()).is_some()
    }

    /// Whether it would have to wait once it is asked about these calls.
    pub(super) fn must_wait_with(&self, asked: &dyn Fn(&Call) -> bool, continues: &dyn Fn(&Call) -> bool) -> bool {
        self.must_wait() || self.calls.iter().any(|call| asked(call) && !call.is_deferred && !continues(call))
    }

    /// Whether its model has stopped for now and not for good: calls of it are deferred, and it is asked again with their results.
    pub(crate) fn stops_for_now(&self) -> bool {
        self.calls.iter().any(|call| call.is_deferred)
    }

    /// The calls of its last message.
    pub(crate) fn turn(&self) -> impl Iterator<Item = &Call> {
        self.calls.iter().filter(|call| !call.is_deferred)
    }

    /// The calls of earlier messages that its model was told to wait.
    pub(crate) fn deferred(&self) -> impl Iterator<Item = &Call> {
        self.calls.iter().filter(|call| call.is_deferred)
    }

    /// Whether the end or the wait of this call ends its turn.
    pub(super) fn ends_with(&self, call_id: &str) -> bool {
        let is_over = |call: &Call| call.done.is_some() || call.is_deferrable() || call.call_id == call_id;
        self.role != AgentRole::Executor && self.calls.iter().all(is_over)
    }

    /// Ends a turn of which nothing is left to do: its results become a message, and the next turn may begin. The calls of it that
    /// wait are deferred. Returns whether it did.
    pub(super) fn end_turn(&mut self, message_id: &str, at: u64) -> bool {
        let is_over = self.turn().all(|call| call.done.is_some() || call.is_deferrable());
        if self.role == AgentRole::Executor || self.turn().next().is_none() || !is_over {
            return false;
        }
        let waiting = |call: &Call| if call.done.is_none() { Some(call.placeholder()) } else { None };
        let placeholders: Vec<Option<Done>> = self.turn().map(waiting).collect();
        let results = self.turn().zip(&placeholders).filter_map(|(call, waiting)| match waiting {
            Some(waiting) => Some(ResultPart::waiting(&call.call_id, waiting)),
            None => Some(call.result_part(call.done.as_ref()?)),
        });
        let message = results_message(message_id, &results.collect::<Vec<_>>(), at);
        self.messages.push(message);
        self.calls.retain(|call| call.is_deferred || call.done.is_none());
        for call in &mut self.calls {
            call.is_deferred = true;
        }
        true
    }

    /// Tells its model the results of deferred calls, in a message of their own, once no turn and none of these calls is in
    /// flight. Returns whether it did.
    pub(super) fn end_deferred(&mut self, message_id: &str, at: u64) -> bool {
        let is_over = self.calls.iter().all(|call| call.is_deferred && (call.done.is_some() || call.is_waiting()));
        let results = self.deferred().filter_map(|call| Some(call.result_part(call.done.as_ref()?)));
        let results: Vec<ResultPart<'_>> = results.collect();
        if !is_over || results.is_empty() {
            return false;
        }
        let message = results_message(message_id, &results, at);
        self.messages.push(message);
        self.calls.retain(|call| call.done.is_none());
        (self.has_stopped, self.answer) = (false, None);
        true
    }
}

impl ApprovalState {
    /// Returns the id of the pending approval.
    pub(crate) fn pending(&self) -> Option<&str> {
        if let Self::Pending(id) = self { Some(id) } else { None }
    }
}
