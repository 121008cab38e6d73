//! The owner row: the id of a tag's tenant, sealed with the store's key. Only housekeeping needs it, which works on tenants that
//! are not open: so it is written with the first commit that makes something due.

use std::sync::Arc;

use bailiwick_model::{Result, Tenant};
use bailiwick_store::{Op, Tag, When};

use super::scope::Scope;
use super::store::Store;
use crate::crypto::entropy::Entropy;
use crate::errors;
use crate::rows::internal::{self, OWNER};

impl Store {
    /// Returns the operation that writes the row.
    pub(crate) fn owner_row(&self, tag: Tag, owner: &str, entropy: &Entropy) -> Result<Op> {
        let write = |out: &mut Vec<u8>| out.extend_from_slice(owner.as_bytes());
        let value = self.keys.name_rows.seal(entropy, &[&self.keys.store_id, &tag.0], owner.len(), write);
        Ok(internal::put(OWNER, value.map_err(|_| errors::corrupt())?.into(), When::Any))
    }

    /// Returns the scope of a tag's tenant. `None` if it was erased, or has no owner row.
    pub(crate) async fn owner(self: &Arc<Self>, tag: Tag) -> Result<Option<(Scope, Tenant)>> {
        let Some(row) = internal::read(&*self.engine, tag, OWNER).await? else { return Ok(None) };
        let owner = self.open_owner(tag, &row.value)?;
        let tenant = Tenant::new(&owner, VERSION).map_err(|_| errors::corrupt())?;
        let scope = self.scope(&tenant);
        let is_its = scope.existing().await?.is_some_and(|access| access.keys.tag == tag);
        Ok(is_its.then_some((scope, tenant)))
    }

    pub(crate) fn open_owner(&self, tag: Tag, value: &[u8]) -> Result<String> {
        let opened = self.keys.name_rows.open(&[&self.keys.store_id, &tag.0], value);
        String::from_utf8(opened.map_err(|_| errors::corrupt())?).map_err(|_| errors::corrupt())
    }
}

/// Only hosts see a tenant's version: nothing in a store depends on it.
const VERSION: &str = "-";
