//! What a group of commits does: worked out between its two round trips, by the same code as for every engine.

use std::collections::BTreeMap;

use super::token::Token;
use crate::engine::{Commit, CommitError, Durability, Op, Place, Usage, Version};
use crate::postgres::failure::Trouble;
use crate::postgres::sql::pipeline::Answer;
use crate::stage::{Entry, Refusal, Staged, answer, stage};

/// The value of a row while its commit is worked out.
#[derive(Clone, Debug)]
pub(in crate::postgres) enum Kept {
    /// The value that the row had.
    Old { is_in_parts: bool },
    /// The value of the operation with this number.
    New(usize),
}

/// The answer to each commit of a group.
pub(in crate::postgres) type Answers = Vec<Result<Version, CommitError>>;

/// Why an attempt failed.
pub(in crate::postgres) enum Failed {
    /// Nothing was written.
    NotWritten(Trouble),
    /// `COMMIT` was sent, and its outcome is unknown. With the answers if it succeeded.
    Unknown(Token, Answers),
}

/// The rows that are locked, without their values.
pub(in crate::postgres) type Locked = BTreeMap<Place, Entry<Kept>>;

/// The result of the first round trip.
pub(in crate::postgres) struct Before {
    pub(in crate::postgres) locked: Locked,
    pub(in crate::postgres) version: u64,
    /// The server's clock.
    pub(in crate::postgres) time: u64,
    /// Whether the tag was erased; `None` if it is not known to the server.
    pub(in crate::postgres) is_erased: Option<bool>,
    pub(in crate::postgres) usage: Usage,
}

impl Before {
    /// Assumes that there are no rows and no limits.
    pub(in crate::postgres) fn nothing(version: u64) -> Self {
        Self { locked: Locked::new(), version, time: 0, is_erased: None, usage: Usage::new() }
    }
}

/// The accepted commits of a group, as one.
pub(in crate::postgres) struct Group {
    pub(in crate::postgres) commit: Commit,
    pub(in crate::postgres) staged: Staged<Kept>,
    pub(in crate::postgres) answers: Answers,
}

/// Stages commits one after the other. They touch different places, so each sees the rows as they were.
pub(in crate::postgres) fn stage_all(commits: &[Commit], before: &Before) -> Option<Group> {
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

/// Interprets the errors of a round trip whose last statement is its COMMIT.
pub(in crate::postgres) fn failure_of(
    outcomes: &[Result<Answer, tokio_postgres::Error>],
    last: usize,
    token: Token,
    answers: &Answers,
) -> Option<Failed> {
    let (step, error) =
        outcomes.iter().enumerate().find_map(|(step, outcome)| Some((step, outcome.as_ref().err()?)))?;
    Some(match Trouble::of(error) {
        // The server treated the COMMIT as a ROLLBACK.
        trouble if step < last && trouble != Trouble::Lost => Failed::NotWritten(trouble),
        _ => Failed::Unknown(token, answers.clone()),
    })
}

/// Returns the durability of a group: the strictest of its commits.
pub(in crate::postgres) fn durability(commits: &[Commit]) -> Durability {
    let is_sync = commits.iter().any(|commit| commit.durability == Durability::Sync);
    if is_sync { Durability::Sync } else { Durability::Relaxed }
}

/// Returns the place of an operation.
pub(in crate::postgres) fn place(op: &Op) -> Option<Place> {
    match op {
        Op::Put { place, .. } | Op::Extend { place, .. } | Op::Delete { place, .. } | Op::Check { place, .. } => {
            Some(*place)
        }
        Op::Wake { .. } => None,
    }
}
