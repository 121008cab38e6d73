//! How fast commits to a PostgreSQL server are: `postgres_throughput <owner URL>`. A commit is what a reference costs:
//! one row of 256 bytes and two empty list rows. A measurement, not a test.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a measurement may panic")]

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use bailiwick_store::conformance::support::{NOW, block_on, commit_of, noise};
use bailiwick_store::postgres::{self, PostgresOptions};
use bailiwick_store::{Commit, Engine, Op, Place, Tag, When};
use bytes::Bytes;

/// The allocator that the addon uses.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

const TIME: Duration = Duration::from_secs(4);

fn item(prefix: u64, number: u64) -> [u8; 32] {
    let mut item = [0; 32];
    item[..8].copy_from_slice(&prefix.to_be_bytes());
    item[16..24].copy_from_slice(&number.to_be_bytes());
    item
}

fn tag(number: u64) -> Tag {
    Tag(*blake3::hash(&number.to_be_bytes()).as_bytes())
}

fn reference(number: u64, tenants: u64) -> Commit {
    let row = |kind, item, value: Bytes| {
        let (counted, when) =
            if value.is_empty() { (None, When::Any) } else { (Some(value.len() as u64), When::Absent) };
        Op::Put { place: Place { kind, item }, value, expires_at: Some(NOW * 2), counted, when }
    };
    let name = *blake3::hash(&number.to_be_bytes()).as_bytes();
    let lists = [row(2, item(1, number), Bytes::new()), row(2, item(number % 3 + 2, number), Bytes::new())];
    let mut ops = vec![row(1, name, noise(number, 256))];
    ops.extend(lists);
    commit_of(tag(number % tenants), ops)
}

/// Does something for a while, so many at a time.
fn rate<T>(first: u64, in_flight: usize, start: impl Fn(u64) -> T, wait: impl Fn(T)) -> (u64, f64) {
    let begin = Instant::now();
    let mut commits = VecDeque::new();
    let mut number = first;
    while begin.elapsed() < TIME {
        while commits.len() < in_flight {
            commits.push_back(start(number));
            number += 1;
        }
        wait(commits.pop_front().unwrap());
    }
    commits.into_iter().for_each(wait);
    (number, (number - first) as f64 / begin.elapsed().as_secs_f64())
}

fn main() {
    let url =
        block_on(postgres::setup(&std::env::args().nth(1).expect("a URL").parse().expect("a URL"))).expect("set up");
    let opened = block_on(postgres::open(&url.parse().unwrap(), PostgresOptions::default())).unwrap();
    let engine: &dyn Engine = &*opened.engine;
    let mut next = 0;
    for (tenants, in_flight) in [(1, 1), (1, 64), (20, 64), (1_000, 64)] {
        let put = |number| engine.commit(reference(number, tenants));
        let (after, rate) = rate(next, in_flight, put, |put| {
            block_on(put).unwrap();
        });
        println!("{tenants} tenants, {in_flight} under way: {rate:.0} commits/s");
        next = after;
    }
    for in_flight in [1, 64] {
        let get = |number: u64| {
            let name = *blake3::hash(&(number % 1_000).to_be_bytes()).as_bytes();
            engine.get(tag(0), vec![(Place { kind: 1, item: name }, None)], u64::MAX, NOW)
        };
        let (_, rate) = rate(0, in_flight, get, |get| drop(block_on(get).unwrap()));
        println!("{in_flight} under way: {rate:.0} reads/s");
    }
    block_on(opened.engine.close());
}
