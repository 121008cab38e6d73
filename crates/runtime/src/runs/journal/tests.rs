//! Blocks and records that earlier code wrote: read with the types of today, they are written as the same bytes.

use bailiwick_model::json::{self, Json, Limits};
use data_encoding::HEXLOWER;

use super::{Owner, RunHead, read, write};
use crate::runs::events::Usage;

/// The bodies of a file in `tests/golden`.
fn golden(name: &str) -> Vec<Vec<u8>> {
    let path = format!("{}/tests/golden/{name}.jsonl", env!("CARGO_MANIFEST_DIR"));
    let lines = std::fs::read_to_string(path).unwrap();
    let body = |line: &str| {
        let line = json::parse(line.as_bytes(), &Limits::default()).unwrap();
        match (line.get("text").and_then(Json::as_str), line.get("hex").and_then(Json::as_str)) {
            (Some(text), _) => text.as_bytes().to_vec(),
            (None, hex) => HEXLOWER.decode(hex.unwrap().as_bytes()).unwrap(),
        }
    };
    lines.lines().map(body).collect()
}

#[test]
fn golden_blocks_are_written_as_the_same_bytes_and_cut_ones_are_refused() {
    let blocks = golden("runs-entry");
    assert!(!blocks.is_empty());
    for block in blocks {
        let (previous, entries) = read(&block).unwrap();
        assert_eq!(write(&previous, &entries), block);
        for length in 0..block.len() {
            // One that ends behind an entry is a block of its own, which the chain of hashes refuses.
            let cut = read(&block[..length]);
            assert!(cut.is_err() || cut.is_ok_and(|(_, read)| read.len() < entries.len()), "{length}");
        }
    }
}

#[test]
fn golden_records_are_written_as_the_same_bytes() {
    for body in golden("runs-record") {
        let written = [
            RunHead::read(&body).map(|head| head.write()),
            json::from_slice::<Owner>(&body, &Limits::default()).map(|owner| json::to_text(&owner).into_bytes()),
            json::from_slice::<Usage>(&body, &Limits::default()).map(|usage| json::to_text(&usage).into_bytes()),
        ];
        let is_lease = body.len() == 16;
        assert!(is_lease || written.contains(&Ok(body.clone())), "{}", String::from_utf8_lossy(&body));
    }
}
