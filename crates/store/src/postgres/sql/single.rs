//! Calls of one statement about the store itself: its vault, clock and health. Each is a transaction in one round trip.

use tokio_postgres::{Row, Statement};

use super::values::of_primary;
use crate::postgres::connect::transaction::{BEGIN_READING, BEGIN_WRITING};
use crate::postgres::failure::Trouble;
use crate::postgres::shared::Shared;
use crate::postgres::sql::pipeline::{Answer, Parameter};
use crate::postgres::sql::statements::Statements;

/// The attempts of a call that conflicts.
const ATTEMPTS: usize = 16;

/// Returns the rows of one statement that only reads.
pub(in crate::postgres) async fn read(
    shared: &Shared,
    statement: impl Fn(&Statements) -> &Statement,
    values: impl Fn() -> Vec<Parameter<'static>>,
) -> Result<Vec<Row>, Trouble> {
    of_primary(repeated(shared, false, statement, values).await?.rows())
}

/// Returns the number of rows that one statement writes. They are on the server's disk afterwards.
pub(in crate::postgres) async fn write(
    shared: &Shared,
    statement: impl Fn(&Statements) -> &Statement,
    values: impl Fn() -> Vec<Parameter<'static>>,
) -> Result<u64, Trouble> {
    match repeated(shared, true, statement, values).await? {
        Answer::Count(count) => Ok(count),
        _ => Err(Trouble::Lost),
    }
}

async fn repeated(
    shared: &Shared,
    is_write: bool,
    statement: impl Fn(&Statements) -> &Statement,
    values: impl Fn() -> Vec<Parameter<'static>>,
) -> Result<Answer, Trouble> {
    for _ in 0..ATTEMPTS {
        match once(shared, is_write, &statement, values()).await {
            Err(Trouble::Raced) => {}
            answered => return answered,
        }
    }
    Err(Trouble::Raced)
}

async fn once(
    shared: &Shared,
    is_write: bool,
    statement: impl Fn(&Statements) -> &Statement,
    values: Vec<Parameter<'static>>,
) -> Result<Answer, Trouble> {
    let lease = shared.connections.lease(None).await?;
    let connection = lease.connection()?;
    let mut pipeline = connection.pipeline();
    let statement = statement(&connection.statements);
    pipeline.batch(if is_write { BEGIN_WRITING } else { BEGIN_READING });
    if is_write {
        pipeline.execute(statement, values);
    } else {
        pipeline.query(statement, values);
    }
    pipeline.batch("COMMIT");
    let answer = pipeline.answers().await?.into_iter().nth(1).ok_or(Trouble::Lost)?;
    lease.done();
    Ok(answer)
}
