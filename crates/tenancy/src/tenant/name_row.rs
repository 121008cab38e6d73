//! The name row: the tags of a tenant's name, that of the live tenant and those of erased ones whose rows are not all removed. It
//! lies below the name tag.
//!
//! ```text
//! 0   u8         1: there is a live tag
//! 1   tag(32)    the live tag, if there is one
//! …   tag(32)…   the erased tags
//! ```

use bailiwick_model::Result;
use bailiwick_store::{Durability, Engine, Op, Row, Tag, Version, When};

use crate::crypto::entropy::Entropy;
use crate::errors;
use crate::keys::StoreKeys;
use crate::rows::internal::{self, INTERNAL, NAME};

/// The content of a name row.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct NameRow {
    pub(crate) live: Option<Tag>,
    pub(crate) erased: Vec<Tag>,
    /// `None`: there is no row.
    pub(crate) version: Option<Version>,
}

/// The name rows of a store.
pub(crate) struct Names<'a> {
    pub(crate) engine: &'a dyn Engine,
    pub(crate) keys: &'a StoreKeys,
    pub(crate) entropy: &'a Entropy,
}

impl Names<'_> {
    /// Reads the row of a name; empty if there is none.
    pub(crate) async fn read(&self, name: &[u8; 32]) -> Result<NameRow> {
        match internal::read(self.engine, Tag(*name), NAME).await? {
            Some(row) => self.open(name, &row),
            None => Ok(NameRow::default()),
        }
    }

    pub(crate) fn open(&self, name: &[u8; 32], row: &Row) -> Result<NameRow> {
        let body = self.keys.name_rows.open(&self.bound(name), &row.value).map_err(|_| errors::corrupt())?;
        let (has_live, tags) = body.split_first().ok_or_else(errors::corrupt)?;
        let (tags, []) = tags.as_chunks::<32>() else { return Err(errors::corrupt()) };
        let mut tags = tags.iter().map(|tag| Tag(*tag));
        let live = if *has_live == 1 { Some(tags.next().ok_or_else(errors::corrupt)?) } else { None };
        Ok(NameRow { live, erased: tags.collect(), version: Some(row.version) })
    }

    /// Replaces `before` by `after`, durably. A row with an erased tag is due until that is removed. `false`: it was not `before`
    /// any more.
    pub(crate) async fn replace(&self, name: &[u8; 32], before: &NameRow, after: &NameRow) -> Result<bool> {
        let when = before.version.map_or(When::Absent, When::Version);
        let mut ops = Vec::new();
        if after.live.is_none() && after.erased.is_empty() {
            ops.push(Op::Delete { place: NAME, when });
        } else {
            ops.push(internal::put(NAME, self.seal(name, after)?.into(), when));
        }
        if !after.erased.is_empty() {
            ops.push(Op::Wake { kind: INTERNAL, at: 0 });
        }
        internal::commit(self.engine, Tag(*name), ops, Durability::Sync).await
    }

    /// Changes the row of a name. Repeats it when another process was first.
    pub(crate) async fn change(&self, name: &[u8; 32], change: impl Fn(&mut NameRow)) -> Result<()> {
        loop {
            let before = self.read(name).await?;
            let mut after = before.clone();
            change(&mut after);
            if after == before || self.replace(name, &before, &after).await? {
                return Ok(());
            }
        }
    }

    fn seal(&self, name: &[u8; 32], row: &NameRow) -> Result<Vec<u8>> {
        let tags: Vec<u8> = row.live.iter().chain(&row.erased).flat_map(|tag| tag.0).collect();
        let write = |out: &mut Vec<u8>| {
            out.push(u8::from(row.live.is_some()));
            out.extend_from_slice(&tags);
        };
        let sealed = self.keys.name_rows.seal(self.entropy, &self.bound(name), 1 + tags.len(), write);
        sealed.map_err(|_| errors::corrupt())
    }

    fn bound<'a>(&'a self, name: &'a [u8; 32]) -> [&'a [u8]; 2] {
        [&self.keys.store_id, name]
    }
}
