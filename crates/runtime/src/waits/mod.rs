//! Waits: calls of runs that stay open until a person answers, an event comes, or a time does. A wait is settled once; its run
//! then goes on wherever it is taken up.
//!
//! A wait counts as an item of its kind while it is open, or its run has not taken its outcome yet.

mod record;
mod request;

use bailiwick_model::base32::{parse_prefixed_id, prefixed_id};
use bailiwick_model::json::{self, Json, Text};
use bailiwick_model::names::shown;
use bailiwick_model::pace::{ahead, ahead_of};
use bailiwick_model::{Error, Result};
use bailiwick_tenancy::{ATTEMPTS, Access, Change, Committed, Durability, List, check_limit, contended};
use serde::Deserialize;

use crate::actor::check_actor;
use crate::handle::{TenantHandle, Waits};
use crate::page::Page;
use crate::runs::run_name;
use crate::schema::{Schema, problems};
use crate::work;
use record::{GivenError, PREFIX, filtered};

pub(crate) use record::{Found, KIND, LONGEST_MS, Outcome, Stored, Wait, WaitKind, WaitRecord, WaitStatus, find};
pub(crate) use request::{WaitRequest, WaitingCall};

/// How many waits are closed in one commit, with four changes each.
pub(crate) const CLOSED_AT_ONCE: usize = 100;
/// The largest value that a wait is settled with, in bytes of JSON.
const VALUE_BYTES: usize = 64 << 10;
/// The longest code or message of an error that a wait is settled with, in bytes of UTF-8.
const ERROR_BYTES: usize = 4 << 10;
/// How many problems of a value are named.
const PROBLEMS: usize = 5;

/// Which waits to list.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct WaitFilter {
    /// Those of a run.
    pub run_id: Option<String>,
    /// `answer`, `event` or `time`.
    pub kind: Option<String>,
}

/// What a wait is settled with: `{ value }` or `{ error: { code, message } }`.
#[derive(Deserialize)]
#[serde(untagged, deny_unknown_fields)]
enum Given {
    Error { error: GivenError },
    Value { value: Json },
}

impl TenantHandle {
    /// Opens a wait for a call, with the next commit of its run: the wait, and the changes that write it. `opening`: how many that commit
    /// opens already. `run_until`: when the rows of the run expire.
    ///
    /// # Errors
    /// `InvalidInput` if it is too long; `QuotaExceeded` for `waits.open` and `items.waits`; those of the store.
    pub(crate) async fn open_wait(
        &self,
        access: &Access,
        request: WaitRequest,
        call: WaitingCall,
        opening: u64,
        run_until: Option<u64>,
    ) -> Result<(Wait, Vec<Change>)> {
        let usage = access.usage().await?;
        let open = usage.iter().find(|(kind, _)| *kind == KIND).map_or(0, |(_, count)| count.items) + opening;
        let limits = [("waits.open", Some(self.open_waits())), ("items.waits", self.item_limit(KIND))];
        for (quota, limit) in limits {
            if let Some(limit) = limit.filter(|limit| open >= *limit) {
                return Err(Error::QuotaExceeded { quota: quota.to_owned(), limit, used: open, more: 1 });
            }
        }
        let wait = request.open(prefixed_id(PREFIX, &self.scope.random()), call, access.now())?;
        let stored = Stored::new(access, wait, self.retention_ms(KIND));
        let changes = stored.created(access, run_until);
        Ok((stored.wait, changes))
    }

    /// Closes waits that their run does not take any more, in as few commits as that takes: it leaves those that are closed.
    ///
    /// # Errors
    /// Those of the store.
    pub(crate) async fn close_waits(&self, access: &Access, wait_ids: &[&str]) -> Result<()> {
        for ids in wait_ids.chunks(CLOSED_AT_ONCE) {
            let mut attempts = 0;
            loop {
                let changes = closing(access, ids).await?;
                let limits = bailiwick_tenancy::Limits::default();
                if access.commit(changes, &limits, Durability::Sync).await? == Committed::Done {
                    break;
                }
                attempts += 1;
                if attempts == ATTEMPTS {
                    return Err(contended());
                }
            }
        }
        Ok(())
    }
}

/// The changes that close waits that their run does not take any more.
///
/// # Errors
/// Those of the store.
pub(crate) async fn closing(access: &Access, wait_ids: &[&str]) -> Result<Vec<Change>> {
    let mut changes = Vec::new();
    for found in find(access, wait_ids).await?.into_iter().flatten() {
        let status = match found.stored.wait.status {
            WaitStatus::Open => WaitStatus::Cancelled,
            status if found.stored.outcome.is_some() => status,
            _ => continue,
        };
        changes.extend(found.closed(access, status)?);
    }
    Ok(changes)
}

impl Waits<'_> {
    /// A wait, JSON text.
    ///
    /// # Errors
    /// `NotFound` for every id that is not this tenant's, and those of the store.
    pub async fn get(self, wait_id: &str) -> Result<Text> {
        let (access, found) = self.found(wait_id).await?;
        Ok(text(&found.stored.shown(access.now())))
    }

    /// Lists waits, newest first: open ones, and those that have ended as long as they are kept.
    ///
    /// # Errors
    /// `InvalidInput` for a bad filter, limit or cursor, and those of the store.
    pub async fn list(self, filter: &WaitFilter, limit: usize, cursor: Option<&str>) -> Result<Page<Text>> {
        check_limit(limit)?;
        let kind =
            match filter.kind.as_deref() {
                None => None,
                Some(name) => Some(WaitKind::from_name(name).ok_or_else(|| {
                    Error::invalid(format!("kind must be answer, event or time, not {}.", shown(name)))
                })?),
            };
        let list = match (&filter.run_id, kind) {
            (Some(run_id), _) => filtered("run", run_id),
            (None, Some(kind)) => filtered("kind", kind.name()),
            (None, None) => List::all(KIND),
        };
        let Some(access) = self.handle.existing().await? else { return Page::of_nothing(cursor) };
        let page = access.record_page(&list, limit, cursor).await?;
        let mut items = Vec::with_capacity(page.records.len());
        for (micros, record) in page.records {
            let Some(record) = record else { continue };
            ahead_of(record.body.len()).await;
            let stored = Stored::read(&record.body)?;
            let is_wanted = kind.is_none_or(|kind| kind == stored.wait.kind)
                && filter.run_id.as_ref().is_none_or(|run_id| *run_id == stored.wait.run_id);
            if stored.micros() == micros && is_wanted {
                items.push(text(&stored.shown(access.now())));
            }
        }
        Ok(Page { items, cursor: page.cursor })
    }

    /// Settles a wait: once. `given` is the JSON text of `{ value }` or `{ error: { code, message } }`. The same again, by the same
    /// actor, is the same answer.
    ///
    /// # Errors
    /// `InvalidInput` for what its schema or its choices refuse, and of a time; `NotFound` for every id that is not this
    /// tenant's; `WaitClosed` if it was settled with something else, has expired or was cancelled; those of the store.
    pub async fn settle(self, wait_id: &str, given: &[u8], actor: Option<&str>) -> Result<Text> {
        actor.map_or(Ok(()), |actor| check_actor(actor, "actor"))?;
        let given = read_given(given)?;
        for _ in 0..ATTEMPTS {
            let (access, found) = self.found(wait_id).await?;
            let wait = &found.stored.wait;
            if wait.kind == WaitKind::Time {
                return Err(Error::invalid("Nobody settles a time: it comes by itself, or is cancelled."));
            }
            let (value, error) = match &given {
                Given::Value { value } => (Some(value.clone()), None),
                Given::Error { error } => (None, Some(error.clone())),
            };
            let settled_at = Some(access.now().max(wait.created_at));
            let outcome = Outcome { value, error, actor: actor.map(str::to_owned), settled_at };
            if wait.status == WaitStatus::Settled && found.stored.outcome_hash == Some(outcome.hash()) {
                let shown = found.stored.shown(access.now());
                let settled_at = shown.outcome.settled_at.or(found.stored.settled_at);
                return Ok(text(&WaitRecord { outcome: Outcome { settled_at, ..outcome }, ..shown }));
            }
            match wait.status_at(access.now()) {
                WaitStatus::Open => {}
                status => return Err(closed(status)),
            }
            check_value(wait, outcome.value.as_ref()).await?;
            let (run_until, due) = self.due(&access, wait)?;
            let (stored, change) = found.ended(&access, WaitStatus::Settled, outcome, run_until);
            let changes = [change].into_iter().chain(due).collect();
            let limits = bailiwick_tenancy::Limits::default();
            if access.commit(changes, &limits, Durability::Sync).await? == Committed::Done {
                return Ok(text(&stored.shown(access.now())));
            }
        }
        Err(contended())
    }

    /// Cancels a wait: its call fails. `false`: it has ended already.
    ///
    /// # Errors
    /// `NotFound` for every id that is not this tenant's, and those of the store.
    pub async fn cancel(self, wait_id: &str) -> Result<bool> {
        for _ in 0..ATTEMPTS {
            let (access, found) = self.found(wait_id).await?;
            if found.stored.wait.status_at(access.now()) != WaitStatus::Open {
                return Ok(false);
            }
            let (_, due) = self.due(&access, &found.stored.wait)?;
            let mut changes = found.closed(&access, WaitStatus::Cancelled)?;
            changes.extend(due);
            let limits = bailiwick_tenancy::Limits::default();
            if access.commit(changes, &limits, Durability::Sync).await? == Committed::Done {
                return Ok(true);
            }
        }
        Err(contended())
    }

    /// When the rows of the run of a wait expire, and the changes that let it go on now.
    fn due(self, access: &Access, wait: &Wait) -> Result<(Option<u64>, [Change; 3])> {
        let until = self.handle.runs().unfinished_until(access)?;
        Ok((until, work::due(access, run_name(access, &wait.run_id), access.now(), until)))
    }

    async fn found(self, wait_id: &str) -> Result<(Access, Found)> {
        if parse_prefixed_id(PREFIX, wait_id).is_none() {
            return Err(Error::NotFound);
        }
        let Some(access) = self.handle.existing().await? else { return Err(Error::NotFound) };
        match find(&access, &[wait_id]).await?.pop().flatten() {
            Some(found) => Ok((access, found)),
            None => Err(Error::NotFound),
        }
    }
}

fn text(record: &WaitRecord) -> Text {
    Text::new(json::to_text(record))
}

fn read_given(given: &[u8]) -> Result<Given> {
    if given.len() > VALUE_BYTES {
        let message =
            "A wait is settled with at most 64 KiB of JSON. Keep large values as references, and give their ids.";
        return Err(Error::invalid(message));
    }
    let json = json::parse(given, &json::Limits::default())?;
    let given = json::from_value(json)
        .map_err(|_| Error::invalid("Settle a wait with { value } or { error: { code, message } }."))?;
    if let Given::Error { error: GivenError { code, message } } = &given
        && (code.is_empty() || code.len() + message.len() > ERROR_BYTES)
    {
        return Err(Error::invalid(format!("error has a code and a message, together at most {ERROR_BYTES} bytes.")));
    }
    Ok(given)
}

/// # Errors
/// `InvalidInput`, with what the schema or the choices refuse.
async fn check_value(wait: &Wait, value: Option<&Json>) -> Result<()> {
    let Some(value) = value else { return Ok(()) };
    if let Some(choices) = &wait.choices
        && !value.as_str().is_some_and(|value| choices.iter().any(|choice| choice == value))
    {
        let choices: Vec<String> = choices.iter().map(|choice| shown(choice).to_string()).collect();
        return Err(Error::invalid(format!("The answer must be one of {}.", choices.join(", "))));
    }
    let Some(schema) = &wait.schema else { return Ok(()) };
    ahead(4 * schema.weight()).await;
    let schema = Schema::new(schema).map_err(|_| Error::damaged("The record of a wait"))?;
    match problems(&schema, value, PROBLEMS).await {
        None => Ok(()),
        Some(told) => Err(Error::invalid(format!("The value does not fit the schema of the wait: {told}"))),
    }
}

fn closed(status: WaitStatus) -> Error {
    let how = match status {
        WaitStatus::Expired => "Its time is over",
        WaitStatus::Cancelled => "It was cancelled, or its run has ended",
        WaitStatus::Open | WaitStatus::Settled => "It was settled with something else, or by somebody else",
    };
    Error::WaitClosed(format!("This wait is closed. {how}. Read it with waits.get."))
}
