//! Reading records by their names, through the cache of opened ones or past it.

use std::sync::Arc;

use bailiwick_model::pace::{RECORD, ahead};
use bailiwick_model::{Kind, Result};
use bailiwick_store::{Found, Place};

use crate::failure;
use crate::opened::Record;
use crate::row::{self, Area, Name};
use crate::scope::Access;

impl Access {
    /// Reads a record. `None`: absent, expired, erased or foreign, which are one and the same here.
    ///
    /// # Errors
    /// `StoreCorrupt`, `StoreUnavailable`, `Closed`.
    pub async fn read(&self, kind: Kind, area: Area, name: Name) -> Result<Option<Arc<Record>>> {
        Ok(self.read_many(kind, area, &[name]).await?.pop().flatten())
    }

    /// Reads records, in the order asked.
    ///
    /// # Errors
    /// As [`Access::read`].
    pub async fn read_many(&self, kind: Kind, area: Area, names: &[Name]) -> Result<Vec<Option<Arc<Record>>>> {
        // Looking at those that are at hand; opening the others comes on top.
        ahead(RECORD / 2 * names.len() as u64).await;
        let places: Vec<Place> = names.iter().map(|name| row::place(kind, area, *name)).collect();
        let (opened, tag, now) = (&self.state.store.opened, self.keys.tag, self.now());
        let records = places.iter().map(|place| opened.get(tag, *place, now)).collect();
        self.read_missing(&places, records).await
    }

    /// Reads rows of one item past the cache of opened records, in the order asked: what they were at some time after
    /// this was called. For those who were told of a conflict, and where a conflict would be blamed on the caller.
    ///
    /// # Errors
    /// As [`Access::read`].
    pub async fn read_current(&self, kind: Kind, rows: &[(Area, Name)]) -> Result<Vec<Option<Arc<Record>>>> {
        let places: Vec<Place> = rows.iter().map(|(area, name)| row::place(kind, *area, *name)).collect();
        self.read_missing(&places, vec![None; rows.len()]).await
    }

    /// Fills the gaps from the engine. Where other processes may have changed what is known, it confirms that too: an
    /// unchanged row comes without its value.
    async fn read_missing(
        &self,
        places: &[Place],
        mut records: Vec<Option<Arc<Record>>>,
    ) -> Result<Vec<Option<Arc<Record>>>> {
        let (store, tag, now) = (&self.state.store, self.keys.tag, self.now());
        let is_shared = store.engine.is_shared();
        let asked: Vec<_> = (records.iter_mut().zip(places))
            .filter(|(record, _)| is_shared || record.is_none())
            .map(|(record, place)| (record, *place, store.opened.began(tag, *place)))
            .collect();
        if asked.is_empty() {
            return Ok(records);
        }
        let wanted = asked.iter().map(|(record, place, _)| (*place, record.as_ref().map(|known| known.version)));
        let found = store.engine.get(tag, wanted.collect(), now).await.map_err(failure::read)?;
        for ((record, place, began), found) in asked.into_iter().zip(found) {
            match found {
                Found::Absent if record.take().is_some() => store.opened.committed(tag, place, None),
                Found::Absent | Found::NotModified { .. } => {}
                Found::Entry(row) => {
                    *record = None;
                    ahead(RECORD + row.value.len() as u64).await;
                    let Some(body) = self.open_row(&place, &row.value)? else { continue };
                    let read = Arc::new(Record { version: row.version, expires_at: row.expires_at, body });
                    store.opened.keep(tag, place, read.clone(), began);
                    *record = Some(read);
                }
            }
        }
        Ok(records)
    }
}
