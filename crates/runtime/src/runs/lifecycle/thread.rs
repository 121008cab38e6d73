//! What the thread of a run is given: the messages of the run's first agent.

use bailiwick_model::json::{self, Json};
use bailiwick_model::pace::{ahead, ahead_of};
use bailiwick_model::{Error, Result};
use bailiwick_tenancy::{ATTEMPTS, Change, contended};

use crate::runs::driver::Driver;
use crate::runs::events::{Part, STORED, ThreadProgress, ToolFailure};
use crate::runs::state::{Call, Done, Frame, ResultPart, answer_message, results_message};
use crate::threads::Appends;

/// How many messages wait for the end of a run at most, and those of one turn.
const LAGGING: usize = 200;
/// What a thread gets in the place of messages that it cannot have.
const TOO_LARGE: &str = "What was said in this run is too large for a thread. The events of the run have it.";

/// The messages of the run's first agent.
fn messages<'a>(run: &'a Driver<'_>) -> &'a [String] {
    run.state.frames.first().map_or(&run.state.thread_messages, |frame| &frame.messages)
}

/// The message that tells these results, if there are any. It gets no id: its thread gives it one.
async fn results(run: &Driver<'_>, results: Vec<(&Call, &Done)>) -> Option<String> {
    if results.is_empty() {
        return None;
    }
    ahead(results.iter().map(|(_, done)| done.result.weight()).sum()).await;
    let results: Vec<ResultPart<'_>> = results.into_iter().map(|(call, done)| call.result_part(done)).collect();
    Some(results_message("", &results, run.state.updated_at))
}

/// The changes that append those of the messages that the thread does not have, and more behind them. A thread that was
/// deleted meanwhile stays deleted; another one lives until `until` at least.
async fn appended(run: &Driver<'_>, more: &[String], until: Option<u64>) -> Result<Vec<Change>> {
    let mut new = Vec::new();
    for message in messages(run).iter().chain(more).skip(run.state.threaded) {
        ahead_of(message.len()).await;
        new.extend(for_thread(run, message));
    }
    let (thread_id, said) = (run.state.thread_id.as_str(), Appends::Said { until });
    let appended = match run.handle.threads().append_changes(&run.access, thread_id, &new, said).await {
        Err(Error::InvalidInput(_) | Error::QuotaExceeded { .. }) => {
            // A thread has limits that a journal has not, and the run must be able to end.
            let part = Part::Text { text: TOO_LARGE.to_owned(), metadata: None };
            let told = answer_message("", &[part], run.state.updated_at, false);
            let told: Vec<Json> = for_thread(run, &told).into_iter().collect();
            run.handle.threads().append_changes(&run.access, thread_id, &told, said).await?
        }
        appended => appended?,
    };
    Ok(appended.map(|(changes, _)| changes).unwrap_or_default())
}

/// A message of the run as its thread takes it: without its id, with the run's id unless it has that of another, without results that
/// the thread has. `None` if nothing is left.
fn for_thread(run: &Driver<'_>, message: &str) -> Option<Json> {
    let Json::Object(mut members) = json::parse(message.as_bytes(), &STORED).ok()? else { return None };
    members.retain(|(key, _)| key != "messageId");
    if let Some((_, Json::Array(parts))) = members.iter_mut().find(|(key, _)| key == "parts") {
        let before = parts.len();
        let is_told = |part: &Json| {
            let call_id = part.get("callId").and_then(Json::as_str);
            part.get("result").is_some() && call_id.is_some_and(|call_id| run.state.told.contains(call_id))
        };
        parts.retain(|part| !is_told(part));
        if parts.is_empty() && before > 0 {
            return None;
        }
    }
    if !members.iter().any(|(key, _)| key == "runId") {
        members.push(("runId".to_owned(), Json::from(run.state.run_id.as_str())));
    }
    Some(Json::Object(members))
}

/// Gives the thread a part of the messages, if there are many: the rest must fit into the commit of the end. The last pending
/// entry says how much the thread has then.
pub(crate) async fn flush_thread(run: &mut Driver<'_>) -> Result<()> {
    let threaded = messages(run).len();
    let Some(last) = run.pending.last_mut() else { return Ok(()) };
    last.thread.threaded = Some(threaded as u64);
    for _ in 0..ATTEMPTS {
        let changes = appended(run, &[], None).await?;
        if run.try_flush(changes).await? {
            run.state.threaded = threaded;
            return Ok(());
        }
    }
    Err(contended())
}

/// Whether it is time for that.
pub(crate) fn thread_lags(run: &Driver<'_>) -> bool {
    messages(run).len().saturating_sub(run.state.threaded) >= LAGGING && !run.pending.is_empty()
}

/// What the thread has with a suspension: all that was said, and the results of the last turn so far. The message of that turn
/// comes once it is complete, with the other results.
pub(crate) fn thread_progress(run: &Driver<'_>) -> ThreadProgress {
    let Some(frame) = run.state.frames.first() else { return ThreadProgress::default() };
    let told = untold(run).into_iter().map(|(call, _)| call.call_id.clone()).collect();
    ThreadProgress { threaded: Some(frame.messages.len() as u64), told }
}

/// The changes of a suspension that give the thread this, and let it live as long as the run may wait.
pub(crate) async fn thread_changes(run: &Driver<'_>, until: u64) -> Result<Vec<Change>> {
    let results: Vec<String> = results(run, untold(run)).await.into_iter().collect();
    appended(run, &results, Some(until)).await
}

/// The calls of the first agent that are done while others of the same turn wait, and that the thread has no result of.
fn untold<'a>(run: &'a Driver<'_>) -> Vec<(&'a Call, &'a Done)> {
    let done =
        run.state.frames.first().into_iter().flat_map(Frame::turn).filter_map(|call| Some((call, call.done.as_ref()?)));
    done.filter(|(call, _)| !run.state.told.contains(&call.call_id)).collect()
}

/// The changes of the end that give the thread all messages of the first agent. A call that was never answered gets a result
/// that says so: without one the thread could not be used again. So does a deferred one, in a message of its own. `left_until`: when the
/// deferred ones have ended, if they are left open.
pub(super) async fn last_changes(run: &Driver<'_>, left_until: Option<u64>) -> Result<Vec<Change>> {
    if left_until.is_some() {
        return appended(run, &[], left_until).await;
    }
    let unanswered = Done::failure(&ToolFailure::new("INTERRUPTED", "The run ended before."));
    let of_turn = run.state.frames.first().into_iter().flat_map(Frame::turn);
    let deferred = run.state.frames.first().into_iter().flat_map(Frame::deferred);
    let messages = [results(run, ended(of_turn, &unanswered)).await, results(run, ended(deferred, &unanswered)).await];
    appended(run, &messages.into_iter().flatten().collect::<Vec<_>>(), None).await
}

/// Calls with their results, or this one.
fn ended<'b>(calls: impl Iterator<Item = &'b Call>, unanswered: &'b Done) -> Vec<(&'b Call, &'b Done)> {
    calls.map(|call| (call, call.done.as_ref().unwrap_or(unanswered))).collect()
}
