//! What a set-up makes, as the catalog has it, and whom the engine refuses.

use bailiwick_store::CommitError;
use bailiwick_store::conformance::Home;
use bailiwick_store::conformance::database::{Database, execute, in_database, with_client};
use bailiwick_store::conformance::support::{block_on, commit, place, put, tag, value};
use bailiwick_store::postgres::{self, OpenError, PostgresOptions};

/// Read across tags: which there are, when they are due, key headers by name, the version of the schema.
const INTERNAL: [&str; 4] = ["due", "headers", "schema", "tenants"];

fn open(url: &str) -> Result<(), OpenError> {
    let opened = block_on(postgres::open(&url.parse()?, PostgresOptions::default()))?;
    block_on(opened.engine.close());
    Ok(())
}

/// The first column of every row.
fn names(database: &Database, sql: &'static str) -> Vec<String> {
    with_client(&database.owner_url(), async move |client| {
        client.query(sql, &[]).await.unwrap().iter().map(|row| row.get(0)).collect()
    })
}

#[test]
fn the_tag_comes_first_in_every_key_and_index() {
    let database = Database::fresh();
    let indexes = names(
        &database,
        "SELECT c.relname || ' ' || a.attname FROM pg_index AS i JOIN pg_class AS c ON c.oid = i.indrelid
         JOIN pg_attribute AS a ON a.attrelid = c.oid AND a.attnum = i.indkey[0]
         WHERE c.relnamespace = 'bailiwick'::regnamespace",
    );
    assert!(indexes.len() >= 8);
    for index in indexes {
        let (table, column) = index.split_once(' ').unwrap();
        assert!(column == "tag" || INTERNAL.contains(&table), "{index}");
    }
}

#[test]
fn the_fence_is_forced_on_all_but_the_internal_tables() {
    let database = Database::fresh();
    let unfenced = names(
        &database,
        "SELECT c.relname::text FROM pg_class AS c WHERE c.relnamespace = 'bailiwick'::regnamespace AND c.relkind = 'r'
         AND NOT (c.relrowsecurity AND c.relforcerowsecurity AND EXISTS (SELECT FROM pg_policy WHERE polrelid = c.oid))
         ORDER BY 1",
    );
    assert_eq!(unfenced, INTERNAL);
}

#[test]
fn without_a_tag_the_role_sees_and_writes_nothing() {
    let database = Database::fresh();
    let opened = database.open();
    commit(&*opened.engine, tag(1), vec![put(place(1, 1), "theirs")]).unwrap();
    let (seen, written) = with_client(&database.url(), async move |client| {
        let seen: i64 = client.query_one("SELECT count(*) FROM bailiwick.records", &[]).await.unwrap().get(0);
        client.batch_execute(&format!("SET app.tenant_tag = '{}'", "02".repeat(32))).await.unwrap();
        let others: i64 = client.query_one("SELECT count(*) FROM bailiwick.records", &[]).await.unwrap().get(0);
        let sql = "INSERT INTO bailiwick.wakes (tag, kind, at) VALUES ($1, 1, 1)";
        (seen + others, client.execute(sql, &[&&tag(1).0[..]]).await.is_ok())
    });
    assert_eq!((seen, written), (0, false));
    assert_eq!(value(&*opened.engine, tag(1), place(1, 1)).unwrap(), "theirs");
}

#[test]
fn the_role_owns_nothing_and_cannot_pass_by_the_fence() {
    let database = Database::fresh();
    let application = database.url();
    let (plain, owned) = with_client(&application, async move |client| {
        let role = "SELECT NOT (rolsuper OR rolbypassrls OR rolcreaterole OR rolcreatedb) FROM pg_roles WHERE rolname = current_user";
        let owned = "SELECT count(*) FROM pg_shdepend AS d JOIN pg_roles AS r ON r.oid = d.refobjid
            WHERE r.rolname = current_user AND d.deptype = 'o'";
        let plain: bool = client.query_one(role, &[]).await.unwrap().get(0);
        let owned: i64 = client.query_one(owned, &[]).await.unwrap().get(0);
        (plain, owned)
    });
    assert_eq!((plain, owned), (true, 0));
    assert_eq!(open(&application), Ok(()));
}

#[test]
fn superusers_and_databases_that_are_not_ready_are_refused() {
    let database = Database::fresh();
    assert_eq!(open(&database.owner_url()), Err(OpenError::Privileged));
    let bare = Database::bare();
    let url = bare.url();
    assert_eq!(open(&url), Err(OpenError::NotSetUp));
    execute(&database.owner_url(), "UPDATE bailiwick.schema SET version = version + 1");
    assert_eq!(open(&database.url()), Err(OpenError::NewerFormat));
    assert_eq!(block_on(postgres::setup(&database.owner_url().parse().unwrap())), Err(OpenError::NewerFormat));
    execute(&database.owner_url(), "UPDATE bailiwick.schema SET version = 0");
    assert_eq!(open(&database.url()), Err(OpenError::OlderFormat));
    assert_eq!(open("postgres://nobody@127.0.0.1:1/nothing"), Err(OpenError::Unavailable));
    assert_eq!(open(&in_database(&database.url(), "bailiwick_no_such")), Err(OpenError::NoDatabase));
    let stranger = database.url().replacen("//", "//bailiwick_nobody_", 1);
    assert_eq!(open(&stranger), Err(OpenError::NotLetIn));
    assert_eq!(open(&format!("{}?sslmode=require", database.url())), Err(OpenError::Untrusted));
}

/// A role of the server, gone when it is dropped.
struct Role {
    name: String,
    server: String,
}

impl Role {
    fn new(database: &Database, name: &str, options: &str) -> Self {
        let name = format!("bailiwick_test_{}_{name}", std::process::id());
        let server = in_database(&database.owner_url(), "postgres");
        execute(&server, &format!("CREATE ROLE {name} LOGIN {options}"));
        Self { name, server }
    }

    fn open(&self, database: &Database) -> Result<(), OpenError> {
        let url = database.owner_url();
        let (_, place) = url.split_once('@').unwrap();
        open(&format!("postgres://{}@{place}", self.name))
    }
}

impl Drop for Role {
    fn drop(&mut self) {
        execute(&self.server, &format!("DROP ROLE {}", self.name));
    }
}

#[test]
fn owners_and_roles_that_can_bypass_the_fence_are_refused() {
    let other = Database::bare();
    let (owner, passing) = (Role::new(&other, "owner", ""), Role::new(&other, "passing", "BYPASSRLS"));
    let of_owner = Role::new(&other, "of_owner", &format!("NOINHERIT IN ROLE {}", owner.name));
    let of_passing = Role::new(&other, "of_passing", &format!("NOINHERIT IN ROLE {}", passing.name));
    // It goes before the roles do.
    let database = Database::fresh();
    execute(&database.owner_url(), &format!("GRANT USAGE ON SCHEMA bailiwick TO {}", owner.name));
    assert_eq!(owner.open(&database), Err(OpenError::NotSetUp), "it owns nothing yet, and may do nothing");
    for what in ["TABLE bailiwick.due", "SCHEMA bailiwick"] {
        execute(&database.owner_url(), &format!("ALTER {what} OWNER TO {}", owner.name));
        assert_eq!(owner.open(&database), Err(OpenError::Owner), "{what}");
        assert_eq!(of_owner.open(&database), Err(OpenError::Owner), "{what}");
        execute(&database.owner_url(), &format!("ALTER {what} OWNER TO CURRENT_USER"));
    }
    assert_eq!(passing.open(&database), Err(OpenError::Privileged));
    assert_eq!(of_passing.open(&database), Err(OpenError::Privileged));
}

#[test]
fn without_the_fence_or_a_table_the_store_refuses_work_and_reveals_nothing() {
    let database = Database::fresh();
    let opened = database.open();
    execute(&database.owner_url(), "DROP TABLE bailiwick.blobs");
    execute(&database.owner_url(), "ALTER TABLE bailiwick.wakes NO FORCE ROW LEVEL SECURITY");
    assert_eq!(open(&database.url()), Err(OpenError::NotSetUp));
    let large = put(place(1, 1), vec![0; 2 << 20]);
    assert_eq!(commit(&*opened.engine, tag(1), vec![large]), Err(CommitError::Unavailable));
    block_on(opened.engine.close());
}

#[test]
fn setting_up_again_keeps_the_data() {
    let bare = Database::bare();
    let first = block_on(postgres::setup(&bare.owner_url().parse().unwrap())).unwrap();
    let opened = block_on(postgres::open(&first.parse().unwrap(), PostgresOptions::default())).unwrap();
    commit(&*opened.engine, tag(1), vec![put(place(1, 1), "kept")]).unwrap();
    block_on(opened.engine.close());
    let again = block_on(postgres::setup(&bare.owner_url().parse().unwrap())).unwrap();
    let (name, host) = first.split_once('@').unwrap();
    let (name, _password) = name.rsplit_once(':').unwrap();
    assert_eq!(format!("{name}@{host}"), again, "the password is told once");
    let opened = block_on(postgres::open(&first.parse().unwrap(), PostgresOptions::default())).unwrap();
    assert_eq!(value(&*opened.engine, tag(1), place(1, 1)).unwrap(), "kept");
    block_on(opened.engine.close());
}
