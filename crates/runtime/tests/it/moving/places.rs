//! A store is the same wherever it is.

use bailiwick_runtime::{MigrationOutcome, Promptness, sweep};
use bailiwick_store::Opened;
use bailiwick_store::conformance::database::Database;

use crate::moving::life::{go_on, put_large, told};
use crate::moving::{database_of, moved, open, opens, relocate};
use crate::support::{Kept, Random, handle, wait};

/// Moves from the first place to the last. In each, tenants go on.
fn journey(places: &[Opened], seed: u64, steps: usize) {
    wait(async {
        let mut random = Random::new(seed);
        for pair in places.windows(2) {
            let (from, to) = (&pair[0], &pair[1]);
            let store = open(from).await.unwrap();
            go_on(&store, &mut random, steps).await;
            // At least one is in parts everywhere.
            put_large(&handle(&store, "acme"), &mut random, 20 << 20).await;
            let before = told(&store).await;
            drop(store);
            let moved = moved(from, to).await;
            assert_eq!((moved.written, before.last()), (moved.all.rows, Some(&moved.tenants.to_string())));
            assert!(!opens(from).await);
            assert_eq!(relocate(from, to).await, Ok(MigrationOutcome::AlreadyMoved), "nothing is left to do");
            let store = open(to).await.unwrap();
            assert_eq!(told(&store).await, before);
        }
        let last = open(places.last().unwrap()).await.unwrap();
        go_on(&last, &mut random, steps).await;
        // What expires, and what waits for its time, is found where it is now.
        last.advance(400 * 24 * 60 * 60 * 1_000);
        assert!(sweep(&last, Promptness::Now).await.unwrap().removed > 0);
        told(&last).await;
        assert_eq!(sweep(&last, Promptness::Now).await.unwrap().removed, 0);
    });
}

#[test]
fn a_store_is_the_same_in_memory_and_in_a_directory() {
    let homes = [Kept::Memory, Kept::Sled, Kept::Sled, Kept::Memory].map(Kept::open);
    let places: Vec<Opened> = homes.iter().map(|home| home.opened.clone()).collect();
    journey(&places, 1, 80);
}

#[test]
fn a_store_is_the_same_in_a_directory_and_in_databases() {
    let (homes, databases) = ([Kept::Sled, Kept::Sled].map(Kept::open), [Database::fresh(), Database::fresh()]);
    let [one, other] = databases.each_ref().map(|database| wait(database_of(&database.url(), true)).unwrap());
    journey(&[homes[0].opened.clone(), one, other, homes[1].opened.clone()], 2, 80);
}
