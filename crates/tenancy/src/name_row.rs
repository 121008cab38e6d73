//! The row that says which tags a name has: the live one, and those of tenants that were erased and whose rows are not
//! all removed. It lies under the name's own tag.
//!
//! ```text
//! 0   u8         1: there is a live tag
//! 1   tag(32)    the live one, if there is one
//! …   tag(32)…   erased ones
//! ```

use bailiwick_model::Result;
use bailiwick_store::{Commit, CommitError, Durability, Engine, Found, Limits, Op, Place, Row, Tag, Version, When};

use crate::entropy::Entropy;
use crate::failure;
use crate::keys::StoreKeys;
use crate::row::NAME_ROW;

/// Where it lies below the name's tag.
pub(crate) const PLACE: Place = Place { kind: NAME_ROW, item: [0; 32] };

/// See the module's text.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct NameRow {
    pub(crate) live: Option<Tag>,
    pub(crate) erased: Vec<Tag>,
    /// `None`: there is no such row yet.
    pub(crate) version: Option<Version>,
}

/// Where the rows of names are kept, and what they are sealed with.
pub(crate) struct Names<'a> {
    pub(crate) engine: &'a dyn Engine,
    pub(crate) keys: &'a StoreKeys,
    pub(crate) entropy: &'a Entropy,
}

impl Names<'_> {
    /// Reads the row of a name; an empty one if there is none.
    pub(crate) async fn read(&self, name: &[u8; 32]) -> Result<NameRow> {
        let found = self.engine.get(Tag(*name), vec![(PLACE, None)], u64::MAX, 0).await.map_err(failure::read)?;
        let Some(Found::Entry(row)) = found.into_iter().next() else { return Ok(NameRow::default()) };
        self.open(name, &row)
    }

    /// What stands in the row of a name.
    pub(crate) fn open(&self, name: &[u8; 32], row: &Row) -> Result<NameRow> {
        let body = self.keys.name_rows.open(&self.bound(name), &row.value).map_err(|_| failure::corrupt())?;
        let (has_live, tags) = body.split_first().ok_or_else(failure::corrupt)?;
        let (tags, []) = tags.as_chunks::<32>() else { return Err(failure::corrupt()) };
        let mut tags = tags.iter().map(|tag| Tag(*tag));
        let live = if *has_live == 1 { Some(tags.next().ok_or_else(failure::corrupt)?) } else { None };
        Ok(NameRow { live, erased: tags.collect(), version: Some(row.version) })
    }

    /// Puts `after` in the place of `before`, durably. One that names an erased tag is due until it does not any more.
    /// `false`: it was another row by then.
    pub(crate) async fn replace(&self, name: &[u8; 32], before: &NameRow, after: &NameRow) -> Result<bool> {
        let when = before.version.map_or(When::Absent, When::Version);
        let mut ops = Vec::new();
        if after.live.is_none() && after.erased.is_empty() {
            ops.push(Op::Delete { place: PLACE, when });
        } else {
            let value = self.seal(name, after)?.into();
            ops.push(Op::Put { place: PLACE, value, expires_at: None, counted: None, when });
        }
        if !after.erased.is_empty() {
            ops.push(Op::Wake { kind: NAME_ROW, at: 0 });
        }
        let commit = Commit { tag: Tag(*name), now: 0, ops, limits: Limits::default(), durability: Durability::Sync };
        match self.engine.commit(commit).await {
            Ok(_) => Ok(true),
            Err(CommitError::Conflict { .. }) => Ok(false),
            Err(error) => Err(failure::commit(error)),
        }
    }

    /// Changes the row of a name, whoever else does at the same time.
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
        sealed.map_err(|_| failure::corrupt())
    }

    fn bound<'a>(&'a self, name: &'a [u8; 32]) -> [&'a [u8]; 2] {
        [&self.keys.store_id, name]
    }
}
