//! The cache: expiry, tenants, and that one computes while the others wait.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, Waker};

use crate::support::{at_once, catalogue, handle, handle_of, memory_store};
use bailiwick_model::Result;
use bailiwick_runtime::{Begun, CacheValue, Computing, TenantHandle};

type Beginning<'a> = Pin<Box<dyn Future<Output = Result<Begun>> + 'a>>;

fn begin<'a>(handle: &'a TenantHandle, key: &'a str) -> Beginning<'a> {
    Box::pin(handle.cache().begin(key, None))
}

/// Polls once: `None` while it waits.
fn poll(beginning: &mut Beginning<'_>) -> Option<Begun> {
    match beginning.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(begun) => Some(begun.unwrap()),
        Poll::Pending => None,
    }
}

fn computing(begun: Option<Begun>) -> Computing {
    match begun {
        Some(Begun::Compute(computing)) => computing,
        Some(Begun::Value(_)) => panic!("the value is there already"),
        None => panic!("somebody else computes it"),
    }
}

fn value(begun: Option<Begun>) -> CacheValue {
    match begun {
        Some(Begun::Value(value)) => value,
        _ => panic!("the value is not there"),
    }
}

fn json(text: &str) -> CacheValue {
    CacheValue::Json(text.as_bytes().to_vec())
}

#[test]
fn a_cached_value_expires_by_call_or_retention() {
    let store = memory_store();
    let handle = handle_of(&store, "acme", "v1", r#","retention":{"cache":{"ttlMs":500}}"#, &catalogue());
    at_once(handle.cache().set("call", json("1"), Some(1000))).unwrap();
    at_once(handle.cache().set("kind", json("2"), None)).unwrap();
    assert!(store.advance(499));
    assert_eq!(at_once(handle.cache().get("kind")).unwrap(), Some(json("2")));
    assert!(store.advance(1));
    assert_eq!(at_once(handle.cache().get("kind")).unwrap(), None);
    assert!(!at_once(handle.cache().delete("kind")).unwrap());
    assert_eq!(at_once(handle.cache().get("call")).unwrap(), Some(json("1")));
    assert!(store.advance(500));
    assert_eq!(at_once(handle.cache().get("call")).unwrap(), None);
    computing(poll(&mut begin(&handle, "call")));
}

#[test]
fn the_same_key_is_a_different_one_for_every_tenant() {
    let store = memory_store();
    let (acme, other) = (handle(&store, "acme"), handle(&store, "acme/"));
    at_once(acme.cache().set("key", json("1"), None)).unwrap();
    assert_eq!(at_once(other.cache().get("key")).unwrap(), None);
    at_once(other.cache().set("key", CacheValue::Bytes(vec![2]), None)).unwrap();
    assert_eq!(at_once(acme.cache().get("key")).unwrap(), Some(json("1")));
    assert!(at_once(other.cache().delete("key")).unwrap());
    assert_eq!(at_once(acme.cache().get("key")).unwrap(), Some(json("1")));
    for key in ["", "KEY", "key ", "*", "k%", "__proto__"] {
        assert_ne!(at_once(acme.cache().get(key)).ok().flatten(), Some(json("1")), "{key}");
    }
}

#[test]
fn one_computes_and_the_others_of_its_tenant_wait() {
    let store = memory_store();
    let (acme, twin, other) = (handle(&store, "acme"), handle(&store, "acme"), handle(&store, "other"));
    let lead = computing(poll(&mut begin(&acme, "key")));
    let mut followers = [begin(&acme, "key"), begin(&twin, "key")];
    assert!(followers.iter_mut().all(|follower| poll(follower).is_none()));
    // Neither another key nor another tenant has to wait.
    computing(poll(&mut begin(&acme, "another key")));
    computing(poll(&mut begin(&other, "key")));
    at_once(acme.cache().computed(lead, json("7"))).unwrap();
    for follower in &mut followers {
        assert_eq!(value(poll(follower)), json("7"));
    }
    assert_eq!(value(poll(&mut begin(&twin, "key"))), json("7"));
    assert_eq!(at_once(other.cache().get("key")).unwrap(), None);
}

#[test]
fn when_the_leader_gives_up_the_next_one_leads() {
    let handle = handle(&memory_store(), "acme");
    let lead = computing(poll(&mut begin(&handle, "key")));
    let (mut second, mut third) = (begin(&handle, "key"), begin(&handle, "key"));
    assert!(poll(&mut second).is_none() && poll(&mut third).is_none());
    drop(lead);
    let lead = computing(poll(&mut second));
    assert!(poll(&mut third).is_none());
    // A failure is not cached, and a value that is refused is one.
    assert!(at_once(handle.cache().computed(lead, json("not json"))).is_err());
    let lead = computing(poll(&mut third));
    at_once(handle.cache().computed(lead, json("3"))).unwrap();
    assert_eq!(at_once(handle.cache().get("key")).unwrap(), Some(json("3")));
}

#[test]
fn a_value_over_the_quota_lets_the_next_one_lead() {
    let handle = handle_of(&memory_store(), "acme", "v1", r#","limits":{"bytes":10}"#, &catalogue());
    let lead = computing(poll(&mut begin(&handle, "key")));
    let mut follower = begin(&handle, "key");
    assert!(poll(&mut follower).is_none());
    let refused = at_once(handle.cache().computed(lead, CacheValue::Bytes(vec![0; 11]))).err();
    assert_eq!(refused.unwrap().code(), "QUOTA_EXCEEDED");
    let lead = computing(poll(&mut follower));
    at_once(handle.cache().computed(lead, CacheValue::Bytes(vec![0; 10]))).unwrap();
}

#[test]
fn a_waiter_that_gives_up_delays_no_other() {
    let handle = handle(&memory_store(), "acme");
    let lead = computing(poll(&mut begin(&handle, "key")));
    let mut follower = begin(&handle, "key");
    assert!(poll(&mut follower).is_none());
    drop(follower);
    at_once(handle.cache().set("key", json("1"), None)).unwrap();
    assert_eq!(value(poll(&mut begin(&handle, "key"))), json("1"));
    assert!(at_once(handle.cache().delete("key")).unwrap());
    assert!(poll(&mut begin(&handle, "key")).is_none());
    drop(lead);
    computing(poll(&mut begin(&handle, "key")));
}

/// Polls once and returns the code of the failure: `None` while it waits.
fn failure(beginning: &mut Beginning<'_>) -> Option<&'static str> {
    match beginning.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(Ok(_)) => panic!("it did not fail"),
        Poll::Ready(Err(error)) => Some(error.code()),
        Poll::Pending => None,
    }
}

#[test]
fn closing_the_store_ends_the_wait_for_a_leader_that_never_ends() {
    let store = memory_store();
    let (acme, twin) = (handle(&store, "acme"), handle(&store, "acme"));
    let lead = computing(poll(&mut begin(&acme, "key")));
    let mut followers = [begin(&acme, "key"), begin(&twin, "key")];
    assert!(followers.iter_mut().all(|follower| failure(follower).is_none()));
    at_once(store.close());
    for follower in &mut followers {
        assert_eq!(failure(follower), Some("CLOSED"));
    }
    assert_eq!(failure(&mut begin(&twin, "key")), Some("CLOSED"));
    drop(lead);
}

#[test]
fn closing_a_handle_ends_the_waits_of_that_handle_alone_and_wakes_them() {
    let store = memory_store();
    let (acme, twin) = (handle(&store, "acme"), handle(&store, "acme"));
    let lead = computing(poll(&mut begin(&acme, "key")));
    let mut other = begin(&acme, "key");
    assert!(poll(&mut other).is_none());
    // Waiting for real: without the wake-up this would hang.
    std::thread::scope(|scope| {
        let waiting =
            scope.spawn(|| crate::support::wait(twin.cache().begin("key", None)).err().map(|error| error.code()));
        twin.close();
        assert_eq!(waiting.join().unwrap(), Some("CLOSED"));
    });
    assert!(poll(&mut other).is_none());
    at_once(acme.cache().computed(lead, json("7"))).unwrap();
    assert_eq!(value(poll(&mut other)), json("7"));
}

#[test]
fn values_keep_their_form() {
    let handle = handle(&memory_store(), "acme");
    for value in
        [json(r#"{"b":1,"a":[]}"#), json("null"), CacheValue::Bytes(Vec::new()), CacheValue::Bytes(vec![9; 70_000])]
    {
        at_once(handle.cache().set("key", value.clone(), None)).unwrap();
        assert_eq!(at_once(handle.cache().get("key")).unwrap(), Some(value));
    }
}
