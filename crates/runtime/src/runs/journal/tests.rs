//! Blocks and records that earlier code wrote: read with the types of today, they are written as the same bytes.

use bailiwick_model::json::{self, Limits};

use super::{Owner, RunHead, read, write};
use crate::golden::bodies;
use crate::runs::events::Usage;

#[test]
fn golden_blocks_are_written_as_the_same_bytes_and_cut_ones_are_refused() {
    let blocks = bodies(include_str!("../../../tests/golden/runs-entry.jsonl"));
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
    for body in bodies(include_str!("../../../tests/golden/runs-record.jsonl")) {
        let written = [
            RunHead::read(&body).map(|head| head.write()),
            json::from_slice::<Owner>(&body, &Limits::default()).map(|owner| json::to_text(&owner).into_bytes()),
            json::from_slice::<Usage>(&body, &Limits::default()).map(|usage| json::to_text(&usage).into_bytes()),
        ];
        let is_lease = body.len() == 16;
        assert!(is_lease || written.contains(&Ok(body.clone())), "{}", String::from_utf8_lossy(&body));
    }
}
