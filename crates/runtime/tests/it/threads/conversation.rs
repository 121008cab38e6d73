//! W6 and W5: whatever is accepted can be told to a model, and what it names is there.

use std::collections::{BTreeMap, HashSet};

use bailiwick_model::json::{self, Json};
use bailiwick_model::{Error, Kind};
use bailiwick_runtime::{PutItem, TenantHandle};

use crate::support::{Kept, NOW, Random, handle, put, store, text, wait};
use crate::threads::{member, messages, read_all};

const DAY: u64 = 24 * 60 * 60 * 1000;

/// A message: its role, and the ids of the calls or results in it.
#[derive(Clone, Debug, PartialEq)]
struct Said {
    role: &'static str,
    ids: Vec<String>,
}

impl Said {
    fn json(&self) -> String {
        let parts: Vec<String> = match self.role {
            "assistant" => {
                let call = |id| format!(r#"{{"type":"tool-call","callId":"{id}","tool":"t","input":{{}}}}"#);
                self.ids.iter().map(call).collect()
            }
            "tool" => {
                let result = |id| format!(r#"{{"type":"tool-result","callId":"{id}","result":1}}"#);
                self.ids.iter().map(result).collect()
            }
            _ => vec![r#"{"type":"text","text":"x"}"#.to_owned()],
        };
        format!(r#"{{"role":"{}","parts":[{}]}}"#, self.role, parts.join(","))
    }

    fn of(text: &str) -> Self {
        let message = json::parse(text.as_bytes(), &json::Limits::default()).unwrap();
        let parts = message.get("parts").and_then(Json::as_array).unwrap();
        let ids = parts.iter().filter_map(|part| part.get("callId")?.as_str().map(str::to_owned)).collect();
        let role = ["user", "assistant", "tool"].into_iter().find(|role| *role == member(text, "role")).unwrap();
        Self { role, ids }
    }

    fn any(random: &mut Random) -> Self {
        let role = *random.pick(&["user", "assistant", "assistant", "tool", "tool"]).unwrap();
        let few = if role == "tool" { 1 + random.below(2) } else { random.below(3) };
        let ids = (0..few).map(|_| random.pick(&["a", "b", "c"]).unwrap().to_string()).collect();
        Self { role, ids: if role == "user" { Vec::new() } else { ids } }
    }
}

/// The calls that are open behind these, each with the message that it is in. `None` for a result without an open call.
fn open_calls(said: &[Said]) -> Option<BTreeMap<&str, usize>> {
    let mut open = BTreeMap::new();
    for (at, message) in said.iter().enumerate() {
        for id in &message.ids {
            if message.role == "assistant" {
                open.insert(id.as_str(), at);
            } else {
                open.remove(id.as_str())?;
            }
        }
    }
    Some(open)
}

/// Whether these may be appended to those.
fn fits(before: &[Said], new: &[Said]) -> bool {
    let all = [before, new].concat();
    let Some(open) = open_calls(&all) else { return false };
    let last_turn = new.iter().rposition(|message| message.role != "tool").unwrap_or(0);
    let is_twice = |message: &Said| message.ids.iter().collect::<HashSet<_>>().len() < message.ids.len();
    if new.iter().any(|message| message.role == "assistant" && is_twice(message)) {
        return false;
    }
    // One that was begun here is not begun again while it is open.
    for (at, message) in new.iter().enumerate().filter(|(_, message)| message.role == "assistant") {
        let own = open_calls(&all[..before.len() + at]).unwrap();
        if message.ids.iter().any(|id| own.get(id.as_str()).is_some_and(|begun| *begun >= before.len())) {
            return false;
        }
    }
    open.into_values().all(|at| at < before.len() || at - before.len() == last_turn)
}

async fn read(handle: &TenantHandle, thread: &str) -> Vec<String> {
    read_all(handle, thread, 7).await.unwrap_or_default()
}

#[test]
fn every_accepted_append_and_fork_leaves_a_thread_that_can_be_sent() {
    for seed in 0..30 {
        wait(async {
            let store = store(Kept::Memory.open().opened, seed, NOW, 1 << 20).await;
            let handle = handle(&store, "acme");
            let mut random = Random::new(seed);
            let (mut threads, mut accepted, mut refused) = (vec!["first".to_owned()], 0, 0);
            for _ in 0..120 {
                let thread = random.pick(&threads).unwrap().clone();
                let stored = read(&handle, &thread).await;
                let before: Vec<Said> = stored.iter().map(|text| Said::of(text)).collect();
                if random.one_in(5) && !stored.is_empty() {
                    let at = random.below(stored.len());
                    let fork = handle.threads().fork(&thread, &member(&stored[at], "messageId"), None).await.unwrap();
                    let copied = read(&handle, &fork).await;
                    assert_eq!(copied[..=at], stored[..=at]);
                    let said: Vec<Said> = copied.iter().map(|text| Said::of(text)).collect();
                    let open = open_calls(&said).expect("every result has a call");
                    let last = said.iter().rposition(|message| message.role == "assistant");
                    assert!(!open.into_values().any(|at| Some(at) == last), "the last turn is closed: {said:?}");
                    threads.push(fork);
                    continue;
                }
                let new: Vec<Said> = (0..=random.below(4)).map(|_| Said::any(&mut random)).collect();
                let text: Vec<String> = new.iter().map(Said::json).collect();
                let outcome = handle.threads().append(&thread, format!("[{}]", text.join(",")).as_bytes(), None).await;
                match (fits(&before, &new), outcome) {
                    (true, Ok(_)) => accepted += 1,
                    (false, Err(Error::InvalidInput(_))) => {
                        refused += 1;
                        assert_eq!(read(&handle, &thread).await, stored, "nothing is half-written");
                    }
                    (fits, outcome) => panic!("{fits} {outcome:?} for {new:?} after {before:?}"),
                }
            }
            assert!(accepted > 10 && refused > 10, "{accepted} {refused}");
        });
    }
}

#[test]
fn a_fork_through_a_call_has_the_result_that_came_later() {
    wait(async {
        let store = store(Kept::Memory.open().opened, 1, NOW, 1 << 20).await;
        let handle = handle(&store, "acme");
        let said = |role, ids: &[&str]| Said { role, ids: ids.iter().map(|id| (*id).to_owned()).collect() };
        let append = async |said: &[Said]| {
            let text: Vec<String> = said.iter().map(Said::json).collect();
            handle.threads().append("one", format!("[{}]", text.join(",")).as_bytes(), None).await.unwrap()
        };
        // Somebody leaves a note before the results of two of three calls are there.
        let first = append(&[said("user", &[]), said("assistant", &["a", "b", "c"])]).await;
        append(&[said("tool", &["a"])]).await;
        append(&[said("user", &[])]).await;
        append(&[said("tool", &["b"])]).await;
        let fork = handle.threads().fork("one", &member(&first[1], "messageId"), None).await.unwrap();
        let copied = read(&handle, &fork).await;
        let ids: Vec<Said> = copied.iter().map(|text| Said::of(text)).collect();
        assert_eq!(ids[2..], [said("tool", &["a"]), said("tool", &["b", "c"])]);
        assert!(copied[3].contains(r#""callId":"b","result":1"#) && copied[3].contains("INTERRUPTED"), "{}", copied[3]);
        handle.threads().append(&fork, &messages(&["and on"]), Some(4)).await.unwrap();
    });
}

#[test]
fn references_of_a_thread_live_as_long_as_the_thread() {
    for kept in Kept::ALL {
        wait(async {
            let home = kept.open();
            let store = store(home.opened, 1, NOW, 1 << 20).await;
            let handle = handle(&store, "acme");
            let reference = put(&handle, text("note", "kept")).await;
            let naming = |id: &str| {
                format!(
                    r#"[{{"role":"user","parts":[{{"type":"file","reference":"{id}","mediaType":"text/plain"}}]}}]"#
                )
                .into_bytes()
            };
            let named = handle.threads().append("one", &naming(&reference), None).await.unwrap();
            let there = async || handle.references().resolve(&reference).await.is_ok();
            store.advance(89 * DAY);
            assert!(there().await, "30 days are over, the thread is there");
            handle.threads().append("one", &messages(&["still here"]), None).await.unwrap();
            store.advance(89 * DAY);
            assert!(there().await, "the thread lives on, and so does what it names");
            handle.threads().fork("one", &member(&named[0], "messageId"), Some("fork")).await.unwrap();
            store.advance(89 * DAY);
            assert!(there().await && !read(&handle, "fork").await.is_empty(), "of a fork, too");
            assert!(read(&handle, "one").await.is_empty());
            store.advance(89 * DAY);
            assert!(!there().await, "then it expires with it");
            let refused = handle.threads().append("two", &naming(&reference), None).await.err();
            assert_eq!(refused, Some(Error::NotFound));
        });
    }
}

#[test]
fn a_file_that_is_absent_expired_deleted_or_foreign_is_refused_alike() {
    wait(async {
        let store = store(Kept::Memory.open().opened, 1, NOW, 1 << 20).await;
        let (mine, other) = (handle(&store, "acme"), handle(&store, "globex"));
        let foreign = put(&other, text("note", "theirs")).await;
        let expired = put(&mine, PutItem { ttl_ms: Some(1000), ..text("note", "old") }).await;
        let deleted = put(&mine, text("note", "gone")).await;
        assert!(mine.references().delete(&deleted).await.unwrap());
        store.advance(1000);
        let here = put(&mine, text("note", "here")).await;
        for id in [&format!("ref_{}", "a".repeat(32)), &foreign, &expired, &deleted] {
            let file = |id: &str| format!(r#"{{"type":"file","reference":"{id}","mediaType":"text/plain"}}"#);
            let text = format!(r#"[{{"role":"user","parts":[{},{}]}}]"#, file(&here), file(id));
            assert_eq!(mine.threads().append("one", text.as_bytes(), None).await.err(), Some(Error::NotFound));
            let nobody = handle(&store, "nobody");
            assert_eq!(nobody.threads().append("one", text.as_bytes(), None).await.err(), Some(Error::NotFound));
        }
        assert!(read(&mine, "one").await.is_empty());
        let usage = mine.usage().await.unwrap();
        assert!(usage.iter().any(|(kind, count)| *kind == Kind::Threads && count.items == 0));
    });
}
