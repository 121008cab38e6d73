//! Plans: versions that are written once, and a head with the number and the status of the newest one.

mod content;
mod record;

use std::sync::Arc;

use bailiwick_model::base32::prefixed_id;
use bailiwick_model::json::{self, Text};
use bailiwick_model::ledger::Hash;
use bailiwick_model::pace::ahead_of;
use bailiwick_model::{Error, Kind, Result};
use bailiwick_tenancy::{
    ATTEMPTS, Access, Area, Change, Committed, Durability, Entries, List, Name, Record, When, check_limit, contended,
};
use futures_util::future::BoxFuture;

use crate::handle::{Plans, VALUE_BYTES, expiry};
use crate::page::Page;
use crate::references::later;
use content::{Draft, is_plan_id};
use data_encoding::HEXLOWER;
use record::{Entry, Head, Previous, damaged};
pub use record::{Plan, PlanStatus, PlanSummary};

/// The most versions of a plan. All of them are kept as long as the plan, and extended together in one commit.
const VERSIONS: u64 = 1000;
const KIND: Kind = Kind::Plans;

/// A head as it was read.
pub(crate) struct Found {
    pub(crate) head: Head,
    name: Name,
    record: Arc<Record>,
}

impl<'a> Plans<'a> {
    /// Saves a plan, given as the JSON text of `{ type, planId?, goal, steps, details? }`: as version 1, or as the next
    /// version of the plan with this id, which is a draft again. Durable when this resolves.
    ///
    /// # Errors
    /// `InvalidInput`; `Conflict` if the plan does not have `expected_version` (0: if it exists), where that is given;
    /// `QuotaExceeded` and those of the store.
    pub fn save(self, plan: &'a [u8], expected_version: Option<u64>) -> BoxFuture<'a, Result<Plan>> {
        Box::pin(async move {
            let _taken = self.handle.parsing(plan, 3)?;
            let draft = self.check(plan).await?;
            let access = self.handle.for_writing().await?;
            let plan_id = draft.plan_id.unwrap_or_else(|| prefixed_id("plan_", &self.handle.scope.random()));
            for _ in 0..ATTEMPTS {
                let found = find(&access, &plan_id, Reading::Current).await?;
                let version = found.as_ref().map_or(0, |found| found.head.version);
                if expected_version.is_some_and(|expected| expected != version) {
                    return Err(unexpected(version));
                }
                let (plan, changes) = self.next_version(&access, &plan_id, &draft.content, found.as_ref())?;
                match access.commit(changes, &self.handle.engine_limits, Durability::Sync).await? {
                    Committed::Done => return Ok(plan),
                    // Another caller was faster.
                    Committed::Conflict(0) => {}
                    // The head is as expected, but the versions below it are not.
                    Committed::Conflict(_) => return Err(damaged()),
                }
            }
            Err(contended())
        })
    }

    /// Reads a plan and checks that it may be saved.
    ///
    /// # Errors
    /// `InvalidInput` and `QuotaExceeded`.
    pub(crate) async fn check(self, plan: &[u8]) -> Result<Draft> {
        let draft = Draft::read(plan)?;
        if let Some(rules) = self.handle.catalogue.plan(&draft.content.type_name) {
            rules.check(&draft.content.type_name, draft.content.details.as_ref()).await?;
        }
        let draft = Draft { content: draft.content.sorted(), ..draft };
        self.handle.check_value_bytes(draft.content.byte_length())?;
        Ok(draft)
    }

    /// Returns a new plan under a new id, and the changes that save it in another commit.
    pub(crate) async fn new_plan(self, access: &Access, plan: &[u8]) -> Result<(Plan, Vec<Change>)> {
        let draft = self.check(plan).await?;
        let plan_id = prefixed_id("plan_", &self.handle.scope.random());
        self.next_version(access, &plan_id, &draft.content, None)
    }

    /// Loads the newest or the given version of a plan.
    ///
    /// # Errors
    /// `NotFound` for every plan or version that is not this tenant's, `StoreCorrupt` if the newest version is not the
    /// one that was saved last, and those of the store.
    pub async fn load(self, plan_id: &str, version: Option<u64>) -> Result<Plan> {
        let Some(access) = self.handle.existing().await? else { return Err(Error::NotFound) };
        let mut found = find(&access, plan_id, Reading::Opened).await?.ok_or(Error::NotFound)?;
        for _ in 0..ATTEMPTS {
            let head = &found.head;
            let wanted = version.unwrap_or(head.version);
            if wanted == 0 || wanted > VERSIONS {
                return Err(Error::NotFound);
            }
            let rows = [wanted, wanted + 1, head.version + 1].map(|version| (Area::Entry(version), found.name));
            let [entry, next, beyond] = three(access.read_current(KIND, &rows).await?).await?;
            if beyond.is_none() && entry.is_some() == (wanted <= head.version) {
                return assemble(head, wanted, &entry.ok_or(Error::NotFound)?, next.as_ref());
            }
            found = again(&access, found).await?;
        }
        Err(contended())
    }

    /// Lists plans, newest first.
    ///
    /// # Errors
    /// `InvalidInput` for a bad limit or cursor, and those of the store.
    pub async fn list(self, limit: usize, cursor: Option<&str>) -> Result<Page<PlanSummary>> {
        check_limit(limit)?;
        let Some(access) = self.handle.existing().await? else { return Page::of_nothing(cursor) };
        let page = access.record_page(&List::all(KIND), limit, cursor).await?;
        let mut items = Vec::with_capacity(page.records.len());
        for (micros, record) in page.records {
            let Some(record) = record else { continue };
            let head = Head::read(&record.body)?;
            // A row of an earlier plan with the same id is skipped.
            if head.created_micros == micros {
                items.push(head.summary());
            }
        }
        Ok(Page { items, cursor: page.cursor })
    }

    /// Returns all versions of a plan, oldest first, as JSON texts of [`Plan`]: parsed, they may take many times the
    /// memory. All of them are reserved before any is read.
    ///
    /// # Errors
    /// `NotFound`, `StoreCorrupt` if a version is missing or altered, `TooMuchInFlight` if there is no room for all of
    /// them (load them one by one then), and those of the store.
    pub async fn history(self, plan_id: &str) -> Result<Vec<Text>> {
        let Some(access) = self.handle.existing().await? else { return Err(Error::NotFound) };
        let mut found = find(&access, plan_id, Reading::Current).await?.ok_or(Error::NotFound)?;
        for _ in 0..ATTEMPTS {
            let all = Entries { from: 1, to: u64::MAX, reverse: false, limit: VERSIONS as usize + 1 };
            let entries = access.reserved(found.head.byte_length)?.entries(KIND, found.name, all).await?;
            let complete = entries.len() as u64 == found.head.version
                && entries.iter().zip(1..).all(|((sequence, _), version)| *sequence == version);
            if complete {
                // One by one, so that at most two of them are parsed at once.
                let mut texts = Vec::with_capacity(entries.len());
                let mut entries = entries.into_iter();
                let mut entry = read(entries.next().map(|(_, record)| record)).await?;
                while let Some(version) = entry {
                    let next = read(entries.next().map(|(_, record)| record)).await?;
                    let number = texts.len() as u64 + 1;
                    let plan = assemble(&found.head, number, &version, next.as_ref())?;
                    texts.push(Text::new(json::to_text(&plan)));
                    entry = next;
                }
                return Ok(texts);
            }
            found = again(&access, found).await?;
        }
        Err(contended())
    }

    /// Returns the changes that set the status of a plan's newest version, for another commit. `None` if the plan does
    /// not exist, if its newest version has another hash, or if its status cannot become this one. A conflict at the
    /// head's change means that the plan has changed since. `definition` is the hash of its tools' definitions at the
    /// approval; `None` keeps the stored one.
    pub(crate) async fn status_changes(
        self,
        access: &Access,
        plan_id: &str,
        expected_hash: &str,
        status: PlanStatus,
        definition: Option<Hash>,
    ) -> Result<Option<Vec<Change>>> {
        let Some(Found { mut head, name, record }) = find(access, plan_id, Reading::Current).await? else {
            return Ok(None);
        };
        if head.hash != expected_hash || !head.status.may_become(status) {
            return Ok(None);
        }
        head.status = status;
        head.definition = definition.map(|hash| HEXLOWER.encode(&hash)).or(head.definition);
        head.updated_at = access.now().max(head.updated_at);
        Ok(Some(vec![write_head(&head, name, record.expires_at, When::Version(record.version))]))
    }

    /// Returns the newest version of a plan, for an approval.
    ///
    /// # Errors
    /// `NotFound`; `Conflict` for a plan that runs or has run.
    pub(crate) async fn to_approve(self, plan_id: &str) -> Result<Plan> {
        let plan = self.load(plan_id, None).await?;
        if plan.status.may_become(PlanStatus::Approved) {
            Ok(plan)
        } else {
            Err(Error::Conflict(format!(
                "The plan is {} and cannot be approved again. Save a new version and request an approval of that.",
                plan.status.name()
            )))
        }
    }

    /// Returns the hash of the definitions of a plan's tools, as this handle has them.
    pub(crate) fn definition_of(self, plan: &Plan) -> Hash {
        let steps = plan.steps.as_array().unwrap_or_default();
        self.handle.catalogue.agents.definition_of(steps.iter().filter_map(|step| step.get("tool")?.as_str()))
    }

    /// Returns the next version of a plan and the changes that write it: the head first.
    fn next_version(
        self,
        access: &Access,
        plan_id: &str,
        content: &content::Content,
        found: Option<&Found>,
    ) -> Result<(Plan, Vec<Change>)> {
        let version = found.map_or(0, |found| found.head.version) + 1;
        let name = access.name(KIND, plan_id.as_bytes());
        let created_micros = found.map_or_else(|| access.next_micros(), |found| found.head.created_micros);
        let now = access.now().max(found.map_or(created_micros / 1000, |found| found.head.updated_at));
        let entry = Entry {
            content: content.clone(),
            saved_at: now,
            previous: found.map(|Found { head, .. }| Previous {
                hash: head.hash.clone(),
                status: head.status,
                updated_at: head.updated_at,
            }),
        };
        let body = entry.write();
        let byte_length = found.map_or(0, |found| found.head.byte_length) + body.len() as u64;
        if version > VERSIONS || byte_length > VALUE_BYTES as u64 {
            return Err(Error::invalid(format!(
                "This plan has all the versions it can have: {VERSIONS}, or 64 MiB together. Save it under a new planId."
            )));
        }
        let expires_at = expiry(access.now(), self.handle.retention_ms(KIND))?;
        let expires_at = found.map_or(expires_at, |found| later(found.record.expires_at, expires_at));
        let head = Head {
            plan_id: plan_id.to_owned(),
            type_name: content.type_name.clone(),
            version,
            hash: content.hash(plan_id, version),
            status: PlanStatus::Draft,
            goal: content.goal.clone(),
            updated_at: now,
            created_at: created_micros / 1000,
            created_micros,
            byte_length,
            definition: None,
        };
        let plan = assemble(&head, version, &entry, None)?;
        let when = found.map_or(When::Absent, |found| When::Version(found.record.version));
        let mut changes = vec![write_head(&head, name, expires_at, when)];
        let area = Area::Entry(version);
        changes.push(Change::Write { kind: KIND, area, name, body, expires_at, counted: None, when: When::Absent });
        if found.is_none_or(|found| found.record.expires_at != expires_at) {
            changes.push(Change::List { list: List::all(KIND), micros: created_micros, name, expires_at });
            let older = (1..version).map(Area::Entry);
            changes.extend(older.map(|area| Change::Extend { kind: KIND, area, name, expires_at }));
        }
        Ok((plan, changes))
    }
}

/// The source of a head.
#[derive(Clone, Copy)]
enum Reading {
    /// The decrypted-record cache, or else the engine.
    Opened,
    Current,
}

/// Finds a plan. A malformed id is not looked up; every other id is read in the same way, so that timing does not
/// reveal other tenants.
async fn find(access: &Access, plan_id: &str, reading: Reading) -> Result<Option<Found>> {
    if !is_plan_id(plan_id) {
        return Ok(None);
    }
    let name = access.name(KIND, plan_id.as_bytes());
    let record = match reading {
        Reading::Opened => access.read(KIND, Area::Record, name).await?,
        Reading::Current => access.read_current(KIND, &[(Area::Record, name)]).await?.pop().flatten(),
    };
    let Some(record) = record else { return Ok(None) };
    let head = Head::read(&record.body)?;
    Ok((head.plan_id == plan_id).then_some(Found { head, name, record }))
}

/// Reads a head again after its versions did not match it. Head and versions change together: if the head is unchanged,
/// they never matched.
async fn again(access: &Access, before: Found) -> Result<Found> {
    let now = find(access, &before.head.plan_id, Reading::Current).await?.ok_or(Error::NotFound)?;
    if now.record.version == before.record.version { Err(damaged()) } else { Ok(now) }
}

/// Reads the versions in these rows.
async fn three(records: Vec<Option<Arc<Record>>>) -> Result<[Option<Entry>; 3]> {
    let mut entries = Vec::with_capacity(records.len());
    for record in records {
        entries.push(read(record).await?);
    }
    entries.try_into().map_err(|_| Error::internal("A row was not read."))
}

/// Reads the version in this row.
async fn read(record: Option<Arc<Record>>) -> Result<Option<Entry>> {
    let Some(record) = record else { return Ok(None) };
    // Parsed here, and then hashed and shown.
    ahead_of(2 * record.body.len()).await;
    Entry::read(&record.body).map(Some)
}

/// Returns a version as the API shows it. `next` is the version after it, for all but the newest.
fn assemble(head: &Head, version: u64, entry: &Entry, next: Option<&Entry>) -> Result<Plan> {
    let hash = entry.content.hash(&head.plan_id, version);
    let (status, updated_at) = match next.and_then(|next| next.previous.as_ref()) {
        Some(previous) if version < head.version && previous.hash == hash => (previous.status, previous.updated_at),
        None if version == head.version && head.hash == hash => (head.status, head.updated_at),
        _ => return Err(damaged()),
    };
    if entry.previous.is_none() != (version == 1) {
        return Err(damaged());
    }
    Ok(Plan {
        plan_id: head.plan_id.clone(),
        type_name: entry.content.type_name.clone(),
        version,
        hash,
        status,
        goal: entry.content.goal.clone(),
        steps: entry.content.steps.clone(),
        details: entry.content.details.clone(),
        created_at: head.created_at,
        updated_at,
        definition: head.definition.clone().filter(|_| version == head.version),
    })
}

fn write_head(head: &Head, name: Name, expires_at: Option<u64>, when: When) -> Change {
    let (body, counted) = (head.write(), Some(head.byte_length));
    Change::Write { kind: KIND, area: Area::Record, name, body, expires_at, counted, when }
}

fn unexpected(version: u64) -> Error {
    Error::Conflict(match version {
        0 => "There is no plan with this id, so it has no version yet. Save it with expectedVersion 0.".to_owned(),
        version => format!("The plan is at version {version}. Load it, look at what changed, and save again."),
    })
}
