//! The rules of a topology for a tenant's data: its registered types of references and plans.

use std::collections::HashMap;

use bailiwick_model::glimpse::{self, Content};
use bailiwick_model::json::Json;
use bailiwick_model::spec::{GlimpseOption, Topology};
use bailiwick_model::{Error, Result};

use crate::runs::Agents;
use crate::schema::{Schema, compile};

/// The rules of one registered type.
pub(crate) struct ReferenceRules {
    pub(crate) media_type: Option<String>,
    pub(crate) ttl_ms: Option<u64>,
    glimpse: GlimpseOption,
    schema: Option<Schema>,
}

impl ReferenceRules {
    pub(crate) const fn has_schema(&self) -> bool {
        self.schema.is_some()
    }

    /// Returns the summary of a value, as JSON text.
    pub(crate) fn glimpse(rules: Option<&Self>, content: Content<'_>) -> String {
        let options = glimpse::Options::default();
        match rules.map_or(GlimpseOption::Automatic, |rules| rules.glimpse) {
            GlimpseOption::Automatic => glimpse::glimpse(content, &options),
            GlimpseOption::Rows(first) => {
                glimpse::glimpse(content, &glimpse::Options { first: first.into(), ..options })
            }
            GlimpseOption::Nothing => "null".to_owned(),
        }
    }

    /// # Errors
    /// `InvalidInput` if the value does not match the type's schema. It names the place, not the value.
    pub(crate) async fn check(&self, type_name: &str, value: &Json) -> Result<()> {
        let Some(schema) = &self.schema else { return Ok(()) };
        schema.check(value, 1).await.map_err(|mismatch| {
            Error::invalid(mismatch.said("The value", "The value does not", &format!("the reference type {type_name}")))
        })
    }
}

/// The rules of one registered type of plans.
pub(crate) struct PlanRules {
    details: Option<Schema>,
}

impl PlanRules {
    /// # Errors
    /// `InvalidInput` if the details do not match the type's schema. It names the place, not the value.
    pub(crate) async fn check(&self, type_name: &str, details: Option<&Json>) -> Result<()> {
        let Some(schema) = &self.details else { return Ok(()) };
        let Some(details) = details else {
            return Err(Error::invalid(format!("A plan of the type {type_name} needs details, by the type's schema.")));
        };
        schema.check(details, 1).await.map_err(|mismatch| {
            Error::invalid(mismatch.said("The details", "The details do not", &format!("the plan type {type_name}")))
        })
    }
}

/// The rules of a topology, compiled once and shared by all tenants that use it.
pub struct Catalogue {
    references: HashMap<String, ReferenceRules>,
    plans: HashMap<String, PlanRules>,
    pub(crate) agents: Agents,
}

impl Catalogue {
    /// Checks a dumped topology and compiles its schemas.
    ///
    /// # Errors
    /// `Spec` with every problem.
    pub fn from_json(topology: &Json) -> Result<Self> {
        Self::new(&Topology::from_json(topology)?)
    }

    /// Compiles the rules of a topology.
    ///
    /// # Errors
    /// `Spec` with every schema that cannot be compiled.
    pub fn new(topology: &Topology) -> Result<Self> {
        let mut references = HashMap::new();
        let mut issues = Vec::new();
        for (index, reference) in topology.references.iter().enumerate() {
            let place = || format!("references[{index}].schema");
            let of = || format!("the reference type {:?}", reference.name);
            let Some(schema) = compile(reference.schema.as_ref(), place, of, &mut issues) else { continue };
            let rules = ReferenceRules {
                media_type: reference.media_type.clone(),
                ttl_ms: reference.ttl_ms,
                glimpse: reference.glimpse,
                schema,
            };
            references.insert(reference.name.clone(), rules);
        }
        let mut plans = HashMap::new();
        for (index, plan) in topology.plans.iter().enumerate() {
            let place = || format!("plans[{index}].details");
            let of = || format!("the plan type {:?}", plan.name);
            let Some(details) = compile(plan.details.as_ref(), place, of, &mut issues) else { continue };
            plans.insert(plan.name.clone(), PlanRules { details });
        }
        let agents = Agents::new(topology, &mut issues);
        if issues.is_empty() { Ok(Self { references, plans, agents }) } else { Err(Error::Spec(issues)) }
    }

    /// Returns a catalogue that knows no type.
    pub(crate) fn empty() -> Self {
        Self { references: HashMap::new(), plans: HashMap::new(), agents: Agents::default() }
    }

    pub(crate) fn reference(&self, type_name: &str) -> Option<&ReferenceRules> {
        self.references.get(type_name)
    }

    pub(crate) fn plan(&self, type_name: &str) -> Option<&PlanRules> {
        self.plans.get(type_name)
    }
}
