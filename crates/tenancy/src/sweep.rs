//! What a store has to look after although nobody asks: rows that have expired, erases that were cut off, tenants that
//! wanted to be woken.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use bailiwick_model::{Kind, Result, Tenant};
use bailiwick_store::{Due, Promptness};

use crate::failure;
use crate::row::{self, NAME_ROW, is_looked_after};
use crate::scope::Scope;
use crate::store::Store;

/// Something of one tenant that is to be looked after. Whose it is cannot be asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Chore {
    due: Due,
    now: u64,
}

/// What came of a chore.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Done {
    /// So many expired rows were removed.
    Swept(u64),
    /// So many tenants' erases were finished.
    Erased(u64),
}

impl Chore {
    /// What tells it from others, however often it is named.
    pub fn identity(&self) -> impl Eq + std::hash::Hash + use<> {
        self.due
    }
}

impl Store {
    /// Whether it is the caller who is to look after this store from now on: the first who asks. In a store whose clock
    /// stands still nobody is.
    pub fn take_watch(&self) -> bool {
        self.clock.passes() && !self.is_watched.swap(true, Ordering::Relaxed)
    }

    /// What is to be done, the longest due first; at most `limit`.
    ///
    /// # Errors
    /// Those of the store.
    pub async fn chores(&self, promptness: Promptness, limit: usize) -> Result<Vec<Chore>> {
        let now = self.clock.millis();
        self.opened.forget_expired(now);
        let dues = self.engine.due(now, promptness, limit).await.map_err(failure::read)?;
        Ok(dues.into_iter().map(|due| Chore { due, now }).collect())
    }

    /// The tenant for whom a chore has more to do than remove rows, and of which kind. `None`: rows are all it is about, or
    /// its tenant was erased.
    ///
    /// # Errors
    /// `StoreCorrupt` if the tenant's keys or its name are damaged, and those of the store.
    pub async fn woken(self: &Arc<Self>, chore: Chore) -> Result<Option<(Kind, Scope, Tenant)>> {
        let Some(kind) = row::kind(chore.due.kind).filter(|kind| is_looked_after(*kind)) else { return Ok(None) };
        let owner = self.owner(chore.due.tag).await?;
        Ok(owner.map(|(scope, tenant)| (kind, scope, tenant)))
    }

    /// Resolves once the store is closed, or gone.
    pub fn closed(&self) -> impl Future<Output = ()> + Send + use<> {
        self.closing.closed()
    }

    /// Does a chore.
    ///
    /// # Errors
    /// Those of the store; then it is to be done still.
    pub async fn do_chore(&self, chore: Chore) -> Result<Done> {
        if chore.due.kind == NAME_ROW {
            return self.finish_erases(chore.due.tag.0).await.map(Done::Erased);
        }
        self.engine.sweep(chore.due, chore.now).await.map(Done::Swept).map_err(failure::commit)
    }
}
