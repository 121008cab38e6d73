//! A move that is cut off leaves a store that is open in one place at most, and is repeated until it is done.

use std::sync::Arc;

use bailiwick_runtime::MigrationOutcome;
use bailiwick_store::Opened;

use crate::cut::Cut;
use crate::moving::life::{go_on, told};
use crate::moving::{open, open_with, opens, relocate};
use crate::support::{Kept, Random, handle, wait};

fn through(cut: &Arc<Cut>) -> Opened {
    Opened { engine: cut.clone(), vault: cut.clone() }
}

#[test]
fn a_move_that_is_cut_off_anywhere_is_repeated() {
    for (here, there) in [(Kept::Memory, Kept::Memory), (Kept::Sled, Kept::Memory), (Kept::Memory, Kept::Sled)] {
        for happens in [false, true] {
            // Where it opened after it was cut off: here, nowhere, there.
            let mut opened_at = [0, 0, 0];
            for changes in 0.. {
                let (from, to) = (here.open(), there.open());
                let is_over = wait(async {
                    // The same tags each time, and so the same changes.
                    let store = open_with(&from.opened, Some(1)).await.unwrap();
                    go_on(&store, &mut Random::new(3), 25).await;
                    let before = told(&store).await;
                    drop(store);
                    // Those of both places count together: the last but one is a change of the old place.
                    let target = Cut::after(to.opened.clone(), changes, happens);
                    let is_over = relocate(&from.opened, &through(&target)).await.is_ok();
                    assert_eq!(is_over, target.is_whole());
                    let is_open = (opens(&from.opened).await, !is_over && opens(&to.opened).await);
                    match is_open {
                        (true, false) => opened_at[0] += 1,
                        (false, false) => opened_at[1] += 1,
                        (false, true) => opened_at[2] += 1,
                        (true, true) => panic!("it is open in both"),
                    }
                    relocate(&from.opened, &to.opened).await.unwrap();
                    assert!(!opens(&from.opened).await);
                    assert_eq!(told(&open(&to.opened).await.unwrap()).await, before);
                    is_over
                });
                if is_over {
                    break;
                }
            }
            let [at_first, nowhere, at_last] = opened_at;
            assert!(at_first > 5, "{at_first}");
            // That of the end was counted as nowhere, because it was not looked for.
            assert_eq!((nowhere, at_last), if happens { (1, 1) } else { (2, 0) });
        }
    }
}

#[test]
fn a_move_whose_last_but_one_step_is_cut_off_is_repeated() {
    for happens in [false, true] {
        let (from, to) = (Kept::Sled.open(), Kept::Sled.open());
        wait(async {
            let store = open(&from.opened).await.unwrap();
            go_on(&store, &mut Random::new(4), 25).await;
            let before = told(&store).await;
            drop(store);
            let source = Cut::after(from.opened.clone(), 0, happens);
            assert!(relocate(&through(&source), &to.opened).await.is_err());
            assert_eq!((opens(&from.opened).await, opens(&to.opened).await), (!happens, false));
            let outcome = relocate(&from.opened, &to.opened).await.unwrap();
            match outcome {
                MigrationOutcome::AlreadyMoved => assert!(happens),
                MigrationOutcome::Moved(moved) => {
                    assert_eq!((happens, moved.written), (false, 0), "all rows were there")
                }
            }
            assert_eq!(told(&open(&to.opened).await.unwrap()).await, before);
        });
    }
}

#[test]
fn a_store_that_changes_between_two_attempts_is_moved_as_it_is_then() {
    for (changes, there) in [(8, Kept::Memory), (8, Kept::Sled), (14, Kept::Memory), (14, Kept::Sled)] {
        let (from, to) = (Kept::Sled.open(), there.open());
        wait(async {
            let mut random = Random::new(5);
            let store = open(&from.opened).await.unwrap();
            go_on(&store, &mut random, 60).await;
            drop(store);
            let target = Cut::after(to.opened.clone(), changes, false);
            assert!(relocate(&from.opened, &through(&target)).await.is_err());
            let store = open(&from.opened).await.unwrap();
            go_on(&store, &mut random, 60).await;
            for tenant in ["globex", "gone"] {
                handle(&store, tenant).erase(tenant).await.unwrap();
            }
            store.rotate_root_key(&[9; 32]).await.unwrap();
            store.rotate_root_key(&crate::moving::ROOT).await.unwrap();
            let before = told(&store).await;
            drop(store);
            let MigrationOutcome::Moved(moved) = relocate(&from.opened, &to.opened).await.unwrap() else {
                panic!("not moved")
            };
            assert!(moved.written < moved.all.rows, "some were there");
            assert_eq!(told(&open(&to.opened).await.unwrap()).await, before);
        });
    }
}
