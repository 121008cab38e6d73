//! What a tenant did, and what somebody beside it noted down of that.

use std::collections::BTreeMap;
use std::sync::Arc;

use bailiwick_model::ledger::checkpoint::Checkpoint;
use bailiwick_model::ledger::record::Decision;
use bailiwick_model::{Json, json};
use bailiwick_runtime::{
    ApprovalContext, ApprovalRequest, CacheValue, Catalogue, Reply, RequestedSubject, RunFilter, RunPosition,
    RunRequest, Store, TenantHandle,
};

use crate::runs::host::{Host, parsed};
use crate::support::{Kept, NOW, Random, handle_of, text};

const TEAM: &str = r#"{"bailiwick":1,"plans":[{"name":"report"}],
  "tools":[{"name":"search","description":"Finds","effects":"read","input":{"type":"object"}},
    {"name":"book","description":"Books","onInterrupted":"retry","input":{"type":"object"}}],
  "agents":[{"role":"coordinator","name":"front","model":"test/large","prompt":"Answer.","routes":["helper"],"tools":["search","book"]},
    {"role":"specialist","name":"helper","model":"test/small","prompt":"Help.","tools":["search"]}]}"#;

/// An end of an approval, as it was done.
pub(crate) struct Decided {
    pub(crate) approval_id: String,
    pub(crate) decision: &'static str,
    pub(crate) actor: Option<String>,
    pub(crate) reason: Option<String>,
    pub(crate) subject_hash: [u8; 32],
    pub(crate) requested_by: Option<String>,
    pub(crate) requested_at: u64,
    pub(crate) decided_at: u64,
}

pub(crate) struct History {
    pub(crate) tenant: TenantHandle,
    pub(crate) decided: Vec<Decided>,
    pub(crate) checkpoints: Vec<Checkpoint>,
    now: u64,
}

impl History {
    /// That of the tenant acme in its version `v<seed>`. Of seed 0 there is no approval, and no run.
    pub(crate) async fn of(store: &Arc<Store>, seed: u64, kept: Kept) -> Self {
        let catalogue = Arc::new(Catalogue::from_json(&parsed(TEAM)).unwrap());
        let tenant = handle_of(store, "acme", &format!("v{seed}"), "", &catalogue);
        let mut history = Self { tenant, decided: Vec::new(), checkpoints: Vec::new(), now: NOW + seed };
        let mut random = Random::new(seed);
        for number in 0..3 + random.below(9) {
            let name = format!("{number} {}", random.next());
            history.tenant.references().put(vec![text("thing", &name.repeat(1 + random.below(300)))]).await.unwrap();
            history.tenant.cache().set(&name, CacheValue::Bytes(vec![1; random.below(99)]), None).await.unwrap();
            let message = br#"[{"role":"user","parts":[{"type":"text","text":"x"}],"createdAt":5}]"#;
            history.tenant.threads().append(&name, message, None).await.unwrap();
        }
        if seed > 0 {
            let (runs, approvals) = if kept == Kept::Memory { (5, 20 + random.below(40)) } else { (2, 5) };
            for _ in 0..runs {
                history.query(&mut random).await;
            }
            history.interrupt(&mut random).await;
            for _ in 0..approvals {
                history.ask(store, &mut random).await;
                if random.one_in(4) {
                    history.checkpoints.push(history.tenant.approvals().checkpoint().await.unwrap());
                }
            }
        }
        history
    }

    pub(crate) fn now(&self) -> u64 {
        self.now
    }

    async fn query(&self, random: &mut Random) {
        let numbers: Vec<usize> = (0..4).map(|_| random.below(1000)).collect();
        let usage = json::write(&parsed(&format!(
            r#"{{"inputTokens":{},"outputTokens":{},"cacheReadTokens":{},"reasoningTokens":{}}}"#,
            numbers[0], numbers[1], numbers[2], numbers[3]
        )));
        let say = move |_: &str, answers: usize, _: &Json| {
            let (event, reason) = match answers {
                0 => (r#"{"type":"tool.call","callId":"c","tool":"search","input":"{}"}"#, "tool-calls"),
                _ => (r#"{"type":"text.delta","id":"t","delta":"Done."}"#, "stop"),
            };
            Reply::Value(format!(r#"[{event},{{"type":"finish","reason":"{reason}","usage":{usage}}}]"#).into_bytes())
        };
        let host = Host::new(say, |_, _| Some(Reply::Value(b"\x001".to_vec())));
        self.tenant
            .runs()
            .start(self.tenant.runs().prepare(None).unwrap(), request(random.one_in(2)), &host)
            .await
            .unwrap();
    }

    /// A run that is left in the middle, as by a crash: its model has answered once, its tool never does.
    async fn interrupt(&self, random: &mut Random) {
        let input = random.below(500);
        let say = move |_: &str, _: usize, _: &Json| {
            let call = r#"{"type":"tool.call","callId":"c","tool":"book","input":"{}"}"#;
            let usage = format!(r#"{{"inputTokens":{input},"outputTokens":7}}"#);
            Reply::Value(format!(r#"[{call},{{"type":"finish","reason":"tool-calls","usage":{usage}}}]"#).into_bytes())
        };
        let asked = Arc::new(tokio::sync::Notify::new());
        let told = asked.clone();
        let host = Host::new(say, move |_, _| {
            told.notify_one();
            None
        });
        let tenant = self.tenant.clone();
        let prepared = tenant.runs().prepare(None).unwrap();
        let run = tokio::spawn(async move { tenant.runs().start(prepared, request(false), &host).await });
        // That a tool which writes is called is in the journal first, and so is the answer before.
        asked.notified().await;
        run.abort();
        assert!(run.await.unwrap_err().is_cancelled());
    }

    async fn ask(&mut self, store: &Arc<Store>, random: &mut Random) {
        let requested_by = random.one_in(2).then(|| format!("agent {}", random.below(9)));
        let reason = random.one_in(2).then(|| format!("because {}", random.below(9)));
        let (context, ttl_ms) = (ApprovalContext::default(), Some(1000));
        let subject = RequestedSubject::Tool { tool: "search".to_owned(), input: number(random.next() >> 12) };
        let asked = ApprovalRequest { subject, context, requested_by: requested_by.clone(), ttl_ms, rule: None };
        let requested_at = self.now;
        let approval = self.tenant.approvals().request(asked).await.unwrap();
        self.tick(store, random.below(500) as u64);
        let (actor, approval_id) = (format!("person {}", random.below(9)), approval.approval_id.clone());
        let said = reason.as_deref();
        let (decision, actor, reason) = match random.below(4) {
            0 => {
                self.tenant.approvals().respond(&approval_id, Decision::Approved, &actor, said).await.unwrap();
                ("approved", Some(actor), reason)
            }
            1 => {
                self.tenant.approvals().respond(&approval_id, Decision::Rejected, &actor, said).await.unwrap();
                ("rejected", Some(actor), reason)
            }
            2 => {
                self.tenant.approvals().withdraw(&[&approval_id], said, Vec::new()).await.unwrap();
                ("withdrawn", None, reason)
            }
            _ => {
                self.tick(store, 1000);
                self.tenant.approvals().expire().await.unwrap();
                ("expired", None, None)
            }
        };
        self.decided.push(Decided {
            approval_id,
            decision,
            actor,
            reason,
            subject_hash: approval.subject_hash,
            requested_by,
            requested_at,
            decided_at: self.now,
        });
    }

    fn tick(&mut self, store: &Arc<Store>, milliseconds: u64) {
        store.advance(milliseconds);
        self.now += milliseconds;
    }

    /// What all runs have used, by what their events say.
    pub(crate) async fn tokens(&self) -> Json {
        let mut sums: BTreeMap<String, BTreeMap<String, f64>> = BTreeMap::new();
        for run in self.tenant.runs().list(&RunFilter::default(), 1000, None).await.unwrap().items {
            let run_id = parsed(&run).get("runId").and_then(Json::as_str).unwrap().to_owned();
            let mut position = RunPosition::default();
            loop {
                let page = self.tenant.runs().events(&run_id, position, false).await.unwrap();
                if page.events.is_empty() {
                    break;
                }
                position = page.position;
                let events = page.events.iter().map(|event| parsed(event));
                for event in events.filter(|event| event.get("type").and_then(Json::as_str) == Some("model.completed"))
                {
                    let model = event.get("model").and_then(Json::as_str).unwrap().to_owned();
                    for (name, count) in event.get("usage").unwrap().as_object().unwrap() {
                        *sums.entry(model.clone()).or_default().entry(name.clone()).or_default() +=
                            count.as_f64().unwrap();
                    }
                }
            }
        }
        let object = |counts: BTreeMap<String, f64>| {
            Json::Object(counts.into_iter().map(|(name, count)| (name, Json::Number(count))).collect())
        };
        Json::Object(sums.into_iter().map(|(model, counts)| (model, object(counts))).collect())
    }
}

fn request(is_helpers: bool) -> RunRequest {
    let specialist = is_helpers.then(|| "helper".to_owned());
    RunRequest { specialist, ..RunRequest::new(Json::from("Go")) }
}

fn number(value: u64) -> Json {
    Json::Number(value as f64)
}
