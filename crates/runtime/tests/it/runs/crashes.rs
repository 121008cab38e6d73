//! Death at every commit of a run with every kind of tool, an approval and a plan, before and after the commit; then the
//! run is resumed in a new process.

use std::sync::atomic::Ordering;

use bailiwick_model::Error;
use bailiwick_model::json::Json;
use bailiwick_model::ledger::record::Decision;
use bailiwick_runtime::{Reply, RunFilter, TenantHandle};
use bailiwick_store::Opened;

use super::dying::Dying;
use super::host::{Host, calls, gives, parsed, says};
use super::{events, kinds, open, request, text, wait};
use crate::support::{Kept, NOW};

const PLAN: &str = r#"{"goal":"Use it","steps":[
    {"id":"a","tool":"load","input":{}},
    {"id":"b","tool":"use","input":{"from":{"$step":"a"},"first":{"$step":"a","path":"/rows/0"}}}]}"#;

fn host() -> Host {
    Host::new(
        |agent, answers, last| match (agent, answers) {
            ("front", 0) => calls(&[
                ("search", r#"{"text":"x"}"#),
                ("book", r#"{"n":1}"#),
                ("mail", r#"{"n":2}"#),
                ("send", r#"{"n":3}"#),
            ]),
            ("front", 1) => calls(&[("planner", r#"{"task":"Plan it"}"#)]),
            ("front", 2) => says("All done."),
            ("planner", 0) => says(PLAN),
            _ => panic!("{agent} {answers} {last:?}"),
        },
        |tool, input| match tool {
            "load" => gives(r#"{"rows":[7,8,9]}"#),
            "use" => {
                assert_eq!(input.get("first").unwrap().as_f64(), Some(7.0));
                assert!(text(input, "from").starts_with("ref_"));
                gives("true")
            }
            _ => gives(r#""ok""#),
        },
    )
}

/// Goes on until the run is over, as somebody would who opens the store again and approves what waits.
async fn finish(handle: &TenantHandle, host: &Host) -> Option<Json> {
    for _ in 0..20 {
        let runs = handle.runs().list(&RunFilter::default(), 10, None).await.unwrap().items;
        let run = parsed(runs.first()?);
        for approval in handle.approvals().pending(100, None).await.unwrap().items {
            handle.approvals().respond(&approval.approval_id, Decision::Approved, "kim", None).await.unwrap();
        }
        let result = parsed(&handle.runs().resume(text(&run, "runId"), host).await.unwrap());
        if text(&result, "status") != "suspended" {
            return Some(result);
        }
    }
    panic!("the run does not end");
}

/// One life that ends at a commit, and another that finishes. How many commits the first one made.
async fn two_lives(
    kept: Kept,
    approver: Option<&'static str>,
    commits: usize,
    applies_the_last: bool,
) -> (usize, bool) {
    let home = kept.open();
    let dying = Dying::new(home.opened.engine.clone(), commits, applies_the_last);
    let first = Opened { engine: dying.clone(), vault: home.opened.vault.clone() };
    let mut host = host();
    host.approver = approver;
    // It may die while the store is made.
    let Ok(store) = crate::support::try_store(first, 1, NOW, 1 << 20).await else { return (commits, true) };
    dying.ticks(&store);
    let handle = super::handle_of(&store, "acme", "v1", "", &super::catalogue());
    let prepared = handle.runs().prepare(None).unwrap();
    let mut outcome = handle.runs().start(prepared, request("Go"), &host).await;
    let mut resumed = 0;
    while !dying.is_dead() && outcome.as_ref().is_ok_and(|result| text(&parsed(result), "status") == "suspended") {
        resumed += 1;
        assert!(resumed < 20);
        let run = text(&parsed(outcome.as_ref().unwrap()), "runId").to_owned();
        let Ok(pending) = handle.approvals().pending(100, None).await else { break };
        for approval in pending.items {
            let _ = handle.approvals().respond(&approval.approval_id, Decision::Approved, "kim", None).await;
        }
        outcome = handle.runs().resume(&run, &host).await;
    }
    let died = dying.is_dead();
    assert!(died || outcome.is_ok(), "{outcome:?}");
    drop((handle, store));
    let reborn = host.reborn();
    let (store, handle) =
        open(Opened { engine: home.opened.engine.clone(), vault: home.opened.vault.clone() }, 2).await;
    // Where others may be at work too, it counts as dead once its lease has lapsed.
    assert!(store.advance(20_000));
    let place = format!("{kept:?} {approver:?} died at {commits}, applied: {applies_the_last}");
    if let Some(result) = finish(&handle, &reborn).await {
        check(&handle, &reborn, &result, &place, died).await;
    } else {
        assert!(died, "{place}");
        assert!(host.world.calls.lock().is_empty(), "{place}");
    }
    store.close().await;
    (dying.commits.load(Ordering::SeqCst), died)
}

async fn check(handle: &TenantHandle, host: &Host, result: &Json, place: &str, died: bool) {
    assert_eq!((text(result, "status"), text(result, "text")), ("completed", "All done."), "{place}: {result:?}");
    let run_id = text(result, "runId");
    let events = events(handle, run_id).await;
    let completed = |tool: &str| {
        let called = |event: &&Json| text(event, "type") == "tool.called" && text(event, "tool") == tool;
        let call_id = text(events.iter().find(called).unwrap(), "callId");
        let is_done = |event: &&Json| {
            matches!(text(event, "type"), "tool.completed" | "tool.failed") && text(event, "callId") == call_id
        };
        let done: Vec<&Json> = events.iter().filter(is_done).collect();
        assert_eq!(done.len(), 1, "{place}: {tool} {done:?}");
        text(done[0], "type") == "tool.completed"
    };
    for tool in ["search", "book", "mail", "send", "load", "use"] {
        let executions = host.world.executions(tool);
        let count: usize = executions.values().sum();
        if tool == "mail" {
            // What may have been done is not done again, and the model is told. It may not even have begun.
            assert!(count == 1 || (died && count == 0), "{place}: {executions:?}");
            continue;
        }
        assert_eq!(executions.len(), 1, "{place}: one idempotency key for {tool}: {executions:?}");
        assert!(count == 1 || (died && count == 2), "{place}: {tool} {count}");
        assert!(completed(tool), "{place}: {tool}");
    }
    completed("mail");
    // Nothing runs without a decision about exactly that.
    let decided = handle.approvals().history(100, None).await.unwrap().items.len();
    let asked = kinds(&events).iter().filter(|kind| **kind == "approval.requested").count();
    assert_eq!(decided, asked, "{place}");
    assert!(host.world.executions("send").into_values().sum::<usize>() < decided, "{place}");
    assert!(handle.approvals().verify(None).await.unwrap().problems.is_empty(), "{place}");
    // The thread has the conversation once, and is free.
    let thread = text(result, "threadId");
    let messages = handle.threads().messages(thread, 100, None).await.unwrap().items;
    let mut roles: Vec<String> = messages.iter().map(|message| text(&parsed(message), "role").to_owned()).collect();
    // Results of a turn that waited for a person came before the others.
    roles.dedup_by(|role, before| role == "tool" && before == "tool");
    let results: Vec<&str> =
        messages.iter().flat_map(|message| message.split("\"type\":\"tool-result\"").skip(1)).collect();
    let calls: usize = messages.iter().map(|message| message.matches("\"type\":\"tool-call\"").count()).sum();
    assert_eq!(results.len(), calls, "{place}: {messages:?}");
    assert_eq!(roles, ["user", "assistant", "tool", "assistant", "tool", "assistant"], "{place}");
    let plans = handle.plans().list(10, None).await.unwrap().items;
    assert_eq!(
        plans.iter().map(|plan| plan.status).collect::<Vec<_>>(),
        [bailiwick_runtime::PlanStatus::Completed],
        "{place}"
    );
    let again = super::RunRequest { thread_id: Some(thread.to_owned()), ..request("Again") };
    let simple = Host::new(|_, _, _| says("Yes."), |_, _| -> Option<Reply> { panic!("no tools") });
    assert_eq!(text(&super::query(handle, again, &simple).await, "text"), "Yes.", "{place}");
    // What is over stays as it is.
    assert_eq!(parsed(&handle.runs().resume(run_id, &simple).await.unwrap()), *result, "{place}");
    assert_eq!(handle.runs().resume("run_aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", &simple).await, Err(Error::NotFound));
}

#[test]
fn a_run_that_dies_at_any_commit_ends_as_if_it_had_not_died() {
    wait(async {
        for approver in [None, Some(r#"{"decision":"approve","actor":"kim"}"#), Some(r#"{"decision":"defer"}"#)] {
            let (all, died) = two_lives(Kept::Memory, approver, usize::MAX, false).await;
            assert!(!died && all > 8, "{all}");
            for commits in 0..all {
                for applies_the_last in [false, true] {
                    let (_, died) = two_lives(Kept::Memory, approver, commits, applies_the_last).await;
                    assert!(died, "{commits} of {all}");
                }
            }
        }
    });
}

#[test]
fn the_same_on_disk_and_on_postgresql() {
    wait(async {
        let approver = Some(r#"{"decision":"approve","actor":"kim"}"#);
        let step = if crate::support::long() { 1 } else { 4 };
        for kept in [Kept::Sled, Kept::Postgres] {
            let (all, _) = two_lives(kept, approver, usize::MAX, false).await;
            for commits in (0..all).step_by(step) {
                two_lives(kept, approver, commits, commits % 8 == 0).await;
            }
        }
    });
}
