//! What all calls of an open store share.

use std::time::Duration;

use super::commit::groups::Groups;
use super::connect::pool::{Connections, Lease};

/// The state of an open store.
pub(in crate::postgres) struct Shared {
    pub(in crate::postgres) connections: Connections,
    pub(in crate::postgres) groups: Groups,
    pub(in crate::postgres) is_citus: bool,
    pub(in crate::postgres) patience: Duration,
    /// The connection that has exclusive use of the store, during a migration.
    pub(in crate::postgres) claim: tokio::sync::Mutex<Option<Lease>>,
}
