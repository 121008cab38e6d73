//! A run's journal in the store: appended to by whoever owns its thread, and by nobody else.
//!
//! Every commit checks the owner's record and puts one block at the next sequence on condition of its absence. Whoever
//! takes the run over changes the owner's record, so that a former owner's commits fail from then on.

use std::sync::Arc;

use bailiwick_model::json::{self, Json};
use bailiwick_model::pace::{RECORD, ahead};
use bailiwick_model::{Error, Result};
use bailiwick_tenancy::{Access, Area, Change, Entries, Name, Record, Version, When};

use super::entry::{self, BlockHash, Entry, NO_BLOCK, damaged, number, object, whole};
use super::head::{KIND, RunHead, RunStatus, owner_name, run_name};
use super::state::RunState;
use crate::references::glimpses;

/// How many bytes of blocks are read at once, but for a single one that has more.
const PART_BYTES: u64 = 4 << 20;
/// How many blocks are read at once.
const BLOCKS_A_READ: usize = 64;
/// What an unfinished run's rows live beyond the retention: longer than any approval that it may wait for.
pub(crate) const UNFINISHED_MS: u64 = 30 * 24 * 60 * 60 * 1000;

/// A journal that this process may append to.
pub(crate) struct Journal {
    pub(crate) name: Name,
    pub(crate) owner: Name,
    pub(crate) version: Version,
    /// How often the run was taken over: 1 for the process that began it.
    pub(crate) epoch: u64,
    pub(crate) next: u64,
    pub(crate) hash: BlockHash,
    /// The bytes of its blocks.
    pub(crate) bytes: u64,
    pub(crate) expires_at: Option<u64>,
}

/// The changes of a block: how many conditions they begin with.
pub(crate) const CONDITIONS: usize = 2;

impl Journal {
    /// The block with these entries, and the changes that append it. The first two fail for a former owner.
    pub(crate) fn appended(&self, entries: &[Entry]) -> (Vec<u8>, Vec<Change>) {
        let body = entry::write(&self.hash, entries);
        let changes = vec![
            Change::Check { kind: KIND, area: Area::Record, name: self.owner, when: When::Version(self.version) },
            block(self.name, self.next, body.clone(), self.expires_at),
        ];
        (body, changes)
    }

    /// Goes on behind a block that was committed.
    pub(crate) fn committed(&mut self, block: &[u8], entries: usize) {
        self.hash = entry::hash(block);
        self.next += entries as u64;
        self.bytes += block.len() as u64;
    }
}

/// The change that writes a block.
pub(crate) fn block(name: Name, sequence: u64, body: Vec<u8>, expires_at: Option<u64>) -> Change {
    Change::Write { kind: KIND, area: Area::Entry(sequence), name, body, expires_at, counted: None, when: When::Absent }
}

/// Who writes a thread.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Owner {
    pub(crate) run_id: String,
    /// How often the run was taken over.
    pub(crate) epoch: u64,
}

impl Owner {
    /// The change that makes it the owner.
    pub(crate) fn written(&self, name: Name, when: When, expires_at: Option<u64>) -> Change {
        let body = json::write(&object([("run", Json::from(self.run_id.as_str())), ("epoch", number(self.epoch))]));
        let body = body.into_bytes();
        Change::Write { kind: KIND, area: Area::Record, name, body, expires_at, counted: None, when }
    }

    /// Who owns a thread, past the cache of opened records.
    pub(crate) async fn read(access: &Access, thread_id: &str) -> Result<Option<(Self, Version)>> {
        let rows = [(Area::Record, owner_name(access, thread_id))];
        let Some(record) = access.read_current(KIND, &rows).await?.pop().flatten() else { return Ok(None) };
        let parse = || {
            let stored = json::parse(&record.body, &json::Limits::default()).ok()?;
            Some(Self { run_id: stored.get("run")?.as_str()?.to_owned(), epoch: whole(stored.get("epoch")?)? })
        };
        Ok(Some((parse().ok_or_else(damaged)?, record.version)))
    }
}

/// A run's record, past the cache of opened records. `None`: absent, expired or foreign.
pub(crate) async fn read_head(access: &Access, run_id: &str) -> Result<Option<(RunHead, Arc<Record>)>> {
    if !super::head::is_run_id(run_id) {
        return Ok(None);
    }
    let rows = [(Area::Record, run_name(access, run_id))];
    let Some(record) = access.read_current(KIND, &rows).await?.pop().flatten() else { return Ok(None) };
    let head = RunHead::read(&record.body)?;
    if head.run_id == run_id { Ok(Some((head, record))) } else { Ok(None) }
}

/// A journal as it was read.
pub(crate) struct Loaded {
    pub(crate) state: RunState,
    pub(crate) next: u64,
    pub(crate) hash: BlockHash,
    pub(crate) bytes: u64,
}

/// Reads a whole journal.
///
/// # Errors
/// `StoreCorrupt` if a block is missing, altered or put back.
pub(crate) async fn load(access: &Access, head: &RunHead) -> Result<Loaded> {
    let name = run_name(access, &head.run_id);
    let (mut state, mut next, mut hash, mut bytes) = (None::<RunState>, 0, NO_BLOCK, 0);
    let mut passed_head = head.next == 0;
    loop {
        let wanted = Entries { from: next, to: u64::MAX, reverse: false, limit: BLOCKS_A_READ };
        let part = access.part(KIND, name, wanted, PART_BYTES).await?;
        let complete = part.entries.len() < BLOCKS_A_READ && !part.more;
        for (sequence, record) in part.entries {
            // Read, parsed, taken in and hashed.
            ahead(RECORD + 2 * record.body.len() as u64).await;
            let (previous, entries) = read_block(access, &record.body).await?;
            if sequence != next || previous != hash {
                return Err(damaged());
            }
            for entry in &entries {
                match &mut state {
                    None => state = Some(RunState::begin(&head.run_id, entry).ok_or_else(damaged)?),
                    Some(state) => state.apply(entry).ok_or_else(damaged)?,
                }
            }
            next += entries.len() as u64;
            hash = entry::hash(&record.body);
            bytes += record.body.len() as u64;
            passed_head |= next == head.next && hash == head.hash;
        }
        if complete {
            break;
        }
    }
    // The record says where the journal ended when it was written last; a shorter or another one was put back.
    if !passed_head {
        return Err(damaged());
    }
    Ok(Loaded { state: state.ok_or_else(damaged)?, next, hash, bytes })
}

/// The hash of the block before, and the entries as they were: glimpses are read where they are stored, in the records
/// of the references. That of one that is gone is null.
async fn read_block(access: &Access, block: &[u8]) -> Result<(BlockHash, Vec<Entry>)> {
    let (previous, mut entries) = entry::read(block)?;
    let ids: Vec<String> = entries.iter().filter_map(Entry::kept_as).map(str::to_owned).collect();
    if !ids.is_empty() {
        let ids: Vec<&str> = ids.iter().map(String::as_str).collect();
        let mut glimpses = glimpses(access, &ids).await?.into_iter();
        for entry in entries.iter_mut().filter(|entry| entry.kept_as().is_some()) {
            entry.give_glimpse(glimpses.next().flatten().unwrap_or(Json::Null));
        }
    }
    Ok((previous, entries))
}

/// The entries of a block as they were.
///
/// # Errors
/// `StoreCorrupt`, and those of the store.
pub(crate) async fn read_entries(access: &Access, block: &Record) -> Result<Vec<Entry>> {
    Ok(read_block(access, &block.body).await?.1)
}

/// One or a few blocks with entries from a sequence on, each with that of its first.
pub(crate) async fn read_from(
    access: &Access,
    run_id: &str,
    from: u64,
    most: usize,
) -> Result<Vec<(u64, Arc<Record>)>> {
    let name = run_name(access, run_id);
    // The block that `from` is in may begin earlier.
    let before = Entries { from: 0, to: from, reverse: true, limit: 1 };
    let mut blocks = access.entries(KIND, name, before).await?;
    let behind = blocks.first().map_or(from, |(sequence, _)| sequence + 1);
    let range = Entries { from: behind, to: u64::MAX, reverse: false, limit: most };
    match access.part(KIND, name, range, PART_BYTES).await {
        Ok(part) => blocks.extend(part.entries),
        // What there is no room for is read next time.
        Err(Error::TooMuchInFlight { .. }) if !blocks.is_empty() => {}
        Err(error) => return Err(error),
    }
    Ok(blocks)
}

/// The entries before a sequence that are in the same block as the last of them, each with its own.
pub(crate) async fn read_before(access: &Access, run_id: &str, end: u64) -> Result<Vec<(u64, Entry)>> {
    let wanted = Entries { from: 0, to: end.saturating_sub(1), reverse: true, limit: 1 };
    let mut found = Vec::new();
    for (sequence, record) in access.entries(KIND, run_name(access, run_id), wanted).await? {
        let entries = read_block(access, &record.body).await?.1;
        found.extend((sequence..).zip(entries).filter(|(sequence, _)| *sequence < end));
    }
    Ok(found)
}

/// What a former owner is told.
pub(crate) fn taken_over(run_id: &str) -> Error {
    let message = "Another process has taken this run over. Follow it there, with runs.follow.";
    Error::run_busy(message, run_id, RunStatus::Running.name())
}
