//! What tenants do, and everything that they are told afterwards.

use std::sync::Arc;

use bailiwick_model::json;
use bailiwick_model::ledger::record::Decision;
use bailiwick_runtime::{
    ApprovalContext, ApprovalRequest, CacheValue, PutContent, RequestedSubject, Store, TenantHandle,
};

use crate::support::{Random, bytes, handle, text};

/// Who is looked at.
pub(crate) const TENANTS: [&str; 5] = ["acme", "globex", "initech", "umbrella", "gone"];
/// Larger than what any engine keeps in one piece.
const LARGE: usize = 5 << 20;

/// Lets tenants do things at random.
pub(crate) async fn go_on(store: &Arc<Store>, random: &mut Random, steps: usize) {
    for step in 0..steps {
        let tenant = TENANTS[random.below(TENANTS.len())];
        let acme = handle(store, tenant);
        match random.below(12) {
            0..=3 => {
                let mut item = text("thing", &format!("{tenant} {step} {}", "x".repeat(random.below(3_000))));
                item.ttl_ms = random.one_in(2).then(|| 1 + random.next() % 100_000);
                acme.references().put(vec![item]).await.unwrap();
            }
            4 => {
                let length = [5_000, 100_000, LARGE][random.below(3)];
                put_large(&acme, random, length).await;
            }
            5 => {
                let value = CacheValue::Json(format!("{step}").into_bytes());
                acme.cache().set(&format!("key {}", random.below(9)), value, Some(5_000)).await.unwrap();
            }
            6..=7 => {
                let approval = acme.approvals().request(asking(step)).await.unwrap();
                if random.one_in(2) {
                    let decide = if random.one_in(2) { Decision::Approved } else { Decision::Rejected };
                    acme.approvals().respond(&approval.approval_id, decide, "kim", None).await.unwrap();
                }
            }
            8..=9 => {
                let message =
                    format!(r#"[{{"role":"user","parts":[{{"type":"text","text":"{step}"}}],"createdAt":5}}]"#);
                let thread = format!("thread {}", random.below(3));
                acme.threads().append(&thread, message.as_bytes(), None).await.unwrap();
            }
            10 => {
                let plan =
                    format!(r#"{{"type":"tidy","planId":"plan-{}","goal":"{step}","steps":[]}}"#, random.below(3));
                acme.plans().save(plan.as_bytes(), None).await.unwrap();
            }
            _ if tenant == "gone" => drop(acme.erase("gone").await.unwrap()),
            _ => {
                let listed = acme.references().list(None, 5, None).await.unwrap().items;
                if let Some(reference) = random.pick(&listed) {
                    acme.references().delete(&reference.id).await.unwrap();
                }
            }
        }
    }
}

pub(crate) async fn put_large(acme: &TenantHandle, random: &mut Random, length: usize) {
    let seed = random.next().to_le_bytes();
    let content = seed.iter().copied().cycle().take(length).collect();
    acme.references().put(vec![bytes("thing", PutContent::Bytes(content))]).await.unwrap();
}

fn asking(step: usize) -> ApprovalRequest {
    let input = json::parse(format!(r#"{{"step":{step}}}"#).as_bytes(), &json::Limits::default()).unwrap();
    let subject = RequestedSubject::Tool { tool: "ship".to_owned(), input };
    ApprovalRequest { subject, context: ApprovalContext::default(), requested_by: None, ttl_ms: None, rule: None }
}

/// Everything that the tenants are told, and that nothing in the store is damaged.
pub(crate) async fn told(store: &Arc<Store>) -> Vec<String> {
    let mut told = vec![store.public_key()];
    for tenant in TENANTS {
        let acme = handle(store, tenant);
        told.push(format!("{tenant} {}", json::write(&acme.usage_json().await.unwrap())));
        for reference in acme.references().list(None, 1_000, None).await.unwrap().items {
            let content = acme.references().resolve(&reference.id).await.unwrap();
            told.push(format!("{} {:?}", json::to_text(&reference), content.bytes().iter().fold(0_u64, hash)));
        }
        for key in 0..9 {
            told.push(format!("{:?}", acme.cache().get(&format!("key {key}")).await.unwrap()));
        }
        told.extend(acme.approvals().pending(1_000, None).await.unwrap().items.iter().map(json::to_text));
        told.extend(acme.approvals().history(1_000, None).await.unwrap().items.iter().map(json::to_text));
        told.push(acme.approvals().checkpoint().await.unwrap().note);
        assert_eq!(acme.approvals().verify(None).await.unwrap().problems, []);
        for thread in acme.threads().list(None, 1_000, None).await.unwrap().items {
            let messages = acme.threads().messages(&thread.thread_id, 1_000, None).await.unwrap();
            told.extend(messages.items.iter().map(json::to_text));
            told.push(json::to_text(&thread));
        }
        told.extend(acme.plans().list(1_000, None).await.unwrap().items.iter().map(json::to_text));
    }
    let report = store.check().await.unwrap();
    assert_eq!(report.problems, Vec::<String>::new());
    told.push(format!("{}", report.tenants));
    told
}

fn hash(sum: u64, byte: &u8) -> u64 {
    sum.wrapping_mul(31).wrapping_add(u64::from(*byte))
}
