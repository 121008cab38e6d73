//! Strict parsing. serde_json parses the grammar, the escapes and the numbers; this module refuses what JavaScript
//! would accept: duplicate keys, `__proto__`, infinity, lone surrogates.

use std::cell::Cell;
use std::collections::HashSet;
use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, Error as _, MapAccess, SeqAccess, Visitor};

use super::Json;
use crate::{Error, Result};

/// The deepest nesting that [`Limits::depth`] can allow. Code that walks a value by recursion (parsing, writing,
/// dropping) then needs a few tens of kilobytes of stack.
pub const MAX_DEPTH: usize = 120;

/// The limits of a JSON text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// The most bytes of text. Default: 64 MiB, the largest value.
    pub bytes: usize,
    /// The deepest nesting of arrays and objects; `[[]]` has depth 2. Default: 100. At most [`MAX_DEPTH`].
    pub depth: usize,
    /// The most elements of arrays and members of objects, all together. Default: 4,000,000, which bounds the memory
    /// that a small text can take when parsed.
    pub elements: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self { bytes: 64 * 1024 * 1024, depth: 100, elements: 4_000_000 }
    }
}

/// Parses one JSON text. Strict: UTF-8 without a byte order mark, nothing but white space around the value, no
/// duplicate key and no key `__proto__` (however written), no lone surrogate, every number rounded correctly to a
/// double.
///
/// # Errors
/// `InvalidInput` says what is wrong and at which byte, and repeats nothing of the text.
pub fn parse(bytes: &[u8], limits: &Limits) -> Result<Json> {
    let text = textual(bytes, limits)?;
    let remaining = Cell::new(limits.elements);
    let seed = ValueSeed { depth: limits.depth.min(MAX_DEPTH), remaining: &remaining };
    let mut deserializer = serde_json::Deserializer::from_str(text);
    let value = seed.deserialize(&mut deserializer).map_err(|error| describe(text, &error))?;
    deserializer.end().map_err(|error| describe(text, &error))?;
    Ok(value)
}

/// Returns the bytes as text, if they are UTF-8 and not too long.
pub(super) fn textual<'a>(bytes: &'a [u8], limits: &Limits) -> Result<&'a str> {
    if bytes.len() > limits.bytes {
        return Err(Error::InvalidInput(format!(
            "The JSON text has {} bytes, at most {} are allowed. Split it or keep part of it elsewhere.",
            bytes.len(),
            limits.bytes
        )));
    }
    if bytes.starts_with("\u{feff}".as_bytes()) {
        return Err(Error::invalid("The JSON text starts with a byte order mark. Leave it out."));
    }
    std::str::from_utf8(bytes).map_err(|error| {
        Error::InvalidInput(format!("The JSON text is not valid UTF-8 at byte {}.", error.valid_up_to()))
    })
}

/// Messages of serde_json repeat nothing of the text if every type is accepted, as here.
pub(super) fn describe(text: &str, error: &serde_json::Error) -> Error {
    let message = error.to_string();
    let position = format!(" at line {} column {}", error.line(), error.column());
    let what = message.strip_suffix(&position).unwrap_or(&message);
    let line_start: usize = text.split_inclusive('\n').take(error.line().saturating_sub(1)).map(str::len).sum();
    let offset = line_start.saturating_add(error.column().saturating_sub(1)).min(text.len());
    Error::InvalidInput(format!("The JSON text is not acceptable at byte {offset}: {what}."))
}

#[derive(Clone, Copy)]
pub(super) struct ValueSeed<'a> {
    /// The levels that may still be entered.
    pub(super) depth: usize,
    /// The elements and members that may still come in the whole text.
    pub(super) remaining: &'a Cell<usize>,
}

impl ValueSeed<'_> {
    fn enter<E: serde::de::Error>(self) -> Result<Self, E> {
        match self.depth.checked_sub(1) {
            Some(depth) => Ok(Self { depth, ..self }),
            None => Err(E::custom("arrays and objects are nested too deeply")),
        }
    }

    fn count<E: serde::de::Error>(self) -> Result<(), E> {
        match self.remaining.get().checked_sub(1) {
            Some(remaining) => {
                self.remaining.set(remaining);
                Ok(())
            }
            None => Err(E::custom("too many array elements and object members")),
        }
    }
}

impl<'de> DeserializeSeed<'de> for ValueSeed<'_> {
    type Value = Json;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Json, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for ValueSeed<'_> {
    type Value = Json;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a JSON value")
    }

    fn visit_unit<E>(self) -> Result<Json, E> {
        Ok(Json::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Json, E> {
        Ok(Json::Bool(value))
    }

    // `as` rounds to nearest, ties to even, like parsing the digits as a double.
    fn visit_u64<E>(self, value: u64) -> Result<Json, E> {
        Ok(Json::Number(value as f64))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Json, E> {
        Ok(Json::Number(value as f64))
    }

    fn visit_f64<E: serde::de::Error>(self, value: f64) -> Result<Json, E> {
        if value.is_finite() { Ok(Json::Number(value)) } else { Err(E::custom("number out of range")) }
    }

    fn visit_str<E>(self, text: &str) -> Result<Json, E> {
        Ok(Json::String(text.to_owned()))
    }

    fn visit_string<E>(self, text: String) -> Result<Json, E> {
        Ok(Json::String(text))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut access: A) -> Result<Json, A::Error> {
        let inner = self.enter()?;
        let mut elements = Vec::new();
        while let Some(element) = access.next_element_seed(inner)? {
            inner.count()?;
            elements.push(element);
        }
        Ok(Json::Array(elements))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut access: A) -> Result<Json, A::Error> {
        let inner = self.enter()?;
        let mut members: Vec<(String, Json)> = Vec::new();
        while let Some(key) = access.next_key::<String>()? {
            inner.count()?;
            if key == "__proto__" {
                return Err(A::Error::custom("the key `__proto__` is not allowed"));
            }
            members.push((key, access.next_value_seed(inner)?));
        }
        if has_duplicate(&members) {
            return Err(A::Error::custom("the object that ends here has a duplicate key"));
        }
        Ok(Json::Object(members))
    }
}

/// Comparing all pairs is faster than hashing while there are few, and open to attack when there are many.
fn has_duplicate(members: &[(String, Json)]) -> bool {
    const FEW: usize = 24;
    if members.len() <= FEW {
        return members.iter().enumerate().any(|(index, (key, _))| members.iter().take(index).any(|(k, _)| k == key));
    }
    let mut seen = HashSet::with_capacity(members.len());
    members.iter().any(|(key, _)| !seen.insert(key.as_str()))
}
