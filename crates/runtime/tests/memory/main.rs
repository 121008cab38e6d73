//! What a call takes is reserved before it is read. A table with a cell for every operation of the bridge: with a low
//! limit and large values, each is refused, or its pages end, and whatever it reads of the engine fits into the limit.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "tests may panic")]

mod cells;
#[path = "../it/runs/host.rs"]
#[allow(dead_code, reason = "of other tests, too")]
mod host;
mod metered;
#[path = "../it/support/mod.rs"]
mod support;
mod world;

use std::collections::BTreeSet;

use bailiwick_model::Error;
use cells::{Cell, cell};
use support::Kept;
use world::World;

/// What the tenant's calls may hold in these tests.
pub(crate) const LIMIT: u64 = 256 << 10;
/// What a few operations read beside it that go through all there is, part by part, and keep nothing of it.
const BESIDE: u64 = 4 << 20;

/// Every operation of a tenant, from the bridge's table.
fn operations() -> BTreeSet<&'static str> {
    let source = include_str!("../../../node/src/operations/mod.rs");
    let (_, table) = source.split_once("operations! {").unwrap();
    let rows = table.lines().filter_map(|line| line.split_once(" => ")?.0.rsplit_once(" ("));
    let names = rows.filter(|(_, kind)| *kind != "Host)").filter_map(|(row, _)| row.split(' ').next_back());
    let names: BTreeSet<&str> = names.collect();
    assert!(names.len() > 40, "the table is not where it was: {names:?}");
    names
}

async fn check(kept: Kept) {
    let world = World::new(kept).await;
    let mut refused = BTreeSet::new();
    for operation in operations() {
        let cell = cell(&world, operation);
        let Some(cell) = cell else { panic!("{operation} has no cell: say how its answer is bounded") };
        let beside = if matches!(cell, Cell::Parts(_)) { BESIDE } else { 0 };
        let calls = match cell {
            Cell::Bounded => continue,
            Cell::Reads(calls) | Cell::Parts(calls) => calls,
        };
        assert!(!calls.is_empty(), "{operation}");
        for call in calls {
            let held = world.hold();
            world.meter.begin();
            let outcome = call(world.tenant.within(&held)).await;
            let read = world.meter.read();
            assert!(read <= LIMIT + beside, "{operation} on {kept:?}: {read} bytes were read");
            match outcome {
                Ok(bytes) => {
                    let bytes = bytes as u64;
                    assert!(bytes <= LIMIT + beside, "{operation} on {kept:?}: an answer of {bytes} bytes");
                    assert!(
                        bytes <= 2 * held.bytes() + beside + 4096,
                        "{operation} on {kept:?}: {bytes} of {}",
                        held.bytes()
                    );
                }
                Err(Error::TooMuchInFlight { limit, used, call }) => {
                    assert!(limit == LIMIT && used <= limit && used + call > limit, "{operation} on {kept:?}");
                    refused.insert(operation);
                }
                Err(error) => panic!("{operation} on {kept:?}: {error:?}"),
            }
            assert!(held.bytes() <= LIMIT, "{operation} on {kept:?}");
            drop(held);
            // All of it was given back.
            drop(world.tenant.hold(LIMIT as usize).unwrap());
        }
    }
    let expected = ["cacheBegin", "cacheGet", "planHistory", "resolve", "resolveMany"];
    assert_eq!(refused.into_iter().collect::<Vec<_>>(), expected, "{kept:?}: only what is in one piece is refused");
    world.pages(kept).await;
    world.store.close().await;
}

#[test]
fn every_operation_reserves_what_it_reads_and_ends_its_pages_at_bytes() {
    for kept in Kept::ALL {
        runtime().block_on(check(kept));
    }
}

#[test]
fn a_thousand_ids_are_resolved_at_once_and_each_is_read_once() {
    runtime().block_on(async {
        let world = World::new(Kept::Memory).await;
        let id = world.references[0].as_str();
        world.meter.begin();
        let held = world.hold();
        // Twice fits into the limit; the content is read once, and shared.
        let found = world.tenant.within(&held).references().resolve_many(&[id, id]).await.unwrap();
        assert!(found.iter().all(|found| found.as_ref().unwrap().bytes().len() == world::CONTENT));
        assert!(world.meter.read() < 2 * world::CONTENT as u64);
        assert!(held.bytes() > 2 * world::CONTENT as u64, "the answer has it twice");
        drop(held);
        let many = vec![id; 1000];
        world.meter.begin();
        let refused = world.tenant.within(&world.hold()).references().resolve_many(&many).await.err();
        assert!(matches!(refused, Some(Error::TooMuchInFlight { .. })), "{refused:?}");
        assert!(world.meter.read() < 8192, "refused before any content is read");
        let absent = vec!["ref_aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"; 1000];
        assert_eq!(world.tenant.within(&world.hold()).references().resolve_many(&absent).await.unwrap().len(), 1000);
        let told = world.tenant.references().resolve_many(&vec![id; 1001]).await.err().unwrap().to_string();
        assert_eq!(told, "There are 1001 ids; at most 1000 ids in one resolveMany are allowed. Split it.");
    });
}

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_time().build().unwrap()
}
