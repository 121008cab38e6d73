//! A reference with its content, read in place: bytes are copied only into the answer.

use std::ops::Range;
use std::sync::Arc;

use bailiwick_model::Result;
use bailiwick_tenancy::Record;

use super::record::{Description, Layout, Reference, View, damaged, record_id};

/// A reference and its content, shared by its clones.
#[derive(Clone)]
pub struct Resolved {
    found: Found,
    content: Option<Arc<Record>>,
}

impl Resolved {
    /// Returns the reference.
    ///
    /// # Errors
    /// `StoreCorrupt` if the record is damaged.
    pub fn reference(&self) -> Result<Reference> {
        let record = &self.found.record;
        View::read(&record.body).ok_or_else(damaged)?.reference(record.expires_at)
    }

    /// Returns the expiry in epoch milliseconds; `None`: kept until deleted.
    pub fn expires_at(&self) -> Option<u64> {
        self.found.record.expires_at
    }

    /// Returns the description as members of a JSON object, ASCII.
    pub fn members(&self) -> &[u8] {
        self.found.part(&self.found.layout.members)
    }

    /// Returns its glimpse as JSON text.
    pub fn glimpse(&self) -> &[u8] {
        self.found.part(&self.found.layout.glimpse)
    }

    /// Returns the content.
    pub fn bytes(&self) -> &[u8] {
        match &self.content {
            Some(content) => &content.body,
            None => self.found.record.body.get(self.found.layout.glimpse.end..).unwrap_or_default(),
        }
    }
}

/// A reference whose content may lie in a row of its own.
#[derive(Clone)]
pub(crate) struct Found {
    record: Arc<Record>,
    layout: Layout,
}

impl Found {
    /// Reads a record. `None` if it is damaged.
    pub(crate) fn read(record: Arc<Record>) -> Option<Self> {
        let layout = Layout::read(&record.body)?;
        Some(Self { record, layout })
    }

    /// Returns whether this is the reference with that id.
    pub(crate) fn is(&self, id: &[u8; 20]) -> bool {
        record_id(&self.record.body).is_some_and(|own| own == *id)
    }

    /// Returns whether the content lies in a row of its own.
    pub(crate) fn separate(&self) -> bool {
        self.layout.separate
    }

    /// Returns the bytes of the record and of content in a row of its own.
    pub(crate) fn byte_length(&self) -> u64 {
        let record = self.record.body.len() as u64;
        // A damaged record: no reservation is large enough.
        let content = || {
            Description::read(self.part(&self.layout.members)).map_or(u64::MAX / 2, |described| described.byte_length)
        };
        if self.layout.separate { record.saturating_add(content()) } else { record }
    }

    /// Returns it with the content that the record has.
    pub(crate) fn whole(self) -> Resolved {
        Resolved { found: self, content: None }
    }

    /// Returns it with the content of the row of its own.
    pub(crate) fn with(self, content: Arc<Record>) -> Resolved {
        Resolved { found: self, content: Some(content) }
    }

    fn part(&self, range: &Range<usize>) -> &[u8] {
        self.record.body.get(range.clone()).unwrap_or_default()
    }
}
