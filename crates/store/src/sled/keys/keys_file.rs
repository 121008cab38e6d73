//! The `keys` file: fixed slots that are rewritten and wiped in place. Drawn, with a table of crash points, in
//! `docs/format/keys.md`.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::io;
use std::ops::Bound;

use crate::sled::lock::layout::{KEYS, MOST_KEYS_BYTES};
use crate::sled::lock::system::{self, Directory, How};
use crate::vault::{SLOT_VALUE_BYTES, Slot};

/// The length of a slot.
const SLOT: usize = 256;
/// The file grows by so many.
const STEP: u64 = 64;
/// So many are read at once.
const AT_ONCE: u64 = 256;
const FORMAT: u8 = 0x01;
/// What of a slot the checksum covers.
const CHECKED: usize = SLOT - 16;

type Name = [u8; 32];

/// Where a name's value lies.
#[derive(Clone, Copy)]
struct Location {
    slot: u64,
    generation: u64,
}

/// A change that is decided but not yet synced.
pub(in crate::sled) struct Pending {
    name: Name,
    /// The slot to wipe once the new value is synced.
    old: Option<u64>,
    new: Option<Location>,
}

/// See the module.
pub(in crate::sled) struct KeysFile {
    file: File,
    slots: u64,
    index: BTreeMap<Name, Location>,
    free: BTreeSet<u64>,
    /// ExpiryBuckets that a crash has left half done. They are neither read nor written until [`KeysFile::repair`].
    to_wipe: Vec<u64>,
}

impl KeysFile {
    /// Opens the file and reads it, if it is there. Nothing is changed.
    pub(in crate::sled) fn open(store: &Directory) -> io::Result<Option<Self>> {
        if !store.has_file(KEYS, MOST_KEYS_BYTES)? {
            return Ok(None);
        }
        let file = store.file(KEYS, How::Write)?;
        let slots = file.metadata()?.len().min(MOST_KEYS_BYTES) / SLOT as u64;
        let (index, free) = (BTreeMap::new(), BTreeSet::new());
        let mut keys = Self { file, slots, index, free, to_wipe: Vec::new() };
        let mut bytes = vec![0; SLOT * AT_ONCE as usize];
        for first in (0..slots).step_by(AT_ONCE as usize) {
            let count = (slots - first).min(AT_ONCE);
            let bytes = bytes.get_mut(..SLOT * count as usize).unwrap_or_default();
            system::read_exact_at(&keys.file, bytes, first.saturating_mul(SLOT as u64))?;
            let (found, _) = bytes.as_chunks::<SLOT>();
            for (slot, bytes) in (first..).zip(found) {
                keys.take_in(slot, bytes);
            }
        }
        Ok(Some(keys))
    }

    /// Creates the file.
    pub(in crate::sled) fn create(store: &Directory) -> io::Result<Self> {
        let file = store.file(KEYS, How::Create)?;
        let (index, free) = (BTreeMap::new(), BTreeSet::new());
        Ok(Self { file, slots: 0, index, free, to_wipe: Vec::new() })
    }

    fn take_in(&mut self, slot: u64, bytes: &[u8; SLOT]) {
        match decode(bytes) {
            _ if *bytes == [0; SLOT] => drop(self.free.insert(slot)),
            None => self.to_wipe.push(slot),
            Some((name, Slot { generation, .. })) => match self.index.get_mut(&name) {
                Some(known) if known.generation >= generation => self.to_wipe.push(slot),
                Some(known) => {
                    self.to_wipe.push(known.slot);
                    *known = Location { slot, generation };
                }
                None => drop(self.index.insert(name, Location { slot, generation })),
            },
        }
    }

    /// Makes the file its owner's alone, and what is in it durable.
    pub(in crate::sled) fn secure(&self) -> io::Result<()> {
        system::make_private_file(&self.file)?;
        self.file.sync_all()
    }

    /// Finishes what a crash has left half done. For whoever knows that the file is the store's own.
    pub(in crate::sled) fn repair(&mut self) -> io::Result<()> {
        let to_wipe = std::mem::take(&mut self.to_wipe);
        if to_wipe.is_empty() { Ok(()) } else { self.wipe_slots(to_wipe) }
    }

    /// Whether the file can still be found.
    pub(in crate::sled) fn has_name(&self) -> bool {
        system::has_name(&self.file)
    }

    fn read(&self, slot: u64) -> io::Result<[u8; SLOT]> {
        let mut bytes = [0; SLOT];
        system::read_exact_at(&self.file, &mut bytes, slot.saturating_mul(SLOT as u64))?;
        Ok(bytes)
    }

    /// Reads a name's value. `None` inside if the slot is damaged.
    pub(in crate::sled) fn get(&self, name: &Name) -> Option<io::Result<Option<Slot>>> {
        let location = self.index.get(name)?;
        let slot = |bytes| decode(&bytes).filter(|(found, _)| found == name).map(|(_, slot)| slot);
        Some(self.read(location.slot).map(slot))
    }

    /// The names after one, in order.
    pub(in crate::sled) fn names(&self, after: Option<Name>, limit: usize) -> Vec<Name> {
        let from = after.map_or(Bound::Unbounded, Bound::Excluded);
        self.index.range((from, Bound::Unbounded)).map(|(name, _)| *name).take(limit).collect()
    }

    /// Whether there are no names.
    pub(in crate::sled) fn is_empty(&self) -> bool {
        self.index.is_empty()
    }

    /// The generation of a name's value.
    pub(in crate::sled) fn generation(&self, name: &Name) -> Option<u64> {
        self.index.get(name).map(|location| location.generation)
    }

    /// Writes a new value for a name to a free slot. It counts after [`KeysFile::settle`].
    pub(in crate::sled) fn write(&mut self, name: Name, value: &[u8]) -> io::Result<Pending> {
        let old = self.index.get(&name).copied();
        let generation = old.map_or(0, |old| old.generation.saturating_add(1));
        let bytes = encode(&name, generation, value).ok_or(io::ErrorKind::InvalidInput)?;
        if self.free.is_empty() {
            self.grow()?;
        }
        let slot = self.free.pop_first().ok_or(io::ErrorKind::StorageFull)?;
        // If this fails, perhaps part of it was written: the slot is wiped when the file is opened again.
        system::write_all_at(&self.file, &bytes, slot.saturating_mul(SLOT as u64))?;
        Ok(Pending { name, old: old.map(|old| old.slot), new: Some(Location { slot, generation }) })
    }

    /// Plans to remove a name.
    pub(in crate::sled) fn remove(&self, name: Name) -> Pending {
        Pending { name, old: self.index.get(&name).map(|old| old.slot), new: None }
    }

    /// Makes changes durable: the new values first, then the old ones wiped. An error leaves the file in a state that
    /// nobody knows.
    pub(in crate::sled) fn settle(&mut self, changes: Vec<Pending>) -> io::Result<()> {
        if changes.iter().any(|change| change.new.is_some()) {
            self.file.sync_data()?;
        }
        let mut to_wipe = Vec::new();
        for change in changes {
            match change.new {
                Some(location) => self.index.insert(change.name, location),
                None => self.index.remove(&change.name),
            };
            to_wipe.extend(change.old);
        }
        if to_wipe.is_empty() { Ok(()) } else { self.wipe_slots(to_wipe) }
    }

    fn wipe_slots(&mut self, slots: Vec<u64>) -> io::Result<()> {
        for slot in &slots {
            system::write_all_at(&self.file, &[0; SLOT], slot.saturating_mul(SLOT as u64))?;
        }
        self.file.sync_data()?;
        self.free.extend(slots);
        Ok(())
    }

    fn grow(&mut self) -> io::Result<()> {
        // What is larger would not be opened again.
        if self.slots.saturating_add(STEP).saturating_mul(SLOT as u64) > MOST_KEYS_BYTES {
            return Err(io::ErrorKind::StorageFull.into());
        }
        let zeros = vec![0; SLOT * STEP as usize];
        system::write_all_at(&self.file, &zeros, self.slots.saturating_mul(SLOT as u64))?;
        self.file.sync_all()?;
        self.free.extend(self.slots..self.slots.saturating_add(STEP));
        self.slots = self.slots.saturating_add(STEP);
        Ok(())
    }
}

fn checksum(bytes: &[u8]) -> [u8; 16] {
    let mut sum = [0; 16];
    blake3::Hasher::new().update(bytes).finalize_xof().fill(&mut sum);
    sum
}

fn encode(name: &Name, generation: u64, value: &[u8]) -> Option<Vec<u8>> {
    if value.len() > SLOT_VALUE_BYTES {
        return None;
    }
    let mut bytes = Vec::with_capacity(SLOT);
    bytes.extend_from_slice(&[FORMAT, u8::try_from(value.len()).ok()?, 0, 0, 0, 0, 0, 0]);
    bytes.extend_from_slice(name);
    bytes.extend_from_slice(&generation.to_be_bytes());
    bytes.extend_from_slice(value);
    bytes.resize(CHECKED, 0);
    bytes.extend_from_slice(&checksum(&bytes));
    Some(bytes)
}

fn decode(bytes: &[u8; SLOT]) -> Option<(Name, Slot)> {
    let (checked, sum) = bytes.split_at_checked(CHECKED)?;
    let ([format, length, ..], rest) = checked.split_first_chunk::<8>()?;
    let (name, rest) = rest.split_first_chunk::<32>()?;
    let (generation, rest) = rest.split_first_chunk::<8>()?;
    if *format != FORMAT || sum != checksum(checked) {
        return None;
    }
    let value = rest.get(..usize::from(*length))?.to_vec();
    Some((*name, Slot { generation: u64::from_be_bytes(*generation), value }))
}
