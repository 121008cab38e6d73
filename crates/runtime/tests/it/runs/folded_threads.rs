//! Folds of threads: read by the next run, copied by a fork, gone with the thread; and what models and hosts may get wrong.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use bailiwick_model::json::{self, Json};
use bailiwick_runtime::{Catalogue, TenantHandle};
use bailiwick_store::layer::Layer;
use bailiwick_store::{Engine, EngineFuture, Opened, ReadError, ScanRequest, Scanned, Tag};
use parking_lot::Mutex;

use super::folded::{Reader, THREAD, agent, append, calls, length, messages, open, query, recall, recalled, says};
use super::host::parsed;
use super::scripted::on;
use super::{events, kinds, text, wait};
use crate::support::{Kept, handle_of};

/// Counts the rows that are read of journals.
struct Counting {
    engine: Arc<dyn Engine>,
    rows: AtomicUsize,
}

impl Layer for Counting {
    fn behind(&self) -> &dyn Engine {
        &*self.engine
    }

    fn scan(&self, tag: Tag, request: ScanRequest) -> EngineFuture<'_, Result<Scanned, ReadError>> {
        Box::pin(async move {
            let scanned = self.engine.scan(tag, request).await?;
            self.rows.fetch_add(scanned.rows.len(), Ordering::SeqCst);
            Ok(scanned)
        })
    }
}

#[test]
fn the_next_run_begins_from_the_fold_of_a_long_thread_and_does_not_read_what_is_folded() {
    wait(async {
        for kept in [Kept::Memory, Kept::Sled] {
            let home = kept.open();
            let catalogue = agent(r#"{"maxTokens":3000}"#);
            let counting = Arc::new(Counting { engine: home.opened.engine.clone(), rows: AtomicUsize::new(0) });
            let opened = Opened { engine: counting.clone(), vault: home.opened.vault.clone() };
            let (_store, handle) = open(opened, 1, &catalogue).await.unwrap();
            append(&handle, THREAD, 4001, 1000).await;
            let host = Reader::new(3000, |_| says("Yes.", 0));
            let first = query(&handle, "One", &host).await.unwrap();
            let folded = *host.folded.lock();
            assert!(folded > 3900, "{folded}");
            let shown = events(&handle, text(&first, "runId")).await;
            let event = shown.iter().find(|event| text(event, "type") == "context.folded").unwrap();
            assert!(text(event, "from").starts_with("msg_"), "{event:?}");
            let tokens = event.get("tokens").unwrap().as_whole().unwrap();
            assert!(tokens > 500_000, "{tokens}");
            for number in 0..4 {
                let host = host.reborn();
                *host.base.lock() = length(&handle, THREAD).await.unwrap();
                let before = counting.rows.load(Ordering::SeqCst);
                let prepared = handle.runs().prepare(None).unwrap();
                let run_id = prepared.run_id.clone();
                handle.runs().start(prepared, on(THREAD, &format!("Again {number}")), &host).await.unwrap();
                let read = counting.rows.load(Ordering::SeqCst) - before;
                assert!(read < 100, "{read} rows were read");
                assert_eq!(*host.folded.lock(), folded);
                assert!(!kinds(&events(&handle, &run_id).await).contains(&"context.folded"));
            }
        }
    });
}

/// The outline that a model is sent for a short question on a thread, if there is one.
async fn outline(handle: &TenantHandle, thread: &str, most: u64) -> Option<String> {
    let sent: Arc<Mutex<Vec<Json>>> = Arc::default();
    let seen = sent.clone();
    let host = Reader::new(most, move |conversation| {
        *seen.lock() = conversation.to_vec();
        says("Yes.", 0)
    });
    *host.base.lock() = length(handle, thread).await.unwrap();
    handle.runs().start(handle.runs().prepare(None).unwrap(), on(thread, "So?"), &host).await.unwrap();
    let first = sent.lock().first().cloned().unwrap();
    let part = &first.get("parts").unwrap().as_array().unwrap()[0];
    text(&first, "messageId").starts_with("fold-").then(|| text(part, "text").to_owned())
}

#[test]
fn a_fork_has_the_fold_of_its_source_if_it_has_all_that_is_folded() {
    wait(async {
        for kept in Kept::ALL {
            let home = kept.open();
            let (_store, handle) = open(home.opened.clone(), 1, &agent(r#"{"maxTokens":3000}"#)).await.unwrap();
            append(&handle, THREAD, 81, 300).await;
            let folded = outline(&handle, THREAD, 3000).await.unwrap();
            let all = messages(&handle, THREAD).await;
            let id = |at: usize| text(&all[at], "messageId");
            let behind = handle.threads().fork(THREAD, id(82), None).await.unwrap();
            let copied = outline(&handle, &behind, 3000).await.unwrap();
            assert_eq!(copied, folded);
            let before = handle.threads().fork(THREAD, id(8), None).await.unwrap();
            assert_eq!(outline(&handle, &before, 3000).await, None);
            assert_eq!(messages(&handle, &before).await[..9], all[..9]);
        }
    });
}

#[test]
fn a_thread_that_is_deleted_takes_its_fold_with_it() {
    wait(async {
        for kept in Kept::ALL {
            let home = kept.open();
            let (store, handle) = open(home.opened.clone(), 1, &agent(r#"{"maxTokens":800}"#)).await.unwrap();
            append(&handle, THREAD, 81, 300).await;
            assert!(outline(&handle, THREAD, 800).await.is_some());
            assert!(handle.threads().delete(THREAD).await.unwrap());
            assert!(outline(&handle, THREAD, 800).await.is_none(), "the next thread of that name begins anew");
            assert!(handle.threads().delete(THREAD).await.unwrap());
            // An expired thread is swept with its fold.
            append(&handle, THREAD, 81, 300).await;
            assert!(outline(&handle, THREAD, 800).await.is_some());
            store.advance(400 * 24 * 60 * 60 * 1000);
            assert!(outline(&handle, THREAD, 800).await.is_none());
        }
    });
}

#[test]
fn messages_of_another_thread_or_tenant_are_not_found() {
    wait(async {
        let home = Kept::Memory.open();
        let catalogue = agent(r#"{"maxTokens":3000}"#);
        let (store, handle) = open(home.opened.clone(), 1, &catalogue).await.unwrap();
        let globex = handle_of(&store, "globex", "v1", "", &catalogue);
        append(&handle, THREAD, 41, 300).await;
        append(&handle, "other", 41, 300).await;
        append(&globex, THREAD, 41, 300).await;
        let mut ids = vec!["msg_".to_owned(), "run_x-0".to_owned(), "fold-1".to_owned(), "\"".to_owned()];
        for (of, thread) in [(&handle, "other"), (&globex, THREAD)] {
            ids.extend(messages(of, thread).await.iter().take(3).map(|message| text(message, "messageId").to_owned()));
        }
        let own = text(&messages(&handle, THREAD).await[0], "messageId").to_owned();
        let mut wanted: Vec<_> = ids
            .iter()
            .map(|id| ("recall", format!(r#"{{"messageId":{}}}"#, json::write(&Json::from(id.as_str())))))
            .collect();
        wanted.push(recall(&own));
        wanted.extend(
            ["said 8 ", "SAID 4", "nowhere to be found"].map(|text| ("recall", format!(r#"{{"text":"{text}"}}"#))),
        );
        let host = Reader::new(3000, move |conversation| {
            let is_asked = conversation
                .iter()
                .any(|message| text(message, "messageId").starts_with("run_") && text(message, "role") == "assistant");
            let is_told = json::write(conversation.last().unwrap()).contains("tool-result") || is_asked;
            if is_told { says("Yes.", 0) } else { calls(&wanted, 0) }
        });
        let result = query(&handle, "So?", &host).await.unwrap();
        let found = recalled(&handle, text(&result, "runId")).await;
        for id in &ids {
            assert_eq!(text(&found[id], "code"), "NOT_FOUND", "{id}");
        }
        assert!(text(&found[&own], "text").starts_with("said 0 "), "{found:?}");
        let count = |text: &str| {
            let result = &found[text];
            (result.get("messages").unwrap().as_array().unwrap().len(), result.get("more").unwrap().as_whole().unwrap())
        };
        assert_eq!((count("said 8 "), count("nowhere to be found")), ((1, 0), (0, 0)));
        // The other message that has it is not folded.
        assert_eq!(count("SAID 4"), (1, 0));
        // Without a fold there is no such tool.
        let host =
            Reader::new(
                100_000,
                |conversation| if conversation.len() == 1 { calls(&[recall("x")], 0) } else { says("No.", 0) },
            );
        let prepared = handle.runs().prepare(None).unwrap();
        let run_id = prepared.run_id.clone();
        handle.runs().start(prepared, on("new", "So?"), &host).await.unwrap();
        assert_eq!(text(&recalled(&handle, &run_id).await["x"], "code"), "TOOL_UNKNOWN");
    });
}

#[test]
fn a_tool_of_the_agent_that_is_called_recall_goes_before_the_built_in_one() {
    let topology = r#"{"bailiwick":1,"tools":[{"name":"recall","description":"Recalls goods","effects":"read","input":{"type":"object"}}],
        "agents":[{"role":"specialist","name":"clerk","model":"test/m","prompt":"Help.","tools":["recall"],"context":{"maxTokens":800}}]}"#;
    wait(async {
        let home = Kept::Memory.open();
        let catalogue = Arc::new(Catalogue::from_json(&parsed(topology)).unwrap());
        let (_store, handle) = open(home.opened.clone(), 1, &catalogue).await.unwrap();
        append(&handle, THREAD, 41, 300).await;
        let host = Reader::new(800, |conversation| {
            if text(conversation.last().unwrap(), "role") == "tool" {
                says("Yes.", 0)
            } else {
                calls(&[recall("m")], 0)
            }
        });
        let result = query(&handle, "So?", &host).await.unwrap();
        assert!(*host.folded.lock() > 30);
        let found = recalled(&handle, text(&result, "runId")).await;
        assert!(found["m"].as_str().is_some_and(|text| text.starts_with("result ")), "{found:?}");
    });
}

#[test]
fn a_message_that_is_too_large_alone_is_shown_by_its_beginning_and_recalled_in_pages() {
    wait(async {
        let home = Kept::Memory.open();
        let (_store, handle) = open(home.opened.clone(), 1, &agent(r#"{"maxTokens":2000}"#)).await.unwrap();
        let prompt: String = (0..20_000).map(|at| format!("{at} ")).collect();
        let pages: Arc<Mutex<String>> = Arc::default();
        let (read, all) = (pages.clone(), prompt.len());
        let host = Reader::new(2000, move |conversation| {
            let last = conversation.last().unwrap();
            let part = &last.get("parts").unwrap().as_array().unwrap()[0];
            let mut read = read.lock();
            if let Some(result) = part.get("result") {
                read.push_str(text(result, "text"));
            } else {
                assert!(text(part, "text").starts_with("0 1 2 3"), "{part:?}");
                assert!(text(part, "text").contains(&format!("[{all} bytes; recall gives message run_")), "{part:?}");
            }
            let offset = read.len();
            if offset >= 5000 {
                return says("Read.", 0);
            }
            let id = conversation
                .iter()
                .find_map(|message| Some(text(message, "messageId")).filter(|id| id.ends_with("-0")));
            let Some(id) = id else { return says("The question is folded.", 0) };
            calls(&[("recall", format!(r#"{{"messageId":"{id}","offset":{offset}}}"#))], 0)
        });
        let result = query(&handle, &prompt, &host).await.unwrap();
        assert_eq!(text(&result, "status"), "completed", "{result:?}");
        assert!(prompt.starts_with(pages.lock().as_str()) && pages.lock().len() > 400, "{}", pages.lock().len());
        assert_eq!(
            messages(&handle, THREAD).await[0].get("parts").unwrap().as_array().unwrap()[0]
                .get("text")
                .unwrap()
                .as_str(),
            Some(prompt.as_str())
        );
    });
}

#[test]
fn many_calls_of_one_turn_are_folded_together_with_their_results() {
    wait(async {
        let home = Kept::Memory.open();
        let (_store, handle) = open(home.opened.clone(), 1, &agent(r#"{"maxTokens":1500}"#)).await.unwrap();
        let host = Reader::new(1500, |conversation| {
            if conversation.len() == 1 && !text(&conversation[0], "messageId").starts_with("fold-") {
                let each: Vec<_> = (0..250).map(|at| ("look", format!(r#"{{"at":{at}}}"#))).collect();
                calls(&each, 0)
            } else {
                says("Done.", 0)
            }
        });
        let result = query(&handle, "Look everywhere", &host).await.unwrap();
        assert_eq!(text(&result, "text"), "Done.");
        assert_eq!(*host.folded.lock(), 3);
        let all = messages(&handle, THREAD).await;
        assert_eq!(all[1].get("parts").unwrap().as_array().unwrap().len(), 250);
    });
}

#[test]
fn answers_at_the_beginning_of_a_thread_are_folded_and_not_dropped() {
    wait(async {
        let home = Kept::Memory.open();
        let (_store, handle) = open(home.opened.clone(), 1, &agent("{}")).await.unwrap();
        let greeting = br#"[{"role":"assistant","parts":[{"type":"text","text":"Welcome to the shop"}]}]"#;
        handle.threads().append(THREAD, greeting, None).await.unwrap();
        let outline = outline(&handle, THREAD, 100_000).await.unwrap();
        assert!(
            outline.starts_with("[1 earlier message of") && outline.contains("assistant: Welcome to the shop"),
            "{outline}"
        );
    });
}
