//! Reads messages of a thread for a run: those that are not folded, and any that its model wants back.

use bailiwick_model::pace::{RECORD, ahead, ahead_of};
use bailiwick_model::{Kind, Result};
use bailiwick_tenancy::{Access, Change, Entries, Name, When};

use super::conversation::{BYTES_A_READ, MESSAGES_A_READ};
use super::head::journal_name;
use super::journal::{Journal, living};
use super::message::{entry_id, message_json, parse_message_id};
use super::read_head;
use crate::context::{Budget, Fold, Glance, begins_group, cut, is_users};
use crate::handle::TenantHandle;

/// The messages of a thread before a run: those that are folded, and the others.
#[derive(Debug, Default)]
pub(crate) struct History {
    pub(crate) fold: Option<Fold>,
    /// What was folded when it was read.
    pub(crate) known: Option<Fold>,
    /// The position of the first that is not folded.
    pub(crate) from: u64,
    /// As JSON texts, oldest first.
    pub(crate) messages: Vec<String>,
    /// Whether the thread has another fold.
    pub(crate) is_new: bool,
}

impl History {
    /// Folds the first of the messages.
    pub(crate) async fn fold(&mut self, count: usize) {
        let mut fold = self.fold.take().unwrap_or_default();
        for message in self.messages.drain(..count) {
            ahead_of(message.len()).await;
            fold.add(self.from, Glance::of(&message));
            self.from += 1;
            self.is_new = true;
        }
        self.fold = (fold.messages() > 0).then_some(fold);
    }

    /// Folds what does not fit.
    async fn fit(&mut self, budget: Budget) {
        let size = |at: usize| self.messages.get(at).map_or(0, |message| message.len().min(budget.largest()));
        let begins = |at: usize| self.messages.get(at).is_none_or(|message| begins_group(message));
        let count = cut(budget, self.messages.len(), size, begins);
        self.fold(count).await;
    }
}

/// Reads the messages of a thread before a position. What is folded is not read. If the others do not fit into the budget, the
/// oldest are folded as they are read, so that only a part of them is in memory at a time. `known`: the fold of the run itself.
///
/// # Errors
/// Those of the store.
pub(crate) async fn history(
    handle: &TenantHandle,
    access: &Access,
    thread_id: &str,
    before: u64,
    known: Option<Fold>,
    budget: Budget,
) -> Result<History> {
    let mut history = History { from: before, ..History::default() };
    let Some((_, head)) = read_head(access, thread_id).await? else { return Ok(history) };
    let (journal, before) = (journal_name(access, &head.journal), before.min(head.length));
    let stored = living(access, journal).await?.and_then(|(_, journal)| journal.fold);
    history.fold = known.or_else(|| stored.filter(|fold| fold.until <= before));
    history.known.clone_from(&history.fold);
    history.from = history.fold.as_ref().map_or(0, |fold| fold.until);
    let (held, mut next) = (handle.held_bytes(), history.from);
    let (mut size, mut bytes) = (0, 0);
    while next < before {
        let wanted = Entries { from: next, to: before - 1, reverse: false, limit: MESSAGES_A_READ };
        let part = access.part(Kind::Threads, journal, wanted, BYTES_A_READ).await?;
        let Some((last, _)) = part.entries.last() else { break };
        next = last + 1;
        for (_, entry) in &part.entries {
            ahead_of(entry.body.len()).await;
            let message = message_json(&entry.body)?;
            size += message.len().min(budget.largest());
            bytes += message.len() as u64;
            history.messages.push(message);
        }
        drop(part);
        if size > budget.room {
            history.fit(budget).await;
            size = history.messages.iter().map(|message| message.len().min(budget.largest())).sum();
            bytes = history.messages.iter().map(|message| message.len() as u64).sum();
        }
        handle.give_back_to(held + bytes);
    }
    if history.fold.is_none() {
        // Providers refuse a conversation that begins with an answer, or with a result without its call.
        let count = history.messages.iter().take_while(|message| !is_users(message)).count();
        history.fold(count).await;
    }
    Ok(history)
}

/// Returns the change that stores a fold with a thread, on condition that the thread is there. `None`: it is gone.
///
/// # Errors
/// Those of the store.
pub(crate) async fn fold_change(access: &Access, thread_id: &str, fold: &Fold) -> Result<Option<Change>> {
    let Some((_, head)) = read_head(access, thread_id).await? else { return Ok(None) };
    let name = journal_name(access, &head.journal);
    let Some((record, journal)) = living(access, name).await? else { return Ok(None) };
    let journal = Journal { fold: Some(fold.clone()), ..journal };
    Ok(Some(journal.written(name, When::Version(record.version))))
}

/// Reads a message of a thread before a position by its id. `None`: there is no such message.
///
/// # Errors
/// Those of the store.
pub(crate) async fn message_of(access: &Access, thread_id: &str, before: u64, id: &str) -> Result<Option<String>> {
    let Some((id, sequence)) = parse_message_id(id).filter(|(_, sequence)| *sequence < before) else { return Ok(None) };
    let Some((_, head)) = read_head(access, thread_id).await? else { return Ok(None) };
    let wanted = Entries { from: sequence, to: sequence, reverse: false, limit: 1 };
    let entries = access.entries(Kind::Threads, journal_name(access, &head.journal), wanted).await?;
    let found = entries.first().filter(|(_, entry)| entry_id(&entry.body) == Some(id));
    found.map(|(_, entry)| message_json(&entry.body)).transpose()
}

/// Messages of a thread, read from a position down.
pub(crate) struct MessagesBefore {
    journal: Name,
    end: u64,
}

/// Begins to read the messages of a thread before a position. `None`: the thread is gone.
///
/// # Errors
/// Those of the store.
pub(crate) async fn messages_before(access: &Access, thread_id: &str, before: u64) -> Result<Option<MessagesBefore>> {
    let Some((_, head)) = read_head(access, thread_id).await? else { return Ok(None) };
    Ok(Some(MessagesBefore { journal: journal_name(access, &head.journal), end: before.min(head.length) }))
}

impl MessagesBefore {
    /// Returns the next messages as JSON texts, newest first; none at the beginning of the thread. The caller gives back what they
    /// reserve.
    ///
    /// # Errors
    /// Those of the store.
    pub(crate) async fn next(&mut self, access: &Access) -> Result<Vec<String>> {
        let Some(last) = self.end.checked_sub(1) else { return Ok(Vec::new()) };
        let wanted = Entries { from: 0, to: last, reverse: true, limit: MESSAGES_A_READ };
        let part = access.part(Kind::Threads, self.journal, wanted, BYTES_A_READ).await?;
        self.end = part.entries.last().map_or(0, |(first, _)| *first);
        let mut messages = Vec::with_capacity(part.entries.len());
        for (_, entry) in &part.entries {
            ahead(RECORD + entry.body.len() as u64).await;
            messages.push(message_json(&entry.body)?);
        }
        Ok(messages)
    }
}
