//! What the TypeScript verifier is tested with: it is what the code makes, and the Rust verifier agrees.

use bailiwick_model::json::{self, Json, Limits};
use bailiwick_model::ledger::note::NoteVerifier;
use bailiwick_model::ledger::proof::{ConsistencyProof, InclusionProof};
use bailiwick_model::ledger::receipt;

#[path = "support/ledger_fixtures.rs"]
mod made;

fn committed() -> Json {
    let file = concat!(env!("CARGO_MANIFEST_DIR"), "/../../test/fixtures/ledger.json");
    json::parse(&std::fs::read(file).unwrap(), &Limits::default()).unwrap()
}

fn accepted(kind: &str, value: &Json, key: &NoteVerifier) -> bool {
    match kind {
        "inclusion" | "ruled" => InclusionProof::from_json(value).is_some_and(|proof| proof.verify(key, None)),
        "consistency" => ConsistencyProof::from_json(value).is_some_and(|proof| proof.verify(key, None)),
        _ => receipt::verify(key, value),
    }
}

fn key(name: &str) -> NoteVerifier {
    NoteVerifier::parse(committed().get(name).and_then(Json::as_str).unwrap()).unwrap()
}

#[test]
fn the_committed_fixtures_are_those_of_the_code() {
    assert!(
        json::canonical(&committed()) == json::canonical(&made::fixtures()),
        "run the example `ledger_fixtures`, then `npm run format`"
    );
}

#[test]
fn every_fixture_holds_under_its_key_alone() {
    let fixtures = committed();
    for kind in ["inclusion", "consistency", "receipt", "ruled"] {
        for value in fixtures.get(kind).and_then(Json::as_array).unwrap() {
            assert!(accepted(kind, value, &key("publicKey")) && !accepted(kind, value, &key("otherKey")));
        }
    }
}

#[test]
fn all_corrupted_fixtures_are_refused() {
    for (list, count) in [("mutations", 500), ("ruledMutations", 300)] {
        refuses_all(list, count);
    }
}

fn refuses_all(list: &str, count: usize) {
    let (fixtures, key) = (committed(), key("publicKey"));
    let mutations = fixtures.get(list).and_then(Json::as_array).unwrap();
    assert_eq!(mutations.len(), count);
    for mutation in mutations {
        let kind = mutation.get("of").and_then(Json::as_str).unwrap();
        let index = mutation.get("index").and_then(Json::as_f64).unwrap() as usize;
        let value = &fixtures.get(kind).and_then(Json::as_array).unwrap()[index];
        let changed = made::mutated(value, mutation);
        assert!(!accepted(kind, &changed, &key), "{}", json::write(mutation));
    }
}
