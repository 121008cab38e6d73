//! The insert-only fast path: commits that only add rows, in one round trip. Nothing is locked or read first: the statement that inserts detects rows
//! that exist. Then nothing is written; a single commit gets its answer at once, and a group takes the usual path.

use super::plan::{Answers, Before, Failed, Group, durability, failure_of, stage_all};
use super::token::Token;
use super::write::{PART_BYTES, Sums, columns, items, kinds, rows_of};
use crate::engine::{Commit, CommitError, Op, Place, When};
use crate::postgres::connect::connection::{Connection, Next};
use crate::postgres::connect::transaction::begin;
use crate::postgres::failure::Trouble;
use crate::postgres::shared::Shared;
use crate::postgres::sql::pipeline::Answer;
use crate::postgres::sql::values::{binary, signed};

/// Whether commits probably only add rows: each requires that at least one row is absent, and its other rows are likely to be new too.
pub(in crate::postgres) fn applies_to(commits: &[Commit]) -> bool {
    commits.iter().all(|commit| {
        let is_unlimited = commit.limits.bytes.is_none() && commit.limits.items.is_empty();
        let is_put =
            |op: &Op| matches!(op, Op::Put { value, when: When::Any | When::Absent, .. } if value.len() <= PART_BYTES);
        is_unlimited && commit.ops.iter().all(is_put) && commit.ops.iter().any(|op| absent(op).is_some())
    })
}

/// Returns the place of a row that must be absent.
fn absent(op: &Op) -> Option<Place> {
    if let Op::Put { place, when: When::Absent, .. } = op { Some(*place) } else { None }
}

/// Applies commits in one transaction if all their rows are new. `None`: nothing was written; take the usual path.
pub(in crate::postgres) async fn attempt(
    shared: &Shared,
    connection: &Connection,
    commits: &[Commit],
) -> Result<Option<Answers>, Failed> {
    // The version is known before, so that it can be returned if the connection breaks while committing.
    let Some(next) = connection.take_next() else { return Ok(None) };
    let version = next.version;
    let Some(Group { commit, staged, answers }) = stage_all(commits, &Before::nothing(version)) else {
        return Ok(None);
    };
    let rows = rows_of(&commit, &staged);
    // A commit with two operations on one place needs the usual path.
    if answers.iter().any(Result::is_err) || rows.len() != commit.ops.len() {
        return Ok(None);
    }
    let token = Token::fresh(next.now()).ok_or(Failed::NotWritten(Trouble::Refused))?;
    let tag = || binary(&commit.tag.0);
    let sums = Sums::of(&commit, &staged.changes);
    let places: Vec<Place> = commit.ops.iter().filter_map(absent).collect();
    let mut values = vec![tag(), binary(&token.0), Box::new(signed(version)) as _];
    values.extend([kinds(places.iter().copied()), items(places.iter().copied())]);
    values.extend(columns(&rows.iter().collect::<Vec<_>>(), &[]));
    values.push(Box::new(token.shard()));
    values.extend(sums.usage());
    values.push(Box::new(signed(commit.now)));
    let statements = &connection.statements;
    let begin = begin(&commit.tag, durability(commits), shared.is_citus);
    let mut pipeline = connection.pipeline();
    pipeline.batch(&begin);
    pipeline.query(&statements.insert_new, values);
    if token.removes_old_ones() {
        pipeline.execute(&statements.drop_tokens, vec![tag()]);
    }
    if let Some([kinds, times]) = sums.dues() {
        pipeline.execute(&statements.lower_due, vec![tag(), kinds, times, binary(&token.0)]);
    }
    let last = pipeline.len();
    pipeline.batch("COMMIT");
    let Ok(mut outcomes) = pipeline.outcomes().await else { return Err(Failed::Unknown(token, answers)) };
    if let Some(failed) = failure_of(&outcomes, last, token, &answers) {
        return Err(failed);
    }
    let inserted = outcomes.swap_remove(1).map(Answer::rows).unwrap_or_default();
    let row = inserted.first().ok_or(Failed::NotWritten(Trouble::Corrupt))?;
    connection.keep_next(Next::of(row));
    if row.get(2) {
        return Ok(Some(answers));
    }
    let number = row.get::<_, Option<i64>>(3).and_then(|number| usize::try_from(number).ok());
    let conflict = number.and_then(|number| conflict(commits, number));
    Ok(conflict.map(|conflict| vec![Err(conflict)]))
}

/// Returns the conflict of a single commit. `number`: 1-based index of the first row that must not exist but does.
fn conflict(commits: &[Commit], number: usize) -> Option<CommitError> {
    let [Commit { ops, .. }] = commits else { return None };
    let mut asked = ops.iter().enumerate().filter(|(_, op)| absent(op).is_some());
    asked.nth(number.checked_sub(1)?).map(|(op, _)| CommitError::Conflict { op })
}
