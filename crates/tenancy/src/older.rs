//! What a store has from before the sweeper looked after threads: messages of threads that are gone, with nothing that would
//! lead to them. Once in the life of such a store the sweeper goes through the tenants' headers, a few at a time, says of
//! each whose it is, and wakes it.
//!
//! A row beside the store's own says how far that has come: `u8(1 if it is over) ‖ name tag(32) of the last header`.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use bailiwick_model::{Error, Kind, Result};
use bailiwick_store::{
    Commit, CommitError, Durability, Found, Limits, Op, Place, Row, STORE_SLOT, ScanRequest, Tag, When,
};

use crate::failure;
use crate::keys::{TenantKeys, UnnamedKeys};
use crate::row::NAME_ROW;
use crate::store::Store;

/// Another item than the rows that tie the store to its keys and say who looks after it.
const PLACE: Place = Place { kind: NAME_ROW, item: [3; 32] };
const TAG: Tag = Tag(STORE_SLOT);
/// So many headers are gone through at a time.
const HEADERS: usize = 64;

impl Store {
    /// Goes on through the tenants of before, some of them. `true`: there are more. It costs nothing once it is over.
    ///
    /// # Errors
    /// Those of the store; then it is to be gone on with. A tenant whose keys or rows are damaged is passed over: nobody
    /// could read what it has left.
    pub async fn wake_older(self: &Arc<Self>) -> Result<bool> {
        if self.is_all_woken.load(Ordering::Relaxed) {
            return Ok(false);
        }
        let Some(after) = self.woken_so_far().await? else {
            self.is_all_woken.store(true, Ordering::Relaxed);
            return Ok(false);
        };
        let names = self.vault.names(Some(after), HEADERS).await.map_err(failure::read)?;
        for name in &names {
            match self.wake_one(name).await {
                Ok(()) | Err(Error::StoreCorrupt(_)) => {}
                Err(error) => return Err(error),
            }
        }
        let is_over = names.len() < HEADERS;
        self.note_woken(is_over, names.last().unwrap_or(&after)).await?;
        self.is_all_woken.store(is_over, Ordering::Relaxed);
        Ok(!is_over)
    }

    async fn wake_one(&self, name: &[u8; 32]) -> Result<()> {
        let Some(unnamed) = self.unnamed(name).await? else { return Ok(()) };
        let tag = unnamed.keys.tag;
        // Whatever a thread has left has a record, which goes last.
        let kind = Kind::Threads as u8;
        let (from, to, reverse, limit, most) = ([0; 32], [u8::MAX; 32], false, 1, u64::MAX);
        let request = ScanRequest { kind, from, to, reverse, limit, most, now: 0 };
        let scanned = self.engine.scan(tag, request).await.map_err(failure::read)?;
        let Some(row) = scanned.rows.first() else { return Ok(()) };
        let owner = unnamed.owner(&self.keys, tag, &row.place, &row.value).ok_or_else(failure::corrupt)?;
        let now = self.clock.millis();
        let ops = vec![self.owner_row(tag, &owner, &self.entropy)?, Op::Wake { kind, at: now }];
        let commit = Commit { tag, now, ops, limits: Limits::default(), durability: Durability::Relaxed };
        match self.engine.commit(commit).await {
            // It was erased meanwhile.
            Ok(_) | Err(CommitError::Closed) => Ok(()),
            Err(error) => Err(failure::commit(error)),
        }
    }

    async fn unnamed(&self, name: &[u8; 32]) -> Result<Option<UnnamedKeys>> {
        let keyring = self.keyring.read().await;
        let Some(slot) = self.vault.get(*name).await.map_err(failure::read)? else { return Ok(None) };
        TenantKeys::open_for_check(&slot.value, &keyring, &self.keys, name).map(Some)
    }

    /// The name after which to go on. `None`: it is over.
    async fn woken_so_far(&self) -> Result<Option<[u8; 32]>> {
        let found = self.engine.get(TAG, vec![(PLACE, None)], u64::MAX, 0).await.map_err(failure::read)?;
        let Some(Found::Entry(row)) = found.into_iter().next() else { return Ok(Some(STORE_SLOT)) };
        // One that cannot be opened says nothing.
        Ok(self.open_woken(&row).unwrap_or(Some(STORE_SLOT)))
    }

    fn open_woken(&self, row: &Row) -> Option<Option<[u8; 32]>> {
        let body = self.keys.name_rows.open(&[&self.keys.store_id, b"older"], &row.value).ok()?;
        let (is_over, name) = body.split_first()?;
        let name = name.try_into().ok()?;
        Some((*is_over == 0).then_some(name))
    }

    async fn note_woken(&self, is_over: bool, last: &[u8; 32]) -> Result<()> {
        let write = |out: &mut Vec<u8>| {
            out.push(u8::from(is_over));
            out.extend_from_slice(last);
        };
        let sealed = self.keys.name_rows.seal(&self.entropy, &[&self.keys.store_id, b"older"], 1 + last.len(), write);
        let value = sealed.map_err(|_| failure::corrupt())?.into();
        let put = Op::Put { place: PLACE, value, expires_at: None, counted: None, when: When::Any };
        let durability = Durability::Relaxed;
        let commit = Commit { tag: TAG, now: 0, ops: vec![put], limits: Limits::default(), durability };
        self.engine.commit(commit).await.map(drop).map_err(failure::commit)
    }

    /// Whether this is the place of that row.
    pub(crate) fn is_older_row(tag: Tag, place: &Place) -> bool {
        tag == TAG && *place == PLACE
    }
}
