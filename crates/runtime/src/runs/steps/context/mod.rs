//! What the model of an agent is sent: its conversation, folded where it does not fit.

mod conversation;
mod recall;
mod summary;

use bailiwick_model::pace::{ahead, ahead_of};
use bailiwick_model::spec::ContextRules;
use bailiwick_tenancy::{ATTEMPTS, contended};

pub(super) use conversation::{Conversation, offers_recall};
pub(super) use recall::{answer, is_recall, with_recall};

use super::agents;
use crate::context::{Budget, Glance, Short, begins_group, cut, shortened, tokens};
use crate::runs::driver::{Driver, Stop};
use crate::runs::events::{ContextFolded, Event, KeptContext};
use crate::threads::fold_change;
use conversation::{before, beside, budget, budget_beside, fold, load, may_recall, rules};
use summary::{has_summaries, summarise};

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
    } else if has_summaries(run) {
        // This summary is of messages of this run, too. The next run goes on from the last one that is of the thread alone.
        of_thread = None;
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
