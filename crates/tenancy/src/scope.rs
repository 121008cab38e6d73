//! A tenant's scope: the only way to its records. Everything it does is below the tenant's own tag and under the
//! tenant's own keys, so there is no call here that could name another tenant.

use std::any::{Any, TypeId};
use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};

use bailiwick_model::{Kind, Result};
use bailiwick_store::{Commit, CommitError, Count, Created, Durability, Found, Limits, Op, Place, Tag, When};
use tokio::sync::Mutex;

use crate::entropy::TenantEntropy;
use crate::failure;
use crate::flights::Flights;
use crate::hash::first;
use crate::keys::TenantKeys;
use crate::opened::Record;
use crate::row::{self, Area, Change, Name};
use crate::store::Store;

/// What the handles of one tenant share while at least one of them is open.
pub(crate) struct TenantState {
    pub(crate) store: Arc<Store>,
    pub(crate) entropy: TenantEntropy,
    resource_id: Box<str>,
    name: [u8; 32],
    keys: OnceLock<Arc<TenantKeys>>,
    /// Whether the name row is known to be there, without which nothing may be written.
    named: AtomicBool,
    creation: Mutex<()>,
    last_micros: AtomicU64,
    pub(crate) flights: Flights,
    shared: parking_lot::Mutex<HashMap<TypeId, Arc<dyn Any + Send + Sync>>>,
}

impl TenantState {
    pub(crate) fn new(store: Arc<Store>, resource_id: &str, name: [u8; 32], entropy: TenantEntropy) -> Self {
        Self {
            store,
            entropy,
            resource_id: resource_id.into(),
            name,
            keys: OnceLock::new(),
            named: AtomicBool::new(false),
            creation: Mutex::new(()),
            last_micros: AtomicU64::new(0),
            flights: Flights::default(),
            shared: parking_lot::Mutex::default(),
        }
    }

    /// Where the row lies that says which tags this name has had.
    fn name_row(&self) -> (Tag, Place) {
        (Tag(self.name), Place { kind: row::NAME_ROW, item: [0; 32] })
    }

    /// Loads the keys if the tenant has any.
    async fn load(&self) -> Result<Option<Arc<TenantKeys>>> {
        if let Some(keys) = self.read_header().await? {
            return Ok(Some(keys));
        }
        if self.live_tag().await?.is_none() {
            return Ok(None);
        }
        // Somebody may have made the tenant between the two looks: a header is written before its name row, so it must
        // be there now. A name without keys was damaged: taking it for a new tenant would lose the old one's data in
        // silence.
        self.read_header().await?.map(Some).ok_or_else(failure::corrupt)
    }

    async fn read_header(&self) -> Result<Option<Arc<TenantKeys>>> {
        let slot = self.store.vault.get(self.name).await.map_err(failure::read)?;
        let open = |value: &[u8]| TenantKeys::open(value, &self.store.wrapper, &self.store.keys, &self.resource_id);
        slot.map(|slot| open(&slot.value).map(Arc::new)).transpose()
    }

    async fn live_tag(&self) -> Result<Option<Vec<u8>>> {
        let (tag, place) = self.name_row();
        let found = self.store.engine.get(tag, vec![(place, None)], 0).await.map_err(failure::read)?;
        match found.into_iter().next() {
            Some(Found::Entry(row)) => {
                let bound: [&[u8]; 2] = [&self.store.keys.store_id, &self.name];
                self.store.keys.name_rows.open(&bound, &row.value).map(Some).map_err(|_| failure::corrupt())
            }
            _ => Ok(None),
        }
    }

    /// Loads the keys, or makes them. They are durable before anything is sealed with them, and the name row is before
    /// the first record.
    async fn load_or_create(&self) -> Result<Arc<TenantKeys>> {
        let keys = match self.load().await? {
            Some(keys) => keys,
            None => {
                let (keys, header) = TenantKeys::generate(
                    &self.entropy.shown,
                    &self.store.wrapper,
                    &self.store.keys,
                    &self.resource_id,
                )?;
                match self.store.vault.create(self.name, header).await.map_err(failure::read)? {
                    Created::New => Arc::new(keys),
                    Created::Existing(slot) => Arc::new(TenantKeys::open(
                        &slot.value,
                        &self.store.wrapper,
                        &self.store.keys,
                        &self.resource_id,
                    )?),
                }
            }
        };
        match self.live_tag().await? {
            Some(tag) if tag == keys.tag.0 => {}
            Some(_) => return Err(failure::corrupt()),
            None => self.write_name_row(keys.tag).await?,
        }
        Ok(keys)
    }

    async fn write_name_row(&self, live: Tag) -> Result<()> {
        let (tag, place) = self.name_row();
        let bound: [&[u8]; 2] = [&self.store.keys.store_id, &self.name];
        let value = self
            .store
            .keys
            .name_rows
            .seal(&self.entropy.nonces, &bound, live.0.len(), |out| out.extend_from_slice(&live.0))
            .map_err(|_| failure::corrupt())?;
        let put = Op::Put { place, value: value.into(), expires_at: None, counted: None, when: When::Absent };
        let commit = Commit { tag, now: 0, ops: vec![put], limits: Limits::default(), durability: Durability::Sync };
        match self.store.engine.commit(commit).await {
            // Another process was first; both wrote the same tag, because there is one header.
            Ok(_) | Err(CommitError::Conflict { .. }) => Ok(()),
            Err(error) => Err(failure::commit(error)),
        }
    }
}

impl Drop for TenantState {
    fn drop(&mut self) {
        self.store.forget(&self.name);
    }
}

/// One tenant's part of a store. Cheap to make and to clone; it does no I/O until it is used.
#[derive(Clone)]
pub struct Scope {
    state: Arc<TenantState>,
}

impl Scope {
    pub(crate) fn new(state: Arc<TenantState>) -> Self {
        Self { state }
    }

    /// The access to what is there, if the keys are at hand: no I/O.
    pub fn at_hand(&self) -> Option<Access> {
        self.state.keys.get().map(|keys| self.access(keys))
    }

    /// The access to what is there; `None` if this tenant has never written anything.
    ///
    /// # Errors
    /// `StoreCorrupt` if its keys are damaged or gone, `StoreUnavailable`, `Closed`.
    pub async fn existing(&self) -> Result<Option<Access>> {
        if let Some(access) = self.at_hand() {
            return Ok(Some(access));
        }
        let loaded = self.state.load().await?;
        Ok(loaded.map(|keys| self.access(self.state.keys.get_or_init(|| keys))))
    }

    /// The access, for a call that writes: a new tenant's keys are made.
    ///
    /// # Errors
    /// As [`Scope::existing`].
    pub async fn for_writing(&self) -> Result<Access> {
        if let Some(access) = self.named() {
            return Ok(access);
        }
        let _one_at_a_time = self.state.creation.lock().await;
        if let Some(access) = self.named() {
            return Ok(access);
        }
        let keys = self.state.load_or_create().await?;
        self.state.named.store(true, Ordering::Release);
        Ok(self.access(self.state.keys.get_or_init(|| keys)))
    }

    /// That the keys were read is not enough: whoever made them may have died before the name row was written.
    fn named(&self) -> Option<Access> {
        self.state.named.load(Ordering::Acquire).then(|| self.at_hand()).flatten()
    }

    /// The time in epoch milliseconds.
    pub fn now(&self) -> u64 {
        self.state.store.clock.millis()
    }

    /// Random bytes.
    pub fn random<const N: usize>(&self) -> [u8; N] {
        self.state.entropy.shown.bytes()
    }

    /// The store.
    pub fn store(&self) -> &Arc<Store> {
        &self.state.store
    }

    /// What all handles of this tenant in this process share: one of each type, made by the first who asks, gone with
    /// the last scope. It must not hold a scope itself.
    pub fn shared<T: Default + Send + Sync + 'static>(&self) -> Arc<T> {
        let mut shared = self.state.shared.lock();
        let one = shared.entry(TypeId::of::<T>()).or_insert_with(|| Arc::new(T::default())).clone();
        one.downcast().unwrap_or_default()
    }

    /// Whether time goes by in this store; in a test store it stands still until it is moved on.
    pub fn time_passes(&self) -> bool {
        self.state.store.clock.passes()
    }

    fn access(&self, keys: &Arc<TenantKeys>) -> Access {
        Access { state: self.state.clone(), keys: keys.clone() }
    }
}

/// What a commit did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Committed {
    /// It is done, and as durable as asked.
    Done,
    /// A condition did not hold: this change's, by index. Nothing was written.
    Conflict(usize),
}

/// A scope whose keys are at hand.
#[derive(Clone)]
pub struct Access {
    pub(crate) state: Arc<TenantState>,
    pub(crate) keys: Arc<TenantKeys>,
}

impl Access {
    /// The name of an item of a kind: a keyed hash, so that it tells nothing to whoever reads the raw store.
    pub fn name(&self, kind: Kind, logical: &[u8]) -> Name {
        Name(self.keys.item_names.hash16(&[&[kind as u8], logical]))
    }

    /// The hash that a reference's id is cut from: keyed with the tenant's secret.
    pub fn reference_digest(&self, type_name: &str, media_type: &str, content: &[u8]) -> [u8; 32] {
        self.keys.reference_ids.hash_streamed(&[type_name.as_bytes(), media_type.as_bytes(), content])
    }

    /// The name of the reference with this id (the first 20 bytes of its digest).
    pub fn reference_name(id: &[u8; 20]) -> Name {
        let mut whole = [0; 32];
        for (to, from) in whole.iter_mut().zip(id) {
            *to = *from;
        }
        Name(first(&whole))
    }

    /// The time in epoch milliseconds.
    pub fn now(&self) -> u64 {
        self.state.store.clock.millis()
    }

    /// Epoch microseconds for a new item: later than any that this process has given to this tenant.
    pub fn next_micros(&self) -> u64 {
        let now = self.state.store.clock.micros();
        let last = self
            .state
            .last_micros
            .fetch_update(Ordering::SeqCst, Ordering::SeqCst, |last| Some(now.max(last.saturating_add(1))));
        now.max(last.unwrap_or(now).saturating_add(1))
    }

    /// A record, if it is in the cache of opened ones: no I/O.
    pub fn peek(&self, kind: Kind, area: Area, name: Name) -> Option<Arc<Record>> {
        self.state.store.opened.get(self.keys.tag, row::place(kind, area, name), self.now())
    }

    /// Applies changes: all of them or none.
    ///
    /// # Errors
    /// `QuotaExceeded`, `InvalidInput` if it is too large, `StoreUnavailable`, `OutcomeUnknown`, `StoreCorrupt`, `Closed`.
    pub async fn commit(&self, changes: Vec<Change>, limits: &Limits, durability: Durability) -> Result<Committed> {
        let (store, tag) = (&self.state.store, self.keys.tag);
        let mut touched = Vec::new();
        let mut ops = Vec::with_capacity(changes.len());
        for change in changes {
            ops.push(self.lower(change, &mut touched)?);
        }
        let commit = Commit { tag, now: self.now(), ops, limits: limits.clone(), durability };
        match store.engine.commit(commit).await {
            Ok(version) => {
                for (place, after) in touched {
                    let record = match after {
                        After::Same => continue,
                        After::Gone => None,
                        After::Body(body, expires_at) => Some(Arc::new(Record { version, expires_at, body })),
                    };
                    store.opened.committed(tag, place, record);
                }
                Ok(Committed::Done)
            }
            Err(error) => {
                // Whatever was known of these places may be wrong: that a condition did not hold says it is, and
                // whoever tries again must not be told the same from the cache.
                for (place, _) in touched {
                    store.opened.committed(tag, place, None);
                }
                match error {
                    CommitError::Conflict { op } => Ok(Committed::Conflict(op)),
                    error => Err(failure::commit(error)),
                }
            }
        }
    }

    /// What this tenant holds, per kind.
    ///
    /// # Errors
    /// As [`Access::read`].
    pub async fn usage(&self) -> Result<Vec<(Kind, Count)>> {
        let usage = self.state.store.engine.usage(self.keys.tag).await.map_err(failure::read)?;
        Ok(Kind::ALL.into_iter().map(|kind| (kind, usage.get(&(kind as u8)).copied().unwrap_or_default())).collect())
    }

    fn lower(&self, change: Change, touched: &mut Vec<Touched>) -> Result<Op> {
        Ok(match change {
            Change::Write { kind, area, name, body, expires_at, counted, when } => {
                let place = row::place(kind, area, name);
                let value = self.seal_row(&place, &body)?;
                touched.push((place, After::Body(body, expires_at)));
                Op::Put { place, value: value.into(), expires_at, counted, when }
            }
            Change::Extend { kind, area, name, expires_at } => {
                let place = row::place(kind, area, name);
                touched.push((place, After::Gone));
                Op::Extend { place, expires_at }
            }
            Change::Delete { kind, area, name, when } => {
                let place = row::place(kind, area, name);
                touched.push((place, After::Gone));
                Op::Delete { place, when }
            }
            Change::Check { kind, area, name, when } => {
                let place = row::place(kind, area, name);
                touched.push((place, After::Same));
                Op::Check { place, when }
            }
            Change::List { list, micros, name, expires_at } => {
                let place = self.list_place(&list, micros, name);
                Op::Put { place, value: Default::default(), expires_at, counted: None, when: When::Any }
            }
            Change::Unlist { list, micros, name } => {
                Op::Delete { place: self.list_place(&list, micros, name), when: When::Any }
            }
        })
    }

    /// `u16be(length) ‖ owner ‖ body`, sealed and bound to the store and the record key.
    fn seal_row(&self, place: &Place, body: &[u8]) -> Result<Vec<u8>> {
        let owner = self.state.resource_id.as_bytes();
        let key = bailiwick_store::engine::record_key(&self.keys.tag, place);
        let length = u16::try_from(owner.len()).map_err(|_| failure::corrupt())?.to_be_bytes();
        self.keys
            .records
            .seal(
                &self.state.entropy.nonces,
                &[&self.state.store.keys.store_id, &key],
                2 + owner.len() + body.len(),
                |out| {
                    out.extend_from_slice(&length);
                    out.extend_from_slice(owner);
                    out.extend_from_slice(body);
                },
            )
            .map_err(|_| failure::corrupt())
    }

    /// `None` if the record opens but belongs to somebody else: a tripwire that no way through this code reaches.
    pub(crate) fn open_row(&self, place: &Place, sealed: &[u8]) -> Result<Option<Vec<u8>>> {
        let key = bailiwick_store::engine::record_key(&self.keys.tag, place);
        let bound: [&[u8]; 2] = [&self.state.store.keys.store_id, &key];
        let mut plaintext = self.keys.records.open(&bound, sealed).map_err(|_| failure::corrupt())?;
        let (length, rest) = plaintext.split_at_checked(2).ok_or_else(failure::corrupt)?;
        let length = length.iter().fold(0, |sum, byte| (sum << 8) | usize::from(*byte));
        let owner = rest.get(..length).ok_or_else(failure::corrupt)?;
        if owner != self.state.resource_id.as_bytes() {
            self.state.store.alarms.fetch_add(1, Ordering::Relaxed);
            return Ok(None);
        }
        plaintext.drain(..2 + length);
        Ok(Some(plaintext))
    }
}

/// A place a commit is about, and what stands there once it is done.
type Touched = (Place, After);

/// What the cache may keep of a place after a commit.
enum After {
    /// What it has.
    Same,
    /// Nothing.
    Gone,
    /// This body, with its expiry.
    Body(Vec<u8>, Option<u64>),
}
