//! Absent, expired, deleted and foreign are one answer, and one piece of work: the same calls on the engine and on
//! the vault, whichever it is.

mod missing;
mod verbs;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use crate::support::{Kept, NOW, bytes, handle, put, store, wait};
use bailiwick_model::ledger::record::Decision;
use bailiwick_runtime::{ApprovalRequest, CacheValue, PutContent, PutItem, Store, TenantHandle};
use bailiwick_store::engine::ReadError;
use bailiwick_store::layer::VaultLayer;
use bailiwick_store::recording::{Call, Recording, Step, Verb as EngineVerb};
use bailiwick_store::{Engine, EngineFuture, Opened, Slot, Vault};
use missing::{Missing, all_missing, asking, item, message, message_id, plan};
use verbs::{LISTS, Verb, outcome, page, verbs};

/// Counts the calls on a vault.
struct Counted {
    vault: Arc<dyn Vault>,
    calls: AtomicUsize,
    /// The next look finds nothing, as if it had come a moment earlier.
    is_early: AtomicBool,
}

impl VaultLayer for Counted {
    /// Everything that is asked comes by here once.
    fn vault_behind(&self) -> &dyn Vault {
        self.calls.fetch_add(1, Ordering::SeqCst);
        &*self.vault
    }

    fn get(&self, name: [u8; 32]) -> EngineFuture<'_, Result<Option<Slot>, ReadError>> {
        let vault = self.vault_behind();
        if self.is_early.swap(false, Ordering::SeqCst) { Box::pin(async { Ok(None) }) } else { vault.get(name) }
    }
}

/// A store that tells what was asked of it.
struct Told {
    store: Arc<Store>,
    engine: Arc<Recording>,
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

/// Something of every kind that is the tenant's own.
async fn own_things(handle: &TenantHandle) {
    put(handle, item("own", 5)).await;
    handle.plans().save(&plan("own", 1), None).await.unwrap();
    let asked = handle.approvals().request(asking(1)).await.unwrap();
    handle.approvals().respond(&asked.approval_id, Decision::Approved, "own", None).await.unwrap();
    handle.threads().append("own", &message("own", 1), None).await.unwrap();
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
fn absent_expired_deleted_and_foreign_are_one_answer_and_one_piece_of_work() {
    on_every_engine(async |told, kept| {
        let (acme, other) = (handle(&told.store, "acme"), handle(&told.store, "other"));
        own_things(&acme).await;
        let all = all_missing(&told.store, &acme, &other).await;
        for verb in verbs() {
            let expected = told.observe(&acme, verb, &all[0]).await;
            for missing in &all {
                let observed = told.observe(&acme, verb, missing).await;
                assert_eq!(observed, expected, "{verb:?} of something {} on {kept:?}", missing.why);
            }
        }
    });
}

#[test]
fn it_is_one_piece_of_work_too_when_the_tenants_keys_are_not_at_hand() {
    on_every_engine(async |told, kept| {
        let (acme, other) = (handle(&told.store, "acme"), handle(&told.store, "other"));
        own_things(&acme).await;
        let all = all_missing(&told.store, &acme, &other).await;
        drop(acme);
        for verb in verbs() {
            let expected = told.observe(&handle(&told.store, "acme"), verb, &all[0]).await;
            for missing in &all {
                let observed = told.observe(&handle(&told.store, "acme"), verb, missing).await;
                assert_eq!(observed, expected, "{verb:?} of something {} on {kept:?}", missing.why);
            }
        }
    });
}

#[test]
fn a_tenant_without_data_cannot_distinguish_foreign_from_absent() {
    on_every_engine(async |told, kept| {
        let (acme, other) = (handle(&told.store, "acme"), handle(&told.store, "other"));
        let all = all_missing(&told.store, &acme, &other).await;
        for (number, verb) in verbs().into_iter().enumerate() {
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

/// The recording does record, and every verb does look.
#[test]
fn an_existing_record_is_another_outcome() {
    on_every_engine(async |told, kept| {
        let (acme, other) = (handle(&told.store, "acme"), handle(&told.store, "other"));
        own_things(&acme).await;
        let all = all_missing(&told.store, &acme, &other).await;
        let (absent, foreign) = (&all[0], all.last().unwrap());
        let look = Call { verb: EngineVerb::Get, steps: vec![Step::Look(1, false)] };
        assert_eq!(told.observe(&acme, Verb::Resolve, absent).await.1, vec![look]);
        // What the others have is there for them. Reading goes before deleting.
        let (last, first): (Vec<_>, Vec<_>) = verbs().into_iter().partition(|verb| {
            matches!(verb, Verb::Delete | Verb::CacheDelete | Verb::DeleteThread | Verb::SavePlan | Verb::Append)
        });
        for verb in first.into_iter().chain(last) {
            // No version has runs, and what was decided is not withdrawn.
            if matches!(verb, Verb::TracesOfRun | Verb::Withdraw) {
                continue;
            }
            // Nothing is at hand where other processes may have changed it.
            if matches!(verb, Verb::ResolveAtHand) && told.engine.is_shared() {
                continue;
            }
            let mut own = foreign.clone();
            if matches!(verb, Verb::ForkThrough) {
                let messages = other.threads().append("own", &message("own", 1), None).await.unwrap();
                own.message = message_id(&messages);
            }
            let there = told.observe(&other, verb, &own).await;
            assert_ne!(there.0, told.observe(&acme, verb, absent).await.0, "{verb:?} on {kept:?}");
        }
    });
}

/// What is refused is refused before anything is read or written, even the keys of a new tenant.
#[test]
fn an_ill_formed_request_does_no_work() {
    on_every_engine(async |told, kept| {
        let newcomer = handle(&told.store, "newcomer");
        told.engine.take();
        told.vault.calls.store(0, Ordering::SeqCst);
        let json = |text: &str| bytes("rows", PutContent::Json(text.as_bytes().to_vec()));
        for refused in [
            json("{\"a\":1,\"a\":2}"),
            json("{\"__proto__\":1}"),
            item("Not A Name", 1),
            PutItem { ttl_ms: Some(0), ..item("rows", 1) },
        ] {
            assert!(newcomer.references().put(vec![item("rows", 1), refused]).await.is_err());
        }
        assert!(newcomer.cache().set("", CacheValue::Bytes(vec![]), None).await.is_err());
        assert!(newcomer.cache().set("key", CacheValue::Json(b"{".to_vec()), None).await.is_err());
        assert!(newcomer.cache().set("key", CacheValue::Bytes(vec![]), Some(0)).await.is_err());
        assert!(newcomer.cache().begin("key", Some(0)).await.is_err());
        for list in LISTS {
            assert!(page(&newcomer, list, "x", "x", 0, None).await.is_err(), "{list:?}");
        }
        assert!(newcomer.threads().list(Some(""), 1, None).await.is_err());
        assert!(newcomer.plans().save(b"{}", None).await.is_err());
        assert!(newcomer.plans().save(&plan("", 1), None).await.is_err());
        assert!(newcomer.approvals().request(ApprovalRequest { ttl_ms: Some(0), ..asking(1) }).await.is_err());
        assert!(newcomer.approvals().respond("approval_", Decision::Approved, "", None).await.is_err());
        assert!(newcomer.threads().append("", &message("kim", 1), None).await.is_err());
        assert!(newcomer.threads().append("thread", b"[]", None).await.is_err());
        let worked = (told.engine.take(), told.vault.calls.load(Ordering::SeqCst));
        assert_eq!(worked, (vec![], 0), "{kept:?}");
    });
}

/// A tenant that is made between the two looks of a reader, at its keys and at its name, is no damaged one.
#[test]
fn a_tenant_that_is_created_while_another_reads_is_complete() {
    on_every_engine(async |told, kept| {
        let id = put(&handle(&told.store, "acme"), item("own", 5)).await;
        let reader = handle(&told.store, "acme");
        told.vault.is_early.store(true, Ordering::SeqCst);
        assert!(reader.references().resolve(&id).await.is_ok(), "{kept:?}");
        assert!(!told.vault.is_early.load(Ordering::SeqCst), "the early look was taken");
    });
}
