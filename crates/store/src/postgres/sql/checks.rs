//! Checks of a database before use, and its health.

use std::collections::BTreeSet;

use tokio_postgres::error::SqlState;

use super::{schema, single};
use crate::engine::Health;
use crate::postgres::failure::{self, Trouble};
use crate::postgres::open_error::OpenError;
use crate::postgres::shared::Shared;
use crate::postgres::sql::pipeline::Answer;
use crate::postgres::sql::values::unsigned;

/// Whether the role can bypass row-level security, itself or by a role that it may become: as a superuser, by
/// BYPASSRLS, by creating roles, by replication, or by a predefined role that acts on the server. Predefined roles that
/// only monitor are allowed. Then whether it owns a table of the store, and whether the server accepts no changes.
const ROLE: &str = "SELECT
    bool_or(r.rolsuper OR r.rolbypassrls OR r.rolcreaterole OR r.rolreplication OR starts_with(r.rolname, 'pg_')
        AND r.rolname NOT IN ('pg_monitor', 'pg_read_all_settings', 'pg_read_all_stats', 'pg_stat_scan_tables',
            'pg_use_reserved_connections', 'pg_database_owner')),
    EXISTS (SELECT FROM pg_namespace AS n LEFT JOIN pg_class AS c ON c.relnamespace = n.oid
        WHERE n.nspname = 'bailiwick'
            AND (pg_has_role(current_user, n.nspowner, 'MEMBER') OR pg_has_role(current_user, c.relowner, 'MEMBER'))),
    pg_is_in_recovery() FROM pg_roles AS r WHERE pg_has_role(current_user, r.oid, 'MEMBER')";
const VERSION: &str = "SELECT version FROM bailiwick.schema";
/// Tables that force row-level security.
const FENCED: &str = "SELECT count(*) FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = c.relnamespace
    WHERE n.nspname = 'bailiwick' AND c.relname = ANY ($1) AND c.relrowsecurity AND c.relforcerowsecurity";
/// Every policy in the schema: its table, and whether it is the set-up's. The expression is compared as the server
/// prints it, which qualifies foreign names with their schema.
const POLICIES: &str = "SELECT c.relname::text, (p.polname = 'tenant' AND p.polpermissive AND p.polcmd = '*'
        AND p.polroles = '{0}' AND pg_get_expr(p.polqual, p.polrelid) = $1
        AND pg_get_expr(p.polwithcheck, p.polrelid) = $1) IS TRUE
    FROM pg_policy AS p JOIN pg_class AS c ON c.oid = p.polrelid JOIN pg_namespace AS n ON n.oid = c.relnamespace
    WHERE n.nspname = 'bailiwick' ORDER BY 1";
/// The privileges of the role in the schema, its own, those of roles that it may become, and those of PUBLIC: `what
/// right`, with `*` if it may grant the right.
const RIGHTS: &str =
    "SELECT DISTINCT a.what || ' ' || e.privilege_type || CASE WHEN e.is_grantable THEN '*' ELSE '' END
    FROM pg_namespace AS n CROSS JOIN LATERAL (
        SELECT '' AS what, n.nspacl AS acl
        UNION ALL SELECT c.relname::text, c.relacl FROM pg_class AS c WHERE c.relnamespace = n.oid
        UNION ALL SELECT c.relname || '.' || f.attname, f.attacl FROM pg_class AS c
            JOIN pg_attribute AS f ON f.attrelid = c.oid WHERE c.relnamespace = n.oid
        ) AS a CROSS JOIN LATERAL aclexplode(a.acl) AS e
    WHERE n.nspname = 'bailiwick' AND (e.grantee = 0 OR pg_has_role(current_user, e.grantee, 'MEMBER'))";

/// Checks the role and the schema before any statement is prepared.
pub(in crate::postgres) async fn before_use(client: &tokio_postgres::Client) -> Result<(), OpenError> {
    let refused = |error: tokio_postgres::Error| failure::of_opening(&error);
    let role = client.query_one(ROLE, &[]).await.map_err(refused)?;
    if role.get::<_, Option<bool>>(0) == Some(true) {
        return Err(OpenError::Privileged);
    }
    if role.get(1) {
        return Err(OpenError::Owner);
    }
    if role.get(2) {
        return Err(OpenError::Standby);
    }
    let version: i32 = match client.query_opt(VERSION, &[]).await {
        Ok(Some(row)) => row.get(0),
        Ok(None) => return Err(OpenError::NotSetUp),
        Err(error) => {
            let missing = [SqlState::UNDEFINED_TABLE, SqlState::INVALID_SCHEMA_NAME, SqlState::INSUFFICIENT_PRIVILEGE];
            let is_missing = error.code().is_some_and(|code| missing.contains(code));
            return Err(if is_missing { OpenError::NotSetUp } else { refused(error) });
        }
    };
    if version != schema::VERSION {
        return Err(if version > schema::VERSION { OpenError::NewerFormat } else { OpenError::OlderFormat });
    }
    let tables: Vec<&str> = schema::TENANT_TABLES.to_vec();
    let fenced = client.query_one(FENCED, &[&tables]).await.map_err(refused)?;
    if fenced.get::<_, i64>(0) != tables.len() as i64 {
        return Err(OpenError::NotSetUp);
    }
    let policies = client.query(POLICIES, &[&schema::WRITTEN_POLICY]).await.map_err(refused)?;
    let policies: Vec<(String, bool)> = policies.iter().map(|row| (row.get(0), row.get(1))).collect();
    let mut expected = schema::TENANT_TABLES.map(|table| (table.to_owned(), true));
    expected.sort();
    let rights = client.query(RIGHTS, &[]).await.map_err(refused)?;
    let rights: BTreeSet<String> = rights.iter().map(|row| row.get(0)).collect();
    if policies == expected && rights == schema::rights() { Ok(()) } else { Err(OpenError::Altered) }
}

/// Whether the tables are distributed over a Citus cluster.
pub(in crate::postgres) async fn is_citus(client: &tokio_postgres::Client) -> Result<bool, OpenError> {
    let found = client.query_opt("SELECT FROM pg_extension WHERE extname = 'citus'", &[]).await;
    found.map(|row| row.is_some()).map_err(|error| failure::of_opening(&error))
}

/// The server's clock, in microseconds since 1970-01-01T00:00:00Z.
pub(in crate::postgres) async fn clock(shared: &Shared) -> Result<u64, Trouble> {
    let rows = single::read(shared, |statements| &statements.clock, Vec::new).await?;
    Ok(unsigned(rows.first().ok_or(Trouble::Lost)?.get(0)))
}

/// Returns the health of the database now: settings may have changed since the store was opened.
pub(in crate::postgres) async fn health(shared: &Shared) -> Result<Health, Trouble> {
    let lease = shared.connections.lease(None).await?;
    let connection = lease.connection()?;
    let mut pipeline = connection.pipeline();
    pipeline.query(&connection.statements.health, Vec::new());
    let rows = pipeline.answers().await?.pop().map(Answer::rows).unwrap_or_default();
    lease.done();
    let row = rows.first().ok_or(Trouble::Lost)?;
    let setting = |column| row.get::<_, String>(column);
    let mut problems = Vec::new();
    match &setting(0)[..] {
        "off" => problems.push(
            "synchronous_commit is off by default on the server; this store turns it on for each of its commits"
                .to_owned(),
        ),
        "local" => problems.push("synchronous_commit is local: commits do not wait for standbys".to_owned()),
        "remote_write" => problems
            .push("synchronous_commit is remote_write: commits do not wait until a standby's disk has them".to_owned()),
        _ => {}
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
