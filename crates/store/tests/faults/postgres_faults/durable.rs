//! Whatever is switched outside, whenever, and whatever stands between: what is acknowledged as kept was committed with
//! `synchronous_commit` on, and at the isolation level that the statements count on. The server says so itself, at the end
//! of each transaction.

use std::collections::BTreeSet;

use bailiwick_store::conformance::database::{execute, with_client};
use bailiwick_store::conformance::support::{
    NOW, block_on, check, commit, commit_of, delete, extend, noise, place, put, put_counted, put_until, put_when, tag,
};
use bailiwick_store::postgres::{self, OpenError, PostgresOptions};
use bailiwick_store::{CommitError, Due, Durability, Op, Opened, ReadError, STORE_SLOT, When};

use super::pooler::Pooler;
use super::proxy::{Action, Fault, Point, Proxy};
use super::server::Server;

const TABLES: [&str; 8] = ["records", "blobs", "usage", "wakes", "tokens", "tenants", "due", "headers"];

/// Notes what a transaction is committed with, when it is.
fn noting(url: &str) {
    execute(
        url,
        "CREATE TABLE public.waited (what text, waits text, isolation text);
         CREATE FUNCTION public.note() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER AS $$ BEGIN
            INSERT INTO public.waited VALUES (TG_TABLE_NAME || ' ' || TG_OP,
                current_setting('synchronous_commit'), current_setting('transaction_isolation'));
            RETURN NULL; END $$",
    );
    for table in TABLES {
        execute(
            url,
            &format!(
                "CREATE CONSTRAINT TRIGGER note AFTER INSERT OR UPDATE OR DELETE ON bailiwick.{table}
                 DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION public.note()"
            ),
        );
    }
}

/// What was noted since this was asked last: what was written, and the settings.
fn noted(url: &str) -> BTreeSet<[String; 3]> {
    with_client(url, async move |client| {
        let rows = client.query("DELETE FROM public.waited RETURNING what, waits, isolation", &[]).await.unwrap();
        rows.iter().map(|row| [row.get(0), row.get(1), row.get(2)]).collect()
    })
}

/// Who turned it off, and where.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Switched {
    System,
    Database,
    Role,
    /// For the database, while a pooler forgets what a session has set.
    Pooler,
}

impl Switched {
    /// Where a setting is switched, and how it is undone.
    fn sql(self, setting: &str, value: &str) -> [String; 2] {
        let whom = match self {
            Self::System => "SYSTEM",
            Self::Database | Self::Pooler => "DATABASE postgres",
            Self::Role => "ROLE bailiwick_postgres",
        };
        [format!("ALTER {whom} SET {setting} = '{value}'"), format!("ALTER {whom} RESET {setting}")]
    }
}

/// Does something to a server and waits until its sessions see it.
fn switch(url: &str, application: &str, sql: &str, value: &str) {
    execute(url, sql);
    execute(url, "SELECT pg_reload_conf()");
    let value = value.to_owned();
    with_client(application, async move |client| {
        while client.query_one("SHOW synchronous_commit", &[]).await.unwrap().get::<_, &str>(0) != value {
            // A new session has what the database and the role say, an old one what is reloaded.
            client.batch_execute("SELECT pg_sleep(0.01)").await.unwrap();
        }
    });
}

type Kind = (&'static str, fn(&Opened, &Proxy));

fn done(opened: &Opened, ops: Vec<Op>) {
    commit(&*opened.engine, tag(1), ops).unwrap();
}

/// Every kind of write, with a row that it writes.
const KINDS: [Kind; 15] = [
    ("records INSERT", |opened, _| done(opened, vec![put_when(place(1, 1), "new", When::Absent)])),
    ("records UPDATE", |opened, _| done(opened, vec![put(place(1, 1), "there"), put_counted(place(1, 2), 7)])),
    ("blobs INSERT", |opened, _| done(opened, vec![put(place(1, 3), noise(1, 3 << 20))])),
    ("records UPDATE", |opened, _| done(opened, vec![extend(place(1, 1), Some(NOW + 9))])),
    ("records DELETE", |opened, _| done(opened, vec![delete(place(1, 1))])),
    // What must stay absent is held by a row that is not kept.
    ("records DELETE", |opened, _| done(opened, vec![check(place(1, 4), When::Absent), put(place(1, 5), "x")])),
    ("wakes INSERT", |opened, _| done(opened, vec![Op::Wake { kind: 3, at: NOW }])),
    ("due DELETE", |opened, _| {
        done(opened, vec![put_until(place(2, 1), "expiring", NOW + 1)]);
        block_on(opened.engine.sweep(Due { tag: tag(1), kind: 2 }, NOW + 2)).unwrap();
        block_on(opened.engine.sweep(Due { tag: tag(1), kind: 3 }, NOW + 2)).unwrap();
    }),
    // One whose connection breaks before its commit gets there: a token says that it never will.
    ("tokens INSERT", |opened, proxy| {
        std::thread::scope(|scope| {
            let committing = scope.spawn(|| done(opened, vec![put(place(1, 6), "at last")]));
            proxy.strike(Fault { point: Point::BeforeCommit, action: Action::Cut }, || committing.is_finished());
        });
    }),
    ("headers INSERT", |opened, _| drop(block_on(opened.vault.create([7; 32], vec![1])).unwrap())),
    ("headers UPDATE", |opened, _| assert!(block_on(opened.vault.replace([7; 32], 0, vec![2])).unwrap())),
    ("headers DELETE", |opened, _| assert!(block_on(opened.vault.wipe([7; 32], vec![2])).unwrap())),
    ("headers UPDATE", |opened, _| {
        drop(block_on(opened.vault.create(STORE_SLOT, vec![1])).unwrap());
        assert!(block_on(opened.vault.replace(STORE_SLOT, 0, vec![2])).unwrap());
        assert!(block_on(opened.vault.wipe(STORE_SLOT, vec![2])).unwrap());
    }),
    ("tenants UPDATE", |opened, _| block_on(opened.engine.erase(tag(1))).unwrap()),
    ("due DELETE", |opened, _| {
        block_on(opened.engine.sweep(Due { tag: tag(1), kind: 255 }, u64::MAX)).unwrap();
    }),
];

fn open(url: &str) -> Opened {
    block_on(postgres::open(&url.parse().unwrap(), PostgresOptions { connections: 2, ..PostgresOptions::default() }))
        .unwrap()
}

#[test]
fn every_acknowledged_write_waits_for_the_disk_wherever_it_was_turned_off() {
    let server = Server::start();
    noting(&server.url);
    for switched in [Switched::System, Switched::Database, Switched::Role, Switched::Pooler] {
        let [off, on] = switched.sql("synchronous_commit", "off");
        let [serializable, as_before] = switched.sql("default_transaction_isolation", "serializable");
        let pooler = (switched == Switched::Pooler).then(|| Pooler::before(&server.application, "RESET ALL"));
        let way = pooler.as_ref().map_or(&server.application, |pooler| &pooler.url);
        let proxy = Proxy::before(way);
        // What is reloaded changes under connections that are open; what a role has, with new ones.
        let early = (switched == Switched::System).then(|| open(&proxy.url));
        if let Some(opened) = &early {
            commit(&*opened.engine, tag(9), vec![put(place(1, 1), "before")]).unwrap();
        }
        execute(&server.url, &serializable);
        switch(&server.url, &server.application, &off, "off");
        let opened = early.unwrap_or_else(|| open(&proxy.url));
        noted(&server.url);
        for (number, (what, write)) in KINDS.iter().enumerate() {
            write(&opened, &proxy);
            let noted = noted(&server.url);
            assert!(noted.iter().any(|[written, ..]| written == what), "{switched:?}, {number}: {what} in {noted:?}");
            for [written, waits, isolation] in noted {
                assert_eq!((&*waits, &*isolation), ("on", "read committed"), "{switched:?}, {what}: {written}");
            }
        }
        let health = block_on(opened.engine.health());
        assert!(health.ok && health.problems.iter().any(|problem| problem.contains("is off by default")), "{health:?}");
        let relaxed = commit_of(tag(2), vec![put(place(1, 1), "soon")]);
        block_on(opened.engine.commit(bailiwick_store::Commit { durability: Durability::Relaxed, ..relaxed })).unwrap();
        assert!(noted(&server.url).iter().all(|[_, waits, _]| waits == "off"), "it need not wait");
        execute(&server.url, &as_before);
        switch(&server.url, &server.application, &on, "on");
        // It is read when it is asked, not when the store is opened; the other connection may have had it before.
        let healthy = |_: &usize| block_on(opened.engine.health()).problems.is_empty();
        assert!(switched != Switched::System || (0..1_000).any(|number| healthy(&number)), "health goes on as before");
        block_on(opened.engine.close());
        execute(&server.url, "TRUNCATE bailiwick.tenants, bailiwick.tokens");
    }
}

#[test]
fn an_operators_choice_of_durability_is_kept() {
    let server = Server::start();
    noting(&server.url);
    for value in ["local", "remote_write", "remote_apply", "on"] {
        let [set, _] = Switched::Role.sql("synchronous_commit", value);
        switch(&server.url, &server.application, &set, value);
        let opened = open(&server.application);
        commit(&*opened.engine, tag(1), vec![put(place(1, 1), value)]).unwrap();
        block_on(opened.engine.close());
        assert!(noted(&server.url).iter().all(|[_, waits, _]| waits == value), "{value}");
    }
}

#[test]
fn a_pooler_that_loses_prepared_statements_is_named() {
    let server = Server::start();
    let pooler = Pooler::before(&server.application, "DEALLOCATE ALL");
    let refused = block_on(postgres::open(&pooler.url.parse().unwrap(), PostgresOptions::default())).err();
    assert_eq!(refused, Some(OpenError::Pooled), "at the first look");
    *pooler.between.lock() = "SELECT 1";
    let opened = open(&pooler.url);
    let put = || vec![put(place(1, 1), "x")];
    commit(&*opened.engine, tag(1), put()).unwrap();
    *pooler.between.lock() = "DEALLOCATE ALL";
    // The transaction after the next finds nothing prepared any more.
    let _ = block_on(opened.engine.usage(tag(1)));
    assert_eq!(commit(&*opened.engine, tag(1), put()), Err(CommitError::Pooled));
    assert_eq!(block_on(opened.engine.usage(tag(1))), Err(ReadError::Pooled));
    block_on(opened.engine.close());
}
