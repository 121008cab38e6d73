//! Forks: a new thread that begins like another one, up to a message. The prefix is copied in bounded commits and the
//! head comes last, so that a fork is there wholly or not at all.

use bailiwick_model::base32::prefixed_id;
use bailiwick_model::{Error, Kind, Result};
use bailiwick_tenancy::{Access, Area, Change, Committed, Durability, Entries, Name, When};

use super::head::{Head, journal_name};
use super::journal::{Journal, due, read_journal};
use super::message::{entry_id, parse_message_id};
use super::{check_thread_id, new_entry, new_head, read_head};
use crate::handle::TenantHandle;
use crate::leftover;

/// How many entries one commit copies.
const ENTRIES_A_COMMIT: usize = 128;
/// How many bytes it copies, but for a single entry that has more.
const BYTES_A_COMMIT: u64 = 4 << 20;
/// How long a fork may take before what it copied is taken for left over, in milliseconds.
const FORK_MS: u64 = 60 * 60 * 1000;

impl TenantHandle {
    /// Makes a new thread of a thread's messages up to and with `through`, which keep their ids. Returns the new
    /// thread's id: `new_id`, or one that is made up.
    ///
    /// # Errors
    /// `NotFound`: no such thread or no such message in it. `InvalidInput` for a bad new id, `Conflict` if it is taken;
    /// `QuotaExceeded` and those of the store.
    pub async fn fork_thread(&self, thread_id: &str, through: &str, new_id: Option<&str>) -> Result<String> {
        if let Some(id) = new_id {
            check_thread_id(id)?;
        }
        let Some(access) = self.existing().await? else { return Err(Error::NotFound) };
        let (_, source) = read_head(&access, thread_id).await?.ok_or(Error::NotFound)?;
        // All that is read at a time; where there is no room for that, message by message.
        let largest = u64::from(source.largest);
        let (access, at_once) = match access.reserved(BYTES_A_COMMIT.max(largest).min(source.bytes)) {
            Err(Error::TooMuchInFlight { .. }) => (access.reserved(largest)?, largest),
            reserved => (reserved?, BYTES_A_COMMIT),
        };
        let last = find(&access, &source, through).await?;
        let new_id = new_id.map_or_else(|| prefixed_id("thr_", &self.scope.random()), str::to_owned);
        if read_head(&access, &new_id).await?.is_some() {
            return Err(taken());
        }
        let mut head = new_head(&access, self.scope.random(), &new_id, source.actor.clone());
        let journal = journal_name(&access, &head.journal);
        let until = access.now().saturating_add(FORK_MS);
        let mut changes = vec![Journal::of(&head).written(journal, When::Absent)];
        changes.extend(due(journal, until));
        changes.push(leftover::wake(Kind::Threads, until));
        self.done(access.commit(changes, &self.engine_limits, Durability::Sync).await?)?;
        let outcome = self.copy(&access, (&source, at_once), last, &mut head, journal, until).await;
        // After a failure the head may be there or not. What this cannot remove now is removed when its time is over.
        if outcome.is_err() && matches!(self.retire(&access, journal).await, Ok(true)) {
            let _ = self.discard(&access, Kind::Threads, journal, until).await;
        }
        outcome.map(|()| new_id)
    }

    async fn copy(
        &self,
        access: &Access,
        (source, at_once): (&Head, u64),
        last: u64,
        head: &mut Head,
        journal: Name,
        until: u64,
    ) -> Result<()> {
        let made = read_journal(access, journal).await?.ok_or_else(cut_off)?;
        let from = journal_name(access, &source.journal);
        while head.length <= last {
            let wanted = Entries { from: head.length, to: last, reverse: false, limit: ENTRIES_A_COMMIT };
            let entries = access.part(Kind::Threads, from, wanted, at_once).await?.entries;
            let before = head.length;
            let mut changes = Vec::with_capacity(entries.len());
            for (sequence, entry) in entries {
                if sequence == head.length {
                    changes.push(new_entry(journal, sequence, entry.body.clone()));
                    head.add(entry.body.len());
                }
            }
            if head.length == before {
                // The source was deleted meanwhile.
                return Err(Error::NotFound);
            }
            self.done(access.commit(changes, &self.engine_limits, Durability::Sync).await?)?;
        }
        let mut changes = self.created(access, head.clone(), Some(until))?;
        let (kind, area, when) = (Kind::Threads, Area::Record, When::Version(made.version));
        changes.push(Change::Check { kind, area, name: journal, when });
        match access.commit(changes, &self.engine_limits, Durability::Sync).await? {
            Committed::Done => Ok(()),
            // The head is the first change, the journal's check the last.
            Committed::Conflict(0) => Err(taken()),
            Committed::Conflict(_) => Err(cut_off()),
        }
    }
}

/// The place of a message in a thread.
async fn find(access: &Access, head: &Head, through: &str) -> Result<u64> {
    let (id, sequence) = parse_message_id(through).ok_or(Error::NotFound)?;
    if sequence >= head.length {
        return Err(Error::NotFound);
    }
    let wanted = Entries { from: sequence, to: sequence, reverse: false, limit: 1 };
    let entries = access.entries(Kind::Threads, journal_name(access, &head.journal), wanted).await?;
    match entries.first() {
        Some((_, entry)) if entry_id(&entry.body) == Some(id) => Ok(sequence),
        _ => Err(Error::NotFound),
    }
}

fn taken() -> Error {
    Error::Conflict("There is a thread with this id already. Choose another, or leave it out.".to_owned())
}

fn cut_off() -> Error {
    Error::StoreUnavailable("The fork took too long and was given up. Try again.".to_owned())
}
