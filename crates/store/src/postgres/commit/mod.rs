//! Commits: one round trip locks the rows and reads what the conditions need, a second writes and commits.

pub(in crate::postgres) mod group;
pub(in crate::postgres) mod groups;
mod insert_only;
pub(in crate::postgres) mod outcome;
mod plan;
pub(in crate::postgres) mod token;
mod write;

use std::collections::BTreeSet;

use self::plan::{Answers, Before, Failed, Group, Kept, Locked, durability, failure_of, place, stage_all};
use self::token::Token;
use super::connect::connection::Connection;
use super::connect::transaction::begin;
use super::failure::Trouble;
use super::shared::Shared;
use super::sql::pipeline::Answer;
use super::sql::values::{binary, item, kind, of_primary, unsigned, usage_of};
use crate::engine::{Commit, CommitError, Op, Place, Version, When};
use crate::stage::{Entry, Staged};

/// The attempts of a commit that lost a race or its connection.
const ATTEMPTS: usize = 16;
/// The attempts after lost connections.
const LOST: usize = 3;

/// Applies commits of one tag in one transaction. Each is accepted or refused by itself. No two touch the same place, so one version is enough
/// for all.
pub(in crate::postgres) async fn run(shared: &Shared, commits: &[Commit]) -> Vec<Result<Version, CommitError>> {
    match retry(shared, commits).await {
        Ok(answers) => answers,
        Err(error) => vec![Err(error); commits.len()],
    }
}

async fn retry(shared: &Shared, commits: &[Commit]) -> Result<Answers, CommitError> {
    let mut lost = 0;
    let mut is_insert_only = !shared.is_citus && insert_only::applies_to(commits);
    for _ in 0..ATTEMPTS {
        let lease = shared.connections.lease(commits.first().map(|commit| commit.tag)).await?;
        let connection = lease.connection()?;
        let tried = if std::mem::take(&mut is_insert_only) {
            insert_only::attempt(shared, connection, commits).await
        } else {
            Ok(None)
        };
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

async fn attempt(shared: &Shared, connection: &Connection, commits: &[Commit]) -> Result<Answers, Failed> {
    let before = lock(shared, connection, commits).await.map_err(Failed::NotWritten)?;
    let Some(Group { commit, staged, answers }) = stage_all(commits, &before) else { return Ok(Vec::new()) };
    let absent = absent_and_staying_so(&commit, &staged, &before.locked);
    if staged.changes.is_empty() && absent.is_empty() && crate::stage::wakes(&commit).next().is_none() {
        // If this fails, a retry gets the same answers.
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
    let counts = write::write(&mut pipeline, statements, &commit, &staged, &absent, before.version, token);
    let last = pipeline.len();
    pipeline.batch("COMMIT");
    let Ok(outcomes) = pipeline.outcomes().await else { return Err(Failed::Unknown(token, answers)) };
    if let Some(failed) = failure_of(&outcomes, last, token, &answers) {
        return Err(failed);
    }
    let is_as_expected =
        |(step, rows): &(usize, u64)| matches!(outcomes.get(*step), Some(Ok(Answer::Count(count))) if count == rows);
    // The rows were locked, so each was written, or the database is corrupt.
    if counts.iter().all(is_as_expected) { Ok(answers) } else { Err(Failed::NotWritten(Trouble::Corrupt)) }
}

/// The first round trip.
async fn lock(shared: &Shared, connection: &Connection, commits: &[Commit]) -> Result<Before, Trouble> {
    let Some(Commit { tag, .. }) = commits.first() else { return Err(Trouble::Refused) };
    let places: BTreeSet<Place> = commits.iter().flat_map(|commit| &commit.ops).filter_map(place).collect();
    let kinds = || places.iter().map(|place| i16::from(place.kind)).collect::<Vec<_>>();
    let items = || places.iter().map(|place| &place.item[..]).collect::<Vec<_>>();
    let statements = &connection.statements;
    let begin = begin(tag, durability(commits), shared.is_citus);
    let mut pipeline = connection.pipeline();
    pipeline.batch(&begin);
    // The first statement locks, and may wait for a transaction whose new rows it does not see, because it began before. The second sees
    // them.
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
        let place = Place { kind: kind(row.get(0))?, item: item(row.get(1))? };
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

/// Returns the places that must be absent and that are not written: there is no row to lock, so one is inserted and removed to keep others from
/// writing there until the commit ends.
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
