//! Whose a tag is: a row under the tag itself, sealed with the store's key. Only what must look after a tenant that nobody
//! has open needs it, so it is written with the first commit that leaves something to look after.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use bailiwick_model::{Result, Tenant};
use bailiwick_store::{Found, Op, Place, Tag, When};

use crate::entropy::Entropy;
use crate::failure;
use crate::row::NAME_ROW;
use crate::scope::{Access, Scope};
use crate::store::Store;

/// Another item than the row of a name has, because a tag and a name tag look alike.
const PLACE: Place = Place { kind: NAME_ROW, item: [1; 32] };

impl Access {
    /// What writes the row, unless it is known to be there.
    pub(crate) fn attribution(&self) -> Result<Option<Op>> {
        if self.state.attributed.load(Ordering::Relaxed) {
            return Ok(None);
        }
        let state = &self.state;
        state.store.owner_row(self.keys.tag, &state.resource_id, &state.entropy.nonces).map(Some)
    }
}

impl Store {
    /// What writes the row.
    pub(crate) fn owner_row(&self, tag: Tag, owner: &str, entropy: &Entropy) -> Result<Op> {
        let write = |out: &mut Vec<u8>| out.extend_from_slice(owner.as_bytes());
        let value = self.keys.name_rows.seal(entropy, &[&self.keys.store_id, &tag.0], owner.len(), write);
        let value = value.map_err(|_| failure::corrupt())?.into();
        Ok(Op::Put { place: PLACE, value, expires_at: None, counted: None, when: When::Any })
    }

    /// The scope of a tag's tenant. `None` if it was erased, or has left nothing to look after.
    pub(crate) async fn owner(self: &Arc<Self>, tag: Tag) -> Result<Option<(Scope, Tenant)>> {
        let found = self.engine.get(tag, vec![(PLACE, None)], u64::MAX, 0).await.map_err(failure::read)?;
        let Some(Found::Entry(row)) = found.into_iter().next() else { return Ok(None) };
        let owner = self.open_owner(tag, &row.value)?;
        let tenant = Tenant::new(&owner, VERSION).map_err(|_| failure::corrupt())?;
        let scope = self.scope(&tenant);
        let is_its = scope.existing().await?.is_some_and(|access| access.keys.tag == tag);
        Ok(is_its.then_some((scope, tenant)))
    }

    /// What stands in the row.
    pub(crate) fn open_owner(&self, tag: Tag, value: &[u8]) -> Result<String> {
        let opened = self.keys.name_rows.open(&[&self.keys.store_id, &tag.0], value);
        String::from_utf8(opened.map_err(|_| failure::corrupt())?).map_err(|_| failure::corrupt())
    }

    /// Whether this is the place of that row.
    pub(crate) fn is_owner_row(place: &Place) -> bool {
        *place == PLACE
    }
}

/// A version is shown to hosts only: nothing in a store depends on it.
const VERSION: &str = "-";
