//! The connection pool of a store.

use std::time::Duration;

use deadpool::managed::{self, Metrics, Object, PoolError, RecycleError, RecycleResult, Timeouts};
use parking_lot::Mutex;

use super::admission;
use super::connection::{Connection, Next};
use super::dialing::Dialer;
use super::options::PostgresOptions;
use super::permits::{Permit, Permits, Whose};
use super::transaction::configure;
use crate::postgres::failure::Trouble;
use crate::postgres::open_error::OpenError;
use crate::postgres::sql::statements::Statements;

/// Creates connections.
pub(in crate::postgres) struct Manager {
    dialer: Dialer,
    patience: Duration,
    is_moving: bool,
}

impl managed::Manager for Manager {
    type Type = Connection;
    type Error = Trouble;

    async fn create(&self) -> Result<Connection, Trouble> {
        let dialed = self.dialer.dial().await.map_err(|_: OpenError| Trouble::Lost)?;
        let client = &dialed.client;
        configure(client, self.patience).await.map_err(|error| Trouble::of(&error))?;
        if !self.is_moving {
            admission::check_connection(client).await?;
        }
        let statements = Statements::prepare(client, self.patience).await?;
        let row = client.query_one(&statements.next, &[]).await.map_err(|error| Trouble::of(&error))?;
        let next = Mutex::new(Some(Next::of(&row)));
        Ok(Connection { client: dialed.in_use(), statements, patience: self.patience, next })
    }

    async fn recycle(&self, connection: &mut Connection, _: &Metrics) -> RecycleResult<Trouble> {
        if connection.client.is_closed() { Err(RecycleError::Backend(Trouble::Lost)) } else { Ok(()) }
    }
}

pub(in crate::postgres) struct Connections {
    pool: managed::Pool<Manager>,
    permits: Permits,
    patience: Duration,
}

impl Connections {
    pub(in crate::postgres) fn new(dialer: Dialer, options: &PostgresOptions) -> Result<Self, Trouble> {
        let (patience, is_moving) = (options.patience, options.is_moving);
        let timeouts = Timeouts { wait: Some(patience), create: Some(patience), recycle: None };
        let count = options.connections.max(1);
        let pool = managed::Pool::builder(Manager { dialer, patience, is_moving })
            .max_size(count)
            .runtime(deadpool::Runtime::Tokio1)
            .timeouts(timeouts)
            .build();
        let pool = pool.map_err(|_| Trouble::Lost)?;
        Ok(Self { pool, permits: Permits::new(count), patience })
    }

    /// Returns a connection for one use. Fair between tags.
    pub(in crate::postgres) async fn lease(&self, whose: Whose) -> Result<Lease, Trouble> {
        let permit = tokio::time::timeout(self.patience, self.permits.get(whose)).await;
        let permit = permit.ok().flatten().ok_or(Trouble::Lost)?;
        match self.pool.get().await {
            Ok(connection) => Ok(Lease { connection: Some(connection), _permit: permit }),
            Err(PoolError::Closed) => Err(Trouble::Closed),
            Err(PoolError::Backend(trouble)) => Err(trouble),
            Err(_) => Err(Trouble::Lost),
        }
    }

    pub(in crate::postgres) fn close(&self) {
        self.pool.close();
    }
}

/// A connection in use. Only [`Lease::done`] returns it to the pool: after an error, or when the call was dropped, its state is unknown, and it is
/// closed.
pub(in crate::postgres) struct Lease {
    connection: Option<Object<Manager>>,
    /// Released after the connection was returned.
    _permit: Permit,
}

impl Lease {
    pub(in crate::postgres) fn connection(&self) -> Result<&Connection, Trouble> {
        self.connection.as_deref().ok_or(Trouble::Lost)
    }

    /// Returns the connection to the pool: its transaction has ended.
    pub(in crate::postgres) fn done(mut self) {
        drop(self.connection.take());
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        if let Some(connection) = self.connection.take() {
            drop(Object::take(connection));
        }
    }
}
