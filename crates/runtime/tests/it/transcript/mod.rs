//! Another tenant's presence and actions change no byte of what a tenant sees. Two tenants act at random in
//! one store; then one of them makes exactly its own calls again, in a store of the same seed where it is alone, and
//! must see exactly the same: every result, error, order, count and cursor.

mod approvals;
mod call;
mod known;
mod plans;
mod script;
mod threads;
mod traces;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use crate::support::{Kept, NOW, Random, at_once, catalogue, handle, long, store};
use bailiwick_runtime::{Catalogue, Store};
use call::{Actor, Call, Leak};
use known::{Both, Known};
use script::{THEMES, Theme, next_call};

const ROUNDS: usize = 10;
/// Small, so that tenants push each other's records out of the cache of opened ones all the time.
const OPENED_BYTES: usize = 512 << 10;
const PARTS: [&str; 6] = [
    "",
    r#","limits":{"items":{"plans":2,"approvals":2,"threads":2,"traces":3},"pendingApprovals":1}"#,
    r#","retention":{"plans":{"ttlMs":900},"approvals":{"ttlMs":800},"threads":{"ttlMs":900},"traces":{"ttlMs":700}}"#,
    r#","limits":{"items":{"references":3,"cache":2}}"#,
    r#","limits":{"bytes":5000,"valueBytes":4999}"#,
    r#","retention":{"references":{"ttlMs":2500},"cache":{"ttlMs":700}}"#,
];

/// What a tenant did and saw; a step without a call is the clock going on.
enum Step {
    Made { call: Box<Call>, seen: Vec<u8> },
    Clock(u64),
}

struct Side {
    actor: Actor,
    favourite: Theme,
    random: Random,
    known: Known,
    steps: Vec<Step>,
}

/// Two tenants of one store, and what is needed to repeat it.
struct Pair {
    seed: u64,
    part: &'static str,
    names: (String, String),
    one: Side,
    other: Side,
}

impl Side {
    fn new(actor: Actor, favourite: Theme, seed: u64) -> Self {
        Self { actor, favourite, random: Random::new(seed), known: Known::default(), steps: Vec::new() }
    }

    /// Makes a call of its own choice.
    async fn act(&mut self, foreign: &Known) {
        let both = Both { own: &self.known, foreign };
        let call = next_call(&mut self.random, self.favourite, both, self.actor.is_computing());
        let answer = self.actor.make(&call).await;
        self.known.learn(&answer);
        self.steps.push(Step::Made { call: Box::new(call), seen: answer.seen });
    }
}

impl Pair {
    /// `unique` keeps the pairs of one store apart.
    fn new(store: &Arc<Store>, seed: u64, unique: &str, catalogue: &Arc<Catalogue>) -> Self {
        let mut random = Random::new(seed);
        let part = random.pick(&PARTS).copied().unwrap();
        let one = format!("acme{unique}");
        let other = match random.below(5) {
            0 => format!("acme{unique} "),
            1 => format!("ACME{unique}"),
            2 => format!("acme{unique}%"),
            3 => format!("acme{unique}/*"),
            _ => format!("\u{200b}acme{unique}"),
        };
        // Both do the same kind of things, so as to be in each other's way.
        let favourite = random.pick(&THEMES).copied().unwrap();
        let side = |id: &str, part, seed| Side::new(Actor::new(store, id, part, catalogue), favourite, seed);
        let other_part = random.pick(&PARTS).copied().unwrap();
        let (first, second) = (side(&one, part, random.next()), side(&other, other_part, random.next()));
        Self { seed, part, names: (one, other), one: first, other: second }
    }

    fn clock(&mut self, milliseconds: u64) {
        self.one.steps.push(Step::Clock(milliseconds));
    }

    /// The first tenant's calls again, without the second: the first difference, if there is one.
    fn replay_alone(&self, store_seed: u64, from: u64, catalogue: &Arc<Catalogue>) -> Option<String> {
        let home = Kept::Memory.open();
        let store = at_once(store(home.opened, store_seed, from, OPENED_BYTES));
        let mut actor = Actor::new(&store, &self.names.0, self.part, catalogue);
        if let Leak::GlobalCount(_) = self.one.actor.leak {
            actor.leak = Leak::GlobalCount(Arc::default());
        }
        for (number, step) in self.one.steps.iter().enumerate() {
            match step {
                Step::Clock(milliseconds) => assert!(store.advance(*milliseconds)),
                Step::Made { call, seen } => {
                    let alone = at_once(actor.make(call)).seen;
                    if alone != *seen {
                        return Some(format!(
                            "pair {} of store {store_seed}, step {number}, {call:?}\nalone: {}\nwith {:?}: {}",
                            self.seed,
                            String::from_utf8_lossy(&alone),
                            self.names.1,
                            String::from_utf8_lossy(seen),
                        ));
                    }
                }
            }
        }
        None
    }
}

/// A defect to put into the interleaved run.
#[derive(Clone, Copy)]
enum Defect {
    None,
    GlobalCount,
    Existence,
}

/// One interleaving in a memory store of its own, one call after the other in a random order.
fn interleave_in_memory(seed: u64, defect: Defect, catalogue: &Arc<Catalogue>) -> Pair {
    let store = at_once(store(Kept::Memory.open().opened, seed, NOW, OPENED_BYTES));
    let mut pair = Pair::new(&store, seed, "", catalogue);
    match defect {
        Defect::None => {}
        Defect::GlobalCount => {
            let count = Arc::new(AtomicU64::new(0));
            pair.one.actor.leak = Leak::GlobalCount(count.clone());
            pair.other.actor.leak = Leak::GlobalCount(count);
        }
        Defect::Existence => pair.one.actor.leak = Leak::Existence(Arc::new(handle(&store, &pair.names.1))),
    }
    let mut random = Random::new(!seed);
    for _ in 0..ROUNDS {
        for _ in 0..1 + random.below(4) {
            if random.one_in(2) {
                at_once(pair.one.act(&pair.other.known));
            } else {
                at_once(pair.other.act(&pair.one.known));
            }
        }
        let milliseconds = random.below(3) as u64 * random.below(900) as u64;
        assert!(store.advance(milliseconds));
        pair.clock(milliseconds);
    }
    pair
}

/// Many in memory, on all cores: the first difference.
fn interleave_many(count: u64, defect: Defect) -> Option<String> {
    let next = AtomicU64::new(0);
    let catalogue = catalogue();
    let work = || {
        loop {
            let seed = next.fetch_add(1, Ordering::Relaxed);
            if seed >= count {
                return None;
            }
            let pair = interleave_in_memory(seed, defect, &catalogue);
            if let difference @ Some(_) = pair.replay_alone(seed, NOW, &catalogue) {
                next.store(count, Ordering::Relaxed);
                return difference;
            }
        }
    };
    std::thread::scope(|scope| {
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        let threads: Vec<_> = (0..cores).map(|_| scope.spawn(work)).collect();
        threads.into_iter().find_map(|thread| thread.join().unwrap())
    })
}

/// Many at once in one store, so that they share syncs and connections; both tenants of a pair act at the same time. Every
/// pair is then compared with its first tenant alone in a store of the same seed, in memory: a difference between the
/// engines would show as well.
async fn interleave_at_once(kept: Kept, count: usize, at_once: usize) {
    const SEED: u64 = 7;
    let home = kept.open();
    let store = store(home.opened, SEED, NOW, OPENED_BYTES).await;
    let catalogue = catalogue();
    let (mut done, mut from) = (0, NOW);
    while done < count {
        let batch = at_once.min(count - done);
        let pair = |number: usize| Pair::new(&store, number as u64, &format!("-{number}"), &catalogue);
        let mut pairs: Vec<Pair> = (done..done + batch).map(pair).collect();
        let mut random = Random::new(done as u64);
        let mut passed = 0;
        for _ in 0..ROUNDS {
            pairs = one_round(pairs).await;
            let milliseconds = random.below(3) as u64 * random.below(900) as u64;
            assert!(store.advance(milliseconds));
            passed += milliseconds;
            pairs.iter_mut().for_each(|pair| pair.clock(milliseconds));
        }
        compare(pairs, SEED, from, &catalogue);
        (done, from) = (done + batch, from + passed);
    }
    store.close().await;
}

/// Lets both tenants of every pair make up to two calls, all at the same time, and waits for all.
async fn one_round(pairs: Vec<Pair>) -> Vec<Pair> {
    let tasks: Vec<_> = pairs.into_iter().map(|pair| tokio::spawn(act_at_once(pair))).collect();
    let mut after = Vec::with_capacity(tasks.len());
    for task in tasks {
        let pair = tokio::time::timeout(Duration::from_secs(120), task).await;
        after.push(pair.unwrap_or_else(|_| panic!("a tenant waits for ever")).unwrap());
    }
    after
}

async fn act_at_once(mut pair: Pair) -> Pair {
    let (known_to_one, known_to_other) = (pair.other.known.clone(), pair.one.known.clone());
    let acting = tokio::spawn(async move {
        for _ in 0..pair.other.random.below(3) {
            pair.other.act(&known_to_other).await;
        }
        pair.other
    });
    for _ in 0..pair.one.random.below(3) {
        pair.one.act(&known_to_one).await;
    }
    pair.other = acting.await.unwrap();
    pair
}

fn compare(pairs: Vec<Pair>, seed: u64, from: u64, catalogue: &Arc<Catalogue>) {
    let next = AtomicU64::new(0);
    std::thread::scope(|scope| {
        for _ in 0..std::thread::available_parallelism().map_or(1, usize::from) {
            scope.spawn(|| {
                while let Some(pair) = pairs.get(next.fetch_add(1, Ordering::Relaxed) as usize) {
                    if let Some(difference) = pair.replay_alone(seed, from, catalogue) {
                        panic!("{difference}");
                    }
                }
            });
        }
    });
}

/// So many interleavings of each engine.
fn count() -> usize {
    if long() { 1_000_000 } else { 10_000 }
}

fn on_threads(future: impl Future<Output = ()>) {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(4).enable_time().build().unwrap();
    runtime.block_on(future);
}

#[test]
fn another_tenant_in_memory_changes_no_byte() {
    if let Some(difference) = interleave_many(count() as u64, Defect::None) {
        panic!("{difference}");
    }
}

#[test]
fn another_tenant_on_sled_changes_no_byte() {
    on_threads(interleave_at_once(Kept::Sled, count(), 1_000));
}

#[test]
fn another_tenant_on_postgresql_changes_no_byte() {
    // A call is several trips to a server: a tenth of what there is on the other engines.
    on_threads(interleave_at_once(Kept::Postgres, count() / 10, 500));
}

#[test]
fn a_count_over_all_tenants_would_be_found() {
    assert!(interleave_many(200, Defect::GlobalCount).is_some());
}

#[test]
fn telling_foreign_from_absent_would_be_found() {
    assert!(interleave_many(200, Defect::Existence).is_some());
}

/// Equal transcripts say little if nothing happens in them.
#[test]
fn the_scripts_reach_every_outcome() {
    let catalogue = catalogue();
    let mut missing = vec![
        "\"glimpse\":",
        "NOT_FOUND",
        "INVALID_INPUT",
        "QuotaExceeded { quota: \"items.references\"",
        "QuotaExceeded { quota: \"items.cache\"",
        "QuotaExceeded { quota: \"bytes\"",
        "QuotaExceeded { quota: \"valueBytes\"",
        "This cursor is not one",
        "Some(\"",
        "nothing\n",
        "compute\n",
        "Some(Json(",
        "true\n",
        "false\n",
        "\"planId\":",
        "QuotaExceeded { quota: \"items.plans\"",
        "The plan is at version",
        "\"status\":\"pending\"",
        "\"status\":\"approved\"",
        "\"decision\":\"expired\"",
        "\"decision\":\"withdrawn\"",
        "APPROVAL_CLOSED",
        "APPROVAL_FORBIDDEN",
        "\"decision\":\"pending\"",
        "QuotaExceeded { quota: \"pendingApprovals\"",
        "\"rootHash\":",
        "\"opening\":",
        "\"from\":{\"note\":",
        "This checkpoint is not one",
        "\"ok\":true",
        "\"messageId\":",
        "\"threadId\":",
        "thr_",
        "QuotaExceeded { quota: \"items.threads\"",
        "The thread has",
        "A thread with this id exists already",
        "\"type\":\"request.rejected\"",
        "\"type\":\"reference.created\"",
    ];
    for seed in 0..3000 {
        if missing.is_empty() {
            break;
        }
        for step in interleave_in_memory(seed, Defect::None, &catalogue).one.steps {
            if let Step::Made { seen, .. } = step {
                let seen = String::from_utf8_lossy(&seen).into_owned();
                missing.retain(|outcome| !seen.contains(outcome));
            }
        }
    }
    assert_eq!(missing, Vec::<&str>::new());
}
