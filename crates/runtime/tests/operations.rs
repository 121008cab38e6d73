//! B1: absent, expired, deleted and foreign are one answer, and one piece of work: the same calls on the engine and on
//! the vault, whichever it is.
#![allow(clippy::unwrap_used, clippy::panic, reason = "tests may panic")]

mod support;

use std::sync::Arc;

use bailiwick_runtime::{Begun, CacheValue, PutContent, PutItem, Store, TenantHandle};
use bailiwick_store::engine::ReadError;
use bailiwick_store::recording::{Call, Recording, Step, Verb as EngineVerb};
use bailiwick_store::{Created, Engine, EngineFuture, Opened, Slot, Vault};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use support::{Kept, NOW, bytes, handle, put, store, told, wait};

/// Counts the calls on a vault.
struct Counted {
    vault: Arc<dyn Vault>,
    calls: AtomicUsize,
    /// The next look finds nothing, as if it had come a moment earlier.
    is_early: AtomicBool,
}

impl Counted {
    fn count(&self) -> &dyn Vault {
        self.calls.fetch_add(1, Ordering::SeqCst);
        &*self.vault
    }
}

impl Vault for Counted {
    fn get(&self, name: [u8; 32]) -> EngineFuture<'_, Result<Option<Slot>, ReadError>> {
        let vault = self.count();
        if self.is_early.swap(false, Ordering::SeqCst) { Box::pin(async { Ok(None) }) } else { vault.get(name) }
    }
    fn create(&self, name: [u8; 32], value: Vec<u8>) -> EngineFuture<'_, Result<Created, ReadError>> {
        self.count().create(name, value)
    }
    fn replace(&self, name: [u8; 32], generation: u64, value: Vec<u8>) -> EngineFuture<'_, Result<bool, ReadError>> {
        self.count().replace(name, generation, value)
    }
    fn wipe(&self, name: [u8; 32]) -> EngineFuture<'_, Result<bool, ReadError>> {
        self.count().wipe(name)
    }
    fn names(&self, after: Option<[u8; 32]>, limit: usize) -> EngineFuture<'_, Result<Vec<[u8; 32]>, ReadError>> {
        self.count().names(after, limit)
    }
    fn residues(&self) -> &'static [&'static str] {
        self.vault.residues()
    }
    fn local_secret(&self) -> EngineFuture<'_, Result<Option<Vec<u8>>, ReadError>> {
        self.count().local_secret()
    }
    fn create_local_secret(&self, secret: Vec<u8>) -> EngineFuture<'_, Result<bool, ReadError>> {
        self.count().create_local_secret(secret)
    }
}

/// Something that is not there for the tenant who asks: a reference's id and type, a cache's key, a list's cursor.
struct Missing {
    why: &'static str,
    id: String,
    type_name: &'static str,
    key: &'static str,
    cursor: String,
}

/// The verbs that name something.
#[derive(Clone, Copy, Debug)]
enum Verb {
    Resolve,
    ResolveMany,
    ResolveAtHand,
    Describe,
    Delete,
    ListType,
    ListCursor,
    CacheGet,
    CacheDelete,
    CacheBegin,
}

const VERBS: [Verb; 10] = [
    Verb::Resolve,
    Verb::ResolveMany,
    Verb::ResolveAtHand,
    Verb::Describe,
    Verb::Delete,
    Verb::ListType,
    Verb::ListCursor,
    Verb::CacheGet,
    Verb::CacheDelete,
    Verb::CacheBegin,
];

/// Everything a caller can tell of the outcome.
async fn outcome(handle: &TenantHandle, verb: Verb, missing: &Missing) -> String {
    let outcome = match verb {
        Verb::Resolve => handle.resolve(&missing.id).await.and_then(|found| found.json()),
        Verb::ResolveMany => {
            let found = handle.resolve_many(&[&missing.id, "ref_", &missing.id]).await;
            found.map(|found| format!("{:?}", found.iter().map(Option::is_some).collect::<Vec<_>>()))
        }
        Verb::ResolveAtHand => Ok(handle.resolve_at_hand(&missing.id).is_some().to_string()),
        Verb::Describe => handle.describe(&missing.id).await.map(|found| found.json),
        Verb::Delete => handle.delete_reference(&missing.id).await.map(|deleted| deleted.to_string()),
        Verb::ListType => {
            let page = handle.list_references(Some(missing.type_name), 10, None).await;
            page.map(|page| format!("{:?} {:?}", page.items, page.cursor))
        }
        Verb::ListCursor => {
            let page = handle.list_references(None, 10, Some(&missing.cursor)).await;
            page.map(|page| format!("{:?} {:?}", page.items, page.cursor))
        }
        Verb::CacheGet => handle.cache_get(missing.key).await.map(|found| format!("{found:?}")),
        Verb::CacheDelete => handle.cache_delete(missing.key).await.map(|deleted| deleted.to_string()),
        Verb::CacheBegin => handle.cache_begin(missing.key, None).await.map(|begun| match begun {
            Begun::Value(value) => format!("{value:?}"),
            Begun::Compute(_) => "compute".to_owned(),
        }),
    };
    outcome.unwrap_or_else(|error| told(&error))
}

/// A store that tells what was asked of it.
struct Told {
    store: Arc<Store>,
    engine: Arc<Recording<dyn Engine>>,
    vault: Arc<Counted>,
}

impl Told {
    async fn open(opened: &Opened) -> Self {
        let engine = Arc::new(Recording::new(opened.engine.clone()));
        let vault = Arc::new(Counted {
            vault: opened.vault.clone(),
            calls: AtomicUsize::new(0),
            is_early: AtomicBool::new(false),
        });
        let store = store(Opened { engine: engine.clone(), vault: vault.clone() }, 1, NOW, 1 << 20).await;
        Self { store, engine, vault }
    }

    /// What the call came to, and what it did.
    async fn observe(&self, handle: &TenantHandle, verb: Verb, missing: &Missing) -> (String, Vec<Call>, usize) {
        self.engine.take();
        self.vault.calls.store(0, Ordering::SeqCst);
        let outcome = outcome(handle, verb, missing).await;
        (outcome, self.engine.take(), self.vault.calls.load(Ordering::SeqCst))
    }
}

fn item(type_name: &str, length: usize, ttl_ms: Option<u64>) -> PutItem {
    PutItem { ttl_ms, ..bytes(type_name, PutContent::Bytes(vec![length as u8; length])) }
}

/// All that is not there for `acme`, small and large.
async fn all_missing(store: &Arc<Store>, acme: &TenantHandle, other: &TenantHandle) -> Vec<Missing> {
    let set = async |handle: &TenantHandle, key: &str, ttl| {
        handle.cache_set(key, CacheValue::Bytes(vec![1]), ttl).await.unwrap();
    };
    let missing = |why, id: String, type_name, key, cursor: &str| {
        let cursor = cursor.to_owned();
        Missing { why, id, type_name, key, cursor }
    };
    let mut all = vec![missing("absent", format!("ref_{}", "a".repeat(32)), "absent", "absent", "bm9uZQ")];
    put(other, item("plain", 1, None)).await;
    put(other, item("plain", 2, None)).await;
    let foreign_cursor = other.list_references(None, 1, None).await.unwrap().cursor.unwrap();
    set(acme, "expired", Some(10)).await;
    set(acme, "deleted", None).await;
    assert!(acme.cache_delete("deleted").await.unwrap());
    set(other, "foreign", None).await;
    for length in [100, 10_000] {
        let expired = put(acme, item("expired", length, Some(10))).await;
        all.push(missing("expired", expired, "expired", "expired", ""));
        let deleted = put(acme, item("deleted", length, None)).await;
        assert!(acme.delete_reference(&deleted).await.unwrap());
        all.push(missing("deleted", deleted, "deleted", "deleted", "Zm9yZWlnbg"));
        let foreign = put(other, item("foreign", length, None)).await;
        all.push(missing("foreign", foreign, "foreign", "foreign", &foreign_cursor));
    }
    assert!(store.advance(10));
    // The foreign ones are at hand in the store's cache of opened records: that must not show.
    for missing in &all {
        let theirs = other.resolve(&missing.id).await.is_ok();
        assert_eq!(theirs, missing.why == "foreign");
    }
    all
}

fn on_every_engine(test: impl AsyncFn(Told, Kept)) {
    for kept in Kept::ALL {
        let home = kept.open();
        wait(async {
            let told = Told::open(&home.opened).await;
            test(told, kept).await;
            home.opened.engine.close().await;
        });
    }
}

#[test]
fn b1_absent_expired_deleted_and_foreign_are_one_answer_and_one_piece_of_work() {
    on_every_engine(async |told, kept| {
        let (acme, other) = (handle(&told.store, "acme"), handle(&told.store, "other"));
        put(&acme, item("own", 5, None)).await;
        let all = all_missing(&told.store, &acme, &other).await;
        for verb in VERBS {
            let expected = told.observe(&acme, verb, &all[0]).await;
            for missing in &all {
                let observed = told.observe(&acme, verb, missing).await;
                assert_eq!(observed, expected, "{verb:?} of something {} on {kept:?}", missing.why);
            }
        }
    });
}

#[test]
fn b1_it_is_one_piece_of_work_too_when_the_tenants_keys_are_not_at_hand() {
    on_every_engine(async |told, kept| {
        let (acme, other) = (handle(&told.store, "acme"), handle(&told.store, "other"));
        put(&acme, item("own", 5, None)).await;
        let all = all_missing(&told.store, &acme, &other).await;
        drop(acme);
        for verb in VERBS {
            let expected = told.observe(&handle(&told.store, "acme"), verb, &all[0]).await;
            for missing in &all {
                let observed = told.observe(&handle(&told.store, "acme"), verb, missing).await;
                assert_eq!(observed, expected, "{verb:?} of something {} on {kept:?}", missing.why);
            }
        }
    });
}

#[test]
fn b1_a_tenant_that_never_had_anything_cannot_tell_foreign_from_absent() {
    on_every_engine(async |told, kept| {
        let (acme, other) = (handle(&told.store, "acme"), handle(&told.store, "other"));
        let all = all_missing(&told.store, &acme, &other).await;
        for (number, verb) in VERBS.into_iter().enumerate() {
            // A tenant of its own for every look: a look that makes keys must not make the next one differ.
            let name = |missing: usize| format!("newcomer {number} {missing}");
            let expected = told.observe(&handle(&told.store, &name(0)), verb, &all[0]).await;
            for (at, missing) in all.iter().enumerate().skip(1) {
                let observed = told.observe(&handle(&told.store, &name(at)), verb, missing).await;
                assert_eq!(observed, expected, "{verb:?} of something {} on {kept:?}", missing.why);
            }
        }
    });
}

/// The recording does record.
#[test]
fn b1_what_is_there_is_another_piece_of_work() {
    on_every_engine(async |told, _| {
        let acme = handle(&told.store, "acme");
        let id = put(&acme, item("own", 10_000, None)).await;
        let missing = |id: String| {
            let (key, cursor) = ("key", String::new());
            Missing { why: "", id, type_name: "own", key, cursor }
        };
        let absent = told.observe(&acme, Verb::Resolve, &missing(format!("ref_{}", "a".repeat(32)))).await;
        let look = Call { verb: EngineVerb::Get, steps: vec![Step::Look(1, false)] };
        assert_eq!(absent.1, vec![look]);
        let there = told.observe(&acme, Verb::Delete, &missing(id)).await;
        assert_eq!(there.0, "true");
        assert_ne!(told.observe(&acme, Verb::Delete, &missing(format!("ref_{}", "a".repeat(32)))).await.1, there.1);
    });
}

/// What is refused is refused before anything is read or written, even the keys of a new tenant.
#[test]
fn m7_what_is_ill_formed_does_no_work_at_all() {
    on_every_engine(async |told, kept| {
        let newcomer = handle(&told.store, "newcomer");
        told.engine.take();
        told.vault.calls.store(0, Ordering::SeqCst);
        let json = |text: &str| bytes("rows", PutContent::Json(text.as_bytes().to_vec()));
        for refused in [
            json("{\"a\":1,\"a\":2}"),
            json("{\"__proto__\":1}"),
            item("Not A Name", 1, None),
            item("rows", 1, Some(0)),
        ] {
            assert!(newcomer.put_references(vec![item("rows", 1, None), refused]).await.is_err());
        }
        assert!(newcomer.cache_set("", CacheValue::Bytes(vec![]), None).await.is_err());
        assert!(newcomer.cache_set("key", CacheValue::Json(b"{".to_vec()), None).await.is_err());
        assert!(newcomer.cache_set("key", CacheValue::Bytes(vec![]), Some(0)).await.is_err());
        assert!(newcomer.cache_begin("key", Some(0)).await.is_err());
        assert!(newcomer.list_references(None, 0, None).await.is_err());
        let worked = (told.engine.take(), told.vault.calls.load(Ordering::SeqCst));
        assert_eq!(worked, (vec![], 0), "{kept:?}");
    });
}

/// A tenant that is made between the two looks of a reader, at its keys and at its name, is no damaged one.
#[test]
fn m4_a_tenant_that_is_made_while_another_reads_is_whole() {
    on_every_engine(async |told, kept| {
        let id = put(&handle(&told.store, "acme"), item("own", 5, None)).await;
        let reader = handle(&told.store, "acme");
        told.vault.is_early.store(true, Ordering::SeqCst);
        assert!(reader.resolve(&id).await.is_ok(), "{kept:?}");
        assert!(!told.vault.is_early.load(Ordering::SeqCst), "the early look was taken");
    });
}
