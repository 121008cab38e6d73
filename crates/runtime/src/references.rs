//! References: values under content-addressed ids that mean nothing to any other tenant.

use std::collections::HashMap;
use std::sync::Arc;

use bailiwick_model::base32::parse_reference_id;
use bailiwick_model::glimpse::Content;
use bailiwick_model::json::{self, Json};
use bailiwick_model::{Error, Kind, Result};
use bailiwick_tenancy::{
    Access, Area, Change, Committed, Durability, List, Name, Record, When, bad_cursor, check_limit,
};

use crate::catalogue::ReferenceRules;
use crate::handle::{TenantHandle, expiry};
use crate::reference_record::{Description, Reference, View, damaged, first20};
use crate::resolved::{Found, Resolved};

/// The largest value there is, in bytes.
pub(crate) const VALUE_BYTES: usize = 64 << 20;
/// Content up to this many bytes lies in the record itself, so that resolving it is one look-up.
const INLINE_BYTES: usize = 4096;
/// How often a change is tried again when others change the same item.
const ATTEMPTS: usize = 16;

/// What to keep.
pub enum PutContent {
    /// JSON text; it is checked and kept in canonical form.
    Json(Vec<u8>),
    /// Text.
    Text(String),
    /// Bytes.
    Bytes(Vec<u8>),
}

/// One value for [`TenantHandle::put_references`].
pub struct PutItem {
    /// The name of its type, registered or not.
    pub type_name: String,
    /// The value.
    pub content: PutContent,
    /// Milliseconds; goes before the type's.
    pub ttl_ms: Option<u64>,
    /// Goes before the type's.
    pub media_type: Option<String>,
}

/// A page of a list, as JSON texts.
pub struct Page {
    /// The items.
    pub items: Vec<String>,
    /// Where the next page begins.
    pub cursor: Option<String>,
}

/// A value that is checked and named, ready to be written.
struct Prepared {
    name: Name,
    digest: [u8; 32],
    type_name: String,
    media_type: String,
    glimpse: String,
    content: Vec<u8>,
    expires_at: Option<u64>,
}

impl TenantHandle {
    /// Keeps values. They are durable when this resolves: all of them, in one commit. A value that is there already
    /// keeps its id and the later of the two expiries.
    ///
    /// # Errors
    /// `InvalidInput`, `QuotaExceeded` and those of the store.
    pub async fn put_references(&self, items: Vec<PutItem>) -> Result<Vec<Reference>> {
        if items.is_empty() {
            return Ok(Vec::new());
        }
        let access = self.scope.for_writing().await?;
        let mut order = Vec::with_capacity(items.len());
        let mut unique: Vec<Prepared> = Vec::with_capacity(items.len());
        let mut positions: HashMap<Name, usize> = HashMap::with_capacity(items.len());
        for item in items {
            let prepared = self.prepare(&access, item)?;
            let position = *positions.entry(prepared.name).or_insert(unique.len());
            match unique.get_mut(position) {
                Some(twin) => twin.expires_at = later(twin.expires_at, prepared.expires_at),
                None => unique.push(prepared),
            }
            order.push(position);
        }
        let references = self.write(&access, &unique).await?;
        order.into_iter().map(|position| references.get(position).cloned().ok_or_else(lost)).collect()
    }

    /// Reads a reference with its content.
    ///
    /// # Errors
    /// `NotFound` for every id that is not this tenant's, and those of the store.
    pub async fn resolve(&self, id: &str) -> Result<Resolved> {
        self.resolve_many(&[id]).await?.pop().flatten().ok_or(Error::NotFound)
    }

    /// Reads references with their content, in the order asked; `None` for every id that is not this tenant's.
    ///
    /// # Errors
    /// Those of the store.
    pub async fn resolve_many(&self, ids: &[&str]) -> Result<Vec<Option<Resolved>>> {
        let Some(access) = self.scope.existing().await? else { return Ok(ids.iter().map(|_| None).collect()) };
        let records = find_many(&access, ids).await?;
        let mut resolved = Vec::with_capacity(records.len());
        for (id, record) in records {
            resolved.push(match record {
                Some(record) => with_content(&access, id, record).await?,
                None => None,
            });
        }
        Ok(resolved)
    }

    /// Reads a reference and its content from the cache of opened records: no I/O. `None`: ask [`TenantHandle::resolve`].
    pub fn resolve_at_hand(&self, id: &str) -> Option<Resolved> {
        let id = parse_reference_id(id)?;
        let access = self.scope.at_hand()?;
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
    pub async fn describe(&self, id: &str) -> Result<Reference> {
        let Some(access) = self.scope.existing().await? else { return Err(Error::NotFound) };
        let record = find(&access, id).await?.ok_or(Error::NotFound)?;
        Ok(view(&record)?.reference(record.expires_at))
    }

    /// Lists references, newest first; those of one type, or all.
    ///
    /// # Errors
    /// `InvalidInput` for a bad limit or cursor, and those of the store.
    pub async fn list_references(&self, type_name: Option<&str>, limit: usize, cursor: Option<&str>) -> Result<Page> {
        check_limit(limit)?;
        if let Some(type_name) = type_name {
            check_type(type_name)?;
        }
        let Some(access) = self.scope.existing().await? else {
            return if cursor.is_some() { Err(bad_cursor()) } else { Ok(Page { items: Vec::new(), cursor: None }) };
        };
        let page = access.page(&list(type_name), limit, cursor).await?;
        let names: Vec<Name> = page.names.iter().map(|(_, name)| *name).collect();
        let records = access.read_many(Kind::References, Area::Record, &names).await?;
        let mut items = Vec::with_capacity(records.len());
        for (record, (micros, _)) in records.into_iter().zip(page.names) {
            let Some(record) = record else { continue };
            let view = view(&record)?;
            // A row that is left from an earlier life of the same content is not listed twice.
            if view.created_micros == micros {
                items.push(view.reference(record.expires_at).json);
            }
        }
        Ok(Page { items, cursor: page.cursor })
    }

    /// Deletes a reference. `false`: absent, expired or foreign.
    ///
    /// # Errors
    /// Those of the store.
    pub async fn delete_reference(&self, id: &str) -> Result<bool> {
        let Some(access) = self.scope.existing().await? else { return Ok(false) };
        for _ in 0..ATTEMPTS {
            let Some(record) = find(&access, id).await? else { return Ok(false) };
            let changes = removal(&record)?;
            if access.commit(changes, &self.engine_limits, Durability::Sync).await? == Committed::Done {
                return Ok(true);
            }
        }
        Err(contended())
    }

    fn prepare(&self, access: &Access, item: PutItem) -> Result<Prepared> {
        check_type(&item.type_name)?;
        let rules = self.catalogue.reference(&item.type_name);
        let media_type = item.media_type.or_else(|| rules.and_then(|rules| rules.media_type.clone()));
        let default = match &item.content {
            PutContent::Json(_) => "application/json",
            PutContent::Text(_) => "text/plain",
            PutContent::Bytes(_) => "application/octet-stream",
        };
        let media_type = media_type.unwrap_or_else(|| default.to_owned());
        check_media_type(&media_type)?;
        let (content, glimpse) = match item.content {
            PutContent::Json(text) => {
                check_size(text.len())?;
                let value = json::parse(&text, &json::Limits::default())?;
                if let Some(rules) = rules {
                    rules.check(&item.type_name, &value)?;
                }
                (json::canonical(&value), ReferenceRules::glimpse(rules, Content::Json(&value)))
            }
            PutContent::Text(text) => {
                check_size(text.len())?;
                if let Some(rules) = rules.filter(|rules| rules.has_schema()) {
                    rules.check(&item.type_name, &Json::String(text.clone()))?;
                }
                let glimpse = ReferenceRules::glimpse(rules, Content::Text(&text));
                (text.into_bytes(), glimpse)
            }
            PutContent::Bytes(bytes) => {
                check_size(bytes.len())?;
                let shown = Content::Bytes { byte_length: bytes.len() as u64, media_type: &media_type };
                let glimpse = ReferenceRules::glimpse(rules, shown);
                (bytes, glimpse)
            }
        };
        self.check_value_bytes(content.len())?;
        let digest = access.reference_digest(&item.type_name, &media_type, &content);
        let ttl = item.ttl_ms.or_else(|| rules.and_then(|rules| rules.ttl_ms));
        Ok(Prepared {
            name: Access::reference_name(&first20(&digest)),
            digest,
            type_name: item.type_name,
            media_type,
            glimpse,
            content,
            expires_at: expiry(access.now(), ttl.or_else(|| self.retention_ms(Kind::References)))?,
        })
    }

    async fn write(&self, access: &Access, items: &[Prepared]) -> Result<Vec<Reference>> {
        let at_hand = |item: &Prepared| access.peek(Kind::References, Area::Record, item.name);
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
            if access.commit(changes, &self.engine_limits, Durability::Sync).await? == Committed::Done {
                return Ok(references);
            }
            let names: Vec<Name> = items.iter().map(|item| item.name).collect();
            known = access.read_many(Kind::References, Area::Record, &names).await?;
        }
        Err(contended())
    }
}

/// The changes that write a new reference.
fn create(access: &Access, item: &Prepared, changes: &mut Vec<Change>) -> Result<Reference> {
    let (kind, name, expires_at) = (Kind::References, item.name, item.expires_at);
    let micros = access.next_micros();
    let inline = item.content.len() <= INLINE_BYTES;
    let description = Description {
        digest: item.digest,
        created_micros: micros,
        type_name: &item.type_name,
        media_type: &item.media_type,
        byte_length: item.content.len(),
        glimpse: &item.glimpse,
    };
    let body = description.write(inline.then_some(item.content.as_slice())).ok_or_else(lost)?;
    let reference = View::read(&body).ok_or_else(lost)?.reference(expires_at);
    let counted = Some(item.content.len() as u64);
    changes.push(Change::Write { kind, area: Area::Record, name, body, expires_at, counted, when: When::Absent });
    if !inline {
        let body = item.content.clone();
        changes.push(Change::Write {
            kind,
            area: Area::Content,
            name,
            body,
            expires_at,
            counted: None,
            when: When::Any,
        });
    }
    for list in lists(&item.type_name) {
        changes.push(Change::List { list, micros, name, expires_at });
    }
    Ok(reference)
}

/// The changes that keep a reference which is there already.
fn keep(item: &Prepared, record: &Record, changes: &mut Vec<Change>) -> Result<Reference> {
    let view = view(record)?;
    if view.digest != item.digest {
        return Err(Error::Internal("Two contents have the same short name.".to_owned()));
    }
    let (kind, name) = (Kind::References, item.name);
    let expires_at = later(record.expires_at, item.expires_at);
    // Also before an extension: the list rows below are written with what this version of the record says.
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
    Ok(view.reference(expires_at))
}

/// The changes that remove a reference.
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

type Sought = ([u8; 20], Option<Arc<Record>>);

/// A malformed id is looked for nowhere; every other in the same way, whoever it may belong to.
async fn find_many(access: &Access, ids: &[&str]) -> Result<Vec<Sought>> {
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

async fn with_content(access: &Access, id: [u8; 20], record: Arc<Record>) -> Result<Option<Resolved>> {
    let found = Found::read(record).ok_or_else(damaged)?;
    if !found.separate() {
        return Ok(Some(found.whole()));
    }
    let content = access.read(Kind::References, Area::Content, Access::reference_name(&id)).await?;
    // Gone since the record was read: as if it had been gone before.
    Ok(content.map(|content| found.with(content)))
}

fn view(record: &Record) -> Result<View<'_>> {
    View::read(&record.body).ok_or_else(damaged)
}

fn list(type_name: Option<&str>) -> List {
    match type_name {
        None => List::all(Kind::References),
        Some(name) => List { kind: Kind::References, filter: "type", value: name.to_owned() },
    }
}

fn lists(type_name: &str) -> [List; 2] {
    [list(None), list(Some(type_name))]
}

/// `None` is the latest of all.
fn later(one: Option<u64>, other: Option<u64>) -> Option<u64> {
    Some(one?.max(other?))
}

fn check_type(name: &str) -> Result<()> {
    if bailiwick_model::names::is_name(name) {
        Ok(())
    } else {
        Err(Error::invalid(
            "The type of a reference must match ^[a-z][a-z0-9_-]{0,63}$: lower-case letters, digits, _ and -, starting with a letter.",
        ))
    }
}

fn check_media_type(media_type: &str) -> Result<()> {
    if bailiwick_model::names::is_media_type(media_type) {
        Ok(())
    } else {
        Err(Error::invalid("mediaType must look like type/subtype, such as text/csv, in at most 255 characters."))
    }
}

fn check_size(bytes: usize) -> Result<()> {
    if bytes <= VALUE_BYTES {
        Ok(())
    } else {
        Err(Error::invalid(format!(
            "The value has {bytes} bytes; at most {VALUE_BYTES} (64 MiB) are allowed. Keep it elsewhere, or in parts."
        )))
    }
}

fn contended() -> Error {
    Error::StoreUnavailable("Others keep changing the same item. Try again.".to_owned())
}

fn lost() -> Error {
    Error::Internal("A reference could not be encoded.".to_owned())
}
