//! Agents that call agents: routes, plans that are drafted, approved and run, and what each comes to.

use std::collections::BTreeMap;

use bailiwick_model::Error;
use bailiwick_model::json::{self, Json};
use bailiwick_model::spec::AgentRole;

use super::driver::{Driver, Halt, failed};
use super::entry::{member, number, whole};
use super::frame::{Answer, Approving, Call, Frame, message, role_name, text_parts};
use super::steps::{self, Size};
use super::team::{route_property, unfenced};
use super::tool::Outcome;
use crate::plans::{Plan, PlanStatus};
use crate::retry::{ATTEMPTS, contended};

/// The form of a result that was checked: see [`super::tool`].
const VALIDATED: u8 = 4;

impl Driver<'_> {
    /// Hands a task over to an agent.
    pub(crate) async fn enter(&mut self, call: Call) -> Result<(), Halt> {
        self.check_tool_calls(1)?;
        let Some(agent) = self.team().agent(&call.tool) else {
            return Err(failed("INTERNAL", "An agent that was routed to is not in the spec any more."));
        };
        let (role, name) = (agent.spec.role, agent.spec.name.clone());
        let property = route_property(role);
        let given = call.input.get(property).and_then(Json::as_str).map(str::to_owned);
        let is_alone = call.input.as_object().is_some_and(|members| members.len() == 1);
        let Some(given) = given.filter(|_| is_alone) else {
            let told = format!("This takes {{ {property}: text }} and nothing else.");
            self.note_called(&call)?;
            return self.note_failure(&call.call_id, "INPUT_INVALID", &told);
        };
        // A route that a process has died in goes on with its agent, so that one which is called is new.
        if role == AgentRole::Executor {
            return self.enter_executor(&call, &name, &given).await;
        }
        self.note_called(&call)?;
        let entry = self
            .entry("agent.started")
            .with("agent", Json::String(name))
            .own("role", Json::from(role_name(role)))
            .own("call", Json::String(call.call_id))
            .own("active", number(self.active_ms()))
            .own("task", text_parts(&given));
        self.note(entry)?;
        Ok(())
    }

    async fn enter_executor(&mut self, call: &Call, name: &str, plan_id: &str) -> Result<(), Halt> {
        let plan = match self.handle.plans().load(plan_id, None).await {
            Ok(plan) if plan.status == PlanStatus::Approved => Some(plan),
            Ok(_) | Err(Error::NotFound) => None,
            Err(error) => return Err(error.into()),
        };
        self.note_called(call)?;
        match plan {
            Some(plan) => self.begin_plan(&plan, name, Some(&call.call_id)).await,
            None => self.note_failure(&call.call_id, "PLAN_NOT_APPROVED", "There is no approved plan with this id."),
        }
    }

    /// What is wrong with a plan that a model has drafted, or the draft as it is saved: its steps name all that they
    /// depend on.
    pub(crate) async fn checked_plan(&self, text: &str) -> Result<Result<Json, String>, Halt> {
        let mut draft = match drafted(text) {
            Ok(draft) => draft,
            Err(problem) => return Ok(Err(problem)),
        };
        let Some((_, Json::Array(steps))) = draft.iter_mut().find(|(key, _)| key == "steps") else {
            return Ok(Err("The plan needs steps, an array.".to_owned()));
        };
        for (at, step) in steps.iter_mut().enumerate() {
            if let Err(problem) = self.check_step(at, step).await? {
                return Ok(Err(problem));
            }
        }
        let kind = self.state.frames.last().and_then(|frame| self.team().agent(&frame.agent)?.spec.plan.clone());
        draft.insert(0, member("type", Json::String(kind.unwrap_or_default())));
        let draft = Json::Object(draft);
        Ok(match self.handle.plans().check(json::write(&draft).as_bytes()).await {
            Ok(_) => Ok(draft),
            Err(error) => Err(error.to_string()),
        })
    }

    async fn check_step(&self, at: usize, step: &mut Json) -> Result<Result<(), String>, Halt> {
        let tool = step.get("tool").and_then(Json::as_str).unwrap_or_default().to_owned();
        let tools = self.team().plan_tools();
        let rules = self.team().tool(&tool).filter(|_| tools.contains(&tool));
        let Some(rules) = rules else {
            return Ok(Err(format!("steps[{at}].tool must be one of: {}.", tools.join(", "))));
        };
        let input = step.get("input").cloned().unwrap_or(Json::Null);
        let mut needed: Vec<String> = steps::references(&input).into_iter().map(str::to_owned).collect();
        let problems = match needed.is_empty() {
            false => None,
            true if self.handle.validated.tools.contains(&tool) => {
                self.problem_of_host(&tool, &json::canonical(&input)).await?
            }
            true => rules.wrong_input(&input).await,
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
        members.push(member("dependsOn", Json::Array(needed.into_iter().map(Json::String).collect())));
        Ok(Ok(()))
    }

    /// Saves the plan that the last agent has drafted.
    pub(crate) async fn save_plan(&mut self) -> Result<(), Halt> {
        let answer = self.state.frames.last().and_then(|frame| frame.answer.clone());
        let Some(answer) = answer else { return Ok(()) };
        let draft = json::write(&answer.output);
        let (plan, changes) = self.handle.plans().new_plan(&self.access, draft.as_bytes()).await?;
        let entry = self
            .agent_entry("plan.saved")
            .with("planId", Json::String(plan.plan_id))
            .with("version", number(plan.version))
            .with("hash", Json::String(plan.hash));
        self.note(entry)?;
        self.flush_with(changes).await.map_err(Halt::from)
    }

    /// Begins the executor with the plan of the last agent, or ends that one if there is nobody to run plans.
    pub(crate) async fn execute(&mut self) -> Result<(), Halt> {
        let stage = self.state.frames.last().and_then(|frame| frame.plan.clone());
        let Some(stage) = stage else { return Ok(()) };
        let Some(executor) = self.team().executor.clone() else {
            return self
                .complete_agent(plan_answer(&stage.plan_id, stage.version, &stage.hash, "approved", None))
                .await;
        };
        // Loading hashes the content again. What is run is what was approved, or nothing.
        let plan = match self.handle.plans().load(&stage.plan_id, None).await {
            Ok(plan) => Some(plan),
            Err(Error::NotFound) => None,
            Err(error) => return Err(error.into()),
        };
        let approved = plan.filter(|plan| plan.hash == stage.hash && plan.status == PlanStatus::Approved);
        match approved {
            Some(plan) => self.begin_plan(&plan, &executor, None).await,
            None => {
                let mut answer = plan_answer(&stage.plan_id, stage.version, &stage.hash, "changed", None);
                answer.text = "The plan was changed or run after it was approved.".to_owned();
                answer.failed = true;
                self.complete_agent(answer).await
            }
        }
    }

    async fn begin_plan(&mut self, plan: &Plan, executor: &str, call: Option<&str>) -> Result<(), Halt> {
        let mut told = vec![
            member("planId", Json::from(plan.plan_id.as_str())),
            member("version", number(plan.version)),
            member("hash", Json::from(plan.hash.as_str())),
            member("steps", plan.steps.clone()),
        ];
        told.extend(plan.definition.as_deref().map(|hash| member("definition", Json::from(hash))));
        let mut entry = self
            .entry("agent.started")
            .with("agent", Json::from(executor))
            .own("role", Json::from(role_name(AgentRole::Executor)))
            .own("active", number(self.active_ms()))
            .own("plan", Json::Object(told));
        if let Some(call) = call {
            entry = entry.own("call", Json::from(call));
        }
        self.note(entry)?;
        self.flush_with_plan(&plan.plan_id, &plan.hash, PlanStatus::Executing).await
    }

    /// Commits what waits with a plan's new status, unless the plan is not what it was.
    async fn flush_with_plan(&mut self, plan_id: &str, hash: &str, status: PlanStatus) -> Result<(), Halt> {
        for _ in 0..ATTEMPTS {
            let changes = self.handle.plans().status_changes(&self.access, plan_id, hash, status, None).await?;
            if self.try_flush(changes.unwrap_or_default()).await? {
                return Ok(());
            }
        }
        Err(contended().into())
    }

    /// Ends the last agent with what it came to.
    pub(crate) async fn leave(&mut self) -> Result<(), Halt> {
        let Some(frame) = self.state.frames.last() else { return Ok(()) };
        match frame.role {
            AgentRole::Planner => {
                let Some(answer) = planner_answer(frame) else { return Ok(()) };
                self.complete_agent(answer).await
            }
            AgentRole::Executor => self.leave_executor().await,
            _ => {
                let Some(answer) = frame.answer.clone() else { return Ok(()) };
                self.complete_agent(answer).await
            }
        }
    }

    /// Ends an executor without a model, whose steps are all done.
    pub(crate) async fn leave_executor(&mut self) -> Result<(), Halt> {
        self.withdraw_waiting().await?;
        let Some(frame) = self.state.frames.last() else { return Ok(()) };
        let Some(stage) = frame.plan.clone() else { return Ok(()) };
        let failed = frame.has_failed();
        let status = if failed { PlanStatus::Failed } else { PlanStatus::Completed };
        let mut answer = plan_answer(&stage.plan_id, stage.version, &stage.hash, status.name(), Some(results(frame)));
        if let Some(told) = &frame.answer {
            answer.text.clone_from(&told.text);
        }
        answer.failed = failed;
        self.complete_agent(answer).await?;
        self.flush_with_plan(&stage.plan_id, &stage.hash, status).await
    }

    async fn complete_agent(&mut self, answer: Answer) -> Result<(), Halt> {
        let call = self.state.frames.last().and_then(|frame| frame.call.clone());
        let mut entry = self
            .agent_entry("agent.completed")
            .own("text", Json::from(answer.text.as_str()))
            .own("output", answer.output.clone());
        if answer.failed {
            entry = entry.own("failed", Json::Bool(true));
        }
        self.note(entry)?;
        let Some(call_id) = call else { return Ok(()) };
        if answer.failed {
            let told = if answer.text.is_empty() { json::write(&answer.output) } else { answer.text };
            return self.note_failure(&call_id, "AGENT_FAILED", &told);
        }
        let value = [&[VALIDATED], json::write(&answer.output).as_bytes()].concat();
        self.note_outcome(&call_id, None, Outcome::Value(value)).await
    }

    /// What an executor's model is told once all steps are done.
    pub(crate) fn plan_report(&self) -> Option<String> {
        let frame = self.state.frames.last().filter(|frame| frame.role == AgentRole::Executor)?;
        let text =
            format!("All steps of the plan are done. These are their results:\n{}", json::write(&results(frame)));
        let id = format!("{}-report-{}", self.state.run_id, frame.number);
        Some(message(&id, "user", text_parts(&text), self.state.updated_at))
    }

    /// The input of a call, with the results of earlier steps in their places. What it would become is added up first, from
    /// the sizes that are kept of results: one that is too large is refused before anything is read.
    pub(crate) async fn filled_input(&mut self, call: &Call) -> Result<Result<Json, String>, Halt> {
        if self.state.frames.last().is_none_or(|frame| frame.role != AgentRole::Executor) {
            return Ok(Ok(call.input.clone()));
        }
        // A property that holds references takes the id, every other one the value.
        let references = self.team().tool(&call.tool).map(|rules| rules.references.clone()).unwrap_or_default();
        let is_reference = |key: &str| references.iter().any(|(property, _)| property == key);
        let (mut taken, mut named) = (steps::Taken::new(), steps::Taken::new());
        match &call.input {
            Json::Object(members) => {
                for (key, value) in members {
                    steps::count(value, if is_reference(key) { &mut named } else { &mut taken });
                }
            }
            input => steps::count(input, &mut taken),
        }
        if taken.is_empty() && named.is_empty() {
            return Ok(Ok(call.input.clone()));
        }
        // What the steps before gave is read from where it is kept.
        self.flush().await?;
        let Some(frame) = self.state.frames.last() else { return Ok(Ok(call.input.clone())) };
        let prefix = step_prefix(frame);
        let mut results: BTreeMap<&str, (String, u64)> = BTreeMap::new();
        for (step, _) in taken.keys().chain(named.keys()) {
            let done = frame.calls.iter().find(|other| other.call_id == format!("{prefix}{step}"));
            let Some(result) = done.and_then(|call| Some(&call.done.as_ref()?.result)) else {
                return Ok(Err(format!("The step {step} has no result.")));
            };
            let id = result.get("reference").and_then(Json::as_str);
            let Some(id) = id else { return Ok(Err(format!("The step {step} has no result."))) };
            let byte_length = result.get("byteLength").and_then(whole).unwrap_or(u64::MAX);
            results.insert(step, (id.to_owned(), byte_length));
        }
        let mut room = steps::Room::beside(&call.input);
        for ((step, path), times) in &taken {
            let Some((_, bytes)) = results.get(step).filter(|_| path.is_empty()) else { continue };
            if !room.take(&Size { bytes: *bytes, elements: 0 }, *times) {
                return Ok(Err(too_large()));
            }
        }
        let mut values: BTreeMap<(&str, &str), Json> = BTreeMap::new();
        for (step, (id, byte_length)) in
            results.iter().filter(|(step, _)| taken.keys().any(|(other, _)| other == *step))
        {
            // Parsed once, and gone when what is taken of it is cut out.
            let whole_result = match self.handle.references().resolve(id).await {
                Ok(resolved) => step_value(resolved.bytes()),
                Err(Error::NotFound) => return Ok(Err(format!("The result of the step {step} was deleted."))),
                Err(error) => return Err(error.into()),
            };
            for ((_, path), times) in taken.iter().filter(|((other, _), _)| other == step) {
                let Some(value) = steps::pointed(&whole_result, path) else { return Ok(Err(wrong())) };
                let Size { bytes, elements } = Size::of(value);
                // The bytes of a whole result are taken off already.
                let bytes = if path.is_empty() { bytes.saturating_sub(*byte_length) } else { bytes };
                if !room.take(&Size { bytes, elements }, *times) {
                    return Ok(Err(too_large()));
                }
                values.insert((step, path), value.clone());
            }
        }
        let take = |step: &str, path: &str| values.get(&(step, path)).cloned();
        let take_id = |step: &str, _: &str| Some(Json::from(results.get(step)?.0.as_str()));
        let Json::Object(members) = &call.input else { return Ok(steps::filled(&call.input, &take).ok_or_else(wrong)) };
        let mut filled = Vec::with_capacity(members.len());
        for (key, value) in members {
            let value = if is_reference(key) { steps::filled(value, &take_id) } else { steps::filled(value, &take) };
            match value {
                Some(value) => filled.push((key.clone(), value)),
                None => return Ok(Err(wrong())),
            }
        }
        Ok(Ok(Json::Object(filled)))
    }
}

fn wrong() -> String {
    "A $step in the input leads to nothing in that step's result.".to_owned()
}

fn too_large() -> String {
    "With the results of earlier steps in it, the input would be larger than one value may be: 64 MiB, or 4,000,000 elements. Take less of them with a path, or hand a reference over."
        .to_owned()
}

/// A result as later steps see it: JSON if it is, else text; bytes that are neither are nothing to point into.
fn step_value(bytes: &[u8]) -> Json {
    json::parse(bytes, &json::Limits::default())
        .unwrap_or_else(|_| std::str::from_utf8(bytes).map_or(Json::Null, Json::from))
}

/// What the ids of an executor's calls begin with, before the id of the step.
fn step_prefix(frame: &Frame) -> String {
    frame.plan.as_ref().map(|plan| format!("{}/", plan.plan_id)).unwrap_or_default()
}

/// The results of a plan's steps, by their ids.
fn results(frame: &Frame) -> Json {
    let prefix = step_prefix(frame);
    let results = frame.calls.iter().filter_map(|call| {
        let step = call.call_id.strip_prefix(&prefix)?;
        Some(member(step, call.done.as_ref()?.result.clone()))
    });
    Json::Object(results.collect())
}

fn planner_answer(frame: &Frame) -> Option<Answer> {
    let plan = frame.plan.as_ref()?;
    if let Some(outcome) = &plan.outcome {
        return Some(outcome.clone());
    }
    let Approving::Refused(told) = &plan.approval else { return None };
    let mut answer = plan_answer(&plan.plan_id, plan.version, &plan.hash, "rejected", None);
    answer.text = format!("The plan {} was not approved. {told}", plan.plan_id);
    answer.failed = true;
    Some(answer)
}

fn plan_answer(plan_id: &str, version: u64, hash: &str, status: &str, steps: Option<Json>) -> Answer {
    let mut members = vec![
        member("planId", Json::from(plan_id)),
        member("version", number(version)),
        member("hash", Json::from(hash)),
        member("status", Json::from(status)),
    ];
    members.extend(steps.map(|steps| member("steps", steps)));
    let output = Json::Object(members);
    Answer { text: json::write(&output), output, failed: false }
}

/// The members of a plan that a model wrote, but for those that are not its to say.
fn drafted(text: &str) -> Result<Vec<(String, Json)>, String> {
    let value = json::parse(unfenced(text).as_bytes(), &json::Limits::default())
        .map_err(|error| format!("The plan must be one JSON object and nothing else. {error}"))?;
    let Json::Object(mut draft) = value else { return Err("The plan must be a JSON object.".to_owned()) };
    draft.retain(|(key, _)| key != "type" && key != "planId");
    Ok(draft)
}
