//! References: versions of a tenant, ids, expiry, lists, what is stored.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::task::{Context, Poll, Waker};

use crate::support::{
    Kept, NOW, at_once, bytes, catalogue, handle, handle_of, in_pieces, memory_store, put, store, text,
};
use bailiwick_model::{Error, Kind};
use bailiwick_runtime::{CacheValue, PutContent, PutItem, TenantHandle};
use bailiwick_store::layer::Layer;
use bailiwick_store::{Commit, CommitError, Engine, EngineFuture, Op, Version};

/// Counts what is written, and holds commits back while it is closed.
struct Gate {
    engine: Arc<dyn Engine>,
    closed: AtomicBool,
    written: AtomicUsize,
}

impl Layer for Gate {
    fn behind(&self) -> &dyn Engine {
        &*self.engine
    }

    fn commit(&self, commit: Commit) -> EngineFuture<'_, Result<Version, CommitError>> {
        let bytes = |op: &Op| if let Op::Put { value, .. } = op { value.len() } else { 0 };
        self.written.fetch_add(commit.ops.iter().map(bytes).sum(), Ordering::SeqCst);
        Box::pin(async move {
            let open =
                |_: &mut Context<'_>| if self.closed.load(Ordering::SeqCst) { Poll::Pending } else { Poll::Ready(()) };
            std::future::poll_fn(open).await;
            self.engine.commit(commit).await
        })
    }
}

fn gated() -> (Arc<Gate>, Arc<bailiwick_runtime::Store>) {
    let mut opened = Kept::Memory.open().opened;
    let (closed, written) = (AtomicBool::new(false), AtomicUsize::new(0));
    let gate = Arc::new(Gate { engine: opened.engine, closed, written });
    opened.engine = gate.clone();
    (gate, at_once(store(opened, 1, NOW, 1 << 20)))
}

fn with_ttl(item: PutItem, ttl_ms: u64) -> PutItem {
    PutItem { ttl_ms: Some(ttl_ms), ..item }
}

fn expires_at(json: &str) -> Option<u64> {
    let (_, rest) = json.split_once("\"expiresAt\":").unwrap();
    rest.split(',').next().unwrap().parse().ok()
}

fn json(text: &str) -> PutContent {
    PutContent::Json(text.as_bytes().to_vec())
}

async fn listed(handle: &TenantHandle) -> Vec<String> {
    handle.references().list(None, 100, None).await.unwrap().items.iter().map(bailiwick_model::json::to_text).collect()
}

#[test]
fn both_versions_of_a_tenant_have_the_same_state() {
    let (store, rules) = (memory_store(), catalogue());
    let first = handle_of(&store, "acme", "v1", "", &rules);
    let id = at_once(put(&first, text("free", "kept")));
    at_once(put(&first, text("free", "kept too")));
    at_once(first.cache().set("key", CacheValue::Bytes(vec![1]), None)).unwrap();
    let usage = at_once(first.usage()).unwrap();
    let cursor = at_once(first.references().list(None, 1, None)).unwrap().cursor.unwrap();
    drop(first);
    let second = handle_of(&store, "acme", "v2", "", &rules);
    assert_eq!(at_once(second.references().resolve(&id)).unwrap().bytes(), b"kept");
    assert_eq!(at_once(put(&second, text("free", "kept"))), id);
    assert_eq!(at_once(second.cache().get("key")).unwrap(), Some(CacheValue::Bytes(vec![1])));
    assert_eq!(at_once(second.usage()).unwrap(), usage);
    let rest = at_once(second.references().list(None, 1, Some(&cursor))).unwrap();
    assert_eq!(rest.items.first().unwrap().id, id);
    assert_eq!(rest.cursor, None);
}

#[test]
fn the_same_content_has_another_id_for_every_tenant_type_and_media_type() {
    let store = memory_store();
    let mut ids = Vec::new();
    for tenant in ["acme", "acme ", "Acme", "acme/", "*"] {
        let handle = handle(&store, tenant);
        ids.push(at_once(put(&handle, text("free", "the same"))));
        ids.push(at_once(put(&handle, text("blob", "the same"))));
        let csv = PutItem { media_type: Some("text/csv".to_owned()), ..text("free", "the same") };
        ids.push(at_once(put(&handle, csv)));
    }
    let count = ids.len();
    ids.sort();
    ids.dedup();
    assert_eq!(ids.len(), count);
}

#[test]
fn equal_json_is_one_reference_however_it_is_written() {
    let handle = handle(&memory_store(), "acme");
    let one = at_once(put(&handle, bytes("row", json(r#"{"b": 1.0, "a": [true, "\u0041"]}"#))));
    let other = at_once(put(&handle, bytes("row", json(r#"{"a":[true,"A"],"b":1}"#))));
    assert_eq!(one, other);
    assert_eq!(at_once(handle.references().resolve(&one)).unwrap().bytes(), br#"{"a":[true,"A"],"b":1}"#);
    assert_eq!(at_once(listed(&handle)).len(), 1);
}

#[test]
fn every_foreign_id_is_not_found() {
    let store = memory_store();
    let (acme, other) = (handle(&store, "acme"), handle(&store, "other"));
    let id = at_once(put(&acme, text("free", "mine")));
    at_once(put(&other, text("free", "theirs")));
    for id in [id.as_str(), "ref_*", "", "ref_", &id.to_uppercase(), &id[..35], &format!("{id}a"), &format!("{id}\0")] {
        assert_eq!(at_once(other.references().resolve(id)).err(), Some(Error::NotFound));
        assert_eq!(at_once(other.references().describe(id)).err(), Some(Error::NotFound));
        assert!(!at_once(other.references().delete(id)).unwrap());
        assert!(other.references().resolve_at_hand(id).is_none());
    }
    assert_eq!(at_once(acme.references().resolve(&id)).unwrap().bytes(), b"mine");
}

#[test]
fn the_ttl_of_the_call_wins_over_the_type_and_the_type_over_the_retention() {
    let rules = catalogue();
    let retention = r#","retention":{"references":{"ttlMs":4000}}"#;
    let handle = handle_of(&memory_store(), "acme", "v1", retention, &rules);
    let lifetime = |item| at_once(handle.references().put(vec![item])).unwrap()[0].expires_at.map(|at| at - NOW);
    assert_eq!(lifetime(with_ttl(text("note", "a"), 700)), Some(700));
    assert_eq!(lifetime(text("note", "b")), Some(1500));
    assert_eq!(lifetime(text("free", "c")), Some(4000));
    let forever = handle_of(&memory_store(), "acme", "v1", r#","retention":{"references":{"ttlMs":null}}"#, &rules);
    let put = at_once(forever.references().put(vec![text("free", "d")])).unwrap();
    assert_eq!(put[0].expires_at, None);
    let default = handle_of(&memory_store(), "acme", "v1", "", &rules);
    let put = at_once(default.references().put(vec![text("free", "e")])).unwrap();
    assert_eq!(put[0].expires_at, Some(NOW + 30 * 24 * 3600 * 1000));
}

#[test]
fn an_expired_reference_is_absent_everywhere() {
    let store = memory_store();
    let handle = handle(&store, "acme");
    for content in ["small".to_owned(), "large".repeat(2000)] {
        let id = at_once(put(&handle, with_ttl(text("free", &content), 1000)));
        assert!(store.advance(999));
        assert_eq!(at_once(handle.references().resolve(&id)).unwrap().bytes(), content.as_bytes());
        assert_eq!(at_once(listed(&handle)).len(), 1);
        assert!(store.advance(1));
        assert_eq!(at_once(handle.references().resolve(&id)).err(), Some(Error::NotFound));
        assert_eq!(at_once(handle.references().describe(&id)).err(), Some(Error::NotFound));
        assert!(handle.references().resolve_at_hand(&id).is_none());
        assert!(at_once(handle.references().resolve_many(&[&id])).unwrap()[0].is_none());
        assert!(!at_once(handle.references().delete(&id)).unwrap());
        assert!(at_once(listed(&handle)).is_empty());
        // And it can come back, as a new one.
        let again = at_once(put(&handle, with_ttl(text("free", &content), 50)));
        assert_eq!(again, id);
        assert_eq!(at_once(handle.references().resolve(&id)).unwrap().bytes(), content.as_bytes());
        assert_eq!(at_once(listed(&handle)).len(), 1);
        assert!(store.advance(50));
    }
}

#[test]
fn putting_again_keeps_the_later_expiry_everywhere() {
    let store = memory_store();
    let handle = handle(&store, "acme");
    for content in ["small".to_owned(), "large".repeat(2000)] {
        let item = || text("free", &content);
        let id = at_once(put(&handle, with_ttl(item(), 2000)));
        for (ttl, expected) in [(1000, 2000), (3000, 3000), (10, 3000)] {
            let again = at_once(handle.references().put(vec![with_ttl(item(), ttl)])).unwrap();
            let now = again[0].expires_at.unwrap();
            assert_eq!(at_once(handle.references().describe(&id)).unwrap().expires_at, Some(now));
            assert_eq!(expires_at(&at_once(listed(&handle))[0]), Some(now));
            let base = now - expected;
            assert!(base >= NOW);
        }
        assert!(store.advance(2999));
        assert_eq!(at_once(handle.references().resolve(&id)).unwrap().bytes(), content.as_bytes());
        assert_eq!(at_once(listed(&handle)).len(), 1);
        assert!(store.advance(1));
        assert_eq!(at_once(handle.references().resolve(&id)).err(), Some(Error::NotFound));
        assert!(at_once(listed(&handle)).is_empty());
    }
    let twice = vec![with_ttl(text("free", "twins"), 10), with_ttl(text("free", "twins"), 20)];
    let twins = at_once(handle.references().put(twice)).unwrap();
    assert_eq!(twins[0], twins[1]);
    assert_eq!(twins[0].expires_at, at_once(handle.references().describe(&twins[0].id)).unwrap().expires_at);
}

/// Polls a future once.
fn poll<T>(future: &mut Pin<Box<dyn Future<Output = T> + '_>>) -> Poll<T> {
    future.as_mut().poll(&mut Context::from_waker(Waker::noop()))
}

#[test]
fn concurrent_puts_of_the_same_content_get_the_later_expiry_in_lists_too() {
    let (gate, store) = gated();
    let handle = handle(&store, "acme");
    let id = at_once(put(&handle, with_ttl(text("free", "shared"), 1000)));
    gate.closed.store(true, Ordering::SeqCst);
    let mut later: Pin<Box<dyn Future<Output = _>>> =
        Box::pin(handle.references().put(vec![with_ttl(text("free", "shared"), 9000)]));
    let mut sooner: Pin<Box<dyn Future<Output = _>>> =
        Box::pin(handle.references().put(vec![with_ttl(text("free", "shared"), 5000)]));
    assert!(poll(&mut later).is_pending());
    assert!(poll(&mut sooner).is_pending());
    gate.closed.store(false, Ordering::SeqCst);
    for put in [&mut later, &mut sooner] {
        let Poll::Ready(Ok(references)) = poll(put) else { panic!("it must be done by now") };
        assert_eq!(references[0].expires_at, Some(NOW + 9000));
    }
    assert!(store.advance(8999));
    assert!(at_once(handle.references().resolve(&id)).is_ok());
    assert_eq!(at_once(listed(&handle)).len(), 1);
}

#[test]
fn a_delete_that_was_overtaken_reads_again() {
    let (gate, store) = gated();
    let handle = handle(&store, "acme");
    let id = at_once(put(&handle, text("free", "shared")));
    gate.closed.store(true, Ordering::SeqCst);
    let mut delete: Pin<Box<dyn Future<Output = _>>> = Box::pin(handle.references().delete(&id));
    assert!(poll(&mut delete).is_pending());
    gate.closed.store(false, Ordering::SeqCst);
    // Somebody else deletes and puts it again meanwhile: the first delete must see that, and go on.
    assert!(at_once(handle.references().delete(&id)).unwrap());
    assert_eq!(at_once(put(&handle, text("free", "shared"))), id);
    assert_eq!(poll(&mut delete), Poll::Ready(Ok(true)));
    assert_eq!(at_once(handle.references().resolve(&id)).err(), Some(Error::NotFound));
    assert!(at_once(listed(&handle)).is_empty());
}

#[test]
fn content_is_stored_once() {
    let (gate, store) = gated();
    let handle = handle(&store, "acme");
    at_once(put(&handle, text("free", "the tenant's keys are there now")));
    for length in [4096, 4097, 5 * 1024, 100 * 1024] {
        let item = || bytes("blob", PutContent::Bytes(vec![7; length]));
        gate.written.store(0, Ordering::SeqCst);
        let id = at_once(put(&handle, item()));
        let written = gate.written.load(Ordering::SeqCst);
        assert!(written >= length && written < length + 800, "{length}: {written}");
        gate.written.store(0, Ordering::SeqCst);
        assert_eq!(at_once(put(&handle, item())), id);
        at_once(handle.references().put(vec![item(), with_ttl(item(), 1 << 40), item()])).unwrap();
        assert_eq!(gate.written.load(Ordering::SeqCst), 0, "{length}");
        assert_eq!(at_once(handle.references().resolve(&id)).unwrap().bytes(), vec![7; length]);
    }
}

#[test]
fn usage_is_counted_for_each_kind_and_tenant() {
    let store = memory_store();
    let (acme, other) = (handle(&store, "acme"), handle(&store, "other"));
    let used = |handle: &TenantHandle| -> Vec<(Kind, u64, u64)> {
        let usage = at_once(handle.usage()).unwrap();
        usage
            .into_iter()
            .filter(|(_, count)| count.items > 0)
            .map(|(kind, count)| (kind, count.items, count.bytes))
            .collect()
    };
    assert_eq!(at_once(acme.usage()).unwrap().len(), Kind::ALL.len());
    let id = at_once(put(&acme, text("free", "12345")));
    let large = at_once(put(&acme, bytes("blob", PutContent::Bytes(vec![0; 10_000]))));
    at_once(put(&acme, text("free", "12345")));
    at_once(acme.cache().set("key", CacheValue::Bytes(vec![0; 7]), None)).unwrap();
    assert_eq!(used(&acme), [(Kind::References, 2, 10_005), (Kind::Cache, 1, 7)]);
    assert_eq!(used(&other), []);
    at_once(acme.cache().set("key", CacheValue::Bytes(vec![0; 9]), None)).unwrap();
    assert!(at_once(acme.references().delete(&large)).unwrap());
    assert!(!at_once(other.references().delete(&id)).unwrap());
    assert!(!at_once(other.cache().delete("key")).unwrap());
    assert_eq!(used(&acme), [(Kind::References, 1, 5), (Kind::Cache, 1, 9)]);
    assert!(at_once(acme.cache().delete("key")).unwrap());
    assert!(at_once(acme.references().delete(&id)).unwrap());
    assert_eq!(used(&acme), []);
}

#[test]
fn a_list_has_the_tenants_own_newest_first_and_its_cursor_serves_no_other_list() {
    let store = memory_store();
    let (acme, other) = (handle(&store, "acme"), handle(&store, "other"));
    let mut ids = Vec::new();
    for number in 0..7 {
        ids.push(at_once(put(&acme, text(if number % 2 == 0 { "even" } else { "odd" }, &number.to_string()))));
        at_once(put(&other, text("even", &number.to_string())));
    }
    ids.reverse();
    let mut cursor = None;
    let mut walked = Vec::new();
    loop {
        let page = at_once(acme.references().list(None, 2, cursor.as_deref())).unwrap();
        walked.extend(page.items.into_iter().map(|reference| reference.id));
        match page.cursor {
            Some(next) => {
                for (handle, type_name) in [(&other, None), (&acme, Some("even")), (&other, Some("even"))] {
                    let refused = at_once(handle.references().list(type_name, 2, Some(&next))).err();
                    assert_eq!(refused.unwrap().code(), "INVALID_INPUT");
                }
                cursor = Some(next);
            }
            None => break,
        }
    }
    assert_eq!(walked, ids);
    let odd = at_once(acme.references().list(Some("odd"), 100, None)).unwrap().items;
    assert_eq!(odd.len(), 3);
}

#[test]
fn one_commit_takes_250_items_of_any_size_and_not_one_more() {
    let store = memory_store();
    let handle = handle(&store, "acme");
    let items = |many: usize, ttl_ms: Option<u64>| {
        let item = |number: usize| PutItem { ttl_ms, ..text("free", &format!("{number} {}", "x".repeat(5_000))) };
        (0..many).map(item).collect::<Vec<_>>()
    };
    let refused = at_once(handle.references().put(items(251, None))).err().unwrap();
    assert_eq!(refused.code(), "INVALID_INPUT");
    assert!(refused.to_string().contains("There are 251 items; at most 250 items in one putMany"), "{refused}");
    assert_eq!(at_once(handle.references().list(None, 1, None)).unwrap().items.len(), 0);
    let first = at_once(handle.references().put(items(250, Some(1_000)))).unwrap();
    assert_eq!(first.len(), 250);
    // All of them are there already and live longer now, which takes the most rows.
    let longer = at_once(handle.references().put(items(250, None))).unwrap();
    assert!(first.iter().zip(&longer).all(|(first, longer)| first.id == longer.id));
    assert!(store.advance(2_000));
    assert!(longer.iter().all(|reference| at_once(handle.references().resolve(&reference.id)).is_ok()));
}

#[test]
fn a_long_page_stands_in_line_and_a_usual_one_does_not() {
    let store = memory_store();
    let acme = handle(&store, "acme");
    for number in 0..500 {
        at_once(put(&acme, text("note", &number.to_string())));
    }
    let (page, pieces) = at_once(in_pieces(acme.references().list(None, 100, None)));
    assert_eq!((page.unwrap().items.len(), pieces), (100, vec![]));
    let (page, pieces) = at_once(in_pieces(acme.references().list(None, 1000, None)));
    assert_eq!((page.unwrap().items.len(), pieces.is_empty()), (500, false));
}
