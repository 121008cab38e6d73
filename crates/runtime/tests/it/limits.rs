//! Limits of a tenant, and that what is refused leaves nothing behind.

use std::sync::Arc;

use crate::runs::host::{Host, parsed, says};
use crate::support::{Home, Kept, NOW, bytes, catalogue, handle, handle_of, put, store, text, wait};
use bailiwick_model::{Error, Json, Kind};
use bailiwick_runtime::{
    ApprovalContext, ApprovalRequest, CacheValue, Catalogue, PutContent, PutItem, QueueKey, RequestedSubject,
    RunRequest, TenantHandle,
};

/// What these tests name.
const TEAM: &str = r#"{"bailiwick":1,"plans":[{"name":"report"}],
    "references":[{"name":"row","description":"A row","schema":{"type":"object","required":["a"]}}],
    "tools":[{"name":"send","description":"Sends","input":{"type":"object"}}],
    "agents":[{"role":"coordinator","name":"front","model":"test/m","prompt":"Answer.","routes":["helper"],"tools":["send"]},
        {"role":"specialist","name":"helper","model":"test/m","prompt":"Help."}]}"#;

fn quota(quota: &str, limit: u64, used: u64, more: u64) -> Error {
    Error::QuotaExceeded { quota: quota.to_owned(), limit, used, more }
}

/// Everything a tenant can see of its state.
async fn state(handle: &TenantHandle) -> String {
    let usage = handle.usage().await.unwrap();
    let references = handle.references().list(None, 1000, None).await.unwrap().items;
    format!("{usage:?} {references:?}")
}

/// Runs a test on a tenant with these limits, on every engine, beside another tenant who has plenty.
fn limited(limits: &str, test: impl AsyncFn(TenantHandle)) {
    for kept in Kept::ALL {
        wait(async {
            let Home { opened, .. } = &kept.open();
            let opened = bailiwick_store::Opened { engine: opened.engine.clone(), vault: opened.vault.clone() };
            let store = store(opened, 1, NOW, 1 << 20).await;
            let other = handle(&store, "other");
            for number in 0..20 {
                put(&other, text("free", &number.to_string())).await;
            }
            let part = format!(r#","limits":{limits}"#);
            let catalogue = Arc::new(Catalogue::from_json(&parsed(TEAM)).unwrap());
            test(handle_of(&store, "acme", "v1", &part, &catalogue)).await;
            store.close().await;
        });
    }
}

fn texts(texts: &[&str]) -> Vec<PutItem> {
    texts.iter().map(|content| text("free", content)).collect()
}

#[test]
fn the_number_of_references_is_limited() {
    limited(r#"{"items":{"references":3}}"#, async |handle| {
        handle.references().put(texts(&["a", "b"])).await.unwrap();
        let before = state(&handle).await;
        let refused = handle.references().put(texts(&["c", "d"])).await.err();
        assert_eq!(refused, Some(quota("items.references", 3, 2, 2)));
        assert_eq!(state(&handle).await, before, "nothing of a refused putMany is there");
        let c = put(&handle, text("free", "c")).await;
        // At the limit: what is there already may be put again, something else may take the place of what is deleted.
        handle.references().put(texts(&["a", "b", "c", "a"])).await.unwrap();
        assert_eq!(handle.references().put(texts(&["d"])).await.err(), Some(quota("items.references", 3, 3, 1)));
        assert!(handle.references().delete(&c).await.unwrap());
        put(&handle, text("free", "d")).await;
        // Another kind has limits of its own.
        handle.cache().set("key", CacheValue::Bytes(vec![1]), None).await.unwrap();
    });
}

#[test]
fn the_bytes_over_all_kinds_are_limited() {
    limited(r#"{"bytes":10000}"#, async |handle| {
        let large = put(&handle, bytes("blob", PutContent::Bytes(vec![1; 6000]))).await;
        handle.cache().set("key", CacheValue::Bytes(vec![2; 3000]), None).await.unwrap();
        let before = state(&handle).await;
        let items = vec![text("free", "x"), bytes("blob", PutContent::Bytes(vec![2; 5000]))];
        assert_eq!(handle.references().put(items).await.err(), Some(quota("bytes", 10_000, 9_000, 5_001)));
        let refused = handle.cache().set("key", CacheValue::Bytes(vec![3; 4001]), None).await.err();
        assert_eq!(refused, Some(quota("bytes", 10_000, 9_000, 1_001)));
        assert_eq!(state(&handle).await, before);
        assert_eq!(handle.cache().get("key").await.unwrap(), Some(CacheValue::Bytes(vec![2; 3000])));
        assert!(handle.references().delete(&large).await.unwrap());
        handle.cache().set("key", CacheValue::Bytes(vec![3; 9000]), None).await.unwrap();
    });
}

#[test]
fn the_bytes_of_one_value_are_limited() {
    limited(r#"{"valueBytes":100}"#, async |handle| {
        let value = |length| bytes("blob", PutContent::Bytes(vec![1; length]));
        put(&handle, value(100)).await;
        let before = state(&handle).await;
        let refused = handle.references().put(vec![value(7), value(101)]).await.err();
        assert_eq!(refused, Some(quota("valueBytes", 100, 101, 0)));
        let refused = handle.cache().set("key", CacheValue::Bytes(vec![1; 101]), None).await.err();
        assert_eq!(refused, Some(quota("valueBytes", 100, 101, 0)));
        handle.cache().set("key", CacheValue::Bytes(vec![1; 100]), None).await.unwrap();
        assert!(handle.cache().delete("key").await.unwrap());
        assert_eq!(state(&handle).await, before);
    });
}

#[test]
fn one_bad_value_of_many_leaves_nothing_behind() {
    limited("{}", async |handle| {
        let before = state(&handle).await;
        let json = |text: &str| bytes("row", PutContent::Json(text.as_bytes().to_vec()));
        for bad in [
            json(r#"{"b":1}"#),
            json("{"),
            json(r#"{"a":1,"a":2}"#),
            json(r#"{"a":1,"__proto__":2}"#),
            text("Not A Name", "x"),
            PutItem { ttl_ms: Some(0), ..text("free", "x") },
            PutItem { media_type: Some("text/csv\r\nx: y".to_owned()), ..text("free", "x") },
        ] {
            let refused = handle.references().put(vec![text("free", "good"), bad]).await.err();
            assert_eq!(refused.unwrap().code(), "INVALID_INPUT");
        }
        assert_eq!(state(&handle).await, before);
        put(&handle, json(r#"{"a":1}"#)).await;
    });
}

#[test]
fn limits_of_a_kind_hold_beside_each_other() {
    limited(r#"{"items":{"cache":1}}"#, async |handle| {
        handle.cache().set("one", CacheValue::Bytes(vec![]), None).await.unwrap();
        let refused = handle.cache().set("two", CacheValue::Bytes(vec![]), None).await.err();
        assert_eq!(refused, Some(quota("items.cache", 1, 1, 1)));
        handle.cache().set("one", CacheValue::Json(b"2".to_vec()), None).await.unwrap();
        let usage = handle.usage().await.unwrap();
        assert!(usage.iter().any(|(kind, count)| *kind == Kind::Cache && count.items == 1 && count.bytes == 1));
    });
}

fn too_much(limit: u64, used: u64, call: u64) -> Option<Error> {
    Some(Error::TooMuchInFlight { limit, used, call })
}

#[test]
fn in_flight_bytes_are_limited_and_given_back() {
    limited(r#"{"inFlightBytes":100}"#, async |handle| {
        let one = handle.hold(60).unwrap();
        assert_eq!(handle.hold(41).err(), too_much(100, 60, 41));
        let two = handle.hold(30).unwrap();
        assert_eq!(two.try_add(11).err(), too_much(100, 90, 11));
        two.try_add(10).unwrap();
        assert_eq!(handle.hold(1).err(), too_much(100, 100, 1));
        drop(one);
        // The answer to a change is kept, whatever it takes.
        two.answered(1_000, false).unwrap();
        assert_eq!(handle.hold(1).err(), too_much(100, 1_030, 1));
        drop(handle.hold(0).unwrap());
        drop(two);
        drop(handle.hold(100).unwrap());
        assert_eq!(handle.hold(101).err(), too_much(100, 0, 101));
        assert_eq!(handle.hold(usize::MAX).err(), too_much(100, 0, u64::MAX));
        drop(handle.hold(100).unwrap());
    });
}

#[test]
fn all_handles_of_a_tenant_share_a_queue_while_calls_are_in_flight() {
    for kept in Kept::ALL {
        wait(async {
            let store = store(kept.open().opened, 1, NOW, 1 << 20).await;
            let limited = |tenant, limit: u64| {
                handle_of(&store, tenant, "v1", &format!(r#","limits":{{"inFlightBytes":{limit}}}"#), &catalogue())
            };
            let held = limited("acme", 100).hold(60).unwrap();
            // The handle is gone, and what it had under way is not.
            let another = limited("acme", 110);
            assert_eq!(another.hold(60).err(), too_much(110, 60, 60));
            assert_eq!(another.hold(50).unwrap().queue_key(), held.queue_key());
            let other = limited("globex", 100).hold(100).unwrap();
            assert_ne!(other.queue_key(), held.queue_key());
            assert_ne!(other.queue_key(), QueueKey::SYSTEM);
            store.close().await;
        });
    }
}

/// Every quota there is, how it is met, and what is in use then. The sentence says so, too.
#[test]
fn every_refusal_states_the_usage_and_the_request() {
    let blob = |length| bytes("blob", PutContent::Bytes(vec![7; length]));
    let told = |error: Option<Error>| match error {
        Some(Error::QuotaExceeded { quota, limit, used, more }) => (quota, limit, used, more),
        Some(Error::TooMuchInFlight { limit, used, call }) => ("inFlightBytes".to_owned(), limit, used, call),
        other => panic!("{other:?}"),
    };
    // A wait beyond a limit fails its call: see `runs::waits`.
    for kind in Kind::ALL.into_iter().filter(|kind| !matches!(kind, Kind::Traces | Kind::Waits)) {
        limited(&format!(r#"{{"items":{{"{}":10}}}}"#, kind.name()), async |handle| {
            for number in 0..10 {
                add(&handle, kind, number).await.unwrap_or_else(|error| panic!("{kind:?} {number}: {error}"));
            }
            let refused = add(&handle, kind, 10).await.err();
            let said = refused.as_ref().map(ToString::to_string).unwrap_or_default();
            assert_eq!(told(refused), (format!("items.{}", kind.name()), 10, 10, 1));
            assert!(said.contains("10 used, 10 allowed, and this needs 1 more"), "{said}");
        });
    }
    limited(r#"{"bytes":100}"#, async |handle| {
        put(&handle, blob(60)).await;
        let refused = handle.references().put(vec![blob(50)]).await.err();
        assert_eq!(told(refused), ("bytes".to_owned(), 100, 60, 50));
    });
    limited(r#"{"valueBytes":100}"#, async |handle| {
        let refused = handle.references().put(vec![blob(150)]).await.err();
        let said = refused.as_ref().map(ToString::to_string).unwrap_or_default();
        assert!(said.contains("The value has 150 bytes; the tenant's limit on valueBytes allows 100."), "{said}");
        assert_eq!(told(refused), ("valueBytes".to_owned(), 100, 150, 0));
    });
    limited(r#"{"pendingApprovals":2}"#, async |handle| {
        add(&handle, Kind::Approvals, 0).await.unwrap();
        add(&handle, Kind::Approvals, 1).await.unwrap();
        let refused = add(&handle, Kind::Approvals, 2).await.err();
        assert_eq!(told(refused), ("pendingApprovals".to_owned(), 2, 2, 1));
    });
    limited(r#"{"inFlightBytes":100}"#, async |handle| {
        let held = handle.hold(60).unwrap();
        let refused = handle.hold(50).err();
        let said = refused.as_ref().map(ToString::to_string).unwrap_or_default();
        assert!(said.contains("60 bytes are in flight, 100 are allowed, and this call needs 50 more"), "{said}");
        assert_eq!(told(refused), ("inFlightBytes".to_owned(), 100, 60, 50));
        drop(held);
    });
}

/// One more item of a kind.
async fn add(handle: &TenantHandle, kind: Kind, number: usize) -> Result<(), Error> {
    let name = number.to_string();
    match kind {
        Kind::References => handle.references().put(vec![text("free", &name)]).await.map(drop),
        Kind::Cache => handle.cache().set(&name, CacheValue::Bytes(vec![1]), None).await,
        Kind::Plans => {
            let plan = format!(r#"{{"planId":"{name}","type":"report","goal":"g","steps":[]}}"#);
            handle.plans().save(plan.as_bytes(), None).await.map(drop)
        }
        Kind::Approvals => {
            let subject = RequestedSubject::Tool { tool: "send".to_owned(), input: Json::Null };
            let (context, requested_by) = (ApprovalContext::default(), None);
            handle
                .approvals()
                .request(ApprovalRequest { subject, context, requested_by, ttl_ms: None, rule: None })
                .await
                .map(drop)
        }
        Kind::Threads => {
            let message = br#"[{"role":"user","parts":[{"type":"text","text":"x"}],"createdAt":5}]"#;
            handle.threads().append(&name, message, None).await.map(drop)
        }
        Kind::Runs => {
            let request = RunRequest::new(Json::from("Go"));
            let host = Host::new(|_, _, _| says("Done."), |_, _| None);
            handle.runs().start(handle.runs().prepare(None).unwrap(), request, &host).await.map(drop)
        }
        Kind::Traces | Kind::Waits => Ok(()),
    }
}
