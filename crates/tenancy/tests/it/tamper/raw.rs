//! A store whose engine and vault the test keeps for itself, to write to behind the store's back.

use std::any::Any;
use std::sync::Arc;

use bailiwick_model::{Error, Kind, Result, Tenant};
use bailiwick_store::conformance::Home;
use bailiwick_store::conformance::database::Database;
pub(crate) use bailiwick_store::conformance::support::block_on;
use bailiwick_store::conformance::support::wipe;
use bailiwick_store::layer::Layer;
use bailiwick_store::{Commit, CommitError, Engine, EngineFuture, Found, Op, Opened, Place, Tag, Vault, memory, sled};
use bailiwick_tenancy::{
    Access, Area, Change, Clock, Committed, Durability, Limits, RootKey, Scope, Store, StoreOptions, Version, When,
};
use parking_lot::Mutex;

pub(crate) const KEY: [u8; 32] = [9; 32];

/// An engine that notes where puts go.
struct Spy {
    engine: Arc<dyn Engine>,
    puts: Mutex<Vec<(Tag, Place)>>,
}

impl Layer for Spy {
    fn behind(&self) -> &dyn Engine {
        &*self.engine
    }

    fn commit(&self, commit: Commit) -> EngineFuture<'_, Result<Version, CommitError>> {
        for op in &commit.ops {
            if let Op::Put { place, .. } = op {
                self.puts.lock().push((commit.tag, *place));
            }
        }
        self.engine.commit(commit)
    }
}

/// A store that is open to tampering.
pub(crate) struct Raw {
    spy: Arc<Spy>,
    pub(crate) vault: Arc<dyn Vault>,
    /// What goes when the test has ended.
    _place: Box<dyn Any>,
}

/// Runs a test on every engine. What it is given makes a new store of that engine.
pub(crate) fn on_every_engine(test: impl Fn(&dyn Fn() -> Raw)) {
    test(&Raw::in_memory);
    test(&|| {
        let directory = tempfile::tempdir().unwrap();
        let options = sled::SledOptions { cache_bytes: 1 << 20, ..sled::SledOptions::default() };
        Raw::new(sled::open(&directory.path().join("store"), options).unwrap(), directory)
    });
    test(&|| {
        let database = Database::fresh();
        Raw::new(database.open(), database)
    });
}

/// Where a row lies.
pub(crate) type Address = (Tag, Place);

impl Raw {
    fn new(Opened { engine, vault }: Opened, place: impl Any) -> Self {
        Self { spy: Arc::new(Spy { engine, puts: Mutex::default() }), vault, _place: Box::new(place) }
    }

    pub(crate) fn in_memory() -> Self {
        Self::new(memory::open(memory::MemoryOptions::default()), ())
    }

    /// Opens a store on it; nothing is kept in a cache of opened records.
    pub(crate) fn open(&self, root_key: RootKey) -> Result<Arc<Store>> {
        let options = StoreOptions { root_key, opened_bytes: 0, clock: Clock::fixed(1), seed: None };
        block_on(Store::open(Opened { engine: self.spy.clone(), vault: self.vault.clone() }, options))
    }

    /// Where the latest put went.
    pub(crate) fn last_put(&self) -> Address {
        *self.spy.puts.lock().last().unwrap()
    }

    /// Where the put of that number went.
    pub(crate) fn put_number(&self, number: usize) -> Address {
        *self.spy.puts.lock().get(number).unwrap()
    }

    pub(crate) fn bytes(&self, (tag, place): Address) -> Vec<u8> {
        match block_on(self.spy.engine.get(tag, vec![(place, None)], u64::MAX, 0)).unwrap().remove(0) {
            Found::Entry(row) => row.value.to_vec(),
            _ => panic!("there is no such row"),
        }
    }

    pub(crate) fn overwrite(&self, (tag, place): Address, value: Vec<u8>) {
        let put = Op::Put { place, value: value.into(), expires_at: None, counted: None, when: When::Any };
        let (limits, durability) = (Limits::default(), Durability::Sync);
        block_on(self.spy.engine.commit(Commit { tag, now: 0, ops: vec![put], limits, durability })).unwrap();
    }

    pub(crate) fn remove(&self, (tag, place): Address) {
        let ops = vec![Op::Delete { place, when: When::Any }];
        let (limits, durability) = (Limits::default(), Durability::Sync);
        block_on(self.spy.engine.commit(Commit { tag, now: 0, ops, limits, durability })).unwrap();
    }

    /// The names of all slots.
    pub(crate) fn slots(&self) -> Vec<[u8; 32]> {
        block_on(self.vault.names(None, 100)).unwrap()
    }

    pub(crate) fn slot(&self, name: [u8; 32]) -> Vec<u8> {
        block_on(self.vault.get(name)).unwrap().unwrap().value
    }

    /// Destroys a slot. `false` if there is none.
    pub(crate) fn wipe(&self, name: [u8; 32]) -> bool {
        block_on(wipe(&*self.vault, name))
    }

    pub(crate) fn replace_slot(&self, name: [u8; 32], value: Vec<u8>) {
        let generation = block_on(self.vault.get(name)).unwrap().unwrap().generation;
        assert!(block_on(self.vault.replace(name, generation, value)).unwrap());
    }
}

pub(crate) fn given() -> RootKey {
    RootKey::Given(KEY.to_vec().into())
}

pub(crate) fn scope(store: &Arc<Store>, id: &str) -> Scope {
    store.scope(&Tenant::new(id, "v1").unwrap())
}

/// A record of a tenant.
#[derive(Clone, Copy)]
pub(crate) struct Item {
    pub(crate) kind: Kind,
    pub(crate) area: Area,
    pub(crate) logical: &'static str,
}

pub(crate) const ITEM: Item = Item { kind: Kind::Cache, area: Area::Record, logical: "item" };

pub(crate) async fn write(access: &Access, item: Item, body: &[u8]) {
    let Item { kind, area, logical } = item;
    let name = access.name(kind, logical.as_bytes());
    let (body, counted) = (body.to_vec(), Some(body.len() as u64));
    let write = Change::Write { kind, area, name, body, expires_at: None, counted, when: When::Any };
    let done = access.commit(vec![write], &Limits::default(), Durability::Sync).await;
    assert_eq!(done, Ok(Committed::Done));
}

pub(crate) async fn read(access: &Access, item: Item) -> Result<Option<Vec<u8>>> {
    let name = access.name(item.kind, item.logical.as_bytes());
    let record = access.read(item.kind, item.area, name).await?;
    Ok(record.map(|record| record.body.clone()))
}

pub(crate) fn is_corrupt<T>(result: &Result<T>) -> bool {
    matches!(result, Err(Error::StoreCorrupt(_)))
}
