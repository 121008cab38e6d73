//! Erasing a tenant: first its keys, then its rows.
//!
//! | step | after a crash here |
//! | --- | --- |
//! | 1. the name's row says that the tag is erased; synced | the next open of the store goes on with 2 |
//! | 2. the header is wiped; synced. Nothing of the tenant can be read any more, whoever has the files | its name is free; the sweeper goes on with 3 |
//! | 3. its rows and files are removed, a few at a time | the sweeper goes on with 3 |
//! | 4. the name's row forgets the tag, or goes | nothing is left to do |

use bailiwick_model::Result;
use bailiwick_store::{Due, Promptness, Tag};

use crate::failure;
use crate::keys::tag_of;
use crate::name_row::Names;
use crate::row::NAME_ROW;
use crate::scope::Scope;
use crate::store::Store;

/// How far an erase has come. The keys are gone in any case.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Erased {
    /// Nothing is left.
    Completely,
    /// The store failed while rows were removed. The sweeper goes on when it is open again.
    NotYetRemoved,
}

impl Scope {
    /// Erases the tenant and closes all its scopes: its keys are destroyed, then its rows are removed. Whoever uses its
    /// name afterwards is another tenant.
    ///
    /// # Errors
    /// `Closed` if it was erased already, and those of the store: then its keys may be there, and are gone at the latest
    /// when the store is opened again after its name's row was written.
    pub async fn erase(&self) -> Result<Erased> {
        let state = &self.state;
        let _one_at_a_time = state.creation.lock().await;
        let keys = self.existing().await?.map(|access| access.keys);
        if let Some(keys) = &keys {
            let tag = keys.tag;
            let mark = |row: &mut crate::name_row::NameRow| {
                row.live = row.live.filter(|live| *live != tag);
                row.erased.push(tag);
            };
            state.names().change(&state.name, mark).await?;
        }
        state.erased.close();
        state.store.dismiss(state);
        let Some(keys) = keys else { return Ok(Erased::Completely) };
        state.store.opened.forget(keys.tag);
        state.store.wipe_header(state.name, keys.tag).await?;
        let removed = match state.store.remove_rows(&state.name, keys.tag).await {
            Ok(()) => state.store.settle_erases(&state.name).await,
            failed => failed,
        };
        // A call that was under way may have kept what it read.
        state.store.opened.forget(keys.tag);
        Ok(if removed.is_ok() { Erased::Completely } else { Erased::NotYetRemoved })
    }
}

impl Store {
    /// Destroys the keys of those whose erase was cut off before it came to them.
    pub(crate) async fn wipe_erased(&self) -> Result<()> {
        // Nothing but an unfinished erase is due at the beginning of time.
        let dues = self.engine.due(0, Promptness::Now, usize::MAX).await.map_err(failure::read)?;
        for name in dues.into_iter().filter(|due| due.kind == NAME_ROW).map(|due| due.tag.0) {
            for tag in self.names().read(&name).await?.erased {
                self.wipe_header(name, tag).await?;
            }
        }
        Ok(())
    }

    /// Destroys the header that leads to this tag, if it is there still, and none that has come in its place.
    pub(crate) async fn wipe_header(&self, name: [u8; 32], tag: Tag) -> Result<()> {
        loop {
            let slot = self.vault.get(name).await.map_err(failure::read)?;
            let Some(slot) = slot.filter(|slot| tag_of(&slot.value) == Some(tag)) else { return Ok(()) };
            // Or it was wrapped anew meanwhile.
            if self.vault.wipe(name, slot.value).await.map_err(failure::read)? {
                return Ok(());
            }
        }
    }

    /// Removes what is left of everyone that was erased under this name, and says how many that were.
    pub(crate) async fn finish_erases(&self, name: [u8; 32]) -> Result<u64> {
        let row = self.names().read(&name).await?;
        for tag in &row.erased {
            // The process that erases may have ended before it came to the keys, after this store was opened.
            self.wipe_header(name, *tag).await?;
            self.remove_rows(&name, *tag).await?;
        }
        self.settle_erases(&name).await?;
        Ok(row.erased.len() as u64)
    }

    async fn remove_rows(&self, name: &[u8; 32], tag: Tag) -> Result<()> {
        self.engine.erase(tag).await.map_err(failure::commit)?;
        self.names().change(name, |row| row.erased.retain(|erased| *erased != tag)).await
    }

    /// A name is due no more once nobody's rows are left under it.
    async fn settle_erases(&self, name: &[u8; 32]) -> Result<()> {
        if self.names().read(name).await?.erased.is_empty() {
            let due = Due { tag: Tag(*name), kind: NAME_ROW };
            self.engine.sweep(due, 0).await.map_err(failure::commit)?;
        }
        Ok(())
    }

    pub(crate) fn names(&self) -> Names<'_> {
        Names { engine: &*self.engine, keys: &self.keys, entropy: &self.entropy }
    }
}
