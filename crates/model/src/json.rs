//! JSON as bailiwick accepts it.

/// A JSON value with JavaScript's number semantics. Objects keep the order in which their keys were written.
#[derive(Debug, Clone, PartialEq)]
pub enum Json {
    /// `null`
    Null,
    /// `true` or `false`
    Bool(bool),
    /// A finite IEEE 754 double, as in JavaScript.
    Number(f64),
    /// Well-formed Unicode.
    String(String),
    /// An array.
    Array(Vec<Json>),
    /// Unique keys in the order of their appearance.
    Object(Vec<(String, Json)>),
}
