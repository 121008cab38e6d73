//! What the events of agents say.

use bailiwick_model::json::Json;
use bailiwick_model::spec::AgentRole;
use serde::{Deserialize, Serialize};

use super::Usage;
use super::fields::PlanBegun;

/// What an agent begins with. `definition`: the hash of its definition.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(untagged, deny_unknown_fields)]
pub(crate) enum AgentBegun {
    /// A plan to run. With a call if another agent's model asked for that.
    Plan {
        role: AgentRole,
        /// How long the run had been worked at, in milliseconds.
        #[serde(default)]
        active: u64,
        plan: PlanBegun,
        #[serde(skip_serializing_if = "Option::is_none")]
        call: Option<String>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        definition: Option<String>,
    },
    /// A task of another agent.
    Task {
        role: AgentRole,
        call: String,
        #[serde(default)]
        active: u64,
        /// Parts of a message.
        task: Json,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        definition: Option<String>,
    },
    /// The prompt of the run.
    Prompt {
        role: AgentRole,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        definition: Option<String>,
    },
}

impl AgentBegun {
    pub(crate) fn definition(&self) -> Option<&String> {
        match self {
            Self::Plan { definition, .. } | Self::Task { definition, .. } | Self::Prompt { definition, .. } => {
                definition.as_ref()
            }
        }
    }
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct AgentAnswer {
    pub(crate) text: String,
    /// What fits the agent's output schema, if it has one; else the text.
    pub(crate) output: Json,
    /// Whether it could not do what it was asked.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(crate) failed: bool,
    /// What answers of its model have used that its limit cut off.
    #[serde(default, skip_serializing_if = "Usage::is_empty")]
    pub(crate) lost: Usage,
    /// The id of an empty message, in the place of the one that its limit cut off: followers take back what they have shown of that.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) takes_back: Option<String>,
}
