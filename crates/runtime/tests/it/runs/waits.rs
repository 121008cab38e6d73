//! Calls that wait: settled once, whatever dies when, and made again with what their waits ended with.

use std::sync::atomic::Ordering;

use bailiwick_model::Error;
use bailiwick_model::json::Json;
use bailiwick_model::ledger::record::Decision;
use bailiwick_model::spec::RunLimits;
use bailiwick_runtime::{RunFilter, RunRequest, TenantHandle, WaitFilter};
use bailiwick_store::Opened;
use futures_util::future::join_all;

use super::dying::Dying;
use super::host::{Host, calls, gives, parsed, says};
use super::{events, kinds, open, request, text, wait};
use crate::support::{Kept, NOW};

const MINUTE: u64 = 60_000;

/// A model that makes four calls: an answer, an event and then a time, an approval and then an event, and nothing to wait for.
fn host() -> Host {
    let host = Host::new(
        |_, answers, _| match answers {
            0 => {
                calls(&[("search", r#"{"text":"x"}"#), ("book", r#"{"n":1}"#), ("send", r#"{"n":2}"#), ("load", "{}")])
            }
            _ => says("All done."),
        },
        |_, _| gives(r#""ok""#),
    );
    host.waiting(|tool, resumed| {
        let kind = resumed.map(|resumed| text(resumed, "kind").to_owned());
        match (tool, kind.as_deref()) {
            ("search", None) => Some(r#"{"kind":"answer","question":"Which?","choices":["a","b"]}"#.to_owned()),
            ("book", None) => Some(r#"{"kind":"event","name":"paid"}"#.to_owned()),
            ("book", Some("event")) => Some(format!(r#"{{"kind":"time","afterMs":{MINUTE}}}"#)),
            ("send", None) => Some(r#"{"kind":"event","name":"ready"}"#.to_owned()),
            _ => None,
        }
    })
}

/// The waits of a tenant, as JSON.
async fn waits_of(handle: &TenantHandle) -> Vec<Json> {
    let page = handle.waits().list(&WaitFilter::default(), 100, None).await.unwrap();
    page.items.iter().map(|wait| parsed(wait)).collect()
}

/// Settles what is open and approves what is pending, as somebody outside does, as far as the store lives.
async fn settle_all(handle: &TenantHandle) -> Result<(), Error> {
    for approval in handle.approvals().pending(100, None).await?.items {
        handle.approvals().respond(&approval.approval_id, Decision::Approved, "kim", None).await?;
    }
    for wait in handle.waits().list(&WaitFilter::default(), 100, None).await?.items {
        let wait = parsed(&wait);
        let given: &[u8] = match (text(&wait, "kind"), text(&wait, "status")) {
            ("answer", "open") => br#"{"value":"a"}"#,
            ("event", "open") => br#"{"value":{"n":1}}"#,
            _ => continue,
        };
        handle.waits().settle(text(&wait, "waitId"), given, Some("kim")).await?;
    }
    Ok(())
}

/// One life that ends at a commit, and another that goes on until the run is over.
async fn two_lives(kept: Kept, commits: usize, applies_the_last: bool) -> (usize, bool) {
    let home = kept.open();
    let dying = Dying::new(home.opened.engine.clone(), commits, applies_the_last);
    let first = Opened { engine: dying.clone(), vault: home.opened.vault.clone() };
    let host = host();
    let Ok(store) = crate::support::try_store(first, 1, NOW, 1 << 20).await else { return (commits, true) };
    dying.ticks(&store);
    let handle = super::handle_of(&store, "acme", "v1", "", &super::catalogue());
    let prepared = handle.runs().prepare(None).unwrap();
    let mut outcome = handle.runs().start(prepared, request("Go"), &host).await;
    for _ in 0..20 {
        let Ok(result) = &outcome else { break };
        let result = parsed(result);
        if text(&result, "status") != "suspended" || settle_all(&handle).await.is_err() {
            break;
        }
        store.advance(MINUTE);
        outcome = handle.runs().resume(text(&result, "runId"), &host).await;
    }
    let died = dying.is_dead();
    assert!(died || outcome.is_ok(), "{outcome:?}");
    drop((handle, store));
    let (reborn, place) = (host.reborn(), format!("{kept:?} died at {commits}, applied: {applies_the_last}"));
    let opened = Opened { engine: home.opened.engine.clone(), vault: home.opened.vault.clone() };
    let (store, handle) = open(opened, 2).await;
    assert!(store.advance(20_000 + 20 * MINUTE));
    for _ in 0..20 {
        let runs = handle.runs().list(&RunFilter::default(), 10, None).await.unwrap().items;
        let Some(run) = runs.first().map(|run| parsed(run)) else { break };
        settle_all(&handle).await.unwrap();
        store.advance(MINUTE);
        let result = parsed(&handle.runs().resume(text(&run, "runId"), &reborn).await.unwrap());
        if text(&result, "status") != "suspended" {
            check(&handle, &reborn, &result, &place, died).await;
            break;
        }
    }
    store.close().await;
    (dying.commits.load(Ordering::SeqCst), died)
}

async fn check(handle: &TenantHandle, host: &Host, result: &Json, place: &str, died: bool) {
    assert_eq!((text(result, "status"), text(result, "text")), ("completed", "All done."), "{place}: {result:?}");
    let events = events(handle, text(result, "runId")).await;
    for tool in ["search", "book", "send", "load"] {
        let executions = host.world.executions(tool);
        let count: usize = executions.values().sum();
        assert_eq!(executions.len(), 1, "{place}: one idempotency key for {tool}: {executions:?}");
        assert!(count == 1 || (died && count == 2), "{place}: {tool} {count}");
    }
    let waits = waits_of(handle).await;
    assert!(waits.iter().all(|wait| text(wait, "status") == "settled"), "{place}: {waits:?}");
    let count = |kind: &str| kinds(&events).iter().filter(|found| **found == kind).count();
    // Those of the journal are those of the store: none is lost, and none is opened for nothing.
    assert_eq!((waits.len(), count("tool.waiting")), (4, 4), "{place}: {waits:?}");
    assert_eq!((count("wait.settled"), count("tool.resumed")), (4, 4), "{place}");
    let usage = handle.usage().await.unwrap();
    let open = usage.iter().find(|(kind, _)| kind.name() == "waits").unwrap().1;
    assert_eq!(open.items, 0, "{place}");
}

#[test]
fn a_run_that_waits_and_dies_at_any_commit_ends_as_if_it_had_not_died() {
    wait(async {
        let (all, died) = two_lives(Kept::Memory, usize::MAX, false).await;
        assert!(!died && all > 8, "{all}");
        for commits in 0..all {
            for applies_the_last in [false, true] {
                let (_, died) = two_lives(Kept::Memory, commits, applies_the_last).await;
                assert!(died, "{commits} of {all}");
            }
        }
    });
}

#[test]
fn the_same_on_disk_and_on_postgresql() {
    wait(async {
        let step = if crate::support::long() { 1 } else { 4 };
        for kept in [Kept::Sled, Kept::Postgres] {
            let (all, _) = two_lives(kept, usize::MAX, false).await;
            for commits in (0..all).step_by(step) {
                two_lives(kept, commits, commits % 8 == 0).await;
            }
        }
    });
}

#[test]
fn a_wait_is_settled_once_however_many_settle_and_cancel_it_at_once() {
    wait(async {
        let home = Kept::Memory.open();
        let (_store, handle) = open(home.opened.clone(), 1).await;
        for round in 0..20 {
            let host = host();
            let result = super::query(&handle, request("Go"), &host).await;
            let waits = result.get("waits").unwrap().as_array().unwrap();
            let wait = waits.iter().find(|wait| text(wait, "kind") == "answer").unwrap();
            let wait_id = text(wait, "waitId");
            let settle = |at: usize| {
                let handle = &handle;
                async move {
                    let given: &[u8] = if at.is_multiple_of(2) { br#"{"value":"a"}"# } else { br#"{"value":"b"}"# };
                    match (at + round) % 5 {
                        4 => handle.waits().cancel(wait_id).await.unwrap().then_some("cancelled"),
                        _ => match handle.waits().settle(wait_id, given, None).await {
                            Ok(_) => Some(if at.is_multiple_of(2) { "a" } else { "b" }),
                            Err(Error::WaitClosed(_)) => None,
                            Err(error) => panic!("{error:?}"),
                        },
                    }
                }
            };
            let mut won: Vec<&str> = join_all((0..10).map(settle)).await.into_iter().flatten().collect();
            won.dedup();
            assert_eq!(won.len(), 1, "{won:?}");
            handle.runs().cancel(text(&result, "runId")).await.unwrap();
            assert!(waits_of(&handle).await.iter().all(|wait| text(wait, "status") != "open"));
        }
    });
}

#[test]
fn a_tenant_has_at_most_as_many_open_waits_as_its_limit_says() {
    wait(async {
        let home = Kept::Memory.open();
        let store = crate::support::store(home.opened.clone(), 1, NOW, 1 << 20).await;
        let limits = r#","limits":{"openWaits":3}"#;
        let handle = super::handle_of(&store, "acme", "v1", limits, &super::catalogue());
        let many = Host::new(
            |_, answers, last| match answers {
                0 => calls(&[
                    ("load", r#"{"n":1}"#),
                    ("load", r#"{"n":2}"#),
                    ("load", r#"{"n":3}"#),
                    ("load", r#"{"n":4}"#),
                ]),
                _ => {
                    assert!(format!("{last:?}").contains("waits.open"), "{last:?}");
                    says("Told.")
                }
            },
            |_, _| gives("1"),
        );
        let many = many.waiting(|_, resumed| resumed.is_none().then(|| r#"{"kind":"event","name":"e"}"#.to_owned()));
        let result = super::query(&handle, request("Go"), &many).await;
        assert_eq!(waits_of(&handle).await.len(), 3);
        for wait in waits_of(&handle).await {
            handle.waits().settle(text(&wait, "waitId"), br#"{"value":null}"#, None).await.unwrap();
        }
        let result = parsed(&handle.runs().resume(text(&result, "runId"), &many).await.unwrap());
        assert_eq!(text(&result, "text"), "Told.");
    });
}

/// A model that makes many calls of a tool that waits for an event each.
fn many(count: usize) -> Host {
    let calls_of = move || {
        let inputs: Vec<String> = (0..count).map(|number| format!(r#"{{"n":{number}}}"#)).collect();
        let pairs: Vec<(&str, &str)> = inputs.iter().map(|input| ("load", input.as_str())).collect();
        calls(&pairs)
    };
    let host = Host::new(move |_, answers, _| if answers == 0 { calls_of() } else { says("Done.") }, |_, _| gives("1"));
    host.waiting(|_, resumed| resumed.is_none().then(|| r#"{"kind":"event","name":"e"}"#.to_owned()))
}

#[test]
fn a_run_with_hundreds_of_waits_goes_on_and_can_be_cancelled() {
    wait(async {
        let home = Kept::Memory.open();
        let (_store, handle) = open(home.opened.clone(), 1).await;
        let host = many(400);
        // A call that was waited for counts once more as it is made again.
        let limits = RunLimits { max_tool_calls: Some(800), ..RunLimits::default() };
        let asked = || RunRequest { limits, ..request("Go") };
        let result = super::query(&handle, asked(), &host).await;
        assert_eq!(text(&result, "status"), "suspended");
        handle.runs().cancel(text(&result, "runId")).await.unwrap();
        let result = super::query(&handle, asked(), &host.reborn()).await;
        let waits = result.get("waits").unwrap().as_array().unwrap();
        assert_eq!(waits.len(), 400);
        for wait in waits {
            handle.waits().settle(text(wait, "waitId"), br#"{"value":1}"#, None).await.unwrap();
        }
        let result = parsed(&handle.runs().resume(text(&result, "runId"), &host.reborn()).await.unwrap());
        assert_eq!(text(&result, "status"), "completed", "{result:?}");
        let usage = handle.usage().await.unwrap();
        assert_eq!(usage.iter().find(|(kind, _)| kind.name() == "waits").unwrap().1.items, 0);
    });
}

#[test]
fn a_value_as_deep_as_json_may_be_is_settled_with_and_read() {
    wait(async {
        let home = Kept::Memory.open();
        let (_store, handle) = open(home.opened.clone(), 1).await;
        let host = many(1);
        let result = super::query(&handle, request("Go"), &host).await;
        let wait_id = text(&waits_of(&handle).await[0], "waitId").to_owned();
        let deep = |levels: usize| format!(r#"{{"value":{}{}}}"#, "[".repeat(levels), "]".repeat(levels));
        let too_deep = handle.waits().settle(&wait_id, deep(100).as_bytes(), None).await;
        assert!(matches!(too_deep, Err(Error::InvalidInput(_))), "{too_deep:?}");
        handle.waits().settle(&wait_id, deep(99).as_bytes(), None).await.unwrap();
        handle.waits().settle(&wait_id, deep(99).as_bytes(), None).await.unwrap();
        assert_eq!(waits_of(&handle).await.len(), 1);
        let result = parsed(&handle.runs().resume(text(&result, "runId"), &host).await.unwrap());
        assert_eq!(text(&result, "status"), "completed");
    });
}

#[test]
fn what_was_settled_waits_for_its_run_as_long_as_the_run_is_kept() {
    wait(async {
        let home = Kept::Memory.open();
        let (store, handle) = open(home.opened.clone(), 1).await;
        let host = Host::new(
            |_, answers, last| match answers {
                0 => calls(&[("load", "{}"), ("search", r#"{"text":"x"}"#)]),
                _ => {
                    assert!(!format!("{last:?}").contains("WAIT_EXPIRED"), "{last:?}");
                    says("Done.")
                }
            },
            |_, _| gives("1"),
        );
        let host = host.waiting(|tool, resumed| match (tool, resumed.map(|resumed| text(resumed, "kind"))) {
            ("load", None) => Some(r#"{"kind":"event","name":"paid","ttlMs":60000}"#.to_owned()),
            ("search", None) => Some(r#"{"kind":"time","afterMs":60000}"#.to_owned()),
            (_, kind) => {
                assert!(matches!(kind, Some("event" | "time")), "{kind:?}");
                None
            }
        });
        let result = super::query(&handle, request("Go"), &host).await;
        let waits = waits_of(&handle).await;
        let event = waits.iter().find(|wait| text(wait, "kind") == "event").unwrap();
        handle.waits().settle(text(event, "waitId"), br#"{"value":5}"#, None).await.unwrap();
        for _ in 0..20 {
            store.advance(24 * 60 * MINUTE);
            bailiwick_runtime::sweep(&store, bailiwick_runtime::Promptness::Now).await.unwrap();
        }
        let result = parsed(&handle.runs().resume(text(&result, "runId"), &host).await.unwrap());
        assert_eq!(text(&result, "text"), "Done.", "{result:?}");
    });
}

#[test]
fn a_tool_that_was_defined_anew_meanwhile_is_asked_about_by_its_own_rules() {
    wait(async {
        let home = Kept::Memory.open();
        let (store, handle) = open(home.opened.clone(), 1).await;
        let host = many(1);
        let result = super::query(&handle, request("Go"), &host).await;
        let wait_id = text(&waits_of(&handle).await[0], "waitId").to_owned();
        handle.waits().settle(&wait_id, br#"{"value":1}"#, None).await.unwrap();
        let changed =
            super::TEAM.replace(r#""description":"Loads""#, r#""description":"Loads much","approval":"always""#);
        let catalogue = std::sync::Arc::new(bailiwick_runtime::Catalogue::from_json(&parsed(&changed)).unwrap());
        let handle = super::handle_of(&store, "acme", "v1", "", &catalogue);
        let result = parsed(&handle.runs().resume(text(&result, "runId"), &host).await.unwrap());
        assert_eq!(text(&result, "status"), "suspended", "{result:?}");
        assert_eq!(result.get("approvals").unwrap().as_array().unwrap().len(), 1);
        assert!(host.world.calls.lock().is_empty());
    });
}
