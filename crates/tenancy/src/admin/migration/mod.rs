//! Migration of a whole store to another place. Rows, headers and the store's own keys stay sealed as they are, so it opens there
//! with the same root key. A migration has exclusive use of both places.
//!
//! | step | after a crash here |
//! | --- | --- |
//! | 1. the target is marked as unfinished; synced | the store opens in the source; the same call resumes |
//! | 2. rows and headers are copied, those that are missing or different in the target; others are removed there; synced | the same |
//! | 3. every row and header of both places is read and compared, and each record is opened | the same |
//! | 4. the source is marked as moved; synced | the store opens nowhere, and the same call resumes with 5 |
//! | 5. the target gets the store's header; synced | the store opens in the target |
//!
//! The last two steps are one write each, in this order: in the other, a crash between them would leave a store that opens in both
//! places.

mod rows;
mod slot_state;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use bailiwick_model::{Error, Result};
use bailiwick_store::{
    Commit, Created, Durability, Engine, EngineFuture, Limits, Op, Opened, STORE_SLOT, Slot, Tag, Usage, Vault, When,
};

use self::rows::{CopiedRows, ExportedRow, Next, Rows};
use self::slot_state::{MoveId, SlotState, slot_state};
use super::check::Check;
use super::copy_rows::{Copied, Writer, operation};
use crate::crypto::entropy::Entropy;
use crate::errors;
use crate::keys::refusal;
use crate::keys::root_key::RootKey;
use crate::rows::internal::{STORE, STORE_TAG};
use crate::tenant::store::{Store, StoreOptions};
use crate::tenant::store_header::is_unused;

/// The names of headers that are read at once.
const HEADERS: usize = 256;

/// The progress of a migration. Both numbers only increase.
#[derive(Debug, Default)]
pub struct MigrationProgress {
    /// The rows that are in the target.
    pub copied: AtomicU64,
    /// The rows that were compared.
    pub compared: AtomicU64,
}

/// The size of a migrated store.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct MigrationCounts {
    /// The tenants.
    pub tenants: u64,
    /// All rows.
    pub all: Copied,
    /// The rows that this call wrote: without those of earlier, interrupted calls.
    pub written: u64,
}

/// The outcome of a migration.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MigrationOutcome {
    /// The store is in the target.
    Moved(MigrationCounts),
    /// An earlier call had done everything but the last write at most.
    AlreadyMoved,
}

/// A store that is about to be migrated, and that this process uses exclusively.
pub struct Migration {
    source: Opened,
    state: SourceState,
}

enum SourceState {
    Open(Arc<Store>),
    /// An earlier call did everything but the last write at most. With the header of the store.
    Moved(MoveId, Vec<u8>),
}

impl Migration {
    /// Opens the source.
    ///
    /// # Errors
    /// `InvalidInput` if there is no store or the root key is wrong; `Conflict` if another process has it open; and those of
    /// the store.
    pub fn from(source: Opened, root_key: RootKey) -> EngineFuture<'static, Result<Self>> {
        Box::pin(async move {
            let Some(slot) = slot_of(&*source.vault).await? else {
                return Err(if is_unused(&source).await? { no_store() } else { errors::corrupt() });
            };
            let state = match slot_state(&slot.value) {
                SlotState::Store(_) => {
                    claim(&*source.vault).await?;
                    let options = StoreOptions { root_key, opened_bytes: 0, ..StoreOptions::default() };
                    SourceState::Open(Store::open(source.clone(), options).await?)
                }
                SlotState::Moved(id, header) => SourceState::Moved(id, header),
                SlotState::Unfinished(_) | SlotState::Unknown => return Err(refusal(slot.value.first())),
            };
            Ok(Self { source, state })
        })
    }

    /// Whether an earlier call has done everything but the last write at most.
    pub fn has_moved(&self) -> bool {
        matches!(self.state, SourceState::Moved(..))
    }

    /// Migrates the store to the target. After an interruption, call it again with the same two places until it returns.
    ///
    /// # Errors
    /// `InvalidInput` if the target is not empty; `Conflict` if another process has one of the two places open; `StoreCorrupt`
    /// if anything in the store is corrupt; and those of both stores. Then the store is in the source, unless one of the last
    /// two steps failed.
    pub fn to<'a>(self, to: &'a Opened, progress: &'a MigrationProgress) -> EngineFuture<'a, Result<MigrationOutcome>> {
        Box::pin(async move {
            let store = match self.state {
                SourceState::Open(store) => store,
                SourceState::Moved(id, header) => return finish_earlier(to, id, header).await,
            };
            let (id, is_new) = begin(&store, to).await?;
            claim(&*to.vault).await?;
            let written = copy(&store, to, is_new, progress).await?;
            copy_headers(&*self.source.vault, &*to.vault).await?;
            let moved = verify(&store, to, written, progress).await?;
            let slot = store.store_header().await?;
            let mark = id.moved(&slot.value).ok_or_else(errors::corrupt)?;
            if !self.source.vault.replace(STORE_SLOT, slot.generation, mark).await.map_err(errors::read)? {
                return Err(in_use());
            }
            finish(to, id, slot.value).await?;
            Ok(MigrationOutcome::Moved(moved))
        })
    }
}

/// Marks the target as unfinished. It must be empty, or the target of an earlier migration of this store. The second value says
/// whether it was empty.
async fn begin(store: &Store, to: &Opened) -> Result<(MoveId, bool)> {
    let slot = match slot_of(&*to.vault).await? {
        Some(slot) => slot,
        None => {
            refuse_rows(to).await?;
            let id = MoveId { store_id: store.keys.store_id, move_id: Entropy::system().bytes() };
            match to.vault.create(STORE_SLOT, id.unfinished()).await.map_err(errors::read)? {
                Created::New => return Ok((id, true)),
                Created::Existing(slot) => slot,
            }
        }
    };
    match slot_state(&slot.value) {
        SlotState::Unfinished(id) if id.store_id == store.keys.store_id => Ok((id, false)),
        SlotState::Unfinished(_) => Err(Error::invalid(
            "The place to move to holds an unfinished copy of another store. Nothing was changed. Name another place, or empty it.",
        )),
        _ => Err(taken()),
    }
}

/// Fails unless the target is empty.
async fn refuse_rows(to: &Opened) -> Result<()> {
    let names = to.vault.names(None, 1).await.map_err(errors::read)?;
    let mut export = to.engine.export().await.map_err(errors::read)?;
    let is_empty = names.is_empty() && export.next().await.map_err(errors::read)?.is_empty();
    if is_empty { Ok(()) } else { Err(taken()) }
}

/// Makes the rows of the target equal to those of the store, durably. Returns how many were written.
async fn copy(store: &Store, to: &Opened, is_new: bool, progress: &MigrationProgress) -> Result<u64> {
    let mut rows = Rows::of(&*store.engine).await?;
    let mut there = CopiedRows::of(&*to.engine, is_new).await?;
    let mut writer = Writer::new(&*to.engine);
    let mut written = 0;
    let mut store_row = None;
    loop {
        let row = match rows.next().await? {
            Next::Row(row) => row,
            Next::Wake(wake) => {
                let (tag, op) = operation(wake);
                writer.add(tag, op).await?;
                continue;
            }
            Next::Changed => return Err(in_use()),
            Next::End => break,
        };
        while let Some(gone) = there.take_before(Some(row.key())).await? {
            writer.add(gone.tag, removal(&gone)).await?;
        }
        if !there.take_at(row.key()).await?.is_some_and(|copy| copy.equals(&row)) {
            written += 1;
            writer.add(row.tag, put(&row)).await?;
        }
        if row.tag == STORE_TAG && row.row.place == STORE {
            store_row = Some(row);
        }
        progress.copied.fetch_add(1, Ordering::Relaxed);
    }
    while let Some(gone) = there.take_before(None).await? {
        writer.add(gone.tag, removal(&gone)).await?;
    }
    writer.flush().await?;
    // A synced commit makes all relaxed ones before it durable.
    let row = store_row.ok_or_else(errors::corrupt)?;
    let (tag, ops) = (row.tag, vec![put(&row)]);
    let commit = Commit { tag, now: 0, ops, limits: Limits::default(), durability: Durability::Sync };
    to.engine.commit(commit).await.map_err(errors::commit)?;
    Ok(written)
}

fn put(row: &ExportedRow) -> Op {
    let (place, expires_at, counted) = (row.row.place, row.row.expires_at, row.counted);
    Op::Put { place, value: row.row.value.clone(), expires_at, counted, when: When::Any }
}

fn removal(row: &ExportedRow) -> Op {
    Op::Delete { place: row.row.place, when: When::Any }
}

/// Makes the tenants' headers of the target equal to those of the source.
async fn copy_headers(from: &dyn Vault, to: &dyn Vault) -> Result<()> {
    for name in names(to).await? {
        if from.get(name).await.map_err(errors::read)?.is_none()
            && let Some(old) = to.get(name).await.map_err(errors::read)?
        {
            to.wipe(name, old.value).await.map_err(errors::read)?;
        }
    }
    for name in names(from).await? {
        let Some(header) = from.get(name).await.map_err(errors::read)? else { continue };
        match to.create(name, header.value.clone()).await.map_err(errors::read)? {
            Created::Existing(old) if old.value != header.value => {
                to.replace(name, old.generation, header.value).await.map_err(errors::read)?;
            }
            _ => {}
        }
    }
    Ok(())
}

/// Returns the names of all slots but the store's own.
async fn names(vault: &dyn Vault) -> Result<Vec<[u8; 32]>> {
    let mut names = Vec::new();
    let mut after = STORE_SLOT;
    loop {
        let more = vault.names(Some(after), HEADERS).await.map_err(errors::read)?;
        let Some(last) = more.last() else { return Ok(names) };
        after = *last;
        names.extend(more);
    }
}

/// Reads and compares everything in both places. Fails for any difference, and for any row of the target that does not open with
/// the keys of the target.
async fn verify(store: &Store, to: &Opened, written: u64, progress: &MigrationProgress) -> Result<MigrationCounts> {
    let copy = store.on_engine(to.clone()).await?;
    let mut check = Check::begin(&copy).await?;
    let mut rows = Rows::of(&*store.engine).await?;
    let mut there = CopiedRows::of(&*to.engine, false).await?;
    let (mut all, mut differing) = (Copied::default(), 0_u64);
    let mut tag: Option<Tag> = None;
    loop {
        let row = match rows.next().await? {
            Next::Row(row) => row,
            Next::Wake(_) => continue,
            Next::Changed => return Err(in_use()),
            Next::End => break,
        };
        while there.take_before(Some(row.key())).await?.is_some() {
            differing += 1;
        }
        match there.take_at(row.key()).await? {
            Some(copied) if copied.equals(&row) => check.row(copied.tag, &copied.row),
            _ => differing += 1,
        }
        if tag.replace(row.tag) != Some(row.tag)
            && usage(&*store.engine, row.tag).await? != usage(&*to.engine, row.tag).await?
        {
            differing += 1;
        }
        all.add(row.row.value.len());
        progress.compared.fetch_add(1, Ordering::Relaxed);
    }
    while there.take_before(None).await?.is_some() {
        differing += 1;
    }
    differing += differing_headers(&*store.vault, &*to.vault).await?;
    let report = check.finish().await?;
    if let Some(first) = report.problems.first() {
        return Err(Error::StoreCorrupt(format!(
            "The store is damaged, so it was not moved: {} found; the first: {first} See `bailiwick doctor`, or restore it from a backup.",
            count(report.count, "problem")
        )));
    }
    if differing > 0 {
        return Err(Error::Conflict(format!(
            "{differing} of the copy's rows were not what the store holds, so it was not moved. Run `bailiwick migrate` again; if they still are not, empty the place to move to.",
        )));
    }
    Ok(MigrationCounts { tenants: report.tenants, all, written })
}

/// Returns what a tag uses, without empty kinds.
async fn usage(engine: &dyn Engine, tag: Tag) -> Result<Usage> {
    let mut usage = engine.usage(tag).await.map_err(errors::read)?;
    usage.retain(|_, count| (count.items, count.bytes) != (0, 0));
    Ok(usage)
}

async fn differing_headers(from: &dyn Vault, to: &dyn Vault) -> Result<u64> {
    let (here, there) = (names(from).await?, names(to).await?);
    let mut differing = here.len().abs_diff(there.len()) as u64;
    for name in here {
        let header = from.get(name).await.map_err(errors::read)?.map(|slot| slot.value);
        let copied = to.get(name).await.map_err(errors::read)?.map(|slot| slot.value);
        differing += u64::from(header != copied);
    }
    Ok(differing)
}

/// Does the last step of a migration whose earlier steps were done by another call.
async fn finish_earlier(to: &Opened, id: MoveId, header: Vec<u8>) -> Result<MigrationOutcome> {
    let slot = slot_of(&*to.vault).await?;
    match slot.map(|slot| slot_state(&slot.value)) {
        Some(SlotState::Unfinished(there)) if there == id => finish(to, id, header).await?,
        Some(SlotState::Store(store_id)) if store_id == id.store_id => {}
        _ => return Err(errors::moved()),
    }
    Ok(MigrationOutcome::AlreadyMoved)
}

/// Writes the store's header to the target.
async fn finish(to: &Opened, id: MoveId, header: Vec<u8>) -> Result<()> {
    let slot = slot_of(&*to.vault).await?.ok_or_else(errors::corrupt)?;
    let is_ours = slot_state(&slot.value) == SlotState::Unfinished(id);
    let is_done = is_ours && to.vault.replace(STORE_SLOT, slot.generation, header).await.map_err(errors::read)?;
    if is_done { Ok(()) } else { Err(in_use()) }
}

async fn slot_of(vault: &dyn Vault) -> Result<Option<Slot>> {
    vault.get(STORE_SLOT).await.map_err(errors::read)
}

async fn claim(vault: &dyn Vault) -> Result<()> {
    if vault.claim().await.map_err(errors::read)? { Ok(()) } else { Err(in_use()) }
}

fn in_use() -> Error {
    Error::Conflict(
        "Others have this store open, or move it too. End every process that uses it, then run `bailiwick migrate` again."
            .to_owned(),
    )
}

fn no_store() -> Error {
    Error::invalid("There is no store in the place to move from.")
}

fn taken() -> Error {
    Error::invalid("There is something in the place to move to, and nothing was changed. Name one that is empty.")
}

fn count(number: u64, thing: &str) -> String {
    if number == 1 { format!("1 {thing} was") } else { format!("{number} {thing}s were") }
}
