//! The vault: key headers in a table of their own.

use std::sync::Arc;

use super::connect::claim;
use super::runner::Inner;
use super::shared::Shared;
use super::sql::single;
use crate::engine::{EngineFuture, ReadError};
use crate::memory::refuse_oversized;
use crate::postgres::connect::pool::Lease;
use crate::postgres::failure::Trouble;
use crate::postgres::sql::pipeline::{Answer, Parameter};
use crate::postgres::sql::values::{binary, signed, unsigned};
use crate::vault::{Created, STORE_SLOT, Slot, Vault};

pub(in crate::postgres) struct PostgresVault(pub(in crate::postgres) Arc<Inner>);

async fn slot(shared: &Shared, name: [u8; 32]) -> Result<Option<Slot>, Trouble> {
    let rows = single::read(shared, |statements| &statements.slot, || vec![binary(&name)]).await?;
    Ok(rows.first().map(|row| Slot { generation: unsigned(row.get(0)), value: row.get(1) }))
}

async fn create(shared: &Shared, name: [u8; 32], value: Vec<u8>) -> Result<Created, Trouble> {
    loop {
        let values = || -> Vec<Parameter<'static>> { vec![binary(&name), binary(&value)] };
        if single::write(shared, |statements| &statements.create_slot, values).await? == 1 {
            return Ok(Created::New);
        }
        // Wiped in between: it is created after all.
        if let Some(slot) = slot(shared, name).await? {
            return Ok(Created::Existing(slot));
        }
    }
}

/// Replaces the claimed slot and ends the claim, in one transaction.
async fn replace_and_let_go(lease: Lease, values: Vec<Parameter<'_>>) -> Result<u64, Trouble> {
    let connection = lease.connection()?;
    let mut pipeline = connection.pipeline();
    pipeline.execute(&connection.statements.replace_slot, values);
    pipeline.batch("COMMIT");
    let Some(Answer::Count(count)) = pipeline.answers().await?.into_iter().next() else { return Err(Trouble::Lost) };
    lease.done();
    Ok(count)
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
            let values =
                || -> Vec<Parameter<'static>> { vec![binary(&name), Box::new(signed(generation)), binary(&value)] };
            let claim = if name == STORE_SLOT { shared.claim.lock().await.take() } else { None };
            let replaced = match claim {
                Some(lease) => replace_and_let_go(lease, values()).await?,
                None => single::write(&shared, |statements| &statements.replace_slot, values).await?,
            };
            Ok(replaced == 1)
        })
    }

    fn claim(&self) -> EngineFuture<'_, Result<bool, ReadError>> {
        let shared = Arc::clone(&self.0.shared);
        self.0.read(async move { claim::claim(&shared).await })
    }

    fn wipe(&self, name: [u8; 32], value: Vec<u8>) -> EngineFuture<'_, Result<bool, ReadError>> {
        let shared = Arc::clone(&self.0.shared);
        self.0.read(async move {
            let values = || -> Vec<Parameter<'static>> { vec![binary(&name), binary(&value)] };
            Ok(single::write(&shared, |statements| &statements.wipe_slot, values).await? == 1)
        })
    }

    fn names(&self, after: Option<[u8; 32]>, limit: usize) -> EngineFuture<'_, Result<Vec<[u8; 32]>, ReadError>> {
        let shared = Arc::clone(&self.0.shared);
        self.0.read(async move {
            // The empty name comes before all others.
            let after = after.map_or_else(Vec::new, Vec::from);
            let limit = i64::try_from(limit).unwrap_or(i64::MAX);
            let values = || -> Vec<Parameter<'static>> { vec![binary(&after), Box::new(limit)] };
            let rows = single::read(&shared, |statements| &statements.slot_names, values).await?;
            let names = rows.iter().map(|row| super::sql::values::item(row.get(0)));
            names.collect::<Option<_>>().ok_or(Trouble::Corrupt)
        })
    }

    fn residues(&self) -> &'static [&'static str] {
        &[
            "rows of PostgreSQL that VACUUM has not removed yet, its write-ahead log, and its standbys until they have caught up",
        ]
    }

    /// A database server could read every place beside the data.
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
