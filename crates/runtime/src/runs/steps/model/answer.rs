//! Whether the answer of a model will do, and the entry that notes it.

use bailiwick_model::json::{self, Json};
use bailiwick_model::pace::{ahead, ahead_of};
use bailiwick_model::spec::AgentRole;
use serde::Serialize;

use super::ANSWER_BYTES;
use super::collected::Collected;
use super::parts::answer_parts;
use crate::runs::driver::{Driver, Stop, failed};
use crate::runs::events::{Entry, Event, FailureCode, FinishReason, ModelAnswer, ModelCompleted, text_of};
use crate::runs::host::{CallbackKind, Reply, host_gone, parsed};
use crate::runs::state::{Frame, has_calls};
use crate::runs::steps::agents::plan;
use crate::runs::steps::tools::shortened;

/// How often an agent is told that its answer will not do.
const CORRECTIONS: u64 = 3;

/// Notes an answer, and whether it will do.
pub(super) async fn note(run: &mut Driver<'_>, model: &str, mut collected: Collected) -> Result<(), Stop> {
    let Some(finish) = collected.finish.take() else {
        return Err(failed(FailureCode::Internal, "An answer has no end."));
    };
    let message_id = std::mem::take(&mut collected.message_id);
    let warnings = std::mem::take(&mut collected.warnings);
    // Of answers that broke off before, nothing is shown any more. The time of a check by the host is not the run's.
    run.broken.supersede();
    let (at, active) = (run.now(), run.active_ms());
    ahead_of(collected.bytes.sum()).await;
    let (parts, unread) = answer_parts(collected, &run.state, Some(finish.reason));
    let (mut output, mut correction, mut wrong) = (None, None, None);
    let may_leave = run.state.may_leave_calls();
    let stops_for_now = !may_leave && run.state.frames.last().is_some_and(Frame::stops_for_now);
    let is_whole = !has_calls(&parts) && finish.reason != FinishReason::Pause;
    if is_whole && !stops_for_now {
        match checked(run, &text_of(&parts)).await? {
            Ok(checked) => output = checked,
            Err(mut problem) => {
                if finish.reason == FinishReason::Length {
                    problem.push_str(" The answer reached its length limit (finishReason length): write less.");
                }
                let is_last = run.state.frames.last().is_none_or(|frame| frame.corrections >= CORRECTIONS);
                wrong = is_last.then(|| shortened(&problem));
                correction = Some(problem);
            }
        }
    }
    let (model, usage, finish_reason) = (model.to_owned(), finish.usage, finish.reason);
    let lost = run.broken.lost();
    let leaves = may_leave && is_whole && correction.is_none();
    let event = Event::ModelCompleted(
        ModelCompleted { model, usage, finish_reason, warnings },
        ModelAnswer { message_id, active, lost, output, correction, parts, unread, leaves },
    );
    run.note_entry(Entry::new(at, event).about(run.state.agent())).await?;
    wrong.map_or(Ok(()), |problem| Err(failed(FailureCode::OutputInvalid, &problem)))
}

/// The output of the whole answer, with what was said before its provider paused; or else that of its end alone.
async fn checked(run: &Driver<'_>, text: &str) -> Result<Result<Option<Json>, String>, Stop> {
    let said = run.state.frames.last().map(|frame| frame.said.as_str()).unwrap_or_default();
    if said.is_empty() {
        return output(run, text).await;
    }
    ahead_of(said.len() + text.len()).await;
    match output(run, &format!("{said}{text}")).await? {
        Err(_) => output(run, text).await,
        fits => Ok(fits),
    }
}

/// The output of an answer without calls: what fits the agent's output schema, or the plan that a planner has drafted.
async fn output(run: &Driver<'_>, text: &str) -> Result<Result<Option<Json>, String>, Stop> {
    let agent = run.agent()?;
    ahead_of(text.len()).await;
    if agent.spec.role == AgentRole::Planner {
        return Ok(plan::checked(run, text).await?.map(Some));
    }
    let by_host = run.handle.validated.agents.contains(&agent.spec.name);
    match agent.output(text, by_host).await {
        Ok(Some(output)) => Ok(validated(run, &agent.spec.name, output).await?.map(Some)),
        other => Ok(other),
    }
}

#[derive(Serialize)]
struct OutputRequest<'a> {
    agent: &'a str,
    output: &'a Json,
}

/// The output as the agent's own schema gives it, which the host has.
async fn validated(run: &Driver<'_>, agent: &str, output: Json) -> Result<Result<Json, String>, Stop> {
    let wrong =
        || failed(FailureCode::CallbackFailed, "The schema of the agent's output did not say whether the output fits.");
    ahead(output.weight()).await;
    let request = json::to_text(&OutputRequest { agent, output: &output });
    let mut asked = run.host.request(CallbackKind::Output, request);
    let answer = match run.unless_stopped(asked.next()).await? {
        None => return Err(host_gone().into()),
        Some(Reply::Value(answer)) if answer.len() <= ANSWER_BYTES => answer,
        Some(_) => return Err(wrong()),
    };
    let answer = parsed(&answer).await.map_err(|_| wrong())?;
    if let Some(problem) = answer.get("problem").and_then(Json::as_str) {
        return Ok(Err(format!("The answer does not fit its schema: {problem}")));
    }
    let Json::Object(members) = answer else { return Ok(Ok(output)) };
    let replaced = members.into_iter().find(|(key, _)| key == "output");
    Ok(Ok(replaced.map_or(output, |(_, replaced)| replaced)))
}
