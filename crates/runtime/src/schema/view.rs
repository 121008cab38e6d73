//! A value as the schema library sees it: in place, without a copy, where every look is a step.

use std::borrow::Cow;
use std::collections::HashSet;

use bailiwick_model::json::{self, Json};
use jsonschema::JsonType;
use jsonschema::json::{Array, JsonNumber, Node, NodeIdentity, Object};
use serde_json::{Number, Value};

use super::budget::{parts, spend, spend_on_text};

/// The number of elements that are compared with each other; more are compared by their canonical texts.
const FEW: usize = 16;
/// The keys that are compared in a step.
const KEYS_A_STEP: usize = 8;
/// The parts of a value that a problem repeats, and the characters of each text.
const SHOWN_PARTS: usize = 32;
const SHOWN_CHARACTERS: usize = 200;

/// The library's name for how values are represented.
pub(super) struct View;

/// A value as it is viewed.
#[derive(Clone, Copy)]
pub(super) struct Viewed<'a>(pub(super) &'a Json);

/// The place of a member's name, which is viewed as a value too.
pub(super) struct Name(Json);

impl Default for Name {
    fn default() -> Self {
        Self(Json::Null)
    }
}

impl jsonschema::json::Json for View {
    type Node<'a> = Viewed<'a>;
    type PreparedKey = String;
    type StringBuffer = Name;

    // A look-up goes through the keys.
    const KEYS_PER_LOOKUP: usize = KEYS_A_STEP;
    const ACYCLIC: bool = true;

    fn prepare_key(key: &str) -> String {
        key.to_owned()
    }

    fn with_string_node<T>(buffer: &mut Name, string: &str, work: impl FnOnce(Viewed<'_>) -> T) -> T {
        spend(1);
        if let Json::String(text) = &mut buffer.0 {
            text.clear();
            text.push_str(string);
        } else {
            buffer.0 = Json::String(string.to_owned());
        }
        work(Viewed(&buffer.0))
    }
}

impl<'a> Node<'a, View> for Viewed<'a> {
    type Object = Members<'a>;
    type Array = Elements<'a>;
    type Number = Double;

    fn as_object(&self) -> Option<Members<'a>> {
        spend(1);
        self.0.as_object().map(Members)
    }

    fn as_array(&self) -> Option<Elements<'a>> {
        spend(1);
        self.0.as_array().map(Elements)
    }

    fn as_string(&self) -> Option<Cow<'a, str>> {
        let Json::String(text) = self.0 else {
            spend(1);
            return None;
        };
        spend_on_text(text);
        Some(Cow::Borrowed(text))
    }

    fn as_number(&self) -> Option<Double> {
        spend(1);
        self.0.as_f64().map(Double)
    }

    fn as_boolean(&self) -> Option<bool> {
        spend(1);
        self.0.as_bool()
    }

    fn is_null(&self) -> bool {
        spend(1);
        matches!(self.0, Json::Null)
    }

    fn json_type(&self) -> JsonType {
        spend(1);
        match self.0 {
            Json::Null => JsonType::Null,
            Json::Bool(_) => JsonType::Boolean,
            Json::Number(_) => JsonType::Number,
            Json::String(_) => JsonType::String,
            Json::Array(_) => JsonType::Array,
            Json::Object(_) => JsonType::Object,
        }
    }

    fn equals_value(&self, expected: &Value) -> bool {
        equals(self.0, expected)
    }

    /// Only problems ask for this, and they are cut anyway: a large value is shown in part.
    fn to_value(&self) -> Cow<'a, Value> {
        Cow::Owned(shown(self.0, &mut SHOWN_PARTS.clone()))
    }

    fn identity(&self) -> Option<NodeIdentity> {
        spend(1);
        Some(NodeIdentity::new(std::ptr::from_ref(self.0).addr()))
    }
}

/// A number as JavaScript has it.
pub(super) struct Double(f64);

impl JsonNumber for Double {
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "it is whole and in the range")]
    fn as_u64(&self) -> Option<u64> {
        // The bound is 2^64.
        (self.0.fract() == 0.0 && (0.0..18_446_744_073_709_551_616.0).contains(&self.0)).then_some(self.0 as u64)
    }

    #[allow(clippy::cast_possible_truncation, reason = "it is whole and in the range")]
    fn as_i64(&self) -> Option<i64> {
        // The bounds are -2^63 and 2^63.
        let range = -9_223_372_036_854_775_808.0..9_223_372_036_854_775_808.0;
        (self.0.fract() == 0.0 && range.contains(&self.0)).then_some(self.0 as i64)
    }

    fn as_f64(&self) -> Option<f64> {
        Some(self.0)
    }

    fn as_str(&self) -> Cow<'_, str> {
        Cow::Owned(json::write(&Json::Number(self.0)))
    }

    fn to_number(&self) -> Cow<'_, Number> {
        let whole = self.as_u64().map(Number::from).or_else(|| self.as_i64().map(Number::from));
        Cow::Owned(whole.or_else(|| Number::from_f64(self.0)).unwrap_or_else(|| Number::from(0)))
    }

    fn is_integer(&self) -> bool {
        self.0.fract() == 0.0
    }

    /// Writes a number as `JSON.stringify` does.
    fn is_written_as_integer(&self) -> bool {
        self.as_u64().is_some() || self.as_i64().is_some()
    }
}

/// The members of an object.
#[derive(Clone, Copy)]
pub(super) struct Members<'a>(&'a [(String, Json)]);

impl<'a> Object<'a, View> for Members<'a> {
    type Node = Viewed<'a>;
    type MemberName = &'a str;
    type MembersIter = MembersIter<'a>;

    fn len(&self) -> usize {
        self.0.len()
    }

    fn get(&self, key: &String) -> Option<Viewed<'a>> {
        spend(1 + (self.0.len() / KEYS_A_STEP) as u64);
        self.0.iter().find(|(name, _)| name == key).map(|(_, value)| Viewed(value))
    }

    fn members(&self) -> MembersIter<'a> {
        MembersIter(self.0.iter())
    }
}

pub(super) struct MembersIter<'a>(std::slice::Iter<'a, (String, Json)>);

impl<'a> Iterator for MembersIter<'a> {
    type Item = (&'a str, Viewed<'a>);

    fn next(&mut self) -> Option<Self::Item> {
        let (name, value) = self.0.next()?;
        // A pattern may be about to search the name.
        spend_on_text(name);
        Some((name, Viewed(value)))
    }
}

/// The elements of an array.
#[derive(Clone, Copy)]
pub(super) struct Elements<'a>(&'a [Json]);

impl<'a> Array<'a, View> for Elements<'a> {
    type Node = Viewed<'a>;
    type ElementsIter = ElementsIter<'a>;

    fn len(&self) -> usize {
        self.0.len()
    }

    fn elements(&self) -> ElementsIter<'a> {
        ElementsIter(self.0.iter())
    }

    fn is_unique(&self) -> bool {
        spend(self.0.iter().map(parts).sum());
        if self.0.len() <= FEW {
            return self
                .0
                .iter()
                .enumerate()
                .all(|(at, element)| self.0.iter().take(at).all(|earlier| !is_same(earlier, element)));
        }
        let mut seen = HashSet::with_capacity(self.0.len());
        self.0.iter().all(|element| seen.insert(json::canonical(element)))
    }
}

pub(super) struct ElementsIter<'a>(std::slice::Iter<'a, Json>);

impl<'a> Iterator for ElementsIter<'a> {
    type Item = Viewed<'a>;

    fn next(&mut self) -> Option<Self::Item> {
        let element = self.0.next()?;
        spend(1);
        Some(Viewed(element))
    }
}

fn is_same(one: &Json, other: &Json) -> bool {
    match (one, other) {
        (Json::Array(_) | Json::Object(_), Json::Array(_) | Json::Object(_)) => {
            spend(parts(one) + parts(other));
            json::canonical(one) == json::canonical(other)
        }
        (one, other) => {
            spend(1);
            one == other
        }
    }
}

fn equals(value: &Json, expected: &Value) -> bool {
    spend(1);
    match (value, expected) {
        (Json::Null, Value::Null) => true,
        (Json::Bool(value), Value::Bool(expected)) => value == expected,
        // The numbers of a schema were read as doubles, too.
        (Json::Number(value), Value::Number(expected)) => expected.as_f64() == Some(*value),
        (Json::String(value), Value::String(expected)) => {
            if value.len() == expected.len() {
                spend_on_text(value);
            }
            value == expected
        }
        (Json::Array(value), Value::Array(expected)) => {
            value.len() == expected.len() && value.iter().zip(expected).all(|(value, expected)| equals(value, expected))
        }
        (Json::Object(value), Value::Object(expected)) => {
            value.len() == expected.len()
                && value.iter().all(|(key, value)| expected.get(key).is_some_and(|expected| equals(value, expected)))
        }
        _ => false,
    }
}

fn shown(value: &Json, room: &mut usize) -> Value {
    spend(1);
    *room = room.saturating_sub(1);
    let cut = |text: &str| text.chars().take(SHOWN_CHARACTERS).collect::<String>();
    match value {
        Json::Null => Value::Null,
        Json::Bool(value) => Value::Bool(*value),
        Json::Number(value) => Value::Number(Double(*value).to_number().into_owned()),
        Json::String(text) => Value::String(cut(text)),
        Json::Array(elements) => {
            let mut shown_elements = Vec::new();
            for element in elements {
                if *room == 0 {
                    shown_elements.push(Value::from("…"));
                    break;
                }
                shown_elements.push(shown(element, room));
            }
            Value::Array(shown_elements)
        }
        Json::Object(members) => {
            let mut shown_members = serde_json::Map::new();
            for (key, value) in members {
                if *room == 0 {
                    shown_members.insert("…".to_owned(), Value::from("…"));
                    break;
                }
                shown_members.insert(cut(key), shown(value, room));
            }
            Value::Object(shown_members)
        }
    }
}
