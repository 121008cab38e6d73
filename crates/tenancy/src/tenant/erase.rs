//! Erase of a tenant: first its keys, then its rows.
//!
//! | step | after a crash here |
//! | --- | --- |
//! | 1. the name row lists the tag as erased; synced | the next open of the store continues with 2 |
//! | 2. the header is wiped; synced. From here on nothing of the tenant can be decrypted | its name is free; housekeeping continues with 3 |
//! | 3. its rows and files are removed, in batches | housekeeping continues with 3 |
//! | 4. the tag is removed from the name row, or the row with it | nothing is left to do |

use bailiwick_model::Result;
use bailiwick_store::{Due, Kinds, Promptness, Tag};

use super::name_row::{NameRow, Names};
use super::scope::Scope;
use super::store::Store;
use crate::errors;
use crate::keys::tag_of;
use crate::rows::internal::INTERNAL;

/// The progress of an erase. The keys are destroyed in any case.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Erased {
    /// Everything is removed.
    Completely,
    /// The store failed while rows were removed. Housekeeping continues when it is open again.
    NotYetRemoved,
}

impl Scope {
    /// Erases the tenant and closes all its scopes: its keys are destroyed, then its rows are removed. Its name then belongs to
    /// another tenant.
    ///
    /// # Errors
    /// `Closed` if it was erased already, and those of the store: then the keys may exist, and are destroyed when the store is
    /// opened again, if the name row was written.
    pub async fn erase(&self) -> Result<Erased> {
        let state = &self.state;
        let _one_at_a_time = state.creation.lock().await;
        let keys = self.existing().await?.map(|access| access.keys);
        if let Some(keys) = &keys {
            let tag = keys.tag;
            let mark = |row: &mut NameRow| {
                row.live = row.live.filter(|live| *live != tag);
                row.erased.push(tag);
            };
            state.names().change(&state.name, mark).await?;
        }
        state.erased.cancel();
        state.store.detach(state);
        let Some(keys) = keys else { return Ok(Erased::Completely) };
        state.store.record_cache.forget(keys.tag);
        state.store.wipe_header(state.name, keys.tag).await?;
        let removed = match state.store.remove_rows(&state.name, keys.tag).await {
            Ok(()) => state.store.settle_erases(&state.name).await,
            failed => failed,
        };
        // A call in progress may have cached what it read.
        state.store.record_cache.forget(keys.tag);
        Ok(if removed.is_ok() { Erased::Completely } else { Erased::NotYetRemoved })
    }
}

impl Store {
    /// Destroys the keys of tenants whose erase was interrupted before that.
    pub(crate) async fn wipe_erased(&self) -> Result<()> {
        // Only an unfinished erase is due at time 0.
        let dues =
            self.engine.due(0, Kinds::Only(INTERNAL), Promptness::Now, usize::MAX).await.map_err(errors::read)?;
        for name in dues.into_iter().map(|due| due.tag.0) {
            for tag in self.names().read(&name).await?.erased {
                self.wipe_header(name, tag).await?;
            }
        }
        Ok(())
    }

    /// Destroys the header of this tag, if it still exists, and no successor.
    pub(crate) async fn wipe_header(&self, name: [u8; 32], tag: Tag) -> Result<()> {
        loop {
            let slot = self.vault.get(name).await.map_err(errors::read)?;
            let Some(slot) = slot.filter(|slot| tag_of(&slot.value) == Some(tag)) else { return Ok(()) };
            // Otherwise it was rewrapped meanwhile.
            if self.vault.wipe(name, slot.value).await.map_err(errors::read)? {
                return Ok(());
            }
        }
    }

    /// Finishes the erases of all tenants of this name. Returns how many.
    pub(crate) async fn finish_erases(&self, name: [u8; 32]) -> Result<u64> {
        let row = self.names().read(&name).await?;
        for tag in &row.erased {
            // The erasing process may have died before it destroyed the keys, after this store was opened.
            self.wipe_header(name, *tag).await?;
            self.remove_rows(&name, *tag).await?;
        }
        self.settle_erases(&name).await?;
        Ok(row.erased.len() as u64)
    }

    async fn remove_rows(&self, name: &[u8; 32], tag: Tag) -> Result<()> {
        self.engine.erase(tag).await.map_err(errors::commit)?;
        self.names().change(name, |row| row.erased.retain(|erased| *erased != tag)).await
    }

    /// Makes a name no longer due once no erased tag is left.
    async fn settle_erases(&self, name: &[u8; 32]) -> Result<()> {
        if self.names().read(name).await?.erased.is_empty() {
            let due = Due { tag: Tag(*name), kind: INTERNAL };
            self.engine.sweep(due, 0).await.map_err(errors::commit)?;
        }
        Ok(())
    }

    pub(crate) fn names(&self) -> Names<'_> {
        Names { engine: &*self.engine, keys: &self.keys, entropy: &self.entropy }
    }
}
