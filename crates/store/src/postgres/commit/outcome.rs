//! The outcome of a commit whose connection broke while it was committing.

use std::time::{Duration, Instant};

use super::token::Token;
use crate::engine::{CommitError, Durability, Tag};
use crate::postgres::connect::transaction::begin;
use crate::postgres::failure::Trouble;
use crate::postgres::shared::Shared;
use crate::postgres::sql::pipeline::Answer;
use crate::postgres::sql::values::binary;

/// How long the server is asked before the outcome is unknown, as a multiple of the timeout of a round trip.
const PATIENCES: u32 = 2;
/// The pause between two attempts.
const PAUSE: Duration = Duration::from_millis(100);

/// Whether the commit with this token has happened. If not, it never will: claiming an absent token waits for a transaction that holds it, and a
/// later one finds it claimed.
///
/// # Errors
/// `OutcomeUnknown` if the server does not answer in time.
pub(in crate::postgres) async fn was_committed(shared: &Shared, tag: Tag, token: Token) -> Result<bool, CommitError> {
    let (start, patience) = (Instant::now(), shared.patience.saturating_mul(PATIENCES));
    loop {
        match ask(shared, tag, token).await {
            Ok(is_committed) => return Ok(is_committed),
            Err(_) if start.elapsed() < patience => tokio::time::sleep(PAUSE).await,
            Err(_) => return Err(CommitError::OutcomeUnknown),
        }
    }
}

async fn ask(shared: &Shared, tag: Tag, token: Token) -> Result<bool, Trouble> {
    let lease = shared.connections.lease(Some(tag)).await?;
    let connection = lease.connection()?;
    let begin = begin(&tag, Durability::Sync, shared.is_citus);
    let mut pipeline = connection.pipeline();
    pipeline.batch(&begin);
    pipeline.execute(&connection.statements.claim_token, vec![binary(&tag.0), binary(&token.0)]);
    pipeline.query(&connection.statements.read_token, vec![binary(&tag.0), binary(&token.0)]);
    pipeline.batch("COMMIT");
    let found = pipeline.answers().await?.into_iter().nth(2).map(Answer::rows).unwrap_or_default();
    let is_committed = found.first().map(|row| row.get(0)).ok_or(Trouble::Corrupt)?;
    lease.done();
    Ok(is_committed)
}
