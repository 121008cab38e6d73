//! The engine in memory: one ordered map under one lock.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::convert::Infallible;
use std::future::ready;
use std::ops::Bound;
use std::sync::Arc;

use bailiwick_model::pace::{RECORD, ahead};
use bytes::Bytes;
use parking_lot::Mutex;

use super::secrets::MemoryVault;
use crate::engine::{
    Commit, CommitError, Due, Engine, EngineFuture, EngineLimits, Export, Exported, Found, Health, Kinds, Millis,
    Place, Promptness, ReadError, Row, ScanRequest, Scanned, Tag, Usage, Version, address, record_key,
};
use crate::room::Room;
use crate::stage::{Entry, LIMITS, Refusal, answer, check_sizes, expiries, stage, wakes};

type Key = [u8; 66];

/// The rows that are exported at once.
const EXPORTED: usize = 256;
/// The rows that a sweep looks at, or an erase removes, before other callers get a turn.
const PART: usize = 1024;
/// The cost of that.
const PART_COST: u64 = PART as u64 * RECORD / 8;

#[derive(Default)]
struct Rows {
    rows: BTreeMap<Key, Entry<Bytes>>,
    usage: HashMap<Tag, Usage>,
    /// The due times of kinds.
    dues: BTreeSet<(Millis, Due)>,
    /// Erased tags, to which no commit may write.
    erased: HashSet<Tag>,
    /// The last assigned version.
    version: u64,
}

/// See [`super::open`].
pub(crate) struct MemoryEngine {
    /// `None` after closing.
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

    fn change<T>(&self, change: impl FnOnce(&mut Rows) -> T) -> Result<T, CommitError> {
        self.rows.lock().as_mut().map(change).ok_or(CommitError::Closed)
    }
}

impl Rows {
    fn apply(&mut self, commit: &Commit) -> Result<Version, CommitError> {
        check_sizes(commit)?;
        if self.erased.contains(&commit.tag) {
            return Err(CommitError::Closed);
        }
        let version = self.version + 1;
        let none = Usage::new();
        let usage = self.usage.get(&commit.tag).unwrap_or(&none);
        let look =
            |place: &Place| -> Result<_, Infallible> { Ok(self.rows.get(&record_key(&commit.tag, place)).cloned()) };
        let keep = |_, value: &Bytes| value.clone();
        let staged = stage(commit, version, usage, keep, look).map_err(|refusal| match refusal {
            Refusal::Commit(error) => error,
            Refusal::Read(never) => match never {},
        })?;
        let answer = answer(&staged, version);
        let tag = commit.tag;
        let dues = expiries(&staged.changes).chain(wakes(commit));
        self.dues.extend(dues.map(|(at, kind)| (at, Due { tag, kind })));
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

    fn find(&self, tag: &Tag, place: Place, known: Option<Version>, room: &mut Room, now: Millis) -> Found {
        match self.rows.get(&record_key(tag, &place)) {
            Some(entry) if entry.is_live(now) => {
                if known == Some(Version(entry.version)) {
                    Found::NotModified { expires_at: entry.expires_at }
                } else if room.takes(entry.value.len() as u64) {
                    Found::Entry(row(place, entry))
                } else {
                    Found::Large { bytes: entry.value.len() as u64 }
                }
            }
            _ => Found::Absent,
        }
    }

    fn scan(&self, tag: &Tag, request: &ScanRequest) -> Scanned {
        let mut scanned = Scanned::default();
        if request.from > request.to {
            return scanned;
        }
        let bound = |item| record_key(tag, &Place { kind: request.kind, item });
        let range = self.rows.range(bound(request.from)..=bound(request.to));
        let mut room = Room::new(request.most);
        let mut take = |(key, entry): (&Key, &Entry<Bytes>)| {
            let Some((_, place)) = address(key).filter(|_| entry.is_live(request.now)) else { return true };
            if scanned.rows.len() >= request.limit {
                return false;
            }
            let bytes = entry.value.len() as u64;
            let fits = room.takes(bytes);
            if fits {
                scanned.rows.push(row(place, entry))
            } else {
                scanned.beyond = Some(bytes)
            }
            fits
        };
        if request.reverse {
            range.rev().all(&mut take)
        } else {
            range.into_iter().all(&mut take)
        };
        scanned
    }
}

fn keys_of(tag: &Tag) -> std::ops::RangeInclusive<Key> {
    record_key(tag, &Place { kind: 0, item: [0; 32] })..=record_key(tag, &Place { kind: u8::MAX, item: [u8::MAX; 32] })
}

impl Rows {
    fn due(&self, now: Millis, kinds: Kinds, limit: usize) -> Vec<Due> {
        let mut named = HashSet::new();
        let due = self.dues.iter().take_while(|(at, _)| *at <= now).map(|(_, due)| *due);
        due.filter(|due| kinds.has(due.kind) && named.insert(*due)).take(limit).collect()
    }

    /// Removes the times at which this is due by `now`, and returns them.
    fn take_dues(&mut self, due: Due, now: Millis) -> Vec<Millis> {
        let past = self.dues.iter().take_while(|(at, _)| *at <= now);
        let times: Vec<Millis> = past.filter(|(_, known)| *known == due).map(|(at, _)| *at).collect();
        for at in &times {
            self.dues.remove(&(*at, due));
        }
        times
    }

    /// Removes expired rows among the next ones behind `from`. Returns how many there were, and where to go on.
    fn sweep(&mut self, due: Due, now: Millis, from: Bound<Key>) -> (u64, Option<Bound<Key>>) {
        let last = record_key(&due.tag, &Place { kind: due.kind, item: [u8::MAX; 32] });
        let (mut expired, mut seen, mut end) = (Vec::new(), 0, None);
        for (key, entry) in self.rows.range((from, Bound::Included(last))).take(PART) {
            (seen, end) = (seen + 1, Some(Bound::Excluded(*key)));
            if !entry.is_live(now) {
                expired.push(*key);
            }
        }
        for key in &expired {
            let counted = self.rows.remove(key).and_then(|entry| entry.counted);
            let count = self.usage.get_mut(&due.tag).and_then(|usage| usage.get_mut(&due.kind));
            if let (Some(bytes), Some(count)) = (counted, count) {
                count.items = count.items.saturating_sub(1);
                count.bytes = count.bytes.saturating_sub(bytes);
            }
        }
        (expired.len() as u64, end.filter(|_| seen == PART))
    }

    fn begin_erase(&mut self, tag: Tag) {
        self.erased.insert(tag);
        self.usage.remove(&tag);
        self.dues.retain(|(_, due)| due.tag != tag);
    }

    /// Removes some rows of a tag. `false`: none is left.
    fn erase(&mut self, tag: Tag) -> bool {
        let keys: Vec<Key> = self.rows.range(keys_of(&tag)).take(PART).map(|(key, _)| *key).collect();
        for key in &keys {
            self.rows.remove(key);
        }
        keys.len() == PART
    }

    fn export(&self) -> Vec<Exported> {
        let rows = self.rows.iter().filter_map(|(key, entry)| {
            let (tag, place) = address(key)?;
            Some(Exported::Row { tag, row: row(place, entry), counted: entry.counted })
        });
        rows.chain(self.dues.iter().map(|(at, due)| Exported::Wake { due: *due, at: *at })).collect()
    }
}

/// A sweep that has begun. Dropping it before its end makes the kind due again.
struct Sweep<'a> {
    engine: &'a MemoryEngine,
    due: Due,
    times: Vec<Millis>,
}

impl Sweep<'_> {
    async fn run(mut self, now: Millis) -> Result<u64, CommitError> {
        let Due { tag, kind } = self.due;
        self.times = self.engine.change(|rows| rows.take_dues(self.due, now))?;
        let mut removed = 0;
        let mut next = Some(Bound::Included(record_key(&tag, &Place { kind, item: [0; 32] })));
        while let Some(from) = next {
            let (more, end) = self.engine.change(|rows| rows.sweep(self.due, now, from))?;
            (removed, next) = (removed + more, end);
            if next.is_some() {
                ahead(PART_COST).await;
            }
        }
        self.times.clear();
        Ok(removed)
    }
}

impl Drop for Sweep<'_> {
    fn drop(&mut self) {
        let dues = self.times.drain(..).map(|at| (at, self.due));
        // Nothing is due in a closed store.
        let _ = self.engine.change(|rows| rows.dues.extend(dues));
    }
}

/// The rows when the export began.
struct Snapshot(std::vec::IntoIter<Exported>);

impl Export for Snapshot {
    fn next(&mut self) -> EngineFuture<'_, Result<Vec<Exported>, ReadError>> {
        Box::pin(ready(Ok(self.0.by_ref().take(EXPORTED).collect())))
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
        most: u64,
        now: Millis,
    ) -> EngineFuture<'_, Result<Vec<Found>, ReadError>> {
        let mut room = Room::new(most);
        let find = |rows: &Rows| {
            wanted.into_iter().map(|(place, known)| rows.find(&tag, place, known, &mut room, now)).collect()
        };
        Box::pin(ready(self.read(find)))
    }

    fn scan(&self, tag: Tag, request: ScanRequest) -> EngineFuture<'_, Result<Scanned, ReadError>> {
        Box::pin(ready(self.read(|rows| rows.scan(&tag, &request))))
    }

    fn usage(&self, tag: Tag) -> EngineFuture<'_, Result<Usage, ReadError>> {
        Box::pin(ready(self.read(|rows| rows.usage.get(&tag).cloned().unwrap_or_default())))
    }

    fn due(
        &self,
        now: Millis,
        kinds: Kinds,
        _: Promptness,
        limit: usize,
    ) -> EngineFuture<'_, Result<Vec<Due>, ReadError>> {
        Box::pin(ready(self.read(|rows| rows.due(now, kinds, limit))))
    }

    fn sweep(&self, due: Due, now: Millis) -> EngineFuture<'_, Result<u64, CommitError>> {
        Box::pin(Sweep { engine: self, due, times: Vec::new() }.run(now))
    }

    fn forget_wakes(&self, dues: Vec<Due>, now: Millis) -> EngineFuture<'_, Result<(), CommitError>> {
        let dues: HashSet<Due> = dues.into_iter().collect();
        Box::pin(ready(self.change(|rows| rows.dues.retain(|(at, due)| *at > now || !dues.contains(due)))))
    }

    fn erase(&self, tag: Tag) -> EngineFuture<'_, Result<(), CommitError>> {
        Box::pin(async move {
            self.change(|rows| rows.begin_erase(tag))?;
            while self.change(|rows| rows.erase(tag))? {
                ahead(PART_COST).await;
            }
            Ok(())
        })
    }

    fn export(&self) -> EngineFuture<'_, Result<Box<dyn Export>, ReadError>> {
        let snapshot = self.read(Rows::export);
        Box::pin(ready(snapshot.map(|parts| Box::new(Snapshot(parts.into_iter())) as _)))
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
