//! The types of events: the one list of them. Each has what consumers see and, for some, what only the loop needs. Both are
//! stored under these names and in this order; `docs/format/runs.md` and `ts/types/events.ts` are checked against them.

use std::sync::Arc;

use bailiwick_model::Result;
use bailiwick_model::json::{self, Json};
use bailiwick_model::spec::RunLimits;
use serde::{Deserialize, Deserializer, Serialize};

use super::agent::{AgentAnswer, AgentBegun};
use super::context::{ContextFolded, KeptContext};
use super::damaged;
use super::fields::{
    ApprovalShown, BrokenOff, DecisionShown, FinishReason, Limit, Nothing, PREVIEW, ResumedKind, RunFailure,
    ToolFailure, ToolRetried, is_false,
};
use super::left::{ContinuedRun, LeftCall};
use super::object::ObjectWriter;
use super::parts::Part;
use super::queued::{PromptReceived, QueuedRequest, RunQueued, RunSteered};
use super::usage::{TokenUsage, Usage};
use crate::waits::{Wait, WaitRecord};

/// Makes [`Event`] from the table below: the enum, its names, and how each type is read and written.
macro_rules! events {
    ($($(#[$doc:meta])* $name:literal => $variant:ident($shown:ty $(, $internal:ident: $kept:ty)?);)*) => {
        /// What happened in a run.
        #[derive(Debug, Clone, PartialEq)]
        pub(crate) enum Event {
            $($(#[$doc])* $variant($shown $(, $kept)?),)*
        }

        impl Event {
            /// The names of all types.
            #[cfg(test)]
            pub(super) const NAMES: &[&str] = &[$($name),*];

            /// The name of its type, such as `tool.called`.
            pub(crate) fn kind(&self) -> &'static str {
                match self {
                    $(Self::$variant(..) => $name,)*
                }
            }

            /// Reads an event of a type.
            pub(super) fn read(kind: &str, shown: Json, internal: Json) -> Result<Self> {
                match kind {
                    $($name => {
                        $(let $internal: $kept = json::from_value(internal)?;)?
                        Ok(Self::$variant(json::from_value(shown)? $(, $internal)?))
                    })*
                    _ => Err(damaged()),
                }
            }

            /// Writes what consumers see of it.
            pub(super) fn write_shown(&self, object: &mut ObjectWriter<'_>) {
                match self {
                    $(Self::$variant(shown, ..) => object.add(shown),)*
                }
            }

            /// Writes what only the loop needs.
            pub(super) fn write_internal(&self, object: &mut ObjectWriter<'_>) {
                match self {
                    $(Self::$variant(_ $(, $internal)?) => { $(object.add($internal);)? })*
                }
            }
        }
    };
}

events! {
    /// The run waits for its thread, or for its time.
    "run.queued" => RunQueued(RunQueued, request: QueuedRequest);
    /// The run began.
    "run.started" => RunStarted(RunStarted, context: RunContext);
    /// The prompt of another request was handed to the run.
    "prompt.received" => PromptReceived(PromptReceived);
    /// An agent began: the one that was asked, or one that another calls.
    "agent.started" => AgentStarted(Nothing, begun: AgentBegun);
    /// An agent is done.
    "agent.completed" => AgentCompleted(Nothing, answer: AgentAnswer);
    /// The oldest messages of an agent's conversation were folded, or what was too large was shortened.
    "context.folded" => ContextFolded(ContextFolded, kept: KeptContext);
    /// A model answered.
    "model.completed" => ModelCompleted(ModelCompleted, answer: ModelAnswer);
    /// A tool is called.
    "tool.called" => ToolCalled(ToolCalled, intent: WriteIntent);
    /// An attempt of a call failed, and another one follows.
    "tool.retried" => ToolRetried(ToolRetried);
    /// A call has a result.
    "tool.completed" => ToolCompleted(ToolCompleted);
    /// A call failed, or was not made.
    "tool.failed" => ToolFailed(ToolFailed);
    /// A call waits: for an answer, an event or a time.
    "tool.waiting" => ToolWaiting(ToolWaiting, tool: WaitingTool);
    /// A wait has ended.
    "wait.settled" => WaitSettled(WaitSettled);
    /// A call that waited is made again.
    "tool.resumed" => ToolResumed(ToolResumed, how: ResumedCall);
    /// A result is kept as a reference.
    "reference.created" => ReferenceCreated(ReferenceCreated);
    /// The plan of a planner is saved.
    "plan.saved" => PlanSaved(PlanSaved);
    /// A person is asked about a call or a plan.
    "approval.requested" => ApprovalRequested(ApprovalRequested, call: RequestedCall);
    /// An approval ended.
    "approval.decided" => ApprovalDecided(ApprovalDecided, call: DecidedCall);
    /// The run waits for approvals or open calls, and no process works at it.
    "run.suspended" => RunSuspended(RunSuspended);
    /// The run is done.
    "run.completed" => RunCompleted(RunCompleted, cut_off: CutOff);
    /// The run failed.
    "run.failed" => RunFailed(RunFailed, cut_off: CutOff);
    /// One of the run's limits ended it.
    "run.limited" => RunLimited(RunLimited, cut_off: CutOff);
    /// The run was cancelled.
    "run.cancelled" => RunCancelled(Nothing, cut_off: CutOff);
    /// The prompt of the run, which was queued, was handed to another run.
    "run.steered" => RunSteered(RunSteered, cut_off: CutOff);
}

impl Event {
    /// What an end says of the answer that it cut off. `None` for an event that is no end.
    pub(crate) fn cut_off(&self) -> Option<&CutOff> {
        match self {
            Self::RunCompleted(_, cut_off)
            | Self::RunFailed(_, cut_off)
            | Self::RunLimited(_, cut_off)
            | Self::RunCancelled(_, cut_off)
            | Self::RunSteered(_, cut_off) => Some(cut_off),
            _ => None,
        }
    }

    /// About how many bytes it is written with: of what may be large alone.
    pub(super) fn weight(&self) -> u64 {
        match self {
            Self::RunQueued(queued, request) => queued.prompt.weight() + left_weight(&request.left),
            Self::RunStarted(started, context) => started.prompt.weight() + left_weight(&context.left),
            Self::PromptReceived(received) => received.prompt.weight(),
            Self::AgentStarted(_, AgentBegun::Plan { plan, .. }) => plan.steps.weight(),
            Self::AgentStarted(_, AgentBegun::Task { task, .. }) => task.weight(),
            Self::AgentCompleted(_, answer) => answer.text.len() as u64 + answer.output.weight(),
            Self::ModelCompleted(_, answer) => {
                let output = answer.output.as_ref().map_or(0, Json::weight);
                let correction = answer.correction.as_ref().map_or(0, |text| text.len() as u64);
                output + correction + answer.parts.iter().map(Part::weight).sum::<u64>()
            }
            Self::ContextFolded(folded, kept) => folded.summary.len() as u64 + kept.fold.weight(),
            Self::ToolCalled(called, _) => called.input.weight(),
            Self::ToolCompleted(completed) => completed.result.weight(),
            Self::ToolWaiting(waiting, _) => waiting.wait.weight(),
            Self::WaitSettled(settled) => settled.record.wait.weight() + settled.record.outcome.weight(),
            Self::ApprovalRequested(requested, _) => requested.approval.weight(),
            Self::ApprovalDecided(decided, _) => decided.edited_input.as_ref().map_or(0, |input| input.weight()),
            Self::RunSuspended(suspended) => {
                let waits: u64 = suspended.waits.iter().map(Wait::weight).sum();
                waits + suspended.approvals.iter().map(ApprovalShown::weight).sum::<u64>()
            }
            Self::RunCompleted(completed, cut_off) => {
                completed.text.len() as u64 + completed.output.weight() + cut_off.weight()
            }
            Self::RunFailed(_, cut_off)
            | Self::RunLimited(_, cut_off)
            | Self::RunCancelled(_, cut_off)
            | Self::RunSteered(_, cut_off) => cut_off.weight(),
            _ => 0,
        }
    }
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct RunStarted {
    /// A text, or an array of text and file parts.
    pub(crate) prompt: Json,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) actor: Option<String>,
    /// The run whose calls it goes on with: then there is no prompt.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) continues: Option<ContinuedRun>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct RunContext {
    pub(crate) thread_id: String,
    pub(crate) agent: String,
    pub(crate) limits: RunLimits,
    /// How many messages the thread had before.
    pub(crate) base: u64,
    /// The W3C `traceparent` of the span in which it was begun.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) trace: Option<String>,
    /// What the system prompts of its agents end with.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) instructions: Option<String>,
    /// The calls that it goes on with.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) left: Vec<LeftCall>,
    /// Who asked the runs whose calls it goes on with, unless that is its own actor alone. `None`: a request without an actor.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) requesters: Vec<Option<String>>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ModelCompleted {
    pub(crate) model: String,
    pub(crate) usage: TokenUsage,
    pub(crate) finish_reason: FinishReason,
    /// What the provider did not do as asked.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) warnings: Vec<String>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ModelAnswer {
    pub(crate) message_id: String,
    /// How long the run has been worked at, in milliseconds.
    pub(crate) active: u64,
    /// Tokens of answers that broke off and were asked for again.
    #[serde(default, skip_serializing_if = "Usage::is_empty")]
    pub(crate) lost: Usage,
    #[serde(default, deserialize_with = "present", skip_serializing_if = "Option::is_none")]
    pub(crate) output: Option<Json>,
    /// Why the answer will not do, as its model is told.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) correction: Option<String>,
    pub(crate) parts: Vec<Part>,
    /// The calls whose arguments could not be read, each with the reason.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) unread: Vec<(String, String)>,
    /// Whether it is the answer of the agent although calls of it still wait.
    #[serde(default, skip_serializing_if = "is_false")]
    pub(crate) leaves: bool,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ToolCalled {
    pub(crate) call_id: String,
    pub(crate) tool: String,
    pub(crate) input: Arc<Json>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct WriteIntent {
    /// Of a tool that changes something: the hash of its definition.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) writing: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ToolCompleted {
    pub(crate) call_id: String,
    /// The result, or what a model is shown of it: a [`super::ReferencedResult`].
    pub(crate) result: Json,
    /// The reference that the result is kept as.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) reference: Option<String>,
}

impl ToolCompleted {
    /// The same without the preview of the result.
    pub(super) fn stored(&self) -> Self {
        let mut stored = self.clone();
        if let Json::Object(members) = &mut stored.result {
            members.retain(|(key, _)| key != PREVIEW);
        }
        stored
    }
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ToolFailed {
    pub(crate) call_id: String,
    pub(crate) error: ToolFailure,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ToolWaiting {
    pub(crate) call_id: String,
    pub(crate) wait: Wait,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct WaitingTool {
    /// The hash of the definition of the tool that waits.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) definition: Option<String>,
    /// Whether its agent goes on meanwhile.
    #[serde(default, skip_serializing_if = "is_false")]
    pub(crate) continues: bool,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct WaitSettled {
    pub(crate) record: WaitRecord,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ToolResumed {
    pub(crate) call_id: String,
    pub(crate) kind: ResumedKind,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) actor: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ResumedCall {
    /// How long it waited, in milliseconds.
    pub(crate) waited_ms: u64,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct ReferenceCreated {
    pub(crate) reference: String,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct PlanSaved {
    pub(crate) plan_id: String,
    pub(crate) version: u64,
    pub(crate) hash: String,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct ApprovalRequested {
    pub(crate) approval: ApprovalShown,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct RequestedCall {
    /// The call that waits; absent for a plan.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) call_id: Option<String>,
    /// Whether its agent goes on meanwhile.
    #[serde(default, skip_serializing_if = "is_false")]
    pub(crate) continues: bool,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct ApprovalDecided {
    pub(crate) record: DecisionShown,
    /// The input with which the call is made instead of the one that was asked about.
    #[serde(
        default,
        rename = "editedInput",
        deserialize_with = "present_shared",
        skip_serializing_if = "Option::is_none"
    )]
    pub(crate) edited_input: Option<Arc<Json>>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct DecidedCall {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) call_id: Option<String>,
    /// Whether a person is asked again, because the tool's definition changed.
    #[serde(default, skip_serializing_if = "is_false")]
    pub(crate) again: bool,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct RunSuspended {
    pub(crate) approvals: Vec<ApprovalShown>,
    /// The open waits.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) waits: Vec<Wait>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct RunCompleted {
    pub(crate) text: String,
    pub(crate) output: Json,
    /// How the last answer of the agent that was asked ended.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) finish_reason: Option<FinishReason>,
    pub(crate) usage: Usage,
    /// The calls that still wait.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) waiting: Vec<String>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct RunFailed {
    pub(crate) error: RunFailure,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct RunLimited {
    pub(crate) limit: Limit,
}

/// What an end says of an answer that it cut off.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct CutOff {
    /// Tokens of answers that broke off.
    #[serde(default, skip_serializing_if = "Usage::is_empty")]
    pub(crate) lost: Usage,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) broken_off: Option<BrokenOff>,
}

impl CutOff {
    fn weight(&self) -> u64 {
        self.broken_off.iter().flat_map(|broken| &broken.parts).map(Part::weight).sum()
    }
}

fn left_weight(calls: &[LeftCall]) -> u64 {
    calls.iter().map(LeftCall::weight).sum()
}

/// A value that is there, be it null.
fn present<'de, D: Deserializer<'de>>(deserializer: D) -> std::result::Result<Option<Json>, D::Error> {
    Json::deserialize(deserializer).map(Some)
}

/// The same for a value that is shared.
fn present_shared<'de, D: Deserializer<'de>>(deserializer: D) -> std::result::Result<Option<Arc<Json>>, D::Error> {
    Json::deserialize(deserializer).map(|value| Some(Arc::new(value)))
}
