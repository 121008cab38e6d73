//! A tenant's scope: the only way to its records. Everything it does is below the tenant's own tag and under the
//! tenant's own keys, so there is no call here that could name another tenant.

use std::any::TypeId;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use bailiwick_model::pace::ahead;
use bailiwick_model::{Kind, Result};
use bailiwick_store::{Commit, CommitError, Count, Due, Durability, Limits, Op, Place, Version, When};

use crate::failure;
use crate::hash::first;
use crate::in_flight::Held;
use crate::keys::TenantKeys;
use crate::opened::Record;
use crate::row::{self, Area, Change, Name};
use crate::store::Store;
use crate::tenant::TenantState;

/// So much time lies between two sweeps for a tenant that meets its limits.
const RELIEF_MS: u64 = 10_000;

/// One tenant's part of a store. Cheap to make and to clone; it does no I/O until it is used.
#[derive(Clone)]
pub struct Scope {
    pub(crate) state: Arc<TenantState>,
}

impl Scope {
    pub(crate) fn new(state: Arc<TenantState>) -> Self {
        Self { state }
    }

    /// The access to what is there, if the keys are at hand: no I/O.
    pub fn at_hand(&self) -> Option<Access> {
        let keys = self.state.keys.get().filter(|_| !self.is_erased())?;
        Some(self.access(keys))
    }

    /// Whether the tenant of this scope was erased. Its name may have a new one by now, which is not this scope's.
    pub fn is_erased(&self) -> bool {
        self.state.erased.is_closed()
    }

    /// The access to what is there; `None` if this tenant has never written anything.
    ///
    /// # Errors
    /// `StoreCorrupt` if its keys are damaged or gone, `StoreUnavailable`, `Closed` if it was erased.
    pub async fn existing(&self) -> Result<Option<Access>> {
        self.refuse_erased()?;
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
        self.refuse_erased()?;
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

    /// Resolves once the tenant of this scope is erased.
    pub async fn erased(&self) {
        self.state.erased.closed().await;
    }

    fn refuse_erased(&self) -> Result<()> {
        if self.is_erased() { Err(failure::closed()) } else { Ok(()) }
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

    /// This process's name among those that may work on the same store at the same time; `None` if there are no others.
    pub fn process(&self) -> Option<[u8; 16]> {
        self.state.store.process()
    }

    pub(crate) fn access(&self, keys: &Arc<TenantKeys>) -> Access {
        Access { state: self.state.clone(), keys: keys.clone(), held: None }
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
    /// What the call holds that reads with this, if it is one's.
    pub(crate) held: Option<Arc<Held>>,
}

impl Access {
    /// As [`Scope::process`].
    pub fn process(&self) -> Option<[u8; 16]> {
        self.state.store.process()
    }

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

    /// A record, if it is in the cache of opened ones: no I/O. Where other processes work on the same store
    /// ([`Access::process`]), it may have been changed or removed since.
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
        let is_looked_after = changes.iter().any(Change::is_looked_after);
        for change in changes {
            if let Change::Write { body, .. } = &change {
                ahead(body.len() as u64).await;
            }
            ops.push(self.lower(change, &mut touched)?);
        }
        if is_looked_after {
            ops.extend(self.attribution()?);
        }
        let commit = Commit { tag, now: self.now(), ops, limits: limits.clone(), durability };
        match self.commit_within_limits(commit).await {
            Ok(version) => {
                // What is not durable yet may be lost, and the row with it.
                let is_attributed = is_looked_after && durability == Durability::Sync;
                self.state.attributed.fetch_or(is_attributed, Ordering::Relaxed);
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
                    CommitError::Closed => {
                        self.state.erased_elsewhere();
                        Err(failure::closed())
                    }
                    error => Err(failure::commit(error)),
                }
            }
        }
    }

    /// Commits. Where a limit is met, what has expired gives way first.
    async fn commit_within_limits(&self, commit: Commit) -> Result<Version, CommitError> {
        let (engine, tag, now) = (&self.state.store.engine, commit.tag, commit.now);
        let is_limited = !commit.limits.items.is_empty() || commit.limits.bytes.is_some();
        let again = is_limited.then(|| commit.clone());
        let (kind, again) = match (engine.commit(commit).await, again) {
            (Err(CommitError::Quota { kind, .. }), Some(again)) if self.is_time_for_relief(now) => (kind, again),
            (result, _) => return result,
        };
        let kinds = Kind::ALL.into_iter().map(|kind| kind as u8).filter(|one| kind.is_none_or(|kind| kind == *one));
        for kind in kinds {
            engine.sweep(Due { tag, kind }, now).await?;
        }
        engine.commit(again).await
    }

    /// A sweep reads all rows of a kind: a tenant that keeps meeting its limit gets one now and then.
    fn is_time_for_relief(&self, now: u64) -> bool {
        let later = |last: u64| (now >= last.saturating_add(RELIEF_MS)).then_some(now);
        self.state.last_relief.fetch_update(Ordering::Relaxed, Ordering::Relaxed, later).is_ok()
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
                // What the cache does not keep is not carried along while the commit waits.
                let is_kept = row::is_kept_open(&place) && self.state.store.opened.is_kept(body.len());
                touched.push((place, if is_kept { After::Body(body, expires_at) } else { After::Gone }));
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
            Change::Wake { kind, at } => Op::Wake { kind: kind as u8, at },
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
