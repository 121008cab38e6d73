//! Forks a thread: creates one that begins like another, up to a message. The prefix is copied in bounded commits and
//! the head is written last, so that a fork exists completely or not at all. Calls that are open behind that message
//! get results, so that the fork can be continued.

use std::collections::{BTreeSet, HashMap};

use bailiwick_model::base32::prefixed_id;
use bailiwick_model::json::Json;
use bailiwick_model::pace::{RECORD, ahead};
use bailiwick_model::{Error, Kind, Result};
use bailiwick_tenancy::{ATTEMPTS, Access, Area, Change, Committed, Durability, Entries, Name, When, contended};

use futures_util::future::BoxFuture;

use super::conversation::{BYTES_A_READ, MESSAGES_A_READ};
use super::head::{Head, journal_name};
use super::journal::{Journal, due, living, read_journal};
use super::message::{
    Exchange, NewMessage, Role, entry_id, exchanges, is_late, message_id, parse_message_id, stored_message,
};
use super::{check_thread_id, horizon, new_entry, new_head, read_head};
use crate::handle::Threads;
use crate::sweep::journals;

const ENTRIES_A_COMMIT: usize = 128;
/// Bytes copied in one commit; a single entry may have more.
const BYTES_A_COMMIT: u64 = 4 << 20;
/// The longest time of a fork in milliseconds. After it, the sweeper may remove the copy.
const FORK_MS: u64 = 60 * 60 * 1000;

impl<'a> Threads<'a> {
    /// Creates a thread from a thread's messages up to and with `through`, which keep their ids. Calls of theirs that
    /// are answered later in the source get these results; unanswered calls get one that says so. Returns the new
    /// thread's id: `new_id`, or a random one.
    ///
    /// # Errors
    /// `NotFound`: the thread or the message does not exist. `InvalidInput` for a bad new id, `Conflict` if it is
    /// taken; `QuotaExceeded` and those of the store.
    pub fn fork(self, thread_id: &'a str, through: &'a str, new_id: Option<&'a str>) -> BoxFuture<'a, Result<String>> {
        Box::pin(async move {
            if let Some(id) = new_id {
                check_thread_id(id)?;
            }
            let Some(access) = self.handle.existing().await? else { return Err(Error::NotFound) };
            let (_, source) = read_head(&access, thread_id).await?.ok_or(Error::NotFound)?;
            // Reserves all that is read at a time; if there is no room, each message.
            let largest = u64::from(source.largest);
            let (access, at_once) = match access.reserved(BYTES_A_COMMIT.max(largest).min(source.bytes)) {
                Err(Error::TooMuchInFlight { .. }) => (access.reserved(largest)?, largest),
                reserved => (reserved?, BYTES_A_COMMIT),
            };
            let through = find(&access, &source, through).await?;
            let Cut { last, results } = self.cut(&access, &source, through).await?;
            let new_id = new_id.map_or_else(|| prefixed_id("thr_", &self.handle.scope.random()), str::to_owned);
            if read_head(&access, &new_id).await?.is_some() {
                return Err(taken());
            }
            let mut head = new_head(&access, self.handle.scope.random(), &new_id, source.actor.clone());
            let journal = journal_name(&access, &head.journal);
            let until = access.now().saturating_add(FORK_MS);
            // What is folded of the source is folded of the copy, if the copy has all of it.
            let folded =
                living(&access, journal_name(&access, &source.journal)).await?.and_then(|(_, journal)| journal.fold);
            let fold = folded.filter(|fold| fold.until <= last + 1);
            let mut changes = vec![Journal { fold, ..Journal::of(&head) }.written(journal, When::Absent)];
            changes.extend(due(journal, until));
            changes.push(journals::wake(Kind::Threads, until));
            journals::unconditional(access.commit(changes, &self.handle.engine_limits, Durability::Sync).await?)?;
            let outcome = self.copy(&access, (&source, at_once), last, results, &mut head, journal, until).await;
            // After a failure the head may exist or not. A copy that cannot be removed now is removed when it is due.
            if outcome.is_err() && matches!(self.retire(&access, journal).await, Ok(true)) {
                let _ = journals::discard(self.handle, &access, Kind::Threads, journal, until).await;
            }
            outcome.map(|()| new_id)
        })
    }

    async fn copy(
        self,
        access: &Access,
        (source, at_once): (&Head, u64),
        last: u64,
        results: Vec<Json>,
        head: &mut Head,
        journal: Name,
        until: u64,
    ) -> Result<()> {
        let mut named = BTreeSet::new();
        let made = read_journal(access, journal).await?.ok_or_else(cut_off)?;
        let from = journal_name(access, &source.journal);
        while head.length <= last {
            let wanted = Entries { from: head.length, to: last, reverse: false, limit: ENTRIES_A_COMMIT };
            let entries = access.part(Kind::Threads, from, wanted, at_once).await?.entries;
            let before = head.length;
            let mut changes = Vec::with_capacity(entries.len());
            for (sequence, entry) in entries {
                if sequence == head.length {
                    named.extend(super::files_of(&entry.body).await?);
                    changes.push(new_entry(journal, sequence, entry.body.clone()));
                    head.add(entry.body.len());
                }
            }
            if head.length == before {
                // The source was deleted meanwhile.
                return Err(Error::NotFound);
            }
            journals::unconditional(access.commit(changes, &self.handle.engine_limits, Durability::Sync).await?)?;
        }
        let mut closing = Vec::new();
        if !results.is_empty() {
            let entry =
                closing_message(results, access.now())?.entry(&message_id(head.length, self.handle.scope.random()));
            closing.push(new_entry(journal, head.length, entry.clone()));
            head.add(entry.len());
        }
        let mut changes = self.created(access, head, Some(until))?;
        changes.extend(closing);
        self.keep_named(access, &named, horizon(head)).await?;
        let (kind, area, when) = (Kind::Threads, Area::Record, When::Version(made.version));
        changes.push(Change::Check { kind, area, name: journal, when });
        match access.commit(changes, &self.handle.engine_limits, Durability::Sync).await? {
            Committed::Done => Ok(()),
            // The head is the first change, the journal's check the last.
            Committed::Conflict(0) => Err(taken()),
            Committed::Conflict(_) => Err(cut_off()),
        }
    }
}

/// The position at which a thread is cut.
struct Cut {
    /// The position of the last message that is copied.
    last: u64,
    /// The results of calls that are open behind it.
    results: Vec<Json>,
}

impl Threads<'_> {
    /// Finds where a fork through this message ends: results of its calls that follow directly belong to it.
    async fn cut(self, access: &Access, head: &Head, through: u64) -> Result<Cut> {
        let mut open = self.open_calls(access, head, through).await?;
        let (mut last, mut at) = (through, through + 1);
        let mut later: HashMap<String, Json> = HashMap::new();
        while !open.iter().all(|id| later.contains_key(id)) && at < head.length {
            let before = self.handle.held_bytes();
            let wanted = Entries { from: at, to: head.length - 1, reverse: false, limit: MESSAGES_A_READ };
            let part = access.part(Kind::Threads, journal_name(access, &head.journal), wanted, BYTES_A_READ).await?;
            if part.entries.is_empty() {
                break;
            }
            for (sequence, entry) in &part.entries {
                ahead(RECORD + 2 * entry.body.len() as u64).await;
                let message = stored_message(&entry.body)?;
                let results = results_of(&message);
                if last + 1 == *sequence && Role::of(&message) == Some(Role::Tool) && !open.is_empty() {
                    open.retain(|id| !results.contains_key(id.as_str()));
                    last = *sequence;
                }
                for id in &open {
                    if later.contains_key(id) {
                        continue;
                    }
                    if let Some(result) = results.get(id.as_str()) {
                        later.insert(id.clone(), (*result).clone());
                    } else if exchanges(&message)
                        .iter()
                        .any(|(_, said)| matches!(said, Exchange::Call(call) if call == id))
                    {
                        // Results behind another call with the same id are that call's.
                        later.insert(id.clone(), unanswered(id));
                    }
                }
                at = sequence + 1;
            }
            drop(part);
            self.handle.give_back_to(before);
        }
        let results = open.into_iter().map(|id| later.remove(&id).unwrap_or_else(|| unanswered(&id))).collect();
        Ok(Cut { last, results })
    }

    /// Returns the calls of the last answer up to a position that have no result up to there.
    async fn open_calls(self, access: &Access, head: &Head, through: u64) -> Result<Vec<String>> {
        let (mut answered, mut end) = (BTreeSet::new(), through + 1);
        while end > 0 {
            let before = self.handle.held_bytes();
            let wanted = Entries { from: 0, to: end - 1, reverse: true, limit: MESSAGES_A_READ };
            let part = access.part(Kind::Threads, journal_name(access, &head.journal), wanted, BYTES_A_READ).await?;
            if part.entries.is_empty() {
                break;
            }
            for (sequence, entry) in &part.entries {
                ahead(RECORD + 2 * entry.body.len() as u64).await;
                let message = stored_message(&entry.body)?;
                let mut open = Vec::new();
                for (_, exchange) in exchanges(&message) {
                    match exchange {
                        Exchange::Result(id) => drop(answered.insert(id)),
                        Exchange::Call(id) => open.push(id),
                    }
                }
                if Role::of(&message) == Some(Role::Assistant) {
                    open.retain(|id| !answered.contains(id));
                    return Ok(open);
                }
                end = *sequence;
            }
            drop(part);
            self.handle.give_back_to(before);
        }
        Ok(Vec::new())
    }

    /// Extends references to `until`, and retries if other callers change them meanwhile.
    async fn keep_named(self, access: &Access, named: &BTreeSet<String>, until: Option<u64>) -> Result<()> {
        let ids: Vec<&str> = named.iter().map(String::as_str).collect();
        for _ in 0..ATTEMPTS {
            let changes = self.handle.references().extended(access, &ids, until).await?;
            if changes.is_empty()
                || access.commit(changes, &self.handle.engine_limits, Durability::Sync).await? == Committed::Done
            {
                return Ok(());
            }
        }
        Err(contended())
    }
}

/// Returns the results in a message, by their calls.
fn results_of(message: &Json) -> HashMap<&str, &Json> {
    let parts = message.get("parts").and_then(Json::as_array).unwrap_or_default().iter();
    let results = parts.filter(|part| part.get("type").and_then(Json::as_str) == Some("tool-result"));
    let results = results.filter(|part| !is_late(part));
    results.filter_map(|part| Some((part.get("callId")?.as_str()?, part))).collect()
}

/// Returns the result that a fork gives to a call without one.
fn unanswered(call_id: &str) -> Json {
    let object = |members: [(&str, Json); 2]| members.map(|(key, value)| (key.to_owned(), value)).to_vec();
    let told = [
        ("code", Json::from("INTERRUPTED")),
        ("message", Json::from("The conversation was forked before this call had a result.")),
    ];
    let mut members = object([("type", Json::from("tool-result")), ("callId", Json::from(call_id))]);
    let result = Json::Object(vec![("error".to_owned(), Json::Object(object(told)))]);
    members.extend(object([("result", result), ("isError", Json::Bool(true))]));
    Json::Object(members)
}

fn closing_message(results: Vec<Json>, at: u64) -> Result<NewMessage> {
    let members =
        [("role", Json::from("tool")), ("parts", Json::Array(results)), ("createdAt", Json::Number(at as f64))];
    NewMessage::of_run(&Json::Object(members.map(|(key, value)| (key.to_owned(), value)).to_vec()))
}

/// Returns the position of a message in a thread.
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
    Error::Conflict("A thread with this id exists already. Choose another id, or leave it out.".to_owned())
}

fn cut_off() -> Error {
    Error::StoreUnavailable("The fork took too long and was cancelled. Try again.".to_owned())
}
