//! Reading journals: whole ones to go on with their runs, and parts of them to show.

use std::sync::Arc;

use bailiwick_model::json::Json;
use bailiwick_model::pace::{RECORD, ahead};
use bailiwick_model::{Error, Result};
use bailiwick_tenancy::{Access, Area, Entries, Record};

use super::End;
use super::block::{self, BlockHash};
use super::head::{KIND, RunHead, is_run_id, run_name};
use crate::references::glimpses;
use crate::runs::events::{Entry, damaged};
use crate::runs::state::RunState;

/// How many bytes of blocks are read at once, but for a single one that has more.
const PART_BYTES: u64 = 4 << 20;
/// How many blocks are read at once.
const BLOCKS_A_READ: usize = 64;

/// Reads a run's record, past the cache of opened records. `None`: absent, expired or foreign.
pub(crate) async fn read_head(access: &Access, run_id: &str) -> Result<Option<(RunHead, Arc<Record>)>> {
    if !is_run_id(run_id) {
        return Ok(None);
    }
    let rows = [(Area::Record, run_name(access, run_id))];
    let Some(record) = access.read_current(KIND, &rows).await?.pop().flatten() else { return Ok(None) };
    let head = RunHead::read(&record.body)?;
    if head.run_id == run_id { Ok(Some((head, record))) } else { Ok(None) }
}

/// A run as its journal gives it, and where the journal ends.
pub(crate) struct Replayed {
    pub(crate) state: RunState,
    pub(crate) end: End,
}

/// Reads a whole journal.
///
/// # Errors
/// `StoreCorrupt` if a block is missing, altered or put back.
pub(crate) async fn replay(access: &Access, head: &RunHead) -> Result<Replayed> {
    // The record says where the journal ended when it was written last; a shorter or another one was put back.
    let mut passed_head = head.next == 0;
    let passing = |end: &End| passed_head |= end.next == head.next && end.hash == head.hash;
    let replayed = read_on(access, &head.run_id, None, End::NONE, passing).await?;
    if passed_head { Ok(replayed) } else { Err(damaged()) }
}

impl Replayed {
    /// Reads what was appended since.
    pub(crate) async fn read_on(self, access: &Access) -> Result<Self> {
        let run_id = self.state.run_id.clone();
        read_on(access, &run_id, Some(self.state), self.end, |_| ()).await
    }
}

/// Reads the blocks behind an end. `passing`: told of the end behind each.
async fn read_on(
    access: &Access,
    run_id: &str,
    mut state: Option<RunState>,
    mut end: End,
    mut passing: impl FnMut(&End),
) -> Result<Replayed> {
    let name = run_name(access, run_id);
    loop {
        let wanted = Entries { from: end.next, to: u64::MAX, reverse: false, limit: BLOCKS_A_READ };
        let part = access.part(KIND, name, wanted, PART_BYTES).await?;
        let complete = part.entries.len() < BLOCKS_A_READ && !part.more;
        for (sequence, record) in part.entries {
            let (previous, entries) = read_block(access, &record.body).await?;
            if sequence != end.next || previous != end.hash {
                return Err(damaged());
            }
            for entry in &entries {
                match &mut state {
                    None => state = Some(RunState::begin(run_id, entry).ok_or_else(damaged)?),
                    Some(state) => state.take(entry).await.ok_or_else(damaged)?,
                }
            }
            end = end.behind(block::hash(&record.body), record.body.len() as u64, entries.len());
            passing(&end);
        }
        if complete {
            return Ok(Replayed { state: state.ok_or_else(damaged)?, end });
        }
    }
}

/// The hash of the block before, and the entries as they were: previews are read where they are stored, in the records of the
/// references. That of one that is gone is null.
async fn read_block(access: &Access, block: &[u8]) -> Result<(BlockHash, Vec<Entry>)> {
    // Parsed here, and then hashed or shown.
    ahead(RECORD + 2 * block.len() as u64).await;
    let (previous, mut entries) = block::read(block)?;
    let ids: Vec<String> = entries.iter().filter_map(Entry::kept_as).map(str::to_owned).collect();
    if !ids.is_empty() {
        let ids: Vec<&str> = ids.iter().map(String::as_str).collect();
        let mut previews = glimpses(access, &ids).await?.into_iter();
        for entry in entries.iter_mut().filter(|entry| entry.kept_as().is_some()) {
            entry.restore_preview(previews.next().flatten().unwrap_or(Json::Null));
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

/// Reads one or a few blocks with entries from a sequence on, each with that of its first.
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

/// Reads the entries before a sequence that are in the same block as the last of them, each with its own.
pub(crate) async fn read_before(access: &Access, run_id: &str, end: u64) -> Result<Vec<(u64, Entry)>> {
    let wanted = Entries { from: 0, to: end.saturating_sub(1), reverse: true, limit: 1 };
    let mut found = Vec::new();
    for (sequence, record) in access.entries(KIND, run_name(access, run_id), wanted).await? {
        let entries = read_block(access, &record.body).await?.1;
        found.extend((sequence..).zip(entries).filter(|(sequence, _)| *sequence < end));
    }
    Ok(found)
}
