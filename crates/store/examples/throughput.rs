//! How fast durable commits are, and what they take on the disk: `throughput [directory]`. A commit is what a reference
//! costs: one row of 256 bytes and two empty list rows. A measurement, not a test.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a measurement may panic")]

use std::collections::VecDeque;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::time::{Duration, Instant};

use bailiwick_store::conformance::support::{block_on, commit_of, noise};
use bailiwick_store::sled::{self, SledOptions};
use bailiwick_store::{Engine, Op, Opened, Place, Tag, When};
use bytes::Bytes;

/// The allocator that the addon uses.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

const TENANTS: u64 = 20;
const SECONDS: u64 = 4;

fn row(kind: u8, item: [u8; 32], value: Bytes) -> Op {
    let counted = (!value.is_empty()).then_some(value.len() as u64);
    Op::Put { place: Place { kind, item }, value, expires_at: None, counted, when: When::Any }
}

fn item(prefix: u64, number: u64) -> [u8; 32] {
    let mut item = [0; 32];
    item[..8].copy_from_slice(&prefix.to_be_bytes());
    item[16..24].copy_from_slice(&number.to_be_bytes());
    item
}

fn reference(number: u64, value: Bytes) -> bailiwick_store::Commit {
    let name = *blake3::hash(&number.to_be_bytes()).as_bytes();
    let tag = Tag(*blake3::hash(&(number % TENANTS).to_be_bytes()).as_bytes());
    commit_of(
        tag,
        vec![
            row(1, name, value),
            row(2, item(1, number), Bytes::new()),
            row(2, item(number % 3 + 2, number), Bytes::new()),
        ],
    )
}

/// Commits per second with so many under way.
fn rate(engine: &dyn Engine, first: u64, in_flight: usize, bytes: usize) -> (u64, f64) {
    let value = noise(1, bytes);
    let until = Instant::now() + Duration::from_secs(SECONDS);
    let start = Instant::now();
    let mut commits = VecDeque::new();
    let mut number = first;
    while Instant::now() < until {
        while commits.len() < in_flight {
            commits.push_back(engine.commit(reference(number, value.clone())));
            number += 1;
        }
        block_on(commits.pop_front().unwrap()).unwrap();
    }
    for future in commits {
        block_on(future).unwrap();
    }
    (number, (number - first) as f64 / start.elapsed().as_secs_f64())
}

fn disk(path: &Path) -> (u64, u64) {
    let mut sum = (0, 0);
    for entry in std::fs::read_dir(path).unwrap() {
        let entry = entry.unwrap();
        let found = entry.metadata().unwrap();
        let (length, blocks) = if found.is_dir() { disk(&entry.path()) } else { (found.len(), found.blocks() * 512) };
        sum = (sum.0 + length, sum.1 + blocks);
    }
    sum
}

fn open(path: &Path) -> Opened {
    sled::open(path, SledOptions::default()).unwrap()
}

fn fifty(base: &Path) {
    let path = base.join("fifty");
    let opened = open(&path);
    let report = |what: &str| {
        let (apparent, allocated) = disk(&path);
        println!("{what}: {apparent} bytes apparent, {allocated} allocated");
    };
    report("empty store");
    for number in 0..50 {
        block_on(opened.engine.commit(reference(number, noise(number, 100_000)))).unwrap();
    }
    let (apparent, allocated) = disk(&path);
    println!(
        "50 × 100 KB: {:.3} apparent, {:.3} allocated, of 5,000,000 bytes",
        apparent as f64 / 5e6,
        allocated as f64 / 5e6
    );
    block_on(opened.engine.close());
    let (apparent, allocated) = disk(&path);
    println!("… closed: {:.3} apparent, {:.3} allocated", apparent as f64 / 5e6, allocated as f64 / 5e6);
}

fn main() {
    let base = tempfile::tempdir_in(std::env::args_os().nth(1).unwrap_or_else(|| ".".into())).unwrap();
    fifty(base.path());
    let opened = open(&base.path().join("store"));
    let mut next = 0;
    for (in_flight, bytes) in [(1, 256), (64, 256), (1_000, 256), (1, 100_000), (16, 100_000)] {
        let (after, rate) = rate(&*opened.engine, next, in_flight, bytes);
        next = after;
        println!(
            "{bytes} B, {in_flight} under way: {rate:.0}/s, {:.0} µs each, {:.0} MB/s",
            1e6 / rate,
            rate * bytes as f64 / 1e6
        );
    }
    let (apparent, allocated) = disk(&base.path().join("store"));
    println!("{next} commits: {apparent} bytes apparent, {allocated} allocated");
    block_on(opened.engine.close());
    drop(opened);
    let start = Instant::now();
    let opened = open(&base.path().join("store"));
    println!("opened again in {:.3} s", start.elapsed().as_secs_f64());
    block_on(opened.engine.close());
}
