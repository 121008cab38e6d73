//! Calls whose agents go on while they wait: random turns, whose waits end in any order, in processes that die at any commit. Each call
//! has one result, told once, by the run that made it or by one that goes on with it, and what a model is sent is always in order.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;

use bailiwick_model::json::{self, Json};
use bailiwick_model::ledger::record::Decision;
use bailiwick_runtime::{Catalogue, Reply, RunFilter, TenantHandle, WaitFilter};
use bailiwick_store::Opened;

use super::dying::Dying;
use super::host::{Host, calls, gives, parsed, says};
use super::scripted::{messages, on, parts};
use super::{events, kinds, text, wait};
use crate::support::{Home, Kept, NOW, Random, handle_of, long};

const MINUTE: u64 = 60_000;

/// Tools that answer at once, wait, go on while they wait, and are asked about; and an agent with some of them.
const TEAM: &str = r#"{"bailiwick":1,
  "tools":[
    {"name":"now","description":"Answers","onInterrupted":"retry","input":{"type":"object"}},
    {"name":"held","description":"Waits","onInterrupted":"retry","input":{"type":"object"}},
    {"name":"later","description":"Waits","onInterrupted":"retry","whileWaiting":"continue","input":{"type":"object"}},
    {"name":"timed","description":"Waits for a time","onInterrupted":"retry","whileWaiting":"continue","input":{"type":"object"}},
    {"name":"answered","description":"Asks a person","onInterrupted":"retry","whileWaiting":"continue","input":{"type":"object"}},
    {"name":"twice","description":"Waits twice","onInterrupted":"retry","whileWaiting":"continue","input":{"type":"object"}},
    {"name":"asked","description":"Asks","approval":"always","onInterrupted":"retry","input":{"type":"object"}},
    {"name":"signed","description":"Asks","approval":"always","onInterrupted":"retry","whileWaiting":"continue","input":{"type":"object"}}
  ],
  "agents":[
    {"role":"coordinator","name":"front","model":"test/m","prompt":"Route.","routes":["helper"],"tools":["now","held","later","timed","answered","twice","asked","signed"]},
    {"role":"specialist","name":"helper","model":"test/m","prompt":"Help.","tools":["now","later","held"],"output":{"type":"object","required":["n"]}}
  ]}"#;
const TOOLS: [&str; 8] = ["now", "held", "later", "timed", "answered", "twice", "asked", "signed"];

pub(super) fn team() -> Arc<Catalogue> {
    Arc::new(Catalogue::from_json(&parsed(TEAM)).unwrap())
}

/// The calls of each turn: a tool and an input.
pub(super) type Turns = Vec<Vec<(String, String)>>;

pub(super) fn turns(random: &mut Random) -> Turns {
    let mut number = 0;
    let mut call = |random: &mut Random| {
        number += 1;
        if random.one_in(8) {
            return ("helper".to_owned(), format!(r#"{{"task":"{number}"}}"#));
        }
        (TOOLS[random.below(TOOLS.len())].to_owned(), format!(r#"{{"n":{number}}}"#))
    };
    let count = 1 + random.below(4);
    (0..count).map(|_| (0..=random.below(4)).map(|_| call(random)).collect()).collect()
}

/// A model that makes these calls turn by turn, and says that it is done however often it is asked then. The agent that it calls
/// goes on while one of its own calls waits.
pub(super) fn host(turns: Turns) -> Host {
    let host = Host::new(
        move |agent, answers, _| match (agent, turns.get(answers)) {
            ("front", Some(turn)) => {
                let turn: Vec<(&str, &str)> =
                    turn.iter().map(|(tool, input)| (tool.as_str(), input.as_str())).collect();
                numbered(answers, calls(&turn))
            }
            ("helper", _) if answers == 0 => calls(&[("later", "{}"), ("now", "{}")]),
            // Words that do not fit its schema will do as long as one of its calls is to come.
            ("helper", _) if answers == 1 => says("Not yet."),
            ("helper", _) => says(r#"{"n":1}"#),
            _ => says("Done."),
        },
        |_, input| gives(&json::write(input)),
    );
    host.waiting(|tool, resumed| {
        let turn = resumed.map_or(0.0, |resumed| resumed.get("turn").unwrap().as_f64().unwrap());
        let waits = match (tool, turn as u64) {
            ("held" | "later" | "twice", 0) | ("twice", 1) => r#"{"kind":"event","name":"e"}"#,
            ("timed", 0) => r#"{"kind":"time","afterMs":150000}"#,
            ("answered", 0) => r#"{"kind":"answer","question":"Why?","ttlMs":900000}"#,
            _ => return None,
        };
        Some(waits.to_owned())
    })
}

/// An answer whose calls have ids that no other answer in its thread has.
fn numbered(answer: usize, reply: Reply) -> Reply {
    let Reply::Value(text) = reply else { panic!("no calls") };
    let text = String::from_utf8(text).unwrap().replace(r#""callId":"call-"#, &format!(r#""callId":"c{answer}-"#));
    Reply::Value(text.into_bytes())
}

/// Settles, cancels, approves and rejects some of what a run waits for, as people outside do: at least one.
pub(super) async fn decide_some(handle: &TenantHandle, random: &mut Random) {
    let (waits, approvals) = pending(handle).await;
    let first = random.below((waits.len() + approvals.len()).max(1));
    for (at, wait_id) in waits.iter().enumerate() {
        if at != first && !random.one_in(3) {
            continue;
        }
        let _ = match random.below(4) {
            0 => handle.waits().cancel(wait_id).await.map(drop),
            1 => handle.waits().settle(wait_id, br#"{"error":{"code":"X","message":"x"}}"#, None).await.map(drop),
            _ => handle.waits().settle(wait_id, br#"{"value":1}"#, None).await.map(drop),
        };
    }
    for (at, approval_id) in approvals.iter().enumerate() {
        if at + waits.len() == first || random.one_in(3) {
            let decision = if random.one_in(3) { Decision::Rejected } else { Decision::Approved };
            let _ = handle.approvals().respond(approval_id, decision, "kim", None).await;
        }
    }
}

pub(super) async fn pending(handle: &TenantHandle) -> (Vec<String>, Vec<String>) {
    let waits = handle.waits().list(&WaitFilter::default(), 100, None).await.map(|page| page.items).unwrap_or_default();
    let open = waits.iter().map(|wait| parsed(wait)).filter(|wait| text(wait, "status") == "open");
    let approvals = handle.approvals().pending(100, None).await.map(|page| page.items).unwrap_or_default();
    let approvals = approvals.into_iter().map(|approval| approval.approval_id).collect();
    (open.map(|wait| text(&wait, "waitId").to_owned()).collect(), approvals)
}

/// One process: it begins the run or goes on with it, and may die. The result, unless it has died.
async fn life(home: &Home, host: &Host, random: &mut Random, lives: u64) -> Option<Json> {
    let commits = if random.one_in(2) { usize::MAX } else { 1 + random.below(14) };
    let dying = Dying::new(home.opened.engine.clone(), commits, random.one_in(2));
    let opened = Opened { engine: dying.clone(), vault: home.opened.vault.clone() };
    let store = crate::support::try_store(opened, lives, NOW + lives * MINUTE, 1 << 20).await.ok()?;
    dying.ticks(&store);
    let handle = handle_of(&store, "acme", "v1", "", &team());
    let runs = handle.runs().list(&RunFilter::default(), 10, None).await.ok()?.items;
    let result = match runs.first().map(|run| parsed(run)) {
        None => handle.runs().start(handle.runs().prepare(None).ok()?, on("t", "Go"), host).await,
        Some(run) => {
            if matches!(text(&run, "status"), "suspended" | "completed") && !random.one_in(5) {
                decide_some(&handle, random).await;
            }
            if lives > 4 && random.one_in(40) {
                _ = handle.runs().cancel(text(&run, "runId")).await;
            }
            // The first one leads to the last.
            let any = runs.get(random.below(runs.len())).map(|run| parsed(run))?;
            handle.runs().resume(text(&any, "runId"), host).await
        }
    };
    assert!(dying.is_dead() || result.is_ok(), "{result:?}");
    let result = parsed(&result.ok()?);
    (text(&result, "status") != "suspended" && result.get("waiting").is_none()).then_some(result)
}

/// What a conversation has of each call: how it ended, as its model was told. Checks the order on the way.
pub(super) fn ends(messages: &[Json], place: &str) -> BTreeMap<String, Json> {
    let (mut open, mut waiting, mut ends) = (HashSet::new(), HashSet::new(), BTreeMap::new());
    let mut tools: HashMap<&str, &str> = HashMap::new();
    for message in messages {
        let role = text(message, "role");
        assert!(role == "tool" || open.is_empty(), "{place}: {open:?} before {message:?}");
        for part in parts(message).iter().filter(|part| part.get("callId").is_some()) {
            let call_id = text(part, "callId");
            match (role, part.get("state").and_then(Json::as_str)) {
                ("assistant", None) => {
                    assert!(tools.insert(call_id, text(part, "tool")).is_none(), "{place}: {call_id} twice");
                    open.insert(call_id);
                }
                ("tool", Some("waiting")) => {
                    assert!(open.remove(call_id), "{place}: {message:?}");
                    let told = part.get("result").unwrap();
                    assert_eq!(text(told, "status"), "waiting", "{place}");
                    assert!(told.get("waitId").is_some() != told.get("approvalId").is_some(), "{place}: {told:?}");
                    assert!(!matches!(tools[call_id], "now" | "held" | "asked" | "helper"), "{place}: {part:?}");
                    waiting.insert(call_id);
                }
                ("tool", Some("late")) => {
                    assert!(open.is_empty() && waiting.remove(call_id), "{place}: {message:?}");
                    assert_eq!(text(part, "tool"), tools[call_id], "{place}");
                    assert!(ends.insert(call_id.to_owned(), part.get("result").unwrap().clone()).is_none(), "{place}");
                }
                (_, state) => {
                    assert!(state.is_none() && open.remove(call_id), "{place}: {message:?}");
                    assert!(ends.insert(call_id.to_owned(), part.get("result").unwrap().clone()).is_none(), "{place}");
                }
            }
        }
    }
    assert!(open.is_empty() && waiting.is_empty(), "{place}: {open:?} {waiting:?}");
    ends
}

async fn check(home: &Home, host: &Host, turns: &Turns, result: &Json, place: &str) {
    let store = crate::support::store(home.opened.clone(), 1, NOW + 1_000 * MINUTE, 1 << 20).await;
    let handle = handle_of(&store, "acme", "v1", "", &team());
    let events = all_events(&handle, place).await;
    let ends = ends(&messages(&handle, "t").await, place);
    let is_cancelled = text(result, "status") == "cancelled";
    if !is_cancelled {
        assert_eq!((text(result, "status"), text(result, "text")), ("completed", "Done."), "{place}: {result:?}");
        assert_eq!(ends.len(), turns.iter().map(Vec::len).sum::<usize>(), "{place}");
    }
    // The thread says of each call what its one event says.
    let said = said(&events, place);
    for (call_id, end) in &ends {
        let interrupted = is_cancelled && json::write(end).contains("INTERRUPTED");
        assert!(interrupted || said.get(call_id) == Some(end), "{place}: {call_id} {end:?} {:?}", said.get(call_id));
    }
    // What was rejected was never made, and nothing is made under two keys.
    let executed: HashSet<String> = host.world.calls.lock().iter().map(|(_, key, _)| key.clone()).collect();
    let completed = said.values().filter(|end| end.get("n").is_some()).count();
    assert!(executed.len() >= completed, "{place}: {executed:?}");
    let rejected = said.values().filter(|end| json::write(end).contains("REJECTED")).count();
    assert!(executed.len() + rejected <= said.len() + ends.len(), "{place}");
    // Nothing is left open.
    assert_eq!(pending(&handle).await, (Vec::new(), Vec::new()), "{place}");
    let usage = handle.usage().await.unwrap();
    assert_eq!(usage.iter().find(|(kind, _)| kind.name() == "waits").unwrap().1.items, 0, "{place}");
    store.close().await;
}

/// What the events say of each call of the agent that was asked: once.
pub(super) fn said(events: &[Json], place: &str) -> BTreeMap<String, Json> {
    let mut said: BTreeMap<String, Json> = BTreeMap::new();
    for event in events {
        let told = match text(event, "type") {
            "tool.completed" => event.get("result").unwrap().clone(),
            "tool.failed" => Json::Object(vec![("error".to_owned(), event.get("error").unwrap().clone())]),
            _ => continue,
        };
        if text(event, "agent") == "helper" {
            continue;
        }
        assert!(said.insert(text(event, "callId").to_owned(), told).is_none(), "{place}: {event:?} again");
    }
    said
}

/// The events of all runs, the first run first. Each goes on with the calls of at most one other, and no two with those of the same.
pub(super) async fn all_events(handle: &TenantHandle, place: &str) -> Vec<Json> {
    let (mut all, mut continued) = (Vec::new(), HashSet::new());
    for run in handle.runs().list(&RunFilter::default(), 1000, None).await.unwrap().items.iter().rev() {
        let events = events(handle, text(&parsed(run), "runId")).await;
        for started in events.iter().filter(|event| text(event, "type") == "run.started") {
            let of = started.get("continues").map(|of| text(of, "runId").to_owned());
            assert!(of.is_none_or(|of| continued.insert(of)), "{place}: {started:?}");
        }
        all.extend(events);
    }
    all
}

#[test]
fn each_call_has_one_result_whatever_waits_and_dies() {
    let seeds = if long() { 2_000 } else { 120 };
    let (mut deferred, mut cancelled) = (0, 0);
    for seed in 0..seeds {
        let (mut random, home) = (Random::new(seed), Kept::Memory.open());
        let turns = turns(&mut random);
        let first = host(turns.clone());
        let place = format!("seed {seed}: {turns:?}");
        wait(async {
            for lives in 1..400 {
                if let Some(result) = life(&home, &first.reborn(), &mut random, lives).await {
                    cancelled += usize::from(text(&result, "status") == "cancelled");
                    return check(&home, &first, &turns, &result, &place).await;
                }
            }
            panic!("{place}: it does not end");
        });
        deferred += turns.iter().flatten().filter(|(tool, _)| tool == "later").count();
    }
    assert!(deferred > 0 && cancelled > 0, "{deferred} {cancelled}");
}

/// The result of a run in one process.
async fn in_one_life(handle: &TenantHandle, host: &Host) -> Json {
    let prepared = handle.runs().prepare(None).unwrap();
    parsed(&handle.runs().start(prepared, on("t", "Go"), host).await.unwrap())
}

fn parts_of<'a>(result: &'a Json, key: &str) -> &'a [Json] {
    result.get(key).unwrap().as_array().unwrap()
}

#[test]
fn a_model_goes_on_and_is_told_the_result_in_a_message_of_its_own() {
    wait(async {
        for (tool, rejects) in [("later", false), ("signed", false), ("signed", true)] {
            let home = Kept::Memory.open();
            let store = crate::support::store(home.opened.clone(), 1, NOW, 1 << 20).await;
            let handle = handle_of(&store, "acme", "v1", "", &team());
            let turn = |tool: &str, n: u8| vec![(tool.to_owned(), format!(r#"{{"n":{n}}}"#))];
            let host = host(vec![turn(tool, 1), turn("now", 2)]);
            let result = in_one_life(&handle, &host).await;
            // The second turn was made without it, and the model has stopped.
            assert_eq!((text(&result, "status"), text(&result, "text")), ("completed", "Done."));
            assert_eq!(parts_of(&result, "waiting"), [Json::from("c0-0")]);
            assert_eq!(host.requests.lock().len(), 3);
            assert_eq!(host.world.executions("now").len(), 1);
            let (waits, approvals) = pending(&handle).await;
            assert_eq!(waits.len() + approvals.len(), 1);
            for wait_id in waits {
                handle.waits().settle(&wait_id, br#"{"value":1}"#, None).await.unwrap();
            }
            for approval_id in approvals {
                let decision = if rejects { Decision::Rejected } else { Decision::Approved };
                handle.approvals().respond(&approval_id, decision, "kim", None).await.unwrap();
            }
            let result = parsed(&handle.runs().resume(text(&result, "runId"), &host).await.unwrap());
            assert_eq!(text(&result, "status"), "completed", "{result:?}");
            let messages = messages(&handle, "t").await;
            let roles: Vec<&str> = messages.iter().map(|message| text(message, "role")).collect();
            let expected = ["user", "assistant", "tool", "assistant", "tool", "assistant", "tool", "assistant"];
            assert_eq!(roles, expected);
            let late = &parts(&messages[6])[0];
            assert_eq!((text(late, "callId"), text(late, "state"), text(late, "tool")), ("c0-0", "late", tool));
            assert_eq!(late.get("isError").is_some(), rejects);
            assert_eq!(json::write(late.get("result").unwrap()).contains("REJECTED"), rejects, "{late:?}");
            assert_eq!(host.world.executions(tool).len(), usize::from(!rejects));
            let events = all_events(&handle, tool).await;
            assert!(!kinds(&events).contains(&"run.suspended"));
        }
    });
}

#[test]
fn what_has_ended_by_the_next_question_is_told_with_it() {
    wait(async {
        let home = Kept::Memory.open();
        let store = crate::support::store(home.opened.clone(), 1, NOW, 1 << 20).await;
        let handle = handle_of(&store, "acme", "v1", "", &team());
        let turn = |tool: &str, n: u8| vec![(tool.to_owned(), format!(r#"{{"n":{n}}}"#))];
        let host = host(vec![turn("later", 1), turn("held", 2), turn("now", 3)]);
        let result = in_one_life(&handle, &host).await;
        let (waits, _) = pending(&handle).await;
        assert_eq!((text(&result, "status"), waits.len()), ("suspended", 2));
        for wait_id in waits {
            handle.waits().settle(&wait_id, br#"{"value":1}"#, None).await.unwrap();
        }
        let result = parsed(&handle.runs().resume(text(&result, "runId"), &host).await.unwrap());
        assert_eq!(text(&result, "status"), "completed", "{result:?}");
        // Two questions before, and two behind: the late result came with the third.
        assert_eq!(host.requests.lock().len(), 4);
    });
}

/// Old journals have neither field: such waits and approvals suspend, as they did.
#[test]
fn a_tool_that_says_nothing_suspends_its_run() {
    wait(async {
        for tool in ["held", "asked"] {
            let home = Kept::Memory.open();
            let store = crate::support::store(home.opened.clone(), 1, NOW, 1 << 20).await;
            let handle = handle_of(&store, "acme", "v1", "", &team());
            let host = host(vec![vec![(tool.to_owned(), "{}".to_owned())]]);
            let result = in_one_life(&handle, &host).await;
            assert_eq!((text(&result, "status"), host.requests.lock().len()), ("suspended", 1));
        }
    });
}
