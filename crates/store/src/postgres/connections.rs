//! Connections, and transactions that are a tag's from their first statement to their last.

use std::fmt::Write as _;
use std::time::{Duration, Instant};

use deadpool::managed::{self, Metrics, Object, PoolError, RecycleError, RecycleResult, Timeouts};
use parking_lot::Mutex;
use tokio_postgres::{Client, Row};

use super::dialing::Dialer;
use super::failure::Trouble;
use super::numbers::unsigned;
use super::permits::{Permit, Permits, Whose};
use super::pipeline::Pipeline;
use super::statements::Statements;
use super::{OpenError, PostgresOptions, admission};
use crate::engine::{Durability, Tag};

/// What a role or a database may have set otherwise. The search path comes first: what follows means what the server
/// means by it. Look-ups go by keys, so plans never change with what the server believes about a table's size.
const SETTINGS: &str = "SET search_path = pg_catalog, pg_temp; SET row_security = on;
    SET default_transaction_read_only = off; SET default_transaction_isolation = 'read committed';
    SET enable_seqscan = off; SET enable_hashjoin = off; SET enable_mergejoin = off; SET jit = off;
    SET plan_cache_mode = force_generic_plan";

/// Begins a transaction that writes nothing.
pub(super) const BEGIN_READING: &str = "BEGIN ISOLATION LEVEL READ COMMITTED";

/// Makes a transaction one whose commit is acknowledged when the server's disk has it, and those it is told to wait for. This
/// is set for the transaction alone: nothing that is switched outside changes it after that, and a pooler cannot lose it.
/// Only `off` is not taken: on `local` and `remote_write` the server's operator has chosen less than all.
macro_rules! waits {
    () => {
        "SELECT pg_catalog.set_config(s.name, CASE s.setting WHEN 'off' THEN 'on' ELSE s.setting END, true)
        FROM (SELECT 'synchronous_commit', pg_catalog.current_setting('synchronous_commit')) AS s (name, setting)"
    };
}

/// Begins a transaction that writes.
pub(super) const BEGIN_WRITING: &str = concat!("BEGIN ISOLATION LEVEL READ COMMITTED; ", waits!());

/// Begins one that sets the database up, whatever the owner's settings are.
pub(super) const BEGIN_SETUP: &str =
    concat!("BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE; SET LOCAL search_path = pg_catalog, pg_temp; ", waits!());

/// Sets what a new connection needs, before anything else is done with it.
pub(super) async fn settle(client: &Client, patience: Duration) -> Result<(), tokio_postgres::Error> {
    client.batch_execute(&format!("{SETTINGS}; {}", ends_after(patience))).await
}

/// A connection with its statements prepared.
pub(super) struct Connection {
    client: Client,
    pub(super) statements: Statements,
    patience: Duration,
    next: Mutex<Option<Next>>,
}

/// What a commit in one trip has to know before it.
pub(super) struct Next {
    /// A version that no row has had.
    pub(super) version: u64,
    /// The server's clock, in milliseconds, when it was asked.
    pub(super) time: u64,
    /// When that was here.
    asked: Instant,
}

impl Next {
    /// As a statement answers: version, then time.
    pub(super) fn of(row: &Row) -> Self {
        Self { version: unsigned(row.get(0)), time: unsigned(row.get(1)), asked: Instant::now() }
    }

    /// The server's clock by now, or something before.
    pub(super) fn now(&self) -> u64 {
        self.time.saturating_add(u64::try_from(self.asked.elapsed().as_millis()).unwrap_or(u64::MAX))
    }
}

impl Connection {
    /// For the rows of one commit.
    pub(super) fn take_next(&self) -> Option<Next> {
        self.next.lock().take()
    }

    /// Keeps it for a commit to come.
    pub(super) fn keep_next(&self, next: Next) {
        *self.next.lock() = Some(next);
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
        settle(client, self.patience).await.map_err(|error| Trouble::of(&error))?;
        if !self.is_moving {
            admission::of_connection(client).await?;
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
    pub(super) fn new(dialer: Dialer, options: &PostgresOptions) -> Result<Self, Trouble> {
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

/// The first statements of a transaction that writes. The tag is the only thing that is ever written into a statement: 64
/// digits of its own making.
pub(super) fn begin(tag: &Tag, durability: Durability, is_citus: bool) -> String {
    let begin = match durability {
        Durability::Sync => BEGIN_WRITING,
        Durability::Relaxed => "BEGIN ISOLATION LEVEL READ COMMITTED; SET LOCAL synchronous_commit = off",
    };
    format!("{begin};{}", fence(tag, is_citus))
}

/// The first statements of one that only reads.
pub(super) fn begin_reading(tag: &Tag, is_citus: bool) -> String {
    format!("{BEGIN_READING};{}", fence(tag, is_citus))
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
