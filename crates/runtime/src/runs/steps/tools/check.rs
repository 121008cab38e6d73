//! Whether a call is made, refused, or asked about.

use bailiwick_model::json::{self, Json};
use bailiwick_model::ledger::rule::ApprovalRule;
use bailiwick_model::pace::ahead;
use bailiwick_model::spec::{AgentRole, ApprovalPolicy, InterruptedPolicy, ToolEffects, ToolRetry};
use data_encoding::HEXLOWER;
use serde::Serialize;

use super::{call, shortened};
use crate::approvals::Need;
use crate::runs::agents::ToolRules;
use crate::runs::driver::{Driver, Stop, failed};
use crate::runs::events::FailureCode;
use crate::runs::host::{CallbackKind, Reply, host_gone, parsed};
use crate::runs::state::{ApprovalState, Call, step_refs};
use crate::runs::steps::{agents, approval, with_json};

/// A call whose input was found good.
pub(in crate::runs::steps) struct Checked {
    pub(in crate::runs::steps) call: Call,
    /// RFC 8785 JSON: what is approved and run.
    pub(in crate::runs::steps) input: Vec<u8>,
    pub(super) effects: ToolEffects,
    pub(super) timeout_ms: Option<u64>,
    pub(super) retry: Option<ToolRetry>,
}

/// How a run goes on with a call.
pub(super) enum Verdict {
    Run(Checked),
    /// Under this rule, if there is one.
    RequestApproval(Checked, Option<ApprovalRule>),
    /// With a code and what its model is told.
    Refuse(&'static str, String),
}

/// Why a call is not made, before anything else is asked about it: a code and what its model is told. A call that was begun
/// already is not refused any more.
pub(super) fn refusal(call: &Call, may_be_repeated: bool) -> Option<(&'static str, String)> {
    if call.started {
        return None;
    }
    if let Some(problem) = &call.unread {
        return Some(("INPUT_INVALID", problem.clone()));
    }
    // Some servers send a whole call twice, under two ids.
    let first = call.repeats.as_ref().filter(|_| !may_be_repeated)?;
    let told = format!("This is the same call as {first} of this answer. It was made once; see its result.");
    Some(("CALL_REPEATED", told))
}

pub(super) async fn check(run: &mut Driver<'_>, call: &Call) -> Result<Verdict, Stop> {
    if let ApprovalState::Rejected(told) = &call.approval {
        return Ok(Verdict::Refuse("REJECTED", told.clone()));
    }
    let agent = run.agent()?;
    let Some(rules) = run.agents().tool(&call.tool).filter(|_| agent.may_call(&call.tool)) else {
        return Ok(Verdict::Refuse("TOOL_UNKNOWN", agent.unknown_tool()));
    };
    if let Some((code, told)) = refusal(call, rules.may_be_repeated()) {
        return Ok(Verdict::Refuse(code, told));
    }
    let input = match agents::filled_input(run, call).await? {
        Ok(input) => input,
        Err(problem) => return Ok(Verdict::Refuse("INPUT_INVALID", problem)),
    };
    // Checking it, and writing it for those who approve and run it.
    ahead(2 * input.weight()).await;
    if let Some((code, told)) = problem(run, call, rules, &input).await? {
        return Ok(Verdict::Refuse(code, told));
    }
    let (input, effects) = (json::canonical(&input), rules.effects);
    let (timeout_ms, retry) = (rules.timeout_ms, rules.retry);
    allow(run, rules, Checked { call: call.clone(), input, effects, timeout_ms, retry }).await
}

/// What is wrong with an input: a code and what its model is told.
async fn problem(
    run: &Driver<'_>,
    call: &Call,
    rules: &ToolRules,
    input: &Json,
) -> Result<Option<(&'static str, String)>, Stop> {
    // The host's own schema decides alone where there is one: it validates with the call.
    if !run.handle.validated.tools.contains(&call.tool)
        && let Some(problems) = rules.wrong_input(input).await
    {
        return Ok(Some(("INPUT_INVALID", unfit(&problems))));
    }
    Ok(run.handle.references().first_foreign(&rules.references, input).await?.map(|property| {
        ("REFERENCE_NOT_FOUND", format!("The property {property} must be the id of an existing reference."))
    }))
}

/// Whether a call with a good input runs now, or only once a person has approved of it.
async fn allow(run: &Driver<'_>, rules: &ToolRules, checked: Checked) -> Result<Verdict, Stop> {
    let call = &checked.call;
    // The input of whatever a person may be asked about is validated before.
    let may_ask = rules.approval != ApprovalPolicy::Never || call.is_interrupted();
    if run.handle.validated.tools.contains(&call.tool)
        && may_ask
        && let Some(problem) = problem_of_host(run, &call.tool, &checked.input).await?
    {
        return Ok(Verdict::Refuse("INPUT_INVALID", unfit(&problem)));
    }
    if call.is_interrupted() {
        return go_on(run, rules, checked).await;
    }
    let waited_as = call.resumed.as_ref().and_then(|resumed| resumed.definition.as_ref());
    if call.approval == ApprovalState::NotRequested
        && call.was_approved
        && waited_as == Some(&HEXLOWER.encode(&rules.definition))
    {
        // It was approved before it waited, and is what it was then.
        return Ok(Verdict::Run(checked));
    }
    if let ApprovalState::Approved(approval_id) = &call.approval {
        // Exactly what was approved is run; everything else is asked about again.
        return match approval::given_for(run, approval_id, &checked).await? {
            Some(approval) if approval.edited.is_some() => allow_edited(run, rules, approval.rule, checked).await,
            Some(_) => Ok(Verdict::Run(checked)),
            None => request_again(run, rules, checked).await,
        };
    }
    let is_covered = is_covered_by_plan(run, call);
    match rules.approval {
        ApprovalPolicy::Always if !is_covered => Ok(Verdict::RequestApproval(checked, None)),
        ApprovalPolicy::Never | ApprovalPolicy::Always => Ok(Verdict::Run(checked)),
        ApprovalPolicy::Dynamic => {
            let (required, rule) = needs_approval(run, &checked).await?;
            // Whoever approved of the plan was not bound by the rule of this call.
            let must_ask = required && !(is_covered && rule.is_none());
            Ok(if must_ask { Verdict::RequestApproval(checked, rule) } else { Verdict::Run(checked) })
        }
    }
}

/// Whether a call runs with the input that a person edited when they approved it under `rule`. An input for which the host has another rule
/// is asked about under that one: whoever may approve of a small amount may not approve of a large one by editing it.
async fn allow_edited(
    run: &Driver<'_>,
    rules: &ToolRules,
    rule: Option<ApprovalRule>,
    checked: Checked,
) -> Result<Verdict, Stop> {
    if checked.call.started {
        // Its idempotency key stands for the input with which it was begun.
        let told = "The call was begun before its input was edited. Whether it took effect is not known, so it is not made with another input.";
        return Ok(Verdict::Refuse("INTERRUPTED", told.to_owned()));
    }
    if rules.approval != ApprovalPolicy::Dynamic {
        return Ok(Verdict::Run(checked));
    }
    let (required, of_edited) = needs_approval(run, &checked).await?;
    let is_covered = !required || of_edited.is_none() || of_edited == rule;
    Ok(if is_covered { Verdict::Run(checked) } else { Verdict::RequestApproval(checked, of_edited) })
}

/// A call that a person is asked about in any case: under the rule that `needsApproval` gives, where it is asked.
async fn request_again(run: &Driver<'_>, rules: &ToolRules, checked: Checked) -> Result<Verdict, Stop> {
    let rule = match rules.approval {
        ApprovalPolicy::Dynamic => needs_approval(run, &checked).await?.1,
        ApprovalPolicy::Never | ApprovalPolicy::Always => None,
    };
    Ok(Verdict::RequestApproval(checked, rule))
}

/// How the run goes on with a call that a process which is gone began: what only reads runs again.
async fn go_on(run: &Driver<'_>, rules: &ToolRules, checked: Checked) -> Result<Verdict, Stop> {
    let begun = checked.call.writing.as_ref();
    if checked.effects != ToolEffects::Write && begun.is_none() {
        return Ok(Verdict::Run(checked));
    }
    let is_other = begun.is_some_and(|begun| *begun != HEXLOWER.encode(&rules.definition));
    match rules.on_interrupted {
        // What would run is not what was begun: a person must say.
        InterruptedPolicy::Retry if is_other => request_again(run, rules, checked).await,
        InterruptedPolicy::Retry => Ok(Verdict::Run(checked)),
        InterruptedPolicy::Ask => request_again(run, rules, checked).await,
        InterruptedPolicy::Fail => {
            let told = "The call was interrupted. Whether it took effect is not known.";
            Ok(Verdict::Refuse("INTERRUPTED", told.to_owned()))
        }
    }
}

/// A plan's approval covers the steps whose input it shows, as long as its tools are what they were then.
fn is_covered_by_plan(run: &Driver<'_>, call: &Call) -> bool {
    let Some(frame) = run.state.frames.last().filter(|frame| frame.role == AgentRole::Executor) else {
        return false;
    };
    // An edited input is none that the plan shows.
    if call.is_edited || !step_refs::references(&call.input).is_empty() {
        return false;
    }
    let now = run.agents().definition_of(frame.calls.iter().map(|call| call.tool.as_str()));
    let approved = frame.plan.as_ref().and_then(|plan| plan.definition.as_ref());
    approved == Some(&HEXLOWER.encode(&now))
}

#[derive(Serialize)]
struct InputRequest<'a> {
    tool: &'a str,
}

/// What the host's own schema finds wrong with an input.
pub(in crate::runs::steps) async fn problem_of_host(
    run: &Driver<'_>,
    tool: &str,
    input: &[u8],
) -> Result<Option<String>, Stop> {
    let request = with_json(&InputRequest { tool }, "input", &String::from_utf8_lossy(input)).await;
    let mut asked = run.host.request(CallbackKind::Input, request);
    let unknown = || Ok(Some("its schema failed, and did not say whether it fits".to_owned()));
    match run.unless_stopped(asked.next()).await? {
        None => Err(host_gone().into()),
        Some(Reply::Value(answer)) => match parsed(&answer).await {
            Ok(answer) => Ok(answer.get("problem").and_then(Json::as_str).map(shortened)),
            Err(_) => unknown(),
        },
        Some(_) => unknown(),
    }
}

/// Whether the host wants a person to approve of a call, and under which rule.
async fn needs_approval(run: &Driver<'_>, checked: &Checked) -> Result<(bool, Option<ApprovalRule>), Stop> {
    let request = call::request(run, &checked.call, &checked.input).await;
    let mut asked = run.host.request(CallbackKind::NeedsApproval, request);
    match run.unless_stopped(asked.next()).await? {
        None => Err(host_gone().into()),
        Some(Reply::Value(value)) => {
            let need = parsed(&value).await.and_then(|answer| fixed(Need::read(answer)?, run));
            need.map_err(|error| {
                let told = format!("The answer of needsApproval cannot be taken. {error}");
                failed(FailureCode::CallbackFailed, &told)
            })
        }
        Some(_) => Err(failed(FailureCode::CallbackFailed, "needsApproval failed.")),
    }
}

/// Fixes the rule for the requests of a run.
fn fixed(need: Need, run: &Driver<'_>) -> bailiwick_model::Result<(bool, Option<ApprovalRule>)> {
    let rule = need.rule.filter(|_| need.required).map(|rule| rule.fixed(&run.state.requesters)).transpose()?;
    Ok((need.required, rule))
}

/// What a model is told of an input that does not fit.
fn unfit(problems: &str) -> String {
    format!("The input does not fit the tool's schema: {problems}")
}
