//! Whether the time that an answer takes tells a foreign id from one that nobody has. Only `BAILIWICK_LONG=1` judges the
//! times: on a machine with other work it takes many samples. That the same memory is touched, which is what the times
//! are to show, is tested without a clock where the memory is (`crates/tenancy/src/rows/record_cache_tests.rs`).
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "tests may panic")]

#[path = "it/support/mod.rs"]
mod support;

use std::time::Instant;

use bailiwick_model::Error;
use bailiwick_model::base32::reference_id;
use support::{Kept, NOW, Random, handle, long, put, store, text, wait};

/// About so many records of the owner, all of them opened, and ids that nobody has.
const RECORDS: usize = 20_000;
/// The classes, and the calls.
const FOREIGN: usize = 0;
const UNKNOWN: usize = 1;
const AT_HAND: usize = 0;
/// Welch's t that chance does not reach: once in a million tests.
const MOST: f64 = 5.0;

/// How long the calls with one id took, in nanoseconds.
type Samples = Vec<u32>;

/// The mean of each id's samples up to `limit`, which leaves out what other work of the machine did to a few. Of each id
/// one number, because the samples of one are alike: they are asked of the same bucket.
fn means(ids: &[&Samples], limit: u32) -> Vec<f64> {
    let mean = |samples: &&Samples| {
        let short: Vec<f64> = samples.iter().filter(|time| **time <= limit).map(|time| f64::from(*time)).collect();
        (!short.is_empty()).then(|| short.iter().sum::<f64>() / short.len() as f64)
    };
    ids.iter().filter_map(mean).collect()
}

/// The time below which so many of a hundred of all samples lie.
fn percentile(ids: &[Samples], percent: usize) -> u32 {
    let mut all: Vec<u32> = ids.iter().flatten().copied().collect();
    all.sort_unstable();
    all[(all.len() * percent / 100).min(all.len() - 1)]
}

/// Welch's t: the difference of the means in units of its own standard error.
fn t(one: &[f64], other: &[f64]) -> f64 {
    let moments = |samples: &[f64]| {
        let count = samples.len() as f64;
        let mean = samples.iter().sum::<f64>() / count;
        let variance = samples.iter().map(|sample| (sample - mean).powi(2)).sum::<f64>() / (count - 1.0);
        (mean, variance / count)
    };
    let ((mean_one, error_one), (mean_other, error_other)) = (moments(one), moments(other));
    (mean_one - mean_other) / (error_one + error_other).sqrt()
}

fn unknown_id(random: &mut Random) -> String {
    let mut digest = [0; 20];
    for chunk in digest.chunks_mut(8) {
        let word = random.next().to_le_bytes();
        chunk.copy_from_slice(&word[..chunk.len()]);
    }
    reference_id(&digest)
}

#[test]
fn a_foreign_reference_takes_no_longer_than_an_unknown_one() {
    let (records, samples) = if long() { (RECORDS, 400_000) } else { (500, 1_000) };
    for kept in [Kept::Memory, Kept::Sled] {
        let home = kept.open();
        wait(async {
            let store = store(home.opened.clone(), 1, NOW, 64 << 20).await;
            let (owner, asking) = (handle(&store, "owner"), handle(&store, "asking"));
            put(&asking, text("note", "mine")).await;
            let mut random = Random::new(9);
            // One text holds them all, of both classes in random order: where an id lies must not tell its class.
            let (mut classes, mut ids) = (Vec::with_capacity(records * 2), String::new());
            let mut given = 0;
            while classes.len() < records * 2 {
                let class = (random.next() & 1) as usize;
                classes.push(class);
                ids.push_str(&match class {
                    FOREIGN => {
                        given += 1;
                        put(&owner, text("note", &format!("content {given}"))).await
                    }
                    _ => unknown_id(&mut random),
                });
            }
            let length = ids.len() / classes.len();
            let id = |at: usize| &ids[at * length..(at + 1) * length];
            let mut measured = [vec![Samples::new(); classes.len()], vec![Samples::new(); classes.len()]];
            for _ in 0..samples * 4 {
                let (word, at) = (random.next(), random.next() as usize % classes.len());
                let call = (word & 1) as usize;
                let began = Instant::now();
                let found = match call {
                    AT_HAND => asking.references().resolve_at_hand(id(at)).is_some(),
                    _ => !matches!(asking.references().resolve(id(at)).await, Err(Error::NotFound)),
                };
                let time = began.elapsed();
                assert!(!found);
                measured[call][at].push(u32::try_from(time.as_nanos()).unwrap_or(u32::MAX));
            }
            // The owner still has them: it was foreign ids that were asked for.
            let mut all = 0..classes.len();
            assert!(all.all(|at| owner.references().resolve_at_hand(id(at)).is_some() == (classes[at] == FOREIGN)));
            for (call, ids) in ["resolve_at_hand", "resolve"].into_iter().zip(&measured) {
                let of = |class| -> Vec<&Samples> {
                    ids.iter().zip(&classes).filter(|(_, is)| **is == class).map(|(samples, _)| samples).collect()
                };
                for percent in [99, 90, 50] {
                    let limit = percentile(ids, percent);
                    let t = t(&means(&of(FOREIGN), limit), &means(&of(UNKNOWN), limit));
                    println!("{kept:?} {call} up to p{percent} ({limit} ns): t = {t:.1}");
                    assert!(!long() || t.abs() < MOST, "{kept:?} {call} up to p{percent}: t = {t:.1}");
                }
            }
        });
    }
}
