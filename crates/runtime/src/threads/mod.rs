//! Threads: messages in the order in which they were appended. A thread is a head and the entries of a journal; an
//! append is one small commit whatever the length.

mod context;
mod fork;
mod head;
mod journal;
mod message;

use std::sync::Arc;

use bailiwick_model::{Error, Kind, Result};
use bailiwick_tenancy::{Access, Area, Change, Committed, Durability, Name, Record, When, bad_cursor, check_limit};

use crate::handle::{TenantHandle, expiry};
use crate::references::Page;
pub(crate) use context::{history, prompt_message};
use head::{FOR_EVER, Head, head_name, journal_name};
use journal::{Journal, due, lists, not_due};
use message::{NewMessage, is_label, message_id, message_json, parse_messages};

/// How often a change is tried again when others change the same thread.
const ATTEMPTS: usize = 16;

impl TenantHandle {
    /// Lists threads as `ThreadSummary`, those created last first; those that one actor began, or all.
    ///
    /// # Errors
    /// `InvalidInput` for a bad limit, actor or cursor, and those of the store.
    pub async fn list_threads(&self, actor: Option<&str>, limit: usize, cursor: Option<&str>) -> Result<Page> {
        check_limit(limit)?;
        if actor.is_some_and(|actor| !is_label(actor)) {
            return Err(Error::invalid("actor must have 1 to 256 bytes of UTF-8."));
        }
        let Some(access) = self.existing().await? else {
            return if cursor.is_some() { Err(bad_cursor()) } else { Ok(Page { items: Vec::new(), cursor: None }) };
        };
        let Some(list) = lists(actor).last() else { return Err(lost()) };
        let page = access.record_page(&list, limit, cursor).await?;
        let mut items = Vec::with_capacity(page.records.len());
        for (micros, record) in page.records {
            // The row may be left from an expired thread, whose id another one may have by now.
            let Some(record) = record else { continue };
            let head = Head::read(&record.body)?;
            if head.created_micros == micros {
                items.push(head.json());
            }
        }
        Ok(Page { items, cursor: page.cursor })
    }

    /// One page of a thread's messages, oldest first. It may have fewer than `limit` if they are large.
    ///
    /// # Errors
    /// `NotFound`: absent, expired or foreign. `InvalidInput` for a bad limit or cursor, and those of the store.
    pub async fn thread_messages(&self, thread_id: &str, limit: usize, cursor: Option<&str>) -> Result<Page> {
        check_limit(limit)?;
        let Some(access) = self.existing().await? else { return Err(Error::NotFound) };
        let (_, head) = read_head(&access, thread_id).await?.ok_or(Error::NotFound)?;
        let journal = journal_name(&access, &head.journal);
        let page = access.entry_page(Kind::Threads, journal, limit, cursor).await?;
        let end = page.entries.last().map_or(0, |(sequence, _)| sequence + 1);
        if page.cursor.is_none() && end < head.length {
            // It was deleted while it was read: entries go from the end.
            return Err(Error::NotFound);
        }
        let items = page.entries.into_iter().map(|(_, entry)| message_json(&entry.body)).collect::<Result<_>>()?;
        Ok(Page { items, cursor: page.cursor })
    }

    /// Appends messages (a JSON array, without ids), which creates the thread if there is none. All of them or none;
    /// durable when this resolves. Returns them with their ids, as JSON texts.
    ///
    /// # Errors
    /// `InvalidInput`; `Conflict` if the thread has another length than expected (an absent one has 0); `ThreadBusy` if
    /// others keep writing it; `QuotaExceeded` and those of the store.
    pub async fn append_messages(
        &self,
        thread_id: &str,
        messages: &[u8],
        expected_length: Option<u64>,
    ) -> Result<Vec<String>> {
        check_thread_id(thread_id)?;
        let _taken = self.parsing(messages, 2)?;
        let messages = parse_messages(messages)?;
        for message in &messages {
            self.check_value_bytes(message.byte_length())?;
        }
        let access = self.for_writing().await?;
        for _ in 0..ATTEMPTS {
            let current = read_head(&access, thread_id).await?;
            let length = current.as_ref().map_or(0, |(_, head)| head.length);
            if expected_length.is_some_and(|expected| expected != length) {
                return Err(Error::Conflict(format!(
                    "The thread has {length} messages, not the number expected. Read what is new and append again."
                )));
            }
            let (changes, entries) = self.appended(&access, thread_id, current, &messages)?;
            if access.commit(changes, &self.engine_limits, Durability::Sync).await? == Committed::Done {
                return entries.iter().map(|entry| message_json(entry)).collect();
            }
        }
        Err(busy())
    }

    /// The changes that append messages, and the entries they write.
    fn appended(
        &self,
        access: &Access,
        thread_id: &str,
        current: Option<(Arc<Record>, Head)>,
        messages: &[NewMessage],
    ) -> Result<(Vec<Change>, Vec<Vec<u8>>)> {
        let (before, head) = match current {
            Some((record, head)) => (Some(record), head),
            None => {
                let actor = messages.first().and_then(|message| message.actor.clone());
                (None, new_head(access, self.scope.random(), thread_id, actor))
            }
        };
        let mut after = head.clone();
        let journal = journal_name(access, &head.journal);
        let mut entries = Vec::with_capacity(messages.len());
        let mut changes = Vec::with_capacity(messages.len() + 6);
        for message in messages {
            let entry = message.entry(&message_id(after.length, self.scope.random()));
            changes.push(new_entry(journal, after.length, entry.clone()));
            after.add(entry.len());
            entries.push(entry);
        }
        match before {
            Some(record) => changes.extend(self.rewritten(access, &record, &head, after)?),
            None => changes.extend(self.created(access, after, None)?),
        }
        Ok((changes, entries))
    }

    /// The changes that put a thread where there is none: its head, its list rows and its journal's record. `due`: when
    /// the journal is to be looked at so far, if its record is there already.
    fn created(&self, access: &Access, mut head: Head, was_due: Option<u64>) -> Result<Vec<Change>> {
        let now = access.now();
        let ttl = self.retention_ms(Kind::Threads);
        let expires_at = expiry(now, ttl)?;
        (head.updated_at, head.listed_until) = (now, listed_until(expires_at, ttl));
        let (name, journal) = (head_name(access, &head.thread_id), journal_name(access, &head.journal));
        let mut changes = vec![written(name, &head, expires_at, When::Absent)];
        changes.extend(listed(&head, name));
        match was_due {
            None => changes.push(Journal::of(&head).written(journal, When::Absent)),
            Some(at) => changes.extend(not_due(journal, at)),
        }
        changes.extend(due(journal, head.listed_until));
        Ok(changes)
    }

    /// The changes that put the head of a thread anew. Its list rows outlive it by a while, so that they are only
    /// written again once in that while.
    fn rewritten(&self, access: &Access, record: &Record, before: &Head, mut after: Head) -> Result<Vec<Change>> {
        let now = access.now();
        let ttl = self.retention_ms(Kind::Threads);
        let expires_at = expiry(now, ttl)?.zip(record.expires_at).map(|(one, other)| one.max(other));
        after.updated_at = now.max(before.updated_at);
        let name = head_name(access, &after.thread_id);
        let mut changes = Vec::new();
        if expires_at.unwrap_or(FOR_EVER) > before.listed_until {
            after.listed_until = listed_until(expires_at, ttl);
            let journal = journal_name(access, &after.journal);
            changes.extend(listed(&after, name));
            changes.extend(not_due(journal, before.listed_until));
            changes.extend(due(journal, after.listed_until));
        }
        changes.push(written(name, &after, expires_at, When::Version(record.version)));
        Ok(changes)
    }
}

/// A thread's head and its record. `None`: absent, expired, deleted or foreign.
async fn read_head(access: &Access, thread_id: &str) -> Result<Option<(Arc<Record>, Head)>> {
    let record = access.read(Kind::Threads, Area::Record, head_name(access, thread_id)).await?;
    record.map(|record| Ok((record.clone(), Head::read(&record.body)?))).transpose()
}

/// A thread without messages, in a journal that nothing else is in.
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
    let expires_at = Some(head.listed_until).filter(|at| *at != FOR_EVER);
    let micros = head.created_micros;
    lists(head.actor.as_deref()).map(move |list| Change::List { list, micros, name, expires_at })
}

/// An eighth of the retention later than the thread itself.
fn listed_until(expires_at: Option<u64>, ttl_ms: Option<u64>) -> u64 {
    match (expires_at, ttl_ms) {
        (Some(at), Some(ttl)) => at.saturating_add(ttl / 8),
        _ => FOR_EVER,
    }
}

fn check_thread_id(thread_id: &str) -> Result<()> {
    if is_label(thread_id) { Ok(()) } else { Err(Error::invalid("threadId must have 1 to 256 bytes of UTF-8.")) }
}

fn busy() -> Error {
    Error::ThreadBusy("Others keep writing this thread. Try again.".to_owned())
}

fn lost() -> Error {
    Error::Internal("A thread could not be encoded.".to_owned())
}
