//! Death at every commit of a run that leaves calls open, of those that go on with them, and of another one in between.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use bailiwick_model::Error;
use bailiwick_model::ledger::record::Decision;
use bailiwick_runtime::{Store, TenantHandle, WaitFilter, WhenBusy, take_work};
use bailiwick_store::Opened;

use super::dying::Dying;
use super::host::{Host, parsed};
use super::left::{MINUTE, host, pending, process, shape, statuses, team};
use super::queue::{THREAD, asks};
use super::{text, wait};
use crate::support::{Home, Kept, NOW, handle_of, try_store};

/// One life that ends at a commit, and another that goes on. Returns how many commits the first one made, and whether it died.
async fn two_lives(home: &Home, commits: usize, applies_the_last: bool) -> (usize, bool) {
    let dying = Dying::new(home.opened.engine.clone(), commits, applies_the_last);
    let first = Opened { engine: dying.clone(), vault: home.opened.vault.clone() };
    let host = host();
    let Ok(store) = try_store(first, 1, NOW, 1 << 20).await else { return (commits, true) };
    let handle = handle_of(&store, "acme", "v1", "", &team());
    let outcome = story(&store, &handle, &host).await;
    let died = dying.is_dead();
    assert!(died || outcome.is_ok(), "{outcome:?}");
    drop((handle, store));
    let place = format!("died at {commits}, applied: {applies_the_last}");
    let (store, handle) = process(&home.opened, 2, NOW + 60 * MINUTE).await;
    let reborn = host.reborn();
    story(&store, &handle, &reborn).await.unwrap();
    check(&handle, &host, if died { 2 } else { 1 }, &place).await;
    (dying.commits.load(Ordering::SeqCst), died)
}

/// Checks that everything was done, and each call under one key, at most so many times.
async fn check(handle: &TenantHandle, host: &Host, times: usize, place: &str) {
    let shape = shape(handle).await;
    let (first, rest) = shape.split_at(4);
    assert_eq!(first, ["user", "assistant", "waiting+waiting", "assistant"], "{place}");
    let count = |state: &str| rest.iter().filter(|one| one.split('+').any(|one| one == state)).count();
    let late: usize = rest.iter().map(|one| one.split('+').filter(|one| *one == "late").count()).sum();
    assert_eq!((late, count("user"), count("waiting")), (2, 1, 0), "{place}: {shape:?}");
    assert_eq!(rest.last().map(String::as_str), Some("assistant"), "{place}: {shape:?}");
    for tool in ["later", "signed"] {
        let made = host.world.executions(tool);
        assert_eq!(made.len(), 1, "{place}: {tool} under one key: {made:?}");
        assert!(made.values().sum::<usize>() <= times, "{place}: {tool}");
    }
    assert!(statuses(handle).await.iter().all(|status| status == "completed"), "{place}");
    assert_eq!(pending(handle).await, (vec![], vec![]), "{place}");
}

/// One life whose disk is full after so many commits, until some were refused. Returns whether it was.
async fn life_on_a_full_disk(commits: usize, refused: usize) -> bool {
    let home = Kept::Memory.open();
    let full = Dying::full(home.opened.engine.clone(), commits, refused);
    let opened = Opened { engine: full.clone(), vault: home.opened.vault.clone() };
    let host = host();
    let mut store = try_store(opened.clone(), 1, NOW, 1 << 20).await;
    for _ in 0..refused {
        if store.is_err() {
            store = try_store(opened.clone(), 1, NOW, 1 << 20).await;
        }
    }
    let store = store.unwrap();
    let handle = handle_of(&store, "acme", "v1", "", &team());
    let place = format!("full at {commits}, for {refused}");
    let mut failures = 0;
    while let Err(error) = story(&store, &handle, &host).await {
        assert!(matches!(error, Error::StoreUnavailable(_)), "{place}: {error:?}");
        failures += 1;
        assert!(failures <= refused + 1, "{place}: {error:?}");
        // What has failed is left alone for a while.
        store.advance(10 * MINUTE);
    }
    check(&handle, &host, 1 + refused, &place).await;
    full.commits.load(Ordering::SeqCst) > commits
}

/// Does what is not done yet of this: a prompt, another one, what the first one's calls wait for.
async fn story(store: &Arc<Store>, handle: &TenantHandle, host: &Host) -> Result<(), Error> {
    for (prompt, number) in [("later signed", 0), ("Hello", 1)] {
        for _ in 0..8 {
            for run in take_work(store, 100, 100, Duration::ZERO).await?.into_iter().flat_map(|of| of.runs) {
                match handle.runs().take_up(&run.run_id, run.row, host).await {
                    Ok(_) | Err(Error::ThreadBusy { .. }) => {}
                    Err(error) => return Err(error),
                }
            }
        }
        let users = match handle.threads().messages(THREAD, 100, None).await {
            Ok(page) => page.items.iter().filter(|message| message.contains(r#""role":"user""#)).count(),
            Err(Error::NotFound) => 0,
            Err(error) => return Err(error),
        };
        if users == number {
            handle.runs().start(handle.runs().prepare(None)?, asks(prompt, WhenBusy::Reject), host).await?;
        }
    }
    for wait in handle.waits().list(&WaitFilter::default(), 100, None).await?.items {
        match handle.waits().settle(text(&parsed(&wait), "waitId"), br#"{"value":1}"#, None).await {
            Ok(_) | Err(Error::WaitClosed(_)) => {}
            Err(error) => return Err(error),
        }
    }
    take(store, handle, host).await?;
    for approval in handle.approvals().pending(100, None).await?.items {
        handle.approvals().respond(&approval.approval_id, Decision::Approved, "kim", None).await?;
    }
    take(store, handle, host).await
}

async fn take(store: &Arc<Store>, handle: &TenantHandle, host: &Host) -> Result<(), Error> {
    for _ in 0..4 {
        let work = take_work(store, 100, 100, Duration::ZERO).await?;
        for run in work.into_iter().flat_map(|tenant| tenant.runs) {
            handle.runs().take_up(&run.run_id, run.row, host).await?;
        }
    }
    Ok(())
}

#[test]
fn nothing_is_lost_or_doubled_whichever_commit_a_process_dies_at() {
    wait(async {
        let (all, died) = two_lives(&Kept::Memory.open(), usize::MAX, false).await;
        assert!(!died && all > 10, "{all}");
        for commits in 0..all {
            for applies_the_last in [false, true] {
                two_lives(&Kept::Memory.open(), commits, applies_the_last).await;
            }
        }
    });
}

#[test]
fn the_same_on_disk_and_on_postgresql() {
    wait(async {
        let step = if crate::support::long() { 1 } else { 6 };
        for kept in [Kept::Sled, Kept::Postgres] {
            let (all, _) = two_lives(&kept.open(), usize::MAX, false).await;
            for commits in (0..all).step_by(step) {
                two_lives(&kept.open(), commits, commits % 12 == 0).await;
            }
        }
    });
}

#[test]
fn nothing_is_lost_or_doubled_whenever_the_disk_is_full_for_a_while() {
    wait(async {
        for refused in [1, 3] {
            let mut commits = 0;
            while life_on_a_full_disk(commits, refused).await {
                commits += 1;
            }
            assert!(commits > 10, "{commits}");
        }
    });
}
