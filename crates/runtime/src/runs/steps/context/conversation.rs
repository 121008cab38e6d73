//! What the conversation of the last agent is made of, and how much of it may be sent.

use std::borrow::Cow;

use bailiwick_model::spec::{AgentRole, ContextRules};

use crate::context::{Budget, Fold, RECALL, Short, shortened};
use crate::runs::driver::{Driver, Stop};
use crate::runs::state::{text_parts, user_message};
use crate::threads::history;

/// About how many bytes the tool takes in a request.
const TOOL_BYTES: usize = 600;

/// What the conversation of the last agent is made of.
pub(in crate::runs::steps) struct Conversation<'a> {
    /// The message that stands for those that are folded.
    lead: Option<String>,
    /// The position of the first message that is not folded.
    pub(super) first: u64,
    /// The messages that are not folded, as they are.
    pub(super) messages: Vec<&'a str>,
    pub(super) short: Option<Short>,
    pub(super) may_recall: bool,
}

impl<'a> Conversation<'a> {
    /// Returns the conversation of the last agent. Its history is read already.
    pub(in crate::runs::steps) fn of(run: &'a Driver<'_>) -> Self {
        let (_, history, from) = before(run);
        let frame = run.state.frames.last();
        let messages = frame.map(|frame| frame.messages.as_slice()).unwrap_or_default();
        let first = fold(run).map_or(from, |fold| fold.until.max(from));
        let all = history.iter().map(String::as_str).chain(messages.iter().map(String::as_str));
        let messages = all.skip(usize::try_from(first - from).unwrap_or(usize::MAX)).collect();
        let may_recall = may_recall(run);
        let lead = outline(run)
            .map(|(until, text)| user_message(&format!("fold-{until}"), &text_parts(&text), run.state.updated_at));
        let short = frame.and_then(|frame| frame.context.short);
        Self { lead, first, messages, short, may_recall }
    }

    /// Returns how many messages are sent.
    pub(in crate::runs::steps) fn len(&self) -> usize {
        usize::from(self.lead.is_some()) + self.messages.len()
    }

    /// Returns the messages as they are sent, but for the first `have` of them.
    pub(in crate::runs::steps) fn sent(&self, have: usize) -> impl Iterator<Item = Cow<'_, str>> {
        let lead = self.lead.iter().skip(have).map(|lead| Cow::Borrowed(lead.as_str()));
        let each = self.behind(have);
        lead.chain(each.map(|(position, message)| match self.short {
            Some(short) if short.is_for(position, message.len()) => {
                let most = usize::try_from(short.bytes).unwrap_or(usize::MAX);
                Cow::Owned(shortened(message, most, self.may_recall))
            }
            _ => Cow::Borrowed(*message),
        }))
    }

    /// About how many bytes of work it is to make them.
    pub(in crate::runs::steps) fn weight(&self, have: usize) -> u64 {
        let is_short = |at: u64, message: &str| self.short.is_some_and(|short| short.is_for(at, message.len()));
        let each = self.behind(have);
        each.filter(|(at, message)| is_short(*at, message)).map(|(_, message)| 2 * message.len() as u64).sum()
    }

    /// Returns the messages behind the lead, with their positions, but for the first `have` that are sent.
    fn behind(&self, have: usize) -> impl Iterator<Item = (u64, &&str)> {
        (self.first..).zip(&self.messages).skip(have.saturating_sub(usize::from(self.lead.is_some())))
    }
}

/// Returns the length of the thread before the run, and the messages of it that are in memory, with the position of the first: of the
/// agent that was asked. Another agent has none.
pub(super) fn before<'a>(run: &'a Driver<'_>) -> (u64, &'a [String], u64) {
    if run.state.frames.len() != 1 {
        return (0, &[], 0);
    }
    match &run.history {
        Some(history) => (run.state.base, &history.messages, history.from),
        None => (run.state.base, &[], run.state.base),
    }
}

/// Returns what is folded of the conversation of the last agent.
pub(super) fn fold<'a>(run: &'a Driver<'_>) -> Option<&'a Fold> {
    let own = run.state.frames.last()?.context.folded.as_ref().map(|(fold, _)| fold);
    let of_thread =
        run.history.as_ref().filter(|_| run.state.frames.len() == 1).and_then(|history| history.fold.as_ref());
    // The thread's goes further if it was folded again while it was read, for a smaller budget than the run began with.
    of_thread.into_iter().chain(own).max_by_key(|fold| fold.until)
}

/// Returns the outline of what is folded, and the position behind it.
fn outline(run: &Driver<'_>) -> Option<(u64, String)> {
    let fold = fold(run)?;
    let own = run.state.frames.last().and_then(|frame| frame.context.folded.as_ref());
    let text = own.filter(|(own, _)| own.until == fold.until).map(|(_, summary)| summary.clone());
    Some((fold.until, text.unwrap_or_else(|| fold.outline(budget(run).outline(), may_recall(run)))))
}

/// Returns whether something of the conversation is not sent as it is, and the built-in tool gives it back. A tool or a route of the
/// agent that has the same name goes before it, and an executor's model has no tools.
pub(in crate::runs::steps) fn offers_recall(run: &Driver<'_>) -> bool {
    let is_short = run.state.frames.last().is_some_and(|frame| frame.context.short.is_some());
    may_recall(run) && (is_short || fold(run).is_some())
}

pub(super) fn may_recall(run: &Driver<'_>) -> bool {
    run.agent().is_ok_and(|agent| agent.spec.role != AgentRole::Executor && !agent.may_call(RECALL))
}

/// Returns the bytes of what a model is told besides its conversation.
pub(super) fn beside(run: &Driver<'_>) -> usize {
    let definition = run.state.frames.last().and_then(|frame| run.definition(frame));
    let instructions = run.state.instructions.as_ref().map_or(0, String::len);
    definition.map_or(0, |definition| definition.config.len()) + instructions + TOOL_BYTES
}

pub(super) fn rules(run: &Driver<'_>) -> ContextRules {
    run.agent().map(|agent| agent.context).unwrap_or_default()
}

pub(super) fn budget(run: &Driver<'_>) -> Budget {
    budget_beside(run, 0)
}

/// Returns the budget where this many bytes are sent besides the conversation.
pub(super) fn budget_beside(run: &Driver<'_>, report: usize) -> Budget {
    let ContextRules { max_tokens, keep_messages, .. } = rules(run);
    let (most, keep) = (max_tokens.unwrap_or(ContextRules::TOKENS), keep_messages.unwrap_or(ContextRules::KEPT));
    Budget::new(most, keep, beside(run) + report)
}

/// Reads what the thread has before the run, unless it is read already or is of no use for the last agent.
pub(super) async fn load(run: &mut Driver<'_>) -> Result<(), Stop> {
    let [frame] = run.state.frames.as_slice() else { return Ok(()) };
    if run.history.is_some() {
        return Ok(());
    }
    let (base, budget) = (run.state.base, budget(run));
    let known = frame.context.folded.as_ref().map(|(fold, _)| fold.clone());
    let loaded = history(run.handle, &run.access, &run.state.thread_id, base, known, budget);
    let mut loaded = run.unless_stopped(loaded).await??;
    if loaded.from.saturating_add(loaded.messages.len() as u64) != base {
        // It is folded beyond, or the thread is gone.
        loaded.messages.clear();
        loaded.from = base;
    }
    run.history = Some(loaded);
    Ok(())
}
