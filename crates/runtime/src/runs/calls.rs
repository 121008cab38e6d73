//! The calls of a turn, or of a plan: checked, allowed, run together, and noted.

use std::time::Duration;

use bailiwick_model::Error;
use bailiwick_model::json::{self, Json};
use bailiwick_model::pace::ahead;
use bailiwick_model::spec::{AgentRole, ApprovalPolicy, InterruptedPolicy, ToolEffects};
use data_encoding::HEXLOWER;
use tokio::time::Instant;

use super::ask::quoted;
use super::callbacks::{Ask, Reply};
use super::driver::{Driver, Halt, failed, host_gone};
use super::frame::{Approving, Call};
use super::team::ToolRules;
use super::together::Together;
use super::tool::{self, Outcome};

/// So many calls run together.
const AT_ONCE: usize = 16;
/// No more are begun with those whose inputs have so many bytes together: a plan's steps may take large results.
const BYTES_AT_ONCE: usize = 16 << 20;
/// How long the commit of a message waits for the tools that it calls, if they only read: what answers by then is
/// written with it.
const PATIENCE: Duration = Duration::from_millis(5);

/// A call whose input was found good.
pub(crate) struct Checked {
    pub(crate) call: Call,
    /// RFC 8785 JSON: what is approved and run.
    pub(crate) input: Vec<u8>,
    effects: ToolEffects,
    timeout_ms: Option<u64>,
}

/// What becomes of a call now.
enum Sorted {
    Run(Checked),
    Ask(Checked),
    Noted,
}

/// Why a call is not made, before anything else is asked about it: a code and what its model is told. What was begun already is
/// not refused any more.
fn unmade(call: &Call, may_be_repeated: bool) -> Option<(&'static str, String)> {
    if call.started {
        return None;
    }
    if let Some(problem) = &call.unread {
        return Some(("INPUT_INVALID", problem.clone()));
    }
    // Some servers send a whole call twice, under two ids.
    let first = call.repeats.as_ref().filter(|_| !may_be_repeated)?;
    let told = format!("This is the same call as {first} of this answer. It was made once: its result is there.");
    Some(("CALL_REPEATED", told))
}

impl Driver<'_> {
    /// Goes on with calls. `false`: the run is suspended.
    pub(crate) async fn calls(&mut self, ready: &[usize]) -> Result<bool, Halt> {
        let Some(frame) = self.state.frames.last() else { return Ok(true) };
        let calls: Vec<Call> = ready.iter().filter_map(|at| frame.calls.get(*at)).cloned().collect();
        let is_waiting = !frame.waiting().is_empty();
        let routes = &self.agent()?.spec.routes;
        let (mut routed, tools): (Vec<Call>, Vec<Call>) =
            calls.into_iter().partition(|call| routes.contains(&call.tool));
        if tools.is_empty() && is_waiting {
            return self.wait().await;
        }
        if tools.is_empty() {
            // One at a time: each of them may take long, and the next may depend on what comes of it.
            let call = routed.swap_remove(0);
            match unmade(&call, false) {
                Some((code, told)) => drop(self.refuse(&call, code, &told)?),
                None => self.enter(call).await?,
            }
            return Ok(true);
        }
        let (mut to_run, mut to_ask) = (Vec::new(), Vec::new());
        for call in tools.into_iter().take(AT_ONCE) {
            let bytes = |calls: &[Checked]| calls.iter().map(|checked| checked.input.len()).sum::<usize>();
            if bytes(&to_run) + bytes(&to_ask) >= BYTES_AT_ONCE {
                break;
            }
            match self.sort(call).await? {
                Sorted::Run(checked) => to_run.push(checked),
                Sorted::Ask(checked) => to_ask.push(checked),
                Sorted::Noted => {}
            }
        }
        self.run_together(to_run).await?;
        if to_ask.is_empty() { Ok(true) } else { self.ask_about_calls(to_ask).await }
    }

    async fn sort(&mut self, call: Call) -> Result<Sorted, Halt> {
        if let Approving::Refused(told) = &call.approving {
            return self.refuse(&call, "REJECTED", told);
        }
        if !self.agent()?.may_call(&call.tool) || self.team().tool(&call.tool).is_none() {
            let told = self.agent()?.unknown_tool();
            return self.refuse(&call, "TOOL_UNKNOWN", &told);
        }
        let repeats = self.team().tool(&call.tool).is_some_and(ToolRules::may_be_repeated);
        if let Some((code, told)) = unmade(&call, repeats) {
            return self.refuse(&call, code, &told);
        }
        let input = match self.filled_input(&call).await? {
            Ok(input) => input,
            Err(problem) => return self.refuse(&call, "INPUT_INVALID", &problem),
        };
        // Checking it, and writing it for whoever approves and runs it.
        ahead(2 * input.weight()).await;
        let Some(rules) = self.team().tool(&call.tool) else { return Ok(Sorted::Noted) };
        // The host's own schema decides alone where there is one: it validates with the call.
        let by_host = self.handle.validated.tools.contains(&call.tool);
        if !by_host && let Some(problems) = rules.wrong_input(&input).await {
            return self.refuse(&call, "INPUT_INVALID", &unfit(&problems));
        }
        for (property, _) in &rules.references {
            let Some(value) = input.get(property) else { continue };
            if !self.is_own_reference(value).await? {
                let problem = format!("The property {property} must be the id of a reference that is there.");
                return self.refuse(&call, "REFERENCE_NOT_FOUND", &problem);
            }
        }
        let (approval, policy) = (rules.approval, rules.on_interrupted);
        let (effects, timeout_ms) = (rules.effects, rules.timeout_ms);
        let is_other = |begun: &String| *begun != HEXLOWER.encode(&rules.definition);
        let (wrote, begun_otherwise) = (call.writing.is_some(), call.writing.as_ref().is_some_and(is_other));
        let checked = Checked { input: json::canonical(&input), call, effects, timeout_ms };
        // What anybody is asked about is validated before.
        let may_ask = approval != ApprovalPolicy::Never || checked.call.is_interrupted();
        if by_host
            && may_ask
            && let Some(problem) = self.problem_of_host(&checked.call.tool, &checked.input).await?
        {
            return self.refuse(&checked.call, "INPUT_INVALID", &unfit(&problem));
        }
        if checked.call.is_interrupted() && (effects == ToolEffects::Write || wrote) {
            return match policy {
                // What would run is not what was begun: a person must say.
                InterruptedPolicy::Retry if begun_otherwise => Ok(Sorted::Ask(checked)),
                InterruptedPolicy::Retry => Ok(Sorted::Run(checked)),
                InterruptedPolicy::Ask => Ok(Sorted::Ask(checked)),
                InterruptedPolicy::Fail => {
                    let told = "The call was interrupted. Whether it took effect is not known.";
                    self.note_failure(&checked.call.call_id, "INTERRUPTED", told)?;
                    Ok(Sorted::Noted)
                }
            };
        }
        if checked.call.is_interrupted() {
            return Ok(Sorted::Run(checked));
        }
        if let Approving::Given(approval_id) = &checked.call.approving {
            // Exactly what was approved is run; everything else is asked about again.
            let still_holds = self.approved_input(approval_id, &checked).await?;
            return Ok(if still_holds { Sorted::Run(checked) } else { Sorted::Ask(checked) });
        }
        let must_ask = match approval {
            ApprovalPolicy::Never => false,
            _ if self.is_covered_by_plan(&checked.call) => false,
            ApprovalPolicy::Always => true,
            ApprovalPolicy::Dynamic => self.needs_approval(&checked).await?,
        };
        Ok(if must_ask { Sorted::Ask(checked) } else { Sorted::Run(checked) })
    }

    /// Notes a call that is not run, and why.
    fn refuse(&mut self, call: &Call, code: &str, problem: &str) -> Result<Sorted, Halt> {
        if !call.started {
            self.check_tool_calls(1)?;
            self.note_called(call)?;
        }
        self.note_failure(&call.call_id, code, problem)?;
        Ok(Sorted::Noted)
    }

    pub(crate) fn note_called(&mut self, call: &Call) -> Result<(), Halt> {
        let entry = self
            .agent_entry("tool.called")
            .with("callId", Json::from(call.call_id.as_str()))
            .with("tool", Json::from(call.tool.as_str()))
            .with("input", call.input.clone());
        let writing = self.team().tool(&call.tool).filter(|rules| rules.effects == ToolEffects::Write);
        let entry = match writing {
            Some(rules) => entry.own("writing", Json::String(HEXLOWER.encode(&rules.definition))),
            None => entry,
        };
        self.note(entry).map_err(Halt::from)
    }

    async fn is_own_reference(&self, value: &Json) -> Result<bool, Halt> {
        let ids: Vec<&str> = match value {
            Json::String(id) => vec![id],
            Json::Array(ids) => match ids.iter().map(Json::as_str).collect::<Option<Vec<&str>>>() {
                Some(ids) => ids,
                None => return Ok(false),
            },
            _ => return Ok(false),
        };
        for id in ids {
            match self.handle.references().describe(id).await {
                Ok(_) => {}
                Err(Error::NotFound) => return Ok(false),
                Err(error) => return Err(error.into()),
            }
        }
        Ok(true)
    }

    /// A plan's approval covers the steps whose input it shows, as long as its tools are what they were then.
    fn is_covered_by_plan(&self, call: &Call) -> bool {
        let Some(frame) = self.state.frames.last().filter(|frame| frame.role == AgentRole::Executor) else {
            return false;
        };
        if !super::steps::references(&call.input).is_empty() {
            return false;
        }
        let now = self.team().definition_of(frame.calls.iter().map(|call| call.tool.as_str()));
        let approved = frame.plan.as_ref().and_then(|plan| plan.definition.as_ref());
        approved == Some(&HEXLOWER.encode(&now))
    }

    /// What the host's own schema finds wrong with an input.
    pub(crate) async fn problem_of_host(&self, tool: &str, input: &[u8]) -> Result<Option<String>, Halt> {
        let request = format!("{{\"tool\":{},\"input\":{}}}", quoted(tool), String::from_utf8_lossy(input));
        let mut asked = self.callbacks.ask(Ask::Input, request);
        let unknown = || Ok(Some("its schema failed, and did not say whether it fits".to_owned()));
        match self.unless_halted(asked.next()).await? {
            None => Err(host_gone().into()),
            Some(Reply::Value(answer)) => match json::parse(&answer, &json::Limits::default()) {
                Ok(answer) => Ok(answer.get("problem").and_then(Json::as_str).map(str::to_owned)),
                Err(_) => unknown(),
            },
            Some(_) => unknown(),
        }
    }

    async fn needs_approval(&self, checked: &Checked) -> Result<bool, Halt> {
        let mut asked = self.callbacks.ask(Ask::NeedsApproval, self.tool_request(&checked.call, &checked.input));
        match self.unless_halted(asked.next()).await? {
            None => Err(host_gone().into()),
            Some(Reply::Value(value)) if value == b"true" => Ok(true),
            Some(Reply::Value(value)) if value == b"false" => Ok(false),
            Some(_) => Err(failed("CALLBACK_FAILED", "needsApproval failed, or answered neither true nor false.")),
        }
    }

    /// Runs calls together and notes what came of them, in their order.
    async fn run_together(&mut self, calls: Vec<Checked>) -> Result<(), Halt> {
        if calls.is_empty() {
            return Ok(());
        }
        self.check_tool_calls(calls.len() as u64)?;
        for checked in &calls {
            self.note_called(&checked.call)?;
        }
        // The intent of a call that changes something is durable before it starts.
        let mut intent_is_durable = calls.iter().any(|checked| checked.effects == ToolEffects::Write);
        if intent_is_durable {
            self.flush().await?;
        }
        let callbacks = self.callbacks;
        let mut together = Together::new();
        let mut outcomes: Vec<Option<Outcome>> = Vec::with_capacity(calls.len());
        for (at, checked) in calls.iter().enumerate() {
            let (request, timeout_ms) = (self.tool_request(&checked.call, &checked.input), checked.timeout_ms);
            together.add(async move { (at, tool::run(callbacks, request, timeout_ms).await) });
            outcomes.push(None);
        }
        let patience = Instant::now() + PATIENCE;
        let mut halted = None;
        loop {
            let next = if intent_is_durable {
                self.unless_halted(together.next()).await
            } else {
                match tokio::time::timeout_at(patience, self.unless_halted(together.next())).await {
                    Ok(next) => next,
                    Err(_) => {
                        intent_is_durable = true;
                        self.flush().await?;
                        continue;
                    }
                }
            };
            match next {
                Ok(Some((_, Outcome::Gone))) => {
                    halted = Some(Halt::Error(host_gone()));
                    break;
                }
                Ok(Some((at, outcome))) => {
                    if let Some(place) = outcomes.get_mut(at) {
                        *place = Some(outcome);
                    }
                }
                Ok(None) => break,
                Err(halt) => {
                    halted = Some(halt);
                    break;
                }
            }
        }
        drop(together);
        let catalogue = self.handle.catalogue.clone();
        for (checked, outcome) in calls.iter().zip(outcomes) {
            if let Some(outcome) = outcome {
                self.note_outcome(&checked.call.call_id, catalogue.team.tool(&checked.call.tool), outcome).await?;
            }
        }
        match halted {
            None => Ok(()),
            Some(halt) => {
                // What is done is not done again, whatever becomes of the run.
                self.flush().await?;
                Err(halt)
            }
        }
    }
}

/// What a model is told of an input that does not fit.
fn unfit(problems: &str) -> String {
    format!("The input does not fit the tool's schema: {problems}")
}
