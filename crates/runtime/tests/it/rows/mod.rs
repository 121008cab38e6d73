//! What has expired, was deleted, cancelled, forked or erased leaves no row behind, but for what is documented to stay
//! (docs/format/README.md, "What stays"). The rows are counted in the engine itself, of every kind byte.

mod life;

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::cut::Cut;
use crate::support::{Kept, NOW, Random, long, store, wait};
use bailiwick_model::Kind;
use bailiwick_runtime::{Promptness, Store, TenantHandle, sweep};
use bailiwick_store::{Engine, Exported, Opened, Tag};
use life::{Life, VERBS};

const ENTRY: u8 = 0x20;
/// Under which wakes are counted: no row has this kind byte.
const WAKE: u8 = u8::MAX;
/// Longer than any retention here, an unfinished run and a fork.
const AGES: u64 = 400 * 24 * 60 * 60 * 1000;

/// How many rows there are of each kind byte, but for those of the store itself, and how many wakes.
async fn rows(engine: &Arc<dyn Engine>) -> BTreeMap<u8, usize> {
    let (mut export, mut rows) = (engine.export().await.unwrap(), BTreeMap::new());
    loop {
        let part = export.next().await.unwrap();
        if part.is_empty() {
            return rows;
        }
        for exported in part {
            match exported {
                Exported::Row { tag, row, .. } if tag != Tag([0; 32]) => *rows.entry(row.place.kind).or_default() += 1,
                Exported::Row { .. } | Exported::Gone { .. } => {}
                Exported::Wake { .. } => *rows.entry(WAKE).or_default() += 1,
            }
        }
    }
}

/// What stays of a tenant whose everything has expired: its name, whose its tag is, the ledger, the sum of its tokens, and
/// where its traces go on.
async fn documented(tenant: &TenantHandle) -> BTreeMap<u8, usize> {
    let mut rows = BTreeMap::from([(0, 1)]);
    let ledger = tenant.approvals().checkpoint().await.unwrap().size as usize;
    if ledger > 0 {
        // A head and the tiles of 16; each record and the mark of its approval.
        rows.insert(Kind::Approvals as u8, 1 + tiles(ledger));
        rows.insert(Kind::Approvals as u8 | ENTRY, 2 * ledger);
    }
    rows
}

fn tiles(size: usize) -> usize {
    let level = size.div_ceil(16);
    if size / 16 == 0 { level } else { level + tiles(size / 16) }
}

/// Checks that nothing else is there, but for this many definitions of agents, which live as long as a run may be resumed.
async fn check_swept(engine: &Arc<dyn Engine>, tenant: &TenantHandle, definitions: usize, story: &str) {
    let (mut found, expected) = (rows(engine).await, documented(tenant).await);
    for (kind, most) in [(Kind::Runs, 1 + definitions), (Kind::Traces, 1)] {
        assert!(found.remove(&(kind as u8)).unwrap_or(0) <= most, "{kind:?}: {story}");
    }
    // When something may be due leaves nothing but a look at it.
    found.remove(&WAKE);
    // Whose the tag is.
    *found.get_mut(&0).unwrap() -= usize::from(found[&0] > 1);
    if !expected.contains_key(&(Kind::Approvals as u8)) {
        // A ledger may have been begun by an approval that was never decided.
        found.remove(&(Kind::Approvals as u8));
    }
    assert_eq!(found, expected, "{story}");
    let usage = tenant.usage().await.unwrap();
    assert!(usage.iter().all(|(_, count)| (count.items, count.bytes) == (0, 0)), "{usage:?} {story}");
}

/// Sweeps until nothing is due any more.
async fn sweep_all(store: &Arc<Store>) -> u64 {
    let mut removed = 0;
    loop {
        let swept = sweep(store, Promptness::Now).await.unwrap();
        if swept.removed == 0 && swept.expired_approvals == 0 {
            return removed;
        }
        removed += swept.removed;
    }
}

#[test]
fn a_hundred_threads_or_runs_that_expire_leave_nothing() {
    for kept in Kept::ALL {
        wait(async {
            let home = kept.open();
            let store = store(home.opened.clone(), 1, NOW, 1 << 20).await;
            let life = Life::new(&store, "acme");
            for number in 0..100 {
                life.append(&format!("thread {number}")).await;
                life.query(&format!("thread of run {number}")).await;
            }
            let before: usize = rows(&home.opened.engine).await.values().sum();
            assert!(before > 1_000, "{before}");
            // A little after the retention, not a month.
            store.advance(life::TTL + life::TTL / 8);
            // Nobody has the tenant open.
            let tenant = life.tenant.clone();
            drop(life);
            sweep_all(&store).await;
            check_swept(&home.opened.engine, &tenant, 2, &format!("{kept:?}")).await;
            // Nor is anything due any more once their time would have been over, had they not ended.
            store.advance(AGES);
            sweep_all(&store).await;
            assert_eq!(rows(&home.opened.engine).await.remove(&WAKE), None, "{kept:?}");
            check_swept(&home.opened.engine, &tenant, 0, &format!("{kept:?}, ages later")).await;
            store.close().await;
        });
    }
}

#[test]
fn every_verb_of_every_kind_leaves_no_row_after_expiry() {
    let (rounds, steps) = if long() { (40, 120) } else { (3, 60) };
    for kept in Kept::ALL {
        for round in 0..rounds {
            wait(async {
                let home = kept.open();
                let store = store(home.opened.clone(), round, NOW, 1 << 20).await;
                let mut life = Life::new(&store, "acme");
                let mut random = Random::new(round);
                let mut story = Vec::new();
                for (verb, _) in VERBS {
                    // Each at least once, the others around it at random.
                    for _ in 0..steps / VERBS.len() {
                        life.act(random.pick(&VERBS).unwrap().0, &mut random, &mut story).await;
                    }
                    life.act(verb, &mut random, &mut story).await;
                }
                for _ in 0..2 {
                    // What is recorded as expired is kept for a while.
                    store.advance(AGES);
                    sweep_all(&store).await;
                }
                check_swept(&home.opened.engine, &life.tenant, 0, &format!("{kept:?} {round} {story:?}")).await;
                // And an erase leaves nothing at all.
                assert!(life.tenant.erase("acme").await.is_ok());
                store.advance(AGES);
                sweep_all(&store).await;
                let left = rows(&home.opened.engine).await;
                assert!(left.is_empty(), "{kept:?} {round} {left:?} {story:?}");
                store.close().await;
            });
        }
    }
}

/// Whatever a verb is cut off at, the sweeper of the next process removes what it has left.
#[test]
fn an_interrupted_verb_leaves_no_row_after_its_retention() {
    for kept in [Kept::Memory, Kept::Sled] {
        for (verb, _) in VERBS {
            for changes in 0..12 {
                let is_whole = wait(async {
                    let home = kept.open();
                    let first = store(home.opened.clone(), 1, NOW, 1 << 20).await;
                    let life = Life::new(&first, "acme");
                    life.fill().await;
                    let cut = Cut::after(home.opened.clone(), changes, true);
                    let behind = Opened { engine: cut.clone(), vault: cut.clone() };
                    drop((life, first));
                    let second = crate::support::try_store(behind, 2, NOW + 1, 1 << 20).await.unwrap();
                    let mut life = Life::new(&second, "acme");
                    life.may_fail = true;
                    life.act(verb, &mut Random::new(1), &mut Vec::new()).await;
                    let is_whole = cut.is_whole();
                    drop(life);
                    let third = store(home.opened.clone(), 3, NOW + 2 + AGES, 1 << 20).await;
                    let tenant = Life::new(&third, "acme").tenant;
                    sweep_all(&third).await;
                    // What was recorded as expired just now is kept for a while.
                    third.advance(AGES);
                    sweep_all(&third).await;
                    check_swept(&home.opened.engine, &tenant, 0, &format!("{kept:?} {verb} {changes}")).await;
                    third.close().await;
                    is_whole
                });
                if is_whole {
                    break;
                }
            }
        }
    }
}

/// All that a store keeps of what has ended is in its cache of opened records and in its engine's rows. (JavaScript keeps nothing
/// of it: heaps after 500 and 4,500 runs differ in compiled code alone.)
#[test]
fn short_runs_leave_memory_flat() {
    let rounds = 10;
    let runs = if long() { 20_000 } else { 200 } / rounds;
    for kept in [Kept::Memory, Kept::Sled] {
        wait(async {
            let home = kept.open();
            let store = store(home.opened.clone(), 1, NOW, 64 << 20).await;
            let life = Life::new(&store, "acme");
            let (mut before, mut left) = (0, Vec::new());
            for round in 0..rounds {
                for run in 0..runs {
                    life.query(&format!("{round} {run}")).await;
                }
                // Of a thread that may be gone on with, a little is at hand; of a run that is over, nothing.
                let grown = store.stats().opened_bytes.saturating_sub(before);
                assert!(grown < runs * 1_200 + 20_000, "{kept:?} {round}: {grown} bytes of {runs} runs");
                store.advance(2 * life::TTL);
                sweep_all(&store).await;
                before = store.stats().opened_bytes;
                let mut rows = rows(&home.opened.engine).await;
                rows.remove(&WAKE);
                left.push((rows, before));
            }
            assert!(left[1..].iter().all(|round| *round == left[0]), "{kept:?} {left:?}");
            assert!(before < 16 << 10, "{kept:?}: {before} bytes");
            assert_eq!(store.stats().tenants, 1);
            store.close().await;
        });
    }
}
