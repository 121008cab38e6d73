//! The workload of the crash tests. The seed and `n` alone determine step `n`, so that the expected state after a crash
//! is known exactly: of every lane all steps up to some position and nothing after it, and that position is not before
//! the last acknowledged step.
//!
//! Lanes run in parallel, the steps of one lane one after the other. Step `n` belongs to lane `n % LANES`. Most steps
//! are commits, which also write their number into the lane's own row; some change the lane's slot in the vault.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use bytes::Bytes;

use super::support::{block_on, noise, place, whole_range};
use crate::engine::{Commit, Due, Durability, Found, Kinds, Limits, Millis, Op, Place, Promptness, Row, Tag, When};
use crate::sled::{self, SledOptions};
use crate::vault::{Created, Slot};
use crate::{Count, Opened};

/// The steps in flight at once.
pub const LANES: u64 = 8;
/// The lane whose commits are acknowledged before they are synced.
pub const RELAXED_LANE: u64 = LANES - 1;
/// The steps of the first lane after which space is given back.
const COMPACT_EVERY: u64 = 4;

const NOW: Millis = 1_000;
const ROWS: u8 = 1;
const LAST: u8 = 2;
/// Beside each row of [`ROWS`] there is a short one, as of a list.
const LISTED: u8 = 0x81;
const PLACES: u64 = 16;
const LAST_PLACE: u64 = 0;

/// The kind of crash before the check.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Crash {
    /// The process was killed: every acknowledged step must be there.
    Killed,
    /// The machine lost power: the last steps of the relaxed lane may be missing.
    PowerCut,
}

/// The options of the store. With one half of the seeds the log grows, with the other it is applied again and again; with a third of
/// them space is given back early.
pub fn options(seed: u64) -> SledOptions {
    let usual = SledOptions::default();
    SledOptions {
        cache_bytes: 16 * 1024 * 1024,
        round_bytes: if seed.is_multiple_of(2) { 64 * 1024 } else { usual.round_bytes },
        least_waste_bytes: if seed.is_multiple_of(3) { 64 * 1024 } else { usual.least_waste_bytes },
    }
}

/// A source of numbers determined by a seed and a step.
struct Dice(blake3::OutputReader);

impl Dice {
    fn new(seed: u64, step: u64) -> Self {
        let mut hasher = blake3::Hasher::new();
        hasher.update(&seed.to_be_bytes()).update(&step.to_be_bytes());
        Self(hasher.finalize_xof())
    }

    fn below(&mut self, end: u64) -> u64 {
        let mut bytes = [0; 8];
        self.0.fill(&mut bytes);
        u64::from_be_bytes(bytes) % end
    }
}

/// A row, as the inputs of its value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Expected {
    seed: u64,
    length: usize,
    expires_at: Option<Millis>,
    counted: Option<u64>,
}

/// The rows of a lane after some of its steps.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Lane {
    rows: BTreeMap<u64, Expected>,
    last: Option<u64>,
    slot: Option<Slot>,
}

/// A step.
enum Step {
    Commit(Vec<Op>),
    Create(Vec<u8>),
    Replace(u64, Vec<u8>),
    Wipe,
}

fn tag(seed: u64, lane: u64) -> Tag {
    let mut hasher = blake3::Hasher::new();
    hasher.update(b"tag").update(&seed.to_be_bytes()).update(&lane.to_be_bytes());
    Tag(*hasher.finalize().as_bytes())
}

fn step_at(lane: u64, position: u64) -> u64 {
    position * LANES + lane
}

fn length(dice: &mut Dice) -> usize {
    let length = match dice.below(100) {
        0..70 => dice.below(600),
        70..85 => 3_000 + dice.below(3_000),
        85..99 => 5_000 + dice.below(150_000),
        _ => 4 * 1024 * 1024 + dice.below(1_000_000),
    };
    length as usize
}

impl Lane {
    /// Applies the next step to the state, and returns it.
    fn advance(&mut self, seed: u64, step: u64) -> Step {
        let mut dice = Dice::new(seed, step);
        // The vault syncs at once, so after a power cut a slot of the relaxed lane could be ahead of its rows.
        if dice.below(12) == 0 && step % LANES != RELAXED_LANE {
            return self.change_slot(step);
        }
        let mut ops = Vec::new();
        for number in 0..=dice.below(4) {
            let item = dice.below(PLACES);
            let at = place(ROWS, item);
            match (dice.below(10), self.rows.get_mut(&item)) {
                (0 | 1, _) => {
                    self.rows.remove(&item);
                    ops.push(Op::Delete { place: at, when: When::Any });
                    ops.push(Op::Delete { place: place(LISTED, item), when: When::Any });
                }
                (2, Some(row)) => {
                    let asked = NOW + 1 + dice.below(1_000);
                    row.expires_at = row.expires_at.map(|old| old.max(asked));
                    ops.push(Op::Extend { place: at, expires_at: Some(asked) });
                }
                _ => {
                    let length = length(&mut dice);
                    let expires_at = (dice.below(2) == 0).then(|| NOW + 1 + dice.below(1_000));
                    let counted = (dice.below(2) == 0).then_some(length as u64);
                    let row = Expected { seed: seed ^ (step << 3 | number), length, expires_at, counted };
                    self.rows.insert(item, row);
                    let value = noise(row.seed, length);
                    ops.push(Op::Put { place: at, value, expires_at, counted, when: When::Any });
                    let value = noise(row.seed, length % 20);
                    let listed = place(LISTED, item);
                    ops.push(Op::Put { place: listed, value, expires_at: None, counted: None, when: When::Any });
                }
            }
        }
        let value = Bytes::copy_from_slice(&step.to_be_bytes());
        ops.push(Op::Put { place: place(LAST, LAST_PLACE), value, expires_at: None, counted: None, when: When::Any });
        self.last = Some(step);
        Step::Commit(ops)
    }

    fn change_slot(&mut self, step: u64) -> Step {
        let value = noise(step, (step % 160) as usize).to_vec();
        match self.slot.take() {
            None => {
                self.slot = Some(Slot { generation: 0, value: value.clone() });
                Step::Create(value)
            }
            Some(Slot { generation, .. }) if generation < 3 => {
                self.slot = Some(Slot { generation: generation + 1, value: value.clone() });
                Step::Replace(generation, value)
            }
            Some(_) => Step::Wipe,
        }
    }

    fn usage(&self) -> Count {
        let counted: Vec<u64> = self.rows.values().filter_map(|row| row.counted).collect();
        Count { items: counted.len() as u64, bytes: counted.iter().sum() }
    }
}

/// The rows and the slot of a lane in the store.
fn look(opened: &Opened, seed: u64, lane: u64) -> Result<(Option<u64>, Option<Slot>), String> {
    let owner = tag(seed, lane);
    let rows = block_on(opened.engine.scan(owner, whole_range(LAST))).map_err(|error| format!("scan: {error:?}"))?.rows;
    let last = rows.first().map(|row| row.value[..].try_into().map(u64::from_be_bytes));
    let last = last.transpose().map_err(|_| "the last step is torn")?;
    let slot = block_on(opened.vault.get(owner.0)).map_err(|error| format!("vault: {error:?}"))?;
    Ok((last, slot))
}

/// Finds the progress of a lane: its state, and the position of its next step.
fn place_of(opened: &Opened, seed: u64, lane: u64) -> Result<(Lane, u64), String> {
    let (last, slot) = look(opened, seed, lane)?;
    let mut state = Lane::default();
    let mut position = 0;
    while state.last != last {
        state.advance(seed, step_at(lane, position));
        position += 1;
        if state.last > last {
            return Err(format!("lane {lane}: no step {last:?}"));
        }
    }
    // Steps on the slot leave no trace in the rows.
    let mut next = state.clone();
    let mut ahead = position;
    loop {
        if next.slot == slot {
            state = next.clone();
            position = ahead;
        }
        if next.last != last {
            break;
        }
        next.advance(seed, step_at(lane, ahead));
        ahead += 1;
        if next.last != last {
            break;
        }
    }
    if state.slot != slot {
        return Err(format!("lane {lane}: the slot is {slot:?}, not that of step {position}: {:?}", state.slot));
    }
    Ok((state, position))
}

/// Checks an open store against the acknowledged steps. Fails with the difference.
pub fn verify_opened(opened: &Opened, seed: u64, acknowledged: &BTreeSet<u64>, crash: Crash) -> Result<(), String> {
    for lane in 0..LANES {
        let (state, position) = place_of(opened, seed, lane)?;
        let last = acknowledged.iter().rev().find(|step| *step % LANES == lane);
        let may_lose = crash == Crash::PowerCut && lane == RELAXED_LANE;
        if let Some(step) = last.filter(|step| **step >= step_at(lane, position) && !may_lose) {
            return Err(format!("lane {lane}: step {step} was acknowledged, but only {position} steps are there"));
        }
        verify_rows(opened, seed, lane, &state)?;
    }
    let health = block_on(opened.engine.health());
    if health.ok && health.problems.is_empty() { Ok(()) } else { Err(format!("health: {:?}", health.problems)) }
}

fn verify_rows(opened: &Opened, seed: u64, lane: u64, state: &Lane) -> Result<(), String> {
    let owner = tag(seed, lane);
    let request = crate::ScanRequest { now: NOW, ..whole_range(ROWS) };
    let rows = block_on(opened.engine.scan(owner, request)).map_err(|error| format!("scan: {error:?}"))?.rows;
    let expected: Vec<Place> = state.rows.keys().map(|item| place(ROWS, *item)).collect();
    let found: Vec<Place> = rows.iter().map(|row| row.place).collect();
    if found != expected {
        return Err(format!("lane {lane}: {} rows, not {}", found.len(), expected.len()));
    }
    for (row, expected) in rows.iter().zip(state.rows.values()) {
        if row.value != noise(expected.seed, expected.length) || row.expires_at != expected.expires_at {
            return Err(format!("lane {lane}: a row of {} bytes is not {expected:?}", row.value.len()));
        }
    }
    verify_listed(opened, owner, state).map_err(|problem| format!("lane {lane}: {problem}"))?;
    verify_other_ways(opened, owner, &rows).map_err(|problem| format!("lane {lane}: {problem}"))?;
    let usage = block_on(opened.engine.usage(owner)).map_err(|error| format!("usage: {error:?}"))?;
    let count = usage.get(&ROWS).copied().unwrap_or_default();
    if count == state.usage() { Ok(()) } else { Err(format!("lane {lane}: usage {count:?}, not {:?}", state.usage())) }
}

/// Beside each row there is its short one, and no other.
fn verify_listed(opened: &Opened, owner: Tag, state: &Lane) -> Result<(), String> {
    let expected: Vec<_> =
        state.rows.iter().map(|(item, row)| (place(LISTED, *item), noise(row.seed, row.length % 20))).collect();
    for reverse in [false, true] {
        let request = crate::ScanRequest { reverse, ..whole_range(LISTED) };
        let mut rows = block_on(opened.engine.scan(owner, request)).map_err(|error| format!("scan: {error:?}"))?.rows;
        if reverse {
            rows.reverse();
        }
        if !rows.iter().map(|row| (row.place, row.value.clone())).eq(expected.iter().cloned()) {
            return Err(format!("{} short rows, not the {} expected", rows.len(), expected.len()));
        }
    }
    Ok(())
}

/// The same rows are found from the other end and one by one, and those that expire are named as due.
fn verify_other_ways(opened: &Opened, owner: Tag, rows: &[Row]) -> Result<(), String> {
    let request = crate::ScanRequest { now: NOW, reverse: true, ..whole_range(ROWS) };
    let reversed = block_on(opened.engine.scan(owner, request)).map_err(|error| format!("scan: {error:?}"))?.rows;
    if !reversed.iter().rev().eq(rows) {
        return Err("the rows from the other end are not the same".to_owned());
    }
    let wanted = (0..PLACES).map(|item| (place(ROWS, item), None)).collect();
    let found = block_on(opened.engine.get(owner, wanted, u64::MAX, NOW)).map_err(|error| format!("get: {error:?}"))?;
    let one_by_one = found.iter().filter_map(|found| if let Found::Entry(row) = found { Some(row) } else { None });
    if !one_by_one.eq(rows) {
        return Err("the rows one by one are not the same".to_owned());
    }
    let until = NOW + 2_000;
    let due = block_on(opened.engine.due(until, Kinds::AllBut(200), Promptness::Now, usize::MAX))
        .map_err(|error| format!("due: {error:?}"))?;
    if rows.iter().any(|row| row.expires_at.is_some()) && !due.contains(&Due { tag: owner, kind: ROWS }) {
        return Err("its rows expire, and it is not due".to_owned());
    }
    Ok(())
}

/// Opens the store in a directory, checks it, and closes it again.
pub fn verify(directory: &Path, seed: u64, acknowledged: &BTreeSet<u64>, crash: Crash) -> Result<(), String> {
    let opened = sled::open(directory, options(seed)).map_err(|error| format!("open: {error:?}"))?;
    let result = verify_opened(&opened, seed, acknowledged, crash);
    block_on(opened.engine.close());
    result
}

/// Reads the steps in an ack file. A last line without its end was written incompletely, and does not count.
pub fn read_acknowledged(path: &Path) -> BTreeSet<u64> {
    let text = std::fs::read_to_string(path).unwrap_or_default();
    text.split_inclusive('\n').filter_map(|line| line.strip_suffix('\n')?.parse().ok()).collect()
}

/// Runs every step below `steps` that the store does not have yet. Calls `acknowledge` with the number of each
/// acknowledged step, from several threads. A lane stops at its first error; returns these errors.
pub fn run(opened: &Opened, seed: u64, steps: u64, acknowledge: &(dyn Fn(u64) + Sync)) -> Vec<String> {
    std::thread::scope(|scope| {
        let lanes: Vec<_> =
            (0..LANES).map(|lane| scope.spawn(move || run_lane(opened, seed, lane, steps, acknowledge))).collect();
        lanes.into_iter().filter_map(|lane| lane.join().expect("a lane").err()).collect()
    })
}

fn run_lane(
    opened: &Opened,
    seed: u64,
    lane: u64,
    steps: u64,
    acknowledge: &(dyn Fn(u64) + Sync),
) -> Result<(), String> {
    let (mut state, mut position) = place_of(opened, seed, lane)?;
    let owner = tag(seed, lane);
    while step_at(lane, position) < steps {
        let step = step_at(lane, position);
        let failed = |error: &dyn std::fmt::Debug| format!("step {step}: {error:?}");
        match state.advance(seed, step) {
            Step::Commit(ops) => {
                let durability = if lane == RELAXED_LANE { Durability::Relaxed } else { Durability::Sync };
                let commit = Commit { tag: owner, now: NOW, ops, limits: Limits::default(), durability };
                block_on(opened.engine.commit(commit)).map_err(|error| failed(&error))?;
            }
            Step::Create(value) => {
                let created = block_on(opened.vault.create(owner.0, value)).map_err(|error| failed(&error))?;
                if created != Created::New {
                    return Err(failed(&created));
                }
            }
            Step::Replace(generation, value) => {
                let replaced =
                    block_on(opened.vault.replace(owner.0, generation, value)).map_err(|error| failed(&error))?;
                if !replaced {
                    return Err(failed(&"nothing was replaced"));
                }
            }
            Step::Wipe => {
                let slot = block_on(opened.vault.get(owner.0)).map_err(|error| failed(&error))?;
                let value = slot.map(|slot| slot.value).unwrap_or_default();
                if !block_on(opened.vault.wipe(owner.0, value)).map_err(|error| failed(&error))? {
                    return Err(failed(&"nothing was wiped"));
                }
            }
        }
        acknowledge(step);
        position += 1;
        if lane == 0 && position.is_multiple_of(COMPACT_EVERY) {
            // If it fails, everything must go on as before.
            let _ = block_on(opened.engine.compact());
        }
    }
    Ok(())
}
