//! How much a run leaves, how long what its calls need is kept, and who ends them.

use std::sync::Arc;

use bailiwick_model::Error;
use bailiwick_model::json::{self, Json};
use bailiwick_model::ledger::record::Decision;
use bailiwick_runtime::{Catalogue, Promptness, RunRequest, TenantHandle, WhenBusy, sweep};
use bailiwick_store::Opened;

use super::host::{Host, calls, gives, parsed, says};
use super::left::{MINUTE, TEAM, approve_all, host, pending, process, settle_all, statuses, take_up_all};
use super::queue::{THREAD, asks};
use super::scripted::messages;
use super::work::{LATEST, taken};
use super::{query, text, wait};
use crate::support::{Kept, NOW, handle_of};

/// A run whose model makes so many calls at once, each with an input of this length.
async fn leaving(handle: &TenantHandle, count: usize, length: usize) -> Json {
    let host = Host::new(
        move |_, _, last| {
            if text(last, "role") != "user" {
                return says("Done.");
            }
            let input = |number: usize| format!(r#"{{"number":{number},"note":"{}"}}"#, "x".repeat(length));
            let inputs: Vec<String> = (0..count).map(input).collect();
            calls(&inputs.iter().map(|input| ("later", input.as_str())).collect::<Vec<_>>())
        },
        |_, _| gives("1"),
    )
    .waiting(|_, resumed| resumed.is_none().then(|| r#"{"kind":"event","name":"e"}"#.to_owned()));
    query(handle, RunRequest { thread_id: None, ..asks("Go", WhenBusy::Reject) }, &host).await
}

#[test]
fn a_run_with_more_than_a_hundred_calls_or_a_mebibyte_of_them_is_suspended() {
    wait(async {
        let home = Kept::Memory.open();
        let (_store, handle) = process(&home.opened, 1, NOW).await;
        for (count, length, status) in
            [(100, 0, "completed"), (101, 0, "suspended"), (8, 100_000, "completed"), (11, 100_000, "suspended")]
        {
            let result = leaving(&handle, count, length).await;
            assert_eq!(text(&result, "status"), status, "{count} calls of {length} bytes");
        }
    });
}

#[test]
fn cancelling_a_completed_run_ends_the_run_that_goes_on_and_leaves_what_still_waits() {
    wait(async {
        let home = Kept::Memory.open();
        let (store, handle) = process(&home.opened, 1, NOW).await;
        let usual = host();
        let first = query(&handle, asks("later signed", WhenBusy::Reject), &usual).await;
        handle.runs().cancel(text(&first, "runId")).await.unwrap();
        assert_eq!((pending(&handle).await.0.len(), pending(&handle).await.1.len()), (1, 1));
        approve_all(&handle).await;
        settle_all(&handle).await;
        take_up_all(&store, &handle, &usual).await;
        assert_eq!(statuses(&handle).await, ["completed"; 2]);
        // The run that goes on is queued, suspended, or has left calls itself.
        for kind in ["queued", "suspended", "completed"] {
            let first = query(&handle, asks("later signed", WhenBusy::Reject), &usual).await;
            settle_all(&handle).await;
            let before = statuses(&handle).await.len();
            let held = if kind == "queued" {
                Some(query(&handle, asks("held", WhenBusy::Reject), &usual).await)
            } else {
                None
            };
            let again =
                host().waiting(|tool, _| (tool == "later").then(|| r#"{"kind":"event","name":"e"}"#.to_owned()));
            let calls_again = Host::new(|_, _, _| calls(&[("held", "{}")]), |_, _| gives("1"))
                .waiting(|tool, _| (tool == "held").then(|| r#"{"kind":"event","name":"e"}"#.to_owned()));
            let host = if kind == "suspended" { &calls_again } else { &again };
            take_up_all(&store, &handle, host).await;
            let next = statuses(&handle).await.last().cloned().unwrap();
            assert_eq!((next.as_str(), statuses(&handle).await.len() > before), (kind, true));
            handle.runs().cancel(text(&first, "runId")).await.unwrap();
            let ended = if kind == "completed" { "completed" } else { "cancelled" };
            assert_eq!(statuses(&handle).await.last().map(String::as_str), Some(ended));
            if let Some(held) = held {
                handle.runs().cancel(text(&held, "runId")).await.unwrap();
            }
            let left = if kind == "completed" { (1, 1) } else { (0, 0) };
            assert_eq!((pending(&handle).await.0.len(), pending(&handle).await.1.len()), left, "{kind}");
            store.advance(3 * LATEST);
            assert_eq!(taken(&store).await, [], "{kind}");
        }
    });
}

/// Its ledger entry says that it was decided, but not which arguments a person has seen: that is asked again.
#[test]
fn a_decision_whose_approval_was_removed_is_a_rejection_or_is_asked_again() {
    let asked = r#"{"name":"asked","approval":"always","description":"Asks","onInterrupted":"retry","input":{"type":"object"}},{"name":"held","#;
    let spec = TEAM.replace(r#"{"name":"held","#, asked).replace(r#""held","signed"]"#, r#""held","signed","asked"]"#);
    let catalogue = Arc::new(Catalogue::from_json(&parsed(&spec)).unwrap());
    for tool in ["signed", "asked"] {
        for decision in [Decision::Approved, Decision::Rejected] {
            wait(async {
                let home = Kept::Memory.open();
                let opened = Opened { engine: home.opened.engine.clone(), vault: home.opened.vault.clone() };
                let store = crate::support::store(opened, 1, NOW, 1 << 20).await;
                let kept = r#","retention":{"approvals":{"ttlMs":3600000}}"#;
                let handle = handle_of(&store, "acme", "v1", kept, &catalogue);
                let host = Host::new(
                    move |_, _, last| if text(last, "role") == "user" { calls(&[(tool, "{}")]) } else { says("Done.") },
                    |_, _| gives("1"),
                );
                query(&handle, asks("Go", WhenBusy::Reject), &host).await;
                let (_, asked) = pending(&handle).await;
                handle.approvals().respond(&asked[0], decision, "kim", None).await.unwrap();
                store.advance(120 * MINUTE);
                sweep(&store, Promptness::Now).await.unwrap();
                take_up_all(&store, &handle, &host).await;
                let told: String = messages(&handle, THREAD).await.iter().map(json::write).collect();
                assert_eq!(told.contains("REJECTED"), decision == Decision::Rejected, "{tool}: {told}");
                assert!(!told.contains("EXPIRED"), "{tool}: {told}");
                assert_eq!(pending(&handle).await.1.len(), usize::from(decision == Decision::Approved), "{tool}");
                approve_all(&handle).await;
                take_up_all(&store, &handle, &host).await;
                let times = usize::from(decision == Decision::Approved);
                assert_eq!(host.world.executions(tool).len(), times, "{tool}");
                assert_eq!(pending(&handle).await, (vec![], vec![]));
            });
        }
    }
}

#[test]
fn a_run_that_goes_on_keeps_what_its_calls_name_while_it_waits_for_its_thread() {
    wait(async {
        let home = Kept::Memory.open();
        let opened = Opened { engine: home.opened.engine.clone(), vault: home.opened.vault.clone() };
        let store = crate::support::store(opened, 1, NOW, 1 << 20).await;
        let spec = TEAM
            .replace(
                r#""tools":[
    {"name":"later","#,
                r#""references":[{"name":"table"}],"tools":[
    {"name":"later","references":{"of":"table"},"#,
            )
            .replace(
                r#""whileWaiting":"continue","input":{"type":"object"}},
    {"name":"twice""#,
                r#""whileWaiting":"continue","input":{"type":"object","properties":{"of":{"type":"string"}}}},
    {"name":"twice""#,
            );
        let catalogue = Arc::new(Catalogue::from_json(&parsed(&spec)).unwrap());
        let handle = handle_of(&store, "acme", "v1", "", &catalogue);
        let day = 24 * 60 * MINUTE;
        let item = bailiwick_runtime::PutItem { ttl_ms: Some(day), ..crate::support::text("table", "1") };
        let id = handle.references().put(vec![item]).await.unwrap()[0].id.clone();
        let input = format!(r#"{{"of":"{id}"}}"#);
        let host = Host::new(
            move |_, _, last| match (text(last, "role"), json::write(last).contains("held")) {
                ("user", true) => calls(&[("held", "{}")]),
                ("user", false) => calls(&[("later", &input)]),
                _ => says("Done."),
            },
            |_, _| gives("1"),
        )
        .waiting(|_, resumed| {
            resumed.is_none().then(|| format!(r#"{{"kind":"event","name":"e","ttlMs":{}}}"#, 29 * 24 * 3_600_000_u64))
        });
        let first = query(&handle, asks("Go", WhenBusy::Reject), &host).await;
        let held = query(&handle, asks("held", WhenBusy::Reject), &host).await;
        assert_eq!((text(&first, "status"), text(&held, "status")), ("completed", "suspended"), "{first:?}");
        store.advance(28 * day);
        let (waits, _) = pending(&handle).await;
        handle.waits().settle(waits.last().unwrap(), br#"{"value":1}"#, None).await.unwrap();
        assert_eq!(take_up_all(&store, &handle, &host).await, [None], "it is queued");
        // Longer than what it waited for would have been kept.
        store.advance(5 * day);
        sweep(&store, Promptness::Now).await.unwrap();
        assert!(handle.references().describe(&id).await.is_ok());
    });
}

#[test]
fn an_agent_that_is_a_planner_now_does_not_go_on() {
    wait(async {
        let home = Kept::Memory.open();
        let (store, handle) = process(&home.opened, 1, NOW).await;
        let host = host();
        query(&handle, asks("later", WhenBusy::Reject), &host).await;
        query(&handle, asks("held", WhenBusy::Reject), &host).await;
        let (waits, _) = pending(&handle).await;
        handle.waits().settle(waits.last().unwrap(), br#"{"value":1}"#, None).await.unwrap();
        assert_eq!(take_up_all(&store, &handle, &host).await, [None], "it is queued");
        let changed = TEAM.replace(r#"{"role":"specialist","name":"front","#, r#"{"role":"specialist","name":"other","model":"test/m","prompt":"Help.","tools":[]},{"role":"planner","name":"front","plan":"report","#)
            .replace(r#"{"bailiwick":1,"#, r#"{"bailiwick":1,"plans":[{"name":"report"}],"#);
        let catalogue = Arc::new(Catalogue::from_json(&parsed(&changed)).unwrap());
        let other = handle_of(&store, "acme", "v1", "", &catalogue);
        settle_all(&other).await;
        let mut refused = Vec::new();
        for _ in 0..3 {
            for run in taken(&store).await {
                if let Err(error) = other.runs().take_up(&run.run_id, run.row, &host).await {
                    assert!(matches!(error, Error::Spec(_)), "{error:?}");
                    refused.push(run.run_id);
                }
            }
        }
        assert_eq!(
            (refused.len(), statuses(&other).await),
            (1, ["completed", "failed", "queued"].map(str::to_owned).to_vec())
        );
        // The agent is back.
        store.advance(10 * MINUTE);
        take_up_all(&store, &handle, &host).await;
        assert_eq!(statuses(&handle).await, ["completed", "failed", "completed"]);
    });
}
