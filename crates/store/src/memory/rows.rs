//! The engine in memory: one ordered map under one lock.

use std::collections::{BTreeMap, HashMap};
use std::convert::Infallible;
use std::future::ready;
use std::sync::Arc;

use bytes::Bytes;
use parking_lot::Mutex;

use super::secrets::MemoryVault;
use crate::engine::{
    Commit, CommitError, Engine, EngineFuture, EngineLimits, Found, Health, Millis, Place, ReadError, Row, ScanRequest,
    Tag, Usage, Version, record_key,
};
use crate::stage::{Entry, LIMITS, Refusal, answer, check_sizes, stage};

type Key = [u8; 66];

/// The item is the last 32 bytes of the key.
const ITEM_AT: usize = 34;

#[derive(Default)]
struct Rows {
    rows: BTreeMap<Key, Entry<Bytes>>,
    usage: HashMap<Tag, Usage>,
    /// The last version given out.
    version: u64,
}

/// See [`super::open`].
pub(crate) struct MemoryEngine {
    /// `None` once closed.
    rows: Mutex<Option<Rows>>,
    vault: Arc<MemoryVault>,
}

impl MemoryEngine {
    pub(crate) fn new(vault: Arc<MemoryVault>) -> Self {
        Self { rows: Mutex::new(Some(Rows::default())), vault }
    }

    fn read<T>(&self, read: impl FnOnce(&Rows) -> T) -> Result<T, ReadError> {
        self.rows.lock().as_ref().map(read).ok_or(ReadError::Closed)
    }
}

impl Rows {
    fn apply(&mut self, commit: &Commit) -> Result<Version, CommitError> {
        check_sizes(commit)?;
        let version = self.version + 1;
        let none = Usage::new();
        let usage = self.usage.get(&commit.tag).unwrap_or(&none);
        let look =
            |place: &Place| -> Result<_, Infallible> { Ok(self.rows.get(&record_key(&commit.tag, place)).cloned()) };
        // A value may be a slice of something much larger: copied, so as not to keep all of it.
        let keep = |_, value: &Bytes| Bytes::copy_from_slice(value);
        let staged = stage(commit, version, usage, keep, look).map_err(|refusal| match refusal {
            Refusal::Commit(error) => error,
            Refusal::Read(never) => match never {},
        })?;
        let answer = answer(&staged, version);
        if staged.changes.is_empty() {
            return Ok(answer);
        }
        self.version = version;
        for change in staged.changes {
            let key = record_key(&commit.tag, &change.place);
            match change.after {
                Some(entry) => self.rows.insert(key, entry),
                None => self.rows.remove(&key),
            };
        }
        if let Some(usage) = staged.usage {
            self.usage.insert(commit.tag, usage);
        }
        Ok(answer)
    }

    fn find(&self, tag: &Tag, place: Place, known: Option<Version>, now: Millis) -> Found {
        match self.rows.get(&record_key(tag, &place)) {
            Some(entry) if entry.is_live(now) => {
                if known == Some(Version(entry.version)) {
                    Found::NotModified { expires_at: entry.expires_at }
                } else {
                    Found::Entry(row(place, entry))
                }
            }
            _ => Found::Absent,
        }
    }

    fn scan(&self, tag: &Tag, request: &ScanRequest) -> Vec<Row> {
        if request.from > request.to {
            return Vec::new();
        }
        let bound = |item| record_key(tag, &Place { kind: request.kind, item });
        let range = self.rows.range(bound(request.from)..=bound(request.to));
        let live = |(key, entry): (&Key, &Entry<Bytes>)| {
            let item = key.get(ITEM_AT..)?.try_into().ok()?;
            entry.is_live(request.now).then(|| row(Place { kind: request.kind, item }, entry))
        };
        if request.reverse {
            range.rev().filter_map(live).take(request.limit).collect()
        } else {
            range.filter_map(live).take(request.limit).collect()
        }
    }
}

fn row(place: Place, entry: &Entry<Bytes>) -> Row {
    Row { place, version: Version(entry.version), expires_at: entry.expires_at, value: entry.value.clone() }
}

impl Engine for MemoryEngine {
    fn limits(&self) -> EngineLimits {
        LIMITS
    }

    fn commit(&self, commit: Commit) -> EngineFuture<'_, Result<Version, CommitError>> {
        let result = match self.rows.lock().as_mut() {
            Some(rows) => rows.apply(&commit),
            None => Err(CommitError::Closed),
        };
        Box::pin(ready(result))
    }

    fn get(
        &self,
        tag: Tag,
        wanted: Vec<(Place, Option<Version>)>,
        now: Millis,
    ) -> EngineFuture<'_, Result<Vec<Found>, ReadError>> {
        let find = |rows: &Rows| wanted.into_iter().map(|(place, known)| rows.find(&tag, place, known, now)).collect();
        Box::pin(ready(self.read(find)))
    }

    fn scan(&self, tag: Tag, request: ScanRequest) -> EngineFuture<'_, Result<Vec<Row>, ReadError>> {
        Box::pin(ready(self.read(|rows| rows.scan(&tag, &request))))
    }

    fn usage(&self, tag: Tag) -> EngineFuture<'_, Result<Usage, ReadError>> {
        Box::pin(ready(self.read(|rows| rows.usage.get(&tag).cloned().unwrap_or_default())))
    }

    fn health(&self) -> EngineFuture<'_, Health> {
        let ok = self.rows.lock().is_some();
        let problems = if ok { Vec::new() } else { vec!["the store is closed".to_owned()] };
        Box::pin(ready(Health { ok, problems }))
    }

    fn close(&self) -> EngineFuture<'_, ()> {
        *self.rows.lock() = None;
        self.vault.close();
        Box::pin(ready(()))
    }
}
