//! Moving a whole store to another place, as it is: rows, headers and the store's own secrets keep their seals, so it opens
//! there with the same root key, and nothing in it can tell. Whoever moves it has both places alone.
//!
//! | step | after a crash here |
//! | --- | --- |
//! | 1. the other place says that it is not whole; synced | the store opens where it is; the same call goes on |
//! | 2. rows and headers are copied: those that are missing there, differ, or are there no longer; synced | the same |
//! | 3. every row and header is read in both places and compared, and each record's seal is opened | the same |
//! | 4. the old place says that the store was moved; synced | it opens nowhere, and the same call goes on with 5 at once |
//! | 5. the other place gets the store's header; synced | it opens there |
//!
//! The two last ones are one write each. There is no order of them after which a crash would leave it open in exactly one
//! place, and that it takes changes in both is what must not be.

mod mark;
mod rows;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use bailiwick_model::{Error, Result};
use bailiwick_store::{
    Commit, Created, Durability, Engine, Limits, Op, Opened, STORE_SLOT, Slot, Tag, Usage, Vault, When,
};

pub(crate) use mark::{moved, refusal};

use crate::check::Check;
use crate::copying::{Copied, Writer, lower};
use crate::entropy::Entropy;
use crate::failure;
use crate::root_key::RootKey;
use crate::store::{Store, StoreOptions, is_unused};
use mark::{Move, Standing, standing};
use rows::{Copy, Kept, Next, Rows};

/// So many headers are looked at together.
const HEADERS: usize = 256;

/// How far a move is, for whoever waits. Both only grow.
#[derive(Debug, Default)]
pub struct Progress {
    /// Rows that are in the other place.
    pub copied: AtomicU64,
    /// Rows that were compared.
    pub compared: AtomicU64,
}

/// What was moved.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Moved {
    /// How many tenants.
    pub tenants: u64,
    /// Their rows and everything else.
    pub all: Copied,
    /// The rows that this call wrote: those that an earlier one had not.
    pub written: u64,
}

/// What came of a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// The store is in its new place.
    Moved(Moved),
    /// An earlier call had done everything, but for a last write perhaps.
    WasMoved,
}

/// A store that is about to be moved, and that this process has alone.
pub struct Departure {
    from: Opened,
    step: Step,
}

/// How far it is.
enum Step {
    /// It is open where it is.
    Here(Arc<Store>),
    /// Everything is done, but for the last write perhaps. This was its header.
    Gone(Move, Vec<u8>),
}

impl Departure {
    /// # Errors
    /// `InvalidInput` if there is no store or the root key is not the store's; `Conflict` if others have it open; and those
    /// of the store.
    pub async fn of(from: Opened, root_key: RootKey) -> Result<Self> {
        let Some(slot) = slot_of(&*from.vault).await? else {
            return Err(if is_unused(&from).await? { no_store() } else { failure::corrupt() });
        };
        let step = match standing(&slot.value) {
            Standing::Store(_) => {
                claim(&*from.vault).await?;
                let options = StoreOptions { root_key, opened_bytes: 0, ..StoreOptions::default() };
                Step::Here(Store::open(from.clone(), options).await?)
            }
            Standing::Moved(going, header) => Step::Gone(going, header),
            Standing::Unfinished(_) | Standing::Unknown => return Err(refusal(slot.value.first())),
        };
        Ok(Self { from, step })
    }

    /// Whether an earlier call has moved it, but for the last write perhaps.
    pub fn has_left(&self) -> bool {
        matches!(self.step, Step::Gone(..))
    }

    /// Moves the store there. Cut off anywhere, it is begun again with the same two places until this returns.
    ///
    /// # Errors
    /// `InvalidInput` if there is something else; `Conflict` if others have one of the two places open; `StoreCorrupt` if
    /// anything in the store is damaged; and those of both stores. Then the store is where it was, but for the two last
    /// steps that the module's text names.
    pub async fn to(self, to: &Opened, progress: &Progress) -> Result<Outcome> {
        let store = match self.step {
            Step::Here(store) => store,
            Step::Gone(going, header) => return finish_earlier(to, going, header).await,
        };
        let (going, is_new) = begin(&store, to).await?;
        claim(&*to.vault).await?;
        let written = copy(&store, to, is_new, progress).await?;
        copy_headers(&*self.from.vault, &*to.vault).await?;
        let moved = verify(&store, to, written, progress).await?;
        let slot = store.store_header().await?;
        let mark = going.moved(&slot.value).ok_or_else(failure::corrupt)?;
        if !self.from.vault.replace(STORE_SLOT, slot.generation, mark).await.map_err(failure::read)? {
            return Err(in_use());
        }
        finish(to, going, slot.value).await?;
        Ok(Outcome::Moved(moved))
    }
}

/// Makes sure that the other place is for this store: one that is empty, or to which it was being moved before. The second
/// answer says that it was empty.
async fn begin(store: &Store, to: &Opened) -> Result<(Move, bool)> {
    let slot = match slot_of(&*to.vault).await? {
        Some(slot) => slot,
        None => {
            refuse_rows(to).await?;
            let going = Move { store_id: store.keys.store_id, move_id: Entropy::system().bytes() };
            match to.vault.create(STORE_SLOT, going.unfinished()).await.map_err(failure::read)? {
                Created::New => return Ok((going, true)),
                Created::Existing(slot) => slot,
            }
        }
    };
    match standing(&slot.value) {
        Standing::Unfinished(going) if going.store_id == store.keys.store_id => Ok((going, false)),
        Standing::Unfinished(_) => Err(Error::invalid(
            "The place to move to holds an unfinished copy of another store. Nothing was changed. Name another place, or empty it.",
        )),
        _ => Err(taken()),
    }
}

/// A place without a store has nothing in it, or what is there belongs to something else.
async fn refuse_rows(to: &Opened) -> Result<()> {
    let names = to.vault.names(None, 1).await.map_err(failure::read)?;
    let mut export = to.engine.export().await.map_err(failure::read)?;
    let is_empty = names.is_empty() && export.next().await.map_err(failure::read)?.is_empty();
    if is_empty { Ok(()) } else { Err(taken()) }
}

/// Brings the rows of the other place to what they are here, and onto its disk. Says how many were written.
async fn copy(store: &Store, to: &Opened, is_new: bool, progress: &Progress) -> Result<u64> {
    let mut rows = Rows::of(&*store.engine).await?;
    let mut there = Copy::of(&*to.engine, is_new).await?;
    let mut writer = Writer::new(&*to.engine);
    let mut written = 0;
    let mut store_row = None;
    loop {
        let row = match rows.next().await? {
            Next::Row(row) => row,
            Next::Wake(wake) => {
                let (tag, op) = lower(wake);
                writer.add(tag, op).await?;
                continue;
            }
            Next::Changed => return Err(in_use()),
            Next::Nothing => break,
        };
        while let Some(gone) = there.before(Some(row.key())).await? {
            writer.add(gone.tag, removal(&gone)).await?;
        }
        if !there.at(row.key()).await?.is_some_and(|copy| copy.is_like(&row)) {
            written += 1;
            writer.add(row.tag, put(&row)).await?;
        }
        if Store::is_store_row(row.tag, &row.row.place) {
            store_row = Some(row);
        }
        progress.copied.fetch_add(1, Ordering::Relaxed);
    }
    while let Some(gone) = there.before(None).await? {
        writer.add(gone.tag, removal(&gone)).await?;
    }
    writer.flush().await?;
    // A commit that waits for the disk takes with it all that did not.
    let row = store_row.ok_or_else(failure::corrupt)?;
    let (tag, ops) = (row.tag, vec![put(&row)]);
    let commit = Commit { tag, now: 0, ops, limits: Limits::default(), durability: Durability::Sync };
    to.engine.commit(commit).await.map_err(failure::commit)?;
    Ok(written)
}

fn put(kept: &Kept) -> Op {
    let (place, expires_at, counted) = (kept.row.place, kept.row.expires_at, kept.counted);
    Op::Put { place, value: kept.row.value.clone(), expires_at, counted, when: When::Any }
}

fn removal(kept: &Kept) -> Op {
    Op::Delete { place: kept.row.place, when: When::Any }
}

/// Brings the tenants' headers of the other place to what they are here.
async fn copy_headers(from: &dyn Vault, to: &dyn Vault) -> Result<()> {
    for name in names(to).await? {
        if from.get(name).await.map_err(failure::read)?.is_none()
            && let Some(old) = to.get(name).await.map_err(failure::read)?
        {
            to.wipe(name, old.value).await.map_err(failure::read)?;
        }
    }
    for name in names(from).await? {
        let Some(header) = from.get(name).await.map_err(failure::read)? else { continue };
        match to.create(name, header.value.clone()).await.map_err(failure::read)? {
            Created::Existing(old) if old.value != header.value => {
                to.replace(name, old.generation, header.value).await.map_err(failure::read)?;
            }
            _ => {}
        }
    }
    Ok(())
}

/// The names of all slots but the store's own.
async fn names(vault: &dyn Vault) -> Result<Vec<[u8; 32]>> {
    let mut names = Vec::new();
    let mut after = STORE_SLOT;
    loop {
        let more = vault.names(Some(after), HEADERS).await.map_err(failure::read)?;
        let Some(last) = more.last() else { return Ok(names) };
        after = *last;
        names.extend(more);
    }
}

/// Reads everything in both places. Whatever is not the same, or does not open there with its keys there, is an error.
async fn verify(store: &Store, to: &Opened, written: u64, progress: &Progress) -> Result<Moved> {
    let copy = store.over(to.clone()).await?;
    let mut check = Check::begin(&copy).await?;
    let mut rows = Rows::of(&*store.engine).await?;
    let mut there = Copy::of(&*to.engine, false).await?;
    let (mut all, mut differing) = (Copied::default(), 0_u64);
    let mut tag: Option<Tag> = None;
    loop {
        let row = match rows.next().await? {
            Next::Row(row) => row,
            Next::Wake(_) => continue,
            Next::Changed => return Err(in_use()),
            Next::Nothing => break,
        };
        while there.before(Some(row.key())).await?.is_some() {
            differing += 1;
        }
        match there.at(row.key()).await? {
            Some(copied) if copied.is_like(&row) => check.row(copied.tag, &copied.row),
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
    while there.before(None).await?.is_some() {
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
    Ok(Moved { tenants: report.tenants, all, written })
}

/// What a tag holds, without kinds of which it holds nothing.
async fn usage(engine: &dyn Engine, tag: Tag) -> Result<Usage> {
    let mut usage = engine.usage(tag).await.map_err(failure::read)?;
    usage.retain(|_, count| (count.items, count.bytes) != (0, 0));
    Ok(usage)
}

async fn differing_headers(from: &dyn Vault, to: &dyn Vault) -> Result<u64> {
    let (here, there) = (names(from).await?, names(to).await?);
    let mut differing = here.len().abs_diff(there.len()) as u64;
    for name in here {
        let header = from.get(name).await.map_err(failure::read)?.map(|slot| slot.value);
        let copied = to.get(name).await.map_err(failure::read)?.map(|slot| slot.value);
        differing += u64::from(header != copied);
    }
    Ok(differing)
}

/// The last step of a move whose last but one was done before.
async fn finish_earlier(to: &Opened, going: Move, header: Vec<u8>) -> Result<Outcome> {
    let slot = slot_of(&*to.vault).await?;
    match slot.map(|slot| standing(&slot.value)) {
        Some(Standing::Unfinished(there)) if there == going => finish(to, going, header).await?,
        Some(Standing::Store(store_id)) if store_id == going.store_id => {}
        _ => return Err(moved()),
    }
    Ok(Outcome::WasMoved)
}

/// Makes the other place the store's.
async fn finish(to: &Opened, going: Move, header: Vec<u8>) -> Result<()> {
    let slot = slot_of(&*to.vault).await?.ok_or_else(failure::corrupt)?;
    let is_ours = standing(&slot.value) == Standing::Unfinished(going);
    let is_done = is_ours && to.vault.replace(STORE_SLOT, slot.generation, header).await.map_err(failure::read)?;
    if is_done { Ok(()) } else { Err(in_use()) }
}

async fn slot_of(vault: &dyn Vault) -> Result<Option<Slot>> {
    vault.get(STORE_SLOT).await.map_err(failure::read)
}

async fn claim(vault: &dyn Vault) -> Result<()> {
    if vault.claim().await.map_err(failure::read)? { Ok(()) } else { Err(in_use()) }
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
