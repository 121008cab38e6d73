//! A disk that is full or fails: a typed error or nothing, no acknowledged write lost, no abort, and the store opens
//! again once the disk works.

use std::collections::BTreeSet;

use crate::fault::child;
use bailiwick_store::conformance::workload::Crash;

const STEPS: u64 = 80;
const SEED: u64 = 11;

/// The first calls, which create the store, and some of the later ones.
fn chosen(count: u64) -> BTreeSet<u64> {
    let long = std::env::var_os("BAILIWICK_LONG").is_some_and(|value| value == "1");
    let spread = if long { 200 } else { 5 };
    (1..=3.min(count)).chain((1..=spread).map(|nth| 1 + (count - 1) * nth / spread)).collect()
}

/// Lets calls of a class fail, `seed` and `steps` being those of the workload: some, or all of them.
fn survives(class: &str, seed: u64, steps: u64, chosen: impl FnOnce(u64) -> BTreeSet<u64>) {
    let count = child::work(seed, steps, None).succeeded().count(class);
    assert!(count > 0, "the child never makes a call of class {class}");
    let mut failures = Vec::new();
    for at in chosen(count) {
        for what in ["ENOSPC", "EIO"] {
            for how in ["once", "always"] {
                let inject = format!("{class}:{at}:{what}:{how}");
                let run = child::work(seed, steps, Some(&inject));
                // A panic that ends the program has code 101, an abort none at all.
                if !matches!(run.output.status.code(), Some(0..=2)) {
                    failures.push(format!("{inject}: {}", run.describe()));
                }
                if let Err(problem) = child::verify(&run.data(), &run.acks(), seed, Crash::Killed) {
                    failures.push(format!("{inject}: afterwards: {problem}"));
                }
            }
        }
    }
    assert!(failures.is_empty(), "{} failures:\n{}", failures.len(), failures.join("\n\n"));
}

#[test]
fn failing_writes_lose_nothing_acknowledged() {
    survives("write", SEED, STEPS, chosen);
}

#[test]
fn failing_syncs_lose_nothing_acknowledged() {
    survives("sync", SEED, STEPS, chosen);
}

#[test]
fn failing_allocations_lose_nothing_acknowledged() {
    survives("allocate", SEED, STEPS, chosen);
}

#[test]
fn failing_opens_lose_nothing_acknowledged() {
    survives("open", SEED, STEPS, chosen);
}

#[test]
fn failing_renames_and_the_like_lose_nothing_acknowledged() {
    survives("name", SEED, STEPS, chosen);
}

/// A short life, in which the log is applied between commits, too: the seed is even.
#[test]
fn whichever_write_or_sync_of_the_log_and_of_the_applier_fails_nothing_acknowledged_is_lost() {
    for class in ["write", "sync"] {
        survives(class, SEED + 1, 24, |count| (1..=count).collect());
    }
}

/// The log grows by 32 pages at first: so one of these writes is among them. The seed is odd.
#[test]
fn failing_writes_while_the_log_grows_lose_nothing_acknowledged() {
    survives("write", SEED + 2, 4 * STEPS, |count| (1..=count).step_by(31).collect());
}

#[test]
fn short_writes_are_finished() {
    let count = child::work(SEED, STEPS, None).succeeded().count("write");
    for (at, how) in chosen(count).into_iter().map(|at| (at, "once")).chain([(1, "always")]) {
        let run = child::work(SEED, STEPS, Some(&format!("write:{at}:short:{how}"))).succeeded();
        child::verify(&run.data(), &run.acks(), SEED, Crash::Killed).unwrap();
    }
}
