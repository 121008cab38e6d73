//! Canonical JSON without a tree: a large text is checked and rewritten as it is read. Its tree would take many times
//! its memory.

use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, Error as _, MapAccess, SeqAccess, Visitor};

use super::Json;
use super::parse::{Limits, describe, textual};
use super::write::{Writer, by_utf16};
use crate::Result;

/// The elements that are kept of an array, as many as a glimpse uses. Of further ones only the types are kept.
pub(crate) const SAMPLE: usize = 1000;
/// The most bytes that are moved to sort keys, as a multiple of the text's length. Nested objects that are all out of
/// order exceed it.
const MOVES: usize = 8;

/// The result of [`canonical_of`].
#[derive(Debug, Clone, PartialEq)]
pub struct Canonical {
    /// The canonical form.
    pub text: Vec<u8>,
    /// The parts of the value that a glimpse uses: see [`crate::glimpse::Content::Sample`].
    pub sample: Json,
}

/// As [`super::parse`] and [`super::canonical`], in a small part of the memory. `None`: this text would take too long
/// that way.
///
/// # Errors
/// `InvalidInput`, as [`super::parse`].
pub fn canonical_of(bytes: &[u8], limits: &Limits) -> Result<Option<Canonical>> {
    let text = textual(bytes, limits)?;
    let mut state = State {
        writer: Writer::with_capacity(text.len()),
        keys: String::new(),
        members: Vec::new(),
        scratch: String::new(),
        remaining: limits.elements,
        moves: text.len().saturating_mul(MOVES),
    };
    let depth = limits.depth.min(super::MAX_DEPTH);
    let mut deserializer = serde_json::Deserializer::from_str(text);
    let read = Seed { state: &mut state, depth, keep: Keep::Sample }.deserialize(&mut deserializer);
    let sample = match read.and_then(|sample| deserializer.end().map(|()| sample)) {
        Ok(sample) => sample,
        Err(_) if state.moves == 0 => return Ok(None),
        Err(error) => return Err(describe(text, &error)),
    };
    Ok(Some(Canonical { text: state.writer.out.into_bytes(), sample }))
}

struct State {
    writer: Writer,
    /// The keys of the open objects, one behind the other.
    keys: String,
    /// The members of the open objects.
    members: Vec<Member>,
    scratch: String,
    /// The elements and members that may still come.
    remaining: usize,
    /// The bytes that may still be moved.
    moves: usize,
}

/// A member of an open object: the range of its key among the keys, and of both in the output.
#[derive(Clone, Copy)]
struct Member {
    key: (usize, usize),
    written: (usize, usize),
}

/// How much of a value is kept.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Keep {
    /// The parts that a glimpse uses.
    Sample,
    Whole,
    Type,
}

struct Seed<'a> {
    state: &'a mut State,
    /// The levels that may still be entered.
    depth: usize,
    keep: Keep,
}

impl Seed<'_> {
    fn enter<E: serde::de::Error>(&self) -> Result<usize, E> {
        self.depth.checked_sub(1).ok_or_else(|| E::custom("arrays and objects are nested too deeply"))
    }
}

impl State {
    fn count<E: serde::de::Error>(&mut self) -> Result<(), E> {
        self.remaining =
            self.remaining.checked_sub(1).ok_or_else(|| E::custom("too many array elements and object members"))?;
        Ok(())
    }

    /// Sorts the members from `first` on, which are written from `begin` on, by their keys.
    fn sort<E: serde::de::Error>(&mut self, first: usize, begin: usize) -> Result<(), E> {
        let keys = &self.keys;
        let key = |member: &Member| keys.get(member.key.0..member.key.1).unwrap_or_default();
        let members = self.members.get_mut(first..).unwrap_or_default();
        let in_order = |pair: &[Member]| matches!(pair, [one, other] if by_utf16(key(one), key(other)).is_lt());
        if members.windows(2).all(in_order) {
            return Ok(());
        }
        members.sort_by(|one, other| by_utf16(key(one), key(other)));
        if !members.windows(2).all(in_order) {
            return Err(E::custom("the object that ends here has a duplicate key"));
        }
        let length = self.writer.out.len().saturating_sub(begin);
        let Some(moves) = self.moves.checked_sub(length).filter(|left| *left > 0) else {
            self.moves = 0;
            return Err(E::custom("too much is out of order"));
        };
        self.moves = moves;
        self.scratch.clear();
        for (index, member) in members.iter().enumerate() {
            if index > 0 {
                self.scratch.push(',');
            }
            self.scratch.push_str(self.writer.out.get(member.written.0..member.written.1).unwrap_or_default());
        }
        self.writer.out.truncate(begin);
        self.writer.out.push_str(&self.scratch);
        Ok(())
    }
}

impl<'de> DeserializeSeed<'de> for Seed<'_> {
    type Value = Json;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Json, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Seed<'_> {
    type Value = Json;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a JSON value")
    }

    fn visit_unit<E>(self) -> Result<Json, E> {
        self.state.writer.out.push_str("null");
        Ok(Json::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Json, E> {
        self.state.writer.out.push_str(if value { "true" } else { "false" });
        Ok(Json::Bool(value))
    }

    fn visit_u64<E: serde::de::Error>(self, value: u64) -> Result<Json, E> {
        self.visit_f64(value as f64)
    }

    fn visit_i64<E: serde::de::Error>(self, value: i64) -> Result<Json, E> {
        self.visit_f64(value as f64)
    }

    fn visit_f64<E: serde::de::Error>(self, value: f64) -> Result<Json, E> {
        if !value.is_finite() {
            return Err(E::custom("number out of range"));
        }
        self.state.writer.number(value);
        Ok(Json::Number(value))
    }

    fn visit_str<E>(self, text: &str) -> Result<Json, E> {
        self.state.writer.string(text);
        Ok(Json::String(if self.keep == Keep::Type { String::new() } else { text.to_owned() }))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut access: A) -> Result<Json, A::Error> {
        let depth = self.enter()?;
        let state = self.state;
        state.writer.out.push('[');
        let mut kept = Vec::new();
        for index in 0_usize.. {
            let keep = match self.keep {
                Keep::Sample if index < SAMPLE => Keep::Whole,
                Keep::Sample => Keep::Type,
                keep => keep,
            };
            let before = state.writer.out.len();
            if index > 0 {
                state.writer.out.push(',');
            }
            let Some(element) = access.next_element_seed(Seed { state, depth, keep })? else {
                state.writer.out.truncate(before);
                break;
            };
            state.count()?;
            if self.keep != Keep::Type {
                kept.push(element);
            }
        }
        state.writer.out.push(']');
        Ok(Json::Array(kept))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut access: A) -> Result<Json, A::Error> {
        let depth = self.enter()?;
        let state = self.state;
        state.writer.out.push('{');
        let (first, keys, begin) = (state.members.len(), state.keys.len(), state.writer.out.len());
        let mut kept = Vec::new();
        loop {
            let key = state.keys.len();
            if access.next_key_seed(Key(&mut state.keys))?.is_none() {
                break;
            }
            state.count()?;
            let key = (key, state.keys.len());
            let name = state.keys.get(key.0..key.1).unwrap_or_default();
            if name == "__proto__" {
                return Err(A::Error::custom("the key `__proto__` is not allowed"));
            }
            if state.members.len() > first {
                state.writer.out.push(',');
            }
            let written = state.writer.out.len();
            state.writer.string(name);
            state.writer.out.push(':');
            let kept_key = (self.keep != Keep::Type).then(|| name.to_owned());
            let keep = if self.keep == Keep::Whole { Keep::Whole } else { Keep::Type };
            let value = access.next_value_seed(Seed { state, depth, keep })?;
            state.members.push(Member { key, written: (written, state.writer.out.len()) });
            kept.extend(kept_key.map(|key| (key, value)));
        }
        state.sort(first, begin)?;
        state.members.truncate(first);
        state.keys.truncate(keys);
        state.writer.out.push('}');
        Ok(Json::Object(kept))
    }
}

/// Adds a key to those of the open objects.
struct Key<'a>(&'a mut String);

impl<'de> DeserializeSeed<'de> for Key<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_str(self)
    }
}

impl Visitor<'_> for Key<'_> {
    type Value = ();

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a key")
    }

    fn visit_str<E>(self, text: &str) -> Result<(), E> {
        self.0.push_str(text);
        Ok(())
    }
}
