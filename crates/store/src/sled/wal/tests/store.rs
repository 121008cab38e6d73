//! A log with a map in the place of the tables, whose machine can lose its power.

use std::collections::BTreeMap;
use std::ops::Bound;
use std::path::{Path, PathBuf};

use ::sled::IVec;

use crate::engine::ReadError;
use crate::sled::lock::system::Directory;
use crate::sled::tree::codec::{STATE_KEY, State, decode_state, encode_state};
use crate::sled::wal::batch::{Batch, Change, Row, RowKey};
use crate::sled::wal::overlay::Bounds;
use crate::sled::wal::range::{Below, Order, is_empty};
use crate::sled::wal::{OpenFailure, Wal};

pub(super) type Map = BTreeMap<RowKey, IVec>;

/// Random numbers that follow from a seed.
pub(super) struct Dice(blake3::OutputReader);

impl Dice {
    pub(super) fn new(seed: u64) -> Self {
        Self(blake3::Hasher::new().update(&seed.to_be_bytes()).finalize_xof())
    }

    pub(super) fn below(&mut self, end: usize) -> usize {
        let mut bytes = [0; 8];
        self.0.fill(&mut bytes);
        (u64::from_be_bytes(bytes) % end as u64) as usize
    }
}

/// The map, and what a power cut may take away again.
#[derive(Default)]
struct Sled {
    durable: Map,
    unsynced: Vec<(RowKey, Row)>,
}

impl Sled {
    fn now(&self) -> Map {
        let mut now = self.durable.clone();
        write(&mut now, &self.unsynced);
        now
    }

    fn sync(&mut self) {
        self.durable = self.now();
        self.unsynced.clear();
    }
}

pub(super) fn write(map: &mut Map, rows: &[(RowKey, Row)]) {
    for (key, row) in rows {
        match row {
            Some(row) => map.insert(*key, row.clone()),
            None => map.remove(key),
        };
    }
}

/// A range over the map as it is at each step.
pub(super) struct Walk {
    bounds: Bounds,
    order: Order,
    /// Rows read ahead, as a table reads a block.
    page: Vec<(RowKey, IVec)>,
}

pub(super) struct WalkOf<'s>(pub(super) &'s std::cell::RefCell<Store>, pub(super) Walk);

impl Below for WalkOf<'_> {
    fn next(&mut self) -> Result<Option<(RowKey, IVec)>, ReadError> {
        let Walk { bounds, order, page } = &mut self.1;
        if page.is_empty() && !is_empty(bounds) {
            let now = self.0.borrow().sled.now();
            let rows = now.range(*bounds).map(|(key, row)| (*key, row.clone()));
            match order {
                Order::Forward => page.extend(rows.take(3)),
                Order::Reverse => page.extend(rows.rev().take(3)),
            }
            page.reverse();
            match (page.first(), *order) {
                (Some((last, _)), Order::Forward) => bounds.0 = Bound::Excluded(*last),
                (Some((last, _)), Order::Reverse) => bounds.1 = Bound::Excluded(*last),
                (None, _) => {}
            }
        }
        Ok(page.pop())
    }
}

impl Walk {
    pub(super) fn new(bounds: Bounds, order: Order) -> Self {
        Self { bounds, order, page: Vec::new() }
    }
}

/// See the module.
pub(super) struct Store {
    place: tempfile::TempDir,
    pub(super) wal: Wal,
    sled: Sled,
    /// The rows of the round at hand that are not applied yet.
    to_apply: Option<Vec<(RowKey, Row)>>,
    /// The files as they were on the disk for certain before this opening.
    durable: [Vec<u8>; 2],
    /// The state after each version.
    pub(super) states: BTreeMap<u64, Map>,
    pub(super) synced: u64,
}

fn path(place: &tempfile::TempDir, file: usize) -> PathBuf {
    place.path().join(["wal-1", "wal-2"][file])
}

fn read(place: &tempfile::TempDir) -> [Vec<u8>; 2] {
    [0, 1].map(|file| std::fs::read(path(place, file)).unwrap())
}

fn open(place: &tempfile::TempDir, applied: u64) -> Wal {
    match Wal::open(&Directory::open(place.path()).unwrap(), applied, u64::MAX, false) {
        Ok(wal) => wal,
        Err(OpenFailure::Damaged) => panic!("damaged"),
        Err(OpenFailure::Io(error)) => panic!("{error}"),
    }
}

impl Store {
    pub(super) fn new() -> Self {
        // In memory where there is such a place: syncs are counted here, not felt.
        let memory = Path::new("/dev/shm");
        let place = if memory.is_dir() { tempfile::tempdir_in(memory) } else { tempfile::tempdir() }.unwrap();
        let wal = open(&place, 0);
        let (durable, states) = (read(&place), BTreeMap::from([(0, Map::new())]));
        Self { place, wal, sled: Sled::default(), to_apply: None, durable, states, synced: 0 }
    }

    pub(super) fn version(&self) -> u64 {
        *self.states.keys().last().unwrap()
    }

    pub(super) fn now(&self) -> &Map {
        &self.states[&self.version()]
    }

    pub(super) fn append(&mut self, rows: Vec<(RowKey, Row)>) {
        let version = self.version() + 1;
        let mut batch = Batch::default();
        let state = (RowKey::from(&STATE_KEY), Some(encode_state(&State { version, next_segment: 0 }).into()));
        let mut next = self.now().clone();
        for row in rows.into_iter().chain([state]) {
            // As the committer does, half of the time.
            let is_new =
                row.0.iter().fold(version, |sum, byte| sum + u64::from(*byte)) % 2 == 0 && !next.contains_key(&row.0);
            write(&mut next, std::slice::from_ref(&row));
            let (key, row) = row;
            batch.push(Change { key, row, is_new });
        }
        // Nothing here applies beside it: a full log would wait for ever.
        if self.wal.has_frozen() {
            self.apply(usize::MAX);
        }
        self.wal.reserve(batch.bytes(), None, &|| {}).unwrap();
        self.wal.append(batch, version, &|| {}).unwrap();
        self.states.insert(version, next);
    }

    pub(super) fn sync(&mut self) {
        self.wal.sync().unwrap();
        self.synced = self.version();
    }

    pub(super) fn hand_over(&mut self) {
        self.wal.hand_over().unwrap();
    }

    /// Takes some steps of the applier.
    pub(super) fn apply(&mut self, most: usize) {
        if self.to_apply.is_none() {
            let Some(round) = self.wal.has_frozen().then(|| self.wal.next_round().unwrap()) else { return };
            let state = RowKey::from(&STATE_KEY);
            let mut rows: Vec<_> = round.rows().iter().map(|(key, held)| (*key, held.row.clone())).collect();
            rows.sort_by_key(|(key, _)| std::cmp::Reverse((*key == state, *key)));
            self.to_apply = Some(rows);
        }
        for _ in 0..most {
            let rows = self.to_apply.as_mut().unwrap();
            if rows.len() == 1 {
                self.sled.sync();
            }
            let Some(row) = rows.pop() else {
                self.sled.sync();
                self.wal.applied();
                self.to_apply = None;
                return;
            };
            self.sled.unsynced.push(row);
        }
    }

    pub(super) fn get(&self, key: &RowKey) -> Option<IVec> {
        self.wal.get(key).unwrap_or_else(|| self.sled.now().get(key).cloned())
    }

    /// Loses whatever is not synced, or some of it, and opens the store again. `is_kill`: only the process ends.
    pub(super) fn crash(self, is_kill: bool, dice: &mut Dice) -> Self {
        let Self { place, wal, mut sled, mut durable, mut states, synced, .. } = self;
        durable
            .iter_mut()
            .zip(wal.durable())
            .for_each(|(durable, synced)| *durable = synced.unwrap_or(durable.clone()));
        drop(wal);
        let written = read(&place);
        if !is_kill {
            for (number, (durable, written)) in durable.iter().cloned().zip(written).enumerate() {
                std::fs::write(path(&place, number), torn(durable, &written, dice)).unwrap();
            }
            durable = read(&place);
            let unsynced = std::mem::take(&mut sled.unsynced);
            let kept: Vec<_> = unsynced.into_iter().filter(|_| dice.below(2) == 0).collect();
            write(&mut sled.durable, &kept);
        }
        sled.sync();
        let applied = sled.durable.get(&RowKey::from(&STATE_KEY));
        let applied = applied.map_or(0, |state| decode_state(state).unwrap().version);
        let wal = open(&place, applied);
        let mut store = Self { place, wal, sled, to_apply: None, durable, states: BTreeMap::new(), synced };
        let state = store.get(&RowKey::from(&STATE_KEY));
        let version = state.map_or(0, |state| decode_state(&state).unwrap().version);
        let least = if is_kill { *states.keys().last().unwrap() } else { synced };
        assert!(version >= least, "version {version} after {least}");
        states.retain(|known, _| *known <= version);
        (store.states, store.synced) = (states, version);
        assert_eq!(store.version(), version);
        store
    }
}

/// What of a file a power cut leaves: of each sector that was written since the last sync, the old or the new bytes.
fn torn(durable: Vec<u8>, written: &[u8], dice: &mut Dice) -> Vec<u8> {
    let mut left = durable;
    left.resize(written.len(), 0);
    let fate = dice.below(4);
    for (old, new) in left.chunks_mut(512).zip(written.chunks(512)) {
        let is_kept = match fate {
            0 => false,
            1 => true,
            _ => dice.below(3) > 0,
        };
        if old != new && is_kept {
            old.copy_from_slice(new);
        }
    }
    left
}
