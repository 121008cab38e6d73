//! The housekeeping lease: of several processes that have a store open, its holder runs the sweeper. A row holds it, which the
//! holder renews each round. Two holders at a time would do no harm, only the same work twice.

use std::sync::atomic::Ordering;

use bailiwick_model::Result;
use bailiwick_store::{Durability, When};

use crate::errors;
use crate::rows::internal::{self, HOUSEKEEPING_LEASE, STORE_TAG};
use crate::tenant::store::Store;

impl Store {
    /// Makes the caller the housekeeper of this store in this process. `false`: there is one already, or the clock is fixed.
    pub fn become_housekeeper(&self) -> bool {
        self.clock.passes() && !self.has_housekeeper.swap(true, Ordering::Relaxed)
    }

    /// Takes or renews the lease for this process. `false`: another process holds it. Always `true` if the engine is not shared.
    ///
    /// # Errors
    /// Those of the store.
    pub async fn renew_housekeeping_lease(&self, milliseconds: u64) -> Result<bool> {
        if !self.engine.is_shared() {
            return Ok(true);
        }
        self.clock.follow(self.engine.clock()).await.map_err(errors::read)?;
        let now = self.clock.millis();
        let when = match internal::read(&*self.engine, STORE_TAG, HOUSEKEEPING_LEASE).await? {
            Some(row) => match self.open_lease(&row.value) {
                Some((holder, until)) if holder != self.process && until > now => return Ok(false),
                // Expired, our own, or corrupt.
                _ => When::Version(row.version),
            },
            None => When::Absent,
        };
        let value = self.seal_lease(now.saturating_add(milliseconds))?.into();
        let put = internal::put(HOUSEKEEPING_LEASE, value, when);
        internal::commit(&*self.engine, STORE_TAG, vec![put], Durability::Relaxed).await
    }

    fn seal_lease(&self, until: u64) -> Result<Vec<u8>> {
        let write = |out: &mut Vec<u8>| {
            out.extend_from_slice(&self.process);
            out.extend_from_slice(&until.to_be_bytes());
        };
        let sealed = self.keys.name_rows.seal(&self.entropy, &[&self.keys.store_id, b"watch"], 16 + 8, write);
        sealed.map_err(|_| errors::corrupt())
    }

    /// Returns the holder, and the end of the lease in epoch milliseconds.
    fn open_lease(&self, value: &[u8]) -> Option<([u8; 16], u64)> {
        let body = self.keys.name_rows.open(&[&self.keys.store_id, b"watch"], value).ok()?;
        let (process, until) = body.split_first_chunk::<16>()?;
        Some((*process, u64::from_be_bytes(until.try_into().ok()?)))
    }
}
