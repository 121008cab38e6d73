//! A tenant with much in everything that it has, and little that its calls may hold.

use std::sync::Arc;

use bailiwick_model::Result;
use bailiwick_model::json::{self, Json};
use bailiwick_model::ledger::record::Decision;
use bailiwick_runtime::{
    ApprovalContext, ApprovalRequest, CacheValue, Catalogue, HostEvent, Page, PutContent, RequestedSubject,
    Reservation, RunFilter, RunPosition, RunRequest, Store, TenantHandle, WaitFilter,
};

use crate::LIMIT;
use crate::host::{Host, calls, gives, parsed, says};
use crate::metered::{Meter, metered};
use crate::support::{self, Kept, NOW, bytes, handle_of, put};

const TEAM: &str = r#"{"bailiwick":1,
  "tools":[{"name":"search","description":"Finds","effects":"read","input":{"type":"object"}}],
  "agents":[{"role":"specialist","name":"front","model":"test/m","prompt":"Do it.","tools":["search"]}]}"#;

/// The bytes of each reference.
pub(crate) const CONTENT: usize = 100_000;
const ITEMS: usize = 12;
/// Larger than the limit.
const LARGE: usize = 300_000;
const MESSAGES: usize = 20;
const STEPS: usize = 10;
const REASONS: usize = 30;
const SMALL: usize = 100;
const WAITS: usize = 30;

pub(crate) struct World {
    pub(crate) store: Arc<Store>,
    pub(crate) meter: Arc<Meter>,
    /// Its calls may hold [`LIMIT`].
    pub(crate) tenant: TenantHandle,
    pub(crate) references: Vec<String>,
    pub(crate) large: String,
    pub(crate) approval: String,
    pub(crate) last_message: String,
    pub(crate) run: String,
    pub(crate) waits: [String; 2],
}

fn catalogue() -> Arc<Catalogue> {
    Arc::new(Catalogue::from_json(&parsed(TEAM)).unwrap())
}

/// Bytes that no engine makes smaller.
fn noise(seed: usize, length: usize) -> Vec<u8> {
    let mut random = support::Random::new(seed as u64 + 1);
    (0..length.div_ceil(8)).flat_map(|_| random.next().to_le_bytes()).take(length).collect()
}

fn long(letter: usize, length: usize) -> String {
    char::from(b'a' + (letter % 26) as u8).to_string().repeat(length)
}

/// The number of items of a page, and its cursor.
fn length<T>(page: Page<T>) -> (usize, Option<String>) {
    (page.items.len(), page.cursor)
}

impl World {
    pub(crate) async fn new(kept: Kept) -> Self {
        let meter = Arc::new(Meter::default());
        let home = kept.open();
        // Nothing stays in the cache of opened records.
        let store = support::store(metered(home.opened.clone(), &meter), 1, NOW, 0).await;
        std::mem::forget(home);
        let rich = handle_of(&store, "acme", "v1", "", &catalogue());
        let mut references = Vec::new();
        for number in 0..ITEMS {
            references.push(put(&rich, bytes("row", PutContent::Bytes(noise(number, CONTENT)))).await);
        }
        for number in 0..SMALL {
            put(&rich, bytes("small", PutContent::Bytes(noise(1000 + number, 4000)))).await;
        }
        let large = put(&rich, bytes("row", PutContent::Bytes(noise(99, LARGE)))).await;
        rich.cache().set("large", CacheValue::Bytes(noise(98, LARGE)), None).await.unwrap();
        rich.cache().set("small", CacheValue::Bytes(noise(97, CONTENT)), None).await.unwrap();
        save_plans(&rich).await;
        let approval = request_approvals(&rich).await;
        let last_message = append_messages(&rich).await;
        let run = complete_run(&rich).await;
        let waits = open_waits(&rich).await;
        for number in 0..SMALL {
            let reference = references.get(number % ITEMS).unwrap();
            rich.traces().record(&HostEvent::ReferenceCreated { reference }).await;
        }
        rich.traces().flush().await.unwrap();
        let limits = format!(r#","limits":{{"inFlightBytes":{LIMIT}}}"#);
        let tenant = handle_of(&store, "acme", "v1", &limits, &catalogue());
        Self { store, meter, tenant, references, large, approval, last_message, run, waits }
    }

    pub(crate) fn hold(&self) -> Arc<Reservation> {
        Arc::new(self.tenant.hold(0).unwrap())
    }

    /// Whatever the limit, all pages together have everything: nothing is lost between them.
    pub(crate) async fn pages(&self, kept: Kept) {
        let none = RunFilter::default();
        let acme = &self.tenant;
        let lists: [(&str, usize, usize, _); 9] = [
            ("references.list", ITEMS + SMALL + 1, 2, 0),
            ("plans.list", STEPS * 2 + 1, 2, 1),
            ("approvals.pending", ITEMS, 4, 2),
            ("approvals.history", REASONS, 2, 3),
            // The runs have one each, too, and a fork is made before.
            ("threads.list", SMALL + 4, 1, 4),
            ("threads.messages", MESSAGES, 6, 5),
            ("runs.list", 2, 1, 6),
            ("waits.list", WAITS, 1, 8),
            ("traces.list", SMALL + 3 * STEPS, 2, 7),
        ];
        for (name, items, fewest_pages, which) in lists {
            let (mut seen, mut pages, mut cursor) = (0, 0, None::<String>);
            loop {
                let (held, from) = (self.hold(), cursor.as_deref());
                let call = acme.within(&held);
                self.meter.begin();
                let page: Result<(usize, Option<String>)> = match which {
                    0 => call.references().list(None, 1000, from).await.map(length),
                    1 => call.plans().list(1000, from).await.map(length),
                    2 => call.approvals().pending(1000, from).await.map(length),
                    3 => call.approvals().history(1000, from).await.map(length),
                    4 => call.threads().list(None, 1000, from).await.map(length),
                    5 => call.threads().messages("t", 1000, from).await.map(length),
                    6 => call.runs().list(&none, 1000, from).await.map(length),
                    8 => call.waits().list(&WaitFilter::default(), 1000, from).await.map(length),
                    _ => call.traces().list(None, 1000, from).await.map(length),
                };
                let (items_of_page, next) = page.unwrap_or_else(|error| panic!("{name} on {kept:?}: {error:?}"));
                assert!(self.meter.read() <= LIMIT && held.bytes() <= LIMIT, "{name} on {kept:?}");
                (seen, pages, cursor) = (seen + items_of_page, pages + 1, next);
                if cursor.is_none() {
                    break;
                }
                assert!(items_of_page > 0, "{name} on {kept:?}: a page without items");
            }
            if which == 7 {
                assert!(seen >= items, "{name} on {kept:?}: {seen} events");
            } else {
                assert_eq!(seen, items, "{name} on {kept:?}");
            }
            assert!(pages >= fewest_pages, "{name} on {kept:?}: {pages} pages");
        }
        let (mut position, mut events, mut pages) = (RunPosition::default(), 0, 0);
        loop {
            let held = self.hold();
            let page = acme.within(&held).runs().events(&self.run, position, false).await.unwrap();
            (events, pages, position) = (events + page.events.len(), pages + 1, page.position);
            if page.over {
                break;
            }
            assert!(!page.events.is_empty(), "runs.follow on {kept:?}");
        }
        // A beginning, an end, and for each step a call and its result.
        assert!(events >= 2 + 3 * STEPS && pages >= 3, "runs.follow on {kept:?}: {events} events, {pages} pages");
    }
}

async fn ask(rich: &TenantHandle, length: usize) -> String {
    let input = Json::String(long(length, length));
    let subject = RequestedSubject::Tool { tool: "pay".to_owned(), input };
    let context = ApprovalContext::default();
    let request = ApprovalRequest { subject, context, requested_by: None, ttl_ms: None, rule: None };
    rich.approvals().request(request).await.unwrap().approval_id
}

async fn save_plans(rich: &TenantHandle) {
    for number in 0..ITEMS {
        let note = format!(
            r#"{{"type":"t","planId":"p","goal":"g","steps":[{{"id":"a","tool":"x","input":"{}"}}]}}"#,
            long(number, 50_000)
        );
        rich.plans().save(note.as_bytes(), None).await.unwrap();
    }
    for number in 0..STEPS * 2 {
        let goal = long(number, 15_000);
        let plan = format!(
            r#"{{"type":"t","planId":"q{number}","goal":"{goal}","steps":[{{"id":"a","tool":"x","input":1}}]}}"#
        );
        rich.plans().save(plan.as_bytes(), None).await.unwrap();
    }
}

async fn request_approvals(rich: &TenantHandle) -> String {
    let mut approval = String::new();
    for number in 0..REASONS {
        let approval_id = ask(rich, 1).await;
        let reason = long(number, 10_000);
        rich.approvals().respond(&approval_id, Decision::Rejected, "kim", Some(&reason)).await.unwrap();
    }
    for _ in 0..ITEMS {
        approval = ask(rich, 50_000).await;
    }
    approval
}

async fn append_messages(rich: &TenantHandle) -> String {
    let mut last_message = String::new();
    for number in 0..MESSAGES {
        let text = long(number, 40_000);
        let message = format!(r#"[{{"role":"user","parts":[{{"type":"text","text":"{text}"}}],"createdAt":1}}]"#);
        let appended = rich.threads().append("t", message.as_bytes(), None).await.unwrap();
        last_message = parsed(&appended[0]).get("messageId").unwrap().as_str().unwrap().to_owned();
    }
    for number in 0..SMALL {
        let thread = format!("{number}{}", "x".repeat(250));
        let message = format!(r#"[{{"role":"user","parts":[],"createdAt":1,"actor":"{}"}}]"#, "y".repeat(1024));
        rich.threads().append(&thread, message.as_bytes(), None).await.unwrap();
    }
    last_message
}

async fn complete_run(rich: &TenantHandle) -> String {
    let say = |_: &str, answers: usize, _: &Json| {
        if answers < STEPS {
            calls(&[("search", &format!(r#"{{"text":"{}"}}"#, long(answers, 30_000)))])
        } else {
            says(&long(answers, 30_000))
        }
    };
    let host = Host::new(say, |_, _| gives("1"));
    let request = RunRequest { specialist: Some("front".to_owned()), ..RunRequest::new(Json::String(long(0, 30_000))) };
    let prepared = rich.runs().prepare(None).unwrap();
    let run = prepared.run_id.clone();
    let result = parsed(&rich.runs().start(prepared, request, &host).await.unwrap());
    assert_eq!(result.get("status").unwrap().as_str(), Some("completed"), "{}", json::write(&result));
    run
}

/// A run whose calls all wait. Returns the ids of two of the waits.
async fn open_waits(rich: &TenantHandle) -> [String; 2] {
    let say = |_: &str, _: usize, _: &Json| {
        let inputs: Vec<String> = (0..WAITS).map(|number| format!(r#"{{"n":{number}}}"#)).collect();
        calls(&inputs.iter().map(|input| ("search", input.as_str())).collect::<Vec<_>>())
    };
    let question = format!(r#"{{"kind":"answer","question":"{}"}}"#, long(3, 5_000));
    let host = Host::new(say, |_, _| gives("1")).waiting(move |_, _| Some(question.clone()));
    let request = RunRequest { specialist: Some("front".to_owned()), ..RunRequest::new(Json::from("Ask")) };
    let result = parsed(&rich.runs().start(rich.runs().prepare(None).unwrap(), request, &host).await.unwrap());
    let waits = result.get("waits").unwrap().as_array().unwrap();
    assert_eq!(waits.len(), WAITS);
    [0, 1].map(|at: usize| waits[at].get("waitId").unwrap().as_str().unwrap().to_owned())
}
