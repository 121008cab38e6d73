//! Connections, and transactions that are a tag's from their first statement to their last.

use std::fmt::Write as _;
use std::time::Duration;

use deadpool::managed::{self, Metrics, Object, PoolError, RecycleError, RecycleResult, Timeouts};
use parking_lot::Mutex;
use tokio_postgres::{Client, Config};
use tokio_postgres_rustls::MakeRustlsConnect;

use super::failure::Trouble;
use super::numbers::unsigned;
use super::permits::{Permit, Permits, Whose};
use super::pipeline::Pipeline;
use super::statements::Statements;
use super::{PostgresOptions, admission};
use crate::engine::{Durability, Tag};

/// What a role or a database may have set otherwise. Look-ups go by keys, so plans never change with what the server believes about a table's size; and a server that
/// acknowledges before its disk has it is told to wait.
const SETTINGS: &str = "SET enable_seqscan = off; SET enable_hashjoin = off; SET enable_mergejoin = off; SET jit = off;
    SET plan_cache_mode = force_generic_plan; SET search_path = pg_catalog, pg_temp;
    SET default_transaction_read_only = off; SET row_security = on;
    SELECT set_config('synchronous_commit', 'on', false) WHERE current_setting('synchronous_commit') = 'off'";

/// A connection with its statements prepared.
pub(super) struct Connection {
    client: Client,
    pub(super) statements: Statements,
    patience: Duration,
    /// One that no row has had.
    version: Mutex<Option<u64>>,
}

impl Connection {
    /// A version for the rows of one commit.
    pub(super) fn take_version(&self) -> Option<u64> {
        self.version.lock().take()
    }

    /// Keeps a version for a commit to come.
    pub(super) fn keep_version(&self, version: u64) {
        *self.version.lock() = Some(version);
    }

    /// A trip to the server, with nothing to carry yet.
    pub(super) fn pipeline(&self) -> Pipeline<'_> {
        Pipeline::new(&self.client, self.patience)
    }

    /// For tests that look at what a call left behind.
    #[cfg(test)]
    pub(super) fn client(&self) -> &Client {
        &self.client
    }

    /// A trip of one text without values.
    pub(super) async fn batch(&self, sql: &str) -> Result<(), Trouble> {
        let mut pipeline = self.pipeline();
        pipeline.batch(sql);
        pipeline.answers().await.map(drop)
    }
}

/// Makes connections.
pub(super) struct Manager {
    config: Config,
    tls: MakeRustlsConnect,
    patience: Duration,
    is_moving: bool,
}

impl managed::Manager for Manager {
    type Type = Connection;
    type Error = Trouble;

    async fn create(&self) -> Result<Connection, Trouble> {
        let (client, connection) = self.config.connect(self.tls.clone()).await.map_err(|error| Trouble::of(&error))?;
        tokio::spawn(connection);
        let settings = format!("{SETTINGS}; {}", ends_after(self.patience));
        client.batch_execute(&settings).await.map_err(|error| Trouble::of(&error))?;
        if !self.is_moving {
            admission::of_connection(&client).await?;
        }
        let statements = Statements::prepare(&client, self.patience).await?;
        let row = client.query_one(&statements.version, &[]).await.map_err(|error| Trouble::of(&error))?;
        let version = Mutex::new(Some(unsigned(row.get(0))));
        Ok(Connection { client, statements, patience: self.patience, version })
    }

    async fn recycle(&self, connection: &mut Connection, _: &Metrics) -> RecycleResult<Trouble> {
        if connection.client.is_closed() { Err(RecycleError::Backend(Trouble::Lost)) } else { Ok(()) }
    }
}

/// The server ends what its client gave up, whose locks others wait for. The time is over before a COMMIT waits for a
/// standby, so that this is never cut short.
fn ends_after(patience: Duration) -> String {
    let millis = patience.as_millis().clamp(1, 86_400_000);
    format!("SET statement_timeout = {millis}; SET idle_in_transaction_session_timeout = {millis}")
}

/// The connections of a store.
pub(super) struct Connections {
    pool: managed::Pool<Manager>,
    permits: Permits,
    patience: Duration,
}

impl Connections {
    pub(super) fn new(config: Config, tls: MakeRustlsConnect, options: &PostgresOptions) -> Result<Self, Trouble> {
        let (patience, is_moving) = (options.patience, options.is_moving);
        let timeouts = Timeouts { wait: Some(patience), create: Some(patience), recycle: None };
        let count = options.connections.max(1);
        let pool = managed::Pool::builder(Manager { config, tls, patience, is_moving })
            .max_size(count)
            .runtime(deadpool::Runtime::Tokio1)
            .timeouts(timeouts)
            .build();
        let pool = pool.map_err(|_| Trouble::Lost)?;
        Ok(Self { pool, permits: Permits::new(count), patience })
    }

    /// A connection for one use. Tags take turns.
    pub(super) async fn lease(&self, whose: Whose) -> Result<Lease, Trouble> {
        let permit = tokio::time::timeout(self.patience, self.permits.get(whose)).await;
        let permit = permit.ok().flatten().ok_or(Trouble::Lost)?;
        match self.pool.get().await {
            Ok(connection) => Ok(Lease { connection: Some(connection), _permit: permit }),
            Err(PoolError::Closed) => Err(Trouble::Closed),
            Err(PoolError::Backend(trouble)) => Err(trouble),
            Err(_) => Err(Trouble::Lost),
        }
    }

    pub(super) fn close(&self) {
        self.pool.close();
    }
}

/// A connection in use. It goes back by [`Lease::done`] alone: after an error, or when the call was dropped, nobody
/// knows what state it is in, and it is thrown away.
pub(super) struct Lease {
    connection: Option<Object<Manager>>,
    /// Passed on after the connection has gone back.
    _permit: Permit,
}

impl Lease {
    /// The connection.
    pub(super) fn connection(&self) -> Result<&Connection, Trouble> {
        self.connection.as_deref().ok_or(Trouble::Lost)
    }

    /// Gives the connection back: its transaction is over.
    pub(super) fn done(mut self) {
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

/// The first statements of a transaction. The tag is the only thing that is ever written into a statement: 64 digits of
/// its own making.
pub(super) fn begin(tag: &Tag, durability: Durability, is_citus: bool) -> String {
    let mut sql = String::from("BEGIN ISOLATION LEVEL READ COMMITTED;");
    if durability == Durability::Relaxed {
        sql.push_str("SET LOCAL synchronous_commit = off;");
    }
    sql.push_str(&fence(tag, is_citus));
    sql
}

/// Makes the rest of the transaction a tag's.
pub(super) fn fence(tag: &Tag, is_citus: bool) -> String {
    let mut sql = String::new();
    if is_citus {
        // Else the setting does not reach the workers, and the fence refuses everything there.
        sql.push_str("SET LOCAL citus.propagate_set_commands = 'local';");
    }
    sql.push_str("SET LOCAL app.tenant_tag = '");
    for byte in tag.0 {
        let _ = write!(sql, "{byte:02x}");
    }
    sql.push('\'');
    sql
}
