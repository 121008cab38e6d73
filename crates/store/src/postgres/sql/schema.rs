//! The tables, as in `docs/format/postgres.md`. Each step leads from one version of the schema to the next.

use std::collections::BTreeSet;
use std::fmt::Write as _;

/// The version of the schema that this engine uses.
pub(in crate::postgres) const VERSION: i32 = 1;

/// Tables with rows of tenants: the tag comes first in every key, and row-level security is forced.
pub(in crate::postgres) const TENANT_TABLES: [&str; 5] = ["records", "blobs", "usage", "wakes", "tokens"];

/// The schema.
pub(in crate::postgres) const SCHEMA: &str = "CREATE SCHEMA IF NOT EXISTS bailiwick";

/// Whether the schema and everything in it belongs to the current role.
pub(in crate::postgres) const IS_OWN: &str = "SELECT n.nspowner = r.oid
    AND NOT EXISTS (SELECT FROM pg_class AS c WHERE c.relnamespace = n.oid AND c.relowner <> r.oid)
    AND NOT EXISTS (SELECT FROM pg_proc AS p WHERE p.pronamespace = n.oid AND p.proowner <> r.oid)
    FROM pg_namespace AS n, pg_roles AS r WHERE n.nspname = 'bailiwick' AND r.rolname = current_user";

/// The statements before the first step.
pub(in crate::postgres) const FOUNDATION: &str = "
CREATE TABLE IF NOT EXISTS bailiwick.schema (version integer NOT NULL);
LOCK TABLE bailiwick.schema IN EXCLUSIVE MODE";

/// `STEPS[n]` leads from version `n` to `n + 1`.
pub(in crate::postgres) const STEPS: [&str; VERSION as usize] = ["
CREATE SEQUENCE bailiwick.versions;
CREATE TABLE bailiwick.records (
    tag bytea NOT NULL, kind smallint NOT NULL, item bytea NOT NULL, version bigint NOT NULL, expires_at bigint,
    counted bigint, parts smallint NOT NULL, value bytea NOT NULL, PRIMARY KEY (tag, kind, item));
CREATE INDEX records_expiry ON bailiwick.records (tag, kind, expires_at) WHERE expires_at IS NOT NULL;
CREATE TABLE bailiwick.blobs (
    tag bytea NOT NULL, kind smallint NOT NULL, item bytea NOT NULL, part smallint NOT NULL, bytes bytea NOT NULL,
    PRIMARY KEY (tag, kind, item, part));
CREATE TABLE bailiwick.usage (
    tag bytea NOT NULL, kind smallint NOT NULL, shard smallint NOT NULL, items bigint NOT NULL, bytes bigint NOT NULL,
    PRIMARY KEY (tag, kind, shard)) WITH (fillfactor = 50);
CREATE TABLE bailiwick.wakes (
    tag bytea NOT NULL, kind smallint NOT NULL, at bigint NOT NULL, PRIMARY KEY (tag, kind, at));
CREATE TABLE bailiwick.tokens (
    tag bytea NOT NULL, token bytea NOT NULL, committed boolean NOT NULL, PRIMARY KEY (tag, token));
CREATE TABLE bailiwick.tenants (tag bytea PRIMARY KEY, erased_at bigint);
CREATE TABLE bailiwick.due (tag bytea NOT NULL, kind smallint NOT NULL, at bigint NOT NULL, PRIMARY KEY (tag, kind));
CREATE INDEX due_at ON bailiwick.due (at);
CREATE TABLE bailiwick.headers (name bytea PRIMARY KEY, generation bigint NOT NULL, value bytea NOT NULL);
-- Sealed bytes do not compress.
ALTER TABLE bailiwick.records ALTER COLUMN value SET STORAGE EXTERNAL;
ALTER TABLE bailiwick.blobs ALTER COLUMN bytes SET STORAGE EXTERNAL"];

/// Row-level security: without the tag of its transaction, a statement reads and writes nothing.
pub(in crate::postgres) fn fence(table: &str) -> String {
    const TAG: &str = "tag = decode(nullif(current_setting('app.tenant_tag', true), ''), 'hex')";
    format!(
        "ALTER TABLE bailiwick.{table} ENABLE ROW LEVEL SECURITY;
         ALTER TABLE bailiwick.{table} FORCE ROW LEVEL SECURITY;
         CREATE POLICY tenant ON bailiwick.{table} USING ({TAG}) WITH CHECK ({TAG})"
    )
}

/// The expression of the policies, as every server from 15 to 18 prints it.
pub(in crate::postgres) const WRITTEN_POLICY: &str =
    "(tag = decode(NULLIF(current_setting('app.tenant_tag'::text, true), ''::text), 'hex'::text))";

/// Every policy in the schema, including added ones: its table and its name.
pub(in crate::postgres) const POLICIES: &str = "SELECT c.relname::text, p.polname::text FROM pg_policy AS p
    JOIN pg_class AS c ON c.oid = p.polrelid JOIN pg_namespace AS n ON n.oid = c.relnamespace
    WHERE n.nspname = 'bailiwick'";

const ROWS: &[&str] = &["SELECT", "INSERT", "UPDATE", "DELETE"];

/// The privileges of the application's role on the tables, and no others. It cannot remove the mark of an erase.
const TABLES: [(&str, &[&str]); 9] = [
    ("records", ROWS),
    ("blobs", ROWS),
    ("usage", ROWS),
    ("wakes", ROWS),
    ("tokens", ROWS),
    ("due", ROWS),
    ("headers", ROWS),
    ("tenants", &["SELECT", "INSERT", "UPDATE"]),
    ("schema", &["SELECT"]),
];

/// Grants the application's role its privileges, and revokes all others of it and of PUBLIC. `role` is a quoted
/// identifier.
pub(in crate::postgres) fn grants(role: &str) -> String {
    let mut sql = ["SCHEMA", "ALL TABLES IN SCHEMA", "ALL SEQUENCES IN SCHEMA"]
        .map(|what| format!("REVOKE ALL ON {what} bailiwick FROM PUBLIC, {role};\n"))
        .concat();
    for (table, rights) in TABLES {
        let _ = writeln!(sql, "GRANT {} ON bailiwick.{table} TO {role};", rights.join(", "));
    }
    let _ =
        write!(sql, "GRANT USAGE ON SCHEMA bailiwick TO {role}; GRANT USAGE ON SEQUENCE bailiwick.versions TO {role}");
    sql
}

/// The same privileges, each as `what right`; `what` is empty for the schema itself.
pub(in crate::postgres) fn rights() -> BTreeSet<String> {
    let tables = TABLES.iter().flat_map(|(table, rights)| rights.iter().map(move |right| format!("{table} {right}")));
    tables.chain([" USAGE".to_owned(), "versions USAGE".to_owned()]).collect()
}

/// Distributes the tables over a Citus cluster: rows of a tag on one node, the internal ones beside every shard.
pub(in crate::postgres) const DISTRIBUTE: &str = "
SELECT create_distributed_table('bailiwick.records', 'tag');
SELECT create_distributed_table('bailiwick.blobs', 'tag', colocate_with => 'bailiwick.records');
SELECT create_distributed_table('bailiwick.usage', 'tag', colocate_with => 'bailiwick.records');
SELECT create_distributed_table('bailiwick.wakes', 'tag', colocate_with => 'bailiwick.records');
SELECT create_distributed_table('bailiwick.tokens', 'tag', colocate_with => 'bailiwick.records')";
