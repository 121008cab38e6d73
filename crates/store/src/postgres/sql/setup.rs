//! Sets up a database, in one transaction.

use std::fmt::Write as _;
use std::time::Duration;

use postgres_protocol::password::scram_sha_256;
use tokio_postgres::Client;
use tokio_postgres::error::SqlState;

use super::{checks, schema};
use crate::postgres::connect::address::Address;
use crate::postgres::connect::transaction::BEGIN_SETUP;
use crate::postgres::failure::is_of_pooler;
use crate::postgres::open_error::{Code, OpenError};

/// The server cuts longer names.
const LONGEST_NAME: usize = 63;

/// `time` is the most that it may take; the server aborts before, because it holds locks.
pub(in crate::postgres) async fn run(client: &Client, owner: &Address, time: Duration) -> Result<String, OpenError> {
    // The search path must not resolve the names below to objects of another role.
    batch(client, BEGIN_SETUP).await?;
    let millis = (time / 2).as_millis().clamp(1, 86_400_000);
    let ends = ["statement_timeout", "lock_timeout", "idle_in_transaction_session_timeout"];
    batch(client, &ends.map(|name| format!("SET LOCAL {name} = {millis};")).concat()).await?;
    match in_transaction(client, owner).await {
        Ok(url) => batch(client, "COMMIT").await.map(|()| url),
        Err(error) => {
            // The connection ends here, and so does the transaction if this does not reach the server.
            let _ = batch(client, "ROLLBACK").await;
            Err(error)
        }
    }
}

async fn in_transaction(client: &Client, owner: &Address) -> Result<String, OpenError> {
    let is_citus = checks::is_citus(client).await?;
    batch(client, schema::SCHEMA).await?;
    // Triggers and rules of another role would run with the privileges of this one.
    let is_own = client.query_one(schema::IS_OWN, &[]).await.map_err(|error| failure(&error))?;
    if !is_own.get::<_, bool>(0) {
        return Err(OpenError::Occupied);
    }
    batch(client, schema::FOUNDATION).await?;
    let version =
        client.query_opt("SELECT version FROM bailiwick.schema", &[]).await.map_err(|error| failure(&error))?;
    let version: i32 = version.map_or(0, |row| row.get(0));
    if version > schema::VERSION {
        return Err(OpenError::NewerFormat);
    }
    let done = usize::try_from(version).map_err(|_| OpenError::NewerFormat)?;
    for step in schema::STEPS.iter().skip(done) {
        batch(client, step).await?;
    }
    if is_citus && version == 0 {
        batch(client, schema::DISTRIBUTE).await?;
    }
    for policy in client.query(schema::POLICIES, &[]).await.map_err(|error| failure(&error))? {
        let (table, name): (&str, &str) = (policy.get(0), policy.get(1));
        batch(client, &format!("DROP POLICY {} ON bailiwick.{}", quoted(name), quoted(table))).await?;
    }
    for table in schema::TENANT_TABLES {
        batch(client, &schema::fence(table)).await?;
    }
    batch(client, "DELETE FROM bailiwick.schema").await?;
    client
        .execute("INSERT INTO bailiwick.schema (version) VALUES ($1)", &[&schema::VERSION])
        .await
        .map_err(|error| failure(&error))?;
    let row = client.query_one("SELECT current_database()", &[]).await.map_err(|error| failure(&error))?;
    let database: String = row.get(0);
    let role = role_of(&database);
    let password = role_is_made(client, &role, version == 0).await?;
    batch(client, &schema::grants(&quoted(&role))).await?;
    Ok(owner.as_role(&database, &role, password.as_deref()))
}

/// Creates the role, if it does not exist, and returns its password. The server gets only the verifier. In a new schema
/// no role can have been granted anything: an existing role belongs to another user, who may know its password.
async fn role_is_made(client: &Client, role: &str, is_new: bool) -> Result<Option<String>, OpenError> {
    let found = client.query_opt("SELECT FROM pg_roles WHERE rolname = $1", &[&role]).await;
    if found.map_err(|error| failure(&error))?.is_some() {
        return if is_new { Err(OpenError::RoleTaken) } else { Ok(None) };
    }
    let mut bytes = [0; 24];
    getrandom::fill(&mut bytes).map_err(|_| OpenError::Unavailable)?;
    let password = bytes.iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    });
    // Digits, letters of base64, `$` and `:`.
    let verifier = scram_sha_256(password.as_bytes());
    let name = quoted(role);
    batch(
        client,
        &format!("CREATE ROLE {name} LOGIN NOINHERIT NOBYPASSRLS NOCREATEDB NOCREATEROLE PASSWORD '{verifier}'"),
    )
    .await?;
    Ok(Some(password))
}

/// The application's role: one for each database of a server.
fn role_of(database: &str) -> String {
    let role = format!("bailiwick_{database}");
    if role.len() <= LONGEST_NAME {
        return role;
    }
    let hash = blake3::hash(database.as_bytes()).to_hex();
    format!("bailiwick_{}", hash.get(..32).unwrap_or_default())
}

fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

async fn batch(client: &Client, sql: &str) -> Result<(), OpenError> {
    client.batch_execute(sql).await.map_err(|error| failure(&error))
}

fn failure(error: &tokio_postgres::Error) -> OpenError {
    let in_the_way = [
        SqlState::DUPLICATE_TABLE,
        SqlState::DUPLICATE_OBJECT,
        SqlState::UNDEFINED_TABLE,
        SqlState::UNDEFINED_COLUMN,
        SqlState::DATATYPE_MISMATCH,
        SqlState::WRONG_OBJECT_TYPE,
    ];
    match error.code() {
        Some(&SqlState::INSUFFICIENT_PRIVILEGE) => OpenError::NotOwner,
        Some(code) if in_the_way.contains(code) => OpenError::Occupied,
        Some(code) if is_of_pooler(code) => OpenError::Pooled,
        // A statement that timed out waited for a lock. The rest of class 57, and 08, are about the end of the server
        // and of the connection.
        Some(code @ &SqlState::QUERY_CANCELED) => OpenError::Refused(Code::of(code.code())),
        Some(code) if !["08", "57"].iter().any(|class| code.code().starts_with(class)) => {
            OpenError::Refused(Code::of(code.code()))
        }
        _ => OpenError::Unavailable,
    }
}
