//! A connection that is ready for use.

use std::time::{Duration, Instant};

use parking_lot::Mutex;
use tokio_postgres::{Client, Row};

use crate::postgres::failure::Trouble;
use crate::postgres::sql::pipeline::Pipeline;
use crate::postgres::sql::statements::Statements;
use crate::postgres::sql::values::unsigned;

/// A connection with its statements prepared.
pub(in crate::postgres) struct Connection {
    pub(super) client: Client,
    pub(in crate::postgres) statements: Statements,
    pub(super) patience: Duration,
    pub(super) next: Mutex<Option<Next>>,
}

/// What the insert-only path needs before its round trip.
pub(in crate::postgres) struct Next {
    pub(in crate::postgres) version: u64,
    /// The server's clock in milliseconds at that time.
    pub(in crate::postgres) time: u64,
    /// The local time of the answer.
    received: Instant,
}

impl Next {
    /// Reads a row of version and time.
    pub(in crate::postgres) fn of(row: &Row) -> Self {
        Self { version: unsigned(row.get(0)), time: unsigned(row.get(1)), received: Instant::now() }
    }

    /// Returns a lower bound of the server's clock now.
    pub(in crate::postgres) fn now(&self) -> u64 {
        self.time.saturating_add(u64::try_from(self.received.elapsed().as_millis()).unwrap_or(u64::MAX))
    }
}

impl Connection {
    /// Takes the values for one commit.
    pub(in crate::postgres) fn take_next(&self) -> Option<Next> {
        self.next.lock().take()
    }

    /// Stores the values for a later commit.
    pub(in crate::postgres) fn keep_next(&self, next: Next) {
        *self.next.lock() = Some(next);
    }

    /// Returns an empty round trip.
    pub(in crate::postgres) fn pipeline(&self) -> Pipeline<'_> {
        Pipeline::new(&self.client, self.patience)
    }

    /// For tests that inspect the connection.
    #[cfg(test)]
    pub(in crate::postgres) fn client(&self) -> &Client {
        &self.client
    }

    /// Sends statements without parameters.
    pub(in crate::postgres) async fn batch(&self, sql: &str) -> Result<(), Trouble> {
        let mut pipeline = self.pipeline();
        pipeline.batch(sql);
        pipeline.answers().await.map(drop)
    }
}
