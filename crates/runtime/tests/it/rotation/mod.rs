//! Rotating the root key: whatever happens in between, one key opens the store, and it opens all of it.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::cut::Cut;
use crate::support::{Kept, NOW, handle, put, text, wait};
use bailiwick_model::{Error, Result};
use bailiwick_runtime::{Clock, RootKey, Store, StoreOptions};
use bailiwick_store::Opened;

const OLD: [u8; 32] = [1; 32];
const NEXT: [u8; 32] = [2; 32];
const OTHER: [u8; 32] = [3; 32];
const STORE_SLOT: [u8; 32] = [0; 32];
const TENANTS: [&str; 3] = ["acme", "globex", "initech"];

fn given(key: [u8; 32]) -> RootKey {
    RootKey::Given(key.to_vec().into())
}

async fn open(opened: &Opened, root_key: RootKey) -> Result<Arc<Store>> {
    let options = StoreOptions { root_key, opened_bytes: 0, clock: Clock::fixed(NOW), seed: None };
    Store::open(opened.clone(), options).await
}

/// One reference of each tenant.
async fn fill(store: &Arc<Store>) -> Vec<String> {
    let mut ids = Vec::new();
    for tenant in TENANTS {
        ids.push(put(&handle(store, tenant), text("note", tenant)).await);
    }
    ids
}

/// Everything opens, nothing of a rotation is left, and whoever comes new is welcome.
async fn check_whole(opened: &Opened, store: &Arc<Store>, ids: &[String]) {
    for (tenant, id) in TENANTS.iter().zip(ids) {
        assert!(handle(store, tenant).references().resolve(id).await.is_ok(), "{tenant}");
    }
    put(&handle(store, "newcomer"), text("note", "new")).await;
    let report = store.check().await.unwrap();
    assert_eq!((report.tenants, report.problems), (4, Vec::new()));
    let header = opened.vault.get(STORE_SLOT).await.unwrap().unwrap().value;
    assert_eq!(header.len(), 93, "the one before is forgotten");
    for name in opened.vault.names(Some(STORE_SLOT), 10).await.unwrap() {
        let tenants = opened.vault.get(name).await.unwrap().unwrap().value;
        assert_eq!(tenants[1..5], header[17..21], "all are under one root key");
    }
    assert_eq!(opened.vault.next_local_secret().await.unwrap(), None);
}

/// Which of the keys opens the store; all others are refused.
async fn opening_key(opened: &Opened) -> [u8; 32] {
    let mut opening = Vec::new();
    for key in [OLD, NEXT, OTHER] {
        match open(opened, given(key)).await {
            Ok(_) => opening.push(key),
            Err(error) => assert!(matches!(error, Error::InvalidInput(_)), "{error:?}"),
        }
    }
    assert_eq!(opening.len(), 1);
    opening[0]
}

#[test]
fn a_rotation_that_is_cut_off_anywhere_leaves_one_key_that_opens_all() {
    let alone = Kept::ALL.map(|kept| (kept, false));
    // A database has no place for a key beside the data.
    for (kept, is_local) in alone.into_iter().chain([(Kept::Memory, true), (Kept::Sled, true)]) {
        for happens in [false, true] {
            let (mut old, mut new) = (0, 0);
            for changes in 0.. {
                let home = kept.open();
                let opened = &home.opened;
                let is_over = wait(async {
                    if is_local {
                        assert!(opened.vault.create_local_secret(OLD.to_vec()).await.unwrap());
                    }
                    let root_key = |key| if is_local { RootKey::Local } else { given(key) };
                    let ids = fill(&open(opened, root_key(OLD)).await.unwrap()).await;
                    let cut = Cut::after(opened.clone(), changes, happens);
                    let through = Opened { engine: cut.clone(), vault: cut.clone() };
                    let rotated = open(&through, root_key(OLD)).await.unwrap().rotate_root_key(&NEXT).await;
                    let is_over = cut.is_whole();
                    assert_eq!(rotated.is_ok(), is_over);
                    if is_local {
                        check_whole(opened, &open(opened, RootKey::Local).await.unwrap(), &ids).await;
                    }
                    let key = opening_key(opened).await;
                    if key == OLD {
                        old += 1
                    } else {
                        new += 1
                    }
                    assert_eq!(opened.vault.local_secret().await.unwrap(), is_local.then_some(key.to_vec()));
                    if !is_local {
                        check_whole(opened, &open(opened, given(key)).await.unwrap(), &ids).await;
                    }
                    is_over
                });
                if is_over {
                    break;
                }
            }
            // The store's header decides: it is the second change.
            assert_eq!((old, new), (2 - i32::from(happens), 5 + i32::from(happens) + i32::from(is_local)), "{kept:?}");
        }
    }
}

#[test]
fn a_rotation_whose_outcome_is_unknown_is_repeated_or_replaced_while_the_store_is_open() {
    for next in [NEXT, OTHER] {
        for changes in 0..6 {
            let home = Kept::Memory.open();
            let opened = &home.opened;
            wait(async {
                assert!(opened.vault.create_local_secret(OLD.to_vec()).await.unwrap());
                let ids = fill(&open(opened, RootKey::Local).await.unwrap()).await;
                let cut = Cut::after(opened.clone(), changes, true);
                let store = open(&Opened { engine: cut.clone(), vault: cut.clone() }, RootKey::Local).await.unwrap();
                assert!(matches!(store.rotate_root_key(&NEXT).await, Err(Error::StoreUnavailable(_))));
                cut.mend();
                for (tenant, id) in TENANTS.iter().zip(&ids) {
                    assert!(handle(&store, tenant).references().resolve(id).await.is_ok(), "{tenant} {changes}");
                }
                store.rotate_root_key(&next).await.unwrap();
                check_whole(opened, &store, &ids).await;
                assert_eq!(opening_key(opened).await, next);
                assert_eq!(opened.vault.local_secret().await.unwrap(), Some(next.to_vec()));
            });
        }
    }
}

#[test]
fn a_key_of_another_length_is_refused_and_the_same_key_changes_nothing() {
    let home = Kept::Memory.open();
    wait(async {
        let store = open(&home.opened, given(OLD)).await.unwrap();
        let ids = fill(&store).await;
        let before = home.opened.vault.get(STORE_SLOT).await.unwrap();
        for length in [0, 16, 31, 33, 64] {
            assert!(matches!(store.rotate_root_key(&vec![2; length]).await, Err(Error::InvalidInput(_))), "{length}");
        }
        store.rotate_root_key(&OLD).await.unwrap();
        assert_eq!(home.opened.vault.get(STORE_SLOT).await.unwrap(), before);
        for (key, before) in [(NEXT, OLD), (OTHER, NEXT), (OLD, OTHER), (NEXT, OLD)] {
            store.rotate_root_key(&key).await.unwrap();
            assert!(matches!(open(&home.opened, given(before)).await, Err(Error::InvalidInput(_))));
        }
        check_whole(&home.opened, &open(&home.opened, given(NEXT)).await.unwrap(), &ids).await;
    });
}

#[test]
fn a_process_that_missed_a_rotation_is_refused_and_creates_no_tenant_under_the_old_key() {
    let home = Kept::Memory.open();
    wait(async {
        // As two processes would have it.
        let (here, there) =
            (open(&home.opened, given(OLD)).await.unwrap(), open(&home.opened, given(OLD)).await.unwrap());
        let ids = fill(&here).await;
        let known = handle(&there, TENANTS[0]);
        assert!(known.references().resolve(&ids[0]).await.is_ok());
        here.rotate_root_key(&NEXT).await.unwrap();
        assert!(known.references().resolve(&ids[0]).await.is_ok(), "who has the tenant's keys goes on");
        let told = |error: Error| {
            assert!(matches!(&error, Error::InvalidInput(message) if message.contains("rotated")), "{error:?}");
        };
        told(handle(&there, TENANTS[1]).references().resolve(&ids[1]).await.err().unwrap());
        told(handle(&there, "newcomer").references().put(vec![text("note", "lost")]).await.err().unwrap());
        told(there.rotate_root_key(&OTHER).await.unwrap_err());
        assert_eq!(here.check().await.unwrap().problems, Vec::<String>::new());
        check_whole(&home.opened, &here, &ids).await;
    });
}

#[test]
fn a_damaged_header_does_not_keep_the_others_from_being_wrapped() {
    let home = Kept::Memory.open();
    wait(async {
        let store = open(&home.opened, given(OLD)).await.unwrap();
        let ids = fill(&store).await;
        let name = home.opened.vault.names(Some(STORE_SLOT), 10).await.unwrap()[1];
        let mut slot = home.opened.vault.get(name).await.unwrap().unwrap();
        *slot.value.last_mut().unwrap() ^= 1;
        assert!(home.opened.vault.replace(name, slot.generation, slot.value).await.unwrap());
        drop(store);
        let store = open(&home.opened, given(OLD)).await.unwrap();
        store.rotate_root_key(&NEXT).await.unwrap();
        let mut whole = 0;
        for (tenant, id) in TENANTS.iter().zip(&ids) {
            match handle(&store, tenant).references().resolve(id).await {
                Ok(_) => whole += 1,
                Err(error) => assert!(matches!(error, Error::StoreCorrupt(_)), "{error:?}"),
            }
        }
        assert_eq!((whole, store.check().await.unwrap().count > 0), (2, true));
    });
}

#[test]
fn tenants_come_go_and_read_while_the_root_key_is_rotated() {
    for kept in Kept::ALL {
        let home = kept.open();
        wait(async {
            let store = open(&home.opened, given([0; 32])).await.unwrap();
            let working = Arc::new(AtomicBool::new(true));
            let workers: Vec<_> =
                (0..4).map(|worker| tokio::spawn(work(store.clone(), worker, working.clone()))).collect();
            let mut key = [0; 32];
            for rotation in 1..=20 {
                key = [rotation; 32];
                store.rotate_root_key(&key).await.unwrap();
            }
            working.store(false, Ordering::SeqCst);
            let mut kept = Vec::new();
            for worker in workers {
                kept.extend(worker.await.unwrap());
            }
            drop(store);
            let store = open(&home.opened, given(key)).await.unwrap();
            for (tenant, id) in &kept {
                assert!(handle(&store, tenant).references().resolve(id).await.is_ok(), "{tenant}");
            }
            let report = store.check().await.unwrap();
            assert_eq!((report.tenants, report.problems), (kept.len() as u64, Vec::new()));
        });
    }
}

/// Makes tenants, reads them by keys that are loaded anew, and erases every third. Those that are left.
async fn work(store: Arc<Store>, worker: usize, working: Arc<AtomicBool>) -> Vec<(String, String)> {
    let mut kept: Vec<(String, String)> = Vec::new();
    let mut number = 0;
    while working.load(Ordering::SeqCst) || number < 3 {
        let tenant = format!("tenant {worker} {number}");
        let id = put(&handle(&store, &tenant), text("note", &tenant)).await;
        assert!(handle(&store, &tenant).references().resolve(&id).await.is_ok());
        if number % 3 == 0 {
            handle(&store, &tenant).erase(&tenant).await.unwrap();
            assert_eq!(handle(&store, &tenant).references().resolve(&id).await.err(), Some(Error::NotFound));
        } else {
            kept.push((tenant, id));
        }
        if let Some((tenant, id)) = kept.get(number / 2) {
            assert!(handle(&store, tenant).references().resolve(id).await.is_ok());
        }
        number += 1;
        tokio::task::yield_now().await;
    }
    kept
}
