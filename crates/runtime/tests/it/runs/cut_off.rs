//! Answers that break off: what was said is kept, what is said anew takes its place, and what was used is counted.

use bailiwick_model::json::{self, Json};
use bailiwick_model::spec::RunLimits;
use bailiwick_runtime::{Reply, RunPosition, RunRequest, TenantHandle};

use super::host::parsed;
use super::scripted::{Scripted, answer, call, fails, last, messages, on, parts, piece, query, text_delta, told, used};
use super::{open, request, text, wait};
use crate::support::Kept;

/// How a run may be cut off in the middle of an answer.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Cut {
    Failure,
    Mistake,
    Limit,
    Cancel,
}

fn replies_of(cut: Cut) -> Vec<Reply> {
    let begun = piece(&format!(
        r#"{},{},{},{},{}"#,
        used(1, 1),
        r#"{"type":"reasoning.delta","id":"r","delta":"Hm."}"#,
        text_delta("Half a "),
        call("c", "book", "{}"),
        used(100, 7)
    ));
    let rest = match cut {
        Cut::Failure => Some(fails(false)),
        Cut::Mistake => Some(last(r#"{"type":"text.delta","id":"t","delta":5}"#)),
        Cut::Limit | Cut::Cancel => None,
    };
    std::iter::once(begun).chain(rest).collect()
}

/// Cancels a run once a follower has seen text.
async fn cancel_after_text(handle: &TenantHandle, run_id: &str) {
    let mut position = RunPosition::default();
    while position.text == 0 {
        position = handle.runs().events(run_id, position, false).await.unwrap().position;
    }
    handle.runs().cancel(run_id).await.unwrap();
}

#[test]
fn text_before_a_run_was_cut_off_is_kept_with_its_usage() {
    for cut in [Cut::Failure, Cut::Mistake, Cut::Limit, Cut::Cancel] {
        wait(async {
            let home = Kept::Memory.open();
            let (_store, handle) = open(home.opened.clone(), 1).await;
            let host = Scripted::new([replies_of(cut)]);
            let limits = RunLimits { max_duration_ms: (cut == Cut::Limit).then_some(50), ..RunLimits::default() };
            let prepared = handle.runs().prepare(None).unwrap();
            let run_id = prepared.run_id.clone();
            let running = handle.runs().start(prepared, RunRequest { limits, ..request("Go") }, &host);
            let result = if cut == Cut::Cancel {
                super::both(running, cancel_after_text(&handle, &run_id)).await.0
            } else {
                running.await
            };
            let result = parsed(&result.unwrap());
            let status = match cut {
                Cut::Failure | Cut::Mistake => "failed",
                Cut::Limit => "limited",
                Cut::Cancel => "cancelled",
            };
            assert_eq!((text(&result, "status"), text(&result, "text")), (status, "Half a "), "{cut:?}");
            let counted = r#"{"test/m":{"inputTokens":100,"outputTokens":7,"cacheReadTokens":0,"cacheWriteTokens":0,"reasoningTokens":0}}"#;
            assert_eq!(json::write(result.get("usage").unwrap()), counted, "the last that was told counts");
            assert_eq!(handle.runs().tokens().await.unwrap(), counted);
            assert_eq!(parsed(&handle.runs().resume(&run_id, &host).await.unwrap()), result, "the journal has it");
            // The call was not made, and the thread says so.
            assert!(host.calls.lock().is_empty());
            let thread = text(&result, "threadId").to_owned();
            let kept = messages(&handle, &thread).await;
            let roles: Vec<&str> = kept.iter().map(|message| text(message, "role")).collect();
            assert_eq!(roles, ["user", "assistant", "tool"]);
            let interrupted: Vec<bool> = kept.iter().map(|message| message.get("interrupted").is_some()).collect();
            assert_eq!(interrupted, [false, true, false]);
            assert_eq!(text(&parts(&kept[1])[1], "text"), "Half a ");
            assert!(told(&kept[2])[0].starts_with("INTERRUPTED"));
            // It is what the next run begins with, and whoever follows late sees it.
            let next = Scripted::new([answer("Whole.")]);
            assert_eq!(text(&query(&handle, on(&thread, "Go on"), &next).await, "status"), "completed");
            let asked = next.requests.lock()[0].get("messages").unwrap().as_array().unwrap().to_vec();
            assert_eq!(asked.len(), 4);
            assert_eq!(json::write(&asked[1]), json::write(&kept[1]));
            let shown = handle.runs().events(&run_id, RunPosition::default(), false).await.unwrap();
            let deltas: String = shown
                .events
                .iter()
                .map(|event| parsed(event))
                .filter(|event| text(event, "type") == "text.delta")
                .map(|event| text(&event, "delta").to_owned())
                .collect();
            assert_eq!(deltas, "Half a ");
        });
    }
}

#[test]
fn answers_that_are_requested_again_count_their_usage() {
    wait(async {
        let home = Kept::Memory.open();
        let (_store, handle) = open(home.opened.clone(), 1).await;
        let broken = |input| vec![piece(&format!("{},{}", used(input, 1), text_delta("x"))), fails(true)];
        let host = Scripted::new([broken(100), broken(1000), answer("Done.")]);
        let result = query(&handle, request("Go"), &host).await;
        assert_eq!((text(&result, "status"), text(&result, "text")), ("completed", "Done."));
        let used = |value: &Json| value.get("test/m").unwrap().get("inputTokens").unwrap().as_f64().unwrap();
        assert_eq!(used(result.get("usage").unwrap()), 1110.0);
        assert_eq!(used(&parsed(&handle.runs().tokens().await.unwrap())), 1110.0);
        assert_eq!(messages(&handle, text(&result, "threadId")).await.len(), 2, "what was taken back is not kept");
        // What nobody says again is not lost.
        let silent = || vec![fails(true)];
        let host = Scripted::new([broken(1), silent(), silent()]);
        let result = query(&handle, request("Go"), &host).await;
        assert_eq!((text(&result, "status"), text(&result, "text")), ("failed", "x"));
    });
}

#[test]
fn a_message_that_is_written_anew_is_taken_back() {
    for over in [false, true] {
        wait(async {
            let home = Kept::Memory.open();
            let (_store, handle) = open(home.opened.clone(), 1).await;
            let prepared = handle.runs().prepare(None).unwrap();
            let run_id = prepared.run_id.clone();
            let first = vec![piece(&text_delta("Abandoned"))];
            let host = super::scripted::Stepwise::new([first, answer("Anew")]);
            let follow = async {
                let (mut seen, mut position) = (Vec::new(), RunPosition::default());
                loop {
                    let page = handle.runs().events(&run_id, position, true).await.unwrap();
                    let news: Vec<Json> = page.events.iter().map(|event| parsed(event)).collect();
                    position = page.position;
                    let shown = news.iter().any(|event| text(event, "type") == "text.delta");
                    seen.extend(news);
                    // This follower reads again after the end of the run.
                    let mut waits = shown && host.fail() && over;
                    while waits {
                        tokio::task::yield_now().await;
                        waits = host.is_asked() || !handle.runs().summary(&run_id).await.unwrap().contains("completed");
                    }
                    if page.over || seen.iter().any(|event| text(event, "type") == "run.completed") {
                        return seen;
                    }
                }
            };
            let (result, seen) = super::both(handle.runs().start(prepared, request("Go"), &host), follow).await;
            assert_eq!(text(&parsed(&result.unwrap()), "text"), "Anew");
            let kinds: Vec<&str> = super::kinds(&seen);
            let taken_back = kinds.iter().position(|kind| *kind == "message.discarded").unwrap();
            assert_eq!(kinds.iter().filter(|kind| **kind == "message.discarded").count(), 1);
            let (before, after) = seen.split_at(taken_back);
            let abandoned = before.iter().find(|event| text(event, "type") == "text.delta").unwrap();
            assert_eq!(text(abandoned, "messageId"), text(&after[0], "messageId"));
            assert_eq!(after[0].get("after"), abandoned.get("after"));
            let anew = after.iter().find(|event| text(event, "type") == "text.delta").unwrap();
            assert_eq!((text(anew, "delta"), anew.get("offset").unwrap().as_f64()), ("Anew", Some(0.0)));
            assert_ne!(text(anew, "messageId"), text(abandoned, "messageId"));
            // Whoever has not seen it is told nothing of it.
            let late = handle.runs().events(&run_id, RunPosition::default(), false).await.unwrap();
            assert!(!late.events.iter().any(|event| event.contains("message.discarded")));
        });
    }
}
