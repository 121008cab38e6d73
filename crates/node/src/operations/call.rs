//! One submitted call, and the shapes of answers that several operations have.

use std::sync::Arc;

use bailiwick_model::Result;
use bailiwick_model::json::{self, Json};
use bailiwick_runtime::stores::StoreHandle;
use bailiwick_runtime::{DEFAULT_LIMIT, Page, Reservation, TenantHandle};
use serde::Serialize;

use crate::environment::Environment;
use crate::message::{Answer, Reader};

pub(crate) struct Call {
    pub(crate) environment: Arc<Environment>,
    /// The number of a store or of a handle, by the operation.
    pub(crate) target: u32,
    /// Copied from JavaScript. Dropping the call frees them, so that a large value is not kept twice while it is written.
    pub(crate) arguments: Vec<u8>,
    /// What the call reserves of its tenant's limit.
    pub(crate) held: Option<Arc<Reservation>>,
}

impl Call {
    /// Reads the arguments from their beginning.
    pub(super) fn reader(&self) -> Reader<'_> {
        Reader::new(&self.arguments)
    }

    /// The store that the call acts on.
    ///
    /// # Errors
    /// `Closed` if it is not open here.
    pub(super) fn store(&self) -> Result<Arc<StoreHandle>> {
        self.environment.tables().stores.get(self.target)
    }

    /// The handle that the call acts on. What is read through it for the answer is reserved by this call.
    ///
    /// # Errors
    /// `Closed` if it is not open here.
    pub(super) fn handle(&self) -> Result<Arc<TenantHandle>> {
        let handle = self.unmetered_handle()?;
        Ok(self.held.as_ref().map_or_else(|| handle.clone(), |held| Arc::new(handle.within(held))))
    }

    /// The handle, for a run: it reads in small parts for as long as it lasts, within limits of its own.
    ///
    /// # Errors
    /// `Closed` if it is not open here.
    pub(super) fn unmetered_handle(&self) -> Result<Arc<TenantHandle>> {
        self.environment.tables().handles.get(self.target)
    }
}

/// An object of a few members.
pub(super) fn json_answer(members: Vec<(&str, Json)>) -> Answer {
    let members = members.into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
    json_text(&Json::Object(members))
}

pub(super) fn json_text(value: &impl Serialize) -> Answer {
    let mut text = Vec::new();
    json::append(&mut text, value);
    Answer(text)
}

pub(super) fn flag(value: bool) -> Answer {
    Answer::default().u8(u8::from(value))
}

/// The number of items a page is to have.
pub(super) fn page_limit(arguments: &mut Reader<'_>) -> Result<usize> {
    Ok(arguments.whole("limit")?.map_or(DEFAULT_LIMIT, |limit| usize::try_from(limit).unwrap_or(usize::MAX)))
}

/// A page as JSON: `{ items, cursor? }`.
pub(super) fn page_answer<T: Serialize>(page: Page<T>) -> Answer {
    let mut text = b"{\"items\":".to_vec();
    append_array(&mut text, page.items);
    if let Some(cursor) = page.cursor {
        text.extend_from_slice(b",\"cursor\":");
        json::append(&mut text, cursor.as_str());
    }
    text.push(b'}');
    Answer(text)
}

pub(super) fn array_answer<T: Serialize>(values: Vec<T>) -> Answer {
    let mut text = Vec::new();
    append_array(&mut text, values);
    Answer(text)
}

/// Appends values as a JSON array. Each is freed once it is written, so that there are never more than two copies of what a
/// call reads.
fn append_array<T: Serialize>(text: &mut Vec<u8>, values: Vec<T>) {
    text.push(b'[');
    for (at, value) in values.into_iter().enumerate() {
        if at > 0 {
            text.push(b',');
        }
        json::append(text, &value);
    }
    text.push(b']');
}
