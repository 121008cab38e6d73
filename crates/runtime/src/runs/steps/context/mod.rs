//! What the model of an agent is sent: its conversation, folded where it does not fit.

mod recall;
mod summary;

use std::borrow::Cow;

use bailiwick_model::json::{self, Json};
use bailiwick_model::pace::{ahead, ahead_of};
use bailiwick_model::spec::{AgentRole, ContextRules};
use bailiwick_tenancy::{ATTEMPTS, contended};

pub(super) use recall::{answer, is_recall};

use super::agents;
use crate::context::{Budget, Fold, Glance, RECALL, Short, begins_group, cut, shortened, tokens};
use crate::runs::driver::{Driver, Stop};
use crate::runs::events::{ContextFolded, Event, KeptContext, STORED};
use crate::runs::state::{text_parts, user_message};
use crate::threads::{fold_change, history};
use summary::summarise;

/// What the conversation of the last agent is made of.
pub(super) struct Conversation<'a> {
    /// The message that stands for those that are folded.
    lead: Option<String>,
    /// The position of the first message that is not folded.
    first: u64,
    /// The messages that are not folded, as they are.
    messages: Vec<&'a str>,
    short: Option<Short>,
    may_recall: bool,
}

impl<'a> Conversation<'a> {
    /// Returns the conversation of the last agent. Its history is read already.
    pub(super) fn of(run: &'a Driver<'_>) -> Self {
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
    pub(super) fn len(&self) -> usize {
        usize::from(self.lead.is_some()) + self.messages.len()
    }

    /// Returns the messages as they are sent, but for the first `have` of them.
    pub(super) fn sent(&self, have: usize) -> impl Iterator<Item = Cow<'_, str>> {
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
    pub(super) fn weight(&self, have: usize) -> u64 {
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
fn before<'a>(run: &'a Driver<'_>) -> (u64, &'a [String], u64) {
    if run.state.frames.len() != 1 {
        return (0, &[], 0);
    }
    match &run.history {
        Some(history) => (run.state.base, &history.messages, history.from),
        None => (run.state.base, &[], run.state.base),
    }
}

/// Returns what is folded of the conversation of the last agent.
fn fold<'a>(run: &'a Driver<'_>) -> Option<&'a Fold> {
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
pub(super) fn offers_recall(run: &Driver<'_>) -> bool {
    let is_short = run.state.frames.last().is_some_and(|frame| frame.context.short.is_some());
    may_recall(run) && (is_short || fold(run).is_some())
}

fn may_recall(run: &Driver<'_>) -> bool {
    run.agent().is_ok_and(|agent| agent.spec.role != AgentRole::Executor && !agent.may_call(RECALL))
}

/// Returns the configuration of an agent with the built-in tool.
pub(super) fn with_recall(config: &str) -> String {
    let Ok(Json::Object(mut members)) = json::parse(config.as_bytes(), &STORED) else { return config.to_owned() };
    if let Some((_, Json::Array(tools))) = members.iter_mut().find(|(key, _)| key == "tools") {
        tools.push(recall::tool());
    }
    json::write(&Json::Object(members))
}

/// Returns the bytes of what a model is told besides its conversation.
fn beside(run: &Driver<'_>) -> usize {
    let definition = run.state.frames.last().and_then(|frame| run.definition(frame));
    let instructions = run.state.instructions.as_ref().map_or(0, String::len);
    definition.map_or(0, |definition| definition.config.len()) + instructions + recall::TOOL_BYTES
}

fn rules(run: &Driver<'_>) -> ContextRules {
    run.agent().map(|agent| agent.context).unwrap_or_default()
}

fn budget(run: &Driver<'_>) -> Budget {
    budget_beside(run, 0)
}

/// Returns the budget where this many bytes are sent besides the conversation.
fn budget_beside(run: &Driver<'_>, report: usize) -> Budget {
    let ContextRules { max_tokens, keep_messages, .. } = rules(run);
    let (most, keep) = (max_tokens.unwrap_or(ContextRules::TOKENS), keep_messages.unwrap_or(ContextRules::KEPT));
    Budget::new(most, keep, beside(run) + report)
}

/// Reads what the thread has before the run, unless it is read already or is of no use for the last agent.
async fn load(run: &mut Driver<'_>) -> Result<(), Stop> {
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

/// Folds what does not fit, before the model of the last agent is asked, and commits that. Another commit may be left to do.
///
/// # Errors
/// Those of the store, and why the run stops.
pub(super) async fn fit(run: &mut Driver<'_>) -> Result<(), Stop> {
    load(run).await?;
    let most = rules(run).max_tokens.unwrap_or(ContextRules::TOKENS);
    let report = agents::plan_report(run).await.map_or(0, |report| report.len());
    let is_new = run.state.frames.len() == 1 && run.history.as_ref().is_some_and(|history| history.is_new);
    let counted = counted(run, report);
    if counted.is_some_and(|used| used <= most) && !is_new {
        return Ok(());
    }
    let conversation = Conversation::of(run);
    ahead(conversation.weight(0)).await;
    let sent: usize = conversation.sent(0).map(|text| text.len()).sum();
    let bytes = (beside(run) + report + sent) as u64;
    let estimated = tokens(bytes);
    // A token has a byte at least: a provider that counts more must not take the whole conversation away.
    let used = counted.map_or(estimated, |counted| counted.min(bytes));
    if used <= most && !is_new {
        return Ok(());
    }
    let budget = budget_beside(run, report).scaled(used, estimated);
    let count = if used > most { count(budget, &conversation).await } else { 0 };
    let largest = budget.largest();
    let rest = (conversation.first..).zip(&conversation.messages).skip(count);
    let large = rest.filter(|(_, message)| used > most && message.len() > largest);
    let is_shown =
        |(at, message): &(u64, &&str)| conversation.short.is_some_and(|short| short.is_for(*at, message.len()));
    let large: Vec<bool> = large.map(|one| is_shown(&one)).collect();
    if count == 0 && !is_new && large.iter().all(|is_shown| *is_shown) {
        return Ok(());
    }
    let end = conversation.first + conversation.messages.len() as u64;
    let short = (!large.is_empty()).then_some(Short { until: end, bytes: largest as u64 });
    note(run, count, short).await
}

/// Returns the tokens of the next request: those that the provider has counted of the last one, and an estimate of what came since. `None`:
/// none was counted.
fn counted(run: &Driver<'_>, report: usize) -> Option<u64> {
    let frame = run.state.frames.last()?;
    let (counted, behind) = frame.context.counted?;
    let since: usize = frame.messages.iter().skip(behind).map(String::len).sum();
    Some(counted.saturating_add(tokens((since + report) as u64)))
}

/// Returns how many messages are folded so that the rest fits into the budget.
async fn count(budget: Budget, conversation: &Conversation<'_>) -> usize {
    let (largest, messages) = (budget.largest(), &conversation.messages);
    let large = messages.iter().filter(|message| message.len() > largest);
    ahead(large.map(|message| 2 * message.len() as u64).sum()).await;
    let message = |at: usize| messages.get(at).copied().unwrap_or_default();
    let size = |at: usize| match message(at) {
        large if large.len() > largest => shortened(large, largest, conversation.may_recall).len(),
        small => small.len(),
    };
    cut(budget, messages.len(), size, |at| begins_group(message(at)))
}

/// Notes that the first messages behind the fold are folded too, and stores what is folded of the thread with it.
async fn note(run: &mut Driver<'_>, count: usize, short: Option<Short>) -> Result<(), Stop> {
    let is_first = run.state.frames.len() == 1;
    let conversation = Conversation::of(run);
    let (base, history, _) = before(run);
    let (first, folded_of_history) = (conversation.first, count.min(history.len()));
    let mut folded = fold(run).cloned().unwrap_or_default();
    let mut of_thread = None;
    for (position, message) in (first..).zip(&conversation.messages).take(count) {
        if position == base {
            of_thread = Some(folded.clone());
        }
        ahead_of(message.len()).await;
        folded.add(position, Glance::of(message));
    }
    let is_new = run.history.as_ref().is_some_and(|history| history.is_new);
    let of_thread = of_thread.unwrap_or_else(|| folded.clone());
    let of_thread_until = of_thread.until;
    let mut of_thread = (is_first && (is_new || (first < base && count > 0))).then_some(of_thread);
    let usage = summarise(run, count, &mut folded).await?;
    if folded.until == of_thread_until {
        of_thread = of_thread.map(|_| folded.clone());
    }
    let summary =
        if folded.messages() > 0 { folded.outline(budget(run).outline(), may_recall(run)) } else { String::new() };
    let (from, to, tokens) = (folded.from.clone(), folded.to.clone(), folded.tokens());
    let event = ContextFolded { from, to, tokens, summary, usage };
    run.note(Event::ContextFolded(event, KeptContext { fold: folded, short })).await?;
    if let Some(frame) = run.state.frames.last() {
        run.sent.remove(&frame.number);
    }
    if let Some(history) = run.history.as_mut().filter(|_| is_first) {
        history.messages.drain(..folded_of_history);
        history.from += folded_of_history as u64;
        history.is_new = false;
    }
    let Some(fold) = of_thread else { return Ok(()) };
    for _ in 0..ATTEMPTS {
        // Without its thread the run goes on as it can.
        let change = fold_change(&run.access, &run.state.thread_id, &fold).await?;
        if run.try_flush(change.into_iter().collect()).await? {
            return Ok(());
        }
    }
    Err(contended().into())
}
