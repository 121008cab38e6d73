//! The parts of an answer as messages keep them: what the model wrote, under ids of our own making where it gave none or
//! one twice. Arguments that are no JSON stay texts.

use std::collections::HashMap;

use super::collected::Collected;
use crate::runs::events::{BrokenOff, CutOff, FinishReason, Part, TokenUsage, Usage};
use crate::runs::state::RunState;

/// The id of a call to which the model gave none.
const NO_ID: &str = "call";

/// The parts of an answer, and the calls whose arguments could not be read, each with the reason. `ended`: why the answer
/// ended, if it did.
pub(super) fn answer_parts(
    collected: Collected,
    state: &RunState,
    ended: Option<FinishReason>,
) -> (Vec<Part>, Vec<(String, String)>) {
    let mut taken: HashMap<String, u64> = HashMap::new();
    let (mut parts, mut unread) = (collected.parts, Vec::new());
    for (at, part) in parts.iter_mut().enumerate() {
        let Part::ToolCall { call_id, .. } = part else { continue };
        *call_id = state.free_call_id(if call_id.is_empty() { NO_ID } else { call_id }, &mut taken);
        let reason = collected.unread.get(&at);
        unread.extend(reason.map(|reason| (call_id.clone(), told(reason, ended))));
    }
    (parts, unread)
}

/// What a model is told of arguments that could not be read.
fn told(reason: &str, ended: Option<FinishReason>) -> String {
    let length = match ended {
        Some(FinishReason::Length) => " The answer reached its length limit (finishReason length): write less at once.",
        _ => "",
    };
    format!("The input is cut off or not JSON. {reason}{length}")
}

/// Answers that broke off, until an entry mentions them.
#[derive(Debug, Default)]
pub(crate) struct BrokenAnswers {
    /// The last one that had said something, with which the run may end.
    said: Option<BrokenOff>,
    /// The tokens that they have used, as far as it was told.
    used: Usage,
}

impl BrokenAnswers {
    /// Keeps what came of an answer before it broke off.
    pub(super) fn take(&mut self, mut collected: Collected, model: &str, state: &RunState) {
        if let Some(usage) = collected.usage.filter(|usage| *usage != TokenUsage::default()) {
            self.used.add(model, usage);
        }
        let Some(agent) = state.agent().filter(|_| !collected.parts.is_empty()).map(str::to_owned) else { return };
        let message_id = std::mem::take(&mut collected.message_id);
        let (parts, unread) = answer_parts(collected, state, None);
        self.said = Some(BrokenOff { agent, message_id, parts, unread });
    }

    /// Counts what was used for an answer that is not there.
    pub(super) fn add(&mut self, used: &Usage) {
        self.used.add_all(used);
    }

    /// Forgets the text: another answer is complete, or none comes. The tokens count all the same. Returns the id of its message.
    pub(in crate::runs::steps) fn supersede(&mut self) -> Option<String> {
        self.said.take().map(|said| said.message_id)
    }

    /// The tokens, for the entry of another answer.
    pub(in crate::runs::steps) fn lost(&mut self) -> Usage {
        std::mem::take(&mut self.used)
    }

    /// All of it, for the entry that ends the run.
    pub(crate) fn cut_off(&mut self) -> CutOff {
        CutOff { broken_off: self.said.take(), lost: self.lost() }
    }
}
