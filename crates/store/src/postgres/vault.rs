//! The vault: key headers in a table of their own.

use std::sync::Arc;

use super::connections::Lease;
use super::failure::Trouble;
use super::numbers::{binary, signed, unsigned};
use super::pipeline::{Answer, Parameter};
use super::statements::Statements;
use super::{Inner, Shared, admission};
use crate::engine::{EngineFuture, ReadError};
use crate::memory::refuse_oversized;
use crate::vault::{Created, STORE_SLOT, Slot, Vault};

/// See [`super::open`].
pub(super) struct PostgresVault(pub(super) Arc<Inner>);

/// Runs one statement, which is a transaction.
async fn one(
    shared: &Shared,
    statement: fn(&Statements) -> &tokio_postgres::Statement,
    is_write: bool,
    values: Vec<Parameter<'_>>,
) -> Result<Answer, Trouble> {
    let lease = shared.connections.lease(None).await?;
    let connection = lease.connection()?;
    let mut pipeline = connection.pipeline();
    let statement = statement(&connection.statements);
    if is_write {
        pipeline.execute(statement, values)
    } else {
        pipeline.query(statement, values)
    }
    let answer = pipeline.answers().await?.pop().ok_or(Trouble::Lost)?;
    lease.done();
    Ok(answer)
}

async fn slot(shared: &Shared, name: [u8; 32]) -> Result<Option<Slot>, Trouble> {
    let rows = one(shared, |statements| &statements.slot, false, vec![binary(&name)]).await?.rows();
    Ok(rows.first().map(|row| Slot { generation: unsigned(row.get(0)), value: row.get(1) }))
}

async fn create(shared: &Shared, name: [u8; 32], value: Vec<u8>) -> Result<Created, Trouble> {
    loop {
        let values: Vec<Parameter<'_>> = vec![binary(&name), Box::new(value.clone())];
        if let Answer::Count(1) = one(shared, |statements| &statements.create_slot, true, values).await? {
            return Ok(Created::New);
        }
        // Wiped in between: then it is made after all.
        if let Some(slot) = slot(shared, name).await? {
            return Ok(Created::Existing(slot));
        }
    }
}

/// Replaces the slot that is held and ends the hold, both in one.
async fn replace_and_let_go(lease: Lease, values: Vec<Parameter<'_>>) -> Result<Answer, Trouble> {
    let connection = lease.connection()?;
    let mut pipeline = connection.pipeline();
    pipeline.execute(&connection.statements.replace_slot, values);
    pipeline.batch("COMMIT");
    let answer = pipeline.answers().await?.into_iter().next().ok_or(Trouble::Lost)?;
    lease.done();
    Ok(answer)
}

impl Vault for PostgresVault {
    fn get(&self, name: [u8; 32]) -> EngineFuture<'_, Result<Option<Slot>, ReadError>> {
        let shared = Arc::clone(&self.0.shared);
        self.0.read(async move { slot(&shared, name).await })
    }

    fn create(&self, name: [u8; 32], value: Vec<u8>) -> EngineFuture<'_, Result<Created, ReadError>> {
        if let Err(error) = refuse_oversized(&value) {
            return Box::pin(std::future::ready(Err(error)));
        }
        let shared = Arc::clone(&self.0.shared);
        self.0.read(async move { create(&shared, name, value).await })
    }

    fn replace(&self, name: [u8; 32], generation: u64, value: Vec<u8>) -> EngineFuture<'_, Result<bool, ReadError>> {
        if let Err(error) = refuse_oversized(&value) {
            return Box::pin(std::future::ready(Err(error)));
        }
        let shared = Arc::clone(&self.0.shared);
        self.0.read(async move {
            let values: Vec<Parameter<'_>> = vec![binary(&name), Box::new(signed(generation)), Box::new(value)];
            let claim = if name == STORE_SLOT { shared.claim.lock().await.take() } else { None };
            let answer = match claim {
                Some(lease) => replace_and_let_go(lease, values).await?,
                None => one(&shared, |statements| &statements.replace_slot, true, values).await?,
            };
            Ok(matches!(answer, Answer::Count(1)))
        })
    }

    fn claim(&self) -> EngineFuture<'_, Result<bool, ReadError>> {
        let shared = Arc::clone(&self.0.shared);
        self.0.read(async move { admission::claim(&shared).await })
    }

    fn wipe(&self, name: [u8; 32], value: Vec<u8>) -> EngineFuture<'_, Result<bool, ReadError>> {
        let shared = Arc::clone(&self.0.shared);
        self.0.read(async move {
            let values: Vec<Parameter<'_>> = vec![binary(&name), Box::new(value)];
            let answer = one(&shared, |statements| &statements.wipe_slot, true, values).await?;
            Ok(matches!(answer, Answer::Count(1)))
        })
    }

    fn names(&self, after: Option<[u8; 32]>, limit: usize) -> EngineFuture<'_, Result<Vec<[u8; 32]>, ReadError>> {
        let shared = Arc::clone(&self.0.shared);
        self.0.read(async move {
            // The empty name comes before all others.
            let after = after.map_or_else(Vec::new, Vec::from);
            let limit = i64::try_from(limit).unwrap_or(i64::MAX);
            let values: Vec<Parameter<'_>> = vec![Box::new(after), Box::new(limit)];
            let rows = one(&shared, |statements| &statements.slot_names, false, values).await?.rows();
            let names = rows.iter().map(|row| super::numbers::item(row.get(0)));
            names.collect::<Option<_>>().ok_or(Trouble::Corrupt)
        })
    }

    fn residues(&self) -> &'static [&'static str] {
        &[
            "rows of PostgreSQL that VACUUM has not removed yet, its write-ahead log, and its standbys until they have caught up",
        ]
    }

    /// There is no place beside the data that a database server could not read.
    fn local_secret(&self) -> EngineFuture<'_, Result<Option<Vec<u8>>, ReadError>> {
        self.0.read(async { Ok(None) })
    }

    fn create_local_secret(&self, _: Vec<u8>) -> EngineFuture<'_, Result<bool, ReadError>> {
        self.0.read(async { Ok(false) })
    }

    fn create_next_local_secret(&self, _: Vec<u8>) -> EngineFuture<'_, Result<bool, ReadError>> {
        self.0.read(async { Ok(false) })
    }

    fn next_local_secret(&self) -> EngineFuture<'_, Result<Option<Vec<u8>>, ReadError>> {
        self.0.read(async { Ok(None) })
    }

    fn settle_local_secret(&self, _: bool) -> EngineFuture<'_, Result<(), ReadError>> {
        self.0.read(async { Ok(()) })
    }
}
