//! The calls of a turn, or of a plan: checked, allowed, run together, and noted.

mod call;
mod check;
mod result;
mod telling;

use std::time::Duration;

use bailiwick_model::spec::ToolEffects;
use data_encoding::HEXLOWER;
use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use tokio::time::{Instant, timeout_at};

use super::{agents, approval, context, waiting};
use crate::runs::driver::{Driver, Stop};
use crate::runs::events::{Event, ToolCalled, ToolFailure, WriteIntent};
use crate::runs::host::{host_gone, parsed};
use crate::runs::state::Call;

pub(super) use call::Outcome;
pub(super) use check::{Checked, problem_of_host};
pub(super) use result::{note_failure, note_output, shortened};

use check::Verdict;
use result::note_value;
use telling::{Telling, Told};

/// How many calls run together at most.
const AT_ONCE: usize = 16;
/// No more are begun with those whose inputs have this many bytes together: a plan's steps may take large results.
const BYTES_AT_ONCE: usize = 16 << 20;
/// The largest progress that is shown, in bytes of JSON. `PROGRESS_BYTES` in `ts/runs/host/tool-call.ts` is the same.
const PROGRESS_BYTES: usize = 64 << 10;
/// How long the commit of a message waits for the tools that it calls, if they only read: results by then are written with
/// it.
const PATIENCE: Duration = Duration::from_millis(5);

/// Goes on with calls. `false`: the run is suspended.
pub(super) async fn run_calls(run: &mut Driver<'_>, ready: &[usize]) -> Result<bool, Stop> {
    let Some(frame) = run.state.frames.last() else { return Ok(true) };
    let routes = &run.agent()?.spec.routes;
    let mut calls = ready.iter().filter_map(|at| frame.calls.get(*at));
    let tools = calls.clone().filter(|call| !routes.contains(&call.tool));
    let tools: Vec<Call> = tools.take(AT_ONCE).cloned().collect();
    if tools.is_empty() && frame.must_wait() {
        return waiting::wait(run).await;
    }
    if tools.is_empty() {
        // One at a time: each of them may take long, and the next may depend on its answer.
        let Some(call) = calls.next().cloned() else { return Ok(true) };
        match check::refusal(&call, false) {
            Some((code, told)) => refuse(run, &call, code, &told).await?,
            None => agents::enter(run, call).await?,
        }
        return Ok(true);
    }
    let (mut to_run, mut to_approve) = (Vec::new(), Vec::new());
    for call in tools {
        let asked = to_approve.iter().map(|(checked, _): &(Checked, _)| checked);
        let bytes: usize = to_run.iter().chain(asked).map(|checked: &Checked| checked.input.len()).sum();
        if bytes >= BYTES_AT_ONCE {
            break;
        }
        if context::is_recall(run, &call).await? {
            context::answer(run, &call).await?;
            continue;
        }
        match check::check(run, &call).await? {
            Verdict::Run(checked) => to_run.push(checked),
            Verdict::RequestApproval(checked, rule) => to_approve.push((checked, rule)),
            Verdict::Refuse(code, told) => refuse(run, &call, code, &told).await?,
        }
    }
    run_together(run, to_run).await?;
    if to_approve.is_empty() { Ok(true) } else { approval::request_for_calls(run, to_approve).await }
}

/// Runs calls together and notes their outcomes, in their order.
async fn run_together(run: &mut Driver<'_>, calls: Vec<Checked>) -> Result<(), Stop> {
    if calls.is_empty() {
        return Ok(());
    }
    run.check_tool_calls(calls.iter().filter(|checked| checked.call.counts()).count() as u64)?;
    for checked in &calls {
        note_called(run, &checked.call).await?;
    }
    // The intent of a call that changes something is durable before it starts.
    let is_write = calls.iter().any(|checked| checked.effects == ToolEffects::Write);
    if is_write {
        run.flush().await?;
    }
    let heard = outcomes(run, &calls, is_write).await;
    run.live.forget_progress();
    let (outcomes, stop) = heard?;
    for (checked, outcome) in calls.iter().zip(outcomes) {
        match outcome {
            Some(Outcome::Waits(request)) => waiting::open(run, &checked.call, &request).await?,
            Some(Outcome::Value(value)) => {
                let rules = run.agents().tool(&checked.call.tool);
                note_value(run, &checked.call.call_id, rules, value).await?;
            }
            Some(Outcome::Failed(failure)) => note_failure(run, &checked.call.call_id, failure).await?,
            Some(Outcome::HostGone) | None => {}
        }
    }
    let Some(stop) = stop else { return Ok(()) };
    // What is done is not done again, even if the run is.
    run.flush().await?;
    Err(stop)
}

/// The outcomes of calls that run together, and why those that have none were given up.
async fn outcomes(
    run: &mut Driver<'_>,
    calls: &[Checked],
    mut intent_is_durable: bool,
) -> Result<(Vec<Option<Outcome>>, Option<Stop>), Stop> {
    let (host, telling) = (run.host, Telling::default());
    let mut running = FuturesUnordered::new();
    let mut outcomes: Vec<Option<Outcome>> = Vec::with_capacity(calls.len());
    for (at, checked) in calls.iter().enumerate() {
        let (request, handle) = (call::request(run, &checked.call, &checked.input).await, run.handle);
        let telling = &telling;
        running
            .push(async move { (at, call::run(handle, host, request, checked, &|told| telling.tell(at, told)).await) });
        outcomes.push(None);
    }
    let patience = Instant::now() + PATIENCE;
    loop {
        let heard = async {
            tokio::select! {
                biased;
                told = telling.next() => Heard::Told(told),
                next = running.next() => Heard::Outcome(next),
            }
        };
        let heard = if intent_is_durable {
            run.unless_stopped(heard).await
        } else if let Ok(heard) = timeout_at(patience, run.unless_stopped(heard)).await {
            heard
        } else {
            intent_is_durable = true;
            run.flush().await?;
            continue;
        };
        let next = match heard {
            Ok(Heard::Told(told)) => {
                intent_is_durable = true;
                note_told(run, calls, told).await?;
                continue;
            }
            Ok(Heard::Outcome(next)) => Ok(next),
            Err(stop) => Err(stop),
        };
        match next {
            Ok(Some((_, Outcome::HostGone))) => return Ok((outcomes, Some(host_gone().into()))),
            Ok(Some((at, outcome))) => {
                if let Some(place) = outcomes.get_mut(at) {
                    *place = Some(outcome);
                }
            }
            Ok(None) => return Ok((outcomes, None)),
            Err(stop) => return Ok((outcomes, Some(stop))),
        }
    }
}

/// What is heard of calls that run together.
enum Heard {
    Told(Vec<(usize, Told)>),
    /// Of one of them. `None`: all have theirs.
    Outcome(Option<(usize, Outcome)>),
}

/// Commits attempts that failed, and with them that the calls were begun; then shows how far calls are.
async fn note_told(run: &mut Driver<'_>, calls: &[Checked], told: Vec<(usize, Told)>) -> Result<(), Stop> {
    let mut progress = Vec::new();
    for (at, told) in told {
        match told {
            Told::Retried(retried) => run.note(Event::ToolRetried(retried)).await?,
            Told::Progress(value) => progress.push((at, value)),
        }
    }
    run.flush().await?;
    for (at, value) in progress {
        let Some(checked) = calls.get(at).filter(|_| value.len() <= PROGRESS_BYTES) else { continue };
        let Ok(value) = parsed(&value).await else { continue };
        let (state, now) = (&run.state, run.now());
        run.live.progress(&state.run_id, state.agent().unwrap_or_default(), now, &checked.call.call_id, &value);
    }
    Ok(())
}

/// Notes a call that is not made, and why.
async fn refuse(run: &mut Driver<'_>, call: &Call, code: &str, problem: &str) -> Result<(), Stop> {
    if !call.started {
        run.check_tool_calls(1)?;
        note_called(run, call).await?;
    }
    note_failure(run, &call.call_id, ToolFailure::new(code, problem)).await
}

/// Notes that a call is made.
pub(super) async fn note_called(run: &mut Driver<'_>, call: &Call) -> Result<(), Stop> {
    let rules = run.agents().tool(&call.tool).filter(|rules| rules.effects == ToolEffects::Write);
    let writing = rules.map(|rules| HEXLOWER.encode(&rules.definition));
    let (call_id, tool, input) = (call.call_id.clone(), call.tool.clone(), call.input.clone());
    run.note(Event::ToolCalled(ToolCalled { call_id, tool, input }, WriteIntent { writing })).await.map_err(Stop::from)
}
