//! Death at every commit of runs that are queued, begin, end, are cancelled and replace each other: whatever is left goes on.

use std::pin::pin;
use std::sync::atomic::Ordering;

use bailiwick_model::Error;
use bailiwick_runtime::{PreparedRun, RunRequest, TenantHandle, WhenBusy};
use bailiwick_store::Opened;

use super::dying::Dying;
use super::host::{Host, parsed};
use super::queue::{THREAD, asks, host, prompts, settle, status};
use super::work::{SECOND, process};
use super::{catalogue, text, wait};
use crate::support::{Kept, NOW, handle_of, try_store};

/// Works at a request until it is queued, or to its end.
pub(super) async fn begin(
    handle: &TenantHandle,
    prepared: PreparedRun,
    request: RunRequest,
    host: &Host,
) -> Result<(), Error> {
    let run_id = prepared.run_id.clone();
    let mut work = pin!(handle.runs().start(prepared, request, host));
    let is_queued = async {
        while !handle.runs().summary(&run_id).await.is_ok_and(|summary| summary.contains("queued")) {
            tokio::task::yield_now().await;
        }
    };
    tokio::select! {
        outcome = &mut work => outcome.map(drop),
        () = is_queued => Ok(()),
    }
}

/// One life that ends at a commit, and another that goes on. Returns how many commits the first one made, and whether it died.
async fn two_lives(kept: Kept, commits: usize, applies_the_last: bool) -> (usize, bool) {
    let home = kept.open();
    let dying = Dying::new(home.opened.engine.clone(), commits, applies_the_last);
    let first = Opened { engine: dying.clone(), vault: home.opened.vault.clone() };
    let host = host();
    let Ok(store) = try_store(first, 1, NOW, 1 << 20).await else { return (commits, true) };
    let handle = handle_of(&store, "acme", "v1", "", &catalogue());
    let requests = [
        asks("0", WhenBusy::Reject),
        asks("1", WhenBusy::Queue),
        asks("cancelled", WhenBusy::Queue),
        RunRequest { start_at: Some(NOW + SECOND), ..asks("2", WhenBusy::Reject) },
        asks("replaces", WhenBusy::Replace),
    ];
    let mut run_ids = Vec::new();
    let life = async {
        for request in requests {
            let prepared = handle.runs().prepare(None)?;
            run_ids.push(prepared.run_id.clone());
            begin(&handle, prepared, request, &host).await?;
        }
        handle.runs().cancel(&run_ids[2]).await?;
        settle(&store, &handle, &host).await
    };
    let outcome = life.await;
    let died = dying.is_dead();
    assert!(died || outcome.is_ok(), "{outcome:?}");
    let place = format!("{kept:?} died at {commits}, applied: {applies_the_last}");
    drop((handle, store));
    let reborn = host.reborn();
    let (store, handle) = process(&home.opened, NOW).await;
    store.advance(40 * SECOND);
    settle(&store, &handle, &reborn).await.unwrap();
    check(&handle, &run_ids, &place).await;
    // The thread is free.
    let prepared = handle.runs().prepare(None).unwrap();
    let run_id = prepared.run_id.clone();
    begin(
        &handle,
        prepared,
        RunRequest { thread_id: Some(THREAD.to_owned()), ..asks("last", WhenBusy::Reject) },
        &reborn,
    )
    .await
    .unwrap();
    assert_eq!(status(&handle, &run_id).await, "suspended", "{place}");
    store.close().await;
    (dying.commits.load(Ordering::SeqCst), died)
}

/// Each run is over, and each prompt of one that began is on the thread once, in its order.
async fn check(handle: &TenantHandle, run_ids: &[String], place: &str) {
    let mut begun = Vec::new();
    for (run_id, prompt) in run_ids.iter().zip(["0", "1", "cancelled", "2", "replaces"]) {
        let Ok(summary) = handle.runs().summary(run_id).await else { continue };
        let (summary, shown) = (parsed(&summary), super::events(handle, run_id).await);
        let status = text(&summary, "status").to_owned();
        assert!(matches!(status.as_str(), "completed" | "cancelled"), "{place}: {prompt} is {status}");
        if super::kinds(&shown).contains(&"run.started") {
            begun.push(prompt);
        } else {
            assert_eq!((prompt, status.as_str()), ("cancelled", "cancelled"), "{place}");
        }
    }
    if !begun.is_empty() {
        let mut said = prompts(handle).await;
        let order: Vec<&str> = said.iter().map(String::as_str).filter(|prompt| *prompt != "replaces").collect();
        let expected: Vec<&str> = ["0", "1", "cancelled", "2"].into_iter().filter(|one| begun.contains(one)).collect();
        assert_eq!(order, expected, "{place}");
        said.sort_unstable();
        let mut begun: Vec<String> = begun.iter().map(|prompt| (*prompt).to_owned()).collect();
        begun.sort_unstable();
        assert_eq!(said, begun, "{place}: each once");
    }
}

#[test]
fn queued_runs_go_on_whichever_commit_their_process_dies_at() {
    wait(async {
        let (all, died) = two_lives(Kept::Memory, usize::MAX, false).await;
        assert!(!died && all > 20, "{all}");
        for commits in 0..all {
            for applies_the_last in [false, true] {
                two_lives(Kept::Memory, commits, applies_the_last).await;
            }
        }
    });
}

#[test]
fn the_same_on_disk_and_on_postgresql() {
    wait(async {
        let step = if crate::support::long() { 1 } else { 8 };
        for kept in [Kept::Sled, Kept::Postgres] {
            let (all, _) = two_lives(kept, usize::MAX, false).await;
            for commits in (0..all).step_by(step) {
                two_lives(kept, commits, commits % 16 == 0).await;
            }
        }
    });
}
