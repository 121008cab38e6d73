//! A tenant that does whatever can be done.

use std::sync::Arc;
use std::time::Duration;

use bailiwick_model::json::Json;
use bailiwick_model::ledger::record::Decision;
use bailiwick_runtime::{
    ApprovalContext, ApprovalRequest, Begun, CacheValue, Catalogue, HostEvent, PutContent, Rejection, RequestedSubject,
    RunRequest, Store, TenantHandle, WaitFilter, WhenBusy, take_work,
};

use crate::runs::host::{Host, calls, gives, parsed, says};
use crate::runs::queue::is_queued;
use crate::runs::text as told;
use crate::support::{Random, bytes, handle_of, text};

/// How long everything is kept.
pub(crate) const TTL: u64 = 800_000;

const RETENTION: &str = r#","retention":{"references":{"ttlMs":800000},"plans":{"ttlMs":800000},"approvals":{"ttlMs":800000},
    "cache":{"ttlMs":800000},"threads":{"ttlMs":800000},"runs":{"ttlMs":800000},"traces":{"ttlMs":800000}}"#;

const TEAM: &str = r#"{"bailiwick":1,"references":[{"name":"table"}],"plans":[{"name":"report"}],
  "tools":[
    {"name":"search","description":"Finds","effects":"read","input":{"type":"object"}},
    {"name":"load","description":"Loads","effects":"read","result":"table","input":{"type":"object"}},
    {"name":"send","description":"Sends","approval":"always","input":{"type":"object"}},
    {"name":"hold","description":"Waits","input":{"type":"object"}},
    {"name":"later","description":"Waits","whileWaiting":"continue","input":{"type":"object"}},
    {"name":"sign","description":"Asks","approval":"always","whileWaiting":"continue","input":{"type":"object"}}],
  "agents":[{"role":"coordinator","name":"front","model":"test/m","prompt":"Route.","routes":["helper"],"tools":["search","load","send","hold","later","sign"]},
    {"role":"specialist","name":"helper","model":"test/m","prompt":"Help.","tools":["search"]}]}"#;

/// Everything that can be done, with the kinds that it writes.
pub(crate) const VERBS: [(&str, &str); 27] = [
    ("put", "references"),
    ("put large", "references"),
    ("put again", "references"),
    ("delete reference", "references"),
    ("set", "cache"),
    ("delete key", "cache"),
    ("compute", "cache"),
    ("give a computation up", "cache"),
    ("save", "plans"),
    ("ask", "approvals"),
    ("ask about a plan", "approvals"),
    ("respond", "approvals"),
    ("append", "threads"),
    ("fork", "threads"),
    ("delete thread", "threads"),
    ("query", "runs"),
    ("suspend", "runs"),
    ("resume", "runs"),
    ("cancel", "runs"),
    ("queue", "runs"),
    ("hold", "waits"),
    ("leave", "waits"),
    ("settle", "waits"),
    ("take up", "runs"),
    ("record", "traces"),
    ("sweep", "all"),
    ("tick", "all"),
];

pub(crate) struct Life {
    store: Arc<Store>,
    pub(crate) tenant: TenantHandle,
    host: Host,
    /// Whether the store may fail at any time.
    pub(crate) may_fail: bool,
    references: Vec<String>,
    approvals: Vec<String>,
    suspended: Vec<String>,
}

impl Life {
    pub(crate) fn new(store: &Arc<Store>, name: &str) -> Self {
        let catalogue = Arc::new(Catalogue::from_json(&parsed(TEAM)).unwrap());
        let host = Host::new(
            |_, _, last| match bailiwick_model::json::write(last) {
                prompt if last.get("role").and_then(Json::as_str) != Some("user") || prompt.contains("tell") => {
                    says("Done.")
                }
                prompt if prompt.contains("send") => calls(&[("send", "{}"), ("load", "{}")]),
                prompt if prompt.contains("hold") => calls(&[("hold", "{}")]),
                prompt if prompt.contains("later") => calls(&[("later", "{}"), ("sign", "{}"), ("load", "{}")]),
                _ => calls(&[("search", "{}"), ("load", "{}")]),
            },
            |tool, _| match tool {
                "load" => Some(bailiwick_runtime::Reply::Value([&[1], "x".repeat(9_000).as_bytes()].concat())),
                _ => gives("1"),
            },
        )
        .waiting(|tool, resumed| {
            let waits = resumed.is_none() && matches!(tool, "hold" | "later");
            waits.then(|| r#"{"kind":"event","name":"e","ttlMs":800000}"#.to_owned())
        });
        Self {
            store: store.clone(),
            tenant: handle_of(store, name, "v1", RETENTION, &catalogue),
            host,
            may_fail: false,
            references: Vec::new(),
            approvals: Vec::new(),
            suspended: Vec::new(),
        }
    }

    /// What later verbs need: something of each kind.
    pub(crate) async fn fill(&self) {
        self.append("one").await;
        for part in ["two", "three", "four"] {
            self.append(part).await;
        }
        self.query("one").await;
        self.start("send", "waiting").await;
        self.tenant.references().put(vec![text("table", "0")]).await.unwrap();
        self.tenant.plans().save(br#"{"planId":"p","type":"report","goal":"g","steps":[]}"#, None).await.unwrap();
        self.tenant.cache().set("0", CacheValue::Bytes(vec![1]), None).await.unwrap();
        self.tenant
            .approvals()
            .request(asked(RequestedSubject::Tool { tool: "search".to_owned(), input: Json::Null }))
            .await
            .unwrap();
    }

    pub(crate) async fn append(&self, thread: &str) {
        let message =
            br#"[{"role":"user","parts":[{"type":"text","text":"What was said."}],"createdAt":5,"actor":"ann"}]"#;
        self.check(self.tenant.threads().append(thread, message, None).await);
    }

    pub(crate) async fn query(&self, thread: &str) {
        self.start("find", thread).await;
    }

    async fn start(&self, prompt: &str, thread: &str) -> Option<String> {
        let prepared = self.tenant.runs().prepare(None).unwrap();
        let run_id = prepared.run_id.clone();
        let when_busy = if prompt == "tell" { WhenBusy::Queue } else { WhenBusy::Reject };
        let (prompt, thread_id) = (Json::from(prompt), Some(thread.to_owned()));
        let request = RunRequest { thread_id, actor: Some("ann".to_owned()), when_busy, ..RunRequest::new(prompt) };
        let host = self.host.reborn();
        let started = self.tenant.runs().start(prepared, request, &host);
        // No process waits for the turn of a run that is queued.
        let started = tokio::select! {
            started = started => started.map(drop),
            () = is_queued(&self.tenant, &run_id) => Ok(()),
        };
        self.check(started).map(|()| run_id)
    }

    /// Settles what waits, and takes up what is due.
    async fn settle(&self, random: &mut Random) {
        let waits = self.check(self.tenant.waits().list(&WaitFilter::default(), 100, None).await);
        let waits = waits.map(|page| page.items).unwrap_or_default();
        if let Some(wait) = random.pick(&waits) {
            self.check(self.tenant.waits().settle(told(&parsed(wait), "waitId"), br#"{"value":1}"#, None).await);
        }
    }

    async fn take_up(&self) {
        let taken = self.check(take_work(&self.store, 100, 100, Duration::ZERO).await);
        for run in taken.into_iter().flatten().flat_map(|tenant| tenant.runs) {
            self.check(self.tenant.runs().take_up(&run.run_id, run.row, &self.host.reborn()).await);
        }
    }

    /// What may be refused because of what was done before is no failure.
    fn check<T>(&self, outcome: Result<T, bailiwick_model::Error>) -> Option<T> {
        use bailiwick_model::Error;
        match outcome {
            Ok(value) => Some(value),
            Err(
                Error::NotFound
                | Error::Conflict(_)
                | Error::ThreadBusy { .. }
                | Error::ApprovalClosed(_)
                | Error::WaitClosed(_),
            ) => None,
            Err(_) if self.may_fail => None,
            Err(error) => panic!("{error:?}"),
        }
    }

    #[allow(clippy::too_many_lines, reason = "a table: an arm for each verb")]
    pub(crate) async fn act(&mut self, verb: &str, random: &mut Random, story: &mut Vec<String>) {
        let number = random.below(6);
        let thread = ["one", "two", "three", "four", "five", "six"][number];
        story.push(format!("{verb} {number}"));
        let tenant = self.tenant.clone();
        let plan =
            |number: usize| format!(r#"{{"planId":"p{number}","type":"report","goal":"{}","steps":[]}}"#, story.len());
        match verb {
            "put" => self.put(text("table", &number.to_string())).await,
            "put large" => self.put(bytes("table", PutContent::Bytes(vec![number as u8; 20_000]))).await,
            "put again" => {
                let ttl_ms = Some(1 + random.below(2 * TTL as usize) as u64);
                self.put(bailiwick_runtime::PutItem { ttl_ms, ..text("table", &number.to_string()) }).await;
            }
            "delete reference" => {
                if let Some(id) = self.references.pop() {
                    self.check(tenant.references().delete(&id).await);
                }
            }
            "set" => {
                self.check(tenant.cache().set(thread, CacheValue::Bytes(vec![1; 9 + number * 999]), None).await);
            }
            "delete key" => drop(self.check(tenant.cache().delete(thread).await)),
            "compute" => {
                if let Some(Begun::Compute(computing)) = self.check(tenant.cache().begin("made", None).await) {
                    self.check(tenant.cache().computed(computing, CacheValue::Bytes(vec![2])).await);
                }
            }
            "give a computation up" => drop(self.check(tenant.cache().begin("never made", None).await)),
            "save" => drop(self.check(tenant.plans().save(plan(number).as_bytes(), None).await)),
            "ask" => {
                let input = Json::from("x".repeat(number * 1000).as_str());
                self.ask(RequestedSubject::Tool { tool: "search".to_owned(), input }).await;
            }
            "ask about a plan" => {
                self.check(tenant.plans().save(plan(number).as_bytes(), None).await);
                self.ask(RequestedSubject::Plan { plan_id: format!("p{number}") }).await;
            }
            "respond" => {
                if let Some(id) = self.approvals.pop() {
                    let decide = if number == 0 { Decision::Rejected } else { Decision::Approved };
                    self.check(tenant.approvals().respond(&id, decide, "ann", None).await);
                }
            }
            "append" => self.append(thread).await,
            "fork" => {
                let messages = tenant.threads().messages(thread, 1 + number, None).await;
                if let Some(last) = self.check(messages).and_then(|page| page.items.last().cloned()) {
                    let message = parsed(&last).get("messageId").and_then(Json::as_str).unwrap().to_owned();
                    self.check(tenant.threads().fork(thread, &message, None).await);
                }
            }
            "delete thread" => drop(self.check(tenant.threads().delete(thread).await)),
            "query" => self.query(thread).await,
            "queue" => drop(self.start("tell", thread).await),
            "hold" => drop(self.start("hold", thread).await),
            "leave" => drop(self.start("later", thread).await),
            "settle" => {
                self.start("later", thread).await;
                self.settle(random).await;
            }
            "take up" => {
                self.start("later", thread).await;
                self.settle(random).await;
                self.take_up().await;
            }
            "suspend" => self.suspended.extend(self.start("send", thread).await),
            "resume" => {
                self.suspended.extend(self.start("send", thread).await);
                if let Some(run_id) = self.suspended.pop() {
                    for approval in self
                        .check(tenant.approvals().pending(100, None).await)
                        .map(|page| page.items)
                        .unwrap_or_default()
                    {
                        self.check(
                            tenant.approvals().respond(&approval.approval_id, Decision::Approved, "ann", None).await,
                        );
                    }
                    self.check(tenant.runs().resume(&run_id, &self.host.reborn()).await);
                }
            }
            "cancel" => {
                self.suspended.extend(self.start("send", thread).await);
                if let Some(run_id) = self.suspended.pop() {
                    self.check(tenant.runs().cancel(&run_id).await);
                }
            }
            "record" => {
                tenant.traces().record(&HostEvent::RequestRejected { reason: Rejection::Tenant }).await;
                self.check(tenant.traces().flush().await);
            }
            "sweep" => {
                self.check(bailiwick_runtime::sweep(&self.store, bailiwick_runtime::Promptness::Now).await);
            }
            "tick" => drop(self.store.advance(1 + random.below(TTL as usize) as u64)),
            other => panic!("{other} is not done"),
        }
    }

    async fn put(&mut self, item: bailiwick_runtime::PutItem) {
        let put = self.check(self.tenant.references().put(vec![item]).await);
        self.references.extend(put.into_iter().flatten().map(|reference| reference.id));
    }

    async fn ask(&mut self, subject: RequestedSubject) {
        let approval = self.check(self.tenant.approvals().request(asked(subject)).await);
        self.approvals.extend(approval.map(|approval| approval.approval_id));
    }
}

fn asked(subject: RequestedSubject) -> ApprovalRequest {
    ApprovalRequest { subject, context: ApprovalContext::default(), requested_by: None, ttl_ms: Some(TTL), rule: None }
}
