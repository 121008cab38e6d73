//! Pages of lists.

use bailiwick_model::Result;
use bailiwick_tenancy::bad_cursor;

/// A page of a list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Page<T> {
    /// The items.
    pub items: Vec<T>,
    /// The cursor of the next page; `None` after the last one.
    pub cursor: Option<String>,
}

impl<T> Page<T> {
    /// Returns the page of a tenant that has no data yet.
    ///
    /// # Errors
    /// `InvalidInput` for a cursor, which cannot be one of this tenant's.
    pub(crate) fn of_nothing(cursor: Option<&str>) -> Result<Self> {
        match cursor {
            Some(_) => Err(bad_cursor()),
            None => Ok(Self { items: Vec::new(), cursor: None }),
        }
    }
}
