//! Calls that a completed run leaves open: once one of them ends, another run goes on with them in the thread.

use std::sync::Arc;

use bailiwick_model::Error;
use bailiwick_model::json::{self, Json};
use bailiwick_model::ledger::record::Decision;
use bailiwick_model::spec::RunLimits;
use bailiwick_runtime::{
    Catalogue, Promptness, RunFilter, RunRequest, Store, TenantHandle, WaitFilter, WhenBusy, sweep,
};
use bailiwick_store::Opened;

use super::host::{Host, calls, gives, parsed, says};
use super::queue::THREAD;
use super::queue::{asks, queued, status};
use super::scripted::{messages, parts};
use super::work::{LATEST, taken};
use super::{both, events, kinds, query, text, wait};
use crate::support::{Kept, NOW, handle_of, shared};

pub(super) const MINUTE: u64 = 60_000;

/// Tools that go on while they wait, one that waits twice, one that holds its run up, and one that a person must approve of.
pub(super) const TEAM: &str = r#"{"bailiwick":1,
  "tools":[
    {"name":"later","description":"Waits","onInterrupted":"retry","whileWaiting":"continue","input":{"type":"object"}},
    {"name":"twice","description":"Waits twice","onInterrupted":"retry","whileWaiting":"continue","input":{"type":"object"}},
    {"name":"held","description":"Waits","onInterrupted":"retry","input":{"type":"object"}},
    {"name":"signed","description":"Asks","approval":"always","onInterrupted":"retry","whileWaiting":"continue","input":{"type":"object"}}
  ],
  "agents":[{"role":"specialist","name":"front","model":"test/m","prompt":"Help.","tools":["later","twice","held","signed"]}]}"#;

pub(super) fn team() -> Arc<Catalogue> {
    Arc::new(Catalogue::from_json(&parsed(TEAM)).unwrap())
}

/// A host whose model calls the tools that a prompt names, and says how many messages it was given when it is told anything else.
pub(super) fn host() -> Host {
    let host = Host::new(
        |_, answers, last| {
            let said = json::write(last);
            let named: Vec<(&str, &str)> = ["later", "twice", "held", "signed"]
                .into_iter()
                .filter(|tool| text(last, "role") == "user" && said.contains(tool))
                .map(|tool| (tool, "{}"))
                .collect();
            if named.is_empty() { says(&format!("Said {answers}.")) } else { calls(&named) }
        },
        |tool, _| gives(&format!(r#""{tool} is done""#)),
    );
    host.waiting(|tool, resumed| {
        let turn = resumed.map_or(0, |resumed| resumed.get("turn").unwrap().as_f64().unwrap() as u64);
        let waits = matches!((tool, turn), ("later" | "held" | "twice", 0) | ("twice", 1));
        waits.then(|| r#"{"kind":"event","name":"e"}"#.to_owned())
    })
}

pub(super) async fn process(opened: &Opened, seed: u64, now: u64) -> (Arc<Store>, TenantHandle) {
    let opened = Opened { engine: opened.engine.clone(), vault: opened.vault.clone() };
    let store = crate::support::store(opened, seed, now, 1 << 20).await;
    let handle = handle_of(&store, "acme", "v1", "", &team());
    (store, handle)
}

/// The open waits and the pending approvals.
pub(super) async fn pending(handle: &TenantHandle) -> (Vec<String>, Vec<String>) {
    let waits = handle.waits().list(&WaitFilter::default(), 100, None).await.unwrap().items;
    let open = waits.iter().map(|wait| parsed(wait)).filter(|wait| text(wait, "status") == "open");
    let approvals = handle.approvals().pending(100, None).await.unwrap().items;
    (
        open.map(|wait| text(&wait, "waitId").to_owned()).collect(),
        approvals.into_iter().map(|approval| approval.approval_id).collect(),
    )
}

pub(super) async fn settle_all(handle: &TenantHandle) {
    for wait_id in pending(handle).await.0 {
        handle.waits().settle(&wait_id, br#"{"value":1}"#, None).await.unwrap();
    }
}

pub(super) async fn approve_all(handle: &TenantHandle) {
    for approval_id in pending(handle).await.1 {
        handle.approvals().respond(&approval_id, Decision::Approved, "kim", None).await.unwrap();
    }
}

/// Takes up what is due, as a host does. Returns the results; `None` for one whose thread is busy.
pub(super) async fn take_up_all(store: &Arc<Store>, handle: &TenantHandle, host: &Host) -> Vec<Option<Json>> {
    let mut results = Vec::new();
    for run in taken(store).await {
        match handle.runs().take_up(&run.run_id, run.row, host).await {
            Ok(result) => results.push(Some(parsed(&result))),
            Err(Error::ThreadBusy { .. }) => results.push(None),
            Err(error) => panic!("{error:?}"),
        }
    }
    results
}

/// The messages of the thread, in short: the role, and the state and the tool of results.
pub(super) async fn shape(handle: &TenantHandle) -> Vec<String> {
    let messages = messages(handle, THREAD).await;
    let shape = messages.iter().map(|message| {
        let states = parts(message).iter().filter_map(|part| part.get("state").and_then(Json::as_str));
        let states: Vec<&str> = states.collect();
        if states.is_empty() { text(message, "role").to_owned() } else { states.join("+") }
    });
    shape.collect()
}

pub(super) async fn statuses(handle: &TenantHandle) -> Vec<String> {
    let runs = handle.runs().list(&RunFilter::default(), 100, None).await.unwrap().items;
    runs.iter().rev().map(|run| text(&parsed(run), "status").to_owned()).collect()
}

#[test]
fn the_thread_is_free_and_each_result_begins_a_run_of_its_own() {
    for kept in Kept::ALL {
        let home = kept.open();
        wait(async {
            let (store, handle) = process(&home.opened, 1, NOW).await;
            let host = host();
            let result = query(&handle, asks("later signed", WhenBusy::Reject), &host).await;
            assert_eq!((text(&result, "status"), text(&result, "text")), ("completed", "Said 1."));
            assert_eq!(result.get("waiting").unwrap().as_array().unwrap().len(), 2);
            assert_eq!(taken(&store).await, []);
            // The chat goes on.
            let other = query(&handle, asks("Hello", WhenBusy::Reject), &host).await;
            assert_eq!(text(&other, "status"), "completed");
            settle_all(&handle).await;
            let late = take_up_all(&store, &handle, &host).await;
            let [Some(late)] = late.as_slice() else { panic!("{late:?}") };
            assert_eq!((text(late, "status"), text(late, "text")), ("completed", "Said 3."));
            assert_eq!(late.get("waiting").unwrap().as_array().unwrap().len(), 1);
            assert_eq!(host.world.executions("later").len(), 1);
            let shown = events(&handle, text(late, "runId")).await;
            assert_eq!(text(shown[0].get("continues").unwrap(), "runId"), text(&result, "runId"));
            assert_eq!(text(&shown[0], "prompt"), "");
            approve_all(&handle).await;
            let last = take_up_all(&store, &handle, &host).await;
            let [Some(last)] = last.as_slice() else { panic!("{last:?}") };
            assert!(last.get("waiting").is_none(), "{last:?}");
            assert_eq!(host.world.executions("signed").len(), 1);
            assert_eq!(
                shape(&handle).await,
                [
                    "user",
                    "assistant",
                    "waiting+waiting",
                    "assistant",
                    "user",
                    "assistant",
                    "late",
                    "assistant",
                    "late",
                    "assistant"
                ]
            );
            assert_eq!(statuses(&handle).await, ["completed"; 4]);
            // Whoever resumes the first gets the last.
            let again = parsed(&handle.runs().resume(text(&result, "runId"), &host).await.unwrap());
            assert_eq!(text(&again, "runId"), text(last, "runId"));
            store.advance(3 * LATEST);
            assert_eq!(taken(&store).await, []);
        });
    }
}

#[test]
fn a_call_that_waits_again_and_again_reaches_the_limits_of_its_request() {
    wait(async {
        let home = Kept::Memory.open();
        let (store, handle) = process(&home.opened, 1, NOW).await;
        let host = host().waiting(|_, _| Some(r#"{"kind":"event","name":"e"}"#.to_owned()));
        let limits = RunLimits { max_tool_calls: Some(3), ..RunLimits::default() };
        let first = query(&handle, RunRequest { limits, ..asks("later", WhenBusy::Reject) }, &host).await;
        assert_eq!(text(&first, "status"), "completed");
        let mut statuses = Vec::new();
        for _ in 0..8 {
            settle_all(&handle).await;
            for result in take_up_all(&store, &handle, &host).await.into_iter().flatten() {
                statuses.push(text(&result, "status").to_owned());
            }
        }
        // The first run that goes on has three calls as well, and the others have what it leaves of them. The first time that the call
        // is made again counts with its beginning.
        assert_eq!(statuses, ["completed", "completed", "completed", "completed", "limited"]);
        assert_eq!(pending(&handle).await.0, [""; 0]);
        store.advance(3 * LATEST);
        assert_eq!(taken(&store).await, []);
    });
}

#[test]
fn a_run_with_a_late_result_waits_for_its_thread_in_its_turn() {
    wait(async {
        let home = Kept::Memory.open();
        let (store, handle) = process(&home.opened, 1, NOW).await;
        let host = host();
        query(&handle, asks("later", WhenBusy::Reject), &host).await;
        let held = query(&handle, asks("held", WhenBusy::Reject), &host).await;
        assert_eq!(text(&held, "status"), "suspended");
        let before = queued(&handle, asks("First", WhenBusy::Queue), &host).await;
        let (waits, _) = pending(&handle).await;
        let later = waits.last().unwrap();
        handle.waits().settle(later, br#"{"value":1}"#, None).await.unwrap();
        assert_eq!(take_up_all(&store, &handle, &host).await, [None], "it is queued");
        assert_eq!(statuses(&handle).await, ["completed", "suspended", "queued", "queued"]);
        let behind = queued(&handle, asks("Last", WhenBusy::Queue), &host).await;
        store.advance(2 * LATEST);
        take_up_all(&store, &handle, &host).await;
        assert_eq!(statuses(&handle).await[3], "queued");
        settle_all(&handle).await;
        for _ in 0..6 {
            take_up_all(&store, &handle, &host).await;
        }
        assert_eq!(statuses(&handle).await, ["completed"; 5]);
        assert_eq!(status(&handle, &before).await, "completed");
        let order: Vec<String> = shape(&handle).await;
        assert_eq!(
            order,
            [
                "user",
                "assistant",
                "waiting",
                "assistant",
                "user",
                "assistant",
                "tool",
                "assistant",
                "user",
                "assistant",
                "late",
                "assistant",
                "user",
                "assistant"
            ]
        );
        let last = messages(&handle, THREAD).await;
        assert_eq!(text(&last[12], "runId"), behind);
        assert_eq!(kinds(&events(&handle, text(&last[10], "runId")).await)[..2], ["run.queued", "run.started"]);
    });
}

#[test]
fn a_handler_that_waits_again_is_called_with_the_same_key_and_says_nothing_in_between() {
    wait(async {
        let home = Kept::Memory.open();
        let (store, handle) = process(&home.opened, 1, NOW).await;
        let host = host();
        query(&handle, asks("twice", WhenBusy::Reject), &host).await;
        settle_all(&handle).await;
        let silent = take_up_all(&store, &handle, &host).await;
        let silent = silent[0].as_ref().unwrap();
        assert_eq!((text(silent, "status"), text(silent, "text")), ("completed", ""));
        assert_eq!(shape(&handle).await, ["user", "assistant", "waiting", "assistant"]);
        assert_eq!(query(&handle, asks("Hello", WhenBusy::Reject), &host).await.get("waiting"), None);
        settle_all(&handle).await;
        let last = take_up_all(&store, &handle, &host).await;
        assert_eq!(text(last[0].as_ref().unwrap(), "text"), "Said 3.");
        assert_eq!(host.world.executions("twice").values().sum::<usize>(), 1);
        let waits = handle.waits().list(&WaitFilter::default(), 10, None).await.unwrap().items;
        assert_eq!(waits.len(), 2);
        assert!(pending(&handle).await.0.is_empty());
    });
}

#[test]
fn a_steered_prompt_lets_the_run_complete_and_the_approval_stay_open() {
    wait(async {
        let home = Kept::Memory.open();
        let (store, handle) = process(&home.opened, 1, NOW).await;
        let host = host();
        let first = query(&handle, asks("held", WhenBusy::Reject), &host).await;
        assert_eq!(text(&first, "status"), "suspended");
        let steered = query(&handle, asks("How is it going?", WhenBusy::Steer), &host).await;
        assert_eq!((text(&steered, "status"), text(&steered, "runId")), ("completed", text(&first, "runId")));
        assert_eq!(pending(&handle).await.0.len(), 1);
        settle_all(&handle).await;
        take_up_all(&store, &handle, &host).await;
        assert_eq!(shape(&handle).await, ["user", "assistant", "waiting", "user", "assistant", "late", "assistant"]);
    });
}

#[test]
fn what_is_left_is_closed_with_its_thread() {
    wait(async {
        let home = Kept::Memory.open();
        let (store, handle) = process(&home.opened, 1, NOW).await;
        let host = host();
        query(&handle, asks("later signed", WhenBusy::Reject), &host).await;
        query(&handle, asks("later", WhenBusy::Reject), &host).await;
        assert_eq!(pending(&handle).await.0.len(), 2);
        assert!(handle.threads().delete(THREAD).await.unwrap());
        assert_eq!(pending(&handle).await, (vec![], vec![]));
        store.advance(3 * LATEST);
        assert_eq!(take_up_all(&store, &handle, &host).await, []);
        assert_eq!(statuses(&handle).await, ["completed"; 2]);
        // The same where the run that goes on is queued.
        query(&handle, asks("later", WhenBusy::Reject), &host).await;
        settle_all(&handle).await;
        query(&handle, asks("held", WhenBusy::Reject), &host).await;
        assert_eq!(take_up_all(&store, &handle, &host).await, [None]);
        assert!(handle.threads().delete(THREAD).await.unwrap());
        assert_eq!(pending(&handle).await, (vec![], vec![]));
        assert_eq!(statuses(&handle).await[2..], ["completed", "cancelled", "cancelled"]);
        let usage = handle.usage().await.unwrap();
        assert_eq!(usage.iter().find(|(kind, _)| kind.name() == "waits").unwrap().1.items, 0);
    });
}

#[test]
fn what_is_left_ends_by_itself_however_short_runs_are_kept() {
    wait(async {
        let home = Kept::Memory.open();
        let opened = Opened { engine: home.opened.engine.clone(), vault: home.opened.vault.clone() };
        let store = crate::support::store(opened, 1, NOW, 1 << 20).await;
        let handle = handle_of(
            &store,
            "acme",
            "v1",
            r#","retention":{"runs":{"ttlMs":3600000},"threads":{"ttlMs":2592000000}}"#,
            &team(),
        );
        let host = host();
        query(&handle, asks("later signed", WhenBusy::Reject), &host).await;
        for _ in 0..16 {
            store.advance(12 * 60 * MINUTE);
            sweep(&store, Promptness::Now).await.unwrap();
            take_up_all(&store, &handle, &host).await;
        }
        // The approval and the event have expired after seven days each.
        assert_eq!(pending(&handle).await, (vec![], vec![]));
        let messages = messages(&handle, THREAD).await;
        let late: Vec<String> =
            messages.iter().flat_map(parts).filter(|part| part.get("state").is_some()).map(json::write).collect();
        assert_eq!(late.len(), 4, "{late:?}");
        for _ in 0..80 {
            store.advance(24 * 60 * MINUTE);
            sweep(&store, Promptness::Now).await.unwrap();
            assert_eq!(take_up_all(&store, &handle, &host).await, [], "nothing is done twice");
        }
        assert_eq!(statuses(&handle).await, [] as [&str; 0]);
    });
}

#[test]
fn an_event_that_does_not_come_is_found_by_its_time_alone() {
    wait(async {
        let home = Kept::Memory.open();
        let (store, handle) = process(&home.opened, 1, NOW).await;
        let host = host();
        query(&handle, asks("later", WhenBusy::Reject), &host).await;
        store.advance(6 * 24 * 60 * MINUTE);
        assert_eq!(take_up_all(&store, &handle, &host).await, []);
        store.advance(2 * 24 * 60 * MINUTE);
        assert_eq!(take_up_all(&store, &handle, &host).await.len(), 1);
        assert_eq!(shape(&handle).await, ["user", "assistant", "waiting", "assistant", "late", "assistant"]);
    });
}

#[test]
fn two_processes_begin_it_once() {
    for kept in [Kept::Memory, Kept::Postgres] {
        let home = kept.open();
        wait(async {
            let opened = Opened { engine: home.opened.engine.clone(), vault: home.opened.vault.clone() };
            let opened = if opened.engine.is_shared() { opened } else { shared(opened) };
            let (_first, one) = process(&opened, 1, NOW).await;
            let (_second, two) = process(&opened, 2, NOW).await;
            let host = host();
            for round in 0..10 {
                let result = query(&one, asks("later", WhenBusy::Reject), &host).await;
                let run_id = text(&result, "runId");
                settle_all(&two).await;
                let (first, second) = both(one.runs().resume(run_id, &host), two.runs().resume(run_id, &host)).await;
                assert!(first.is_ok() || second.is_ok(), "{first:?} {second:?}");
                for outcome in [first, second] {
                    assert!(matches!(outcome, Ok(_) | Err(Error::ThreadBusy { .. })), "{outcome:?}");
                }
                assert_eq!(statuses(&one).await.len(), 2 * (round + 1));
            }
            assert_eq!(host.world.executions("later").len(), 10);
        });
    }
}
