//! Queued runs: they begin in their order, wherever a process is, once their thread is free and their time has come.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use bailiwick_model::Error;
use bailiwick_model::json::Json;
use bailiwick_runtime::{DueRun, RunFilter, RunRequest, Store, TenantHandle, WhenBusy, WorkReason, take_work};

use super::host::{Host, calls, gives, parsed, says};
use super::processes::dies_after;
use super::scripted::{messages, on, parts};
use super::work::{LATEST, SECOND, decide, on_every_engine, process, taken};
use super::{both, events, kinds, text, wait};
use crate::support::{Kept, NOW};

pub(super) const THREAD: &str = "support";

/// A host whose model asks for a tool that needs an approval, whatever it is asked, and is done then.
pub(super) fn host() -> Host {
    Host::new(
        |_, _, last| if text(last, "role") == "user" { calls(&[("send", "{}")]) } else { says("Done.") },
        |_, _| gives("1"),
    )
}

/// A request to the thread.
pub(super) fn asks(prompt: &str, when_busy: WhenBusy) -> RunRequest {
    RunRequest { when_busy, ..on(THREAD, prompt) }
}

pub(super) async fn status(handle: &TenantHandle, run_id: &str) -> String {
    let summary = parsed(&handle.runs().summary(run_id).await.unwrap());
    text(&summary, "status").to_owned()
}

pub(crate) async fn is_queued(handle: &TenantHandle, run_id: &str) {
    while !handle.runs().summary(run_id).await.is_ok_and(|summary| summary.contains("queued")) {
        tokio::task::yield_now().await;
    }
}

/// Queues a request, and its process is gone then.
pub(super) async fn queued(handle: &TenantHandle, request: RunRequest, host: &Host) -> String {
    let prepared = handle.runs().prepare(None).unwrap();
    let run_id = prepared.run_id.clone();
    dies_after(handle.runs().start(prepared, request, host), is_queued(handle, &run_id)).await;
    run_id
}

/// Begins a run that waits for an approval.
pub(super) async fn begun(handle: &TenantHandle, request: RunRequest, host: &Host) -> Result<String, Error> {
    let prepared = handle.runs().prepare(None).unwrap();
    let result = parsed(&handle.runs().start(prepared, request, host).await?);
    assert_eq!(text(&result, "status"), "suspended");
    Ok(text(&result, "runId").to_owned())
}

/// Approves what a run asks, and goes on with it to its end.
pub(super) async fn finish(handle: &TenantHandle, run_id: &str, host: &Host) {
    for approval in handle.approvals().pending(100, None).await.unwrap().items {
        if approval.context.run_id.as_deref() == Some(run_id) {
            decide(handle, &approval.approval_id).await;
        }
    }
    let result = parsed(&handle.runs().resume(run_id, host).await.unwrap());
    assert_eq!(text(&result, "status"), "completed");
}

/// The prompts on the thread, in their order.
pub(super) async fn prompts(handle: &TenantHandle) -> Vec<String> {
    let of_users = messages(handle, THREAD).await.into_iter().filter(|message| text(message, "role") == "user");
    of_users.map(|message| text(&parts(&message)[0], "text").to_owned()).collect()
}

async fn take_up_all(store: &Arc<Store>, handle: &TenantHandle, host: &Host) -> Vec<DueRun> {
    let runs = taken(store).await;
    for run in &runs {
        handle.runs().take_up(&run.run_id, run.row, host).await.unwrap();
    }
    runs
}

fn busy_with<T: std::fmt::Debug>(outcome: Result<T, Error>) -> (String, &'static str) {
    match outcome {
        Err(Error::ThreadBusy { run: Some(busy), .. }) => (busy.run_id, busy.status),
        other => panic!("{other:?}"),
    }
}

#[test]
fn requests_that_wait_here_begin_in_their_order_by_themselves() {
    on_every_engine(async |home| {
        let (_store, handle) = process(&home.opened, NOW).await;
        let host = host();
        let first = begun(&handle, asks("0", WhenBusy::Queue), &host).await.unwrap();
        let prepared: Vec<_> = (0..4).map(|_| handle.runs().prepare(None).unwrap()).collect();
        let run_ids: Vec<String> = prepared.iter().map(|prepared| prepared.run_id.clone()).collect();
        let [one, two, three, four] = <[_; 4]>::try_from(prepared).ok().unwrap();
        // Each is asked once the one before it is queued.
        let start = |prepared, prompt: &'static str, before: Option<&'static usize>| {
            let (handle, host, run_ids) = (&handle, &host, &run_ids);
            Box::pin(async move {
                if let Some(before) = before {
                    is_queued(handle, &run_ids[*before]).await;
                }
                handle.runs().start(prepared, asks(prompt, WhenBusy::Queue), host).await
            })
        };
        let others = Box::pin(async {
            is_queued(&handle, &run_ids[3]).await;
            assert_eq!(prompts(&handle).await, ["0"]);
            handle.runs().cancel(&run_ids[1]).await.unwrap();
            for run_id in [&first, &run_ids[0], &run_ids[2], &run_ids[3]] {
                while status(&handle, run_id).await != "suspended" {
                    tokio::task::yield_now().await;
                }
                finish(&handle, run_id, &host).await;
            }
        });
        let front = both(start(one, "1", None), start(two, "2", Some(&0)));
        let waiting = both(front, both(start(three, "3", Some(&1)), start(four, "4", Some(&2))));
        let (((one, two), (three, four)), ()) = both(Box::pin(waiting), others).await;
        let statuses = [one, two, three, four].map(|result| text(&parsed(&result.unwrap()), "status").to_owned());
        assert_eq!(statuses, ["suspended", "cancelled", "suspended", "suspended"]);
        assert_eq!(prompts(&handle).await, ["0", "1", "3", "4"]);
        assert_eq!(kinds(&events(&handle, &run_ids[1]).await), ["run.queued", "run.cancelled"]);
        let shown = events(&handle, &run_ids[0]).await;
        assert_eq!(kinds(&shown)[..3], ["run.queued", "run.started", "agent.started"]);
        assert_eq!(text(&shown[0], "prompt"), "1");
    });
}

#[test]
fn queued_runs_of_a_dead_process_begin_in_the_next_in_their_order() {
    on_every_engine(async |home| {
        let host = host();
        let (store, handle) = process(&home.opened, NOW).await;
        let first = begun(&handle, asks("0", WhenBusy::Reject), &host).await.unwrap();
        let one = queued(&handle, asks("1", WhenBusy::Queue), &host).await;
        let two = queued(&handle, asks("2", WhenBusy::Queue), &host).await;
        drop((store, handle));
        let (store, handle) = process(&home.opened, NOW).await;
        let filter = RunFilter { status: Some("queued".to_owned()), ..RunFilter::default() };
        assert_eq!(handle.runs().list(&filter, 10, None).await.unwrap().items.len(), 2);
        assert_eq!(taken(&store).await, [], "the thread is not free");
        assert_eq!(busy_with(handle.runs().resume(&one, &host).await), (first.clone(), "suspended"));
        finish(&handle, &first, &host).await;
        assert_eq!(busy_with(begun(&handle, asks("x", WhenBusy::Reject), &host).await), (one.clone(), "queued"));
        assert_eq!(busy_with(handle.runs().resume(&two, &host).await), (one.clone(), "queued"));
        let runs = take_up_all(&store, &handle, &host).await;
        let found: Vec<_> = runs.iter().map(|run| (&run.run_id, run.reason)).collect();
        assert_eq!(found, [(&one, WorkReason::Queued)]);
        assert_eq!((status(&handle, &one).await, status(&handle, &two).await), ("suspended".into(), "queued".into()));
        // The next one begins when its predecessor is cancelled, too.
        handle.runs().cancel(&one).await.unwrap();
        assert_eq!(text(&parsed(&handle.runs().resume(&two, &host).await.unwrap()), "status"), "suspended");
        assert_eq!(prompts(&handle).await, ["0", "1", "2"]);
        finish(&handle, &two, &host).await;
        begun(&handle, asks("3", WhenBusy::Reject), &host).await.unwrap();
    });
}

#[test]
fn a_run_that_replaces_goes_before_those_that_wait() {
    on_every_engine(async |home| {
        let host = host();
        let (_store, handle) = process(&home.opened, NOW).await;
        let first = begun(&handle, asks("0", WhenBusy::Reject), &host).await.unwrap();
        let waits = queued(&handle, asks("1", WhenBusy::Queue), &host).await;
        let next = begun(&handle, asks("2", WhenBusy::Replace), &host).await.unwrap();
        assert_eq!(prompts(&handle).await, ["0", "2"]);
        assert_eq!(
            (status(&handle, &first).await, status(&handle, &waits).await),
            ("cancelled".into(), "queued".into())
        );
        finish(&handle, &next, &host).await;
        let last = begun(&handle, asks("3", WhenBusy::Replace), &host).await.unwrap();
        assert_eq!(status(&handle, &waits).await, "queued");
        finish(&handle, &last, &host).await;
        handle.runs().resume(&waits, &host).await.unwrap();
        assert_eq!(prompts(&handle).await, ["0", "2", "3", "1"]);
    });
}

#[test]
fn a_run_begins_at_its_time_or_in_its_turn_after_it() {
    on_every_engine(async |home| {
        let host = host();
        let (store, handle) = process(&home.opened, NOW).await;
        // The first question looks ahead.
        assert_eq!(taken(&store).await, []);
        let at = |prompt: &str, when_busy, seconds: u64| RunRequest {
            start_at: Some(NOW + seconds * SECOND),
            ..asks(prompt, when_busy)
        };
        let far = at("x", WhenBusy::Reject, 29 * 24 * 60 * 60 + 1);
        assert!(matches!(begun(&handle, far, &host).await, Err(Error::InvalidInput(_))));
        let first =
            begun(&handle, RunRequest { start_at: Some(NOW), ..asks("0", WhenBusy::Reject) }, &host).await.unwrap();
        let one = queued(&handle, at("1", WhenBusy::Reject, 5), &host).await;
        let two = queued(&handle, at("2", WhenBusy::Replace, 9), &host).await;
        assert_eq!(busy_with(handle.runs().resume(&one, &host).await), (one.clone(), "queued"));
        assert_eq!(taken(&store).await, []);
        // A run that only waits for its time keeps no other from the thread.
        finish(&handle, &first, &host).await;
        let between = begun(&handle, asks("b", WhenBusy::Reject), &host).await.unwrap();
        let three = queued(&handle, asks("3", WhenBusy::Queue), &host).await;
        store.advance(5 * SECOND);
        let runs = taken(&store).await;
        assert_eq!(runs.iter().map(|run| &run.run_id).collect::<Vec<_>>(), [&one]);
        let joined = handle.runs().take_up(&one, runs[0].row, &host).await;
        assert_eq!(busy_with(joined), (between.clone(), "suspended"));
        store.advance(4 * SECOND);
        let runs = take_up_all(&store, &handle, &host).await;
        assert_eq!(runs.iter().map(|run| &run.run_id).collect::<Vec<_>>(), [&two]);
        assert_eq!(status(&handle, &between).await, "cancelled");
        for run_id in [&two, &three, &one] {
            finish(&handle, run_id, &host).await;
            take_up_all(&store, &handle, &host).await;
        }
        assert_eq!(prompts(&handle).await, ["0", "b", "2", "3", "1"]);
        store.advance(2 * LATEST);
        assert_eq!(taken(&store).await, []);
    });
}

#[test]
fn queued_runs_of_a_deleted_thread_do_not_begin() {
    on_every_engine(async |home| {
        let host = host();
        let (store, handle) = process(&home.opened, NOW).await;
        begun(&handle, asks("0", WhenBusy::Reject), &host).await.unwrap();
        let waits = queued(&handle, asks("1", WhenBusy::Queue), &host).await;
        let at = Some(NOW + SECOND);
        let later = queued(&handle, RunRequest { start_at: at, ..asks("2", WhenBusy::Queue) }, &host).await;
        assert!(handle.threads().delete(THREAD).await.unwrap());
        store.advance(SECOND);
        take_up_all(&store, &handle, &host).await;
        assert_eq!(
            (status(&handle, &waits).await, status(&handle, &later).await),
            ("cancelled".into(), "cancelled".into())
        );
        assert_eq!(handle.threads().messages(THREAD, 10, None).await.unwrap_err(), Error::NotFound);
        begun(&handle, asks("3", WhenBusy::Queue), &host).await.unwrap();
        assert_eq!(prompts(&handle).await, ["3"]);
    });
}

#[test]
fn a_hundred_runs_wait_for_a_thread_at_most() {
    wait(async {
        let home = Kept::Memory.open();
        let host = host();
        let (_store, handle) = process(&home.opened, NOW).await;
        begun(&handle, asks("0", WhenBusy::Reject), &host).await.unwrap();
        let mut run_ids = Vec::new();
        for at in 0..100 {
            run_ids.push(queued(&handle, asks(&at.to_string(), WhenBusy::Queue), &host).await);
        }
        let refused = begun(&handle, asks("x", WhenBusy::Queue), &host).await;
        assert_eq!(busy_with(refused), (run_ids[0].clone(), "queued"));
        handle.runs().cancel(&run_ids[50]).await.unwrap();
        queued(&handle, asks("x", WhenBusy::Queue), &host).await;
    });
}

#[test]
fn a_process_that_leaves_the_queue_leaves_the_run_to_others() {
    on_every_engine(async |home| {
        let host = host();
        let (store, handle) = process(&home.opened, NOW).await;
        let first = begun(&handle, asks("0", WhenBusy::Reject), &host).await.unwrap();
        let prepared = handle.runs().prepare(None).unwrap();
        let run_id = prepared.run_id.clone();
        let leave = async {
            is_queued(&handle, &run_id).await;
            handle.runs().release_queued(&run_id);
        };
        let waiting = handle.runs().start(prepared, asks("1", WhenBusy::Queue), &host);
        let (ended, ()) = both(waiting, leave).await;
        assert!(matches!(ended, Err(Error::Closed(_))), "{ended:?}");
        finish(&handle, &first, &host).await;
        assert_eq!(take_up_all(&store, &handle, &host).await.len(), 1);
        assert_eq!(prompts(&handle).await, ["0", "1"]);
    });
}

#[test]
fn the_same_key_is_the_same_queued_run() {
    on_every_engine(async |home| {
        let host = host();
        let (_store, handle) = process(&home.opened, NOW).await;
        let first = begun(&handle, asks("0", WhenBusy::Reject), &host).await.unwrap();
        let start = async || {
            let prepared = handle.runs().prepare(Some("webhook")).unwrap();
            handle.runs().start(prepared, asks("1", WhenBusy::Queue), &host).await
        };
        let goes_on = async {
            let run_id = handle.runs().prepare(Some("webhook")).unwrap().run_id;
            is_queued(&handle, &run_id).await;
            finish(&handle, &first, &host).await;
        };
        let ((one, two), ()) = both(both(start(), start()), goes_on).await;
        let results = [one, two].map(|result| parsed(&result.unwrap()));
        assert_eq!(text(&results[0], "runId"), text(&results[1], "runId"));
        assert_eq!(prompts(&handle).await, ["0", "1"]);
    });
}

#[test]
fn a_follower_of_a_queued_run_sees_it_wait_and_go_on() {
    on_every_engine(async |home| {
        let host = host();
        let (store, handle) = process(&home.opened, NOW).await;
        let first = begun(&handle, asks("0", WhenBusy::Reject), &host).await.unwrap();
        let run_id = queued(&handle, asks("1", WhenBusy::Queue), &host).await;
        let follow = async {
            let (mut seen, mut position) = (Vec::<Json>::new(), bailiwick_runtime::RunPosition::default());
            while !seen.iter().any(|event| text(event, "type") == "run.suspended") {
                let page = handle.runs().events(&run_id, position, true).await.unwrap();
                assert!(!page.over);
                seen.extend(page.events.iter().map(|event| parsed(event)));
                position = page.position;
            }
            seen
        };
        let go_on = async {
            finish(&handle, &first, &host).await;
            take_up_all(&store, &handle, &host).await;
        };
        let (seen, ()) = both(follow, go_on).await;
        assert_eq!(kinds(&seen)[..3], ["run.queued", "run.started", "agent.started"]);
    });
}

/// Takes up what is due and decides what is asked, until nothing more happens or the store fails.
pub(super) async fn settle(store: &Arc<Store>, handle: &TenantHandle, host: &Host) -> Result<(), Error> {
    for _ in 0..12 {
        for approval in handle.approvals().pending(100, None).await?.items {
            let approved = bailiwick_model::ledger::record::Decision::Approved;
            handle.approvals().respond(&approval.approval_id, approved, "kim", None).await?;
        }
        for work in take_work(store, 100, 100, Duration::ZERO).await? {
            for run in work.runs {
                match handle.runs().take_up(&run.run_id, run.row, host).await {
                    Ok(_) | Err(Error::ThreadBusy { .. }) => {}
                    Err(error) => return Err(error),
                }
            }
        }
        store.advance(LATEST);
    }
    Ok(())
}

/// A number for what must not be the same twice.
pub(super) fn next_number() -> u64 {
    static NEXT: std::sync::atomic::AtomicU64 = std::sync::atomic::AtomicU64::new(0);
    NEXT.fetch_add(1, Ordering::SeqCst)
}
