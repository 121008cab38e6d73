//! Tags take turns on the connections.

use bailiwick_store::conformance::support::{block_on, commit_of, noise, place, tag};
use bailiwick_store::postgres::{self, PostgresOptions};
use bailiwick_store::{Commit, Op, Version, When};

use super::server::Server;

/// How many tags have one commit each beside the one that floods.
const OTHERS: u8 = 100;
const FLOOD: usize = 500;
/// What was on its way before the others came: what is on a connection or about to be.
const AHEAD: usize = 4;

/// Of a place that all of its tag write, so that they do not go together.
fn write(number: u8) -> Commit {
    let value = noise(u64::from(number), 64);
    commit_of(
        tag(number),
        vec![Op::Put { place: place(1, 1), value, expires_at: None, counted: Some(64), when: When::Any }],
    )
}

#[test]
fn a_tag_that_floods_is_served_about_once_before_each_other_tag() {
    let mut server = Server::start();
    let options = PostgresOptions { connections: 1, ..PostgresOptions::default() };
    let opened = block_on(postgres::open(&server.application.parse().unwrap(), options)).unwrap();
    let engine = &*opened.engine;
    block_on(engine.commit(write(0))).unwrap();
    // All of them wait before one is served, and versions tell in which order that was.
    server.tell(0, "pause");
    let flood: Vec<_> = (0..FLOOD).map(|_| engine.commit(write(0))).collect();
    let others: Vec<_> = (1..=OTHERS).map(|number| engine.commit(write(number))).collect();
    server.tell(0, "resume");
    let others: Vec<Version> = others.into_iter().map(|commit| block_on(commit).unwrap()).collect();
    let flood: Vec<Version> = flood.into_iter().map(|commit| block_on(commit).unwrap()).collect();
    let last = others.iter().map(|version| version.0).max().unwrap();
    let before = flood.iter().filter(|version| version.0 < last).count();
    assert!(before <= AHEAD, "{before} of {FLOOD} were served before the others' only ones");
    block_on(opened.engine.close());
}
