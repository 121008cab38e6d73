//! One submitted call, and the shapes of answers that several operations have.

use std::sync::Arc;

use bailiwick_model::Result;
use bailiwick_model::json::{self, Json};
use bailiwick_runtime::stores::StoreHandle;
use bailiwick_runtime::{DEFAULT_LIMIT, Page, Reservation, TenantHandle};

use crate::environment::Environment;
use crate::message::{Answer, Reader};

/// One submitted call.
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

pub(super) fn json_answer(members: Vec<(&str, Json)>) -> Answer {
    let members = members.into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
    Answer(json::write(&Json::Object(members)).into_bytes())
}

pub(super) fn json_text(value: &Json) -> Answer {
    Answer(json::write(value).into_bytes())
}

/// A boolean.
pub(super) fn flag(value: bool) -> Answer {
    Answer::default().u8(u8::from(value))
}

/// A page as JSON. Cursors need no escapes.
pub(super) fn page_answer(page: Page) -> Answer {
    let cursor = page.cursor.map(|cursor| format!(",\"cursor\":\"{cursor}\"")).unwrap_or_default();
    Answer(array_within("{\"items\":", page.items, &format!("{cursor}}}")).into_bytes())
}

/// The number of items a page is to have.
pub(super) fn page_limit(arguments: &mut Reader<'_>) -> Result<usize> {
    Ok(arguments.whole("limit")?.map_or(DEFAULT_LIMIT, |limit| usize::try_from(limit).unwrap_or(usize::MAX)))
}

pub(super) fn array(texts: Vec<String>) -> String {
    array_within("", texts, "")
}

/// JSON texts as an array, with what stands before and behind it. Each is freed once it is copied, so that there are never
/// more than two copies of what a call reads.
fn array_within(before: &str, texts: Vec<String>, behind: &str) -> String {
    let bytes = texts.iter().map(|text| text.len() + 1).sum::<usize>();
    let mut all = String::with_capacity(before.len() + 2 + bytes + behind.len());
    all.push_str(before);
    all.push('[');
    for (at, text) in texts.into_iter().enumerate() {
        if at > 0 {
            all.push(',');
        }
        all.push_str(&text);
    }
    all.push(']');
    all.push_str(behind);
    all
}
