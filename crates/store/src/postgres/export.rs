//! Export: a consistent copy of everything, in one transaction that does not see later commits.

use std::collections::VecDeque;
use std::sync::Arc;

use super::runner::Inner;
use super::shared::Shared;
use crate::engine::{Due, EngineFuture, Export, Exported, Place, ReadError, Row, Tag, Version};
use crate::postgres::connect::connection::Connection;
use crate::postgres::connect::pool::Lease;
use crate::postgres::connect::transaction::set_tag;
use crate::postgres::failure::Trouble;
use crate::postgres::sql::pipeline::Answer;
use crate::postgres::sql::values::{binary, item, kind, of_primary, tag, unsigned};

/// The reader of the export may be slow.
const BEGIN: &str =
    "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY; SET LOCAL idle_in_transaction_session_timeout = 0";

struct Progress {
    lease: Lease,
    /// The tags to copy next.
    tags: VecDeque<Tag>,
    /// The last tag that was listed.
    last: Vec<u8>,
    /// The place after which the first of `tags` continues; `None`: from its beginning.
    after: Option<(i16, Vec<u8>)>,
}

pub(in crate::postgres) struct PostgresExport {
    inner: Arc<Inner>,
    /// `None` once it has ended or failed.
    progress: Option<Progress>,
}

pub(in crate::postgres) async fn begin(inner: Arc<Inner>) -> Result<Box<dyn Export>, Trouble> {
    let lease = inner.shared.connections.lease(None).await?;
    lease.connection()?.batch(BEGIN).await?;
    let mut progress = Progress { lease, tags: VecDeque::new(), last: Vec::new(), after: None };
    // The first statement that reads fixes the snapshot.
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

    /// Returns the next part; empty after the last.
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

    /// Returns the next rows of the first tag, and removes the tag after the last.
    async fn part_of(&mut self, shared: &Shared, tag: Tag) -> Result<Vec<Exported>, Trouble> {
        let connection = self.lease.connection()?;
        let statements = &connection.statements;
        let set_tag = set_tag(&tag, shared.is_citus);
        let (after_kind, after_item) = self.after.clone().unwrap_or((-1, Vec::new()));
        let mut pipeline = connection.pipeline();
        pipeline.batch(&set_tag);
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

async fn exported(connection: &Connection, tag: Tag, row: &tokio_postgres::Row) -> Result<Exported, Trouble> {
    let mut value: Vec<u8> = row.get(6);
    if row.get::<_, i16>(5) > 0 {
        let (kind, bytes): (i16, &[u8]) = (row.get(0), row.get(1));
        let mut pipeline = connection.pipeline();
        let values = vec![binary(&tag.0), Box::new(kind) as _, binary(bytes)];
        pipeline.query(&connection.statements.export_blobs, values);
        for part in of_primary(pipeline.answers().await?.pop().map(Answer::rows).unwrap_or_default())? {
            value.extend_from_slice(part.get(0));
        }
    }
    let place =
        Place { kind: kind(row.get(0)).ok_or(Trouble::Corrupt)?, item: item(row.get(1)).ok_or(Trouble::Corrupt)? };
    let row_of = Row {
        place,
        version: Version(unsigned(row.get(2))),
        expires_at: row.get::<_, Option<i64>>(3).map(unsigned),
        value: value.into(),
    };
    Ok(Exported::Row { tag, row: row_of, counted: row.get::<_, Option<i64>>(4).map(unsigned) })
}
