//! Connections, and transactions that are a tag's from their first statement to their last.

use std::fmt::Write as _;
use std::time::Duration;

use deadpool::managed::{self, Metrics, Object, PoolError, RecycleError, RecycleResult, Timeouts};
use tokio_postgres::{Client, Config};
use tokio_postgres_rustls::MakeRustlsConnect;

use super::failure::Trouble;
use super::statements::Statements;
use crate::engine::{Durability, Tag};

/// How long a call waits for a connection to be free.
const WAIT: Duration = Duration::from_secs(30);
/// How long a new connection may take, with all its statements.
const CREATE: Duration = Duration::from_secs(15);

/// Look-ups go by keys, so plans never change with what the server believes about a table's size; and a server that
/// acknowledges before its disk has it is told to wait.
const SETTINGS: &str = "SET enable_seqscan = off; SET enable_hashjoin = off; SET enable_mergejoin = off; SET jit = off;
    SET plan_cache_mode = force_generic_plan;
    SELECT set_config('synchronous_commit', 'on', false) WHERE current_setting('synchronous_commit') = 'off'";

/// A connection with its statements prepared.
pub(super) struct Connection {
    pub(super) client: Client,
    pub(super) statements: Statements,
}

/// Makes connections.
pub(super) struct Manager {
    config: Config,
    tls: MakeRustlsConnect,
}

impl managed::Manager for Manager {
    type Type = Connection;
    type Error = Trouble;

    async fn create(&self) -> Result<Connection, Trouble> {
        let (client, connection) = self.config.connect(self.tls.clone()).await.map_err(|error| Trouble::of(&error))?;
        tokio::spawn(connection);
        client.batch_execute(SETTINGS).await.map_err(|error| Trouble::of(&error))?;
        let statements = Statements::prepare(&client).await?;
        Ok(Connection { client, statements })
    }

    async fn recycle(&self, connection: &mut Connection, _: &Metrics) -> RecycleResult<Trouble> {
        if connection.client.is_closed() { Err(RecycleError::Backend(Trouble::Lost)) } else { Ok(()) }
    }
}

/// The connections of a store.
pub(super) struct Connections(managed::Pool<Manager>);

impl Connections {
    pub(super) fn new(config: Config, tls: MakeRustlsConnect, most: usize) -> Result<Self, Trouble> {
        let timeouts = Timeouts { wait: Some(WAIT), create: Some(CREATE), recycle: None };
        let pool = managed::Pool::builder(Manager { config, tls })
            .max_size(most)
            .runtime(deadpool::Runtime::Tokio1)
            .timeouts(timeouts)
            .build();
        pool.map(Self).map_err(|_| Trouble::Lost)
    }

    /// A connection for one use.
    pub(super) async fn lease(&self) -> Result<Lease, Trouble> {
        match self.0.get().await {
            Ok(connection) => Ok(Lease(Some(connection))),
            Err(PoolError::Closed) => Err(Trouble::Closed),
            Err(PoolError::Backend(trouble)) => Err(trouble),
            Err(_) => Err(Trouble::Lost),
        }
    }

    pub(super) fn close(&self) {
        self.0.close();
    }
}

/// A connection in use. It goes back by [`Lease::done`] alone: after an error, or when the call was dropped, nobody
/// knows what state it is in, and it is thrown away.
pub(super) struct Lease(Option<Object<Manager>>);

impl Lease {
    /// The connection.
    pub(super) fn connection(&self) -> Result<&Connection, Trouble> {
        self.0.as_deref().ok_or(Trouble::Lost)
    }

    /// Gives the connection back: its transaction is over.
    pub(super) fn done(mut self) {
        drop(self.0.take());
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        if let Some(connection) = self.0.take() {
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
