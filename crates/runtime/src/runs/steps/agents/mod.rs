//! Agents that call agents: routes that are entered and left, and the answers that they give.

mod input;
pub(super) mod plan;

use bailiwick_model::Error;
use bailiwick_model::json::{self, Json};
use bailiwick_model::pace::{ahead, ahead_of};
use bailiwick_model::spec::AgentRole;

use super::tools::{note_called, note_failure, note_output};
use super::waiting;
use crate::plans::PlanStatus;
use crate::runs::agents::route_property;
use crate::runs::driver::{Driver, Stop, failed};
use crate::runs::events::{AgentAnswer, AgentBegun, Entry, Event, FailureCode, Nothing, ToolFailure};
use crate::runs::state::{Answer, Call, edited_steps, results_weight, step_results, text_parts, user_message};

pub(super) use input::filled_input;
pub(super) use plan::leave_executor;

/// What an executor's model is told of inputs that people edited.
const EDITED: &str = "People changed the inputs of these steps before they approved them:";

/// Hands a task over to an agent.
pub(super) async fn enter(run: &mut Driver<'_>, call: Call) -> Result<(), Stop> {
    run.check_tool_calls(1)?;
    let Some(agent) = run.agents().agent(&call.tool) else {
        return Err(failed(FailureCode::Internal, "An agent that was routed to is not in the spec any more."));
    };
    let (role, name) = (agent.spec.role, agent.spec.name.as_str());
    let property = route_property(role);
    let given = call.input.get(property).and_then(Json::as_str).map(str::to_owned);
    let is_alone = call.input.as_object().is_some_and(|members| members.len() == 1);
    let Some(given) = given.filter(|_| is_alone) else {
        let told = format!("This takes {{ {property}: text }} and nothing else.");
        note_called(run, &call).await?;
        return note_failure(run, &call.call_id, ToolFailure::new("INPUT_INVALID", &told)).await;
    };
    // A route that a process has died in goes on with its agent, so that one which is called is new.
    if role == AgentRole::Executor {
        return enter_executor(run, &call, name, &given).await;
    }
    note_called(run, &call).await?;
    ahead_of(given.len()).await;
    let (active, task) = (run.active_ms(), text_parts(&given));
    let definition = run.begin_with(name);
    let begun = AgentBegun::Task { role, call: call.call_id, active, task, definition };
    note_started(run, name, begun).await
}

async fn enter_executor(run: &mut Driver<'_>, call: &Call, name: &str, plan_id: &str) -> Result<(), Stop> {
    let plan = match run.handle.plans().load(plan_id, None).await {
        Ok(plan) if plan.status == PlanStatus::Approved => Some(plan),
        Ok(_) | Err(Error::NotFound) => None,
        Err(error) => return Err(error.into()),
    };
    note_called(run, call).await?;
    match plan {
        Some(plan) => plan::begin(run, &plan, name, Some(&call.call_id)).await,
        None => {
            let failure = ToolFailure::new("PLAN_NOT_APPROVED", "There is no approved plan with this id.");
            note_failure(run, &call.call_id, failure).await
        }
    }
}

async fn note_started(run: &mut Driver<'_>, agent: &str, begun: AgentBegun) -> Result<(), Stop> {
    let entry = Entry::new(run.now(), Event::AgentStarted(Nothing {}, begun)).about(Some(agent));
    run.note_entry(entry).await.map_err(Stop::from)
}

/// Completes the last agent.
pub(super) async fn leave(run: &mut Driver<'_>) -> Result<(), Stop> {
    let Some(frame) = run.state.frames.last() else { return Ok(()) };
    if frame.leaves_calls() {
        return waiting::leave(run).await;
    }
    let outcome = frame.plan.as_ref().and_then(|plan| plan.outcome.as_ref());
    ahead(frame.answer.iter().chain(outcome).map(Answer::weight).sum()).await;
    let answer = match frame.role {
        AgentRole::Executor => return leave_executor(run).await,
        AgentRole::Planner => plan::planner_answer(frame),
        _ => frame.answer.clone(),
    };
    match answer {
        Some(answer) => complete(run, answer).await,
        None => Ok(()),
    }
}

/// Completes the last agent with this answer, which is the result of the call that it answers.
async fn complete(run: &mut Driver<'_>, answer: Answer) -> Result<(), Stop> {
    let call = run.state.frames.last().and_then(|frame| frame.call.clone());
    // The agent's end and the result of the call that it answers are one commit, so none may be due between them.
    if call.is_some() && run.kept.is_full() {
        run.flush().await?;
    }
    ahead(answer.weight()).await;
    let Answer { text, output, failed } = answer.clone();
    run.note(Event::AgentCompleted(Nothing {}, AgentAnswer { text, output, failed })).await?;
    let Some(call_id) = call else { return Ok(()) };
    if answer.failed {
        let told = if answer.text.is_empty() { json::write(&answer.output) } else { answer.text };
        return note_failure(run, &call_id, ToolFailure::new("AGENT_FAILED", &told)).await;
    }
    note_output(run, &call_id, &answer.output).await
}

/// What an executor's model is told once all steps are done: a message.
pub(super) async fn plan_report(run: &Driver<'_>) -> Option<String> {
    let frame = run.state.frames.last().filter(|frame| frame.role == AgentRole::Executor)?;
    ahead(2 * results_weight(&frame.calls)).await;
    let results = json::write(&step_results(frame));
    let edited = edited_steps(frame).map(|inputs| format!("\n\n{EDITED}\n{}", json::write(&inputs)));
    let text =
        format!("All steps of the plan are done. These are their results:\n{results}{}", edited.unwrap_or_default());
    let id = format!("{}-report-{}", run.state.run_id, frame.number);
    Some(user_message(&id, &text_parts(&text), run.state.updated_at))
}
