//! Extends the references that plans, threads and runs name, so that they live as long as these.

use bailiwick_model::{Kind, Result};
use bailiwick_tenancy::{Access, Area, Change, Durability, When};

use super::{find_many, later, lists, view};
use crate::handle::References;

/// References extended in one commit.
const EXTENDED: usize = 200;

/// Returns whether all of these references exist.
pub(crate) async fn all_there(access: &Access, ids: &[&str]) -> Result<bool> {
    for group in ids.chunks(EXTENDED) {
        if find_many(access, group).await?.iter().any(|(_, record)| record.is_none()) {
            return Ok(false);
        }
    }
    Ok(true)
}

impl References<'_> {
    /// Returns the changes that extend the existing ones of these references to at least `until`. Commits the changes
    /// that do not fit into one commit first.
    pub(crate) async fn extended(self, access: &Access, ids: &[&str], until: Option<u64>) -> Result<Vec<Change>> {
        let mut changes = Vec::new();
        let groups = ids.len().div_ceil(EXTENDED);
        for (at, group) in ids.chunks(EXTENDED).enumerate() {
            changes = extension(access, group, until).await?;
            if at + 1 < groups && !changes.is_empty() {
                let changes = std::mem::take(&mut changes);
                access.commit(changes, &self.handle.engine_limits, Durability::Sync).await?;
            }
        }
        Ok(changes)
    }
}

async fn extension(access: &Access, ids: &[&str], until: Option<u64>) -> Result<Vec<Change>> {
    let mut changes = Vec::new();
    for (_, record) in find_many(access, ids).await? {
        let Some(record) = record else { continue };
        if later(record.expires_at, until) == record.expires_at {
            continue;
        }
        let view = view(&record)?;
        let (kind, name, expires_at) = (Kind::References, Access::reference_name(&view.id()), until);
        changes.push(Change::Check { kind, area: Area::Record, name, when: When::Version(record.version) });
        changes.push(Change::Extend { kind, area: Area::Record, name, expires_at });
        if view.separate {
            changes.push(Change::Extend { kind, area: Area::Content, name, expires_at });
        }
        let micros = view.created_micros;
        changes.extend(lists(view.type_name).map(|list| Change::List { list, micros, name, expires_at }));
    }
    Ok(changes)
}
