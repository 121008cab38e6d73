//! Several processes on one store: two stores on one engine stand for them.

use std::future::poll_fn;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use bailiwick_model::Error;
use bailiwick_model::json::Json;
use bailiwick_model::ledger::record::Decision;
use bailiwick_runtime::{
    ApprovalContext, ApprovalRequest, RequestedSubject, RunFilter, RunPosition, Store, TenantHandle,
};
use bailiwick_store::Opened;

use super::host::{Host, calls, gives, parsed, says};
use super::{both, catalogue, kinds, request, text, wait};
use crate::support::{Home, Kept, NOW, handle_of, shared, store};

/// Two processes with the same tenant.
async fn two(home: &Home) -> [(Arc<Store>, TenantHandle); 2] {
    let Opened { engine, vault } = shared(home.opened.clone());
    let one = store(Opened { engine: engine.clone(), vault: vault.clone() }, 1, NOW, 0).await;
    let other = store(Opened { engine, vault }, 1, NOW, 0).await;
    [one, other].map(|store| {
        let handle = handle_of(&store, "acme", "v1", "", &catalogue());
        (store, handle)
    })
}

/// Runs a test about two processes so many times on every engine.
fn on_every_engine(times: usize, test: impl AsyncFn([(Arc<Store>, TenantHandle); 2])) {
    for kept in Kept::ALL {
        for _ in 0..times {
            let home = kept.open();
            wait(async { test(two(&home).await).await });
        }
    }
}

/// A host whose model calls one tool and is done. The tool answers from the given call on; before, it never does.
fn host(answers_from: usize) -> Host {
    let asked = AtomicUsize::new(0);
    Host::new(
        |_, answers, _| if answers == 0 { calls(&[("search", r#"{"text":"x"}"#)]) } else { says("Done.") },
        move |_, _| if asked.fetch_add(1, Ordering::SeqCst) < answers_from { None } else { gives("1") },
    )
}

async fn status(handle: &TenantHandle, run_id: &str) -> String {
    let filter = RunFilter { status: None, thread_id: None, actor: None };
    let listed = handle.runs().list(&filter, 10, None).await.unwrap().items;
    let one = handle.runs().summary(run_id).await.unwrap();
    assert!(listed.iter().any(|run| **run == *one), "{one} in {listed:?}");
    text(&parsed(&one), "status").to_owned()
}

/// Waits until a tool was called.
pub(super) async fn called(host: &Host) {
    while host.world.calls.lock().is_empty() {
        tokio::task::yield_now().await;
    }
}

/// Works at a run until something else is done, and is gone then.
pub(super) async fn dies_after<T>(work: impl Future<Output = T>, meanwhile: impl Future<Output = ()>) {
    let (mut work, mut meanwhile) = (pin!(work), pin!(meanwhile));
    poll_fn(|context| {
        assert!(work.as_mut().poll(context).is_pending(), "it waits for its tool");
        meanwhile.as_mut().poll(context)
    })
    .await;
}

async fn start(handle: &TenantHandle, host: &Host) -> Result<Json, Error> {
    let prepared = handle.runs().prepare(None).unwrap();
    handle.runs().start(prepared, request("Go"), host).await.map(|result| parsed(&result))
}

#[test]
fn a_run_of_another_process_is_left_alone_until_its_lease_lapses() {
    on_every_engine(1, async |[(one, ours), (other, theirs)]| {
        let host = host(1);
        let prepared = ours.runs().prepare(None).unwrap();
        let run_id = prepared.run_id.clone();
        let meanwhile = async {
            called(&host).await;
            assert_eq!(status(&theirs, &run_id).await, "running");
            let refused = theirs.runs().resume(&run_id, &host).await.unwrap_err();
            assert!(matches!(refused, Error::ThreadBusy { .. }), "{refused:?}");
        };
        dies_after(ours.runs().start(prepared, request("Go"), &host), meanwhile).await;
        // It is gone now. Its own process knows at once, others once its lease has lapsed.
        assert_eq!(status(&ours, &run_id).await, "interrupted");
        assert_eq!(status(&theirs, &run_id).await, "running");
        assert!(matches!(theirs.runs().resume(&run_id, &host).await, Err(Error::ThreadBusy { .. })));
        one.advance(10_000);
        other.advance(10_000);
        assert_eq!(status(&theirs, &run_id).await, "interrupted");
        let filter = RunFilter { status: Some("interrupted".to_owned()), thread_id: None, actor: None };
        assert_eq!(theirs.runs().list(&filter, 10, None).await.unwrap().items.len(), 1);
        let result = parsed(&theirs.runs().resume(&run_id, &host).await.unwrap());
        assert_eq!((text(&result, "status"), text(&result, "text")), ("completed", "Done."));
        assert_eq!(status(&ours, &run_id).await, "completed");
    });
}

#[test]
fn of_two_processes_that_resume_a_run_one_continues_it() {
    on_every_engine(20, async |[(one, ours), (other, theirs)]| {
        let host = host(1);
        let prepared = ours.runs().prepare(None).unwrap();
        let run_id = prepared.run_id.clone();
        dies_after(ours.runs().start(prepared, request("Go"), &host), called(&host)).await;
        one.advance(10_000);
        other.advance(10_000);
        let results = both(ours.runs().resume(&run_id, &host), theirs.runs().resume(&run_id, &host)).await;
        let done = [&results.0, &results.1].iter().filter(|result| result.is_ok()).count();
        // The second may also come when the first is through, and is told the result.
        assert!(done >= 1, "{results:?}");
        assert_eq!(host.world.calls.lock().len(), 2, "the tool ran once for each worker: {results:?}");
    });
}

#[test]
fn a_run_that_another_process_cancels_ends_in_its_own_process() {
    on_every_engine(1, async |[(_one, ours), (_other, theirs)]| {
        let host = host(usize::MAX);
        let prepared = ours.runs().prepare(None).unwrap();
        let run_id = prepared.run_id.clone();
        let cancel = async {
            // Nothing more is written then, so that only the lease can tell.
            let called = |event: &String| event.contains("tool.called");
            while !(theirs.runs().events(&run_id, RunPosition::default(), false).await)
                .is_ok_and(|page| page.events.iter().any(called))
            {
                tokio::task::yield_now().await;
            }
            theirs.runs().cancel(&run_id).await.unwrap();
            assert_eq!(status(&theirs, &run_id).await, "cancelled");
        };
        let (ended, ()) = both(ours.runs().start(prepared, request("Go"), &host), cancel).await;
        assert!(matches!(ended, Err(Error::ThreadBusy { .. })), "{ended:?}");
        assert_eq!(status(&ours, &run_id).await, "cancelled");
    });
}

#[test]
fn a_follower_in_another_process_sees_every_event_to_the_end() {
    on_every_engine(1, async |[(_one, ours), (_other, theirs)]| {
        let host = host(0);
        let result = start(&ours, &host).await.unwrap();
        let first = text(&result, "runId").to_owned();
        let prepared = ours.runs().prepare(None).unwrap();
        let run_id = prepared.run_id.clone();
        let follow = async {
            while theirs.runs().summary(&run_id).await.is_err() {
                tokio::task::yield_now().await;
            }
            let (mut position, mut seen) = (RunPosition::default(), Vec::new());
            loop {
                let page = theirs.runs().events(&run_id, position, true).await.unwrap();
                seen.extend(page.events.iter().map(|event| parsed(event)));
                position = page.position;
                if page.over {
                    return seen;
                }
            }
        };
        let (ended, seen) = both(ours.runs().start(prepared, request("Go"), &host), follow).await;
        ended.unwrap();
        let events = |handle: TenantHandle, run_id: String| async move {
            handle.runs().events(&run_id, RunPosition::default(), false).await.unwrap().events
        };
        let all: Vec<Json> = events(ours, run_id).await.iter().map(|event| parsed(event)).collect();
        let whole = |events: &[Json]| -> Vec<String> {
            kinds(events).into_iter().filter(|kind| !kind.ends_with(".delta")).map(str::to_owned).collect()
        };
        assert_eq!(whole(&seen), whole(&all));
        assert_eq!(whole(&all).last().map(String::as_str), Some("run.completed"));
        let first = events(theirs, first).await;
        assert!(!first.is_empty());
    });
}

#[test]
fn two_processes_that_decide_about_the_same_approvals_decide_each_once() {
    const APPROVALS: usize = 40;
    on_every_engine(1, async |[(_one, ours), (_other, theirs)]| {
        let request = || ApprovalRequest {
            subject: RequestedSubject::Tool { tool: "send".to_owned(), input: Json::Number(1.0) },
            context: ApprovalContext::default(),
            requested_by: None,
            ttl_ms: None,
            rule: None,
        };
        let approvals = ours.approvals().request_all((0..APPROVALS).map(|_| request()).collect()).await.unwrap();
        let decide = async |handle: TenantHandle| {
            let mut decided = 0;
            for approval in &approvals {
                match handle.approvals().respond(&approval.approval_id, Decision::Approved, "kim", None).await {
                    Ok(_) => decided += 1,
                    Err(error) => assert!(matches!(error, Error::ApprovalClosed(_)), "{error:?}"),
                }
            }
            decided
        };
        let (mine, others) = both(decide(ours.clone()), decide(theirs)).await;
        assert_eq!(mine + others, APPROVALS);
        assert!(ours.approvals().verify(None).await.unwrap().problems.is_empty());
    });
}
