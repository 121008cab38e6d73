//! The options of a database.

use std::time::Duration;

/// The options of a database.
#[derive(Clone, Debug)]
pub struct PostgresOptions {
    /// The most connections of this process.
    pub connections: usize,
    /// The timeout of one round trip, and of waiting for a connection: a paused server, or one behind a broken network, does not
    /// answer at all. The server ends idle transactions after the same time.
    pub patience: Duration,
    /// The timeout of opening.
    pub opening: Duration,
    /// Whether the store is opened for a migration: then it may have been moved, and [`crate::Vault::claim`] may be called.
    pub is_moving: bool,
}

impl Default for PostgresOptions {
    /// 10 connections, 30 seconds for each round trip and for opening, no migration.
    fn default() -> Self {
        let patience = Duration::from_secs(30);
        Self { connections: 10, patience, opening: patience, is_moving: false }
    }
}
