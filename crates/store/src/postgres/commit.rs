//! Commits: one trip that locks the rows and reads what conditions need, one that writes and commits. What commits mean is
//! worked out between the two, by the same code as for every engine.

use std::collections::{BTreeMap, BTreeSet};

use super::Shared;
use super::connections::{Connection, begin};
use super::failure::Trouble;
use super::fresh;
use super::numbers::{binary, kind, signed, unsigned};
use super::outcome::{self, Token};
use super::pipeline::Answer;
use super::reading::of_primary;
use super::writing::{self, Kept};
use crate::engine::{Commit, CommitError, Count, Durability, Op, Place, Usage, Version, When};
use crate::stage::{Entry, Refusal, Staged, answer, stage};

/// How often a commit starts again when others came first or its connection had died before.
const ATTEMPTS: usize = 16;
/// How often it does so for lost connections.
const LOST: usize = 3;

/// What each commit of a group is told.
pub(super) type Answers = Vec<Result<Version, CommitError>>;

/// How an attempt ended that did not go through.
pub(super) enum Failed {
    /// Nothing was written.
    NotWritten(Trouble),
    /// `COMMIT` was sent, and what came of it is not known. If it went through, these are the answers.
    Unknown(Token, Answers),
}

/// Applies commits of one tag in one transaction. Each is refused or not by itself, and no two of them touch the same
/// place, so one version does for all.
pub(super) async fn run(shared: &Shared, commits: &[Commit]) -> Answers {
    match repeated(shared, commits).await {
        Ok(answers) => answers,
        Err(error) => vec![Err(error); commits.len()],
    }
}

async fn repeated(shared: &Shared, commits: &[Commit]) -> Result<Answers, CommitError> {
    let mut lost = 0;
    let mut seem_new = !shared.is_citus && fresh::seem_new(commits);
    for _ in 0..ATTEMPTS {
        let lease = shared.connections.lease(commits.first().map(|commit| commit.tag)).await?;
        let connection = lease.connection()?;
        let tried =
            if std::mem::take(&mut seem_new) { fresh::attempt(shared, connection, commits).await } else { Ok(None) };
        let tried = match tried {
            Ok(None) => attempt(shared, connection, commits).await,
            Ok(Some(answers)) => Ok(answers),
            Err(failed) => Err(failed),
        };
        match tried {
            Ok(answers) => {
                lease.done();
                return Ok(answers);
            }
            Err(Failed::Unknown(token, answers)) => {
                drop(lease);
                let Some(first) = commits.first() else { return Ok(answers) };
                if outcome::was_committed(shared, first.tag, token).await? {
                    return Ok(answers);
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
pub(super) struct Before {
    locked: Locked,
    version: u64,
    /// The server's clock.
    time: u64,
    /// Whether the tag is known, and whether it was erased.
    is_erased: Option<bool>,
    usage: Usage,
}

impl Before {
    /// No rows, and no limits that what is there could meet.
    pub(super) fn nothing(version: u64) -> Self {
        Self { locked: Locked::new(), version, time: 0, is_erased: None, usage: Usage::new() }
    }
}

/// What a group does: those of its commits that go through, as one.
pub(super) struct Group {
    pub(super) commit: Commit,
    pub(super) staged: Staged<Kept>,
    pub(super) answers: Answers,
}

/// Works out commits one after the other. They touch different places, so each finds the rows as they were.
pub(super) fn stage_all(commits: &[Commit], before: &Before) -> Option<Group> {
    let mut group = Group {
        commit: Commit { ops: Vec::new(), ..commits.first()?.clone() },
        staged: Staged { changes: Vec::new(), usage: None },
        answers: Vec::with_capacity(commits.len()),
    };
    for commit in commits {
        if before.is_erased == Some(true) {
            group.answers.push(Err(CommitError::Closed));
            continue;
        }
        let usage = group.staged.usage.as_ref().unwrap_or(&before.usage);
        let first = group.commit.ops.len();
        let look = |place: &Place| -> Result<_, std::convert::Infallible> { Ok(before.locked.get(place).cloned()) };
        match stage(commit, before.version, usage, |number, _| Kept::New(first + number), look) {
            Ok(staged) => {
                group.answers.push(Ok(answer(&staged, before.version)));
                group.staged.changes.extend(staged.changes);
                group.staged.usage = staged.usage.or(group.staged.usage);
                group.commit.ops.extend_from_slice(&commit.ops);
            }
            Err(Refusal::Commit(error)) => group.answers.push(Err(error)),
            Err(Refusal::Read(never)) => match never {},
        }
    }
    Some(group)
}

async fn attempt(shared: &Shared, connection: &Connection, commits: &[Commit]) -> Result<Answers, Failed> {
    let before = lock(shared, connection, commits).await.map_err(Failed::NotWritten)?;
    let Some(Group { commit, staged, answers }) = stage_all(commits, &before) else { return Ok(Vec::new()) };
    let absent = absent_and_staying_so(&commit, &staged, &before.locked);
    if staged.changes.is_empty() && absent.is_empty() && crate::stage::wakes(&commit).next().is_none() {
        // If this fails, whoever repeats it is told again.
        return connection.batch("ROLLBACK").await.map(|()| answers).map_err(Failed::NotWritten);
    }
    let token = Token::fresh(before.time).ok_or(Failed::NotWritten(Trouble::Refused))?;
    let mut pipeline = connection.pipeline();
    let statements = &connection.statements;
    pipeline.execute(&statements.insert_token, vec![binary(&commit.tag.0), binary(&token.0)]);
    if token.removes_old_ones() {
        pipeline.execute(&statements.drop_tokens, vec![binary(&commit.tag.0)]);
    }
    if before.is_erased.is_none() {
        pipeline.execute(&statements.register, vec![binary(&commit.tag.0)]);
    }
    let counts = writing::write(&mut pipeline, statements, &commit, &staged, &absent, before.version, token);
    let last = pipeline.len();
    pipeline.batch("COMMIT");
    let Ok(outcomes) = pipeline.outcomes().await else { return Err(Failed::Unknown(token, answers)) };
    if let Some(failed) = failure_of(&outcomes, last, token, &answers) {
        return Err(failed);
    }
    let is_as_expected =
        |(step, rows): &(usize, u64)| matches!(outcomes.get(*step), Some(Ok(Answer::Count(count))) if count == rows);
    // The rows were locked, so each of them was written, or the database is not what it says.
    if counts.iter().all(is_as_expected) { Ok(answers) } else { Err(Failed::NotWritten(Trouble::Corrupt)) }
}

/// What an error among the outcomes of a trip means whose last statement is its COMMIT.
pub(super) fn failure_of(
    outcomes: &[Result<Answer, tokio_postgres::Error>],
    last: usize,
    token: Token,
    answers: &Answers,
) -> Option<Failed> {
    let (step, error) =
        outcomes.iter().enumerate().find_map(|(step, outcome)| Some((step, outcome.as_ref().err()?)))?;
    Some(match Trouble::of(error) {
        // The server went on to the COMMIT and took it as a ROLLBACK.
        trouble if step < last && trouble != Trouble::Lost => Failed::NotWritten(trouble),
        _ => Failed::Unknown(token, answers.clone()),
    })
}

/// That of a group: the strictest that one of them asks for.
pub(super) fn durability(commits: &[Commit]) -> Durability {
    let is_sync = commits.iter().any(|commit| commit.durability == Durability::Sync);
    if is_sync { Durability::Sync } else { Durability::Relaxed }
}

/// The first trip.
async fn lock(shared: &Shared, connection: &Connection, commits: &[Commit]) -> Result<Before, Trouble> {
    let Some(Commit { tag, .. }) = commits.first() else { return Err(Trouble::Refused) };
    let places: BTreeSet<Place> = commits.iter().flat_map(|commit| &commit.ops).filter_map(place).collect();
    let kinds = || places.iter().map(|place| i16::from(place.kind)).collect::<Vec<_>>();
    let items = || places.iter().map(|place| &place.item[..]).collect::<Vec<_>>();
    let statements = &connection.statements;
    let begin = begin(tag, durability(commits), shared.is_citus);
    let mut pipeline = connection.pipeline();
    pipeline.batch(&begin);
    // The first locks, and may wait for a transaction that adds rows which the statement does not see, because it had
    // begun before. The second sees them, and has nothing to wait for but those.
    let times = places.len().min(2);
    for _ in 0..times {
        pipeline.query(&statements.lock_rows, vec![binary(&tag.0), Box::new(kinds()), Box::new(items())]);
    }
    pipeline.query(&statements.next_version, vec![binary(&tag.0)]);
    let is_limited = |commit: &Commit| commit.limits.bytes.is_some() || !commit.limits.items.is_empty();
    if commits.iter().any(is_limited) {
        pipeline.query(&statements.usage, vec![binary(&tag.0)]);
    }
    let mut answers = pipeline.answers().await?.into_iter().skip(1);
    let (mut locked, mut seen) = (Locked::new(), 0);
    for time in 0..times {
        seen = if time == 0 { places.len() } else { locked.len() };
        locked = locked_rows(&answers.next().map(Answer::rows).unwrap_or_default())?;
    }
    let next = answers.next().map(Answer::rows).unwrap_or_default();
    let next = next.first().ok_or(Trouble::Corrupt)?;
    let (version, time, is_erased): (i64, i64, Option<bool>) = (next.get(0), next.get(1), next.get(2));
    // Only where there are limits.
    let usage = answers.next().map(Answer::rows).map_or(Ok(Vec::new()), of_primary)?;
    while locked.len() > seen {
        seen = locked.len();
        let mut pipeline = connection.pipeline();
        pipeline.query(&statements.lock_rows, vec![binary(&tag.0), Box::new(kinds()), Box::new(items())]);
        locked = locked_rows(&pipeline.answers().await?.pop().map(Answer::rows).unwrap_or_default())?;
    }
    let usage = usage_of(&usage).ok_or(Trouble::Corrupt)?;
    Ok(Before { locked, version: unsigned(version), time: unsigned(time), is_erased, usage })
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
pub(super) fn place(op: &Op) -> Option<Place> {
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

/// A time, or none, for the server.
pub(super) fn signed_option(number: Option<u64>) -> Option<i64> {
    number.map(signed)
}
