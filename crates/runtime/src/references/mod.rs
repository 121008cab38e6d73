//! References: values under content-addressed ids that mean nothing to any other tenant.

mod input;
mod lifetime;
mod named;
mod record;
mod resolved;

use std::collections::HashMap;
use std::sync::Arc;

use bailiwick_model::base32::{parse_reference_id, reference_id};
use bailiwick_model::json::{self, Json};
use bailiwick_model::pace::ahead_of;
use bailiwick_model::{Error, Kind, Result};
use bailiwick_tenancy::{
    ATTEMPTS, Access, Area, Change, Committed, Durability, List, Name, Record, When, check_limit, contended,
};
use futures_util::future::BoxFuture;

use crate::handle::References;
use crate::page::Page;
use input::{CheckedValue, check_type};
pub(crate) use input::{ItemRules, ReadContent};
pub use input::{PutContent, PutItem};
pub(crate) use lifetime::all_there;
pub use record::{Description, Reference};
use record::{NewRecord, View, damaged, first20};
use resolved::Found;
pub use resolved::Resolved;

/// Content up to this many bytes is stored in the record itself, so that resolving it is one look-up.
const INLINE_BYTES: usize = 4096;
/// The most references that one call resolves.
const RESOLVED: usize = 1000;
/// Bytes of a resolved reference in an answer beside its content: the description, the glimpse, lengths.
const DESCRIBED_BYTES: u64 = 256;
/// The most values that one call puts: their rows are one commit, at most five each (a large value that exists and is
/// extended).
const ITEMS: usize = 250;

/// A checked value and its name.
struct Named {
    name: Name,
    digest: [u8; 32],
    value: CheckedValue,
}

impl<'a> References<'a> {
    /// Puts values: all of them in one commit, durable when this resolves. An existing value keeps its id and gets the
    /// later of the two expiries.
    ///
    /// # Errors
    /// `InvalidInput`, `QuotaExceeded` and those of the store.
    pub fn put(self, items: Vec<PutItem>) -> BoxFuture<'a, Result<Vec<Reference>>> {
        Box::pin(async move {
            if items.is_empty() {
                return Ok(Vec::new());
            }
            if items.len() > ITEMS {
                return Err(Error::invalid(format!(
                    "There are {} items; at most {ITEMS} items in one putMany are allowed. Split it.",
                    items.len()
                )));
            }
            let mut values = Vec::with_capacity(items.len());
            for item in items {
                values.push(self.check_item(item).await?);
            }
            let access = self.handle.scope.for_writing().await?;
            let mut order = Vec::with_capacity(values.len());
            let mut unique: Vec<Named> = Vec::with_capacity(values.len());
            let mut positions: HashMap<Name, usize> = HashMap::with_capacity(values.len());
            for value in values {
                ahead_of(value.content.len()).await;
                let digest = access.reference_digest(&value.type_name, &value.media_type, &value.content);
                let name = Access::reference_name(&first20(&digest));
                let position = *positions.entry(name).or_insert(unique.len());
                match unique.get_mut(position) {
                    Some(twin) => twin.value.expires_at = later(twin.value.expires_at, value.expires_at),
                    None => unique.push(Named { name, digest, value }),
                }
                order.push(position);
            }
            let references = self.write(&access, &unique).await?;
            order.into_iter().map(|position| references.get(position).cloned().ok_or_else(lost)).collect()
        })
    }

    /// Reads a reference with its content.
    ///
    /// # Errors
    /// `NotFound` for every id that is not this tenant's, and those of the store.
    pub async fn resolve(self, id: &str) -> Result<Resolved> {
        self.resolve_many(&[id]).await?.pop().flatten().ok_or(Error::NotFound)
    }

    /// Reads references with their content, in the order of the ids; `None` for every id that is not this tenant's. An
    /// id that is repeated is read once. The answer is reserved before any content is read.
    ///
    /// # Errors
    /// `InvalidInput` for more than 1,000 ids, `TooMuchInFlight` if the answer does not fit, and those of the store.
    pub async fn resolve_many(self, ids: &[&str]) -> Result<Vec<Option<Resolved>>> {
        if ids.len() > RESOLVED {
            return Err(Error::invalid(format!(
                "There are {} ids; at most {RESOLVED} ids in one resolveMany are allowed. Split it.",
                ids.len()
            )));
        }
        let Some(access) = self.handle.existing().await? else { return Ok(ids.iter().map(|_| None).collect()) };
        let mut places: HashMap<&str, usize> = HashMap::with_capacity(ids.len());
        let mut distinct: Vec<&str> = Vec::with_capacity(ids.len());
        for id in ids {
            places.entry(id).or_insert_with(|| {
                distinct.push(id);
                distinct.len() - 1
            });
        }
        let mut found = Vec::with_capacity(distinct.len());
        for (id, record) in find_many(&access, &distinct).await? {
            found.push((id, record.map(|record| Found::read(record).ok_or_else(damaged)).transpose()?));
        }
        let at = |id: &&str| places.get(*id).copied().unwrap_or(usize::MAX);
        let sizes = ids.iter().filter_map(|id| found.get(at(id))?.1.as_ref()).map(Found::byte_length);
        let access = access.reserved(sizes.fold(0, |sum, bytes| sum.saturating_add(bytes + DESCRIBED_BYTES)))?;
        let mut resolved = Vec::with_capacity(found.len());
        for (id, found) in found {
            resolved.push(match found {
                Some(found) => with_content(&access, id, found).await?,
                None => None,
            });
        }
        Ok(ids.iter().map(|id| resolved.get(at(id)).cloned().flatten()).collect())
    }

    /// Reads a reference and its content from the decrypted-record cache, without I/O. `None`: use
    /// [`References::resolve`], as always if other processes share the store.
    pub fn resolve_at_hand(self, id: &str) -> Option<Resolved> {
        if self.handle.scope.process().is_some() {
            return None;
        }
        let id = parse_reference_id(id)?;
        let access = self.handle.scope.at_hand()?;
        let name = Access::reference_name(&id);
        let record = access.peek(Kind::References, Area::Record, name)?;
        let found = Found::read(record).filter(|found| found.is(&id))?;
        if !found.separate() {
            return Some(found.whole());
        }
        Some(found.with(access.peek(Kind::References, Area::Content, name)?))
    }

    /// Reads a reference without its content.
    ///
    /// # Errors
    /// `NotFound` for every id that is not this tenant's, and those of the store.
    pub async fn describe(self, id: &str) -> Result<Reference> {
        let Some(access) = self.handle.existing().await? else { return Err(Error::NotFound) };
        let record = find(&access, id).await?.ok_or(Error::NotFound)?;
        view(&record)?.reference(record.expires_at)
    }

    /// Lists references of one type, or all, newest first.
    ///
    /// # Errors
    /// `InvalidInput` for a bad limit or cursor, and those of the store.
    pub async fn list(self, type_name: Option<&str>, limit: usize, cursor: Option<&str>) -> Result<Page<Reference>> {
        check_limit(limit)?;
        if let Some(type_name) = type_name {
            check_type(type_name)?;
        }
        let Some(access) = self.handle.existing().await? else { return Page::of_nothing(cursor) };
        let page = access.record_page(&list(type_name), limit, cursor).await?;
        let mut items = Vec::with_capacity(page.records.len());
        for (micros, record) in page.records {
            let Some(record) = record else { continue };
            let view = view(&record)?;
            // A row of an earlier life of the same content is skipped.
            if view.created_micros == micros {
                items.push(view.reference(record.expires_at)?);
            }
        }
        Ok(Page { items, cursor: page.cursor })
    }

    /// Deletes a reference. `false`: absent, expired or foreign.
    ///
    /// # Errors
    /// Those of the store.
    pub async fn delete(self, id: &str) -> Result<bool> {
        let Some(access) = self.handle.scope.existing().await? else { return Ok(false) };
        for _ in 0..ATTEMPTS {
            let Some(record) = find(&access, id).await? else { return Ok(false) };
            let changes = removal(&record)?;
            if access.commit(changes, &self.handle.engine_limits, Durability::Sync).await? == Committed::Done {
                return Ok(true);
            }
        }
        Err(contended())
    }

    async fn write(self, access: &Access, items: &[Named]) -> Result<Vec<Reference>> {
        let at_hand = |item: &Named| access.peek(Kind::References, Area::Record, item.name);
        let mut known: Vec<Option<Arc<Record>>> = items.iter().map(at_hand).collect();
        for _ in 0..ATTEMPTS {
            let mut changes = Vec::with_capacity(items.len() * 3);
            let mut references = Vec::with_capacity(items.len());
            for (item, record) in items.iter().zip(&known) {
                references.push(match record {
                    Some(record) => keep(item, record, &mut changes)?,
                    None => create(access, item, &mut changes)?,
                });
            }
            if access.commit(changes, &self.handle.engine_limits, Durability::Sync).await? == Committed::Done {
                return Ok(references);
            }
            let names: Vec<Name> = items.iter().map(|item| item.name).collect();
            known = access.read_many(Kind::References, Area::Record, &names).await?;
        }
        Err(contended())
    }
}

/// The most values that one commit of a run keeps. Each takes up to five of its rows.
const KEPT_AT_ONCE: usize = 100;

/// Values to put in another commit.
#[derive(Default)]
pub(crate) struct Kept {
    items: Vec<Named>,
    known: Vec<Option<Arc<Record>>>,
}

impl Kept {
    /// Returns the approximate bytes of all values.
    pub(crate) fn weight(&self) -> usize {
        self.items.iter().map(|item| item.value.content.len()).sum()
    }

    /// Adds a value and returns its id.
    pub(crate) fn add(&mut self, access: &Access, value: CheckedValue) -> String {
        let digest = access.reference_digest(&value.type_name, &value.media_type, &value.content);
        let id = first20(&digest);
        let name = Access::reference_name(&id);
        match self.items.iter_mut().find(|item| item.name == name) {
            Some(twin) => twin.value.expires_at = later(twin.value.expires_at, value.expires_at),
            None => {
                self.known.push(access.peek(Kind::References, Area::Record, name));
                self.items.push(Named { name, digest, value });
            }
        }
        reference_id(&id)
    }

    /// Returns whether the values must be committed before there are more: a commit has room for a limited number of rows.
    pub(crate) fn is_full(&self) -> bool {
        self.items.len() >= KEPT_AT_ONCE
    }

    /// Returns whether there are no values.
    pub(crate) fn is_empty(&self) -> bool {
        self.items.is_empty()
    }

    /// Returns the changes that put them.
    pub(crate) fn changes(&self, access: &Access) -> Result<Vec<Change>> {
        let mut changes = Vec::with_capacity(self.items.len() * 4);
        for (item, record) in self.items.iter().zip(&self.known) {
            match record {
                Some(record) => keep(item, record, &mut changes)?,
                None => create(access, item, &mut changes)?,
            };
        }
        Ok(changes)
    }

    /// Reads the existing references again, after a conflict.
    pub(crate) async fn look_again(&mut self, access: &Access) -> Result<()> {
        let names: Vec<Name> = self.items.iter().map(|item| item.name).collect();
        self.known = access.read_many(Kind::References, Area::Record, &names).await?;
        Ok(())
    }
}

/// Returns the glimpses of references, in the order of the ids; `None` for absent ones.
pub(crate) async fn glimpses(access: &Access, ids: &[&str]) -> Result<Vec<Option<Json>>> {
    let found = find_many(access, ids).await?.into_iter();
    found.map(|(_, record)| record.map(|record| glimpse(&record)).transpose()).collect()
}

fn glimpse(record: &Record) -> Result<Json> {
    json::parse(view(record)?.glimpse.as_bytes(), &json::Limits::default())
}

/// Returns the changes that write a new reference.
fn create(access: &Access, item: &Named, changes: &mut Vec<Change>) -> Result<Reference> {
    let (kind, name, expires_at) = (Kind::References, item.name, item.value.expires_at);
    let created_micros = access.next_micros();
    let content = &item.value.content;
    let inline = content.len() <= INLINE_BYTES;
    let description = Description {
        type_name: item.value.type_name.clone(),
        media_type: item.value.media_type.clone(),
        byte_length: content.len() as u64,
        created_at: created_micros / 1000,
    };
    let glimpse = item.value.glimpse.clone();
    let record = NewRecord { digest: item.digest, created_micros, description: &description, glimpse: &glimpse };
    let body = record.write(inline.then_some(content.as_slice())).ok_or_else(lost)?;
    let counted = Some(content.len() as u64);
    changes.push(Change::Write { kind, area: Area::Record, name, body, expires_at, counted, when: When::Absent });
    if !inline {
        let (area, body, when) = (Area::Content, content.clone(), When::Any);
        changes.push(Change::Write { kind, area, name, body, expires_at, counted: None, when });
    }
    for list in lists(&item.value.type_name) {
        changes.push(Change::List { list, micros: created_micros, name, expires_at });
    }
    Ok(Reference { id: reference_id(&first20(&item.digest)), description, expires_at, glimpse })
}

/// Returns the changes that extend an existing reference.
fn keep(item: &Named, record: &Record, changes: &mut Vec<Change>) -> Result<Reference> {
    let view = view(record)?;
    if view.digest != item.digest {
        return Err(Error::internal("Two contents have the same short name."));
    }
    let (kind, name) = (Kind::References, item.name);
    let expires_at = later(record.expires_at, item.value.expires_at);
    // Without an extension too: the list rows below contain what this version of the record says.
    changes.push(Change::Check { kind, area: Area::Record, name, when: When::Version(record.version) });
    if expires_at != record.expires_at {
        changes.push(Change::Extend { kind, area: Area::Record, name, expires_at });
        if view.separate {
            changes.push(Change::Extend { kind, area: Area::Content, name, expires_at });
        }
        for list in lists(view.type_name) {
            changes.push(Change::List { list, micros: view.created_micros, name, expires_at });
        }
    }
    view.reference(expires_at)
}

/// Returns the changes that remove a reference.
fn removal(record: &Record) -> Result<Vec<Change>> {
    let view = view(record)?;
    let (kind, name, micros) = (Kind::References, Access::reference_name(&view.id()), view.created_micros);
    let when = When::Version(record.version);
    let mut changes = vec![Change::Delete { kind, area: Area::Record, name, when }];
    if view.separate {
        changes.push(Change::Delete { kind, area: Area::Content, name, when: When::Any });
    }
    changes.extend(lists(view.type_name).into_iter().map(|list| Change::Unlist { list, micros, name }));
    Ok(changes)
}

async fn find(access: &Access, id: &str) -> Result<Option<Arc<Record>>> {
    Ok(find_many(access, &[id]).await?.pop().and_then(|(_, record)| record))
}

pub(crate) type Sought = ([u8; 20], Option<Arc<Record>>);

/// Finds references. A malformed id is not looked up; every other id is read in the same way, so that timing does not
/// reveal other tenants.
pub(crate) async fn find_many(access: &Access, ids: &[&str]) -> Result<Vec<Sought>> {
    let parsed: Vec<Option<[u8; 20]>> = ids.iter().map(|id| parse_reference_id(id)).collect();
    let names: Vec<Name> = parsed.iter().flatten().map(Access::reference_name).collect();
    let mut records = access.read_many(Kind::References, Area::Record, &names).await?.into_iter();
    let mut sought = Vec::with_capacity(ids.len());
    for id in parsed {
        let Some(id) = id else {
            sought.push(([0; 20], None));
            continue;
        };
        let record = match records.next().flatten() {
            Some(record) if view(&record)?.id() == id => Some(record),
            _ => None,
        };
        sought.push((id, record));
    }
    Ok(sought)
}

async fn with_content(access: &Access, id: [u8; 20], found: Found) -> Result<Option<Resolved>> {
    if !found.separate() {
        return Ok(Some(found.whole()));
    }
    let content = access.read(Kind::References, Area::Content, Access::reference_name(&id)).await?;
    // The content was removed since the record was read: the reference is absent.
    Ok(content.map(|content| found.with(content)))
}

pub(crate) fn view(record: &Record) -> Result<View<'_>> {
    View::read(&record.body).ok_or_else(damaged)
}

fn list(type_name: Option<&str>) -> List {
    match type_name {
        None => List::all(Kind::References),
        Some(name) => List { kind: Kind::References, filter: "type", value: name.to_owned() },
    }
}

pub(crate) fn lists(type_name: &str) -> [List; 2] {
    [list(None), list(Some(type_name))]
}

/// Returns the later expiry; `None` is the latest.
pub(crate) fn later(one: Option<u64>, other: Option<u64>) -> Option<u64> {
    Some(one?.max(other?))
}

fn lost() -> Error {
    Error::internal("A reference could not be encoded.")
}
