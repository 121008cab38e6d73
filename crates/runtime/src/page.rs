//! Pages of lists.

/// A page of a list, as JSON texts.
pub struct Page {
    /// The items.
    pub items: Vec<String>,
    /// Where the next page begins.
    pub cursor: Option<String>,
}
