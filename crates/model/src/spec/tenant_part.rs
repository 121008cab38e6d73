use super::issues::Issues;
use super::limits::{Limits, Retention, limits, retention};
use super::messages;
use super::reader::check_plain_json;
use super::reader::{Object, Read, string_that};
use crate::tenant::is_tenant_id;
use crate::{Error, Json, Result, Tenant};

/// The part of a spec that belongs to one tenant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TenantPart {
    /// The tenant.
    pub tenant: Tenant,
    /// The limits of this tenant.
    pub limits: Limits,
    /// The retention of this tenant's data.
    pub retention: Retention,
}

impl TenantPart {
    /// Reads `{ tenant, limits?, retention? }`.
    ///
    /// # Errors
    /// `Spec` with every problem.
    pub fn from_json(json: &Json) -> Result<Self> {
        let mut issues = Issues::default();
        check_plain_json(json, &mut issues);
        let part = Object::open(json, "", &["tenant", "limits", "retention"], &mut issues)
            .and_then(|object| Self::read(&object, &mut issues));
        issues.finish()?;
        part.ok_or_else(|| Error::internal("A refused tenant has no issue."))
    }

    pub(super) fn read(object: &Object<'_>, issues: &mut Issues) -> Option<Self> {
        let tenant = object.required("tenant", issues, tenant);
        let limits = object.or_default("limits", issues, limits);
        let retention = object.or_default("retention", issues, retention);
        Some(Self { tenant: tenant?, limits, retention })
    }
}

fn tenant(json: &Json, path: &str, issues: &mut Issues) -> Option<Tenant> {
    let object = Object::open(json, path, &["resourceId", "version"], issues)?;
    let id: Read<String> = |json, path, issues| string_that(is_tenant_id, messages::TENANT_ID, json, path, issues);
    let resource_id = object.required("resourceId", issues, id);
    let version = object.required("version", issues, id);
    Tenant::new(resource_id?, version?).ok()
}
