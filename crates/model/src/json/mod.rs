//! JSON: strict when read, and predictable to the byte when written.
//!
//! ```
//! use bailiwick_model::json::{self, Limits};
//!
//! let value = json::parse(br#"{"b": 1.0, "a": [true, null]}"#, &Limits::default())?;
//! assert_eq!(json::write(&value), r#"{"b":1,"a":[true,null]}"#);
//! assert_eq!(json::canonical(&value), br#"{"a":[true,null],"b":1}"#);
//! # Ok::<(), bailiwick_model::Error>(())
//! ```

mod parse;
mod stream;
mod text;
mod typed;
mod write;

pub use parse::{Limits, MAX_DEPTH, parse};
pub(crate) use stream::SAMPLE;
pub use stream::{Canonical, canonical_of};
pub use text::{Text, raw};
pub use typed::{append, from_slice, from_value, to_text};
pub use write::{canonical, write};
pub(crate) use write::{escaped_length, write_at_most};

use crate::Result;

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

impl Json {
    /// Returns the member of that key, if this is an object that has it. Takes time in the number of keys.
    pub fn get(&self, key: &str) -> Option<&Self> {
        self.as_object()?.iter().find(|(name, _)| name == key).map(|(_, value)| value)
    }

    /// Returns the members in their order, if this is an object.
    pub fn as_object(&self) -> Option<&[(String, Self)]> {
        match self {
            Self::Object(members) => Some(members),
            _ => None,
        }
    }

    /// Returns the elements, if this is an array.
    pub fn as_array(&self) -> Option<&[Self]> {
        match self {
            Self::Array(elements) => Some(elements),
            _ => None,
        }
    }

    /// Returns the text, if this is a string.
    pub fn as_str(&self) -> Option<&str> {
        match self {
            Self::String(text) => Some(text),
            _ => None,
        }
    }

    /// Returns the number, if this is one.
    pub fn as_f64(&self) -> Option<f64> {
        match self {
            Self::Number(number) => Some(*number),
            _ => None,
        }
    }

    /// Returns the number as [`whole`] reads it, if this is one.
    pub fn as_whole(&self) -> Option<u64> {
        self.as_f64().and_then(whole)
    }

    /// Returns the truth value, if this is one.
    pub fn as_bool(&self) -> Option<bool> {
        match self {
            Self::Bool(value) => Some(*value),
            _ => None,
        }
    }

    /// Estimates the bytes of its text, in a small part of the time that writing it takes.
    pub fn weight(&self) -> u64 {
        match self {
            Self::Null | Self::Bool(_) | Self::Number(_) => 8,
            Self::String(text) => 8 + text.len() as u64,
            Self::Array(elements) => 8 + elements.iter().map(Self::weight).sum::<u64>(),
            Self::Object(members) => {
                8 + members.iter().map(|(key, value)| 8 + key.len() as u64 + value.weight()).sum::<u64>()
            }
        }
    }

    /// Sorts the keys of all objects in the order of RFC 8785, so that it is written in that form.
    pub fn sort_keys(&mut self) {
        match self {
            Self::Array(elements) => elements.iter_mut().for_each(Self::sort_keys),
            Self::Object(members) => {
                members.sort_by(|(a, _), (b, _)| write::by_utf16(a, b));
                members.iter_mut().for_each(|(_, value)| value.sort_keys());
            }
            Self::Null | Self::Bool(_) | Self::Number(_) | Self::String(_) => {}
        }
    }

    /// Returns the name of the type: `null`, `boolean`, `number`, `string`, `array` or `object`.
    pub fn type_name(&self) -> &'static str {
        match self {
            Self::Null => "null",
            Self::Bool(_) => "boolean",
            Self::Number(_) => "number",
            Self::String(_) => "string",
            Self::Array(_) => "array",
            Self::Object(_) => "object",
        }
    }
}

/// The largest integer that JavaScript represents exactly: 2^53 - 1.
pub const SAFE_INTEGER: u64 = (1 << 53) - 1;

/// Returns a number as an integer from 0 to [`SAFE_INTEGER`]. `None` for any other number.
///
/// ```
/// use bailiwick_model::json::whole;
///
/// assert_eq!([0.0, 1e15, 1.5, -1.0, f64::NAN].map(whole), [Some(0), Some(1_000_000_000_000_000), None, None, None]);
/// assert_eq!([9_007_199_254_740_991.0, 9_007_199_254_740_992.0].map(whole), [Some((1 << 53) - 1), None]);
/// ```
pub fn whole(number: f64) -> Option<u64> {
    (number.fract() == 0.0 && (0.0..=SAFE_INTEGER as f64).contains(&number)).then_some(number as u64)
}

/// Returns an object of these members, in this order. The keys must differ.
impl<const N: usize> From<[(&str, Json); N]> for Json {
    fn from(members: [(&str, Self); N]) -> Self {
        Self::Object(members.map(|(key, value)| (key.to_owned(), value)).into())
    }
}

impl From<&str> for Json {
    fn from(text: &str) -> Self {
        Self::String(text.to_owned())
    }
}

/// Returns the canonical form (RFC 8785) of JSON text: [`parse`], then [`canonical`].
///
/// # Errors
/// `InvalidInput`, as [`parse`].
pub fn canonicalize(bytes: &[u8], limits: &Limits) -> Result<Vec<u8>> {
    parse(bytes, limits).map(|value| canonical(&value))
}
