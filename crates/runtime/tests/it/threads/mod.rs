//! Threads against a naive model, under concurrency, and what they cost.

mod conversation;
mod model;

use std::sync::Arc;

use crate::support::{Kept, NOW, Random, catalogue, handle, handle_of, long, store, told, wait};
use bailiwick_model::base32::parse_prefixed_id;
use bailiwick_model::{Error, Kind, Result, json};
use bailiwick_runtime::{Store, TenantHandle};
use bailiwick_store::recording::{Call, Recording, Step, Verb};
use bailiwick_store::{Engine, Opened};
use model::{Model, Player, TTL};

const SHORT: &str = r#","retention":{"threads":{"ttlMs":1000}}"#;

fn message(text: &str, actor: Option<&str>) -> String {
    let actor = actor.map(|actor| format!(r#","actor":"{actor}""#)).unwrap_or_default();
    format!(r#"{{"role":"user","parts":[{{"type":"text","text":"{text}"}}],"createdAt":5{actor}}}"#)
}

fn messages(texts: &[&str]) -> Vec<u8> {
    let all: Vec<String> = texts.iter().map(|text| message(text, None)).collect();
    format!("[{}]", all.join(",")).into_bytes()
}

fn member(text: &str, name: &str) -> String {
    let value = json::parse(text.as_bytes(), &json::Limits::default()).unwrap();
    value.get(name).map(|value| value.as_str().map_or_else(|| json::write(value), str::to_owned)).unwrap()
}

fn sequence(message: &str) -> u64 {
    let id = parse_prefixed_id("msg_", &member(message, "messageId")).unwrap();
    u64::from_be_bytes(*id.first_chunk().unwrap())
}

/// All messages, in pages of `limit`.
async fn read_all(handle: &TenantHandle, thread: &str, limit: usize) -> Result<Vec<String>> {
    let (mut all, mut cursor) = (Vec::new(), None);
    loop {
        let page = handle.threads().messages(thread, limit, cursor.as_deref()).await?;
        all.extend(page.items.iter().map(|message| message.to_string()));
        cursor = page.cursor;
        if cursor.is_none() {
            return Ok(all);
        }
    }
}

async fn list_all(handle: &TenantHandle, actor: Option<&str>, limit: usize) -> Vec<String> {
    let (mut all, mut cursor) = (Vec::new(), None);
    loop {
        let page = handle.threads().list(actor, limit, cursor.as_deref()).await.unwrap();
        all.extend(page.items.iter().map(json::to_text));
        cursor = page.cursor;
        if cursor.is_none() {
            return all;
        }
    }
}

#[test]
fn threads_behave_like_a_naive_model() {
    let (rounds, steps) = if long() { (200, 500) } else { (6, 250) };
    for kept in Kept::ALL {
        for round in 0..rounds {
            wait(async {
                let home = kept.open();
                let store = store(home.opened, round, NOW, 1 << 20).await;
                let mut now = NOW;
                let mut random = Random::new(round);
                let player = |name: &str| Player {
                    handle: handle_of(&store, name, "v1", SHORT, &catalogue()),
                    model: Model::default(),
                    name: name.to_owned(),
                };
                let mut players = [player("acme"), player("acme%")];
                for _ in 0..steps {
                    let player = &mut players[random.below(2)];
                    player.act(&mut random, now).await;
                    if random.one_in(8) {
                        let later = random.below(400) as u64;
                        store.advance(later);
                        now += later;
                    }
                }
                store.advance(2 * TTL);
                for player in &players {
                    while player.handle.threads().sweep(7).await.unwrap() > 0 {}
                    let usage = player.handle.usage().await.unwrap();
                    let (_, count) = usage.iter().find(|(kind, _)| *kind == Kind::Threads).unwrap();
                    assert_eq!((count.items, count.bytes), (0, 0), "B8: nothing of expired threads is left");
                }
            });
        }
    }
}

async fn append_all(handle: TenantHandle, bodies: impl Iterator<Item = Vec<u8>>) {
    for body in bodies {
        while let Err(error) = handle.threads().append("one", &body, None).await {
            assert!(matches!(error, Error::ThreadBusy { .. }), "{error:?}");
            tokio::task::yield_now().await;
        }
    }
}

#[test]
fn concurrent_appends_are_all_there_once_in_the_order_of_their_sequence() {
    const WRITERS: usize = 8;
    const EACH: usize = 20;
    for kept in Kept::ALL {
        wait(async {
            let home = kept.open();
            let store = store(home.opened, 1, NOW, 1 << 20).await;
            let mut tasks = Vec::new();
            for writer in 0..WRITERS {
                let bodies = (0..EACH).map(move |number| messages(&[&format!("{writer}-{number}")]));
                tasks.push(tokio::spawn(append_all(handle(&store, "acme"), bodies)));
            }
            for task in tasks {
                task.await.unwrap();
            }
            let all = read_all(&handle(&store, "acme"), "one", 7).await.unwrap();
            assert_eq!(all.len(), WRITERS * EACH);
            for (index, message) in all.iter().enumerate() {
                assert_eq!(sequence(message), index as u64);
            }
            for writer in 0..WRITERS {
                let mark = format!("\"{writer}-");
                let own: Vec<_> = all.iter().filter(|message| message.contains(&mark)).collect();
                assert_eq!(own.len(), EACH);
                for (number, message) in own.into_iter().enumerate() {
                    assert!(message.contains(&format!("\"{writer}-{number}\"")), "{message}");
                }
            }
        });
    }
}

/// A store that notes its engine's calls down.
async fn recorded(kept: Kept) -> (Arc<Recording>, Arc<Store>, crate::support::Home) {
    let home = kept.open();
    let recording = Arc::new(Recording::new(home.opened.engine.clone()));
    let opened = Opened { engine: recording.clone(), vault: home.opened.vault.clone() };
    let store = store(opened, 1, NOW, 1 << 20).await;
    (recording, store, home)
}

#[test]
fn an_append_costs_one_commit_of_the_same_steps_whatever_the_length() {
    for kept in Kept::ALL {
        wait(async {
            let (recording, store, _home) = recorded(kept).await;
            let handle = handle(&store, "acme");
            handle.threads().append("one", &messages(&["first"]), None).await.unwrap();
            recording.take();
            handle.threads().append("one", &messages(&["second"]), None).await.unwrap();
            let early = recording.take();
            for _ in 0..5 {
                let many: Vec<String> = (0..200).map(|number| number.to_string()).collect();
                let many: Vec<&str> = many.iter().map(String::as_str).collect();
                handle.threads().append("one", &messages(&many), None).await.unwrap();
            }
            recording.take();
            handle.threads().append("one", &messages(&["last"]), Some(1002)).await.unwrap();
            assert_eq!(recording.take(), early);
            let kind = Kind::Threads as u8;
            let commit = Call { verb: Verb::Commit, steps: vec![Step::Put(kind | 0x20), Step::Put(kind)] };
            // Where other processes may append, what is known of the thread is confirmed first, without reading it.
            let confirmed = Call { verb: Verb::Get, steps: vec![Step::Look(kind, true)] };
            let expected = if recording.is_shared() { vec![confirmed, commit] } else { vec![commit] };
            assert_eq!(early, expected);
        });
    }
}

/// What every verb says of a thread, and the engine calls that took.
async fn verbs(handle: &TenantHandle, recording: &Recording, thread: &str, id: &str) -> Vec<String> {
    let mut told_of = Vec::new();
    let mut note = |what: String| told_of.push(format!("{what} {:?}", recording.take()));
    note(handle.threads().messages(thread, 10, None).await.map_or_else(|error| told(&error), |_| "found".to_owned()));
    let cursor = handle.threads().messages(thread, 10, Some("AAAA")).await;
    note(cursor.map_or_else(|error| told(&error), |_| "found".to_owned()));
    note(handle.threads().fork(thread, id, None).await.unwrap_or_else(|error| told(&error)));
    note(handle.threads().delete(thread).await.unwrap().to_string());
    told_of
}

#[test]
fn absent_foreign_expired_and_deleted_threads_are_the_same() {
    for kept in Kept::ALL {
        wait(async {
            let (recording, store, _home) = recorded(kept).await;
            let mine = handle_of(&store, "acme", "v1", SHORT, &catalogue());
            let other = handle(&store, "globex");
            let foreign = other.threads().append("foreign", &messages(&["x"]), None).await.unwrap();
            let expired = mine.threads().append("expired", &messages(&["x"]), None).await.unwrap();
            let deleted = mine.threads().append("deleted", &messages(&["x"]), None).await.unwrap();
            assert!(mine.threads().delete("deleted").await.unwrap());
            store.advance(TTL);
            mine.threads().append("here", &messages(&["x"]), None).await.unwrap();
            recording.take();
            let id = |messages: &[json::Text]| member(&messages[0], "messageId");
            let absent = verbs(&mine, &recording, "absent", &id(&deleted)).await;
            assert!(absent[0].contains("NOT_FOUND") && absent[3].starts_with("false"), "{absent:?}");
            for (thread, messages) in [("foreign", &foreign), ("expired", &expired), ("deleted", &deleted)] {
                assert_eq!(verbs(&mine, &recording, thread, &id(messages)).await, absent, "{thread}");
            }
            // A message of another thread is no message of this one.
            assert_eq!(mine.threads().fork("here", &id(&foreign), None).await, Err(Error::NotFound));
            assert_eq!(mine.threads().fork("here", "msg_", None).await, Err(Error::NotFound));
            assert_eq!(list_all(&mine, None, 10).await.len(), 1);
        });
    }
}

#[test]
fn cursors_are_of_one_tenant_and_one_thread() {
    wait(async {
        let store = store(Kept::Memory.open().opened, 1, NOW, 1 << 20).await;
        let (mine, other) = (handle(&store, "acme"), handle(&store, "globex"));
        for handle in [&mine, &other] {
            for thread in ["one", "two"] {
                handle.threads().append(thread, &messages(&["x", "y"]), None).await.unwrap();
            }
        }
        let of_messages = other.threads().messages("one", 1, None).await.unwrap().cursor.unwrap();
        let of_list = other.threads().list(None, 1, None).await.unwrap().cursor.unwrap();
        let malformed = mine.threads().messages("one", 1, Some("x")).await.err().unwrap();
        let refused = [
            mine.threads().messages("one", 1, Some(&of_messages)).await.err(),
            mine.threads().messages("one", 1, Some(&of_list)).await.err(),
            mine.threads().list(None, 1, Some(&of_list)).await.err(),
            mine.threads().list(None, 1, Some(&of_messages)).await.err(),
            other.threads().list(Some("ann"), 1, Some(&of_list)).await.err(),
            other.threads().messages("two", 1, Some(&of_messages)).await.err(),
        ];
        for refused in refused {
            assert_eq!(refused, Some(malformed.clone()));
        }
    });
}

#[test]
fn a_new_thread_in_place_of_an_expired_one_shows_none_of_it() {
    wait(async {
        let (recording, store, _home) = recorded(Kept::Memory).await;
        let handle = handle_of(&store, "acme", "v1", SHORT, &catalogue());
        handle.threads().append("one", &messages(&["old 1", "old 2", "old 3"]), None).await.unwrap();
        store.advance(TTL + TTL / 8);
        handle.threads().append("one", &messages(&["new"]), Some(0)).await.unwrap();
        let all = read_all(&handle, "one", 10).await.unwrap();
        assert!(all.len() == 1 && all[0].contains("new"), "{all:?}");
        // The next deletion of anything finishes what expired.
        handle.threads().append("two", &messages(&["x"]), None).await.unwrap();
        recording.take();
        assert!(handle.threads().delete("two").await.unwrap());
        let entries = Step::Delete(Kind::Threads as u8 | 0x20);
        let steps: Vec<Step> = recording.take().into_iter().flat_map(|call| call.steps).collect();
        assert_eq!(steps.iter().filter(|step| **step == entries).count(), 4);
        assert_eq!(read_all(&handle, "one", 10).await.unwrap(), all);
        assert_eq!(handle.threads().sweep(10).await.unwrap(), 0);
    });
}

fn message_of(role: &str, parts: &str) -> String {
    format!(r#"{{"role":"{role}","parts":[{parts}],"createdAt":1,"runId":"r"}}"#)
}

/// A message with one part, of the role that may have it.
fn part(part: &str) -> String {
    let role = if part.contains("tool-result") { "tool" } else { "assistant" };
    format!("[{}]", message_of(role, part))
}

#[test]
fn an_invalid_message_is_refused_with_its_place() {
    wait(async {
        let store = store(Kept::Memory.open().opened, 1, NOW, 1 << 20).await;
        let handle = handle(&store, "acme");
        let said = |role: &str, parts: &str| format!("[{}]", message_of(role, parts));
        let call = |id: &str| format!(r#"{{"type":"tool-call","callId":"{id}","tool":"t","input":1}}"#);
        let result = |id: &str| format!(r#"{{"type":"tool-result","callId":"{id}","result":1}}"#);
        let (called, answered) = (message_of("assistant", &call("c")), message_of("tool", &result("c")));
        let hello = r#"{"type":"text","text":"x"}"#;
        let reference = crate::support::put(&handle, crate::support::text("note", "x")).await;
        let bad = [
            ("[]".to_owned(), "messages must"),
            ("{}".to_owned(), "messages must"),
            ("[1]".to_owned(), "messages[0] must"),
            (r#"[{"role":"system","parts":[],"createdAt":1}]"#.to_owned(), "messages[0].role"),
            (r#"[{"role":"user","createdAt":1}]"#.to_owned(), "messages[0].parts is missing"),
            (r#"[{"role":"assistant","parts":[],"createdAt":-1}]"#.to_owned(), "messages[0].createdAt"),
            (r#"[{"role":"assistant","parts":[],"createdAt":1.5}]"#.to_owned(), "messages[0].createdAt"),
            (r#"[{"role":"assistant","parts":[],"createdAt":9007199254740992}]"#.to_owned(), "messages[0].createdAt"),
            (r#"[{"role":"assistant","parts":[],"createdAt":1,"messageId":"x"}]"#.to_owned(), "messages[0] may only"),
            (r#"[{"role":"assistant","parts":[],"createdAt":1,"actor":""}]"#.to_owned(), "messages[0].actor"),
            (r#"[{"role":"assistant","parts":[],"createdAt":1,"runId":null}]"#.to_owned(), "messages[0].runId"),
            (part(r#"{"type":"image"}"#), "messages[0].parts[0] must"),
            (part(r#"{"type":"text"}"#), "messages[0].parts[0].text is missing"),
            (part(r#"{"type":"text","text":1}"#), "messages[0].parts[0].text"),
            (part(r#"{"type":"text","text":"x","tenant":"y"}"#), "messages[0].parts[0] may only"),
            (part(r#"{"type":"file","reference":"../x","mediaType":"a/b"}"#), "messages[0].parts[0].reference"),
            (part(&format!(r#"{{"type":"file","reference":"{reference}","mediaType":"a"}}"#)), "parts[0].mediaType"),
            (part(r#"{"type":"tool-call","callId":1,"tool":"t","input":1}"#), "messages[0].parts[0].callId"),
            (part(r#"{"type":"tool-call","callId":"c","tool":1,"input":1}"#), "messages[0].parts[0].tool"),
            (part(r#"{"type":"tool-call","callId":"","tool":"t","input":1}"#), "messages[0].parts[0].callId"),
            (part(r#"{"type":"tool-call","callId":"c","tool":null,"input":1}"#), "messages[0].parts[0].tool"),
            (part(r#"{"type":"opaque","provider":"","data":1}"#), "messages[0].parts[0].provider"),
            (part(r#"{"type":"opaque","provider":"p"}"#), "messages[0].parts[0].data is missing"),
            (r#"[{"role":"user","parts":[],"createdAt":1,"interrupted":1}]"#.to_owned(), "messages[0].interrupted"),
            (part(r#"{"type":"tool-call","callId":"c","tool":"t"}"#), "messages[0].parts[0].input is missing"),
            (part(r#"{"type":"tool-result","callId":"c"}"#), "messages[0].parts[0].result is missing"),
            (part(r#"{"type":"tool-result","callId":"c","result":1,"isError":0}"#), "parts[0].isError"),
            // What no model can be told.
            (said("tool", ""), "messages[0].parts must"),
            (said("tool", hello), "messages[0].parts[0] cannot be in a message of role tool"),
            (said("user", &call("c")), "messages[0].parts[0] cannot"),
            (said("user", r#"{"type":"reasoning","text":"x"}"#), "messages[0].parts[0] cannot"),
            (said("assistant", &result("c")), "messages[0].parts[0] cannot"),
            (said("tool", &result("c")), "messages[0].parts[0] is the result of a call that is not in the thread"),
            (said("assistant", &format!("{},{}", call("c"), call("c"))), "messages[0].parts[1] has the callId"),
            (format!("[{called},{}]", message_of("user", hello)), "messages[0].parts[0] is a call without a result"),
            (
                format!("[{called},{answered},{answered}]"),
                "messages[2].parts[0] is the result of a call that has one already",
            ),
        ];
        for (text, place) in bad {
            match handle.threads().append("one", text.as_bytes(), None).await {
                Err(Error::InvalidInput(message)) => assert!(message.contains(place), "{text}: {message}"),
                other => panic!("{text}: {other:?}"),
            }
        }
        assert_eq!(handle.threads().messages("one", 10, None).await.err(), Some(Error::NotFound));
    });
}

#[test]
fn a_valid_message_is_kept_verbatim() {
    wait(async {
        let store = store(Kept::Memory.open().opened, 1, NOW, 1 << 20).await;
        let handle = handle(&store, "acme");
        let reference = crate::support::put(&handle, crate::support::text("note", "x")).await;
        let parts = format!(
            r#"{{"type":"reasoning","text":"","metadata":{{"z":[1,null],"a":"\u0000"}}}},{{"type":"file","reference":"{reference}","mediaType":"a/b"}},{{"type":"opaque","provider":"p","data":[]}},{{"type":"tool-call","callId":"c","tool":"a name of theirs","input":null}}"#
        );
        let good = handle.threads().append("one", part(&parts).as_bytes(), None).await.unwrap();
        assert!(good[0].contains(&parts), "kept verbatim: {:?}", good[0]);
        let parts = r#"{"type":"tool-result","callId":"c","result":[],"isError":true}"#;
        let good = handle.threads().append("one", part(parts).as_bytes(), None).await.unwrap();
        assert!(good[0].contains(parts), "kept verbatim: {:?}", good[0]);
        let again = handle.threads().append("one", part(parts).as_bytes(), None).await.err();
        assert!(again.unwrap().to_string().contains("has one already"));
        let undated = r#"[{"role":"assistant","parts":[],"interrupted":true}]"#;
        let good = handle.threads().append("one", undated.as_bytes(), None).await.unwrap();
        assert_eq!(member(&good[0], "createdAt"), NOW.to_string());
        assert_eq!(member(&good[0], "interrupted"), "true");
        for id in ["", &"x".repeat(257)] {
            assert_eq!(
                handle.threads().append(id, &messages(&["x"]), None).await.err().unwrap().code(),
                "INVALID_INPUT"
            );
            assert_eq!(handle.threads().messages(id, 10, None).await.err(), Some(Error::NotFound));
        }
    });
}

#[test]
fn a_thread_accepts_messages_that_a_models_answer_left_in_another() {
    wait(async {
        let store = store(Kept::Memory.open().opened, 1, NOW, 1 << 20).await;
        let handle = handle(&store, "acme");
        let id = "signature/+=".repeat(400);
        let deep = format!("{}{}", "[".repeat(100), "]".repeat(100));
        let parts = |number: usize| {
            format!(
                r#"{{"type":"tool-call","callId":"{id}{number}","tool":"x<|channel|>json","input":{deep}}},{{"type":"tool-call","callId":"__proto__{number}","tool":"","input":"{{"}},{{"type":"opaque","provider":"p","data":null}}"#
            )
        };
        let many = (0..341).map(parts).collect::<Vec<_>>().join(",");
        for parts in [parts(0), many] {
            let message = format!(r#"[{{"role":"assistant","parts":[{parts}],"createdAt":1,"interrupted":true}}]"#);
            let kept = handle.threads().append("one", message.as_bytes(), None).await.unwrap().remove(0);
            let (_, members) = kept.split_once(',').unwrap();
            let again = format!("[{{{members}]");
            let copied = handle.threads().append("other", again.as_bytes(), None).await.unwrap().remove(0);
            assert_eq!(copied.split_once(',').unwrap().1, members);
        }
    });
}
