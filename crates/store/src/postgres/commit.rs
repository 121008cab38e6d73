//! Commits: one trip that locks the rows and reads what conditions need, one that writes and commits. What a commit means
//! is worked out between the two, by the same code as for every engine.

use std::collections::{BTreeMap, BTreeSet};

use super::Shared;
use super::connections::{Connection, begin};
use super::failure::Trouble;
use super::numbers::{binary, kind, signed, unsigned};
use super::outcome::{self, Token};
use super::pipeline::Answer;
use super::writing::{self, Kept};
use crate::engine::{Commit, CommitError, Count, Op, Place, Usage, Version, When};
use crate::stage::{Entry, Refusal, Staged, answer, check_sizes, stage};

/// How often a commit starts again when others came first or its connection had died before.
const ATTEMPTS: usize = 16;
/// How often it does so for lost connections.
const LOST: usize = 3;

/// How an attempt ended that did not go through.
enum Failed {
    /// The commit is refused. The connection is as good as before.
    Refused(CommitError),
    /// Nothing was written.
    NotWritten(Trouble),
    /// `COMMIT` was sent, and what came of it is not known.
    Unknown(Token, Version),
}

/// Applies a commit.
pub(super) async fn run(shared: &Shared, commit: &Commit) -> Result<Version, CommitError> {
    check_sizes(commit)?;
    let mut lost = 0;
    for _ in 0..ATTEMPTS {
        let lease = shared.connections.lease().await?;
        match attempt(shared, lease.connection()?, commit).await {
            Ok(version) => {
                lease.done();
                return Ok(version);
            }
            Err(Failed::Refused(error)) => {
                lease.done();
                return Err(error);
            }
            Err(Failed::Unknown(token, version)) => {
                drop(lease);
                if outcome::was_committed(shared, commit.tag, token).await? {
                    return Ok(version);
                }
            }
            Err(Failed::NotWritten(Trouble::Raced)) => {}
            Err(Failed::NotWritten(Trouble::Lost)) if lost < LOST => lost += 1,
            Err(Failed::NotWritten(trouble)) => return Err(trouble.into()),
        }
    }
    Err(CommitError::Unavailable)
}

/// A row as it is locked; its value stays where it is.
type Locked = BTreeMap<Place, Entry<Kept>>;

/// What the first trip found.
struct Before {
    locked: Locked,
    version: u64,
    /// Whether the tag is known, and whether it was erased.
    is_erased: Option<bool>,
    usage: Usage,
}

async fn attempt(shared: &Shared, connection: &Connection, commit: &Commit) -> Result<Version, Failed> {
    let before = lock(shared, connection, commit).await.map_err(Failed::NotWritten)?;
    let refuse = |error| roll_back(connection, error);
    if before.is_erased == Some(true) {
        return Err(refuse(CommitError::Closed).await);
    }
    let look = |place: &Place| -> Result<_, std::convert::Infallible> { Ok(before.locked.get(place).cloned()) };
    let keep = |number, _: &bytes::Bytes| Kept::New(number);
    let staged = match stage(commit, before.version, &before.usage, keep, look) {
        Ok(staged) => staged,
        Err(Refusal::Commit(error)) => return Err(refuse(error).await),
        Err(Refusal::Read(never)) => match never {},
    };
    let version = answer(&staged, before.version);
    let absent = absent_and_staying_so(commit, &staged, &before.locked);
    if staged.changes.is_empty() && absent.is_empty() && crate::stage::wakes(commit).next().is_none() {
        return connection.batch("ROLLBACK").await.map(|()| version).map_err(Failed::NotWritten);
    }
    let token = Token::fresh().ok_or(Failed::NotWritten(Trouble::Refused))?;
    let mut pipeline = connection.pipeline();
    let statements = &connection.statements;
    pipeline.execute(&statements.insert_token, vec![binary(&commit.tag.0), binary(&token.0)]);
    if let Some(cutoff) = token.old_ones() {
        pipeline.execute(&statements.drop_tokens, vec![binary(&commit.tag.0), binary(&cutoff)]);
    }
    if before.is_erased.is_none() {
        pipeline.execute(&statements.register, vec![binary(&commit.tag.0)]);
    }
    let counts = writing::write(&mut pipeline, statements, commit, &staged, &absent, before.version, token.shard());
    let last = pipeline.len();
    pipeline.batch("COMMIT");
    let unknown = Failed::Unknown(token, version);
    let Ok(outcomes) = pipeline.outcomes().await else { return Err(unknown) };
    for (step, outcome) in outcomes.iter().enumerate() {
        let Err(error) = outcome else { continue };
        return Err(match Trouble::of(error) {
            // The server went on to the COMMIT and took it as a ROLLBACK.
            trouble if step < last && trouble != Trouble::Lost => Failed::NotWritten(trouble),
            _ => unknown,
        });
    }
    let is_as_expected =
        |(step, rows): &(usize, u64)| matches!(outcomes.get(*step), Some(Ok(Answer::Count(count))) if count == rows);
    // The rows were locked, so each of them was written, or the database is not what it says.
    if counts.iter().all(is_as_expected) { Ok(version) } else { Err(Failed::NotWritten(Trouble::Corrupt)) }
}

/// The first trip.
async fn lock(shared: &Shared, connection: &Connection, commit: &Commit) -> Result<Before, Trouble> {
    let places: BTreeSet<Place> = commit.ops.iter().filter_map(place).collect();
    let kinds = || places.iter().map(|place| i16::from(place.kind)).collect::<Vec<_>>();
    let items = || places.iter().map(|place| &place.item[..]).collect::<Vec<_>>();
    let statements = &connection.statements;
    let begin = begin(&commit.tag, commit.durability, shared.is_citus);
    let mut pipeline = connection.pipeline();
    pipeline.batch(&begin);
    // The first locks, and may wait for a transaction that adds rows which the statement does not see, because it had
    // begun before. The second sees them, and has nothing to wait for but those.
    let times = places.len().min(2);
    for _ in 0..times {
        pipeline.query(&statements.lock_rows, vec![binary(&commit.tag.0), Box::new(kinds()), Box::new(items())]);
    }
    pipeline.query(&statements.next_version, vec![binary(&commit.tag.0)]);
    let is_limited = commit.limits.bytes.is_some() || !commit.limits.items.is_empty();
    if is_limited {
        pipeline.query(&statements.usage, vec![binary(&commit.tag.0)]);
    }
    let mut answers = pipeline.answers().await?.into_iter().skip(1);
    let (mut locked, mut seen) = (Locked::new(), 0);
    for time in 0..times {
        seen = if time == 0 { places.len() } else { locked.len() };
        locked = locked_rows(&answers.next().map(Answer::rows).unwrap_or_default())?;
    }
    let next = answers.next().map(Answer::rows).unwrap_or_default();
    let next = next.first().ok_or(Trouble::Corrupt)?;
    let (version, is_erased): (i64, Option<bool>) = (next.get(0), next.get(1));
    let usage = answers.next().map(Answer::rows).unwrap_or_default();
    while locked.len() > seen {
        seen = locked.len();
        let mut pipeline = connection.pipeline();
        pipeline.query(&statements.lock_rows, vec![binary(&commit.tag.0), Box::new(kinds()), Box::new(items())]);
        locked = locked_rows(&pipeline.answers().await?.pop().map(Answer::rows).unwrap_or_default())?;
    }
    Ok(Before { locked, version: unsigned(version), is_erased, usage: usage_of(&usage).ok_or(Trouble::Corrupt)? })
}

fn locked_rows(rows: &[tokio_postgres::Row]) -> Result<Locked, Trouble> {
    let entry = |row: &tokio_postgres::Row| {
        let place = Place { kind: kind(row.get(0))?, item: super::numbers::item(row.get(1))? };
        let entry = Entry {
            version: unsigned(row.get(2)),
            expires_at: row.get::<_, Option<i64>>(3).map(unsigned),
            counted: row.get::<_, Option<i64>>(4).map(unsigned),
            value: Kept::Old { is_in_parts: row.get::<_, i16>(5) > 0 },
        };
        Some((place, entry))
    };
    rows.iter().map(entry).collect::<Option<_>>().ok_or(Trouble::Corrupt)
}

/// What a tag holds, summed by kind.
pub(super) fn usage_of(rows: &[tokio_postgres::Row]) -> Option<Usage> {
    let count = |row: &tokio_postgres::Row| {
        Some((kind(row.get(0))?, Count { items: unsigned(row.get(1)), bytes: unsigned(row.get(2)) }))
    };
    let usage = rows.iter().map(count).collect::<Option<Usage>>()?;
    Some(usage.into_iter().filter(|(_, count)| *count != Count::default()).collect())
}

/// Where a step looks.
fn place(op: &Op) -> Option<Place> {
    match op {
        Op::Put { place, .. } | Op::Extend { place, .. } | Op::Delete { place, .. } | Op::Check { place, .. } => {
            Some(*place)
        }
        Op::Wake { .. } => None,
    }
}

/// Places that must be absent and that nothing is written to: there is no row to lock, so that nobody else writes one
/// until the commit is over.
fn absent_and_staying_so(commit: &Commit, staged: &Staged<Kept>, locked: &Locked) -> Vec<Place> {
    let must_be_absent = |op: &Op| {
        matches!(
            op,
            Op::Put { when: When::Absent, .. }
                | Op::Delete { when: When::Absent, .. }
                | Op::Check { when: When::Absent, .. }
        )
    };
    let places: BTreeSet<Place> = commit.ops.iter().filter(|op| must_be_absent(op)).filter_map(place).collect();
    let is_changed = |place: &Place| staged.changes.iter().any(|change| change.place == *place);
    places.into_iter().filter(|place| !locked.contains_key(place) && !is_changed(place)).collect()
}

/// Ends the transaction of a commit that is refused.
async fn roll_back(connection: &Connection, error: CommitError) -> Failed {
    match connection.batch("ROLLBACK").await {
        Ok(()) => Failed::Refused(error),
        // Whoever repeats it is told again.
        Err(broken) => Failed::NotWritten(broken),
    }
}

/// A time, or none, for the server.
pub(super) fn signed_option(number: Option<u64>) -> Option<i64> {
    number.map(signed)
}
