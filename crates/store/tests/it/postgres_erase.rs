//! What a transaction that had not seen an erase leaves behind it: nobody reads it, and a second pass removes it.

use std::time::{SystemTime, UNIX_EPOCH};

use bailiwick_store::conformance::Home;
use bailiwick_store::conformance::database::{Database, execute, with_client};
use bailiwick_store::conformance::support::{block_on, commit, place, put, tag, whole_range};
use bailiwick_store::{CommitError, Found, Kinds, Promptness};

const HOUR: u64 = 3_600_000;

fn rows(database: &Database) -> i64 {
    with_client(&database.owner_url(), async |client| {
        client.query_one("SELECT count(*) FROM bailiwick.records", &[]).await.unwrap().get(0)
    })
}

#[test]
fn rows_that_a_commit_wrote_across_an_erase_are_never_read_and_go() {
    let database = Database::fresh();
    let opened = database.open();
    let engine = &*opened.engine;
    commit(engine, tag(1), vec![put(place(1, 1), "before")]).unwrap();
    let save = "CREATE TABLE saved AS SELECT * FROM bailiwick.records";
    execute(&database.owner_url(), save);
    block_on(engine.erase(tag(1))).unwrap();
    assert_eq!(rows(&database), 0);
    // As if its transaction had ended only now.
    execute(&database.owner_url(), "INSERT INTO bailiwick.records SELECT * FROM saved");
    assert_eq!(rows(&database), 1);
    let now = u64::try_from(SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_millis()).unwrap();
    assert_eq!(block_on(engine.get(tag(1), vec![(place(1, 1), None)], u64::MAX, now)).unwrap(), [Found::Absent]);
    assert_eq!(block_on(engine.scan(tag(1), whole_range(1))).unwrap().rows, []);
    assert!(block_on(engine.usage(tag(1))).unwrap().is_empty());
    assert_eq!(commit(engine, tag(1), vec![put(place(1, 2), "after")]), Err(CommitError::Closed));
    assert_eq!(
        block_on(engine.due(now, Kinds::AllBut(200), Promptness::Now, 10)).unwrap(),
        [],
        "not while such a transaction may go on"
    );
    let dues = block_on(engine.due(now + 2 * HOUR, Kinds::AllBut(200), Promptness::Now, 10)).unwrap();
    assert_eq!(dues.iter().map(|due| due.tag).collect::<Vec<_>>(), [tag(1)]);
    for due in dues {
        block_on(engine.sweep(due, now + 2 * HOUR)).unwrap();
    }
    assert_eq!(rows(&database), 0);
    assert_eq!(block_on(engine.due(now + 2 * HOUR, Kinds::AllBut(200), Promptness::Now, 10)).unwrap(), []);
    block_on(engine.close());
}
