//! What a server, a database or a role may have otherwise than a set-up makes it: it is found out, and never taken for the
//! truth.

use std::time::Duration;

use bailiwick_store::conformance::Home;
use bailiwick_store::conformance::database::{Database, execute, in_database, with_client};
use bailiwick_store::conformance::support::{
    NOW, block_on, commit, place, put, put_counted, put_until, put_when, tag, whole_range,
};
use bailiwick_store::postgres::{self, OpenError, PostgresOptions};
use bailiwick_store::{Kinds, Opened, Promptness, ReadError, STORE_SLOT, ScanRequest, When};

fn open(url: &str) -> Result<(), OpenError> {
    let opened = block_on(postgres::open(&url.parse()?, PostgresOptions::default()))?;
    block_on(opened.engine.close());
    Ok(())
}

/// A role of the server that may do in a database what a set-up gives the application's, gone when it is dropped.
struct Role {
    name: String,
    server: String,
    database: String,
}

impl Role {
    fn new(database: &Database, name: &str) -> Self {
        let name = format!("bailiwick_checks_{}_{name}", std::process::id());
        let server = in_database(&database.owner_url(), "postgres");
        execute(&server, &format!("CREATE ROLE {name} LOGIN NOINHERIT"));
        let role = Self { name, server, database: database.owner_url() };
        let rows = "records, bailiwick.blobs, bailiwick.usage, bailiwick.wakes, bailiwick.tokens, bailiwick.due, bailiwick.headers";
        role.run(&format!("GRANT SELECT, INSERT, UPDATE, DELETE ON bailiwick.{rows} TO {{role}}"));
        role.run(
            "GRANT USAGE ON SCHEMA bailiwick TO {role}; GRANT SELECT, INSERT, UPDATE ON bailiwick.tenants TO {role};
             GRANT SELECT ON bailiwick.schema TO {role}; GRANT USAGE ON SEQUENCE bailiwick.versions TO {role}",
        );
        role
    }

    /// `{role}` stands for its name.
    fn run(&self, sql: &str) {
        execute(&self.database, &sql.replace("{role}", &self.name));
    }

    fn open(&self) -> Result<(), OpenError> {
        let (_, place) = self.database.split_once('@').unwrap();
        open(&format!("postgres://{}@{place}", self.name))
    }
}

impl Drop for Role {
    fn drop(&mut self) {
        execute(&self.database, &format!("DROP OWNED BY {}", self.name));
        execute(&self.server, &format!("DROP ROLE {}", self.name));
    }
}

#[test]
fn policies_that_a_set_up_does_not_make_are_refused_and_put_right_by_it() {
    let tag = "tag = decode(nullif(current_setting('app.tenant_tag', true), ''), 'hex')";
    let of_others = "CREATE FUNCTION public.decode(text, text) RETURNS bytea LANGUAGE sql AS 'SELECT ''x''::bytea'";
    let changes = [
        "CREATE POLICY more ON bailiwick.records USING (true)".to_owned(),
        "CREATE POLICY more ON bailiwick.blobs FOR SELECT USING (true)".to_owned(),
        "CREATE POLICY \"odd \"\" name\" ON bailiwick.usage AS RESTRICTIVE USING (true)".to_owned(),
        "CREATE POLICY more ON bailiwick.tenants USING (true)".to_owned(),
        "ALTER POLICY tenant ON bailiwick.tokens USING (true)".to_owned(),
        "ALTER POLICY tenant ON bailiwick.tokens WITH CHECK (true)".to_owned(),
        "ALTER POLICY tenant ON bailiwick.wakes TO pg_monitor".to_owned(),
        "ALTER POLICY tenant ON bailiwick.wakes RENAME TO other".to_owned(),
        "DROP POLICY tenant ON bailiwick.records".to_owned(),
        format!("DROP POLICY tenant ON bailiwick.records; CREATE POLICY tenant ON bailiwick.records USING ({tag})"),
        format!(
            "DROP POLICY tenant ON bailiwick.records;
             CREATE POLICY tenant ON bailiwick.records AS RESTRICTIVE USING ({tag}) WITH CHECK ({tag})"
        ),
        format!(
            "{of_others}; ALTER POLICY tenant ON bailiwick.blobs USING ({})",
            tag.replace("decode", "public.decode")
        ),
    ];
    for change in changes {
        let database = Database::fresh();
        assert_eq!(open(&database.url()), Ok(()));
        execute(&database.owner_url(), &change);
        assert_eq!(open(&database.url()), Err(OpenError::Altered), "{change}");
        block_on(postgres::setup(&database.owner_url().parse().unwrap())).unwrap();
        assert_eq!(open(&database.url()), Ok(()), "{change}");
    }
}

#[test]
fn rights_that_a_set_up_does_not_give_are_refused() {
    let database = Database::fresh();
    let role = Role::new(&database, "rights");
    let group = Role::new(&database, "group");
    execute(&database.owner_url(), &format!("DROP OWNED BY {}", group.name));
    assert_eq!(role.open(), Ok(()));
    let grants = [
        ("TRUNCATE ON bailiwick.records", true),
        ("TRIGGER ON bailiwick.headers", true),
        ("REFERENCES ON bailiwick.due", true),
        ("REFERENCES (tag) ON bailiwick.due", true),
        ("DELETE ON bailiwick.tenants", true),
        ("UPDATE ON bailiwick.schema", true),
        ("UPDATE (version) ON bailiwick.schema", true),
        ("CREATE ON SCHEMA bailiwick", true),
        ("UPDATE ON SEQUENCE bailiwick.versions", true),
        ("SELECT ON bailiwick.records", false),
    ];
    for (right, is_more) in grants {
        let whoms: &[&str] = if is_more { &["{role}", "PUBLIC"] } else { &["{role}"] };
        for whom in whoms {
            let (give, take) = (format!("GRANT {right} TO {whom}"), format!("REVOKE {right} FROM {whom}"));
            let (change, back) = if is_more { (&give, &take) } else { (&take, &give) };
            role.run(change);
            assert!(matches!(role.open(), Err(OpenError::Altered | OpenError::NotSetUp)), "{change}");
            role.run(back);
            assert_eq!(role.open(), Ok(()), "{back}");
        }
        // As somebody that it may become.
        if is_more {
            execute(&database.owner_url(), &format!("GRANT {right} TO {}", group.name));
            role.run(&format!("GRANT {} TO {{role}}", group.name));
            assert_eq!(role.open(), Err(OpenError::Altered), "{right}");
            role.run(&format!("REVOKE {} FROM {{role}}", group.name));
            execute(&database.owner_url(), &format!("REVOKE {right} FROM {}", group.name));
        }
    }
    role.run("GRANT SELECT ON bailiwick.records TO {role} WITH GRANT OPTION");
    assert_eq!(role.open(), Err(OpenError::Altered));
    role.run("REVOKE GRANT OPTION FOR SELECT ON bailiwick.records FROM {role}");
}

#[test]
fn a_role_that_may_bypass_the_policies_is_refused() {
    let database = Database::fresh();
    let role = Role::new(&database, "privileges");
    for attribute in ["SUPERUSER", "BYPASSRLS", "CREATEROLE", "REPLICATION"] {
        role.run(&format!("ALTER ROLE {{role}} {attribute}"));
        assert_eq!(role.open(), Err(OpenError::Privileged), "{attribute}");
        role.run(&format!("ALTER ROLE {{role}} NO{attribute}"));
    }
    for other in [
        "pg_write_all_data",
        "pg_read_all_data",
        "pg_execute_server_program",
        "pg_read_server_files",
        "pg_write_server_files",
        "pg_signal_backend",
        "pg_create_subscription",
    ] {
        // Not every version has each.
        let there = format!("SELECT FROM pg_roles WHERE rolname = '{other}'");
        let is_there = with_client(&database.owner_url(), async move |client| {
            client.query_opt(&there, &[]).await.unwrap().is_some()
        });
        if is_there {
            role.run(&format!("GRANT {other} TO {{role}}"));
            assert_eq!(role.open(), Err(OpenError::Privileged), "{other}");
            role.run(&format!("REVOKE {other} FROM {{role}}"));
        }
    }
    role.run("GRANT pg_monitor TO {role}");
    assert_eq!(role.open(), Ok(()), "monitoring is allowed");
}

#[test]
fn set_up_revokes_additional_rights_of_the_role_and_of_public() {
    let bare = Database::bare();
    let application = block_on(postgres::setup(&bare.owner_url().parse().unwrap())).unwrap();
    let (role, _) = application.split_once("//").unwrap().1.split_once(':').unwrap();
    for grant in [
        "TRUNCATE ON bailiwick.records",
        "UPDATE (version) ON bailiwick.schema",
        "CREATE ON SCHEMA bailiwick",
        "ALL ON SEQUENCE bailiwick.versions",
    ] {
        for whom in [role, "PUBLIC"] {
            execute(&bare.owner_url(), &format!("GRANT {grant} TO {whom}"));
            assert_eq!(open(&application), Err(OpenError::Altered), "{grant} TO {whom}");
            block_on(postgres::setup(&bare.owner_url().parse().unwrap())).unwrap();
            assert_eq!(open(&application), Ok(()), "{grant} TO {whom}");
        }
    }
}

#[test]
fn functions_that_shadow_the_servers_are_not_called() {
    let database = Database::fresh();
    let liars = "CREATE SCHEMA evil; GRANT USAGE ON SCHEMA evil TO PUBLIC;
        CREATE FUNCTION evil.pg_has_role(name, oid, text) RETURNS boolean LANGUAGE sql AS 'SELECT false';
        CREATE VIEW evil.pg_roles AS SELECT 'x'::name AS rolname, false AS rolsuper, false AS rolbypassrls,
            false AS rolcreaterole, false AS rolreplication, 0::oid AS oid; GRANT SELECT ON evil.pg_roles TO PUBLIC";
    execute(&database.owner_url(), liars);
    let evil = format!("{}?options=-c%20search_path%3Devil,pg_catalog", database.owner_url());
    assert_eq!(open(&evil), Err(OpenError::Privileged));
    assert_eq!(open(&format!("{}?options=-c%20search_path%3Devil,pg_catalog", database.url())), Ok(()));
}

/// Puts another function in place of one of the server's, for whoever is not connected yet.
fn shadowed(database: &Database, function: &str, returns: &str, body: &str) {
    execute(
        &database.owner_url(),
        &format!(
            "ALTER FUNCTION pg_catalog.{function}() RENAME TO {function}_of_the_server;
             CREATE FUNCTION pg_catalog.{function}() RETURNS {returns} LANGUAGE sql AS $$ {body} $$"
        ),
    );
}

type Read = fn(&Opened) -> Result<(), ReadError>;

/// Every call that only reads.
const READS: [(&str, Read); 12] = [
    ("get", |opened| block_on(opened.engine.get(tag(1), vec![(place(1, 1), None)], u64::MAX, NOW)).map(drop)),
    ("get what is not there", |opened| {
        block_on(opened.engine.get(tag(1), vec![(place(1, 9), None)], u64::MAX, NOW)).map(drop)
    }),
    ("get of a tag that has nothing", |opened| {
        block_on(opened.engine.get(tag(9), vec![(place(1, 1), None), (place(1, 2), None)], u64::MAX, NOW)).map(drop)
    }),
    ("scan", |opened| block_on(opened.engine.scan(tag(1), whole_range(1))).map(drop)),
    ("scan of nothing", |opened| block_on(opened.engine.scan(tag(9), whole_range(1))).map(drop)),
    ("scan back", |opened| {
        block_on(opened.engine.scan(tag(1), ScanRequest { reverse: true, ..whole_range(1) })).map(drop)
    }),
    ("usage", |opened| block_on(opened.engine.usage(tag(9))).map(drop)),
    ("due", |opened| block_on(opened.engine.due(NOW, Kinds::AllBut(200), Promptness::Now, 10)).map(drop)),
    ("clock", |opened| block_on(opened.engine.clock()).map(drop)),
    ("export", |opened| {
        let mut export = block_on(opened.engine.export())?;
        while !block_on(export.next())?.is_empty() {}
        Ok(())
    }),
    ("header", |opened| block_on(opened.vault.get([9; 32])).map(drop)),
    ("names of headers", |opened| block_on(opened.vault.names(None, 10)).map(drop)),
];

#[test]
fn no_answer_of_a_standby_is_taken_for_the_truth() {
    let database = Database::fresh();
    execute(
        &database.owner_url(),
        "CREATE TABLE public.flag (is_standby boolean); INSERT INTO public.flag VALUES (false);
        GRANT SELECT ON public.flag TO PUBLIC",
    );
    shadowed(&database, "pg_is_in_recovery", "boolean", "SELECT is_standby FROM public.flag");
    let opened = database.open();
    let rows = vec![put(place(1, 1), "x"), put_counted(place(1, 2), 7), put_until(place(2, 1), "y", NOW + 1)];
    commit(&*opened.engine, tag(1), rows).unwrap();
    for (name, read) in READS {
        assert_eq!(read(&opened), Ok(()), "{name}");
    }
    execute(&database.owner_url(), "UPDATE public.flag SET is_standby = true");
    for (name, read) in READS {
        assert_eq!(read(&opened), Err(ReadError::Standby), "{name}");
    }
    assert!(!block_on(opened.engine.health()).ok);
    assert_eq!(open(&database.url()), Err(OpenError::Standby));
    block_on(opened.engine.close());
}

/// The times of the tokens of a tag, in milliseconds from the server's own clock.
fn token_times(database: &Database) -> Vec<i64> {
    with_client(&database.owner_url(), async move |client| {
        let sql = "SELECT ('x' || encode(substring(token FOR 8), 'hex'))::bit(64)::bigint
            - (extract(epoch FROM pg_catalog.now()) * 1000)::bigint FROM bailiwick.tokens";
        client.query(sql, &[]).await.unwrap().iter().map(|row| row.get(0)).collect()
    })
}

#[test]
fn tokens_use_the_servers_clock_whatever_the_clock_of_a_process() {
    const HOUR: i64 = 3_600_000;
    for days in [-2, 0, 2] {
        let database = Database::fresh();
        // As if this process were so far behind, or ahead.
        let body = format!("SELECT pg_catalog.now_of_the_server() + interval '{days} days'");
        shadowed(&database, "now", "timestamptz STABLE", &body);
        let token = |hours: i64| {
            format!(
                "INSERT INTO bailiwick.tokens (tag, token, committed) VALUES (decode('{}', 'hex'),
                int8send((extract(epoch FROM pg_catalog.now()) * 1000)::bigint - {}) || '\\x0000000000000000', true)",
                "01".repeat(32),
                hours * HOUR
            )
        };
        for hours in [1, 23, 25, 48] {
            execute(&database.owner_url(), &token(hours));
        }
        let opened = database.open();
        let (mut number, mut old) = (0, 2);
        while old > 0 {
            // New rows in one trip, and rows in two.
            let op =
                if number % 2 == 0 { put_when(place(1, number), "x", When::Absent) } else { put(place(1, 0), "x") };
            commit(&*opened.engine, tag(1), vec![op]).unwrap();
            number += 1;
            old = token_times(&database).iter().filter(|time| **time < -24 * HOUR).count();
            assert!(number < 20_000, "old tokens stay");
        }
        let times = token_times(&database);
        let of_commits = times.iter().filter(|time| time.abs() < HOUR / 2).count();
        assert_eq!(of_commits as u64, number, "{days}: each commit has a token of its time");
        assert_eq!(times.len() as u64, number + 2, "{days}: those of a day stay");
        block_on(opened.engine.close());
    }
}

#[test]
fn headers_are_written_even_if_others_wrote_first() {
    let database = Database::fresh();
    let opened = database.open();
    execute(
        &database.owner_url(),
        "CREATE SEQUENCE public.tries;
         CREATE FUNCTION public.race() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER AS $$ BEGIN
            IF nextval('public.tries') % 3 <> 0 THEN RAISE 'raced' USING ERRCODE = '40001'; END IF;
            IF TG_OP = 'DELETE' THEN RETURN OLD; END IF;
            RETURN NEW; END $$;
         CREATE TRIGGER race BEFORE INSERT OR UPDATE OR DELETE ON bailiwick.headers
            FOR EACH ROW EXECUTE FUNCTION public.race()",
    );
    block_on(opened.vault.create([1; 32], vec![1])).unwrap();
    assert_eq!(block_on(opened.vault.replace([1; 32], 0, vec![2])), Ok(true));
    assert_eq!(block_on(opened.vault.wipe([1; 32], vec![2])), Ok(true));
    assert_eq!(block_on(opened.vault.get([1; 32])), Ok(None));
    block_on(opened.engine.close());
}

#[test]
fn a_refusal_by_the_server_during_set_up_is_reported() {
    let database = Database::fresh();
    let owner = database.owner_url();
    with_client(&owner.clone(), async move |client| {
        client.batch_execute("BEGIN; LOCK TABLE bailiwick.records").await.unwrap();
        let refused = block_on(postgres::setup_within(&owner.parse().unwrap(), Duration::from_secs(8))).unwrap_err();
        let OpenError::Refused(Some(code)) = refused else { panic!("it waits for a lock: {refused:?}") };
        // A statement that took too long, or the lock it waited for.
        assert!(["55P03", "57014"].contains(&&*code.to_string()), "{code}");
    });
    assert_eq!(open(&database.url()), Ok(()), "nothing was changed");
}

#[test]
fn a_store_that_was_moved_is_found_out_whatever_the_settings() {
    let database = Database::fresh();
    let opened = database.open();
    block_on(opened.vault.create(STORE_SLOT, vec![0xff])).unwrap();
    block_on(opened.engine.close());
    assert_eq!(open(&database.url()), Err(OpenError::Moved));
    let name = database.url().rsplit_once('/').unwrap().1.to_owned();
    execute(&database.owner_url(), &format!("ALTER DATABASE {name} SET default_transaction_read_only = on"));
    assert_eq!(open(&database.url()), Err(OpenError::Moved));
}
