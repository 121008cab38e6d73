//! Who looks after a store that several processes have open: the one that stands in a row of its own, which it writes
//! anew each round. Two at a time would do no harm, only the same work twice.

use bailiwick_model::Result;
use bailiwick_store::{Commit, CommitError, Durability, Found, Limits, Op, Place, STORE_SLOT, Tag, When};

use crate::failure;
use crate::row::NAME_ROW;
use crate::store::Store;

/// Another item than the row that ties the store to its keys.
const PLACE: Place = Place { kind: NAME_ROW, item: [2; 32] };
const TAG: Tag = Tag(STORE_SLOT);

impl Store {
    /// Whether it is this process that looks after the store for the next `milliseconds`: always, where there are no
    /// others.
    ///
    /// # Errors
    /// Those of the store.
    pub async fn holds_watch(&self, milliseconds: u64) -> Result<bool> {
        if !self.engine.is_shared() {
            return Ok(true);
        }
        self.clock.go_by(self.engine.clock()).await.map_err(failure::read)?;
        let now = self.clock.millis();
        let found = self.engine.get(TAG, vec![(PLACE, None)], u64::MAX, now).await.map_err(failure::read)?;
        let when = match found.into_iter().next() {
            Some(Found::Entry(row)) => match self.open_watch(&row.value) {
                Some((holder, until)) if holder != self.process && until > now => return Ok(false),
                // One that cannot be opened says nothing.
                _ => When::Version(row.version),
            },
            _ => When::Absent,
        };
        let value = self.seal_watch(now.saturating_add(milliseconds))?.into();
        let put = Op::Put { place: PLACE, value, expires_at: None, counted: None, when };
        let commit =
            Commit { tag: TAG, now, ops: vec![put], limits: Limits::default(), durability: Durability::Relaxed };
        match self.engine.commit(commit).await {
            Ok(_) => Ok(true),
            Err(CommitError::Conflict { .. }) => Ok(false),
            Err(error) => Err(failure::commit(error)),
        }
    }

    /// Whether this is the place of that row.
    pub(crate) fn is_watch_row(tag: Tag, place: &Place) -> bool {
        tag == TAG && *place == PLACE
    }

    fn seal_watch(&self, until: u64) -> Result<Vec<u8>> {
        let write = |out: &mut Vec<u8>| {
            out.extend_from_slice(&self.process);
            out.extend_from_slice(&until.to_be_bytes());
        };
        let sealed = self.keys.name_rows.seal(&self.entropy, &[&self.keys.store_id, b"watch"], 16 + 8, write);
        sealed.map_err(|_| failure::corrupt())
    }

    /// Who it is, and until when in epoch milliseconds.
    fn open_watch(&self, value: &[u8]) -> Option<([u8; 16], u64)> {
        let body = self.keys.name_rows.open(&[&self.keys.store_id, b"watch"], value).ok()?;
        let (process, until) = body.split_first_chunk::<16>()?;
        Some((*process, u64::from_be_bytes(until.try_into().ok()?)))
    }
}
