#!/usr/bin/env bash
# jsonschema (Rust) 0.61.2: a custom keyword is evaluated after the built-in ones of its schema object, whatever the order in
# which they stand, and not at all if one of them has failed already. So a keyword of one's own cannot count or bound what a
# check costs: `anyOf` beside it, which is where the cost is, comes first.
# Expected: keywords run in the order of the schema, so that one that stands first is called first.
# Seen: `is_valid` calls the keyword 0 times beside an `anyOf` that fails, and 1 time beside one that holds.
set -euo pipefail
folder="$(mktemp -d)"
trap 'rm -rf "$folder"' EXIT
cd "$folder"
mkdir src
cat >Cargo.toml <<'TOML'
[package]
name = "finding"
version = "0.0.0"
edition = "2024"
[dependencies]
jsonschema = { version = "=0.61.2", default-features = false }
serde_json = { version = "=1.0.154", features = ["preserve_order"] }
TOML
cat >src/main.rs <<'RUST'
use std::sync::atomic::{AtomicUsize, Ordering};
use jsonschema::{Keyword, ValidationError, paths::Location};
use serde_json::{Map, Value, json};

static CALLS: AtomicUsize = AtomicUsize::new(0);
struct Counting;
impl<'i> Keyword<'i> for Counting {
    fn validate(&self, _: &'i Value) -> Result<(), ValidationError<'i>> {
        CALLS.fetch_add(1, Ordering::Relaxed);
        Ok(())
    }
    fn is_valid(&self, _: &'i Value) -> bool {
        CALLS.fetch_add(1, Ordering::Relaxed);
        true
    }
}
type Made<'a> = Result<Box<dyn for<'i> Keyword<'i>>, ValidationError<'a>>;
fn counting<'a>(_: &'a Map<String, Value>, _: &'a Value, _: Location) -> Made<'a> {
    Ok(Box::new(Counting))
}
fn main() {
    for alternatives in [json!([false, false]), json!([false, true])] {
        let schema = json!({ "counting": true, "anyOf": alternatives });
        let validator = jsonschema::options().with_keyword("counting", counting).build(&schema).expect("a schema");
        CALLS.store(0, Ordering::Relaxed);
        let valid = validator.is_valid(&json!(1));
        println!("anyOf {alternatives}: valid {valid}, the keyword was called {} times", CALLS.load(Ordering::Relaxed));
    }
}
RUST
seen="$(cargo run --quiet 2>build.log || { cat build.log >&2; exit 1; })"
echo "$seen"
[ "$seen" = 'anyOf [false,false]: valid false, the keyword was called 0 times
anyOf [false,true]: valid true, the keyword was called 1 times' ]
