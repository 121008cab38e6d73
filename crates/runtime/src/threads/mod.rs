//! Threads: messages in the order of their appends. A thread is a head and the entries of a journal. An append is one
//! small commit, however long the thread is.

mod context;
mod conversation;
mod fork;
mod head;
mod history;
mod journal;
mod message;

use std::collections::BTreeSet;
use std::sync::Arc;

use bailiwick_model::json::Text;
use bailiwick_model::pace::{RECORD, ahead, ahead_of};
use bailiwick_model::{Error, Kind, Result};
use bailiwick_tenancy::{
    ATTEMPTS, Access, Area, Change, Committed, Durability, Entries, Name, Record, When, check_limit,
};
use futures_util::future::BoxFuture;

use crate::actor::check_actor;
use crate::handle::{Threads, expiry};
use crate::page::Page;
use crate::references::all_there;
pub(crate) use context::{Appends, prompt_files, prompt_message};
use conversation::{Answers, BYTES_A_READ, MESSAGES_A_READ};
pub use head::ThreadSummary;
use head::{FOR_EVER, Head, head_name, journal_name, read_head};
pub(crate) use history::{History, fold_change, history, message_of, messages_before};
use journal::{Journal, busy, due, lists, not_due};
use message::{NewMessage, files, is_label, message_id, message_json, parse_messages, stored_message};

/// The prefix of a reference's id in JSON.
const REFERENCE: &[u8] = b"\"ref_";

impl<'a> Threads<'a> {
    /// Lists threads of one actor, or all, newest first.
    ///
    /// # Errors
    /// `InvalidInput` for a bad limit, actor or cursor, and those of the store.
    pub async fn list(self, actor: Option<&str>, limit: usize, cursor: Option<&str>) -> Result<Page<ThreadSummary>> {
        check_limit(limit)?;
        actor.map_or(Ok(()), |actor| check_actor(actor, "actor"))?;
        let Some(access) = self.handle.existing().await? else { return Page::of_nothing(cursor) };
        let Some(list) = lists(actor).last() else { return Err(lost()) };
        let page = access.record_page(&list, limit, cursor).await?;
        let mut items = Vec::with_capacity(page.records.len());
        for (micros, record) in page.records {
            // The row may be of an expired thread whose id another one has now.
            let Some(record) = record else { continue };
            let head = Head::read(&record.body)?;
            if head.created_micros == micros {
                items.push(head.summary());
            }
        }
        Ok(Page { items, cursor: page.cursor })
    }

    /// Returns a page of a thread's messages, oldest first. A page of large messages may have fewer than `limit`.
    ///
    /// # Errors
    /// `NotFound`: absent, expired or foreign. `InvalidInput` for a bad limit or cursor, and those of the store.
    pub async fn messages(self, thread_id: &str, limit: usize, cursor: Option<&str>) -> Result<Page<Text>> {
        check_limit(limit)?;
        let Some(access) = self.handle.existing().await? else { return Err(Error::NotFound) };
        let (_, head) = read_head(&access, thread_id).await?.ok_or(Error::NotFound)?;
        let journal = journal_name(&access, &head.journal);
        let page = access.entry_page(Kind::Threads, journal, limit, cursor).await?;
        let end = page.entries.last().map_or(0, |(sequence, _)| sequence + 1);
        if page.cursor.is_none() && end < head.length {
            // The thread was deleted while it was read: entries are removed from the end.
            return Err(Error::NotFound);
        }
        let items = page
            .entries
            .into_iter()
            .map(|(_, entry)| message_json(&entry.body).map(Text::new))
            .collect::<Result<_>>()?;
        Ok(Page { items, cursor: page.cursor })
    }

    /// Appends messages (a JSON array, without ids), and creates the thread if necessary: all of them or none, durable
    /// when this resolves. Returns them with their ids.
    ///
    /// # Errors
    /// `InvalidInput`; `Conflict` if the thread has another length than expected (an absent one has 0); `NotFound` for
    /// a file part whose reference does not exist; `ThreadBusy` if other writers keep changing it, or for the result of
    /// a call that a run waits for; `QuotaExceeded` and those of the store.
    pub fn append(
        self,
        thread_id: &'a str,
        messages: &'a [u8],
        expected_length: Option<u64>,
    ) -> BoxFuture<'a, Result<Vec<Text>>> {
        Box::pin(async move {
            check_thread_id(thread_id)?;
            let _taken = self.handle.parsing(messages, 2)?;
            let messages = parse_messages(messages, self.handle.scope.now())?;
            let answers = conversation::check(&messages)?;
            for message in &messages {
                self.handle.check_value_bytes(message.byte_length())?;
            }
            let access = match self.handle.existing().await? {
                Some(access) => access,
                // A rejected call does not create the tenant.
                None if messages.iter().any(|message| !message.files.is_empty()) => return Err(Error::NotFound),
                None => self.handle.for_writing().await?,
            };
            for _ in 0..ATTEMPTS {
                let current = read_head(&access, thread_id).await?;
                let length = current.as_ref().map_or(0, |(_, head)| head.length);
                if expected_length.is_some_and(|expected| expected != length) {
                    return Err(Error::Conflict(format!(
                        "The thread has {length} messages, not the number expected. Read what is new and append again."
                    )));
                }
                let mut conditions = Vec::new();
                if !answers.is_empty() {
                    conditions =
                        self.answering(&access, thread_id, current.as_ref().map(|(_, head)| head), &answers).await?;
                }
                let (mut changes, entries) =
                    self.appended(&access, thread_id, current, &messages, Appends::Prompt).await?;
                changes.extend(conditions);
                if access.commit(changes, &self.handle.engine_limits, Durability::Sync).await? == Committed::Done {
                    let mut appended = Vec::with_capacity(entries.len());
                    for entry in &entries {
                        ahead_of(entry.len()).await;
                        appended.push(Text::new(message_json(entry)?));
                    }
                    return Ok(appended);
                }
            }
            Err(busy())
        })
    }

    /// Returns the changes that append messages, and the entries they write. The references that the thread's messages
    /// name live as long as it does.
    async fn appended(
        self,
        access: &Access,
        thread_id: &str,
        current: Option<(Arc<Record>, Head)>,
        messages: &[NewMessage],
        appends: Appends,
    ) -> Result<(Vec<Change>, Vec<Vec<u8>>)> {
        let mut named: BTreeSet<String> = messages.iter().flat_map(|message| message.files.iter().cloned()).collect();
        if appends == Appends::Prompt && !named.is_empty() {
            let ids: Vec<&str> = named.iter().map(String::as_str).collect();
            if !all_there(access, &ids).await? {
                return Err(Error::NotFound);
            }
        }
        let until = if let Appends::Said { until } = appends { until } else { None };
        let (before, head) = match current {
            Some((record, head)) => (Some(record), head),
            None => {
                let actor = messages.first().and_then(|message| message.actor.clone());
                (None, new_head(access, self.handle.scope.random(), thread_id, actor))
            }
        };
        let mut after = head.clone();
        let journal = journal_name(access, &head.journal);
        let mut entries = Vec::with_capacity(messages.len());
        let mut changes = Vec::with_capacity(messages.len() + 6);
        for message in messages {
            ahead_of(message.byte_length()).await;
            let entry = message.entry(&message_id(after.length, self.handle.scope.random()));
            changes.push(new_entry(journal, after.length, entry.clone()));
            after.add(entry.len());
            entries.push(entry);
        }
        match before {
            Some(record) => {
                changes.extend(self.rewritten(access, &record, &head, &mut after, until)?);
                if after.listed_until != head.listed_until {
                    named.extend(self.named_in(access, &head).await?);
                }
            }
            None => changes.extend(self.created(access, &mut after, None)?),
        }
        if !named.is_empty() {
            let ids: Vec<&str> = named.iter().map(String::as_str).collect();
            changes.extend(self.handle.references().extended(access, &ids, horizon(&after)).await?);
        }
        Ok((changes, entries))
    }

    /// Returns the condition for appending results of a thread's calls: no run waits for them.
    async fn answering(
        self,
        access: &Access,
        thread_id: &str,
        head: Option<&Head>,
        answers: &Answers,
    ) -> Result<Vec<Change>> {
        let empty = new_head(access, [0; 16], thread_id, None);
        self.check_answers(access, head.unwrap_or(&empty), answers.clone()).await?;
        match self.handle.runs().thread_owner(access, thread_id).await? {
            (Some(run_id), _) => Err(self.handle.runs().busy_with(access, &run_id).await?),
            (None, condition) => Ok(vec![condition]),
        }
    }

    /// Returns the references that the messages of a thread name.
    async fn named_in(self, access: &Access, head: &Head) -> Result<BTreeSet<String>> {
        let journal = journal_name(access, &head.journal);
        let (mut named, mut from) = (BTreeSet::new(), 0);
        while from < head.length {
            let before = self.handle.held_bytes();
            let wanted = Entries { from, to: head.length - 1, reverse: false, limit: MESSAGES_A_READ };
            let part = access.part(Kind::Threads, journal, wanted, BYTES_A_READ).await?;
            let Some((last, _)) = part.entries.last() else { break };
            from = last + 1;
            for (_, entry) in &part.entries {
                named.extend(files_of(&entry.body).await?);
            }
            drop(part);
            self.handle.give_back_to(before);
        }
        Ok(named)
    }

    /// Returns the changes that create a thread: its head, its list rows and its journal's record. `was_due` is the
    /// time at which an existing journal is due.
    fn created(self, access: &Access, head: &mut Head, was_due: Option<u64>) -> Result<Vec<Change>> {
        let now = access.now();
        let ttl = self.handle.retention_ms(Kind::Threads);
        let expires_at = expiry(now, ttl)?;
        (head.updated_at, head.listed_until) = (now, listed_until(expires_at, ttl));
        let (name, journal) = (head_name(access, &head.thread_id), journal_name(access, &head.journal));
        let mut changes = vec![written(name, head, expires_at, When::Absent)];
        changes.extend(listed(head, name));
        match was_due {
            None => changes.push(Journal::of(head).written(journal, When::Absent)),
            Some(at) => changes.extend(not_due(journal, at)),
        }
        changes.extend(due(journal, head.listed_until));
        Ok(changes)
    }

    /// Returns the changes that replace the head of a thread, which lives at least until `until`. Its list rows, and
    /// the references that it names, outlive it by a while, so that not every append writes them again.
    fn rewritten(
        self,
        access: &Access,
        record: &Record,
        before: &Head,
        after: &mut Head,
        until: Option<u64>,
    ) -> Result<Vec<Change>> {
        let now = access.now();
        let ttl = self.handle.retention_ms(Kind::Threads);
        let expires_at = expiry(now, ttl)?.zip(record.expires_at).map(|(one, other)| one.max(other));
        let expires_at = expires_at.map(|at| at.max(until.unwrap_or(0)));
        after.updated_at = now.max(before.updated_at);
        let name = head_name(access, &after.thread_id);
        let mut changes = Vec::new();
        if expires_at.unwrap_or(FOR_EVER) > before.listed_until {
            after.listed_until = listed_until(expires_at, ttl);
            let journal = journal_name(access, &after.journal);
            changes.extend(listed(after, name));
            changes.extend(not_due(journal, before.listed_until));
            changes.extend(due(journal, after.listed_until));
        }
        changes.push(written(name, after, expires_at, When::Version(record.version)));
        Ok(changes)
    }
}

/// Returns whether the thread exists.
pub(crate) async fn thread_is_there(access: &Access, thread_id: &str) -> Result<bool> {
    Ok(read_head(access, thread_id).await?.is_some())
}

/// Returns a thread without messages, in a journal of its own.
fn new_head(access: &Access, journal: [u8; 16], thread_id: &str, actor: Option<String>) -> Head {
    Head {
        journal,
        length: 0,
        bytes: 0,
        largest: 0,
        created_micros: access.next_micros(),
        updated_at: 0,
        listed_until: 0,
        thread_id: thread_id.to_owned(),
        actor,
    }
}

fn written(name: Name, head: &Head, expires_at: Option<u64>, when: When) -> Change {
    let (kind, area, counted) = (Kind::Threads, Area::Record, Some(head.bytes));
    Change::Write { kind, area, name, body: head.write(), expires_at, counted, when }
}

fn new_entry(journal: Name, sequence: u64, body: Vec<u8>) -> Change {
    let (kind, area, when) = (Kind::Threads, Area::Entry(sequence), When::Absent);
    Change::Write { kind, area, name: journal, body, expires_at: None, counted: None, when }
}

fn listed(head: &Head, name: Name) -> impl Iterator<Item = Change> {
    let expires_at = horizon(head);
    let micros = head.created_micros;
    lists(head.actor.as_deref()).map(move |list| Change::List { list, micros, name, expires_at })
}

/// Returns the expiry of a thread's list rows, and of the references that it names.
fn horizon(head: &Head) -> Option<u64> {
    Some(head.listed_until).filter(|at| *at != FOR_EVER)
}

/// Returns the references that a message names. The bytes of most messages show that they name none.
async fn files_of(entry: &[u8]) -> Result<Vec<String>> {
    if !entry.windows(REFERENCE.len()).any(|bytes| bytes == REFERENCE) {
        return Ok(Vec::new());
    }
    ahead(RECORD + 2 * entry.len() as u64).await;
    Ok(files(&stored_message(entry)?).map(str::to_owned).collect())
}

/// Returns a time an eighth of the retention after the thread's expiry.
fn listed_until(expires_at: Option<u64>, ttl_ms: Option<u64>) -> u64 {
    match (expires_at, ttl_ms) {
        (Some(at), Some(ttl)) => at.saturating_add(ttl / 8),
        _ => FOR_EVER,
    }
}

fn check_thread_id(thread_id: &str) -> Result<()> {
    if is_label(thread_id) { Ok(()) } else { Err(Error::invalid("threadId must have 1 to 256 bytes of UTF-8.")) }
}

fn lost() -> Error {
    Error::internal("A thread could not be encoded.")
}
