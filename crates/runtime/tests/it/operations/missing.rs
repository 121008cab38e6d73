//! What is not there for a tenant, and how it comes not to be there.

use std::collections::BTreeMap;
use std::sync::Arc;

use bailiwick_model::ledger::checkpoint::Checkpoint;
use bailiwick_model::ledger::record::Decision;
use bailiwick_model::{Json, json};
use bailiwick_runtime::{
    ApprovalContext, ApprovalRequest, CacheValue, HostEvent, PutContent, PutItem, RequestedSubject, Store, TenantHandle,
};

use crate::operations::verbs::{LISTS, List, page};
use crate::support::{bytes, catalogue, handle_of, put};

/// A name of something of every kind, none of which is there for the tenant who asks.
#[derive(Clone)]
pub(crate) struct Missing {
    pub(crate) why: &'static str,
    pub(crate) reference: String,
    pub(crate) type_name: &'static str,
    pub(crate) key: &'static str,
    pub(crate) plan: &'static str,
    pub(crate) approval: String,
    pub(crate) sequence: u64,
    pub(crate) checkpoint: Checkpoint,
    pub(crate) thread: &'static str,
    pub(crate) actor: &'static str,
    pub(crate) message: String,
    pub(crate) cursors: BTreeMap<List, String>,
}

/// How long the things of a handle live that [`briefly`] gives, in milliseconds.
const BRIEF_MS: u64 = 8;

/// What somebody has placed.
struct Placed {
    reference: String,
    approval: String,
    message: String,
}

pub(crate) fn item(type_name: &str, length: usize) -> PutItem {
    bytes(type_name, PutContent::Bytes(vec![length as u8; length]))
}

pub(crate) fn asking(length: usize) -> ApprovalRequest {
    let subject = RequestedSubject::Tool { tool: "ship".to_owned(), input: Json::String("x".repeat(length)) };
    ApprovalRequest { subject, context: ApprovalContext::default(), requested_by: None, ttl_ms: None, rule: None }
}

/// The text of a plan, as it is saved.
pub(crate) fn plan(plan_id: &str, length: usize) -> Vec<u8> {
    let details = "x".repeat(length);
    format!(r#"{{"type":"launch","planId":"{plan_id}","goal":"ship","steps":[],"details":"{details}"}}"#).into_bytes()
}

/// The text of one message, as it is appended.
pub(crate) fn message(actor: &str, length: usize) -> Vec<u8> {
    let text = "x".repeat(length);
    format!(r#"[{{"role":"user","parts":[{{"type":"text","text":"{text}"}}],"createdAt":1,"actor":"{actor}"}}]"#)
        .into_bytes()
}

/// The id in the JSON text of the first of some messages.
pub(crate) fn message_id(messages: &[json::Text]) -> String {
    let (_, rest) = messages.first().unwrap().split_once("\"messageId\":\"").unwrap();
    rest.split('"').next().unwrap().to_owned()
}

/// Makes one of every kind, all under this name.
async fn place(handle: &TenantHandle, name: &str, length: usize) -> Placed {
    let reference = put(handle, item(name, length)).await;
    handle.traces().record(&HostEvent::ReferenceCreated { reference: &reference }).await;
    handle.traces().flush().await.unwrap();
    handle.cache().set(name, CacheValue::Bytes(vec![1; length]), None).await.unwrap();
    handle.plans().save(&plan(name, length), None).await.unwrap();
    let approval = handle.approvals().request(asking(length)).await.unwrap().approval_id;
    handle.approvals().respond(&approval, Decision::Rejected, name, None).await.unwrap();
    handle.threads().append(name, &message(name, length), None).await.unwrap();
    // An id says at which place the message is: the first, like that of the absent one.
    let messages = handle.threads().messages(name, 1, None).await.unwrap().items;
    Placed { reference, approval, message: message_id(&messages) }
}

/// Another handle of a tenant, whose things live for [`BRIEF_MS`].
fn briefly(store: &Arc<Store>, id: &str) -> TenantHandle {
    let ttl = |kind: &str| format!(r#""{kind}":{{"ttlMs":{BRIEF_MS}}}"#);
    let all = ["references", "cache", "plans", "approvals", "threads"].map(ttl).join(",");
    handle_of(store, id, "v1", &format!(r#","retention":{{{all}}}"#), &catalogue())
}

/// Gives another tenant something of every kind, and returns a cursor of each of its lists.
async fn place_foreign(other: &TenantHandle) -> BTreeMap<List, String> {
    for (length, thread) in [(1, "one"), (2, "two")] {
        place(other, "foreign", length).await;
        other.threads().append(thread, &message("foreign", 1), None).await.unwrap();
        other.plans().save(&plan(thread, 1), None).await.unwrap();
        other.approvals().request(asking(1)).await.unwrap();
        other.threads().append("own", &message("kim", 1), None).await.unwrap();
    }
    // The other ledger is longer than one's own will be.
    for _ in 0..8 {
        let asked = other.approvals().request(asking(1)).await.unwrap();
        other.approvals().respond(&asked.approval_id, Decision::Approved, "kim", None).await.unwrap();
    }
    let mut foreign_cursors = BTreeMap::new();
    for list in LISTS {
        let (_, cursor) = page(other, list, "foreign", "own", 1, None).await.unwrap();
        foreign_cursors.insert(list, cursor.unwrap_or_else(|| panic!("there is no next page of {list:?}")));
    }
    foreign_cursors
}

/// Everything that is not there for `acme`, small and large.
pub(crate) async fn all_missing(store: &Arc<Store>, acme: &TenantHandle, other: &TenantHandle) -> Vec<Missing> {
    let foreign_cursors = place_foreign(other).await;
    let malformed = |cursor: &str| LISTS.into_iter().map(|list| (list, cursor.to_owned())).collect();
    let absent = Missing {
        why: "absent",
        reference: format!("ref_{}", "a".repeat(32)),
        type_name: "absent",
        key: "absent",
        plan: "absent",
        approval: format!("approval_{}", "a".repeat(32)),
        // More than anybody has.
        sequence: 1000,
        checkpoint: Checkpoint { note: "none".to_owned(), size: 3, root: [7; 32] },
        thread: "absent",
        actor: "absent",
        message: format!("msg_{}", "a".repeat(32)),
        cursors: malformed("bm9uZQ"),
    };
    let named = |why, Placed { reference, approval, message }, cursors| Missing {
        why,
        reference,
        type_name: why,
        key: why,
        plan: why,
        approval,
        thread: why,
        actor: why,
        message,
        cursors,
        ..absent.clone()
    };
    let mut all = vec![absent.clone()];
    let brief = briefly(store, "acme");
    for length in [100, 10_000] {
        all.push(named("expired", place(&brief, "expired", length).await, malformed("")));
        let placed = place(acme, "deleted", length).await;
        assert!(acme.references().delete(&placed.reference).await.unwrap());
        assert!(acme.cache().delete("deleted").await.unwrap());
        assert!(acme.threads().delete("deleted").await.unwrap());
        // Nobody can delete a plan or an approval.
        let deleted = named("deleted", placed, malformed("Zm9yZWlnbg"));
        all.push(Missing { plan: "absent", approval: absent.approval.clone(), ..deleted });
        let foreign = named("foreign", place(other, "foreign", length).await, foreign_cursors.clone());
        let checkpoint = other.approvals().checkpoint().await.unwrap();
        all.push(Missing { sequence: checkpoint.size - 1, checkpoint, ..foreign });
    }
    // Rows of lists live a little longer than threads.
    assert!(store.advance(2 * BRIEF_MS));
    // The foreign ones are at hand in the store's cache of opened records: that must not show.
    for missing in &all {
        let is_foreign = missing.why == "foreign";
        assert_eq!(other.references().resolve(&missing.reference).await.is_ok(), is_foreign);
        assert_eq!(other.plans().load(missing.plan, None).await.is_ok(), is_foreign);
        assert_eq!(other.approvals().get(&missing.approval).await.is_ok(), is_foreign);
        assert_eq!(other.approvals().prove(missing.sequence).await.is_ok(), is_foreign);
        assert_eq!(other.threads().messages(missing.thread, 10, None).await.is_ok(), is_foreign);
    }
    all
}
