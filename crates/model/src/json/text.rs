use std::ops::Deref;

use serde::ser::Error;
use serde::{Serialize, Serializer};
use serde_json::value::RawValue;

/// JSON text that is passed on without parsing it into a tree, which may take many times its memory.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Text(String);

impl Text {
    /// Takes text that was written as JSON before.
    pub fn new(text: String) -> Self {
        Self(text)
    }
}

impl Deref for Text {
    type Target = str;

    fn deref(&self) -> &str {
        &self.0
    }
}

impl Serialize for Text {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        raw(self.0.as_bytes(), serializer)
    }
}

/// Serialises JSON text as the value that it is: for `#[serde(serialize_with = "json::raw")]`.
///
/// # Errors
/// The error of the serialiser if this is not JSON text.
pub fn raw<S: Serializer>(text: &[u8], serializer: S) -> Result<S::Ok, S::Error> {
    let raw: &RawValue = serde_json::from_slice(text).map_err(S::Error::custom)?;
    raw.serialize(serializer)
}
