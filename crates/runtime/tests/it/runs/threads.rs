//! What a thread holds while its run waits, and what becomes of a run whose thread is gone.

use std::sync::Arc;

use bailiwick_model::Error;
use bailiwick_model::json::{self, Json};
use bailiwick_model::ledger::record::Decision;
use bailiwick_runtime::{ApprovalStatus, Reply, Store, TenantHandle};

use super::host::{Host, calls, gives, parsed, says};
use super::{RunRequest, both, catalogue, kinds, open, query, request, text, wait};
use crate::support::{Kept, NOW, handle_of, put, store, text as note};

const DAY: u64 = 24 * 60 * 60 * 1000;

/// A model that searches and sends at once, then says so. Sending waits for a person.
fn sender() -> Host {
    let both_tools = [("search", r#"{"text":"x"}"#), ("send", "{}")];
    Host::new(
        move |_, answers, last| match (answers, text(last, "role")) {
            (_, "tool") => says("Done."),
            (0, _) => calls(&both_tools),
            _ => says("Again."),
        },
        |tool, _| gives(&format!("\"{tool}\"")),
    )
}

/// Each message as its role and, for calls and results, what they are about.
async fn told(handle: &TenantHandle, thread: &str) -> Vec<String> {
    let page = handle.threads().messages(thread, 100, None).await.unwrap();
    let shown = |message: &json::Text| {
        let message = parsed(message);
        let parts = message.get("parts").unwrap().as_array().unwrap();
        let part = |part: &Json| match text(part, "type") {
            "text" => text(part, "text").to_owned(),
            "tool-call" => format!("{}?", text(part, "callId")),
            _ => format!("{}={}", text(part, "callId"), json::write(part.get("result").unwrap())),
        };
        let parts: Vec<String> = parts.iter().map(part).collect();
        format!("{}: {}", text(&message, "role"), parts.join(", "))
    };
    page.items.iter().map(shown).collect()
}

async fn suspended(handle: &TenantHandle, host: &Host) -> (String, String, String) {
    let result = query(handle, request("Go"), host).await;
    assert_eq!(text(&result, "status"), "suspended");
    let approval = &result.get("approvals").unwrap().as_array().unwrap()[0];
    let of = |key| text(&result, key).to_owned();
    (of("runId"), of("threadId"), text(approval, "approvalId").to_owned())
}

async fn approve(handle: &TenantHandle, approval: &str) -> Result<(), Error> {
    handle.approvals().respond(approval, Decision::Approved, "ann", None).await.map(drop)
}

const WAITING: [&str; 3] = ["user: Go", "assistant: call-0?, call-1?", "tool: call-0=\"search\""];

#[test]
fn the_thread_of_a_suspended_run_has_its_messages_and_pending_calls() {
    for kept in Kept::ALL {
        wait(async {
            let home = kept.open();
            let (store, handle) = open(home.opened.clone(), 1).await;
            let host = sender();
            let (run_id, thread, approval) = suspended(&handle, &host).await;
            assert_eq!(told(&handle, &thread).await, WAITING);
            let messages = handle.threads().messages(&thread, 100, None).await.unwrap().items;
            let through = text(&parsed(&messages[1]), "messageId").to_owned();
            let fork = handle.threads().fork(&thread, &through, None).await.unwrap();
            let forked = told(&handle, &fork).await;
            assert!(forked.len() == 4 && forked[3].starts_with("tool: call-1={\"error\":"), "{forked:?}");

            // Resumed in vain, it says nothing twice.
            let host = host.reborn();
            handle.runs().resume(&run_id, &host).await.unwrap();
            assert_eq!(told(&handle, &thread).await, WAITING);
            approve(&handle, &approval).await.unwrap();
            let host = host.reborn();
            let result = parsed(&handle.runs().resume(&run_id, &host).await.unwrap());
            assert_eq!(text(&result, "status"), "completed");
            let all = [&WAITING[..], &["tool: call-1=\"send\"", "assistant: Done."]].concat();
            assert_eq!(told(&handle, &thread).await, all);
            // The model was told the results of its turn at once.
            let asked = host.requests.lock()[0].clone();
            let last = asked.get("messages").unwrap().as_array().unwrap().last().unwrap().clone();
            assert_eq!(last.get("parts").unwrap().as_array().unwrap().len(), 2);

            let host = host.reborn();
            let again = RunRequest { thread_id: Some(thread.clone()), ..request("More") };
            assert_eq!(text(&query(&handle, again, &host).await, "text"), "Again.");
            assert_eq!(told(&handle, &thread).await, [&all[..], &["user: More", "assistant: Again."]].concat());
            store.close().await;
        });
    }
}

#[test]
fn a_run_that_is_suspended_repeatedly_appends_each_message_once() {
    wait(async {
        let (_store, handle) = open(Kept::Memory.open().opened, 1).await;
        let host = Host::new(
            |_, answers, _| match answers {
                0..2 => calls(&[("send", "{}"), ("search", r#"{"text":"x"}"#), ("send", "{\"n\":2}")]),
                _ => says("Done."),
            },
            |tool, _| gives(&format!("\"{tool}\"")),
        );
        let (run_id, thread, _) = suspended(&handle, &host).await;
        let status = loop {
            let pending = handle.approvals().pending(1, None).await.unwrap().items;
            let Some(approval) = pending.first() else { panic!("nothing waits") };
            approve(&handle, &approval.approval_id).await.unwrap();
            let result = parsed(&handle.runs().resume(&run_id, &host.reborn()).await.unwrap());
            if text(&result, "status") != "suspended" {
                break text(&result, "status").to_owned();
            }
        };
        assert_eq!(status, "completed");
        let told = told(&handle, &thread).await;
        let calls: Vec<&str> = told.iter().flat_map(|message| message.split([' ', ','])).collect();
        for part in ["call-0", "call-1", "call-2", "call-0-2", "call-1-2", "call-2-2"] {
            let count = |mark: &str| calls.iter().filter(|text| text.starts_with(&format!("{part}{mark}"))).count();
            assert_eq!((count("?"), count("=")), (1, 1), "{part} in {told:?}");
        }
    });
}

#[test]
fn a_suspended_run_that_is_cancelled_leaves_no_open_call() {
    wait(async {
        let (_store, handle) = open(Kept::Memory.open().opened, 1).await;
        let (run_id, thread, _) = suspended(&handle, &sender()).await;
        handle.runs().cancel(&run_id).await.unwrap();
        let told = told(&handle, &thread).await;
        assert_eq!(told[..3], WAITING);
        assert!(told.len() == 4 && told[3].starts_with("tool: call-1={\"error\":"), "{told:?}");
    });
}

#[test]
fn the_result_of_a_call_that_waits_is_its_runs_to_say() {
    wait(async {
        let (_store, handle) = open(Kept::Memory.open().opened, 1).await;
        let (run_id, thread, _) = suspended(&handle, &sender()).await;
        let result = br#"[{"role":"tool","parts":[{"type":"tool-result","callId":"call-1","result":1}]}]"#;
        let refused = handle.threads().append(&thread, result, None).await.unwrap_err();
        let Error::ThreadBusy { run: Some(run), message } = refused else { panic!("{refused:?}") };
        assert_eq!((run.run_id.as_str(), run.status), (run_id.as_str(), "suspended"), "R19");
        assert!(message.contains(&run_id));
        let again = RunRequest { thread_id: Some(thread.clone()), ..request("More") };
        let refused = handle.runs().start(handle.runs().prepare(None).unwrap(), again, &sender()).await.unwrap_err();
        assert!(matches!(refused, Error::ThreadBusy { run: Some(_), .. }), "{refused:?}");
        let note = br#"[{"role":"user","parts":[{"type":"text","text":"Hello?"}]}]"#;
        handle.threads().append(&thread, note, Some(3)).await.unwrap();
    });
}

#[test]
fn pending_approvals_are_withdrawn_with_their_thread() {
    for kept in Kept::ALL {
        wait(async {
            let home = kept.open();
            let (store, handle) = open(home.opened.clone(), 1).await;
            let host = sender();
            let (run_id, thread, approval) = suspended(&handle, &host).await;
            assert!(handle.threads().delete(&thread).await.unwrap());
            assert!(handle.approvals().pending(10, None).await.unwrap().items.is_empty());
            let status = handle.approvals().get(&approval).await.unwrap().status;
            assert_eq!(status, ApprovalStatus::Decided(Decision::Withdrawn));
            assert!(matches!(approve(&handle, &approval).await, Err(Error::ApprovalClosed(_))));
            let result = parsed(&handle.runs().resume(&run_id, &host.reborn()).await.unwrap());
            assert_eq!(text(&result, "status"), "cancelled");
            assert!(host.world.executions("send").is_empty());
            assert_eq!(handle.threads().messages(&thread, 10, None).await.err(), Some(Error::NotFound));
            assert!(!handle.threads().delete(&thread).await.unwrap());
            store.close().await;
        });
    }
}

#[test]
fn a_run_at_work_ends_with_its_thread() {
    wait(async {
        let (_store, handle) = open(Kept::Memory.open().opened, 1).await;
        let host = Host::new(|_, _, _| calls(&[("book", "{}")]), |_, _| None);
        let prepared = handle.runs().prepare(None).unwrap();
        let thread = prepared.thread_id.clone();
        let delete = async {
            while host.world.calls.lock().is_empty() {
                tokio::task::yield_now().await;
            }
            handle.threads().delete(&thread).await
        };
        let (result, deleted) = both(handle.runs().start(prepared, request("Go"), &host), delete).await;
        assert_eq!(text(&parsed(&result.unwrap()), "status"), "cancelled");
        assert_eq!(deleted, Ok(true));
        assert_eq!(handle.threads().messages(&thread, 10, None).await.err(), Some(Error::NotFound));
    });
}

async fn with_short_threads() -> (Arc<Store>, TenantHandle) {
    let store = store(Kept::Memory.open().opened, 1, NOW, 1 << 20).await;
    let handle = handle_of(&store, "acme", "v1", r#","retention":{"threads":{"ttlMs":1000}}"#, &catalogue());
    (store, handle)
}

#[test]
fn a_thread_does_not_expire_while_its_run_waits() {
    wait(async {
        let (store, handle) = with_short_threads().await;
        let host = sender();
        let (run_id, thread, approval) = suspended(&handle, &host).await;
        store.advance(6 * DAY);
        assert_eq!(told(&handle, &thread).await, WAITING);
        approve(&handle, &approval).await.unwrap();
        let result = parsed(&handle.runs().resume(&run_id, &host.reborn()).await.unwrap());
        assert_eq!(text(&result, "status"), "completed");
        assert_eq!(told(&handle, &thread).await.len(), 5);
    });
}

#[test]
fn a_run_whose_thread_has_expired_is_not_resumed() {
    wait(async {
        let (store, handle) = with_short_threads().await;
        // Its process dies while the model is asked.
        let host = Host::new(|_, _, _| Reply::Piece(b"[]".to_vec()), |_, _| None);
        let prepared = handle.runs().prepare(None).unwrap();
        let run_id = prepared.run_id.clone();
        handle.runs().start(prepared, request("Go"), &host).await.unwrap_err();
        store.advance(1000);
        let host = Host::new(|_, _, _| calls(&[("book", "{}")]), |_, _| gives("1"));
        let result = parsed(&handle.runs().resume(&run_id, &host).await.unwrap());
        assert_eq!(text(&result, "status"), "cancelled");
        assert!(host.world.executions("book").is_empty());
        let events = super::events(&handle, &run_id).await;
        assert_eq!(kinds(&events).last(), Some(&"run.cancelled"));
    });
}

#[test]
fn a_prompt_with_a_missing_file_is_refused_before_the_run_begins() {
    wait(async {
        let (store, handle) = open(Kept::Memory.open().opened, 1).await;
        let naming = |id: &str| {
            let file = format!(r#"[{{"type":"file","reference":"{id}","mediaType":"text/plain"}}]"#);
            RunRequest { prompt: parsed(&file), thread_id: Some("one".to_owned()), ..request("") }
        };
        let host = Host::new(|_, _, _| says("Seen."), |_, _| None);
        let absent = naming(&format!("ref_{}", "a".repeat(32)));
        let nobody = handle_of(&store, "nobody", "v1", "", &catalogue());
        for handle in [&handle, &nobody] {
            let refused = handle.runs().start(handle.runs().prepare(None).unwrap(), absent.clone(), &host).await;
            assert_eq!(refused, Err(Error::NotFound));
            assert_eq!(handle.threads().messages("one", 10, None).await.err(), Some(Error::NotFound));
            assert!(handle.runs().list(&Default::default(), 10, None).await.unwrap().items.is_empty());
        }
        let reference = put(&handle, note("note", "x")).await;
        assert_eq!(text(&query(&handle, naming(&reference), &host).await, "text"), "Seen.");
        store.advance(89 * DAY);
        assert!(handle.references().resolve(&reference).await.is_ok(), "as long as the thread");
        // An explicit deletion wins.
        assert!(handle.references().delete(&reference).await.unwrap());
        let again = RunRequest { thread_id: Some("one".to_owned()), ..request("More") };
        assert_eq!(text(&query(&handle, again, &host).await, "status"), "completed");
    });
}

#[test]
fn an_empty_prompt_is_refused_with_advice() {
    wait(async {
        let (_store, handle) = open(Kept::Memory.open().opened, 1).await;
        let host = Host::new(|_, _, _| says("Yes."), |_, _| None);
        let texts = [r#""""#, r#"" \n\t\u00a0""#, "[]", r#"[{"type":"text","text":""},{"type":"text","text":" "}]"#];
        for prompt in texts {
            let empty = RunRequest { prompt: parsed(prompt), ..request("") };
            let refused = handle.runs().start(handle.runs().prepare(None).unwrap(), empty, &host).await;
            let Err(Error::InvalidInput(told)) = refused else { panic!("{prompt}: {refused:?}") };
            assert!(told.contains("Give a text"), "{told}");
        }
        assert!(handle.threads().list(None, 10, None).await.unwrap().items.is_empty());
    });
}

#[test]
fn an_approver_that_fails_leaves_the_approval_pending() {
    wait(async {
        let (_store, handle) = open(Kept::Memory.open().opened, 1).await;
        let mut failing = sender();
        failing.approver = Some("");
        let (run_id, _, approval) = suspended(&handle, &failing).await;
        assert_eq!(handle.approvals().pending(10, None).await.unwrap().items.len(), 1);
        approve(&handle, &approval).await.unwrap();
        let result = parsed(&handle.runs().resume(&run_id, &failing.reborn()).await.unwrap());
        assert_eq!(text(&result, "status"), "completed");
    });
}
