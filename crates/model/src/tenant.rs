//! The identity of a tenant.

use unicode_normalization::is_nfc;

use crate::spec::messages;
use crate::{Error, Issue, Result};

/// The most UTF-8 bytes of a tenant's ids.
pub const MAX_TENANT_ID_BYTES: usize = 256;

/// A tenant. Its ids are compared byte by byte: they are never trimmed, folded or normalised.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Tenant {
    resource_id: Box<str>,
    version: Box<str>,
}

impl Tenant {
    /// Returns a tenant with these ids.
    ///
    /// # Errors
    /// `Spec` if an id is not 1 to 256 bytes of NFC without control characters (U+0000–001F, U+007F). It is refused,
    /// never rewritten.
    pub fn new(resource_id: impl Into<String>, version: impl Into<String>) -> Result<Self> {
        let (resource_id, version) = (resource_id.into(), version.into());
        let issues: Vec<_> = [("resourceId", &resource_id), ("version", &version)]
            .into_iter()
            .filter(|(_, id)| !is_tenant_id(id))
            .map(|(path, _)| Issue { path: path.to_owned(), message: messages::TENANT_ID.to_owned() })
            .collect();
        if !issues.is_empty() {
            return Err(Error::Spec(issues));
        }
        Ok(Self { resource_id: resource_id.into_boxed_str(), version: version.into_boxed_str() })
    }

    /// Returns the resource id: the owner of every record.
    pub fn resource_id(&self) -> &str {
        &self.resource_id
    }

    /// Returns the version of the tenant's configuration: shown in dumps, never part of a storage key.
    pub fn version(&self) -> &str {
        &self.version
    }

    /// Returns the bytes that identify the tenant, from which its keys are derived.
    pub fn id_bytes(&self) -> &[u8] {
        self.resource_id.as_bytes()
    }
}

/// Returns whether a text may be a tenant's resource id or version.
pub fn is_tenant_id(text: &str) -> bool {
    (1..=MAX_TENANT_ID_BYTES).contains(&text.len())
        && !text.bytes().any(|byte| byte < 0x20 || byte == 0x7f)
        && (text.is_ascii() || is_nfc(text))
}
