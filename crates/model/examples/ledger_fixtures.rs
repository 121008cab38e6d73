//! Writes test/fixtures/ledger.json: `cargo run --release -p bailiwick-model --example ledger_fixtures`, then
//! `npm run format`.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a tool for the tests may panic")]

#[path = "../tests/it/support/ledger_fixtures.rs"]
mod ledger_fixtures;

fn main() {
    let file = concat!(env!("CARGO_MANIFEST_DIR"), "/../../test/fixtures/ledger.json");
    std::fs::write(file, bailiwick_model::json::write(&ledger_fixtures::fixtures())).unwrap();
}
