//! Reading records by name, through the record cache or past it. The bytes of a read are reserved first.

use std::sync::Arc;

use bailiwick_model::pace::{RECORD, ahead};
use bailiwick_model::{Kind, Result};
use bailiwick_store::{Found, Place, Version};

use crate::errors;
use crate::rows::record_cache::{ReadEpoch, Record};
use crate::rows::{self, Area, Name};
use crate::tenant::reservation::Reservation;
use crate::tenant::scope::Access;

/// The most bytes that are read for one page, whatever its limit. A larger item is a page of its own.
pub const PAGE_BYTES: u64 = 16 << 20;
/// The bytes that are reserved for a read before its size is known.
const FIRST_BYTES: u64 = 64 << 10;
/// How often rows are read again that have grown meanwhile.
const ATTEMPTS: usize = 16;

/// A row that is read from the engine: the index of the wanted place, the place, and when the read began.
type Missing = (usize, Place, ReadEpoch);
type Records = Vec<Option<Arc<Record>>>;

impl Access {
    /// Returns the same access for a call: what is read is reserved for that call until it is answered.
    #[must_use]
    pub fn within(mut self, held: Option<&Arc<Reservation>>) -> Self {
        self.held = held.cloned();
        self
    }

    /// Reserves the bytes of all following reads. Returns an access that reserves nothing more.
    ///
    /// # Errors
    /// `TooMuchInFlight` beyond the tenant's limit.
    pub fn reserved(&self, bytes: u64) -> Result<Self> {
        self.reserve(bytes)?;
        Ok(Self { held: None, ..self.clone() })
    }

    /// Reserves bytes.
    ///
    /// # Errors
    /// As [`Access::reserved`].
    pub fn reserve(&self, bytes: u64) -> Result<()> {
        self.held.as_ref().map_or(Ok(()), |held| held.try_add(bytes))
    }

    /// Reserves a part of what is left, at most `most`. Returns the bytes; `most` without a reservation.
    pub(crate) fn reserve_part(&self, most: u64) -> u64 {
        self.held.as_ref().map_or(most, |held| held.add_part(most))
    }

    pub(crate) fn give_back(&self, bytes: u64) {
        if let Some(held) = &self.held {
            held.give_back(bytes);
        }
    }

    /// Reads a record. `None`: absent, expired, erased or foreign, without any difference.
    ///
    /// # Errors
    /// `StoreCorrupt`, `StoreUnavailable`, `Closed`; `TooMuchInFlight` beyond the tenant's limit.
    pub async fn read(&self, kind: Kind, area: Area, name: Name) -> Result<Option<Arc<Record>>> {
        Ok(self.read_many(kind, area, &[name]).await?.pop().flatten())
    }

    /// Reads records, in the order of the names.
    ///
    /// # Errors
    /// As [`Access::read`].
    pub async fn read_many(&self, kind: Kind, area: Area, names: &[Name]) -> Result<Records> {
        // For the look-ups in the cache; decryption is paced on its own.
        ahead(RECORD / 2 * names.len() as u64).await;
        let places: Vec<Place> = names.iter().map(|name| rows::place(kind, area, *name)).collect();
        let (record_cache, tag, now) = (&self.state.store.record_cache, self.keys.tag, self.now());
        let records: Records = places.iter().map(|place| record_cache.get(tag, *place, now)).collect();
        self.reserve(bytes_of(&records))?;
        self.read_missing(&places, records).await
    }

    /// Reads rows past the record cache, in the given order: as they were at some time after this call. For retries after a
    /// conflict, and where a conflict would be reported to the caller.
    ///
    /// # Errors
    /// As [`Access::read`].
    pub async fn read_current(&self, kind: Kind, rows: &[(Area, Name)]) -> Result<Records> {
        let places: Vec<Place> = rows.iter().map(|(area, name)| rows::place(kind, *area, *name)).collect();
        self.read_missing(&places, vec![None; rows.len()]).await
    }

    /// Reads the first of these records, as many as fit in a page: at least one, if there are any.
    ///
    /// # Errors
    /// As [`Access::read`], if the first exceeds the tenant's limit.
    pub async fn read_page(&self, kind: Kind, area: Area, names: &[Name]) -> Result<Records> {
        let places: Vec<Place> = names.iter().map(|name| rows::place(kind, area, *name)).collect();
        // For the look-ups in the cache; decryption is paced on its own.
        ahead(RECORD / 2 * names.len() as u64).await;
        let (record_cache, tag, now) = (&self.state.store.record_cache, self.keys.tag, self.now());
        let most = self.reserve_part(PAGE_BYTES);
        let mut left = most;
        let mut records = Records::with_capacity(places.len());
        for place in &places {
            let record = record_cache.get(tag, *place, now);
            let bytes = record.as_ref().map_or(0, |record| record.body.len() as u64);
            match left.checked_sub(bytes) {
                Some(rest) => left = rest,
                None => break,
            }
            records.push(record);
        }
        let missing = self.missing(&places, &records);
        if !missing.is_empty() {
            let found = self.state.store.engine.get(tag, wanted(&missing, &records), left, now).await;
            let found = found.map_err(errors::read)?;
            let first = found.iter().position(|found| matches!(found, Found::Large { .. }));
            let end = first.and_then(|first| missing.get(first)).map_or(records.len(), |(at, ..)| *at);
            records.truncate(end);
            self.fill(missing.into_iter().take(first.unwrap_or(usize::MAX)), found, &mut records).await?;
        }
        self.give_back(most.saturating_sub(bytes_of(&records)));
        match names.first() {
            Some(first) if records.is_empty() => Ok(vec![self.read(kind, area, *first).await?]),
            _ => Ok(records),
        }
    }

    /// Reads the records that are not cached from the engine. On a shared engine it also revalidates the cached ones: an unchanged
    /// row comes without its value.
    async fn read_missing(&self, places: &[Place], mut records: Records) -> Result<Records> {
        let missing = self.missing(places, &records);
        if !missing.is_empty() {
            let found = self.find(wanted(&missing, &records)).await?;
            self.fill(missing.into_iter(), found, &mut records).await?;
        }
        Ok(records)
    }

    /// Returns the rows to read from the engine.
    fn missing(&self, places: &[Place], records: &[Option<Arc<Record>>]) -> Vec<Missing> {
        let (store, tag) = (&self.state.store, self.keys.tag);
        let is_shared = store.engine.is_shared();
        let rows = places.iter().zip(records).enumerate().filter(|(_, (_, record))| is_shared || record.is_none());
        rows.map(|(at, (place, _))| (at, *place, store.record_cache.begin_read(tag, *place))).collect()
    }

    /// Looks up rows. A call reads a few bytes before the size is known, and the rest after it was reserved.
    async fn find(&self, wanted: Vec<(Place, Option<Version>)>) -> Result<Vec<Found>> {
        let (engine, tag, now) = (&self.state.store.engine, self.keys.tag, self.now());
        let Some(held) = &self.held else {
            return engine.get(tag, wanted, u64::MAX, now).await.map_err(errors::read);
        };
        let mut room = held.add_part(FIRST_BYTES);
        let mut found = engine.get(tag, wanted.clone(), room, now).await.map_err(errors::read)?;
        room = room.saturating_sub(found.iter().map(value_bytes).sum());
        for _ in 0..ATTEMPTS {
            let large: Vec<(usize, u64)> = found.iter().enumerate().filter_map(large).collect();
            if large.is_empty() {
                break;
            }
            let needed = large.iter().map(|(_, bytes)| bytes).sum::<u64>();
            held.try_add(needed.saturating_sub(room))?;
            room = room.max(needed);
            let again: Vec<_> = large.iter().filter_map(|(at, _)| wanted.get(*at).copied()).collect();
            let more = engine.get(tag, again, room, now).await.map_err(errors::read)?;
            room = room.saturating_sub(more.iter().map(value_bytes).sum());
            for ((at, _), more) in large.into_iter().zip(more) {
                if let Some(place) = found.get_mut(at) {
                    *place = more;
                }
            }
        }
        held.give_back(room);
        if found.iter().enumerate().any(|found| large(found).is_some()) {
            return Err(errors::contended());
        }
        Ok(found)
    }

    /// Opens the rows that were found and stores them in `records`.
    async fn fill(
        &self,
        missing: impl Iterator<Item = Missing> + Send,
        found: Vec<Found>,
        records: &mut [Option<Arc<Record>>],
    ) -> Result<()> {
        let (record_cache, tag) = (&self.state.store.record_cache, self.keys.tag);
        for ((at, place, epoch), found) in missing.zip(found) {
            let Some(record) = records.get_mut(at) else { continue };
            match found {
                Found::Absent if record.take().is_some() => record_cache.committed(tag, place, None),
                Found::Absent | Found::NotModified { .. } | Found::Large { .. } => {}
                Found::Entry(row) => {
                    *record = None;
                    ahead(RECORD + row.value.len() as u64).await;
                    let Some(body) = self.open_row(&place, &row.value)? else { continue };
                    let read = Arc::new(Record { version: row.version, expires_at: row.expires_at, body });
                    if rows::is_cached(&place) {
                        record_cache.insert(tag, place, read.clone(), epoch);
                    }
                    *record = Some(read);
                }
            }
        }
        Ok(())
    }
}

fn wanted(missing: &[Missing], records: &[Option<Arc<Record>>]) -> Vec<(Place, Option<Version>)> {
    let known = |at: &usize| records.get(*at).and_then(Option::as_ref).map(|known| known.version);
    missing.iter().map(|(at, place, _)| (*place, known(at))).collect()
}

fn large((at, found): (usize, &Found)) -> Option<(usize, u64)> {
    if let Found::Large { bytes } = found { Some((at, *bytes)) } else { None }
}

fn value_bytes(found: &Found) -> u64 {
    if let Found::Entry(row) = found { row.value.len() as u64 } else { 0 }
}

fn bytes_of(records: &[Option<Arc<Record>>]) -> u64 {
    records.iter().flatten().map(|record| record.body.len() as u64).sum()
}
