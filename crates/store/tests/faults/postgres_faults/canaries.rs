//! What the server writes down when it writes down every statement.

use std::thread::yield_now;

use bailiwick_store::conformance::database::execute;
use bailiwick_store::conformance::support::{NOW, block_on, commit, place, put, put_until, tag, whole_range};
use bailiwick_store::postgres::{self, PostgresOptions};
use bailiwick_store::{Due, Opened, Tag};

use super::server::Server;

const CANARY: &str = "canary-in-the-mine";

/// Has the server write down every statement, with so many bytes of each of its values.
fn write_down(server: &Server, bytes: i32) {
    let role = "ALTER ROLE bailiwick_postgres SET";
    execute(&server.url, &format!("{role} log_statement = 'all'; {role} log_parameter_max_length = {bytes}"));
}

/// What it has written down until now.
fn written_down(server: &mut Server, end: &str) -> String {
    execute(&server.url, &format!("DO $$ BEGIN RAISE LOG '% of the log', '{end}'; END $$"));
    let log = server.tell(0, "log");
    loop {
        let text = String::from_utf8_lossy(&std::fs::read(&log).unwrap()).into_owned();
        if text.contains(&format!("{end} of the log")) {
            return text;
        }
        yield_now();
    }
}

/// Every call that carries something of a tenant.
fn with_canaries(opened: &Opened, tag: Tag) {
    let Opened { engine, vault } = opened;
    let large = CANARY.repeat(100_000);
    commit(&**engine, tag, vec![put(place(1, 1), CANARY), put(place(1, 2), large)]).unwrap();
    commit(&**engine, tag, vec![put(place(1, 1), CANARY), put_until(place(2, 1), CANARY, NOW + 1)]).unwrap();
    block_on(engine.get(tag, vec![(place(1, 1), None), (place(1, 2), None)], u64::MAX, NOW)).unwrap();
    block_on(engine.scan(tag, whole_range(1))).unwrap();
    block_on(engine.sweep(Due { tag, kind: 2 }, NOW + 2)).unwrap();
    let mut export = block_on(engine.export()).unwrap();
    while !block_on(export.next()).unwrap().is_empty() {}
    block_on(engine.erase(tag)).unwrap();
    block_on(vault.create(tag.0, CANARY.into())).unwrap();
    block_on(vault.replace(tag.0, 0, CANARY.into())).unwrap();
    block_on(vault.wipe(tag.0, CANARY.into())).unwrap();
}

fn is_there(text: &str) -> bool {
    let hex: String = CANARY.bytes().map(|byte| format!("{byte:02x}")).collect();
    text.contains(CANARY) || text.to_lowercase().contains(&hex)
}

#[test]
fn statements_never_contain_values() {
    let mut server = Server::start();
    for (bytes, values_are_written) in [(0, false), (100, true)] {
        write_down(&server, bytes);
        let opened =
            block_on(postgres::open(&server.application.parse().unwrap(), PostgresOptions::default())).unwrap();
        with_canaries(&opened, tag(u8::from(values_are_written)));
        block_on(opened.engine.close());
        let text = written_down(&mut server, if values_are_written { "second" } else { "first" });
        for statement in ["INSERT INTO bailiwick.records", "INSERT INTO bailiwick.blobs", "UPDATE bailiwick.headers"] {
            assert!(text.contains(statement), "{statement} was not written down");
        }
        assert_eq!(is_there(&text), values_are_written, "with {bytes} bytes of values");
    }
}
