//! What earlier versions left: messages of removed threads, from before housekeeping covered threads, and runs that can go on,
//! from before commits announced them. Nothing leads to either. Once in the life of such a store, housekeeping visits all tenants
//! for each, a few at a time, writes their owner rows and makes them due.
//!
//! A row of the store holds the progress of each: `u8(1: finished) ‖ name tag(32) of the last tenant`.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use bailiwick_model::{Error, Kind, Result};
use bailiwick_store::{Commit, CommitError, Durability, Limits, Op, Place, Row, STORE_SLOT, ScanRequest, When};

use crate::errors;
use crate::keys::{TenantKeys, UnnamedKeys};
use crate::rows::internal::{self, LEGACY_RUNS, LEGACY_RUNS_SEARCH, LEGACY_THREADS, STORE_TAG};
use crate::tenant::store::Store;

/// The tenants that are visited at a time.
const HEADERS: usize = 64;

/// A search through all tenants.
struct Search {
    /// Where its progress is.
    progress: Place,
    /// What the progress is sealed with.
    label: &'static [u8],
    /// Tenants with rows of this kind are due.
    rows: Kind,
    /// The kind byte under which they are.
    due: u8,
}

const SEARCHES: [Search; 2] = [
    Search { progress: LEGACY_THREADS, label: b"older", rows: Kind::Threads, due: Kind::Threads as u8 },
    Search { progress: LEGACY_RUNS_SEARCH, label: b"older runs", rows: Kind::Runs, due: LEGACY_RUNS },
];

impl Store {
    /// Visits the next tenants. `true`: there are more. Does nothing once all were visited.
    ///
    /// # Errors
    /// Those of the store; then call it again. A tenant whose keys or rows are corrupt is skipped: its rows cannot be read.
    pub async fn wake_legacy(self: &Arc<Self>) -> Result<bool> {
        if self.has_no_legacy.load(Ordering::Relaxed) {
            return Ok(false);
        }
        for search in &SEARCHES {
            if self.visit_next(search).await? {
                return Ok(true);
            }
        }
        self.has_no_legacy.store(true, Ordering::Relaxed);
        Ok(false)
    }

    async fn visit_next(&self, search: &Search) -> Result<bool> {
        let Some(after) = self.last_visited(search).await? else { return Ok(false) };
        let names = self.vault.names(Some(after), HEADERS).await.map_err(errors::read)?;
        for name in &names {
            match self.visit(search, name).await {
                Ok(()) | Err(Error::StoreCorrupt(_)) => {}
                Err(error) => return Err(error),
            }
        }
        let is_finished = names.len() < HEADERS;
        self.write_progress(search, is_finished, names.last().unwrap_or(&after)).await?;
        Ok(!is_finished)
    }

    async fn visit(&self, search: &Search, name: &[u8; 32]) -> Result<()> {
        let Some(unnamed) = self.unnamed(name).await? else { return Ok(()) };
        let tag = unnamed.keys.tag;
        // A thread that left messages, and a run, have a record, which is removed last.
        let kind = search.rows as u8;
        let (from, to, reverse, limit, most) = ([0; 32], [u8::MAX; 32], false, 1, u64::MAX);
        let request = ScanRequest { kind, from, to, reverse, limit, most, now: 0 };
        let scanned = self.engine.scan(tag, request).await.map_err(errors::read)?;
        let Some(row) = scanned.rows.first() else { return Ok(()) };
        let owner = unnamed.owner(&self.keys, tag, &row.place, &row.value).ok_or_else(errors::corrupt)?;
        let now = self.clock.millis();
        let ops = vec![self.owner_row(tag, &owner, &self.entropy)?, Op::Wake { kind: search.due, at: now }];
        let commit = Commit { tag, now, ops, limits: Limits::default(), durability: Durability::Relaxed };
        match self.engine.commit(commit).await {
            // `Closed`: erased meanwhile.
            Ok(_) | Err(CommitError::Closed) => Ok(()),
            Err(error) => Err(errors::commit(error)),
        }
    }

    async fn unnamed(&self, name: &[u8; 32]) -> Result<Option<UnnamedKeys>> {
        let key_ring = self.key_ring.read().await;
        let Some(slot) = self.vault.get(*name).await.map_err(errors::read)? else { return Ok(None) };
        TenantKeys::open_unnamed(&slot.value, &key_ring, &self.keys, name).map(Some)
    }

    /// Returns the name tag to continue after. `None`: all were visited.
    async fn last_visited(&self, search: &Search) -> Result<Option<[u8; 32]>> {
        let row = internal::read(&*self.engine, STORE_TAG, search.progress).await?;
        // A corrupt row counts as none.
        Ok(row.and_then(|row| self.open_progress(search, &row)).unwrap_or(Some(STORE_SLOT)))
    }

    fn open_progress(&self, search: &Search, row: &Row) -> Option<Option<[u8; 32]>> {
        let body = self.keys.name_rows.open(&[&self.keys.store_id, search.label], &row.value).ok()?;
        let (is_finished, name) = body.split_first()?;
        let name = name.try_into().ok()?;
        Some((*is_finished == 0).then_some(name))
    }

    async fn write_progress(&self, search: &Search, is_finished: bool, last: &[u8; 32]) -> Result<()> {
        let write = |out: &mut Vec<u8>| {
            out.push(u8::from(is_finished));
            out.extend_from_slice(last);
        };
        let sealed =
            self.keys.name_rows.seal(&self.entropy, &[&self.keys.store_id, search.label], 1 + last.len(), write);
        let value = sealed.map_err(|_| errors::corrupt())?.into();
        let put = internal::put(search.progress, value, When::Any);
        internal::commit(&*self.engine, STORE_TAG, vec![put], Durability::Relaxed).await.map(drop)
    }
}
