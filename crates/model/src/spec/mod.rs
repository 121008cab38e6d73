//! Specs, read from the JSON that TypeScript dumps. The JSON may come from elsewhere, so it is validated again as a
//! whole. Paths and messages of problems are those of the TypeScript side.
//!
//! A host of many tenants passes the [`Topology`] once and a [`TenantPart`] for each tenant.

mod agent;
mod cross_references;
mod definitions;
mod environment;
mod issues;
mod known_names;
mod limits;
pub(crate) mod messages;
mod reader;
mod tenant_part;
mod topology;

use std::sync::Arc;

pub use agent::{AgentRole, AgentSpec, ModelSettings, Prompt, PromptExample};
pub use definitions::{
    ApprovalPolicy, GlimpseOption, InterruptedPolicy, PlanType, ReferenceType, Tool, ToolEffects, ToolRetry,
    WhileWaiting,
};
pub use environment::{DataEnvironment, Provider};
pub use limits::{Compact, ContextRules, Limits, PerKind, Retention, RunLimits};
pub use tenant_part::TenantPart;
pub use topology::Topology;

use crate::{Json, Result, Tenant};
use issues::Issues;
use reader::Object;

/// The key of the format marker, and the format that this version reads.
const FORMAT_KEY: &str = "bailiwick";
const FORMAT: f64 = 1.0;

/// The whole spec of one tenant and its agents.
#[derive(Debug, Clone, PartialEq)]
pub struct RuntimeSpec {
    /// The tenant.
    pub tenant: Tenant,
    /// The part that all tenants of this topology share.
    pub topology: Arc<Topology>,
    /// The limits of this tenant.
    pub limits: Limits,
    /// The retention of this tenant's data.
    pub retention: Retention,
}

impl RuntimeSpec {
    /// Returns the spec of one tenant of a shared topology.
    ///
    /// # Errors
    /// `TenantMismatch` if the topology's data environment belongs to another tenant.
    pub fn new(topology: Arc<Topology>, part: TenantPart) -> Result<Self> {
        if let Some(environment) = &topology.data_environment {
            environment.check_owner(part.tenant.resource_id())?;
        }
        let TenantPart { tenant, limits, retention } = part;
        Ok(Self { tenant, topology, limits, retention })
    }

    /// Reads the spec of a dump.
    ///
    /// # Errors
    /// `TenantMismatch` if the data environment belongs to another tenant, whatever other problems there are; `Spec`
    /// with every problem.
    pub fn from_json(json: &Json) -> Result<Self> {
        let mut issues = Issues::default();
        reader::check_plain_json(json, &mut issues);
        let read = Object::open(json, "", &known_keys(), &mut issues).map(|object| {
            check_format(json, &mut issues);
            let part = TenantPart::read(&object, &mut issues);
            (part, Topology::read(json, &object, &mut issues))
        });
        refuse_mismatch(json)?;
        issues.finish()?;
        match read {
            Some((Some(part), topology)) => Self::new(Arc::new(topology), part),
            _ => Err(crate::Error::internal("A refused dump has no issue.")),
        }
    }
}

/// The properties of a dump, in their order.
fn known_keys() -> Vec<&'static str> {
    let tenant_first = [FORMAT_KEY, "tenant"].into_iter();
    tenant_first.chain(topology::TOPOLOGY_KEYS).chain(["limits", "retention"]).collect()
}

fn check_format(json: &Json, issues: &mut Issues) {
    if json.get(FORMAT_KEY).and_then(Json::as_f64) != Some(FORMAT) {
        issues.add(FORMAT_KEY, messages::FORMAT);
    }
}

/// A foreign data environment is reported before every other problem.
fn refuse_mismatch(json: &Json) -> Result<()> {
    let text = |part: &str, key: &str| {
        let id = json.get(part)?.get(key)?.as_str()?;
        crate::tenant::is_tenant_id(id).then(|| id.to_owned())
    };
    match (text("tenant", "resourceId"), text("dataEnvironment", "tenantId")) {
        (Some(tenant), tenant_id @ Some(_)) => {
            DataEnvironment { tenant_id, ..DataEnvironment::default() }.check_owner(&tenant)
        }
        _ => Ok(()),
    }
}
