//! The first statements of a connection and of each transaction, which belongs to one tag.

use std::fmt::Write as _;
use std::time::Duration;

use tokio_postgres::Client;

use crate::engine::{Durability, Tag};

/// Settings that a role or a database may have changed. The search path comes first, so that the following names are the server's own. Look-ups use
/// keys, so plans never depend on statistics.
const SETTINGS: &str = "SET search_path = pg_catalog, pg_temp; SET row_security = on;
    SET default_transaction_read_only = off; SET default_transaction_isolation = 'read committed';
    SET enable_seqscan = off; SET enable_hashjoin = off; SET enable_mergejoin = off; SET jit = off;
    SET plan_cache_mode = force_generic_plan";

/// Begins a read-only transaction.
pub(in crate::postgres) const BEGIN_READING: &str = "BEGIN ISOLATION LEVEL READ COMMITTED";

/// Makes the commit of a transaction wait for the server's disk, and for the standbys that the server is configured to wait for. It is set for the
/// transaction alone: so no setting from outside changes it, and no pooler loses it. Only `off` is overridden: `local` and `remote_write` are
/// the choice of the server's operator.
macro_rules! synchronous {
    () => {
        "SELECT pg_catalog.set_config(s.name, CASE s.setting WHEN 'off' THEN 'on' ELSE s.setting END, true)
        FROM (SELECT 'synchronous_commit', pg_catalog.current_setting('synchronous_commit')) AS s (name, setting)"
    };
}

/// Begins a transaction that writes.
pub(in crate::postgres) const BEGIN_WRITING: &str = concat!("BEGIN ISOLATION LEVEL READ COMMITTED; ", synchronous!());

/// Begins the transaction of a set-up, independent of the owner's settings.
pub(in crate::postgres) const BEGIN_SETUP: &str = concat!(
    "BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE; SET LOCAL search_path = pg_catalog, pg_temp; ",
    synchronous!()
);

/// Configures a new connection. Must come before any other statement.
pub(in crate::postgres) async fn configure(client: &Client, patience: Duration) -> Result<(), tokio_postgres::Error> {
    client.batch_execute(&format!("{SETTINGS}; {}", timeouts(patience))).await
}

/// Returns the timeouts after which the server ends abandoned transactions, whose locks others wait for. They do not apply to a COMMIT that waits for a
/// standby.
fn timeouts(patience: Duration) -> String {
    let millis = patience.as_millis().clamp(1, 86_400_000);
    format!("SET statement_timeout = {millis}; SET idle_in_transaction_session_timeout = {millis}")
}

/// Returns the first statements of a transaction that writes. The tag is the only value that is ever inserted into a statement: as 64 hexadecimal digits.
pub(in crate::postgres) fn begin(tag: &Tag, durability: Durability, is_citus: bool) -> String {
    let begin = match durability {
        Durability::Sync => BEGIN_WRITING,
        Durability::Relaxed => "BEGIN ISOLATION LEVEL READ COMMITTED; SET LOCAL synchronous_commit = off",
    };
    format!("{begin};{}", set_tag(tag, is_citus))
}

/// Returns the first statements of a read-only transaction.
pub(in crate::postgres) fn begin_reading(tag: &Tag, is_citus: bool) -> String {
    format!("{BEGIN_READING};{}", set_tag(tag, is_citus))
}

/// Returns the statement that binds the rest of the transaction to a tag.
pub(in crate::postgres) fn set_tag(tag: &Tag, is_citus: bool) -> String {
    let mut sql = String::new();
    if is_citus {
        // Otherwise the setting does not reach the workers, whose policies then hide every row.
        sql.push_str("SET LOCAL citus.propagate_set_commands = 'local';");
    }
    sql.push_str("SET LOCAL app.tenant_tag = '");
    for byte in tag.0 {
        let _ = write!(sql, "{byte:02x}");
    }
    sql.push('\'');
    sql
}
