//! What does not fit into the context of a model is folded: what is sent fits, nothing is lost, and all of it can be recalled.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use bailiwick_model::Error;
use bailiwick_model::json::{self, Json};
use bailiwick_runtime::{CallbackKind, Callbacks, Catalogue, PendingReply, Reply, RunFilter, Store, TenantHandle};
use bailiwick_store::Opened;
use parking_lot::Mutex;

use super::dying::Dying;
use super::host::parsed;
use super::scripted::on;
use super::{events, text, wait};
use crate::support::{Home, Kept, NOW, Random, handle_of, long, try_store};

pub(super) const THREAD: &str = "t";
/// Results of this size and more stay in the messages.
const PART: &str = r#","limits":{"inlineResultBytes":4000000}"#;

/// An agent with one tool whose model is sent this many tokens at most.
pub(super) fn agent(context: &str) -> Arc<Catalogue> {
    let topology = format!(
        r#"{{"bailiwick":1,
        "tools":[{{"name":"look","description":"Looks","effects":"read","input":{{"type":"object"}}}},
                 {{"name":"note","description":"Notes","onInterrupted":"retry","input":{{"type":"object"}}}}],
        "agents":[{{"role":"specialist","name":"clerk","model":"test/m","prompt":"Help.","tools":["look","note"]}}],
        "context":{context}}}"#
    );
    Arc::new(Catalogue::from_json(&parsed(&topology)).unwrap())
}

/// What a model answers, given the conversation that it is sent.
type Answer = dyn Fn(&[Json]) -> Reply + Send + Sync;

/// A host that checks each conversation as its model is sent it.
pub(super) struct Reader {
    answer: Arc<Answer>,
    most_tokens: u64,
    /// How many messages the thread had before the run.
    pub(super) base: Mutex<u64>,
    conversation: Mutex<Vec<Json>>,
    /// Whether the tool `recall` was offered with the last configuration.
    pub(super) recalls: Mutex<bool>,
    /// The ids of all messages that were sent with some text of them.
    pub(super) seen: Mutex<BTreeMap<String, String>>,
    /// How many messages were folded in the last request.
    pub(super) folded: Mutex<u64>,
    results: Mutex<Random>,
}

impl Reader {
    pub(super) fn new(most_tokens: u64, answer: impl Fn(&[Json]) -> Reply + Send + Sync + 'static) -> Self {
        Self {
            answer: Arc::new(answer),
            most_tokens,
            base: Mutex::new(0),
            conversation: Mutex::default(),
            recalls: Mutex::new(false),
            seen: Mutex::default(),
            folded: Mutex::new(0),
            results: Mutex::new(Random::new(most_tokens)),
        }
    }

    /// The host of another process.
    pub(super) fn reborn(&self) -> Self {
        Self {
            answer: self.answer.clone(),
            base: Mutex::new(*self.base.lock()),
            seen: Mutex::new(self.seen.lock().clone()),
            results: Mutex::new(self.results.lock().clone()),
            ..Self::new(self.most_tokens, |_| says("", 0))
        }
    }

    fn model(&self, request: &Json) -> Reply {
        let mut conversation = self.conversation.lock();
        let from = request.get("from").unwrap().as_whole().unwrap() as usize;
        assert!(from <= conversation.len(), "the host has what is not sent to it");
        conversation.truncate(from);
        conversation.extend(request.get("messages").unwrap().as_array().unwrap().iter().cloned());
        if let Some(config) = request.get("config") {
            let tools = config.get("tools").unwrap().as_array().unwrap();
            *self.recalls.lock() = tools.iter().any(|tool| text(tool, "name") == "recall");
        }
        let bytes: usize = conversation.iter().map(|message| json::write(message).len()).sum();
        assert!(bytes as u64 <= 4 * self.most_tokens, "{bytes} bytes for {} tokens", self.most_tokens);
        self.check(&conversation);
        (self.answer)(&conversation)
    }

    /// The first message is a user's, results follow their calls, and each message is sent or folded.
    fn check(&self, conversation: &[Json]) {
        assert_eq!(text(&conversation[0], "role"), "user");
        let (mut open, mut sent, mut folded, mut last) = (BTreeSet::new(), 0, 0, String::new());
        for message in conversation {
            if text(message, "role") != "tool" {
                assert_eq!(open, BTreeSet::new(), "calls without results");
            }
            let parts = message.get("parts").unwrap().as_array().unwrap();
            for part in parts {
                match text(part, "type") {
                    "tool-call" => assert!(open.insert(text(part, "callId").to_owned())),
                    "tool-result" => assert!(open.remove(text(part, "callId")), "a result without a call"),
                    _ => {}
                }
            }
            let id = text(message, "messageId");
            if id.starts_with("fold-") {
                let outline = text(&parts[0], "text");
                folded = outline[1..].split(' ').next().unwrap().parse().unwrap();
                last = outline.split_once(" to ").unwrap().1.split(':').next().unwrap().to_owned();
                assert!(*self.recalls.lock());
            } else {
                sent += 1;
                last = id.to_owned();
                self.seen.lock().insert(id.to_owned(), json::write(message));
            }
        }
        assert_eq!(open, BTreeSet::new(), "calls without results");
        *self.folded.lock() = folded;
        if let Some(number) = last.strip_prefix("run_").and_then(|id| id.split('-').nth(1)) {
            let of_run: u64 = number.parse::<u64>().unwrap() + 1;
            assert_eq!(folded + sent, *self.base.lock() + of_run, "some are neither sent nor folded");
        }
    }
}

impl Callbacks for Reader {
    fn request(&self, kind: CallbackKind, request: String) -> PendingReply {
        let (replies, asked) = PendingReply::new(|| {});
        let request = parsed(&request);
        let reply = match kind {
            CallbackKind::Model => self.model(&request),
            CallbackKind::Tool => {
                let mut random = self.results.lock();
                let size = [10, 300, 2000, 30_000][random.below(4)];
                let text = format!("result {} {}", random.next(), "r".repeat(random.below(size)));
                Reply::Value([&[0], json::write(&Json::from(text.as_str())).as_bytes()].concat())
            }
            _ => Reply::Value(b"{}".to_vec()),
        };
        replies.send(reply).unwrap();
        asked
    }

    fn has_approver(&self) -> bool {
        false
    }
}

fn quoted(text: &str) -> String {
    json::write(&Json::from(text))
}

/// An answer in words, of a provider that counts so many tokens read.
pub(super) fn says(text: &str, counted: u64) -> Reply {
    Reply::Value(
        format!(
            r#"[{{"type":"text.delta","id":"t","delta":{}}},{{"type":"finish","reason":"stop","usage":{{"inputTokens":{counted},"outputTokens":1}}}}]"#,
            quoted(text)
        )
        .into_bytes(),
    )
}

/// An answer that calls tools: pairs of a name and an input.
pub(super) fn calls(tools: &[(&str, String)], counted: u64) -> Reply {
    let calls: Vec<String> = tools
        .iter()
        .enumerate()
        .map(|(at, (tool, input))| {
            format!(r#"{{"type":"tool.call","callId":"c{at}","tool":"{tool}","input":{}}}"#, quoted(input))
        })
        .collect();
    Reply::Value(
        format!(
            r#"[{},{{"type":"finish","reason":"tool-calls","usage":{{"inputTokens":{counted},"outputTokens":1}}}}]"#,
            calls.join(",")
        )
        .into_bytes(),
    )
}

pub(super) fn recall(id: &str) -> (&'static str, String) {
    ("recall", format!(r#"{{"messageId":"{id}"}}"#))
}

pub(super) async fn open(
    opened: Opened,
    seed: u64,
    catalogue: &Arc<Catalogue>,
) -> Result<(Arc<Store>, TenantHandle), Error> {
    let store = try_store(opened, seed, NOW, 1 << 20).await?;
    let handle = handle_of(&store, "acme", "v1", PART, catalogue);
    Ok((store, handle))
}

pub(super) async fn query(handle: &TenantHandle, prompt: &str, host: &Reader) -> Result<Json, Error> {
    let length = length(handle, THREAD).await?;
    *host.base.lock() = length;
    let prepared = handle.runs().prepare(None)?;
    Ok(parsed(&handle.runs().start(prepared, on(THREAD, prompt), host).await?))
}

pub(super) async fn length(handle: &TenantHandle, thread: &str) -> Result<u64, Error> {
    let threads = handle.threads().list(None, 100, None).await?.items;
    Ok(threads.iter().find(|one| one.thread_id == thread).map_or(0, |one| one.length))
}

pub(super) async fn messages(handle: &TenantHandle, thread: &str) -> Vec<Json> {
    let (mut all, mut cursor) = (Vec::new(), None);
    loop {
        let page = handle.threads().messages(thread, 1000, cursor.as_deref()).await.unwrap();
        all.extend(page.items.iter().map(|message| parsed(message)));
        cursor = page.cursor;
        if cursor.is_none() {
            return all;
        }
    }
}

/// Appends messages: questions, and answers with a call in between.
pub(super) async fn append(handle: &TenantHandle, thread: &str, count: usize, bytes: usize) {
    let each: Vec<String> = (0..count)
        .map(|at| {
            let words = format!("said {at} {}", "w".repeat(bytes));
            match at % 4 {
                0 => format!(r#"{{"role":"user","parts":[{{"type":"text","text":"{words}"}}]}}"#),
                1 => r#"{"role":"assistant","parts":[{"type":"tool-call","callId":"c","tool":"look","input":{}}]}"#
                    .to_owned(),
                2 => format!(r#"{{"role":"tool","parts":[{{"type":"tool-result","callId":"c","result":"{words}"}}]}}"#),
                _ => format!(r#"{{"role":"assistant","parts":[{{"type":"text","text":"{words}"}}]}}"#),
            }
        })
        .collect();
    for part in each.chunks(400) {
        handle.threads().append(thread, format!("[{}]", part.join(",")).as_bytes(), None).await.unwrap();
    }
}

/// The results of recalls in a run, by the ids that were asked for, and the failures.
pub(super) async fn recalled(handle: &TenantHandle, run_id: &str) -> HashMap<String, Json> {
    let (mut asked, mut found) = (HashMap::new(), HashMap::new());
    for event in events(handle, run_id).await {
        let call_id = event.get("callId").and_then(Json::as_str).unwrap_or_default().to_owned();
        match text(&event, "type") {
            "tool.called" if text(&event, "tool") == "recall" => {
                let input = event.get("input").unwrap();
                let wanted = input.get("messageId").or(input.get("text")).unwrap();
                asked.insert(call_id, wanted.as_str().unwrap().to_owned());
            }
            "tool.completed" | "tool.failed" => {
                let result = event.get("result").or(event.get("error")).unwrap().clone();
                asked.remove(&call_id).map(|id| found.insert(id, result));
            }
            _ => {}
        }
    }
    found
}

/// A model that answers at random, and at last recalls what it cannot see.
fn at_random(seed: u64, known: Arc<Mutex<Vec<String>>>) -> impl Fn(&[Json]) -> Reply + Send + Sync {
    let random = Mutex::new(Random::new(seed));
    move |conversation| {
        let mut random = random.lock();
        let bytes: usize = conversation.iter().map(|message| json::write(message).len()).sum();
        let counted = [0, bytes as u64 / 4 + 100, bytes as u64 / 2 + 100][random.below(3)];
        let is_hidden = |id: &&String| !conversation.iter().any(|message| text(message, "messageId") == id.as_str());
        let is_folded = text(&conversation[0], "messageId").starts_with("fold-");
        match random.below(5) {
            0 if is_folded => {
                let known = known.lock();
                let hidden: Vec<&String> = known.iter().filter(is_hidden).collect();
                let wanted: BTreeSet<&String> = (0..5).filter_map(|_| random.pick(&hidden).copied()).collect();
                let wanted: Vec<_> = wanted.into_iter().map(|id| recall(id)).collect();
                if wanted.is_empty() { says("Nothing.", counted) } else { calls(&wanted, counted) }
            }
            0 | 1 => {
                let size = [10, 1000, 20_000][random.below(3)];
                says(&format!("answer {} {}", random.next(), "a".repeat(random.below(size))), counted)
            }
            _ => {
                let many = if random.one_in(6) { 40 } else { 3 };
                let each = (0..=random.below(many)).map(|at| {
                    let tool = ["look", "note"][random.below(2)];
                    (tool, format!(r#"{{"at":{at},"x":"{}"}}"#, "i".repeat(random.below(200))))
                });
                calls(&each.collect::<Vec<_>>(), counted)
            }
        }
    }
}

/// Random runs on one thread in processes that die at any commit. Each request is checked by the host.
async fn world(kept: Kept, seed: u64) {
    let mut random = Random::new(seed);
    let home = kept.open();
    let most = 700 + random.below(3000) as u64;
    let catalogue = agent(&format!(r#"{{"maxTokens":{most},"keepMessages":{}}}"#, 1 + random.below(6)));
    let known: Arc<Mutex<Vec<String>>> = Arc::default();
    let mut host = Reader::new(most, at_random(seed, known.clone()));
    let mut folds = 0;
    for life in 0..if long() { 60 } else { 14 } {
        let commits = if random.one_in(2) { 2 + random.below(40) } else { usize::MAX };
        let dying = Dying::new(home.opened.engine.clone(), commits, random.one_in(2));
        let opened = Opened { engine: dying.clone(), vault: home.opened.vault.clone() };
        let Ok((_store, handle)) = open(opened, life, &catalogue).await else { continue };
        host = host.reborn();
        let outcome = one_life(&handle, &mut random, &host, &known).await;
        assert!(dying.is_dead() || outcome.is_ok(), "{outcome:?}");
        folds += *host.folded.lock();
    }
    assert!(folds > 0, "seed {seed}");
    let (_store, handle) = open(home.opened.clone(), 99, &catalogue).await.unwrap();
    let known = known.lock().clone();
    check_recalled(&handle, &known).await;
}

async fn one_life(
    handle: &TenantHandle,
    random: &mut Random,
    host: &Reader,
    known: &Mutex<Vec<String>>,
) -> Result<(), Error> {
    let runs = handle.runs().list(&RunFilter::default(), 100, None).await?.items;
    for run in runs.iter().map(|run| parsed(run)).filter(|run| text(run, "status") == "interrupted") {
        handle.runs().resume(text(&run, "runId"), host).await?;
    }
    if random.one_in(2) {
        let role = ["user", "assistant"][random.below(2)];
        let most = [100, 30_000][random.below(2)];
        let words = "p".repeat(random.below(most));
        let message = format!(r#"[{{"role":"{role}","parts":[{{"type":"text","text":"appended {words}"}}]}}]"#);
        handle.threads().append(THREAD, message.as_bytes(), None).await?;
    }
    if length(handle, THREAD).await? > 0 {
        let ids = messages(handle, THREAD).await;
        *known.lock() = ids.iter().map(|message| text(message, "messageId").to_owned()).collect();
    }
    let size = [50, 500, 20_000][random.below(3)];
    let prompt = format!("prompt {} {}", random.next(), "q".repeat(random.below(size)));
    let result = query(handle, &prompt, host).await?;
    let status = text(&result, "status");
    assert!(matches!(status, "completed" | "limited"), "{result:?}");
    Ok(())
}

/// What was recalled in all runs is what the thread has.
async fn check_recalled(handle: &TenantHandle, known: &[String]) {
    let stored = messages(handle, THREAD).await;
    let stored: HashMap<&str, &Json> = stored.iter().map(|message| (text(message, "messageId"), message)).collect();
    let known: BTreeSet<&str> = known.iter().map(String::as_str).collect();
    assert!(known.iter().all(|id| stored.contains_key(id)), "the thread has lost a message");
    for run in handle.runs().list(&RunFilter::default(), 100, None).await.unwrap().items {
        for (id, result) in recalled(handle, text(&parsed(&run), "runId")).await {
            let message = stored[id.as_str()];
            assert_eq!((text(&result, "messageId"), text(&result, "role")), (id.as_str(), text(message, "role")));
            let part = &message.get("parts").unwrap().as_array().unwrap()[0];
            let said = part.get("text").or(part.get("tool")).or(part.get("result")).unwrap();
            let said = said.as_str().map_or_else(|| json::write(said), str::to_owned);
            let begins = said.chars().take(20).collect::<String>();
            assert!(text(&result, "text").contains(&begins), "{result:?} of {begins}");
        }
    }
}

#[test]
fn what_is_sent_fits_and_nothing_is_lost_in_random_runs_of_processes_that_die() {
    wait(async {
        for seed in 0..if long() { 300 } else { 25 } {
            world(Kept::Memory, seed).await;
        }
    });
}

#[test]
fn the_same_on_disk_and_on_postgresql() {
    wait(async {
        for kept in [Kept::Sled, Kept::Postgres] {
            world(kept, 3).await;
        }
    });
}

/// Two runs of many calls on a thread that does not fit, in a process that dies at a commit and one that goes on.
async fn two_lives(commits: usize, applies_the_last: bool) -> (usize, bool) {
    let home: Home = Kept::Memory.open();
    let catalogue = agent(r#"{"maxTokens":900}"#);
    let (store, handle) = open(home.opened.clone(), 1, &catalogue).await.unwrap();
    append(&handle, THREAD, 41, 300).await;
    drop((handle, store));
    let answer = |conversation: &[Json]| {
        let asked = conversation.iter().rev().take_while(|message| !json::write(message).contains("Prompt"));
        let last = json::write(conversation.last().unwrap());
        if last.contains("result") && (last.len().is_multiple_of(3) || asked.count() > 9) {
            says("Done.", 0)
        } else {
            calls(&[("note", "{}".to_owned())], 0)
        }
    };
    let mut host = Reader::new(900, answer);
    let mut made = 0;
    let mut died = false;
    for life in 0..2 {
        let left = if life == 0 { commits } else { usize::MAX };
        let dying = Dying::new(home.opened.engine.clone(), left, applies_the_last);
        let opened = Opened { engine: dying.clone(), vault: home.opened.vault.clone() };
        let Ok((_store, handle)) = open(opened, 2 + life, &catalogue).await else { continue };
        host = host.reborn();
        let outcome = story(&handle, &host).await;
        assert!(dying.is_dead() || outcome.is_ok(), "{outcome:?}");
        if life == 0 {
            (made, died) = (dying.commits.load(std::sync::atomic::Ordering::SeqCst), dying.is_dead());
        } else {
            let place = format!("died at {commits}, applied: {applies_the_last}");
            let all = messages(&handle, THREAD).await;
            let prompts = all.iter().filter(|message| json::write(message).contains("Prompt")).count();
            assert_eq!(prompts, 2, "{place}");
        }
    }
    (made, died)
}

async fn story(handle: &TenantHandle, host: &Reader) -> Result<(), Error> {
    let runs = handle.runs().list(&RunFilter::default(), 100, None).await?.items;
    for run in runs.iter().map(|run| parsed(run)).filter(|run| text(run, "status") == "interrupted") {
        handle.runs().resume(text(&run, "runId"), host).await?;
    }
    for number in runs.len()..2 {
        query(handle, &format!("Prompt {number}"), host).await?;
    }
    Ok(())
}

#[test]
fn a_fold_is_whole_whichever_commit_a_process_dies_at() {
    wait(async {
        let (all, died) = two_lives(usize::MAX, false).await;
        assert!(!died && all > 10, "{all}");
        for commits in 0..all {
            for applies_the_last in [false, true] {
                two_lives(commits, applies_the_last).await;
            }
        }
    });
}
