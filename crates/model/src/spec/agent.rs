//! Agents and their prompts.

use super::issues::Issues;
use super::limits::{ContextRules, RunLimits, context_rules, run_limits};
use super::messages;
use super::reader::{Object, any_object, integer, list, name, one_of, positive, schema, string, strings, text};
use crate::names::split_model;
use crate::{Error, Json, Result};

/// The role of an agent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum AgentRole {
    /// Receives `query`, answers or hands over.
    Coordinator,
    /// Makes plans.
    Planner,
    /// Runs approved plans.
    Executor,
    /// Answers with its own tools.
    Specialist,
}

const ROLES: [(&str, AgentRole); 4] = [
    ("coordinator", AgentRole::Coordinator),
    ("planner", AgentRole::Planner),
    ("executor", AgentRole::Executor),
    ("specialist", AgentRole::Specialist),
];

/// The settings of a model's answer.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct ModelSettings {
    /// Not negative.
    pub temperature: Option<f64>,
    /// The most tokens of an answer.
    pub max_output_tokens: Option<u64>,
    /// For providers that support repeatable answers.
    pub seed: Option<i64>,
    /// Options passed to the provider unchanged: an object.
    pub provider_options: Option<Json>,
}

/// An example for a model.
#[derive(Debug, Clone, PartialEq)]
pub enum PromptExample {
    /// A text.
    Text(String),
    /// An input and its expected output.
    Exchange {
        /// The input.
        input: String,
        /// The output.
        output: String,
    },
}

/// A prompt in layers. A plain text is its instructions alone.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Prompt {
    /// The agent's role in words.
    pub role: Option<String>,
    /// The agent's task.
    pub instructions: String,
    /// The domain: topics and JSON, in their order.
    pub domain_knowledge: Vec<(String, Json)>,
    /// Examples, in their order.
    pub examples: Vec<PromptExample>,
    /// The style of the answers.
    pub style: Option<String>,
}

/// An agent. It names its tools, routes and plan type.
#[derive(Debug, Clone, PartialEq)]
pub struct AgentSpec {
    /// Its role.
    pub role: AgentRole,
    /// Its name.
    pub name: String,
    /// Its description for other agents.
    pub description: Option<String>,
    /// `provider/model`, tried in order until the first delta. Empty only for an executor.
    pub models: Vec<String>,
    /// The settings of its models.
    pub model_settings: ModelSettings,
    /// Its prompt.
    pub prompt: Option<Prompt>,
    /// The agents that it may hand a task over to: the routes of a coordinator, and those that were named among its tools.
    pub routes: Vec<String>,
    /// The plan type of a planner.
    pub plan: Option<String>,
    /// The tools that it may call, without agents.
    pub tools: Vec<String>,
    /// The JSON Schema of a specialist's answer: an object.
    pub output: Option<Json>,
    /// The limits of one run of this agent.
    pub limits: RunLimits,
    /// How much of its conversation its model is sent.
    pub context: ContextRules,
}

impl AgentSpec {
    /// Moves the names among its tools that are not tools to its routes: they are agents.
    pub(super) fn separate(&mut self, is_tool: impl Fn(&str) -> bool) {
        let (tools, agents): (_, Vec<String>) =
            std::mem::take(&mut self.tools).into_iter().partition(|name| is_tool(name));
        self.tools = tools;
        for agent in agents {
            // Its model is offered each agent once.
            if !self.routes.contains(&agent) {
                self.routes.push(agent);
            }
        }
    }
}

pub(super) fn agent(json: &Json, path: &str, issues: &mut Issues) -> Option<AgentSpec> {
    if json.as_object().is_none() {
        issues.add(path, messages::OBJECT);
        return None;
    }
    let role_path = super::issues::path_to(path, "role");
    let Some(role) = json.get("role") else {
        issues.add(role_path, messages::REQUIRED);
        return None;
    };
    let role = one_of(role, &role_path, issues, &ROLES)?;
    let object = Object::open(json, path, known_properties(role), issues)?;
    let is = |other: AgentRole| role == other;
    Some(AgentSpec {
        role,
        name: object.required("name", issues, name).unwrap_or_default(),
        description: object.optional("description", issues, string),
        models: demanded(&object, !is(AgentRole::Executor), "model", issues, models).unwrap_or_default(),
        model_settings: object.or_default("modelSettings", issues, model_settings),
        prompt: demanded(&object, !is(AgentRole::Executor), "prompt", issues, prompt),
        routes: is(AgentRole::Coordinator)
            .then(|| object.required("routes", issues, routes))
            .flatten()
            .unwrap_or_default(),
        plan: is(AgentRole::Planner).then(|| object.required("plan", issues, string)).flatten(),
        tools: demanded(&object, is(AgentRole::Executor), "tools", issues, strings).unwrap_or_default(),
        output: is(AgentRole::Specialist).then(|| object.optional("output", issues, schema)).flatten(),
        limits: object.or_default("limits", issues, run_limits),
        context: object.or_default("context", issues, context_rules),
    })
}

fn demanded<T>(
    object: &Object<'_>,
    is_required: bool,
    key: &str,
    issues: &mut Issues,
    read: super::reader::Read<T>,
) -> Option<T> {
    if is_required { object.required(key, issues, read) } else { object.optional(key, issues, read) }
}

/// In the order of the dump.
fn known_properties(role: AgentRole) -> &'static [&'static str] {
    match role {
        AgentRole::Coordinator => {
            &["role", "name", "description", "model", "modelSettings", "prompt", "routes", "tools", "limits", "context"]
        }
        AgentRole::Planner => {
            &["role", "name", "description", "model", "modelSettings", "prompt", "plan", "tools", "limits", "context"]
        }
        AgentRole::Executor => {
            &["role", "name", "description", "model", "modelSettings", "prompt", "tools", "limits", "context"]
        }
        AgentRole::Specialist => {
            &["role", "name", "description", "model", "modelSettings", "prompt", "tools", "output", "limits", "context"]
        }
    }
}

fn models(json: &Json, path: &str, issues: &mut Issues) -> Option<Vec<String>> {
    match json {
        Json::String(_) => model(json, path, issues).map(|model| vec![model]),
        Json::Array(models) if !models.is_empty() => list(json, path, issues, model),
        _ => {
            issues.add(path, messages::MODEL);
            None
        }
    }
}

fn model(json: &Json, path: &str, issues: &mut Issues) -> Option<String> {
    let model = json.as_str().filter(|text| split_model(text).is_some());
    if model.is_none() {
        issues.add(path, messages::MODEL);
    }
    model.map(str::to_owned)
}

fn routes(json: &Json, path: &str, issues: &mut Issues) -> Option<Vec<String>> {
    let routes = strings(json, path, issues)?;
    if json.as_array().is_some_and(<[Json]>::is_empty) {
        issues.add(path, messages::ROUTES);
    }
    Some(routes)
}

fn model_settings(json: &Json, path: &str, issues: &mut Issues) -> Option<ModelSettings> {
    let known = ["temperature", "maxOutputTokens", "seed", "providerOptions"];
    let object = Object::open(json, path, &known, issues)?;
    Some(ModelSettings {
        temperature: object.optional("temperature", issues, temperature),
        max_output_tokens: object.optional("maxOutputTokens", issues, positive),
        seed: object.optional("seed", issues, seed),
        provider_options: object.optional("providerOptions", issues, any_object),
    })
}

fn temperature(json: &Json, path: &str, issues: &mut Issues) -> Option<f64> {
    match json.as_f64() {
        None => issues.add(path, messages::NUMBER),
        Some(number) if number < 0.0 => issues.add(path, messages::TEMPERATURE),
        Some(number) => return Some(number),
    }
    None
}

fn seed(json: &Json, path: &str, issues: &mut Issues) -> Option<i64> {
    let seed = integer(json);
    if seed.is_none() {
        issues.add(path, messages::SEED);
    }
    seed
}

impl Prompt {
    /// Reads a prompt that a request brings: a text, or its layers. `path` names it in messages.
    ///
    /// # Errors
    /// `InvalidInput`, with the first problem.
    pub fn from_json(json: &Json, path: &str) -> Result<Self> {
        let mut issues = Issues::default();
        let read = prompt(json, path, &mut issues);
        match issues.finish() {
            Ok(()) => read.ok_or_else(|| Error::invalid(messages::PROMPT)),
            Err(Error::Spec(list)) => {
                let first = list.into_iter().next();
                Err(Error::invalid(
                    first.map_or_else(String::new, |issue| format!("{}: {}", issue.path, issue.message)),
                ))
            }
            Err(error) => Err(error),
        }
    }
}

fn prompt(json: &Json, path: &str, issues: &mut Issues) -> Option<Prompt> {
    match json {
        Json::String(instructions) if !instructions.is_empty() => {
            Some(Prompt { instructions: instructions.clone(), ..Prompt::default() })
        }
        Json::Object(_) => layered_prompt(json, path, issues),
        _ => {
            issues.add(path, messages::PROMPT);
            None
        }
    }
}

fn layered_prompt(json: &Json, path: &str, issues: &mut Issues) -> Option<Prompt> {
    let known = ["role", "instructions", "domainKnowledge", "examples", "style"];
    let object = Object::open(json, path, &known, issues)?;
    let domain_knowledge = object.optional("domainKnowledge", issues, any_object);
    Some(Prompt {
        role: object.optional("role", issues, text),
        instructions: object.required("instructions", issues, text).unwrap_or_default(),
        domain_knowledge: domain_knowledge
            .as_ref()
            .and_then(Json::as_object)
            .map(<[(String, Json)]>::to_vec)
            .unwrap_or_default(),
        examples: object.or_default("examples", issues, |json, path, issues| list(json, path, issues, example)),
        style: object.optional("style", issues, text),
    })
}

fn example(json: &Json, path: &str, issues: &mut Issues) -> Option<PromptExample> {
    match json {
        Json::String(_) => text(json, path, issues).map(PromptExample::Text),
        Json::Object(_) => {
            let object = Object::open(json, path, &["input", "output"], issues)?;
            let input = object.required("input", issues, text);
            let output = object.required("output", issues, text);
            Some(PromptExample::Exchange { input: input?, output: output? })
        }
        _ => {
            issues.add(path, messages::EXAMPLE);
            None
        }
    }
}
