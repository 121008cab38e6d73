//! Reads typed values from JSON. It collects every problem and continues; if there is one, the values are not used.

use super::issues::{Issues, path_at, path_to};
use super::messages;
use crate::Json;
use crate::json::SAFE_INTEGER;

/// Reads one value at a path.
pub(super) type Read<T> = fn(&Json, &str, &mut Issues) -> Option<T>;

/// An object whose properties must all be known.
pub(super) struct Object<'a> {
    json: &'a Json,
    path: &'a str,
}

impl<'a> Object<'a> {
    /// Opens an object; reports another type, and unknown properties.
    pub(super) fn open(json: &'a Json, path: &'a str, known: &[&str], issues: &mut Issues) -> Option<Self> {
        let Some(members) = json.as_object() else {
            issues.add(path, messages::OBJECT);
            return None;
        };
        for (key, _) in members {
            if !known.contains(&key.as_str()) {
                issues.add(path_to(path, key), messages::unknown_property(known));
            }
        }
        Some(Self { json, path })
    }

    /// Returns a property that may be absent.
    pub(super) fn optional<T>(&self, key: &str, issues: &mut Issues, read: Read<T>) -> Option<T> {
        read(self.json.get(key)?, &path_to(self.path, key), issues)
    }

    /// Returns a property that must exist. `None` only after a problem.
    pub(super) fn required<T>(&self, key: &str, issues: &mut Issues, read: Read<T>) -> Option<T> {
        if self.json.get(key).is_none() {
            issues.add(path_to(self.path, key), messages::REQUIRED);
        }
        self.optional(key, issues, read)
    }

    /// Returns a property that has a default.
    pub(super) fn or_default<T: Default>(&self, key: &str, issues: &mut Issues, read: Read<T>) -> T {
        self.optional(key, issues, read).unwrap_or_default()
    }
}

pub(super) fn string(json: &Json, path: &str, issues: &mut Issues) -> Option<String> {
    let text = json.as_str();
    if text.is_none() {
        issues.add(path, messages::STRING);
    }
    text.map(str::to_owned)
}

pub(super) fn boolean(json: &Json, path: &str, issues: &mut Issues) -> Option<bool> {
    let value = json.as_bool();
    if value.is_none() {
        issues.add(path, messages::BOOLEAN);
    }
    value
}

/// Reads a string that `accepts` allows; otherwise reports `message`.
pub(super) fn string_that(
    accepts: fn(&str) -> bool,
    message: &str,
    json: &Json,
    path: &str,
    issues: &mut Issues,
) -> Option<String> {
    let text = string(json, path, issues)?;
    if !accepts(&text) {
        issues.add(path, message);
    }
    Some(text)
}

pub(super) fn text(json: &Json, path: &str, issues: &mut Issues) -> Option<String> {
    string_that(|text| !text.is_empty(), messages::TEXT, json, path, issues)
}

pub(super) fn name(json: &Json, path: &str, issues: &mut Issues) -> Option<String> {
    string_that(crate::names::is_name, messages::NAME, json, path, issues)
}

pub(super) fn tool_name(json: &Json, path: &str, issues: &mut Issues) -> Option<String> {
    string_that(crate::names::is_tool_name, messages::TOOL_NAME, json, path, issues)
}

/// Reads an integer from 1 to the largest that JavaScript represents exactly.
pub(super) fn positive(json: &Json, path: &str, issues: &mut Issues) -> Option<u64> {
    let number = positive_integer(json);
    if number.is_none() {
        issues.add(path, messages::POSITIVE);
    }
    number
}

pub(super) fn positive_integer(json: &Json) -> Option<u64> {
    integer(json).filter(|number| *number > 0).map(i64::unsigned_abs)
}

/// Reads an integer that JavaScript represents exactly.
pub(super) fn integer(json: &Json) -> Option<i64> {
    let number = json.as_f64()?;
    (number.fract() == 0.0 && number.abs() <= SAFE_INTEGER as f64).then_some(number as i64)
}

/// Reads any object; otherwise reports `message`.
pub(super) fn object_that(json: &Json, path: &str, issues: &mut Issues, message: &str) -> Option<Json> {
    if json.as_object().is_none() {
        issues.add(path, message);
        return None;
    }
    Some(json.clone())
}

pub(super) fn any_object(json: &Json, path: &str, issues: &mut Issues) -> Option<Json> {
    object_that(json, path, issues, messages::OBJECT)
}

pub(super) fn schema(json: &Json, path: &str, issues: &mut Issues) -> Option<Json> {
    object_that(json, path, issues, messages::SCHEMA)
}

/// Reads a list with `read` for each element.
pub(super) fn list<T>(json: &Json, path: &str, issues: &mut Issues, read: Read<T>) -> Option<Vec<T>> {
    let Some(elements) = json.as_array() else {
        issues.add(path, messages::ARRAY);
        return None;
    };
    let read_all = elements.iter().enumerate();
    Some(read_all.filter_map(|(index, element)| read(element, &path_at(path, index), issues)).collect())
}

pub(super) fn strings(json: &Json, path: &str, issues: &mut Issues) -> Option<Vec<String>> {
    list(json, path, issues, string)
}

/// Reads a record whose keys must be accepted; sorted by key.
pub(super) fn record<T>(
    json: &Json,
    path: &str,
    issues: &mut Issues,
    (accepts, message): (fn(&str) -> bool, &str),
    read: Read<T>,
) -> Option<Vec<(String, T)>> {
    let Some(members) = json.as_object() else {
        issues.add(path, messages::OBJECT);
        return None;
    };
    let mut entries = Vec::with_capacity(members.len());
    for (key, value) in members {
        let path = path_to(path, key);
        if !accepts(key) {
            issues.add(path, message);
        } else if let Some(value) = read(value, &path, issues) {
            entries.push((key.clone(), value));
        }
    }
    entries.sort_by(|(left, _), (right, _)| left.cmp(right));
    Some(entries)
}

/// Reads one of some words, each with its value.
pub(super) fn one_of<T: Copy>(json: &Json, path: &str, issues: &mut Issues, words: &[(&str, T)]) -> Option<T> {
    let found = json.as_str().and_then(|text| words.iter().find(|(word, _)| *word == text));
    if found.is_none() {
        let known: Vec<_> = words.iter().map(|(word, _)| *word).collect();
        issues.add(path, messages::one_of(&known));
    }
    found.map(|(_, value)| *value)
}

/// The most levels of a dump.
const MAX_DEPTH: usize = 100;

/// Reports JSON that is not allowed in a dump: the key `__proto__`, and too many levels.
pub(super) fn check_plain_json(json: &Json, issues: &mut Issues) {
    check_at(json, &mut Vec::new(), issues);
}

enum Step<'a> {
    Key(&'a str),
    Index(usize),
}

/// `place` has the steps to `json`, which are formatted only for a problem.
fn check_at<'a>(json: &'a Json, place: &mut Vec<Step<'a>>, issues: &mut Issues) {
    let is_nested = matches!(json, Json::Array(_) | Json::Object(_));
    if is_nested && place.len() >= MAX_DEPTH {
        issues.add(path_of(place), messages::DEEP);
        return;
    }
    for (index, element) in json.as_array().unwrap_or_default().iter().enumerate() {
        place.push(Step::Index(index));
        check_at(element, place, issues);
        place.pop();
    }
    for (key, value) in json.as_object().unwrap_or_default() {
        place.push(Step::Key(key));
        if key == "__proto__" {
            issues.add(path_of(place), messages::RESERVED);
        } else {
            check_at(value, place, issues);
        }
        place.pop();
    }
}

fn path_of(place: &[Step<'_>]) -> String {
    place.iter().fold(String::new(), |path, step| match step {
        Step::Key(key) => path_to(&path, key),
        Step::Index(index) => path_at(&path, *index),
    })
}
