//! How fast durable commits are, and what they take on the disk: `throughput [directory]`. A commit is what a reference
//! costs: one row of 256 bytes and two empty list rows. `throughput <directory> <in flight> <commits>` measures one width in
//! a new store: time, processor time and bytes written for each commit. `throughput <store> open` measures opening and
//! closing a store. A measurement, not a test.
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
/// Rows of lists have kinds from 0x80 on.
const LIST: u8 = 0x81;
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
            row(LIST, item(1, number), Bytes::new()),
            row(LIST, item(number % 3 + 2, number), Bytes::new()),
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

/// Processor time of this process in seconds, and the bytes that it had written to disks.
fn spent() -> (f64, u64) {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap();
    let times = stat.rsplit_once(") ").unwrap().1.split(' ').skip(11).take(2);
    let ticks: u64 = times.map(|ticks| ticks.parse::<u64>().unwrap()).sum();
    let io = std::fs::read_to_string("/proc/self/io").unwrap();
    let written = io.lines().find_map(|line| line.strip_prefix("write_bytes: ")).unwrap();
    (ticks as f64 / 100.0, written.parse().unwrap())
}

/// Looks some records up, and lists, in no order.
fn read(engine: &dyn Engine, commits: u64) {
    const LOOKS: u64 = 100_000;
    for round in ["first", "second"] {
        let start = spent().0;
        for number in 0..LOOKS {
            let number = number.wrapping_mul(0x9e37_79b9_7f4a_7c15) % commits;
            let name = *blake3::hash(&number.to_be_bytes()).as_bytes();
            let tag = Tag(*blake3::hash(&(number % TENANTS).to_be_bytes()).as_bytes());
            let found = block_on(engine.get(tag, vec![(Place { kind: 1, item: name }, None)], u64::MAX, 0)).unwrap();
            assert!(matches!(found.first(), Some(bailiwick_store::Found::Entry(_))));
        }
        let looked = spent().0 - start;
        let start = spent().0;
        for number in 0..LOOKS / 10 {
            let number = number.wrapping_mul(0x9e37_79b9_7f4a_7c15) % commits;
            let tag = Tag(*blake3::hash(&(number % TENANTS).to_be_bytes()).as_bytes());
            let request = bailiwick_store::ScanRequest {
                kind: LIST,
                from: item(1, number),
                to: item(1, u64::MAX),
                reverse: number.is_multiple_of(2),
                limit: 20,
                most: u64::MAX,
                now: 0,
            };
            block_on(engine.scan(tag, request)).unwrap();
        }
        println!(
            "{round} reads: {:.1} µs of processors a record, {:.1} µs a page of 20 rows of a list",
            looked * 1e6 / LOOKS as f64,
            (spent().0 - start) * 1e7 / LOOKS as f64
        );
    }
}

/// Commits so many with so many under way. The times with closing include reads, and what goes on in the background.
fn width(base: &Path, in_flight: usize, commits: u64) {
    let opened = open(&base.join("store"));
    let value = noise(1, 256);
    let (before, start) = (spent(), Instant::now());
    let mut under_way = VecDeque::new();
    for number in 0..commits {
        under_way.push_back(opened.engine.commit(reference(number, value.clone())));
        if under_way.len() == in_flight {
            block_on(under_way.pop_front().unwrap()).unwrap();
        }
    }
    for future in under_way {
        block_on(future).unwrap();
    }
    let acknowledged = start.elapsed();
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let resident = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap().trim().to_owned();
    read(&*opened.engine, commits);
    block_on(opened.engine.close());
    let (apparent, allocated) = disk(&base.join("store"));
    let (closed, after) = (start.elapsed(), spent());
    let each = |total: f64| total / commits as f64;
    println!(
        "{in_flight} in flight: {:.1} µs each, {:.1} µs with closing, {:.1} µs of processors, {:.1} × the bytes written; \
         on disk {:.2} × apparent, {:.2} × allocated; resident {resident}",
        each(acknowledged.as_secs_f64() * 1e6),
        each(closed.as_secs_f64() * 1e6),
        each((after.0 - before.0) * 1e6),
        each((after.1 - before.1) as f64) / 256.0,
        each(apparent as f64) / 256.0,
        each(allocated as f64) / 256.0,
    );
}

fn opening(path: &Path) {
    let start = Instant::now();
    let opened = open(path);
    let time = start.elapsed();
    block_on(opened.engine.close());
    println!(
        "opened in {:.1} ms, closed {:.1} ms later",
        time.as_secs_f64() * 1e3,
        (start.elapsed() - time).as_secs_f64() * 1e3
    );
}

fn main() {
    let mut arguments = std::env::args_os().skip(1);
    if std::env::args_os().nth(2).is_some_and(|argument| argument == "open") {
        return opening(Path::new(&arguments.next().unwrap()));
    }
    let base = tempfile::tempdir_in(arguments.next().unwrap_or_else(|| ".".into())).unwrap();
    let mut number = || arguments.next().map(|number| number.to_str().unwrap().parse::<u64>().unwrap());
    if let (Some(in_flight), Some(commits)) = (number(), number()) {
        return width(base.path(), in_flight as usize, commits);
    }
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
