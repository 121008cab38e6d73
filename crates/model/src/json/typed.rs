//! Typed JSON, read by the rules of [`parse`] and written as by [`write()`](super::write()).
//!
//! ```
//! use bailiwick_model::json::{self, Json, Limits};
//! use serde::{Deserialize, Serialize};
//!
//! #[derive(Serialize, Deserialize)]
//! #[serde(rename_all = "camelCase")]
//! struct Step {
//!     step_id: String,
//!     input: Json,
//!     #[serde(skip_serializing_if = "Option::is_none")]
//!     note: Option<String>,
//! }
//!
//! let step: Step = json::from_slice(br#"{"input":[1.0],"stepId":"load"}"#, &Limits::default())?;
//! assert_eq!(json::to_text(&step), r#"{"stepId":"load","input":[1]}"#);
//! # Ok::<(), bailiwick_model::Error>(())
//! ```

use std::cell::Cell;
use std::io;

use serde::de::value::{Error as Mismatch, MapDeserializer, SeqDeserializer};
use serde::de::{Deserialize, DeserializeOwned, DeserializeSeed, Deserializer, IntoDeserializer, Visitor};
use serde::ser::{Serialize, Serializer};
use serde_json::ser::Formatter;

use super::parse::ValueSeed;
use super::{Json, Limits, MAX_DEPTH, SAFE_INTEGER, parse};
use crate::{Error, Result};

/// Reads a value of this type from one JSON text.
///
/// # Errors
/// `InvalidInput`, as [`parse`], and for a value of another form. It repeats nothing of the text.
pub fn from_slice<T: DeserializeOwned>(bytes: &[u8], limits: &Limits) -> Result<T> {
    from_value(parse(bytes, limits)?)
}

/// Reads a value of this type from a tree.
///
/// # Errors
/// `InvalidInput` for a value of another form. It repeats nothing of the value.
pub fn from_value<T: DeserializeOwned>(value: Json) -> Result<T> {
    T::deserialize(value).map_err(|_: Mismatch| Error::invalid("The JSON text has another form than it must have."))
}

/// Returns the JSON text of a value: numbers, escapes and the order of keys as in [`write()`](super::write()). Empty
/// for values without JSON, such as a map whose keys are not strings.
pub fn to_text<T: Serialize + ?Sized>(value: &T) -> String {
    let mut text = Vec::with_capacity(128);
    append(&mut text, value);
    String::from_utf8(text).unwrap_or_default()
}

/// Appends the text of a value, as [`to_text`].
pub fn append<T: Serialize + ?Sized>(text: &mut Vec<u8>, value: &T) {
    let before = text.len();
    let mut serializer = serde_json::Serializer::with_formatter(&mut *text, AsJavaScript);
    if value.serialize(&mut serializer).is_err() {
        text.truncate(before);
    }
}

/// Writes numbers as `JSON.stringify`. Everything else is printed by serde_json.
struct AsJavaScript;

impl Formatter for AsJavaScript {
    fn write_f64<W: io::Write + ?Sized>(&mut self, writer: &mut W, value: f64) -> io::Result<()> {
        writer.write_all(ryu_js::Buffer::new().format_finite(value).as_bytes())
    }

    fn write_u64<W: io::Write + ?Sized>(&mut self, writer: &mut W, value: u64) -> io::Result<()> {
        self.write_f64(writer, value as f64)
    }

    fn write_i64<W: io::Write + ?Sized>(&mut self, writer: &mut W, value: i64) -> io::Result<()> {
        self.write_f64(writer, value as f64)
    }
}

impl Serialize for Json {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Null => serializer.serialize_unit(),
            Self::Bool(value) => serializer.serialize_bool(*value),
            Self::Number(number) => serializer.serialize_f64(*number),
            Self::String(text) => serializer.serialize_str(text),
            Self::Array(elements) => serializer.collect_seq(elements),
            Self::Object(members) => serializer.collect_map(members.iter().map(|(key, value)| (key, value))),
        }
    }
}

/// Reads values as strictly as [`parse`], with [`MAX_DEPTH`] as the only limit.
impl<'de> Deserialize<'de> for Json {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        ValueSeed { depth: MAX_DEPTH, remaining: &Cell::new(usize::MAX) }.deserialize(deserializer)
    }
}

impl IntoDeserializer<'_, Mismatch> for Json {
    type Deserializer = Self;

    fn into_deserializer(self) -> Self {
        self
    }
}

impl<'de> Deserializer<'de> for Json {
    type Error = Mismatch;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Mismatch> {
        match self {
            Self::Null => visitor.visit_unit(),
            Self::Bool(value) => visitor.visit_bool(value),
            Self::Number(number) if number.fract() != 0.0 || number.abs() > SAFE_INTEGER as f64 => {
                visitor.visit_f64(number)
            }
            Self::Number(number) if number < 0.0 => visitor.visit_i64(number as i64),
            Self::Number(number) => visitor.visit_u64(number as u64),
            Self::String(text) => visitor.visit_string(text),
            Self::Array(elements) => {
                let mut elements = SeqDeserializer::new(elements.into_iter());
                let value = visitor.visit_seq(&mut elements)?;
                elements.end().map(|()| value)
            }
            Self::Object(members) => {
                let mut members = MapDeserializer::new(members.into_iter());
                let value = visitor.visit_map(&mut members)?;
                members.end().map(|()| value)
            }
        }
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Mismatch> {
        if self == Self::Null { visitor.visit_none() } else { visitor.visit_some(self) }
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(self, _: &'static str, visitor: V) -> Result<V::Value, Mismatch> {
        visitor.visit_newtype_struct(self)
    }

    /// Reads a variant: without content it is its name, otherwise an object with its name as the only key.
    fn deserialize_enum<V: Visitor<'de>>(
        self,
        name: &'static str,
        variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Mismatch> {
        match self {
            Self::String(text) => text.into_deserializer().deserialize_enum(name, variants, visitor),
            Self::Object(members) => {
                let members = MapDeserializer::new(members.into_iter());
                visitor.visit_enum(serde::de::value::MapAccessDeserializer::new(members))
            }
            other => other.deserialize_any(visitor),
        }
    }

    serde::forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf unit unit_struct seq tuple
        tuple_struct map struct identifier ignored_any
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;
    use serde::{Deserialize, Serialize};

    use super::super::{Json, Limits, parse, write};
    use super::{from_slice, to_text};

    fn any_json() -> impl Strategy<Value = Json> {
        let leaf = prop_oneof![
            Just(Json::Null),
            any::<bool>().prop_map(Json::Bool),
            any::<f64>().prop_filter("finite", |number| number.is_finite()).prop_map(Json::Number),
            (-100_000_i32..100_000).prop_map(|number| Json::Number(f64::from(number))),
            ".*".prop_map(Json::String),
        ];
        leaf.prop_recursive(4, 32, 6, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..6).prop_map(Json::Array),
                prop::collection::btree_map(".*", inner, 0..6).prop_map(|members| Json::Object(
                    members.into_iter().filter(|(key, _)| key != "__proto__").collect()
                )),
            ]
        })
    }

    proptest! {
        #[test]
        fn a_tree_is_written_as_the_writer_writes_it_and_read_as_the_parser_reads_it(value in any_json()) {
            let text = to_text(&value);
            prop_assert_eq!(&text, &write(&value));
            let read: Json = from_slice(text.as_bytes(), &Limits::default()).unwrap();
            prop_assert_eq!(&read, &parse(text.as_bytes(), &Limits::default()).unwrap());
            let direct: Json = serde_json::from_str(&text).unwrap();
            prop_assert_eq!(read, direct);
        }
    }

    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    #[serde(rename_all = "camelCase")]
    enum Word {
        One,
        Two { count: u64 },
    }

    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Typed {
        at: u64,
        words: Vec<Word>,
        by_name: BTreeMap<String, Option<f64>>,
        #[serde(skip_serializing_if = "Option::is_none")]
        rest: Option<Json>,
    }

    #[test]
    fn types_are_read_strictly_and_written_in_their_order() {
        let text =
            r#"{"at":9007199254740991,"words":["one",{"two":{"count":0}}],"byName":{"a":null,"b":-0.5},"rest":[{}]}"#;
        let typed: Typed = from_slice(text.as_bytes(), &Limits::default()).unwrap();
        assert_eq!(to_text(&typed), text);
        for wrong in [
            r#"{"at":9007199254740992,"words":[],"byName":{}}"#,
            r#"{"at":-1,"words":[],"byName":{}}"#,
            r#"{"at":"1","words":[],"byName":{}}"#,
            r#"{"words":[],"byName":{}}"#,
            r#"{"at":1,"at":1,"words":[],"byName":{}}"#,
            r#"{"at":1,"words":["three"],"byName":{}}"#,
            r#"{"at":1,"words":[],"byName":{},"rest":{"__proto__":1}}"#,
        ] {
            let refused = from_slice::<Typed>(wrong.as_bytes(), &Limits::default());
            assert!(matches!(refused, Err(crate::Error::InvalidInput(_))), "{wrong}: {refused:?}");
        }
        let shallow = Limits { depth: 1, ..Limits::default() };
        assert!(from_slice::<Json>(b"[[]]", &shallow).is_err());
    }
}
