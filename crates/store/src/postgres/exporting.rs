//! A copy of everything, as of one moment: one transaction that sees nothing of what is committed after it began.

use std::collections::VecDeque;
use std::sync::Arc;

use super::connections::{Lease, fence};
use super::failure::Trouble;
use super::numbers::{binary, kind, tag, unsigned};
use super::pipeline::Answer;
use super::reading::of_primary;
use super::{Inner, Shared};
use crate::engine::{Due, EngineFuture, Export, Exported, Place, ReadError, Row, Tag, Version};

/// Whoever takes the parts may take their time.
const BEGIN: &str =
    "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY; SET LOCAL idle_in_transaction_session_timeout = 0";

/// The transaction and how far it has come.
struct Progress {
    lease: Lease,
    /// Tags that are known and not copied yet.
    tags: VecDeque<Tag>,
    /// The last tag that was known.
    last: Vec<u8>,
    /// The place after which the first of `tags` goes on; `None`: it is not begun.
    after: Option<(i16, Vec<u8>)>,
}

/// See [`crate::engine::Engine::export`].
pub(super) struct PostgresExport {
    inner: Arc<Inner>,
    /// `None` once it is over or has failed.
    progress: Option<Progress>,
}

/// Begins a copy.
pub(super) async fn begin(inner: Arc<Inner>) -> Result<Box<dyn Export>, Trouble> {
    let lease = inner.shared.connections.lease(None).await?;
    lease.connection()?.batch(BEGIN).await?;
    let mut progress = Progress { lease, tags: VecDeque::new(), last: Vec::new(), after: None };
    // The first statement that reads is what fixes the moment.
    progress.more_tags().await?;
    Ok(Box::new(PostgresExport { inner, progress: Some(progress) }))
}

impl Export for PostgresExport {
    fn next(&mut self) -> EngineFuture<'_, Result<Vec<Exported>, ReadError>> {
        Box::pin(async move {
            let Some(mut progress) = self.progress.take() else { return Ok(Vec::new()) };
            let inner = Arc::clone(&self.inner);
            let shared = Arc::clone(&inner.shared);
            let (part, progress) = inner
                .run(async move {
                    let part = progress.part(&shared).await?;
                    Ok((part, progress))
                })
                .await
                .map_err(ReadError::from)?;
            if !part.is_empty() {
                self.progress = Some(progress);
            }
            Ok(part)
        })
    }
}

impl Progress {
    async fn more_tags(&mut self) -> Result<(), Trouble> {
        let connection = self.lease.connection()?;
        let mut pipeline = connection.pipeline();
        pipeline.query(&connection.statements.tags, vec![binary(&self.last)]);
        for row in of_primary(pipeline.answers().await?.pop().map(Answer::rows).unwrap_or_default())? {
            self.last = row.get(0);
            self.tags.push_back(tag(&self.last).ok_or(Trouble::Corrupt)?);
        }
        Ok(())
    }

    /// The next part; empty after the last.
    async fn part(&mut self, shared: &Shared) -> Result<Vec<Exported>, Trouble> {
        loop {
            let Some(tag) = self.tags.front().copied() else {
                self.more_tags().await?;
                if self.tags.is_empty() {
                    return Ok(Vec::new());
                }
                continue;
            };
            let part = self.part_of(shared, tag).await?;
            if !part.is_empty() {
                return Ok(part);
            }
        }
    }

    /// Some more of the first tag; it leaves when nothing of it is left.
    async fn part_of(&mut self, shared: &Shared, tag: Tag) -> Result<Vec<Exported>, Trouble> {
        let connection = self.lease.connection()?;
        let statements = &connection.statements;
        let fence = fence(&tag, shared.is_citus);
        let (after_kind, after_item) = self.after.clone().unwrap_or((-1, Vec::new()));
        let mut pipeline = connection.pipeline();
        pipeline.batch(&fence);
        if self.after.is_none() {
            pipeline.query(&statements.export_wakes, vec![binary(&tag.0)]);
        }
        let place = (Box::new(after_kind), Box::new(after_item));
        pipeline.query(&statements.export_rows, vec![binary(&tag.0), place.0, place.1]);
        let mut answers = pipeline.answers().await?;
        let rows = of_primary(answers.pop().map(Answer::rows).unwrap_or_default())?;
        let wakes = match self.after {
            None => of_primary(answers.pop().map(Answer::rows).unwrap_or_default())?,
            Some(_) => Vec::new(),
        };
        let mut part = Vec::new();
        for wake in wakes {
            let due = Due { tag, kind: kind(wake.get(0)).ok_or(Trouble::Corrupt)? };
            part.push(Exported::Wake { due, at: unsigned(wake.get(1)) });
        }
        for row in &rows {
            part.push(exported(connection, tag, row).await?);
        }
        match rows.last() {
            Some(last) => self.after = Some((last.get(0), last.get(1))),
            None => {
                self.after = None;
                self.tags.pop_front();
            }
        }
        Ok(part)
    }
}

async fn exported(
    connection: &super::connections::Connection,
    tag: Tag,
    row: &tokio_postgres::Row,
) -> Result<Exported, Trouble> {
    let mut value: Vec<u8> = row.get(6);
    if row.get::<_, i16>(5) > 0 {
        let (kind, item): (i16, &[u8]) = (row.get(0), row.get(1));
        let mut pipeline = connection.pipeline();
        let values = vec![binary(&tag.0), Box::new(kind) as _, binary(item)];
        pipeline.query(&connection.statements.export_blobs, values);
        for part in of_primary(pipeline.answers().await?.pop().map(Answer::rows).unwrap_or_default())? {
            value.extend_from_slice(part.get(0));
        }
    }
    let place = Place {
        kind: kind(row.get(0)).ok_or(Trouble::Corrupt)?,
        item: super::numbers::item(row.get(1)).ok_or(Trouble::Corrupt)?,
    };
    let row_of = Row {
        place,
        version: Version(unsigned(row.get(2))),
        expires_at: row.get::<_, Option<i64>>(3).map(unsigned),
        value: value.into(),
    };
    Ok(Exported::Row { tag, row: row_of, counted: row.get::<_, Option<i64>>(4).map(unsigned) })
}
