//! The second round trip of a commit: the statements that write it.

use std::collections::BTreeMap;

use bytes::Bytes;

use super::plan::Kept;
use super::token::Token;
use crate::engine::{Commit, Millis, Op, Place};
use crate::postgres::sql::pipeline::{Parameter, Pipeline};
use crate::postgres::sql::statements::Statements;
use crate::postgres::sql::values::{binary, signed, signed_option};
use crate::stage::{Change, Entry, Staged, expiries, wakes};

/// The size of a part. Larger values are stored in parts, each a row of its own.
pub(in crate::postgres) const PART_BYTES: usize = 1024 * 1024;
/// The approximate bytes of values in one statement.
const STATEMENT_BYTES: usize = 8 * PART_BYTES;

/// A row and its new value.
pub(in crate::postgres) struct Written<'a> {
    place: Place,
    entry: &'a Entry<Kept>,
    value: &'a Bytes,
    /// Whether the row exists.
    is_there: bool,
}

impl Written<'_> {
    fn parts(&self) -> i16 {
        let parts = if self.value.len() > PART_BYTES { self.value.len().div_ceil(PART_BYTES) } else { 0 };
        i16::try_from(parts).unwrap_or(i16::MAX)
    }

    /// Returns the part of the value that is stored in the row itself.
    fn inline(&self) -> &[u8] {
        if self.parts() == 0 { self.value } else { &[] }
    }
}

/// Adds the statements that write a commit, in key order. Returns the indices of statements and the number of rows that each must write.
pub(in crate::postgres) fn write<'a>(
    pipeline: &mut Pipeline<'a>,
    statements: &'a Statements,
    commit: &'a Commit,
    staged: &'a Staged<Kept>,
    absent: &'a [Place],
    version: u64,
    token: Token,
) -> Vec<(usize, u64)> {
    let mut changes: Vec<&Change<Kept>> = staged.changes.iter().collect();
    changes.sort_by_key(|change| change.place);
    let mut writer = Writer { pipeline, statements, commit, version: signed(version), counts: Vec::new() };
    let had_parts = |change: &&&Change<Kept>| {
        let was = change.before.as_ref().is_some_and(|entry| matches!(entry.value, Kept::Old { is_in_parts: true }));
        was && !change.after.as_ref().is_some_and(|entry| matches!(entry.value, Kept::Old { .. }))
    };
    writer.remove(&statements.delete_blobs, changes.iter().filter(had_parts).map(|change| change.place).collect());
    let is_gone = |change: &&&Change<Kept>| change.after.is_none();
    let gone: Vec<Place> = changes.iter().filter(is_gone).map(|change| change.place).collect();
    writer.count(gone.len());
    writer.remove(&statements.delete_rows, gone);
    writer.extend(&changes);
    let written: Vec<Written<'a>> = changes.iter().filter_map(|change| written(commit, change)).collect();
    let (there, fresh): (Vec<_>, Vec<_>) = written.iter().partition(|row| row.is_there);
    writer.update(&there);
    writer.insert(&fresh, absent);
    writer.remove(&statements.delete_rows, absent.to_vec());
    for row in written.iter().filter(|row| row.parts() > 0) {
        writer.blobs(row);
    }
    writer.usage(&staged.changes, token);
    writer.counts
}

/// Returns the rows that a commit writes, in key order.
pub(in crate::postgres) fn rows_of<'a>(commit: &'a Commit, staged: &'a Staged<Kept>) -> Vec<Written<'a>> {
    let mut rows: Vec<_> = staged.changes.iter().filter_map(|change| written(commit, &change)).collect();
    rows.sort_by_key(|row| row.place);
    rows
}

fn written<'a>(commit: &'a Commit, change: &&'a Change<Kept>) -> Option<Written<'a>> {
    let entry = change.after.as_ref()?;
    let Kept::New(number) = entry.value else { return None };
    let Some(Op::Put { value, .. }) = commit.ops.get(number) else { return None };
    Some(Written { place: change.place, entry, value, is_there: change.before.is_some() })
}

struct Writer<'p, 'a> {
    pipeline: &'p mut Pipeline<'a>,
    statements: &'a Statements,
    commit: &'a Commit,
    version: i64,
    counts: Vec<(usize, u64)>,
}

impl<'a> Writer<'_, 'a> {
    /// Records the number of rows that the next statement must write. No statement is sent for none.
    fn count(&mut self, rows: usize) {
        if rows > 0 {
            self.counts.push((self.pipeline.len(), rows as u64));
        }
    }

    fn tag(&self) -> Parameter<'a> {
        binary(&self.commit.tag.0)
    }

    fn remove(&mut self, statement: &'a tokio_postgres::Statement, places: Vec<Place>) {
        if !places.is_empty() {
            let values = vec![self.tag(), kinds(places.iter().copied()), items(places.iter().copied())];
            self.pipeline.execute(statement, values);
        }
    }

    /// Rows that keep their value.
    fn extend(&mut self, changes: &[&'a Change<Kept>]) {
        let keeps = |change: &&'a Change<Kept>| {
            let after = change.after.as_ref()?;
            matches!(after.value, Kept::Old { .. }).then_some((change.place, after))
        };
        let extended: Vec<_> = changes.iter().filter_map(keeps).collect();
        self.count(extended.len());
        if !extended.is_empty() {
            let places = || extended.iter().map(|(place, _)| *place);
            let expiries: Vec<_> = extended.iter().map(|(_, entry)| signed_option(entry.expires_at)).collect();
            let version = Box::new(self.version);
            let values = vec![self.tag(), version, kinds(places()), items(places()), Box::new(expiries)];
            self.pipeline.execute(&self.statements.extend_rows, values);
        }
    }

    fn update(&mut self, rows: &[&Written<'a>]) {
        for some in by_size(rows) {
            self.count(some.len());
            let values = self.rows(some, &[]);
            self.pipeline.execute(&self.statements.update_rows, values);
        }
    }

    /// New rows, and empty rows in places that must stay absent: all in key order, like every other transaction.
    fn insert(&mut self, rows: &[&Written<'a>], held: &[Place]) {
        let mut batches: Vec<&[&Written<'a>]> = by_size(rows).collect();
        if batches.is_empty() && !held.is_empty() {
            batches.push(&[]);
        }
        for (number, some) in batches.into_iter().enumerate() {
            let held = if number == 0 { held } else { &[] };
            self.count(some.len() + held.len());
            let values = self.rows(some, held);
            self.pipeline.execute(&self.statements.insert_rows, values);
        }
    }

    /// Returns the parameters of rows, and of empty ones in the places `held`.
    fn rows(&self, rows: &[&Written<'a>], held: &[Place]) -> Vec<Parameter<'a>> {
        let mut values = vec![self.tag(), Box::new(self.version) as _];
        values.extend(columns(rows, held));
        values
    }

    /// A value in parts.
    fn blobs(&mut self, row: &Written<'a>) {
        let parts: Vec<&'a [u8]> = row.value.chunks(PART_BYTES).collect();
        for (number, some) in parts.chunks(STATEMENT_BYTES / PART_BYTES).enumerate() {
            let first = number * (STATEMENT_BYTES / PART_BYTES);
            let numbers: Vec<i16> =
                (first..first + some.len()).map(|part| i16::try_from(part).unwrap_or(i16::MAX)).collect();
            self.count(some.len());
            let (kind, item) = (Box::new(i16::from(row.place.kind)), binary(&row.place.item));
            let values = vec![self.tag(), kind, item, Box::new(numbers), Box::new(some.to_vec())];
            self.pipeline.execute(&self.statements.insert_blobs, values);
        }
    }

    /// The usage of the tag, and when its kinds are due. The usage rows come first: their locks keep the sweeper from setting when the kind is due
    /// next.
    fn usage(&mut self, changes: &[Change<Kept>], token: Token) {
        let sums = Sums::of(self.commit, changes);
        if !sums.deltas.is_empty() {
            let mut values = vec![self.tag(), Box::new(token.shard()) as _];
            values.extend(sums.usage());
            self.pipeline.execute(&self.statements.add_usage, values);
        }
        let woken: Vec<(Millis, u8)> = wakes(self.commit).collect();
        if !woken.is_empty() {
            let kinds: Vec<i16> = woken.iter().map(|(_, kind)| i16::from(*kind)).collect();
            let times: Vec<i64> = woken.iter().map(|(at, _)| signed(*at)).collect();
            self.pipeline.execute(&self.statements.add_wakes, vec![self.tag(), Box::new(kinds), Box::new(times)]);
        }
        if let Some([kinds, times]) = sums.dues() {
            self.pipeline.execute(&self.statements.lower_due, vec![self.tag(), kinds, times, binary(&token.0)]);
        }
    }
}

/// The changes of a commit, summed by kind.
pub(in crate::postgres) struct Sums {
    /// Items and bytes; zeros for kinds that only become due.
    deltas: BTreeMap<u8, (i64, i64)>,
    /// The earliest time at which a kind is due.
    dues: BTreeMap<u8, Millis>,
}

impl Sums {
    pub(in crate::postgres) fn of(commit: &Commit, changes: &[Change<Kept>]) -> Self {
        let (mut deltas, mut dues) = (BTreeMap::<u8, (i64, i64)>::new(), BTreeMap::<u8, Millis>::new());
        for (at, kind) in expiries(changes).chain(wakes(commit)) {
            dues.entry(kind).and_modify(|earliest| *earliest = at.min(*earliest)).or_insert(at);
        }
        for change in changes {
            for (entry, sign) in [(&change.before, -1), (&change.after, 1)] {
                if let Some(bytes) = entry.as_ref().and_then(|entry| entry.counted) {
                    let delta = deltas.entry(change.place.kind).or_default();
                    delta.0 += sign;
                    delta.1 = delta.1.saturating_add(signed(bytes).saturating_mul(sign));
                }
            }
        }
        deltas.retain(|_, delta| *delta != (0, 0));
        for kind in dues.keys() {
            deltas.entry(*kind).or_default();
        }
        Self { deltas, dues }
    }

    /// Returns kinds, items and bytes, to be added to a shard.
    pub(in crate::postgres) fn usage<'a>(&self) -> [Parameter<'a>; 3] {
        let kinds: Vec<i16> = self.deltas.keys().map(|kind| i16::from(*kind)).collect();
        let items: Vec<i64> = self.deltas.values().map(|delta| delta.0).collect();
        let bytes: Vec<i64> = self.deltas.values().map(|delta| delta.1).collect();
        [Box::new(kinds), Box::new(items), Box::new(bytes)]
    }

    /// Returns kinds and times, if there are any.
    pub(in crate::postgres) fn dues<'a>(&self) -> Option<[Parameter<'a>; 2]> {
        let kinds: Vec<i16> = self.dues.keys().map(|kind| i16::from(*kind)).collect();
        let times: Vec<i64> = self.dues.values().map(|at| signed(*at)).collect();
        (!kinds.is_empty()).then(|| [Box::new(kinds) as _, Box::new(times) as _])
    }
}

/// Returns the columns of rows after tag and version, and of empty rows in the places `held`: all in key order.
pub(in crate::postgres) fn columns<'a>(rows: &[&Written<'_>], held: &[Place]) -> Vec<Parameter<'a>> {
    type Columns = (Option<i64>, Option<i64>, i16, Vec<u8>);
    let mut columns: Vec<(Place, Columns)> = rows
        .iter()
        .map(|row| {
            let (expires_at, counted) = (signed_option(row.entry.expires_at), signed_option(row.entry.counted));
            (row.place, (expires_at, counted, row.parts(), row.inline().to_vec()))
        })
        .collect();
    columns.extend(held.iter().map(|place| (*place, (None, None, 0, Vec::new()))));
    if !held.is_empty() {
        columns.sort_by_key(|(place, _)| *place);
    }
    let places = || columns.iter().map(|(place, _)| *place);
    let (kinds, items) = (kinds(places()), items(places()));
    let (mut expiries, mut counts, mut parts, mut bytes) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    for (_, (expires_at, counted, part_count, value)) in columns {
        expiries.push(expires_at);
        counts.push(counted);
        parts.push(part_count);
        bytes.push(value);
    }
    vec![kinds, items, Box::new(expiries), Box::new(counts), Box::new(parts), Box::new(bytes)]
}

/// Splits rows into batches that fit in one statement.
fn by_size<'w, 'a>(rows: &'w [&'w Written<'a>]) -> impl Iterator<Item = &'w [&'w Written<'a>]> {
    let mut rest = rows;
    std::iter::from_fn(move || {
        let mut bytes = 0;
        let fits = |row: &&&Written<'a>| {
            bytes += row.inline().len();
            bytes <= STATEMENT_BYTES
        };
        let count = rest.iter().take_while(fits).count();
        let (some, after) = rest.split_at_checked(count.max(1))?;
        rest = after;
        Some(some)
    })
}

pub(in crate::postgres) fn kinds<'a>(places: impl Iterator<Item = Place>) -> Parameter<'a> {
    Box::new(places.map(|place| i16::from(place.kind)).collect::<Vec<_>>())
}

pub(in crate::postgres) fn items<'a>(places: impl Iterator<Item = Place>) -> Parameter<'a> {
    Box::new(places.map(|place| place.item.to_vec()).collect::<Vec<_>>())
}
