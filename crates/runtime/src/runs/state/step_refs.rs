//! Inputs of a plan's steps that take the results of earlier ones: `{"$step": "id", "path": "/json/pointer"}`.

use std::collections::BTreeMap;

use bailiwick_model::json::{self, Json};

use crate::runs::host::REQUEST_BYTES;

/// The step and the path, if this is such an object.
pub(crate) fn reference(value: &Json) -> Option<(&str, &str)> {
    let step = value.get("$step")?.as_str()?;
    let path = match value.get("path") {
        None => "",
        Some(path) => path.as_str()?,
    };
    let known = value.as_object()?.iter().all(|(key, _)| key == "$step" || key == "path");
    (known && (path.is_empty() || path.starts_with('/'))).then_some((step, path))
}

/// The steps whose results an input takes, each once.
pub(crate) fn references(input: &Json) -> Vec<&str> {
    let mut taken = BTreeMap::new();
    count(input, &mut taken);
    let mut steps: Vec<&str> = taken.into_keys().map(|(step, _)| step).collect();
    steps.dedup();
    steps
}

/// What an input takes of results: steps and paths, and how often each.
pub(crate) type Taken<'a> = BTreeMap<(&'a str, &'a str), u64>;

/// Counts what a value takes.
pub(crate) fn count<'a>(value: &'a Json, taken: &mut Taken<'a>) {
    let mut open = vec![value];
    while let Some(value) = open.pop() {
        match (reference(value), value) {
            (Some(place), _) => *taken.entry(place).or_default() += 1,
            (None, Json::Array(elements)) => open.extend(elements),
            (None, Json::Object(members)) => open.extend(members.iter().map(|(_, value)| value)),
            (None, _) => {}
        }
    }
}

/// How much an input may still become with what it takes: what one value may have.
pub(crate) struct Room {
    bytes: u64,
    elements: u64,
}

impl Room {
    pub(crate) fn beside(input: &Json) -> Self {
        let limits = json::Limits::default();
        let mut room = Self { bytes: REQUEST_BYTES as u64, elements: limits.elements as u64 };
        room.take(&Size::of(input), 1);
        room
    }

    /// Takes a value's size off, so many times. `false`: it does not fit, and nothing does any more.
    pub(crate) fn take(&mut self, size: &Size, times: u64) -> bool {
        let left = |left: u64, each: u64| each.checked_mul(times).and_then(|all| left.checked_sub(all));
        match (left(self.bytes, size.bytes), left(self.elements, size.elements)) {
            (Some(bytes), Some(elements)) => (self.bytes, self.elements) = (bytes, elements),
            _ => (self.bytes, self.elements) = (0, 0),
        }
        self.bytes > 0
    }
}

/// The bytes of a value's text. What is stored as JSON has its text already; a text may become six times as long.
fn text_bytes(value: &Json) -> u64 {
    let Json::String(text) = value else { return json::write(value).len() as u64 };
    let bytes = text.bytes().map(|byte| match byte {
        b'"' | b'\\' | b'\n' | b'\r' | b'\t' | 0x08 | 0x0c => 2,
        0..0x20 => 6,
        _ => 1,
    });
    2 + bytes.sum::<u64>()
}

pub(crate) struct Size {
    pub(crate) bytes: u64,
    /// Of arrays and objects in it.
    pub(crate) elements: u64,
}

impl Size {
    /// What a value has.
    pub(crate) fn of(value: &Json) -> Self {
        Self { bytes: text_bytes(value), elements: elements(value) }
    }
}

/// Counts the elements of arrays and the members of objects in a value.
pub(crate) fn elements(value: &Json) -> u64 {
    let (mut elements, mut open) = (0, vec![value]);
    while let Some(value) = open.pop() {
        match value {
            Json::Array(inner) => {
                elements += inner.len() as u64;
                open.extend(inner);
            }
            Json::Object(inner) => {
                elements += inner.len() as u64;
                open.extend(inner.iter().map(|(_, value)| value));
            }
            _ => {}
        }
    }
    elements
}

/// An input with results in the place of what stands for them. `None`: `take` had none for one of them.
pub(crate) fn filled(input: &Json, take: &dyn Fn(&str, &str) -> Option<Json>) -> Option<Json> {
    if let Some((step, path)) = reference(input) {
        return take(step, path);
    }
    Some(match input {
        Json::Array(elements) => {
            Json::Array(elements.iter().map(|element| filled(element, take)).collect::<Option<_>>()?)
        }
        Json::Object(members) => {
            let members = members.iter().map(|(key, value)| Some((key.clone(), filled(value, take)?)));
            Json::Object(members.collect::<Option<_>>()?)
        }
        other => other.clone(),
    })
}

/// What a JSON pointer (RFC 6901) leads to.
pub(crate) fn pointed<'a>(value: &'a Json, path: &str) -> Option<&'a Json> {
    let mut at = value;
    for token in path.split('/').skip(1) {
        let token = token.replace("~1", "/").replace("~0", "~");
        at = match at {
            Json::Array(elements) => {
                let is_index = token == "0" || !token.starts_with('0');
                elements.get(
                    token
                        .parse::<usize>()
                        .ok()
                        .filter(|_| is_index && token.bytes().all(|byte| byte.is_ascii_digit()))?,
                )?
            }
            Json::Object(_) => at.get(&token)?,
            _ => return None,
        };
    }
    Some(at)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(text: &str) -> Json {
        json::parse(text.as_bytes(), &json::Limits::default()).unwrap()
    }

    #[test]
    fn pointers_resolve_as_in_rfc_6901() {
        let value = parsed(r#"{"a":[1,{"b/c":2,"":3}],"~":4}"#);
        let at = |path: &str| pointed(&value, path).map(json::write);
        assert_eq!(at("").as_deref(), Some(r#"{"a":[1,{"b/c":2,"":3}],"~":4}"#));
        assert_eq!(at("/a/0").as_deref(), Some("1"));
        assert_eq!(at("/a/1/b~1c").as_deref(), Some("2"));
        assert_eq!(at("/a/1/").as_deref(), Some("3"));
        assert_eq!(at("/~0").as_deref(), Some("4"));
        for nowhere in ["/b", "/a/2", "/a/00", "/a/+0", "/a/-", "/a/0/x"] {
            assert_eq!(at(nowhere), None, "{nowhere}");
        }
    }

    #[test]
    fn inputs_name_the_steps_they_take_from() {
        let input =
            parsed(r#"{"rows":{"$step":"load"},"deep":[{"x":{"$step":"sum","path":"/total"}}],"no":{"$step":1}}"#);
        let mut steps = references(&input);
        steps.sort_unstable();
        assert_eq!(steps, ["load", "sum"]);
        let full = filled(&input, &|step, path| Some(Json::from(format!("{step}{path}").as_str()))).unwrap();
        assert_eq!(json::write(&full), r#"{"rows":"load","deep":[{"x":"sum/total"}],"no":{"$step":1}}"#);
        assert_eq!(filled(&input, &|_, _| None), None);
    }
}
