use super::agent::{AgentSpec, agent};
use super::cross_references::{check_agent, check_cross_references, check_tool};
use super::definitions::{PlanType, ReferenceType, Tool, plan_type, reference_type, tool};
use super::environment::{DataEnvironment, Provider, data_environment, providers};
use super::issues::Issues;
use super::limits::{ContextRules, context_rules};
use super::reader::check_plain_json;
use super::reader::{Object, list};
use super::{FORMAT_KEY, check_format};
use crate::{Json, Result};

/// The properties of a dump that belong to the topology, in the order of the dump.
pub(super) const TOPOLOGY_KEYS: [&str; 7] =
    ["agents", "tools", "references", "plans", "providers", "dataEnvironment", "context"];

/// The part of a spec that tenants share.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Topology {
    /// Agents, in the order of the spec.
    pub agents: Vec<AgentSpec>,
    /// Tools, including those of agents.
    pub tools: Vec<Tool>,
    /// Reference types, including those of tools.
    pub references: Vec<ReferenceType>,
    /// Plan types, including those of planners.
    pub plans: Vec<PlanType>,
    /// Providers, sorted by name.
    pub providers: Vec<(String, Provider)>,
    /// The location of the tools' data.
    pub data_environment: Option<DataEnvironment>,
    /// How much of its conversation a model is sent, for agents that do not say.
    pub context: ContextRules,
}

impl Topology {
    /// Reads a dump without `tenant`, `limits` and `retention`.
    ///
    /// # Errors
    /// `Spec` with every problem.
    pub fn from_json(json: &Json) -> Result<Self> {
        let mut issues = Issues::default();
        check_plain_json(json, &mut issues);
        let known: Vec<_> = std::iter::once(FORMAT_KEY).chain(TOPOLOGY_KEYS).collect();
        let topology = Object::open(json, "", &known, &mut issues).map(|object| {
            check_format(json, &mut issues);
            Self::read(json, &object, &mut issues)
        });
        issues.finish()?;
        Ok(topology.unwrap_or_default())
    }

    /// Returns the reference type of that name.
    pub fn reference_type(&self, name: &str) -> Option<&ReferenceType> {
        self.references.iter().find(|reference_type| reference_type.name == name)
    }

    /// Returns the tool of that name.
    pub fn tool(&self, name: &str) -> Option<&Tool> {
        self.tools.iter().find(|tool| tool.name == name)
    }

    /// Returns the agent of that name.
    pub fn agent(&self, name: &str) -> Option<&AgentSpec> {
        self.agents.iter().find(|agent| agent.name == name)
    }

    /// Returns the plan type of that name.
    pub fn plan_type(&self, name: &str) -> Option<&PlanType> {
        self.plans.iter().find(|plan_type| plan_type.name == name)
    }

    pub(super) fn read(json: &Json, object: &Object<'_>, issues: &mut Issues) -> Self {
        let mut topology = Self {
            agents: object.or_default("agents", issues, |json, path, issues| {
                list(json, path, issues, |json, path, issues| {
                    let read = agent(json, path, issues);
                    check_agent(json, path, issues);
                    read
                })
            }),
            tools: object.or_default("tools", issues, |json, path, issues| {
                list(json, path, issues, |json, path, issues| {
                    let read = tool(json, path, issues);
                    check_tool(json, path, issues);
                    read
                })
            }),
            references: object
                .or_default("references", issues, |json, path, issues| list(json, path, issues, reference_type)),
            plans: object.or_default("plans", issues, |json, path, issues| list(json, path, issues, plan_type)),
            providers: object.or_default("providers", issues, providers),
            data_environment: object.optional("dataEnvironment", issues, data_environment),
            context: object.or_default("context", issues, context_rules),
        };
        check_cross_references(json, issues);
        let tools = &topology.tools;
        let is_tool = |name: &str| tools.iter().any(|tool| tool.name == name);
        topology.agents.iter_mut().for_each(|agent| agent.separate(is_tool));
        topology
    }
}
