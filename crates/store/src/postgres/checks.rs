//! What must hold of a database before it is used, and how it is.

use tokio_postgres::error::SqlState;
use tokio_postgres::{Row, Statement};

use super::failure::Trouble;
use super::numbers::unsigned;
use super::pipeline::Answer;
use super::statements::Statements;
use super::{OpenError, Shared, schema};
use crate::engine::Health;

/// Whether the role can get around the second fence, by itself or as somebody it may become; and whether the server takes
/// no changes.
const ROLE: &str = "SELECT
    bool_or(r.rolsuper), bool_or(r.rolbypassrls),
    EXISTS (SELECT FROM pg_namespace AS n LEFT JOIN pg_class AS c ON c.relnamespace = n.oid
        WHERE n.nspname = 'bailiwick'
            AND (pg_has_role(current_user, n.nspowner, 'MEMBER') OR pg_has_role(current_user, c.relowner, 'MEMBER'))),
    pg_is_in_recovery() FROM pg_roles AS r WHERE pg_has_role(current_user, r.oid, 'MEMBER')";
const VERSION: &str = "SELECT version FROM bailiwick.schema";
/// Tables that say of themselves that the fence holds for everybody.
const FENCED: &str = "SELECT count(*) FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = c.relnamespace
    WHERE n.nspname = 'bailiwick' AND c.relname = ANY ($1) AND c.relrowsecurity AND c.relforcerowsecurity";

/// Checks the role and the schema before anything is prepared.
pub(super) async fn before_use(client: &tokio_postgres::Client) -> Result<(), OpenError> {
    let role = client.query_one(ROLE, &[]).await.map_err(|_| OpenError::Unavailable)?;
    if role.get::<_, Option<bool>>(0) == Some(true) || role.get::<_, Option<bool>>(1) == Some(true) {
        return Err(OpenError::Privileged);
    }
    if role.get(2) {
        return Err(OpenError::Owner);
    }
    if role.get(3) {
        return Err(OpenError::Standby);
    }
    let version: i32 = match client.query_opt(VERSION, &[]).await {
        Ok(Some(row)) => row.get(0),
        Ok(None) => return Err(OpenError::NotSetUp),
        Err(error) => {
            let missing = [SqlState::UNDEFINED_TABLE, SqlState::INVALID_SCHEMA_NAME, SqlState::INSUFFICIENT_PRIVILEGE];
            let is_missing = error.code().is_some_and(|code| missing.contains(code));
            return Err(if is_missing { OpenError::NotSetUp } else { OpenError::Unavailable });
        }
    };
    if version != schema::VERSION {
        return Err(if version > schema::VERSION { OpenError::NewerFormat } else { OpenError::OlderFormat });
    }
    let tables: Vec<&str> = schema::TENANT_TABLES.to_vec();
    let fenced = client.query_one(FENCED, &[&tables]).await.map_err(|_| OpenError::Unavailable)?;
    if fenced.get::<_, i64>(0) == tables.len() as i64 { Ok(()) } else { Err(OpenError::NotSetUp) }
}

/// Whether the tables are spread over a Citus cluster.
pub(super) async fn is_citus(client: &tokio_postgres::Client) -> Result<bool, OpenError> {
    let found = client.query_opt("SELECT FROM pg_extension WHERE extname = 'citus'", &[]).await;
    found.map(|row| row.is_some()).map_err(|_| OpenError::Unavailable)
}

/// The server's clock, in microseconds since 1970-01-01T00:00:00Z.
pub(super) async fn clock(shared: &Shared) -> Result<u64, Trouble> {
    Ok(unsigned(one_row(shared, |statements| &statements.clock).await?.get(0)))
}

/// The answer of a statement about the server.
async fn one_row(shared: &Shared, of: impl Fn(&Statements) -> &Statement) -> Result<Row, Trouble> {
    let lease = shared.connections.lease(None).await?;
    let connection = lease.connection()?;
    let mut pipeline = connection.pipeline();
    pipeline.query(of(&connection.statements), Vec::new());
    let rows = pipeline.answers().await?.pop().map(Answer::rows).unwrap_or_default();
    lease.done();
    rows.into_iter().next().ok_or(Trouble::Lost)
}

/// How the database is.
pub(super) async fn health(shared: &Shared) -> Result<Health, Trouble> {
    let row = one_row(shared, |statements| &statements.health).await?;
    let setting = |column| row.get::<_, String>(column);
    let mut problems = Vec::new();
    if shared.server_default_is_off {
        problems
            .push("synchronous_commit is off by default on the server; this store turns it on for itself".to_owned());
    } else if setting(0) == "local" {
        problems.push("synchronous_commit is local: commits do not wait for standbys".to_owned());
    }
    for (column, name) in [(1, "fsync"), (2, "full_page_writes")] {
        if setting(column) == "off" {
            problems.push(format!("{name} is off: what was acknowledged can be lost when the server's machine fails"));
        }
    }
    let is_standby: bool = row.get(3);
    if is_standby {
        problems.push("the server is a standby and takes no commits".to_owned());
    }
    Ok(Health { ok: !is_standby, problems })
}
