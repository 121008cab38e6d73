//! Who may be in a database while its store is moved, and afterwards.

use bailiwick_store::conformance::Home;
use bailiwick_store::conformance::database::{Database, with_client};
use bailiwick_store::conformance::support::{block_on, commit, place, put, tag, value};
use bailiwick_store::postgres::{self, OpenError, PostgresOptions};
use bailiwick_store::vault::MOVED;
use bailiwick_store::{CommitError, Opened, ReadError, STORE_SLOT};

/// A database with a store's slot and a row, and a host on it.
fn hosted() -> (Database, Opened) {
    let database = Database::fresh();
    let host = database.open();
    block_on(host.vault.create(STORE_SLOT, vec![1, 2])).unwrap();
    commit(&*host.engine, tag(1), vec![put(place(1, 1), "before")]).unwrap();
    (database, host)
}

fn open(database: &Database, is_moving: bool) -> Result<Opened, OpenError> {
    block_on(postgres::open(
        &database.url().parse().unwrap(),
        PostgresOptions { is_moving, ..PostgresOptions::default() },
    ))
}

/// Ends all connections of the application, as a failing network does.
fn cut_off(database: &Database) {
    with_client(&database.owner_url(), async move |client| {
        let ends = "SELECT pg_terminate_backend(pid, 10000) FROM pg_stat_activity AS a JOIN pg_roles AS r ON r.oid = a.usesysid
            WHERE datname = current_database() AND NOT r.rolsuper";
        client.query(ends, &[]).await.unwrap();
    });
}

#[test]
fn a_host_that_lost_its_connections_cannot_reconnect_during_a_move_or_afterwards() {
    let (database, host) = hosted();
    let moving = open(&database, true).unwrap();
    assert_eq!(block_on(moving.vault.claim()), Ok(false), "the host is there");
    cut_off(&database);
    assert_eq!(block_on(moving.vault.claim()), Ok(true));
    assert!(matches!(open(&database, false), Err(OpenError::Moving)));
    assert_eq!(commit(&*host.engine, tag(1), vec![put(place(1, 1), "late")]), Err(CommitError::Unavailable));
    assert_eq!(block_on(host.vault.get(STORE_SLOT)), Err(ReadError::Unavailable));
    assert_eq!(value(&*moving.engine, tag(1), place(1, 1)).unwrap(), "before", "whoever moves it reads it");
    assert_eq!(block_on(moving.vault.replace(STORE_SLOT, 0, vec![MOVED, 2])), Ok(true));
    assert!(matches!(open(&database, false), Err(OpenError::Moved)));
    assert_eq!(commit(&*host.engine, tag(1), vec![put(place(1, 1), "late")]), Err(CommitError::Closed));
    assert_eq!(block_on(host.vault.get(STORE_SLOT)), Err(ReadError::Closed));
    let again = open(&database, true).unwrap();
    assert_eq!(block_on(again.vault.get(STORE_SLOT)).unwrap().unwrap().value, [MOVED, 2]);
}

#[test]
fn an_aborted_move_lets_the_host_continue() {
    let (database, host) = hosted();
    cut_off(&database);
    let moving = open(&database, true).unwrap();
    assert_eq!(block_on(moving.vault.claim()), Ok(true));
    block_on(moving.engine.close());
    commit(&*host.engine, tag(1), vec![put(place(1, 1), "after")]).unwrap();
}

#[test]
fn a_move_that_lost_its_lock_marks_nothing() {
    let (database, host) = hosted();
    cut_off(&database);
    let moving = open(&database, true).unwrap();
    assert_eq!(block_on(moving.vault.claim()), Ok(true));
    cut_off(&database);
    commit(&*host.engine, tag(1), vec![put(place(1, 1), "after")]).unwrap();
    assert_eq!(block_on(moving.vault.replace(STORE_SLOT, 0, vec![MOVED, 2])), Err(ReadError::Unavailable));
    assert_eq!(block_on(host.vault.get(STORE_SLOT)).unwrap().unwrap().value, [1, 2]);
}

#[test]
fn one_process_at_a_time_moves_a_store_and_owners_may_read() {
    let (database, host) = hosted();
    block_on(host.engine.close());
    let [one, other] = [open(&database, true).unwrap(), open(&database, true).unwrap()];
    let url = database.owner_url();
    with_client(&url, async move |_client| {
        assert_eq!(one.vault.claim().await, Ok(true));
        assert_eq!(other.vault.claim().await, Ok(false));
        assert_eq!(one.vault.replace(STORE_SLOT, 0, vec![1, 3]).await, Ok(true), "and that lets go");
        one.engine.close().await;
        // The server lets go once it has noticed that the connection is gone.
        while !other.vault.claim().await.unwrap() {
            tokio::task::yield_now().await;
        }
    });
}
