//! Agents that call agents: routes that are entered and left, and the answers that they give.

mod input;
pub(super) mod plan;

use bailiwick_model::Error;
use bailiwick_model::json::{self, Json};
use bailiwick_model::pace::{ahead, ahead_of};
use bailiwick_model::spec::AgentRole;

use super::approval::withdraw_waiting;
use super::tools::{note_called, note_failure, note_output};
use super::waiting;
use crate::plans::PlanStatus;
use crate::runs::agents::task_of;
use crate::runs::driver::{Driver, Stop, failed};
use crate::runs::events::{AgentAnswer, AgentBegun, Entry, Event, FailureCode, Limit, Nothing, ToolFailure};
use crate::runs::state::{Answer, Call, edited_steps, results_weight, step_results, text_parts, user_message};

pub(super) use input::filled_input;
pub(super) use plan::leave_executor;

/// The most agents of a run that are at work, each called by the one before it.
const DEEPEST: usize = 16;

/// What an executor's model is told of inputs that people edited.
const EDITED: &str = "People changed the inputs of these steps before they approved them:";

/// Hands a task over to an agent.
pub(super) async fn enter(run: &mut Driver<'_>, call: Call) -> Result<(), Stop> {
    run.check_tool_calls(u64::from(call.counts()))?;
    let Some(agent) = run.agents().agent(&call.tool) else {
        return Err(failed(FailureCode::Internal, "An agent that was routed to is not in the spec any more."));
    };
    let (role, name) = (agent.spec.role, agent.spec.name.as_str());
    let given = match handed_over(run, &call, role).await? {
        Ok(given) => given,
        Err(failure) => {
            note_called(run, &call).await?;
            return note_failure(run, &call.call_id, failure).await;
        }
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

/// Returns what a call hands an agent of this role, or why it is refused.
async fn handed_over(run: &mut Driver<'_>, call: &Call, role: AgentRole) -> Result<Result<String, ToolFailure>, Stop> {
    if run.state.frames.len() >= DEEPEST {
        let told = format!("Agent calls may be nested at most {DEEPEST} deep. Answer without this agent.");
        return Ok(Err(ToolFailure::new("AGENTS_TOO_DEEP", &told)));
    }
    let input = filled_input(run, call).await?;
    let task = input.and_then(|input| task_of(role, &input).map(str::to_owned));
    Ok(task.map_err(|told| ToolFailure::new("INPUT_INVALID", &told)))
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

/// Ends the agent at this place among those at work, and those that it has called: a limit of it is reached. Its call fails, and whoever
/// called it goes on.
pub(crate) async fn end_agents(run: &mut Driver<'_>, limit: Limit, at: usize) -> Result<(), Stop> {
    let name = run.state.frames.get(at).map(|frame| frame.agent.clone()).unwrap_or_default();
    let told = format!("The agent {name} reached its limit {} before it was done.", limit.name());
    while run.state.frames.len() > at.max(1) {
        if run.state.frames.last().is_some_and(|frame| frame.role == AgentRole::Executor) {
            plan::end_executor(run, Some(&told)).await?;
            continue;
        }
        withdraw_waiting(run, &told).await?;
        waiting::cancel_waits(run).await?;
        complete(run, Answer { text: told.clone(), output: Json::from(told.as_str()), failed: true }).await?;
    }
    Ok(())
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
    // Nothing of an answer that was cut off is shown: its tokens count all the same.
    let takes_back = run.broken.supersede().map(|cut_off| format!("{cut_off}-cut"));
    let lost = run.broken.lost();
    run.note(Event::AgentCompleted(Nothing {}, AgentAnswer { text, output, failed, lost, takes_back })).await?;
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
