//! Reading records by their names, through the cache of opened ones or past it. What a call reads is reserved first.

use std::sync::Arc;

use bailiwick_model::pace::{RECORD, ahead};
use bailiwick_model::{Kind, Result};
use bailiwick_store::{Found, Place, Version};

use crate::failure;
use crate::in_flight::Held;
use crate::opened::{Began, Record};
use crate::row::{self, Area, Name};
use crate::scope::Access;

/// The most bytes of what is read for one page, whatever the number of items that was asked for. One item that has more is
/// a page of its own.
pub const PAGE_BYTES: u64 = 16 << 20;
/// So much is read at once before it is known how much there is.
const FIRST_BYTES: u64 = 64 << 10;
/// How often rows are read again that have grown meanwhile.
const ATTEMPTS: usize = 16;

/// A row that the engine is asked for: which of the wanted ones, where it lies, and when that was.
type Asked = (usize, Place, Began);
type Records = Vec<Option<Arc<Record>>>;

impl Access {
    /// The same access for a call: what is read with it is reserved in what the call holds, and stays so until it is
    /// answered.
    #[must_use]
    pub fn within(mut self, held: Option<&Arc<Held>>) -> Self {
        self.held = held.cloned();
        self
    }

    /// Reserves what is read next, all at once, and gives an access that reserves nothing more.
    ///
    /// # Errors
    /// `TooMuchInFlight` if there is no room for it in what the tenant's calls may hold.
    pub fn reserved(&self, bytes: u64) -> Result<Self> {
        self.reserve(bytes)?;
        Ok(Self { held: None, ..self.clone() })
    }

    /// Reserves bytes that are about to be taken.
    ///
    /// # Errors
    /// As [`Access::reserved`].
    pub fn reserve(&self, bytes: u64) -> Result<()> {
        self.held.as_ref().map_or(Ok(()), |held| held.try_add(bytes))
    }

    /// Reserves a part of the room that is left, at most `most`. Without a call there is room for that much.
    pub(crate) fn reserve_part(&self, most: u64) -> u64 {
        self.held.as_ref().map_or(most, |held| held.add_part(most))
    }

    pub(crate) fn give_back(&self, bytes: u64) {
        if let Some(held) = &self.held {
            held.give_back(bytes);
        }
    }

    /// Reads a record. `None`: absent, expired, erased or foreign, which are one and the same here.
    ///
    /// # Errors
    /// `StoreCorrupt`, `StoreUnavailable`, `Closed`; `TooMuchInFlight` for more than the call has room for.
    pub async fn read(&self, kind: Kind, area: Area, name: Name) -> Result<Option<Arc<Record>>> {
        Ok(self.read_many(kind, area, &[name]).await?.pop().flatten())
    }

    /// Reads records, in the order asked.
    ///
    /// # Errors
    /// As [`Access::read`].
    pub async fn read_many(&self, kind: Kind, area: Area, names: &[Name]) -> Result<Records> {
        // Looking at those that are at hand; opening the others comes on top.
        ahead(RECORD / 2 * names.len() as u64).await;
        let places: Vec<Place> = names.iter().map(|name| row::place(kind, area, *name)).collect();
        let (opened, tag, now) = (&self.state.store.opened, self.keys.tag, self.now());
        let records: Records = places.iter().map(|place| opened.get(tag, *place, now)).collect();
        self.reserve(bytes_of(&records))?;
        self.read_missing(&places, records).await
    }

    /// Reads rows of one item past the cache of opened records, in the order asked: what they were at some time after
    /// this was called. For those who were told of a conflict, and where a conflict would be blamed on the caller.
    ///
    /// # Errors
    /// As [`Access::read`].
    pub async fn read_current(&self, kind: Kind, rows: &[(Area, Name)]) -> Result<Records> {
        let places: Vec<Place> = rows.iter().map(|(area, name)| row::place(kind, *area, *name)).collect();
        self.read_missing(&places, vec![None; rows.len()]).await
    }

    /// Reads the first of these records, as many as a page has room for: one at least, if there are any.
    ///
    /// # Errors
    /// As [`Access::read`], if there is no room for the first.
    pub async fn read_page(&self, kind: Kind, area: Area, names: &[Name]) -> Result<Records> {
        let places: Vec<Place> = names.iter().map(|name| row::place(kind, area, *name)).collect();
        // Looking at those that are at hand; opening the others comes on top.
        ahead(RECORD / 2 * names.len() as u64).await;
        let (opened, tag, now) = (&self.state.store.opened, self.keys.tag, self.now());
        let most = self.reserve_part(PAGE_BYTES);
        let mut left = most;
        let mut records = Records::with_capacity(places.len());
        for place in &places {
            let record = opened.get(tag, *place, now);
            let bytes = record.as_ref().map_or(0, |record| record.body.len() as u64);
            match left.checked_sub(bytes) {
                Some(rest) => left = rest,
                None => break,
            }
            records.push(record);
        }
        let asked = self.asked(&places, &records);
        if !asked.is_empty() {
            let found = self.state.store.engine.get(tag, wanted(&asked, &records), left, now).await;
            let found = found.map_err(failure::read)?;
            let first = found.iter().position(|found| matches!(found, Found::Large { .. }));
            let end = first.and_then(|first| asked.get(first)).map_or(records.len(), |(at, ..)| *at);
            records.truncate(end);
            self.fill(asked.into_iter().take(first.unwrap_or(usize::MAX)), found, &mut records).await?;
        }
        self.give_back(most.saturating_sub(bytes_of(&records)));
        match names.first() {
            Some(first) if records.is_empty() => Ok(vec![self.read(kind, area, *first).await?]),
            _ => Ok(records),
        }
    }

    /// Fills the gaps from the engine. Where other processes may have changed what is known, it confirms that too: an
    /// unchanged row comes without its value.
    async fn read_missing(&self, places: &[Place], mut records: Records) -> Result<Records> {
        let asked = self.asked(places, &records);
        if !asked.is_empty() {
            let found = self.find(wanted(&asked, &records)).await?;
            self.fill(asked.into_iter(), found, &mut records).await?;
        }
        Ok(records)
    }

    /// The rows that the engine must be asked for.
    fn asked(&self, places: &[Place], records: &[Option<Arc<Record>>]) -> Vec<Asked> {
        let (store, tag) = (&self.state.store, self.keys.tag);
        let is_shared = store.engine.is_shared();
        let missing = places.iter().zip(records).enumerate().filter(|(_, (_, record))| is_shared || record.is_none());
        missing.map(|(at, (place, _))| (at, *place, store.opened.began(tag, *place))).collect()
    }

    /// Looks rows up. A call reads little before it is known how much there is, and the rest when that is reserved.
    async fn find(&self, wanted: Vec<(Place, Option<Version>)>) -> Result<Vec<Found>> {
        let (engine, tag, now) = (&self.state.store.engine, self.keys.tag, self.now());
        let Some(held) = &self.held else {
            return engine.get(tag, wanted, u64::MAX, now).await.map_err(failure::read);
        };
        let mut room = held.add_part(FIRST_BYTES);
        let mut found = engine.get(tag, wanted.clone(), room, now).await.map_err(failure::read)?;
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
            let more = engine.get(tag, again, room, now).await.map_err(failure::read)?;
            room = room.saturating_sub(more.iter().map(value_bytes).sum());
            for ((at, _), more) in large.into_iter().zip(more) {
                if let Some(place) = found.get_mut(at) {
                    *place = more;
                }
            }
        }
        held.give_back(room);
        if found.iter().enumerate().any(|found| large(found).is_some()) {
            return Err(failure::contended());
        }
        Ok(found)
    }

    /// Opens what was found and puts it where it was missing.
    async fn fill(
        &self,
        asked: impl Iterator<Item = Asked> + Send,
        found: Vec<Found>,
        records: &mut [Option<Arc<Record>>],
    ) -> Result<()> {
        let (opened, tag) = (&self.state.store.opened, self.keys.tag);
        for ((at, place, began), found) in asked.zip(found) {
            let Some(record) = records.get_mut(at) else { continue };
            match found {
                Found::Absent if record.take().is_some() => opened.committed(tag, place, None),
                Found::Absent | Found::NotModified { .. } | Found::Large { .. } => {}
                Found::Entry(row) => {
                    *record = None;
                    ahead(RECORD + row.value.len() as u64).await;
                    let Some(body) = self.open_row(&place, &row.value)? else { continue };
                    let read = Arc::new(Record { version: row.version, expires_at: row.expires_at, body });
                    if row::is_kept_open(&place) {
                        opened.keep(tag, place, read.clone(), began);
                    }
                    *record = Some(read);
                }
            }
        }
        Ok(())
    }
}

fn wanted(asked: &[Asked], records: &[Option<Arc<Record>>]) -> Vec<(Place, Option<Version>)> {
    let known = |at: &usize| records.get(*at).and_then(Option::as_ref).map(|known| known.version);
    asked.iter().map(|(at, place, _)| (*place, known(at))).collect()
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
