//! What is not moved, and not moved to. Nothing is changed there.

use bailiwick_model::Error;
use bailiwick_runtime::{Migration, MigrationOutcome, RootKey};
use bailiwick_store::conformance::database::Database;
use bailiwick_store::postgres::OpenError;

use bailiwick_store::{Commit, Durability, Exported, Limits, Op, Opened, STORE_SLOT, When};

use crate::cut::Cut;
use crate::moving::life::{go_on, told};
use crate::moving::{database_of, moved, open, opens, relocate};
use crate::support::{Kept, Random, handle, put, text, wait};

async fn filled(opened: &Opened, seed: u64) -> Vec<String> {
    let store = open(opened).await.unwrap();
    go_on(&store, &mut Random::new(seed), 20).await;
    told(&store).await
}

fn message(error: Result<MigrationOutcome, Error>) -> String {
    let Err(Error::InvalidInput(message)) = error else { panic!("{error:?}") };
    message
}

#[test]
fn an_occupied_target_is_left_unchanged() {
    let homes: Vec<_> = (0..4).map(|_| Kept::Memory.open()).collect();
    let [from, other, unfinished, empty] = [0, 1, 2, 3].map(|place: usize| &homes[place].opened);
    wait(async {
        let before = filled(from, 1).await;
        let of_other = filled(other, 2).await;
        assert!(message(relocate(from, other).await).contains("There is something"));
        assert_eq!(told(&open(other).await.unwrap()).await, of_other);
        let cut = Cut::after(unfinished.clone(), 3, false);
        assert!(relocate(other, &Opened { engine: cut.clone(), vault: cut }).await.is_err());
        assert!(message(relocate(from, unfinished).await).contains("another store"));
        assert!(message(relocate(unfinished, empty).await).contains("not all of it is here"));
        assert!(message(relocate(empty, other).await).contains("There is no store"));
        moved(other, unfinished).await;
        assert!(message(relocate(other, empty).await).contains("was moved"), "not to there");
        assert!(message(relocate(from, other).await).contains("There is something"), "something that was moved");
        assert_eq!(empty.vault.get(STORE_SLOT).await, Ok(None));
        assert_eq!(told(&open(from).await.unwrap()).await, before);
    });
}

#[test]
fn a_store_is_moved_with_its_root_key_alone() {
    let (from, to) = (Kept::Sled.open(), Kept::Memory.open());
    wait(async {
        filled(&from.opened, 1).await;
        for wrong in [RootKey::Given(vec![2; 32].into()), RootKey::Local] {
            let refused = Migration::from(from.opened.clone(), wrong).await.map(|_| ());
            assert!(matches!(refused, Err(Error::InvalidInput(_))), "{refused:?}");
        }
        assert!(opens(&from.opened).await);
        assert_eq!(to.opened.vault.get(STORE_SLOT).await, Ok(None));
    });
}

#[test]
fn a_damaged_store_is_not_moved_and_no_tenant_is_named() {
    for damaged in 1..3 {
        let (from, to) = (Kept::Sled.open(), Kept::Memory.open());
        wait(async {
            let store = open(&from.opened).await.unwrap();
            for content in ["one", "two", "three"] {
                put(&handle(&store, "acme"), text("thing", content)).await;
            }
            drop(store);
            let mut export = from.opened.engine.export().await.unwrap();
            let mut left = damaged;
            while let Some(part) = Some(export.next().await.unwrap()).filter(|part| !part.is_empty()) {
                for exported in part {
                    let Exported::Row { tag, row, counted: counted @ Some(_) } = exported else { continue };
                    if left == 0 {
                        continue;
                    }
                    left -= 1;
                    let mut value = row.value.to_vec();
                    *value.last_mut().unwrap() ^= 1;
                    let (place, expires_at) = (row.place, row.expires_at);
                    let put = Op::Put { place, value: value.into(), expires_at, counted, when: When::Any };
                    let (limits, durability) = (Limits::default(), Durability::Sync);
                    let commit = Commit { tag, now: 0, ops: vec![put], limits, durability };
                    from.opened.engine.commit(commit).await.unwrap();
                }
            }
            drop(export);
            let Err(Error::StoreCorrupt(message)) = relocate(&from.opened, &to.opened).await else { panic!("moved") };
            let found = if damaged == 1 { "1 problem was".to_owned() } else { format!("{damaged} problems were") };
            assert!(message.contains(&found) && message.contains("references"), "{message}");
            assert!(!message.contains("acme"), "{message}");
            assert!(opens(&from.opened).await && !opens(&to.opened).await);
        });
    }
}

#[test]
fn a_database_in_use_is_not_moved_and_refuses_new_connections_during_a_move() {
    let (database, home) = (Database::fresh(), Kept::Sled.open());
    let url = database.url();
    wait(async {
        let host = database_of(&url, false).await.unwrap();
        let before = filled(&host, 1).await;
        let moving = database_of(&url, true).await.unwrap();
        let refused = relocate(&moving, &home.opened).await;
        assert!(matches!(refused, Err(Error::Conflict(_))), "{refused:?}");
        moving.engine.close().await;
        assert_eq!(told(&open(&host).await.unwrap()).await, before, "the host goes on");
        host.engine.close().await;
        let moving = database_of(&url, true).await.unwrap();
        let departure = Migration::from(moving.clone(), crate::moving::root_key()).await.unwrap();
        assert!(matches!(database_of(&url, false).await, Err(OpenError::Moving)));
        let second = database_of(&url, true).await.unwrap();
        let refused = relocate(&second, &home.opened).await;
        assert!(matches!(refused, Err(Error::Conflict(_))), "{refused:?}");
        second.engine.close().await;
        departure.to(&home.opened, &Default::default()).await.unwrap();
        moving.engine.close().await;
        assert!(matches!(database_of(&url, false).await, Err(OpenError::Moved)));
        assert_eq!(told(&open(&home.opened).await.unwrap()).await, before);
    });
}
