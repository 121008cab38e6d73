//! Providers and data environments: names of environment variables, never their values.

use super::issues::Issues;
use super::messages;
use super::reader::{Object, Read, record, string_that};
use crate::names::{is_name, is_tool_name, is_variable};
use crate::tenant::is_tenant_id;
use crate::{Error, Json, Result};

/// The variable of the root key, which no spec may name.
const ROOT_KEY_VARIABLE: &str = "BAILIWICK_ROOT_KEY";

/// The environment variables of a provider's model.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Provider {
    /// The variable of its key.
    pub api_key_env: Option<String>,
    /// The variable of its address.
    pub base_url_env: Option<String>,
}

/// The location of the tools' data.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct DataEnvironment {
    /// The only tenant that may use it.
    pub tenant_id: Option<String>,
    /// Databases, each with the environment variable that holds its URL; sorted by name.
    pub databases: Vec<(String, String)>,
}

impl DataEnvironment {
    /// Fails unless the tenant with this resource id may use it.
    ///
    /// # Errors
    /// `TenantMismatch` if it belongs to another tenant.
    pub fn check_owner(&self, resource_id: &str) -> Result<()> {
        if self.tenant_id.as_deref().is_none_or(|owner| owner == resource_id) {
            Ok(())
        } else {
            Err(Error::TenantMismatch)
        }
    }
}

pub(super) fn providers(json: &Json, path: &str, issues: &mut Issues) -> Option<Vec<(String, Provider)>> {
    record(json, path, issues, (is_name, messages::NAME), provider)
}

fn provider(json: &Json, path: &str, issues: &mut Issues) -> Option<Provider> {
    let object = Object::open(json, path, &["apiKeyEnv", "baseUrlEnv"], issues)?;
    Some(Provider {
        api_key_env: object.optional("apiKeyEnv", issues, variable),
        base_url_env: object.optional("baseUrlEnv", issues, variable),
    })
}

pub(super) fn data_environment(json: &Json, path: &str, issues: &mut Issues) -> Option<DataEnvironment> {
    let object = Object::open(json, path, &["tenantId", "databases"], issues)?;
    let tenant_id: Read<String> =
        |json, path, issues| string_that(is_tenant_id, messages::TENANT_ID, json, path, issues);
    Some(DataEnvironment {
        tenant_id: object.optional("tenantId", issues, tenant_id),
        databases: object.or_default("databases", issues, |json, path, issues| {
            record(json, path, issues, (is_tool_name, messages::TOOL_NAME), database)
        }),
    })
}

fn database(json: &Json, path: &str, issues: &mut Issues) -> Option<String> {
    Object::open(json, path, &["urlEnv"], issues)?.required("urlEnv", issues, variable)
}

fn variable(json: &Json, path: &str, issues: &mut Issues) -> Option<String> {
    let name = string_that(is_variable, messages::VARIABLE, json, path, issues)?;
    if name == ROOT_KEY_VARIABLE {
        issues.add(path, messages::ROOT_KEY_VARIABLE);
    }
    Some(name)
}
