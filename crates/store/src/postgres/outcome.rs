//! What became of a commit whose connection broke while it was committing.

use std::time::{Duration, Instant};

use super::Shared;
use super::connections::begin;
use super::failure::Trouble;
use super::numbers::binary;
use super::pipeline::Answer;
use crate::engine::{CommitError, Durability, Tag};

/// For how many times its patience the server is asked before the outcome is given up as unknown.
const PATIENCES: u32 = 2;
/// Between two questions.
const PAUSE: Duration = Duration::from_millis(100);
/// One commit in so many removes old tokens.
const REMOVING: u8 = 64;

/// The name of one attempt at a commit: the time in milliseconds by the server's clock, so that old ones lie together and
/// all processes agree which they are, and 8 random bytes.
#[derive(Clone, Copy)]
pub(super) struct Token(pub(super) [u8; 16]);

impl Token {
    /// `None` if the system gives no random bytes.
    pub(super) fn fresh(now: u64) -> Option<Self> {
        let mut token = [0; 16];
        getrandom::fill(&mut token).ok()?;
        token.first_chunk_mut::<8>()?.copy_from_slice(&now.to_be_bytes());
        Some(Self(token))
    }

    /// Which of the rows of its usage a commit adds to.
    pub(super) fn shard(&self) -> i16 {
        i16::from(self.0[15] % 16)
    }

    /// Whether this commit is one that removes old tokens.
    pub(super) fn removes_old_ones(&self) -> bool {
        self.0[14].is_multiple_of(REMOVING)
    }
}

/// Whether the commit with this token has happened. Afterwards it has or never will: claiming an absent token waits for a
/// transaction that holds it, and whoever comes later finds it claimed.
///
/// # Errors
/// `OutcomeUnknown` if the server does not answer in time.
pub(super) async fn was_committed(shared: &Shared, tag: Tag, token: Token) -> Result<bool, CommitError> {
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
