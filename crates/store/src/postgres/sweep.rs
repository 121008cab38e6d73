//! Lists what is due, and removes rows that have expired or were erased, in small transactions. Each leaves a
//! consistent state.

use super::shared::Shared;
use super::sql::single;
use crate::engine::{Due, Durability, Kinds, Millis, Tag};
use crate::postgres::connect::connection::Connection;
use crate::postgres::connect::transaction::begin;
use crate::postgres::failure::Trouble;
use crate::postgres::sql::pipeline::{Answer, Parameter};
use crate::postgres::sql::values::{binary, kind, signed, tag};

/// The rows that are removed at once.
const STEP: i64 = 256;
/// The attempts of a step that conflicts.
const ATTEMPTS: usize = 16;
/// The kind under which an erased tag is due once more: no row has it.
const ERASED: i16 = u8::MAX as i16;
const NO_KIND: i16 = -1;
/// The time after an erase at which it is due again, in milliseconds: longer than a transaction that did not see the
/// erase can take.
const SECOND_PASS: i64 = 3_600_000;

pub(in crate::postgres) async fn due(
    shared: &Shared,
    now: Millis,
    kinds: Kinds,
    limit: usize,
) -> Result<Vec<Due>, Trouble> {
    let (one, is_only) = match kinds {
        Kinds::Only(kind) => (i16::from(kind), true),
        Kinds::AllBut(kind) => (i16::from(kind), false),
    };
    let limit = i64::try_from(limit).unwrap_or(i64::MAX);
    let values = || -> Vec<Parameter<'static>> {
        vec![Box::new(signed(now)), Box::new(limit), Box::new(one), Box::new(is_only)]
    };
    let rows = single::read(shared, |statements| &statements.due, values).await?;
    let due = |row: &tokio_postgres::Row| Some(Due { tag: tag(row.get(0))?, kind: kind(row.get(1))? });
    rows.iter().map(due).collect::<Option<_>>().ok_or(Trouble::Corrupt)
}

/// The progress of a sweep.
enum Step {
    /// This many rows were removed, and more may be left.
    Removed(u64),
    /// No expired row is left, and the kind is due when its next row expires.
    Settled,
}

pub(in crate::postgres) async fn sweep(shared: &Shared, due: Due, now: Millis) -> Result<u64, Trouble> {
    if i16::from(due.kind) == ERASED {
        return second_pass(shared, due.tag).await;
    }
    let (mut swept, mut failures) = (0, 0);
    loop {
        let lease = shared.connections.lease(Some(due.tag)).await?;
        match step(shared, lease.connection()?, due, now).await {
            Ok(Step::Removed(count)) => swept += count,
            Ok(Step::Settled) => {
                lease.done();
                return Ok(swept);
            }
            Err(Trouble::Raced | Trouble::Lost) if failures < ATTEMPTS => {
                failures += 1;
                continue;
            }
            Err(trouble) => return Err(trouble),
        }
        lease.done();
    }
}

async fn step(shared: &Shared, connection: &Connection, due: Due, now: Millis) -> Result<Step, Trouble> {
    let begin = begin(&due.tag, Durability::Sync, shared.is_citus);
    let statements = &connection.statements;
    let (tag, number) = (due.tag.0, i16::from(due.kind));
    let values = || -> Vec<Parameter<'_>> { vec![binary(&tag), Box::new(number)] };
    let with = |more: Vec<Parameter<'static>>| -> Vec<Parameter<'_>> { values().into_iter().chain(more).collect() };
    let mut pipeline = connection.pipeline();
    pipeline.batch(&begin);
    pipeline.query(&statements.lock_expired, with(vec![Box::new(signed(now)), Box::new(STEP)]));
    let expired = pipeline.answers().await?.pop().map(Answer::rows).unwrap_or_default();
    let mut pipeline = connection.pipeline();
    if expired.is_empty() {
        pipeline.execute(&statements.lock_usage, values());
        pipeline.execute(&statements.drop_wakes, with(vec![Box::new(signed(now))]));
        pipeline.query(&statements.next_due, values());
        let next: Option<i64> = pipeline.answers().await?.pop().and_then(|answer| answer.rows().first()?.get(0));
        let mut pipeline = connection.pipeline();
        match next {
            Some(at) => pipeline.execute(&statements.set_due, with(vec![Box::new(at)])),
            None => pipeline.execute(&statements.drop_due, values()),
        }
        pipeline.execute(&statements.fold_usage, values());
        pipeline.batch("COMMIT");
        pipeline.answers().await?;
        // Rows that came in between have expired already: the next step removes them.
        return Ok(if next.is_some_and(|at| at <= signed(now)) { Step::Removed(0) } else { Step::Settled });
    }
    let items = || -> Vec<Vec<u8>> { expired.iter().map(|row| row.get(0)).collect() };
    let kinds = || vec![number; expired.len()];
    let counted: Vec<i64> = expired.iter().filter_map(|row| row.get(1)).collect();
    pipeline.execute(&statements.delete_rows, vec![binary(&tag), Box::new(kinds()), Box::new(items())]);
    if expired.iter().any(|row| row.get::<_, i16>(2) > 0) {
        pipeline.execute(&statements.delete_blobs, vec![binary(&tag), Box::new(kinds()), Box::new(items())]);
    }
    if !counted.is_empty() {
        let bytes = counted.iter().fold(0_i64, |sum, bytes| sum.saturating_sub(*bytes));
        let count = i64::try_from(counted.len()).unwrap_or(i64::MAX);
        let (kinds, items, bytes) = (vec![number], vec![-count], vec![bytes]);
        let values: Vec<Parameter<'_>> =
            vec![binary(&tag), Box::new(0_i16), Box::new(kinds), Box::new(items), Box::new(bytes)];
        pipeline.execute(&statements.add_usage, values);
    }
    pipeline.batch("COMMIT");
    pipeline.answers().await?;
    Ok(Step::Removed(expired.len() as u64))
}

/// Removes the rows of a tag. It is marked as erased first, which later commits read.
pub(in crate::postgres) async fn erase(shared: &Shared, tag: Tag) -> Result<(), Trouble> {
    erase_from(shared, tag, false, ERASED).await
}

/// Removes what transactions that had not seen the erase wrote, and then the due time. No call reads these rows
/// meanwhile.
async fn second_pass(shared: &Shared, tag: Tag) -> Result<u64, Trouble> {
    erase_from(shared, tag, true, ERASED).await?;
    erase_from(shared, tag, true, NO_KIND).await.map(|()| 0)
}

/// `spared` is the kind under which the tag stays due.
async fn erase_from(shared: &Shared, tag: Tag, mut is_marked: bool, spared: i16) -> Result<(), Trouble> {
    let mut failures = 0;
    loop {
        let lease = shared.connections.lease(Some(tag)).await?;
        let connection = lease.connection()?;
        let result = if is_marked {
            erase_some(shared, connection, tag, spared).await
        } else {
            mark(shared, connection, tag).await
        };
        match result {
            Ok(is_over) => {
                lease.done();
                if is_marked && is_over {
                    return Ok(());
                }
                is_marked = true;
            }
            Err(Trouble::Raced | Trouble::Lost) if failures < ATTEMPTS => failures += 1,
            Err(trouble) => return Err(trouble),
        }
    }
}

async fn mark(shared: &Shared, connection: &Connection, tag: Tag) -> Result<bool, Trouble> {
    let begin = begin(&tag, Durability::Sync, shared.is_citus);
    let mut pipeline = connection.pipeline();
    pipeline.batch(&begin);
    pipeline.execute(&connection.statements.mark_erased, vec![binary(&tag.0)]);
    let values = vec![binary(&tag.0), Box::new(ERASED) as _, Box::new(SECOND_PASS) as _];
    pipeline.execute(&connection.statements.set_second_pass, values);
    pipeline.batch("COMMIT");
    pipeline.answers().await.map(|_| false)
}

/// Returns whether nothing was left.
async fn erase_some(shared: &Shared, connection: &Connection, tag: Tag, spared: i16) -> Result<bool, Trouble> {
    let begin = begin(&tag, Durability::Sync, shared.is_citus);
    let statements = &connection.statements;
    let mut pipeline = connection.pipeline();
    pipeline.batch(&begin);
    let all = [
        &statements.erase_rows,
        &statements.erase_blobs,
        &statements.erase_usage,
        &statements.erase_wakes,
        &statements.erase_tokens,
    ];
    for statement in all {
        pipeline.execute(statement, vec![binary(&tag.0)]);
    }
    pipeline.execute(&statements.erase_due, vec![binary(&tag.0), Box::new(spared)]);
    pipeline.batch("COMMIT");
    let answers = pipeline.answers().await?;
    Ok(answers.iter().all(|answer| matches!(answer, Answer::Count(0) | Answer::Done)))
}
