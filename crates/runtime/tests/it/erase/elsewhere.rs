//! What another process deletes, erases or looks after: two stores on one engine stand for two processes.

use std::sync::Arc;

use bailiwick_model::{Error, json};
use bailiwick_runtime::{Clock, Promptness, RootKey, Store, StoreOptions, TenantHandle, sweep};
use bailiwick_store::engine::{EngineFuture, Export, ReadError};
use bailiwick_store::layer::Layer;
use bailiwick_store::{Engine, Opened};
use parking_lot::Mutex;

use crate::cut::Cut;
use crate::support::{Home, Kept, NOW, handle, put, shared, store, text, wait};

/// Two processes with stores whose caches hold everything, and what lies behind them.
async fn two(home: &Home) -> ([Arc<Store>; 2], Opened) {
    let opened = shared(home.opened.clone());
    let one = store(opened.clone(), 1, NOW, 1 << 20).await;
    let other = store(opened.clone(), 2, NOW, 1 << 20).await;
    ([one, other], opened)
}

/// Runs a test about two processes on every engine.
fn on_every_engine(test: impl AsyncFn([Arc<Store>; 2], Opened)) {
    for kept in Kept::ALL {
        let home = kept.open();
        wait(async {
            let (stores, opened) = two(&home).await;
            test(stores, opened).await;
        });
    }
}

async fn is_there(handle: &TenantHandle, id: &str) -> bool {
    match handle.references().resolve(id).await {
        Ok(_) => true,
        Err(Error::NotFound) => false,
        Err(error) => panic!("{error}"),
    }
}

#[test]
fn a_record_that_another_process_deleted_is_absent_although_it_was_read_before() {
    on_every_engine(async |[one, other], _| {
        let (here, there) = (handle(&one, "acme"), handle(&other, "acme"));
        for content in ["small", &"large".repeat(10_000)] {
            let id = put(&here, text("thing", content)).await;
            assert!(is_there(&here, &id).await && is_there(&there, &id).await);
            assert!(is_there(&there, &id).await, "from the cache, confirmed");
            assert!(there.references().resolve_at_hand(&id).is_none(), "unconfirmed");
            assert!(here.references().delete(&id).await.unwrap());
            assert!(!is_there(&there, &id).await);
            assert!(there.references().describe(&id).await.is_err());
            assert_eq!(put(&there, text("thing", content)).await, id);
            assert!(is_there(&here, &id).await);
        }
    });
}

#[test]
fn a_tenant_that_another_process_erased_is_gone_here_too_and_its_name_is_free() {
    on_every_engine(async |[one, other], _| {
        let (here, there) = (handle(&one, "acme"), handle(&other, "acme"));
        let id = put(&here, text("thing", "theirs")).await;
        assert!(is_there(&there, &id).await);
        here.erase("acme").await.unwrap();
        assert!(!is_there(&there, &id).await);
        let refused = there.references().put(vec![text("thing", "late")]).await;
        assert!(matches!(refused, Err(Error::Closed(_))), "{refused:?}");
        let next = handle(&other, "acme");
        let new = put(&next, text("thing", "of the next")).await;
        assert!(is_there(&next, &new).await && is_there(&handle(&one, "acme"), &new).await);
        assert!(!is_there(&next, &id).await);
    });
}

/// A process ends anywhere in an erase, while another has read the tenant already and erases it as well.
#[test]
fn an_erase_that_another_process_began_is_finished_and_leaves_the_name_whole() {
    on_every_engine(async |[one, other], opened| {
        for happens in [false, true] {
            for changes in 0.. {
                let name = format!("{happens} {changes}");
                let id = put(&handle(&one, &name), text("thing", "theirs")).await;
                let there = handle(&other, &name);
                assert!(is_there(&there, &id).await);
                let cut = Cut::after(opened.clone(), changes, happens);
                let through = shared(Opened { engine: cut.clone(), vault: cut.clone() });
                let erased = handle(&store(through, 3, NOW, 0).await, &name).erase(&name).await;
                let is_over = cut.is_whole();
                match there.erase(&name).await {
                    // Once it has begun, the tenant is gone for everybody.
                    Err(Error::Closed(_)) => assert!(changes > 0 || happens, "{changes}"),
                    outcome => assert!(outcome.is_ok() && erased.is_err(), "{happens} {changes}: {outcome:?}"),
                }
                let next = handle(&other, &name);
                let new = put(&next, text("thing", "of the next")).await;
                assert!(is_there(&handle(&one, &name), &new).await && !is_there(&next, &id).await);
                sweep(&other, Promptness::Now).await.unwrap();
                assert_eq!(other.check().await.unwrap().problems, Vec::<String>::new(), "{happens} {changes}");
                if is_over {
                    assert!(changes > 3, "an erase is more than {changes} changes");
                    break;
                }
            }
        }
    });
}

#[test]
fn one_process_does_the_housekeeping_and_another_takes_over_when_it_ends() {
    on_every_engine(async |[one, other], opened| {
        for _ in 0..3 {
            assert!(one.renew_housekeeping_lease(1000).await.unwrap(), "it holds it");
            assert!(!other.renew_housekeeping_lease(1000).await.unwrap());
        }
        other.advance(1000);
        assert!(other.renew_housekeeping_lease(1000).await.unwrap(), "its time is over");
        one.advance(500);
        assert!(!one.renew_housekeeping_lease(1000).await.unwrap());
        drop((one, other));
        let alone = store(opened, 1, NOW + 10_000, 0).await;
        assert!(alone.check().await.unwrap().problems.is_empty());
    });
}

/// Erases a tenant, as another process would, when an export has begun.
struct Erasing {
    behind: Arc<dyn Engine>,
    tenant: Mutex<Option<TenantHandle>>,
}

impl Layer for Erasing {
    fn behind(&self) -> &dyn Engine {
        &*self.behind
    }

    fn export(&self) -> EngineFuture<'_, Result<Box<dyn Export>, ReadError>> {
        Box::pin(async {
            let export = self.behind.export().await?;
            let tenant = self.tenant.lock().take();
            if let Some(tenant) = tenant {
                tenant.erase("acme").await.unwrap();
            }
            Ok(export)
        })
    }
}

#[test]
fn a_check_does_not_report_a_concurrently_erased_tenant_as_damage() {
    on_every_engine(async |[one, other], opened| {
        let acme = handle(&one, "acme");
        put(&acme, text("thing", "theirs")).await;
        put(&handle(&other, "globex"), text("thing", "of globex")).await;
        let behind = opened.engine.clone();
        let erasing = Opened { engine: Arc::new(Erasing { behind, tenant: Mutex::new(Some(acme)) }), ..opened };
        let report = store(erasing, 3, NOW, 0).await.check().await.unwrap();
        assert_eq!((report.tenants, report.problems), (1, Vec::new()));
    });
}

/// An engine whose server's clock is an hour ahead of this machine's.
struct Ahead(Arc<dyn Engine>);

const AHEAD_MICROS: u64 = 3_600_000_000;

impl Layer for Ahead {
    fn behind(&self) -> &dyn Engine {
        &*self.0
    }

    fn clock(&self) -> EngineFuture<'_, Result<Option<u64>, ReadError>> {
        let now = Clock::system().micros() + AHEAD_MICROS;
        Box::pin(std::future::ready(Ok(Some(now))))
    }
}

#[test]
fn processes_use_the_clock_of_their_shared_store() {
    wait(async {
        let Opened { engine, vault } = Kept::Memory.open().opened;
        let opened = shared(Opened { engine: Arc::new(Ahead(engine)), vault });
        let root_key = RootKey::Given(vec![7; 32].into());
        let options = StoreOptions { root_key, ..StoreOptions::default() };
        let store = Store::open(opened, options).await.unwrap();
        let before = Clock::system().micros() + AHEAD_MICROS;
        let id = put(&handle(&store, "acme"), text("thing", "of that time")).await;
        let reference = handle(&store, "acme").references().describe(&id).await.unwrap();
        let reference = json::parse(json::to_text(&reference).as_bytes(), &json::Limits::default()).unwrap();
        let created = reference.get("createdAt").and_then(json::Json::as_f64).unwrap() as u64;
        assert!(created.abs_diff(before / 1000) < AHEAD_MICROS / 2000, "{created} {before}");
    });
}
