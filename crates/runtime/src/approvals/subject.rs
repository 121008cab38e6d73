//! The subject of an approval: a tool call with exactly these bytes, or exactly this version of a plan.

use bailiwick_model::json::{self, Json};
use bailiwick_model::ledger::Hash;
use bailiwick_model::ledger::rule::ApprovalRule;
use bailiwick_model::{Error, Result, names};
use bailiwick_tenancy::Access;
use serde::{Serialize, Serializer};

/// The largest tool input that an approval can cover, in bytes of RFC 8785 JSON.
pub(crate) const INPUT_BYTES: usize = 1 << 20;

/// The subject as the caller names it.
#[derive(Debug, Clone, PartialEq)]
pub enum RequestedSubject {
    /// A tool call with this input.
    Tool {
        /// The name of the tool.
        tool: String,
        /// Its input.
        input: Json,
    },
    /// The newest version of a plan.
    Plan {
        /// The plan.
        plan_id: String,
    },
}

impl RequestedSubject {
    /// Reads `{ tool, input }` or `{ planId }`.
    ///
    /// # Errors
    /// `InvalidInput` for anything else.
    pub fn read(text: &[u8]) -> Result<Self> {
        let wrong = || Error::invalid("The subject of an approval must be { tool, input } or { planId }.");
        let Json::Object(members) = json::parse(text, &json::Limits::default())? else { return Err(wrong()) };
        let (mut tool, mut input, mut plan_id) = (None, None, None);
        for (key, value) in members {
            match (key.as_str(), value) {
                ("tool", Json::String(name)) => tool = Some(name),
                ("input", value) => input = Some(value),
                ("planId", Json::String(id)) => plan_id = Some(id),
                (key, _) => {
                    return Err(Error::invalid(format!(
                        "The subject of an approval must be {{ tool, input }} or {{ planId }}, with a text as tool and planId. {} is neither.",
                        names::shown(key)
                    )));
                }
            }
        }
        match (tool, input, plan_id) {
            (Some(tool), Some(input), None) => Ok(Self::Tool { tool, input }),
            (None, None, Some(plan_id)) => Ok(Self::Plan { plan_id }),
            _ => Err(wrong()),
        }
    }
}

/// The exact subject of a decision.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(untagged, rename_all_fields = "camelCase")]
pub enum Subject {
    /// A call of a tool.
    Tool {
        /// The name of the tool.
        tool: String,
        /// Its input: the bytes, RFC 8785 JSON, that are approved and run.
        #[serde(serialize_with = "as_json")]
        input: Vec<u8>,
    },
    /// A version of a plan.
    Plan {
        /// The plan.
        plan_id: String,
        /// The hash of the version.
        plan_hash: String,
    },
}

impl Subject {
    /// Returns the subject for a call of a tool.
    ///
    /// # Errors
    /// `InvalidInput` for a name that no tool can have, or more than 1 MiB of input.
    pub(crate) fn tool(tool: String, input: &Json) -> Result<Self> {
        if !names::is_tool_name(&tool) {
            return Err(Error::invalid(format!(
                "The tool of an approval must match ^[A-Za-z][A-Za-z0-9_-]{{0,63}}$. It is {}.",
                names::shown(&tool)
            )));
        }
        let input = json::canonical(input);
        if input.len() > INPUT_BYTES {
            return Err(Error::invalid(format!(
                "The input has {} bytes; at most {INPUT_BYTES} (1 MiB) can be approved. Keep large values as references.",
                input.len()
            )));
        }
        Ok(Self::Tool { tool, input })
    }

    /// Returns the bytes of the input.
    pub(crate) fn byte_length(&self) -> usize {
        match self {
            Self::Tool { input, .. } => input.len(),
            Self::Plan { .. } => 0,
        }
    }

    /// Returns the hash that a decision is bound to. A rule is part of it.
    pub(crate) fn hash(&self, access: &Access, context: &ApprovalContext, rule: Option<&ApprovalRule>) -> Hash {
        let text = |text: &Option<String>| text.as_deref().unwrap_or_default().as_bytes().to_vec();
        let (run, call) = (text(&context.run_id), text(&context.call_id));
        let definition = context.definition.map(|hash| hash.to_vec()).unwrap_or_default();
        let (form, name, content): (&[u8], _, _) = match self {
            Self::Tool { tool, input } => (b"tool", tool.as_bytes(), input.as_slice()),
            Self::Plan { plan_id, plan_hash } => (b"plan", plan_id.as_bytes(), plan_hash.as_bytes()),
        };
        let rule = rule.map(|rule| json::canonical(&rule.to_json()));
        let subject = [form, &run, &call, &definition, name, content];
        match &rule {
            Some(rule) => access.subject_hash(&[subject.as_slice(), &[rule]].concat()),
            None => access.subject_hash(&subject),
        }
    }
}

fn as_json<S: Serializer>(input: &[u8], serializer: S) -> std::result::Result<S::Ok, S::Error> {
    json::raw(input, serializer)
}

/// The run that an approval belongs to. All fields are absent if the host's own code requests it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ApprovalContext {
    /// The run.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub run_id: Option<String>,
    /// Its thread.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub thread_id: Option<String>,
    /// The call.
    #[serde(skip)]
    pub call_id: Option<String>,
    /// The hash of the definition (name, schema, effects) of the tool, or of all tools of the plan, at the request.
    #[serde(skip)]
    pub definition: Option<Hash>,
}
