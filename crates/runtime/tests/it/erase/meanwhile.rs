//! A copy of a store while another process erases tenants of it: two stores on one engine stand for the two.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use bailiwick_model::Error;
use bailiwick_runtime::{Store, TenantHandle};
use bailiwick_store::engine::{Millis, ReadError};
use bailiwick_store::layer::{Layer, VaultLayer};
use bailiwick_store::{Engine, EngineFuture, Export, Exported, Found, Opened, Place, Slot, Tag, Vault, Version, sled};
use parking_lot::Mutex;

use crate::support::{Home, Kept, NOW, handle, put, shared, store, text, wait};

/// What whoever copies asks of the store.
#[derive(Clone, Copy, PartialEq)]
enum Asked {
    Export,
    Names,
    Header,
    /// Only asked to compare the copy.
    Row,
}

type When = dyn Fn(usize, Asked) -> bool + Send + Sync;

/// Erases tenants from elsewhere before certain calls.
struct Meanwhile {
    /// Not while the store is opened.
    watches: AtomicBool,
    calls: AtomicUsize,
    when: Box<When>,
    theirs: Mutex<Vec<(&'static str, TenantHandle)>>,
    compares: AtomicBool,
    /// Whether the latest erase came when the copy was only compared any more.
    came_late: AtomicBool,
}

impl Meanwhile {
    async fn asked(&self, asked: Asked) {
        if !self.watches.load(Ordering::SeqCst) {
            return;
        }
        let number = self.calls.fetch_add(1, Ordering::SeqCst);
        self.compares.fetch_or(asked == Asked::Row, Ordering::SeqCst);
        let next = if (self.when)(number, asked) { self.theirs.lock().pop() } else { None };
        if let Some((name, theirs)) = next {
            self.came_late.store(self.compares.load(Ordering::SeqCst), Ordering::SeqCst);
            theirs.erase(name).await.unwrap();
        }
    }
}

/// The store that is copied. Only reading is watched.
struct Watched {
    inner: Opened,
    meanwhile: Arc<Meanwhile>,
}

struct WatchedExport {
    inner: Box<dyn Export>,
    meanwhile: Arc<Meanwhile>,
}

impl Export for WatchedExport {
    fn next(&mut self) -> EngineFuture<'_, Result<Vec<Exported>, ReadError>> {
        Box::pin(async {
            self.meanwhile.asked(Asked::Export).await;
            self.inner.next().await
        })
    }
}

impl Layer for Watched {
    fn behind(&self) -> &dyn Engine {
        &*self.inner.engine
    }

    fn get(
        &self,
        tag: Tag,
        wanted: Vec<(Place, Option<Version>)>,
        most: u64,
        now: Millis,
    ) -> EngineFuture<'_, Result<Vec<Found>, ReadError>> {
        Box::pin(async move {
            self.meanwhile.asked(Asked::Row).await;
            self.inner.engine.get(tag, wanted, most, now).await
        })
    }

    fn export(&self) -> EngineFuture<'_, Result<Box<dyn Export>, ReadError>> {
        Box::pin(async {
            self.meanwhile.asked(Asked::Export).await;
            let (inner, meanwhile) = (self.inner.engine.export().await?, self.meanwhile.clone());
            Ok(Box::new(WatchedExport { inner, meanwhile }) as Box<dyn Export>)
        })
    }
}

impl VaultLayer for Watched {
    fn vault_behind(&self) -> &dyn Vault {
        &*self.inner.vault
    }

    fn get(&self, name: [u8; 32]) -> EngineFuture<'_, Result<Option<Slot>, ReadError>> {
        Box::pin(async move {
            self.meanwhile.asked(Asked::Header).await;
            self.inner.vault.get(name).await
        })
    }

    fn names(&self, after: Option<[u8; 32]>, limit: usize) -> EngineFuture<'_, Result<Vec<[u8; 32]>, ReadError>> {
        Box::pin(async move {
            self.meanwhile.asked(Asked::Names).await;
            self.inner.vault.names(after, limit).await
        })
    }
}

const NAMES: [&str; 8] = ["acme", "globex", "initech", "umbrella", "hooli", "stark", "wayne", "wonka"];

/// A store that is copied while these tenants are erased elsewhere, and what each of all `names` has put.
async fn at_risk(
    home: &Home,
    seed: u64,
    names: &[&'static str],
    erased: &[&'static str],
    when: impl Fn(usize, Asked) -> bool + Send + Sync + 'static,
) -> (Arc<Store>, Arc<Meanwhile>, Vec<String>) {
    let opened = shared(home.opened.clone());
    let other = store(opened.clone(), seed, NOW, 0).await;
    let mut ids = Vec::new();
    for name in names {
        ids.push(put(&handle(&other, name), text("note", name)).await);
    }
    let meanwhile = Arc::new(Meanwhile {
        watches: AtomicBool::new(false),
        calls: AtomicUsize::new(0),
        when: Box::new(when),
        theirs: Mutex::new(erased.iter().map(|name| (*name, handle(&other, name))).collect()),
        compares: AtomicBool::new(false),
        came_late: AtomicBool::new(false),
    });
    let watched = Arc::new(Watched { inner: opened, meanwhile: meanwhile.clone() });
    let copied = store(Opened { engine: watched.clone(), vault: watched }, !seed, NOW, 0).await;
    meanwhile.watches.store(true, Ordering::SeqCst);
    (copied, meanwhile, ids)
}

#[test]
fn a_copy_contains_no_tenant_that_another_process_erased_during_the_copy() {
    for kept in Kept::ALL {
        let home = kept.open();
        let mut late = 0;
        for call in 0.. {
            let folder = tempfile::tempdir().unwrap();
            let directory = folder.path().join("copy");
            let is_erased = wait(async {
                // Another seed for each: a new tenant of an erased name is another tenant.
                let when = move |number, _| number == call;
                let (copied, meanwhile, ids) = at_risk(&home, call as u64, &NAMES[..3], &NAMES[..1], when).await;
                copied.backup(&directory).await.unwrap();
                let is_erased = meanwhile.theirs.lock().is_empty();
                let came_late = meanwhile.came_late.load(Ordering::SeqCst);
                late += usize::from(came_late);
                let copy =
                    sled::open(&directory, sled::SledOptions { cache_bytes: 1 << 20, ..sled::SledOptions::default() })
                        .unwrap();
                let copy = store(copy, 3, NOW, 0).await;
                for (name, id) in NAMES.iter().zip(&ids) {
                    let found = handle(&copy, name).references().resolve(id).await.map(|_| ());
                    // An erase that begins after the copy was verified counts as later than the copy.
                    let may_be_either = *name == NAMES[0] && came_late;
                    let is_gone = *name == NAMES[0] && is_erased;
                    let expected = if is_gone { Err(Error::NotFound) } else { Ok(()) };
                    assert!(may_be_either || found == expected, "{name}, {kept:?} {call}: {found:?}");
                }
                assert_eq!(copy.check().await.unwrap().problems, Vec::<String>::new(), "{kept:?} {call}");
                copy.close().await;
                is_erased
            });
            if !is_erased {
                assert!(late > 0 && call > late, "{kept:?}: {late} of {call}");
                break;
            }
        }
    }
}

#[test]
fn a_copy_is_given_up_when_others_keep_erasing_tenants() {
    for kept in Kept::ALL {
        let home = kept.open();
        let folder = tempfile::tempdir().unwrap();
        wait(async {
            // Each time that it is begun again, two of them.
            let (copied, ..) = at_risk(&home, 1, &NAMES, &NAMES[..6], |_, asked| asked == Asked::Names).await;
            let refused = copied.backup(&folder.path().join("copy")).await;
            assert!(matches!(refused, Err(Error::Conflict(_))), "{refused:?}");
            assert_eq!(folder.path().read_dir().unwrap().count(), 0, "nothing is left of it");
            copied.backup(&folder.path().join("copy")).await.unwrap();
        });
    }
}
