//! Plans: drafted by a planner's model, saved, approved by a person, and run by the executor.

use bailiwick_model::Error;
use bailiwick_model::json::{self, Json};
use bailiwick_model::pace::{ahead, ahead_of};
use bailiwick_model::spec::AgentRole;

use super::{complete, note_started};
use crate::plans::{Plan, PlanStatus};
use crate::runs::agents::{task_of, unfenced};
use crate::runs::driver::{Driver, Stop};
use crate::runs::events::{AgentBegun, Event, PlanBegun, PlanSaved, damaged};
use crate::runs::state::{
    Answer, ApprovalState, Frame, PlanStage, edited_steps, results_weight, step_refs, step_results,
};
use crate::runs::steps::approval::withdraw_waiting;
use crate::runs::steps::tools::problem_of_host;
use crate::runs::steps::waiting::cancel_waits;
use bailiwick_tenancy::{ATTEMPTS, contended};

/// Checks a plan that a model has drafted: the problem, or the draft as it is saved, whose steps name all that they depend
/// on.
pub(in crate::runs::steps) async fn checked(run: &Driver<'_>, text: &str) -> Result<Result<Json, String>, Stop> {
    let mut draft = match drafted(text) {
        Ok(draft) => draft,
        Err(problem) => return Ok(Err(problem)),
    };
    let Some((_, Json::Array(steps))) = draft.iter_mut().find(|(key, _)| key == "steps") else {
        return Ok(Err("The plan needs steps, an array.".to_owned()));
    };
    for (at, step) in steps.iter_mut().enumerate() {
        if let Err(problem) = check_step(run, at, step).await? {
            return Ok(Err(problem));
        }
    }
    let kind = run.agent().ok().and_then(|agent| agent.spec.plan.clone());
    draft.insert(0, ("type".to_owned(), Json::String(kind.unwrap_or_default())));
    let draft = Json::Object(draft);
    // Written here, and parsed and hashed as a plan that is saved.
    ahead_of(2 * text.len()).await;
    Ok(match run.handle.plans().check(json::write(&draft).as_bytes()).await {
        Ok(_) => Ok(draft),
        Err(error) => Err(error.to_string()),
    })
}

/// The members of a plan that a model wrote, but for those that are not its to say.
fn drafted(text: &str) -> Result<Vec<(String, Json)>, String> {
    let value = json::parse(unfenced(text).as_bytes(), &json::Limits::default())
        .map_err(|error| format!("The plan must be one JSON object and nothing else. {error}"))?;
    let Json::Object(mut draft) = value else { return Err("The plan must be a JSON object.".to_owned()) };
    draft.retain(|(key, _)| key != "type" && key != "planId");
    Ok(draft)
}

async fn check_step(run: &Driver<'_>, at: usize, step: &mut Json) -> Result<Result<(), String>, Stop> {
    let tool = step.get("tool").and_then(Json::as_str).unwrap_or_default().to_owned();
    let tools = run.agents().plan_tools();
    if !tools.contains(&tool.as_str()) {
        return Ok(Err(format!("steps[{at}].tool must be one of: {}.", tools.join(", "))));
    }
    let input = step.get("input").cloned().unwrap_or(Json::Null);
    let mut needed: Vec<String> = step_refs::references(&input).into_iter().map(str::to_owned).collect();
    let problems = if !needed.is_empty() {
        None
    } else if run.handle.validated.tools.contains(&tool) {
        problem_of_host(run, &tool, &json::canonical(&input)).await?
    } else if let Some(rules) = run.agents().tool(&tool) {
        rules.wrong_input(&input).await
    } else {
        run.agents().agent(&tool).and_then(|agent| task_of(agent.spec.role, &input).err())
    };
    if let Some(problems) = problems {
        return Ok(Err(format!("steps[{at}].input does not fit the tool's schema: {problems}")));
    }
    let Json::Object(members) = step else { return Ok(Err(format!("steps[{at}] must be an object."))) };
    if needed.is_empty() {
        return Ok(Ok(()));
    }
    let named = members.iter().find(|(key, _)| key == "dependsOn").and_then(|(_, value)| value.as_array());
    needed.extend(named.into_iter().flatten().filter_map(Json::as_str).map(str::to_owned));
    needed.sort_unstable();
    needed.dedup();
    members.retain(|(key, _)| key != "dependsOn");
    members.push(("dependsOn".to_owned(), Json::Array(needed.into_iter().map(Json::String).collect())));
    Ok(Ok(()))
}

/// Saves the plan that the last agent has drafted.
pub(in crate::runs::steps) async fn save(run: &mut Driver<'_>) -> Result<(), Stop> {
    let answer = run.state.frames.last().and_then(|frame| frame.answer.as_ref());
    let Some(answer) = answer else { return Ok(()) };
    ahead(2 * answer.output.weight()).await;
    let draft = json::write(&answer.output);
    let (plan, changes) = run.handle.plans().new_plan(&run.access, draft.as_bytes()).await?;
    let saved = PlanSaved { plan_id: plan.plan_id, version: plan.version, hash: plan.hash };
    run.note(Event::PlanSaved(saved)).await?;
    run.flush_with(changes).await.map_err(Stop::from)
}

/// Begins the executor with the plan of the last agent, or completes that agent if there is no executor.
pub(in crate::runs::steps) async fn execute(run: &mut Driver<'_>) -> Result<(), Stop> {
    let stage = run.state.frames.last().and_then(|frame| frame.plan.clone());
    let Some(stage) = stage else { return Ok(()) };
    let Some(executor) = run.agents().executor.as_deref() else {
        return complete(run, plan_answer(&stage, "approved", None, None)).await;
    };
    // Loading hashes the content again. What is run is what was approved, or nothing.
    let plan = match run.handle.plans().load(&stage.plan_id, None).await {
        Ok(plan) => Some(plan),
        Err(Error::NotFound) => None,
        Err(error) => return Err(error.into()),
    };
    let approved = plan.filter(|plan| plan.hash == stage.hash && plan.status == PlanStatus::Approved);
    match approved {
        Some(plan) => begin(run, &plan, executor, None).await,
        None => {
            let text = "The plan was changed or run after it was approved.".to_owned();
            complete(run, Answer { text, failed: true, ..plan_answer(&stage, "changed", None, None) }).await
        }
    }
}

/// Why an approval is withdrawn whose plan has failed meanwhile.
const NOT_NEEDED: &str = "Another step of the plan has failed.";

/// Begins the executor with a plan. `call`: the call that it answers.
pub(super) async fn begin(run: &mut Driver<'_>, plan: &Plan, executor: &str, call: Option<&str>) -> Result<(), Stop> {
    ahead(plan.steps.weight()).await;
    let begun = PlanBegun {
        plan_id: plan.plan_id.clone(),
        version: plan.version,
        hash: plan.hash.clone(),
        steps: plan.steps.clone(),
        definition: plan.definition.clone(),
    };
    let (role, active, call) = (AgentRole::Executor, run.active_ms(), call.map(str::to_owned));
    let definition = run.begin_with(executor);
    note_started(run, executor, AgentBegun::Plan { role, active, plan: begun, call, definition }).await?;
    flush_with_status(run, &plan.plan_id, &plan.hash, PlanStatus::Executing).await
}

/// Commits what is pending with a plan's new status, unless the plan is not what it was.
async fn flush_with_status(run: &mut Driver<'_>, plan_id: &str, hash: &str, status: PlanStatus) -> Result<(), Stop> {
    for _ in 0..ATTEMPTS {
        let changes = run.handle.plans().status_changes(&run.access, plan_id, hash, status, None).await?;
        if run.try_flush(changes.unwrap_or_default()).await? {
            return Ok(());
        }
    }
    Err(contended().into())
}

/// Completes an executor whose steps are all done, or one of them has failed.
pub(in crate::runs::steps) async fn leave_executor(run: &mut Driver<'_>) -> Result<(), Stop> {
    end_executor(run, None).await
}

/// Completes an executor. `problem`: why it goes on no more, whatever is left to do.
pub(super) async fn end_executor(run: &mut Driver<'_>, problem: Option<&str>) -> Result<(), Stop> {
    withdraw_waiting(run, problem.unwrap_or(NOT_NEEDED)).await?;
    cancel_waits(run).await?;
    let Some(frame) = run.state.frames.last() else { return Ok(()) };
    ahead(results_weight(&frame.calls)).await;
    let Some(stage) = frame.plan.clone() else { return Err(damaged().into()) };
    let failed = problem.is_some() || frame.has_failed();
    let status = if failed { PlanStatus::Failed } else { PlanStatus::Completed };
    let mut answer = plan_answer(&stage, status.name(), Some(step_results(frame)), edited_steps(frame));
    if let Some(told) = problem.or(frame.answer.as_ref().map(|told| told.text.as_str())) {
        told.clone_into(&mut answer.text);
    }
    answer.failed = failed;
    complete(run, answer).await?;
    flush_with_status(run, &stage.plan_id, &stage.hash, status).await
}

/// The answer of a planner whose plan was run or refused.
pub(super) fn planner_answer(frame: &Frame) -> Option<Answer> {
    let plan = frame.plan.as_ref()?;
    if let Some(outcome) = &plan.outcome {
        return Some(outcome.clone());
    }
    let ApprovalState::Rejected(told) = &plan.approval else { return None };
    let text = format!("The plan {} was not approved. {told}", plan.plan_id);
    Some(Answer { text, failed: true, ..plan_answer(plan, "rejected", None, None) })
}

/// `edited`: the inputs of steps that people edited.
fn plan_answer(plan: &PlanStage, status: &str, steps: Option<Json>, edited: Option<Json>) -> Answer {
    let mut output = vec![
        ("planId", Json::from(plan.plan_id.as_str())),
        ("version", Json::Number(plan.version as f64)),
        ("hash", Json::from(plan.hash.as_str())),
        ("status", Json::from(status)),
    ];
    output.extend(steps.map(|steps| ("steps", steps)));
    output.extend(edited.map(|edited| ("editedInputs", edited)));
    let output = Json::Object(output.into_iter().map(|(key, value)| (key.to_owned(), value)).collect());
    Answer { text: json::write(&output), output, failed: false }
}
