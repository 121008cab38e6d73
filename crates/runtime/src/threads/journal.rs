//! The record of a thread's journal. It leads to the messages of a thread that was deleted, has expired, was replaced
//! after it expired, or was never completed by an interrupted fork.
//!
//! ```text
//! 0    state     1 byte    0: in use or being made, 1: dead, 2: in use, and its oldest messages are folded
//! 1    created   u64be     epoch microseconds: the thread's position in lists
//! 9    thread    u16be length ‖ its id
//! …    actor     the rest; empty if there is none; in state 2 u16be length ‖ actor
//! …    fold      the rest in state 2: the JSON of what stands for the oldest messages
//! ```
//! A list in the order of time says when each journal is due (`sweep/journals.rs`). The sweeper, or the next deletion of
//! a thread, removes dead journals in bounded commits.

use std::sync::Arc;

use bailiwick_model::json;
use bailiwick_model::{Error, Kind, Result};
use bailiwick_tenancy::{ATTEMPTS, Access, Area, Change, Committed, Durability, List, Name, Record, When};
use futures_util::future::BoxFuture;

use super::head::{
    FOR_EVER, Head, damaged, head_name, journal_name, read_head, read_names, take_text, take_u64, write_names,
};
use super::message::STORED;
use crate::context::Fold;
use crate::handle::Threads;
use crate::sweep::journals;

const DEAD: u8 = 1;
const FOLDED: u8 = 2;
/// The number of other journals that one deletion checks.
const OTHERS_A_DELETION: usize = 32;

pub(crate) struct Journal {
    pub(crate) dead: bool,
    pub(crate) created_micros: u64,
    pub(crate) thread_id: String,
    pub(crate) actor: Option<String>,
    /// What stands for the oldest messages in the context of a model.
    pub(crate) fold: Option<Fold>,
}

impl Journal {
    /// The journal of a thread, without a fold.
    pub(crate) fn of(head: &Head) -> Self {
        let (thread_id, actor) = (head.thread_id.clone(), head.actor.clone());
        Self { dead: false, created_micros: head.created_micros, thread_id, actor, fold: None }
    }

    /// Returns the change that writes it. A dead journal has no fold.
    pub(crate) fn written(&self, name: Name, when: When) -> Change {
        let fold = self.fold.as_ref().filter(|_| !self.dead);
        let actor = self.actor.as_deref().unwrap_or_default();
        let mut body = vec![if fold.is_some() { FOLDED } else { u8::from(self.dead) }];
        body.extend_from_slice(&self.created_micros.to_be_bytes());
        match fold {
            None => write_names(&mut body, &self.thread_id, actor),
            Some(fold) => {
                write_names(&mut body, &self.thread_id, "");
                write_names(&mut body, actor, &json::to_text(fold));
            }
        }
        let (kind, area) = (Kind::Threads, Area::Record);
        Change::Write { kind, area, name, body, expires_at: None, counted: None, when }
    }

    fn read(body: &[u8]) -> Option<Self> {
        let (state, rest) = body.split_first()?;
        let (created_micros, rest) = take_u64(rest)?;
        let dead = *state == DEAD;
        if *state != FOLDED {
            let (thread_id, actor) = read_names(rest)?;
            return Some(Self { dead, created_micros, thread_id, actor, fold: None });
        }
        let (thread, rest) = take_text(rest)?;
        let (actor, fold) = take_text(rest)?;
        let (thread_id, actor) = (thread.to_owned(), Some(actor).filter(|actor| !actor.is_empty()).map(str::to_owned));
        let fold = Some(json::from_slice(fold, &STORED).ok()?);
        Some(Self { dead, created_micros, thread_id, actor, fold })
    }
}

/// Reads the record of a living thread's journal. `None`: it is gone.
///
/// # Errors
/// `StoreCorrupt` for a damaged one, and those of the store.
pub(super) async fn living(access: &Access, name: Name) -> Result<Option<(Arc<Record>, Journal)>> {
    let Some(record) = read_journal(access, name).await? else { return Ok(None) };
    let journal = Journal::read(&record.body).ok_or_else(damaged)?;
    Ok((!journal.dead).then_some((record, journal)))
}

/// Returns the lists that show a thread.
pub(crate) fn lists(actor: Option<&str>) -> impl Iterator<Item = List> {
    let own = actor.map(|actor| List { kind: Kind::Threads, filter: "actor", value: actor.to_owned() });
    std::iter::once(List::all(Kind::Threads)).chain(own)
}

/// Makes a journal due at `at` (epoch milliseconds).
pub(crate) fn due(name: Name, at: u64) -> Option<Change> {
    (at != FOR_EVER).then(|| journals::due(Kind::Threads, name, at))
}

/// Takes a journal off the list of due ones.
pub(crate) fn not_due(name: Name, at: u64) -> Option<Change> {
    (at != FOR_EVER).then(|| journals::not_due(Kind::Threads, name, at))
}

impl<'a> Threads<'a> {
    /// Deletes a thread with its messages. A run that owns it and those that are queued are cancelled first,
    /// their pending approvals are withdrawn, and calls that completed runs have left open are closed. `false`: absent, expired or foreign.
    ///
    /// # Errors
    /// `ThreadBusy` if other writers keep changing it, and those of the store.
    pub fn delete(self, thread_id: &'a str) -> BoxFuture<'a, Result<bool>> {
        Box::pin(async move {
            let Some(access) = self.handle.existing().await? else { return Ok(false) };
            for _ in 0..ATTEMPTS {
                let Some((record, head)) = read_head(&access, thread_id).await? else { return Ok(false) };
                // Else the next one would begin as soon as the one before it is cancelled.
                self.handle.runs().cancel_queued(&access, thread_id).await?;
                let (run, unowned) = self.handle.runs().thread_owner(&access, thread_id).await?;
                if let Some(run_id) = run {
                    match self.handle.runs().cancel(&run_id).await {
                        // The run ended or is being resumed: read again.
                        Ok(()) | Err(Error::NotFound | Error::ThreadBusy { .. }) => continue,
                        Err(error) => return Err(error),
                    }
                }
                self.handle.runs().close_left_of(&access, thread_id).await?;
                let journal = journal_name(&access, &head.journal);
                let (kind, area, name) = (Kind::Threads, Area::Record, head_name(&access, thread_id));
                let mut changes = vec![Change::Delete { kind, area, name, when: When::Version(record.version) }];
                changes.extend(unlisted(&head.actor, head.created_micros, name));
                changes.push(Journal { dead: true, ..Journal::of(&head) }.written(journal, When::Any));
                changes.extend(not_due(journal, head.listed_until));
                changes.extend(due(journal, 0));
                changes.push(unowned);
                // Without this wake-up, no row would tell the sweeper if this process ends now.
                changes.push(journals::wake_soon(kind, access.now()));
                if access.commit(changes, &self.handle.engine_limits, Durability::Sync).await? == Committed::Done {
                    // From here on the thread is deleted. If removing its messages fails, the next deletion does it.
                    if journals::discard(self.handle, &access, kind, journal, 0).await.is_ok() {
                        let _ = self.sweep(OTHERS_A_DELETION).await;
                    }
                    return Ok(true);
                }
            }
            Err(busy())
        })
    }

    /// Removes at most `most` (1 to 1,000) journals of deleted, expired and incomplete threads. Returns their number.
    ///
    /// # Errors
    /// `InvalidInput` for the number, and those of the store.
    pub async fn sweep(self, most: usize) -> Result<usize> {
        Ok(journals::sweep(self.handle, Kind::Threads, most).await?.items)
    }

    /// Marks a journal as dead. `false`: a thread lives in it.
    pub(crate) async fn retire(self, access: &Access, name: Name) -> Result<bool> {
        // Without a record, only the row that led here is left.
        let Some(record) = access.read(Kind::Threads, Area::Record, name).await? else { return Ok(true) };
        let journal = Journal::read(&record.body).ok_or_else(damaged)?;
        if journal.dead {
            return Ok(true);
        }
        let head = read_head(access, &journal.thread_id).await?;
        let mut changes = Vec::new();
        match head {
            Some((_, head)) if journal_name(access, &head.journal) == name => return Ok(false),
            // Another thread has the id now. The old one's list rows may still exist.
            Some(_) => {}
            // Removes what the expired head counted. An append that came in time makes this a conflict.
            None => {
                let (kind, area, name) = (Kind::Threads, Area::Record, head_name(access, &journal.thread_id));
                changes.push(Change::Delete { kind, area, name, when: When::Absent });
            }
        }
        changes.extend(unlisted(&journal.actor, journal.created_micros, head_name(access, &journal.thread_id)));
        // A fork that is about to write its head checks this version.
        changes.push(Journal { dead: true, ..journal }.written(name, When::Version(record.version)));
        Ok(access.commit(changes, &self.handle.engine_limits, Durability::Relaxed).await? == Committed::Done)
    }
}

pub(crate) async fn read_journal(access: &Access, name: Name) -> Result<Option<Arc<Record>>> {
    access.read(Kind::Threads, Area::Record, name).await
}

fn unlisted(actor: &Option<String>, micros: u64, name: Name) -> impl Iterator<Item = Change> {
    lists(actor.as_deref()).map(move |list| Change::Unlist { list, micros, name })
}

pub(super) fn busy() -> Error {
    Error::thread_busy("Other calls keep writing this thread. Try again.")
}
