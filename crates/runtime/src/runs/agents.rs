//! The agents and tools of a topology, as runs use them: compiled once, shared by all tenants.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::sync::Arc;

use bailiwick_model::json::{self, Json};
use bailiwick_model::ledger::Hash;
use bailiwick_model::spec::{
    AgentRole, AgentSpec, ApprovalPolicy, ContextRules, InterruptedPolicy, ModelSettings, Tool, ToolEffects, ToolRetry,
    Topology, WhileWaiting,
};
use bailiwick_model::{Error, Issue, Result};
use sha2::{Digest, Sha256};

use super::definitions::Definition;
use super::prompt;
use crate::schema::{Schema, compile, problems};

/// The most problems that are told of a value that does not fit its schema.
const PROBLEMS: usize = 5;

/// See the module's text.
#[derive(Default)]
pub(crate) struct Agents {
    agents: HashMap<String, AgentRules>,
    tools: HashMap<String, ToolRules>,
    /// The providers of all models.
    providers: HashSet<String>,
    /// The agent that handles `query`.
    pub(crate) front: Option<String>,
    /// The agent that runs plans.
    pub(crate) executor: Option<String>,
}

pub(crate) struct AgentRules {
    pub(crate) spec: AgentSpec,
    /// How much of its conversation its model is sent.
    pub(crate) context: ContextRules,
    /// What runs keep of it.
    pub(crate) definition: Arc<Definition>,
    output: Option<Schema>,
}

pub(crate) struct ToolRules {
    pub(crate) approval: ApprovalPolicy,
    pub(crate) effects: ToolEffects,
    pub(crate) on_interrupted: InterruptedPolicy,
    allow_repeats: bool,
    /// Whether its agent goes on while a call waits.
    pub(crate) continues: bool,
    pub(crate) timeout_ms: Option<u64>,
    pub(crate) retry: Option<ToolRetry>,
    /// The properties that hold reference ids, each with its type.
    pub(crate) references: Vec<(String, String)>,
    /// The type of large results.
    pub(crate) result: Option<String>,
    /// A hash over name, schemas and effects: what an approval was given for. What an agent does while a call waits changes nothing
    /// of what is run, so it is no part of it.
    pub(crate) definition: Hash,
    input: Option<Schema>,
    output: Option<Schema>,
}

impl Agents {
    /// Compiles a topology. What is wrong is among the issues afterwards.
    pub(crate) fn new(topology: &Topology, issues: &mut Vec<Issue>) -> Self {
        let mut all = Self::default();
        for (index, tool) in topology.tools.iter().enumerate() {
            let place = |part: &str| format!("tools[{index}].{part}");
            let of = || format!("the tool {:?}", tool.name);
            let input = compile(Some(&tool.input), || place("input"), of, issues);
            let output = compile(tool.output.as_ref(), || place("output"), of, issues);
            if let (Some(input), Some(output)) = (input, output) {
                all.tools.insert(tool.name.clone(), ToolRules::new(tool, input, output));
            }
        }
        for (index, agent) in topology.agents.iter().enumerate() {
            for (at, route) in agent.routes.iter().enumerate() {
                if agent.tools.contains(route) {
                    let message =
                        "A tool of this agent has the same name. Its model could not tell them apart: rename one.";
                    issues.push(Issue { path: format!("agents[{index}].routes[{at}]"), message: message.to_owned() });
                }
            }
            let place = || format!("agents[{index}].output");
            let of = || format!("the agent {:?}", agent.name);
            let Some(output) = compile(agent.output.as_ref(), place, of, issues) else {
                continue;
            };
            let definition = Arc::new(Definition::new(agent, config(agent, topology)));
            all.providers.extend(agent.models.iter().map(|model| provider_of(model).to_owned()));
            let context = agent.context.or(topology.context);
            let rules = AgentRules { spec: agent.clone(), context, definition, output };
            all.agents.insert(agent.name.clone(), rules);
        }
        let named = |role: AgentRole| {
            topology.agents.iter().filter(move |agent| agent.role == role).map(|agent| agent.name.clone())
        };
        let is_called = |name: &String| topology.agents.iter().any(|agent| agent.routes.contains(name));
        let mut specialists = named(AgentRole::Specialist).filter(|name| !is_called(name));
        let only = specialists.next().filter(|_| specialists.next().is_none());
        all.front = named(AgentRole::Coordinator).next().or(only);
        all.executor = named(AgentRole::Executor).next();
        all
    }

    /// Whether there is none.
    pub(crate) fn is_empty(&self) -> bool {
        self.agents.is_empty()
    }

    pub(crate) fn agent(&self, name: &str) -> Option<&AgentRules> {
        self.agents.get(name)
    }

    /// The agent with which a run begins, if it is in the spec.
    ///
    /// # Errors
    /// `Spec` if the spec has no such agent, or only a planner or an executor has its name now.
    pub(crate) fn beginning(&self, name: &str) -> Result<&AgentRules> {
        let begins = |agent: &&AgentRules| !matches!(agent.spec.role, AgentRole::Planner | AgentRole::Executor);
        self.agent(name).filter(begins).ok_or_else(|| no_such_agent(name))
    }

    /// Whether an agent has a model of the provider of this one.
    pub(crate) fn has_provider(&self, model: &str) -> bool {
        self.providers.contains(provider_of(model))
    }

    pub(crate) fn tool(&self, name: &str) -> Option<&ToolRules> {
        self.tools.get(name)
    }

    /// The references that an input of a tool names in its declared properties.
    pub(crate) fn references_in<'a>(&'a self, tool: &str, input: &'a Json) -> impl Iterator<Item = &'a str> {
        let properties = self.tool(tool).map(|rules| rules.references.as_slice()).unwrap_or_default();
        let named = properties.iter().filter_map(|(property, _)| input.get(property));
        named.flat_map(|named| named.as_array().unwrap_or(std::slice::from_ref(named))).filter_map(Json::as_str)
    }

    /// A hash over the definitions of the tools that a plan's steps use: what the plan's approval was given for.
    pub(crate) fn definition_of<'a>(&self, used: impl Iterator<Item = &'a str>) -> Hash {
        let mut hash = Sha256::new();
        for name in used.collect::<BTreeSet<_>>() {
            hash.update(json::canonical(&Json::from(name)));
            hash.update(self.tool(name).map_or([0; 32], |rules| rules.definition));
        }
        hash.finalize().into()
    }

    /// The tools and agents that a plan's steps may use.
    pub(crate) fn plan_tools(&self) -> Vec<&str> {
        let executor = self.executor.as_deref().and_then(|name| self.agent(name));
        executor.map(AgentRules::callable).into_iter().flatten().collect()
    }
}

impl AgentRules {
    /// What an answer gives: JSON that fits the output schema, if there is one. Whether it fits is for the host to say if
    /// that validates.
    ///
    /// # Errors
    /// What is wrong with it, as a text for its model.
    pub(crate) async fn output(&self, text: &str, by_host: bool) -> std::result::Result<Option<Json>, String> {
        let Some(schema) = &self.output else { return Ok(None) };
        let value = json::parse(unfenced(text).as_bytes(), &json::Limits::default())
            .map_err(|error| format!("The answer must be JSON and nothing else. {error}"))?;
        if by_host {
            return Ok(Some(value));
        }
        match problems(schema, &value, PROBLEMS).await {
            None => Ok(Some(value)),
            Some(problems) => Err(format!("The answer does not fit its schema: {problems}")),
        }
    }

    /// The names of the tools and the agents that it may call.
    fn callable(&self) -> impl Iterator<Item = &str> {
        self.spec.tools.iter().chain(&self.spec.routes).map(String::as_str)
    }

    /// What its model is told that calls something else.
    pub(crate) fn unknown_tool(&self) -> String {
        let names: Vec<&str> = self.callable().collect();
        match names.as_slice() {
            [] => "There is no such tool. There are no tools here: answer in words.".to_owned(),
            names => format!("There is no such tool. The tools are: {}.", names.join(", ")),
        }
    }

    pub(crate) fn may_call(&self, name: &str) -> bool {
        self.callable().any(|own| own == name)
    }
}

impl ToolRules {
    fn new(tool: &Tool, input: Option<Schema>, output: Option<Schema>) -> Self {
        let effects = if tool.effects == ToolEffects::Read { "read" } else { "write" };
        let mut defined = vec![
            member("name", Json::from(tool.name.as_str())),
            member("input", tool.input.clone()),
            member("effects", Json::from(effects)),
        ];
        defined.extend(tool.output.clone().map(|output| member("output", output)));
        Self {
            approval: tool.approval,
            effects: tool.effects,
            on_interrupted: tool.on_interrupted,
            allow_repeats: tool.allow_repeats,
            continues: tool.while_waiting == WhileWaiting::Continue,
            timeout_ms: tool.timeout_ms,
            retry: tool.retry,
            references: tool.references.clone(),
            result: tool.result.clone(),
            definition: Sha256::digest(json::canonical(&Json::Object(defined))).into(),
            input,
            output,
        }
    }

    /// Whether the same call may be made twice in one answer.
    pub(crate) fn may_be_repeated(&self) -> bool {
        self.allow_repeats || self.effects == ToolEffects::Read
    }

    /// What is wrong with an input, as a text for a model.
    pub(crate) async fn wrong_input(&self, input: &Json) -> Option<String> {
        problems(self.input.as_ref()?, input, PROBLEMS).await
    }

    /// Whether results must match a schema.
    pub(crate) fn has_output(&self) -> bool {
        self.output.is_some()
    }

    /// What is wrong with a result.
    pub(crate) async fn wrong_output(&self, result: &Json) -> Option<String> {
        problems(self.output.as_ref()?, result, PROBLEMS).await
    }
}

/// What a model wrote, without the fence that some put around JSON.
pub(crate) fn unfenced(text: &str) -> &str {
    let text = text.trim();
    let Some(inner) = text.strip_prefix("```").and_then(|rest| rest.strip_suffix("```")) else { return text };
    inner.strip_prefix("json").unwrap_or(inner).trim()
}

fn provider_of(model: &str) -> &str {
    model.split('/').next().unwrap_or_default()
}

/// The members of what the host is told once of an agent.
fn config(agent: &AgentSpec, topology: &Topology) -> Vec<(String, Json)> {
    let mut members = vec![member("name", Json::from(agent.name.as_str()))];
    let mut system = agent.prompt.as_ref().map(prompt::render).unwrap_or_default();
    if agent.role == AgentRole::Planner {
        system.push_str(&planner_rules(topology));
    }
    members.push(member("system", Json::String(system)));
    // An executor's tools and agents are called by the steps of its plan, never by its model.
    let (tools, routes): (&[String], &[String]) =
        if agent.role == AgentRole::Executor { (&[], &[]) } else { (&agent.tools, &agent.routes) };
    let tools = tools
        .iter()
        .filter_map(|name| topology.tool(name))
        .map(|tool| offered(&tool.name, &tool.description, tool.input.clone()));
    let routes = routes.iter().filter_map(|name| topology.agent(name)).map(route);
    members.push(member("tools", Json::Array(tools.chain(routes).collect())));
    let output = match agent.role {
        AgentRole::Planner => Some(plan_schema(agent, topology)),
        _ => agent.output.clone(),
    };
    members.extend(output.map(|schema| member("outputSchema", schema)));
    let settings = settings(&agent.model_settings);
    if !settings.is_empty() {
        members.push(member("settings", Json::Object(settings)));
    }
    members
}

fn offered(name: &str, description: &str, input_schema: Json) -> Json {
    Json::from([("name", Json::from(name)), ("description", Json::from(description)), ("inputSchema", input_schema)])
}

/// A route as its model sees it: a tool.
fn route(agent: &AgentSpec) -> Json {
    offered(&agent.name, description_of(agent), route_schema(agent.role))
}

fn description_of(agent: &AgentSpec) -> &str {
    let default = match agent.role {
        AgentRole::Planner => "Makes a plan for the task, which a person approves and which is then carried out.",
        AgentRole::Executor => "Carries out a plan that was saved.",
        _ => "Does the task and answers.",
    };
    agent.description.as_deref().unwrap_or(default)
}

fn route_property(role: AgentRole) -> &'static str {
    if role == AgentRole::Executor { "planId" } else { "task" }
}

fn route_schema(role: AgentRole) -> Json {
    let property = route_property(role);
    let description = match property {
        "planId" => "The id of the plan.",
        _ => "What is to be done, with everything that must be known for it.",
    };
    let text = Json::from([("type", Json::from("string")), ("description", Json::from(description))]);
    Json::from([
        ("type", Json::from("object")),
        ("properties", Json::Object(vec![member(property, text)])),
        ("required", Json::Array(vec![Json::from(property)])),
        ("additionalProperties", Json::Bool(false)),
    ])
}

/// Returns what a call with this input hands an agent of this role, or what is wrong with it, as a text for a model.
pub(crate) fn task_of(role: AgentRole, input: &Json) -> Result<&str, String> {
    let property = route_property(role);
    let task = match input.as_object() {
        Some([(key, value)]) if key == property => value.as_str(),
        _ => None,
    };
    task.ok_or_else(|| format!("This takes {{ {property}: text }} and nothing else."))
}

/// The tools and agents of an executor, as its steps may use them: name, description, and the schema of the input.
fn plan_tools(topology: &Topology) -> impl Iterator<Item = (&str, &str, Json)> {
    let executor = topology.agents.iter().find(|agent| agent.role == AgentRole::Executor);
    let tools = executor.into_iter().flat_map(|agent| &agent.tools).filter_map(|name| topology.tool(name));
    let tools = tools.map(|tool| (tool.name.as_str(), tool.description.as_str(), tool.input.clone()));
    let agents = executor.into_iter().flat_map(|agent| &agent.routes).filter_map(|name| topology.agent(name));
    tools.chain(agents.map(|agent| (agent.name.as_str(), description_of(agent), route_schema(agent.role))))
}

/// How a planner's model is to write a plan, and of what its steps may be made.
fn planner_rules(topology: &Topology) -> String {
    let mut rules = String::from(
        "\n\n# Plan\nAnswer with one JSON object and nothing else: { \"goal\": text, \"steps\": [{ \"id\", \"tool\", \"input\", \"dependsOn\"?, \"note\"? }], \"details\"? }. \
         Steps that do not depend on each other run together. {\"$step\": \"id\", \"path\": \"/json/pointer\"} anywhere in an input stands for an earlier step's result.",
    );
    for (name, description, input) in plan_tools(topology) {
        rules.push_str(&format!("\n- {name}: {description} Input: {}", json::write(&input)));
    }
    rules
}

/// The schema of a planner's answer.
fn plan_schema(agent: &AgentSpec, topology: &Topology) -> Json {
    let text = || Json::from([("type", Json::from("string"))]);
    let names = plan_tools(topology).map(|(name, ..)| Json::from(name)).collect();
    let tool = Json::from([("type", Json::from("string")), ("enum", Json::Array(names))]);
    let list = |items: Json| Json::from([("type", Json::from("array")), ("items", items)]);
    let required = |names: &[&str]| Json::Array(names.iter().map(|name| Json::from(*name)).collect());
    let step = Json::from([
        ("type", Json::from("object")),
        (
            "properties",
            Json::from([
                ("id", text()),
                ("tool", tool),
                ("input", Json::from([("type", Json::from("object"))])),
                ("dependsOn", list(text())),
                ("note", text()),
            ]),
        ),
        ("required", required(&["id", "tool", "input"])),
    ]);
    let details = agent.plan.as_deref().and_then(|name| topology.plan_type(name)).and_then(|plan| plan.details.clone());
    let mut properties = vec![member("goal", text()), member("steps", list(step))];
    let mut needed = vec!["goal", "steps"];
    if let Some(details) = details {
        properties.push(member("details", details));
        needed.push("details");
    }
    Json::from([
        ("type", Json::from("object")),
        ("properties", Json::Object(properties)),
        ("required", required(&needed)),
    ])
}

fn settings(settings: &ModelSettings) -> Vec<(String, Json)> {
    let mut members = Vec::new();
    members.extend(settings.temperature.map(|value| member("temperature", Json::Number(value))));
    members.extend(settings.max_output_tokens.map(|value| member("maxOutputTokens", Json::Number(value as f64))));
    members.extend(settings.seed.map(|value| member("seed", Json::Number(value as f64))));
    members.extend(settings.provider_options.clone().map(|value| member("providerOptions", value)));
    members
}

fn member(key: &str, value: Json) -> (String, Json) {
    (key.to_owned(), value)
}

/// The error for a run of an agent that the spec does not have.
pub(crate) fn no_such_agent(name: &str) -> Error {
    let message =
        format!("The run is at the agent {name}, which is not in this spec. Resume it with a spec that has it.");
    Error::Spec(vec![Issue { path: "agents".to_owned(), message }])
}

/// The error when no agent handles `query`.
pub(crate) fn no_front() -> Error {
    let message = "query needs a coordinator, or exactly one specialist that it can go to. Add a coordinator, or call runSpecialist.";
    Error::Spec(vec![Issue { path: "agents".to_owned(), message: message.to_owned() }])
}
