//! Stages a commit: checks its conditions in order and computes its effect, without writing. Every engine of this crate
//! uses it, so that a commit means the same in each.

use std::collections::HashMap;

use bytes::Bytes;

use crate::engine::{Commit, CommitError, Count, EngineLimits, Limits, Millis, Op, Place, Usage, Version, When};

/// The size limits of this crate's engines. A value may be a sealed one of 64 MiB, with what sealing adds.
pub(crate) const LIMITS: EngineLimits = EngineLimits { value_bytes: 64 * 1024 * 1024 + 64 * 1024, ops: 1_280 };

/// A row in an engine. `V` is its value or where that is stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Entry<V> {
    pub(crate) version: u64,
    pub(crate) expires_at: Option<Millis>,
    pub(crate) counted: Option<u64>,
    pub(crate) value: V,
}

impl<V> Entry<V> {
    /// Returns whether the row exists at that time.
    pub(crate) fn is_live(&self, now: Millis) -> bool {
        self.expires_at.is_none_or(|at| now < at)
    }
}

/// The change of one row.
#[derive(Debug)]
pub(crate) struct Change<V> {
    pub(crate) place: Place,
    /// The row before the commit, expired or not.
    pub(crate) before: Option<Entry<V>>,
    pub(crate) after: Option<Entry<V>>,
}

/// The effect of a commit.
#[derive(Debug)]
pub(crate) struct Staged<V> {
    /// One per touched row; rows that stay the same are left out.
    pub(crate) changes: Vec<Change<V>>,
    /// The new usage of the tag, if it changes.
    pub(crate) usage: Option<Usage>,
}

/// The reason why a commit is not applied.
#[derive(Debug)]
pub(crate) enum Refusal<E> {
    /// The commit itself is invalid.
    Commit(CommitError),
    /// A row could not be read.
    Read(E),
}

/// Checks the sizes of a commit, which needs no rows.
pub(crate) fn check_sizes(commit: &Commit) -> Result<(), CommitError> {
    let too_large = |op: &Op| matches!(op, Op::Put { value, .. } if value.len() > LIMITS.value_bytes);
    if commit.ops.len() > LIMITS.ops || commit.ops.iter().any(too_large) {
        return Err(CommitError::TooLarge);
    }
    Ok(())
}

/// Stages a commit on the rows that `look` finds. `keep` converts the value of operation number `n` to the engine's
/// form; it is called once per put, before the outcome is known.
pub(crate) fn stage<V: Clone, E>(
    commit: &Commit,
    version: u64,
    usage: &Usage,
    mut keep: impl FnMut(usize, &Bytes) -> V,
    look: impl FnMut(&Place) -> Result<Option<Entry<V>>, E>,
) -> Result<Staged<V>, Refusal<E>> {
    let mut touched = Touched { changes: Vec::with_capacity(commit.ops.len()), index: HashMap::new(), look };
    for (number, op) in commit.ops.iter().enumerate() {
        let conflict = || Refusal::Commit(CommitError::Conflict { op: number });
        match op {
            Op::Put { place, value, expires_at, counted, when } => {
                let change = touched.at(place).map_err(Refusal::Read)?;
                if !holds(*when, change.after.as_ref(), commit.now) {
                    return Err(conflict());
                }
                let value = keep(number, value);
                change.after = Some(Entry { version, expires_at: *expires_at, counted: *counted, value });
            }
            Op::Extend { place, expires_at } => {
                let change = touched.at(place).map_err(Refusal::Read)?;
                let entry = change.after.as_mut().filter(|entry| entry.is_live(commit.now)).ok_or_else(conflict)?;
                entry.expires_at = later(entry.expires_at, *expires_at);
                entry.version = version;
            }
            Op::Delete { place, when } => {
                let change = touched.at(place).map_err(Refusal::Read)?;
                if !holds(*when, change.after.as_ref(), commit.now) {
                    return Err(conflict());
                }
                change.after = None;
            }
            Op::Check { place, when } => {
                let change = touched.at(place).map_err(Refusal::Read)?;
                if !holds(*when, change.after.as_ref(), commit.now) {
                    return Err(conflict());
                }
            }
            Op::Wake { .. } => {}
        }
    }
    let mut changes = touched.changes;
    changes.retain(|change| match (&change.before, &change.after) {
        (None, None) => false,
        (Some(before), Some(after)) => before.version != after.version,
        _ => true,
    });
    let usage = usage_after(usage, &changes, &commit.limits).map_err(Refusal::Commit)?;
    Ok(Staged { changes, usage })
}

/// Returns the expiries of the rows that a commit writes, with their kinds.
pub(crate) fn expiries<V>(changes: &[Change<V>]) -> impl Iterator<Item = (Millis, u8)> + '_ {
    changes.iter().filter_map(|change| Some((change.after.as_ref()?.expires_at?, change.place.kind)))
}

/// Returns the wake-ups of a commit.
pub(crate) fn wakes(commit: &Commit) -> impl Iterator<Item = (Millis, u8)> + '_ {
    commit.ops.iter().filter_map(|op| match op {
        Op::Wake { kind, at } => Some((*at, *kind)),
        _ => None,
    })
}

/// Returns the version of a commit: its own, or the last assigned one if it changed nothing.
pub(crate) fn answer<V>(staged: &Staged<V>, version: u64) -> Version {
    Version(if staged.changes.is_empty() { version.saturating_sub(1) } else { version })
}

fn holds<V>(when: When, entry: Option<&Entry<V>>, now: Millis) -> bool {
    let live = entry.filter(|entry| entry.is_live(now));
    match when {
        When::Any => true,
        When::Absent => live.is_none(),
        When::Version(Version(version)) => live.is_some_and(|entry| entry.version == version),
    }
}

fn later(one: Option<Millis>, other: Option<Millis>) -> Option<Millis> {
    one.zip(other).map(|(one, other)| one.max(other))
}

/// The number of rows above which a commit finds its touched rows by a map.
const FEW: usize = 16;

struct Touched<V, L> {
    changes: Vec<Change<V>>,
    index: HashMap<Place, usize>,
    look: L,
}

impl<V: Clone, E, L: FnMut(&Place) -> Result<Option<Entry<V>>, E>> Touched<V, L> {
    /// Returns the row as the previous steps left it.
    fn at(&mut self, place: &Place) -> Result<&mut Change<V>, E> {
        let known = if self.index.is_empty() {
            self.changes.iter().position(|change| change.place == *place)
        } else {
            self.index.get(place).copied()
        };
        let position = match known {
            Some(position) => position,
            None => {
                let before = (self.look)(place)?;
                self.changes.push(Change { place: *place, after: before.clone(), before });
                let position = self.changes.len() - 1;
                if position == FEW {
                    self.index = self.changes.iter().enumerate().map(|(at, change)| (change.place, at)).collect();
                } else if position > FEW {
                    self.index.insert(*place, position);
                }
                position
            }
        };
        #[allow(clippy::indexing_slicing, reason = "positions of a vector that only grows")]
        Ok(&mut self.changes[position])
    }
}

fn usage_after<V>(before: &Usage, changes: &[Change<V>], limits: &Limits) -> Result<Option<Usage>, CommitError> {
    let counted = |entry: &Option<Entry<V>>| entry.as_ref().and_then(|entry| entry.counted);
    if changes.iter().all(|change| counted(&change.before) == counted(&change.after)) {
        return Ok(None);
    }
    let mut after = before.clone();
    for change in changes {
        let count = after.entry(change.place.kind).or_default();
        if let Some(bytes) = counted(&change.before) {
            count.items = count.items.saturating_sub(1);
            count.bytes = count.bytes.saturating_sub(bytes);
        }
        if let Some(bytes) = counted(&change.after) {
            count.items = count.items.saturating_add(1);
            count.bytes = count.bytes.saturating_add(bytes);
        }
    }
    after.retain(|_, count| *count != Count::default());
    for (&kind, &limit) in &limits.items {
        let items = |usage: &Usage| usage.get(&kind).map_or(0, |count| count.items);
        refuse_beyond(Some(kind), limit, items(before), items(&after))?;
    }
    let bytes = |usage: &Usage| usage.values().fold(0, |sum: u64, count| sum.saturating_add(count.bytes));
    if let Some(limit) = limits.bytes {
        refuse_beyond(None, limit, bytes(before), bytes(&after))?;
    }
    Ok(Some(after))
}

fn refuse_beyond(kind: Option<u8>, limit: u64, used: u64, after: u64) -> Result<(), CommitError> {
    if after > used && after > limit {
        Err(CommitError::Quota { kind, limit, used, more: after - used })
    } else {
        Ok(())
    }
}
