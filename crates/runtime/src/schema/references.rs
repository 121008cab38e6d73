//! Encodes references as the library reads them: as URI references. Schema libraries write names of definitions into
//! them unencoded, with blanks, umlauts or `<>`. Only the compiled schema changes: the one that models see and
//! approvals cover stays as it was written.

use std::fmt::Write as _;

use serde_json::Value;

use super::counted::each_schema;

/// The keywords that hold a URI reference.
const REFERENCES: [&str; 3] = ["$ref", "$dynamicRef", "$id"];

/// Percent-encodes the characters that a URI reference cannot have.
pub(super) fn encode_references(schema: &mut Value) {
    let root = has_odd_reference(schema).then(|| schema.clone());
    let Some(root) = root else { return };
    each_schema(schema, &mut |members| {
        for keyword in REFERENCES {
            if let Some(Value::String(reference)) = members.get_mut(keyword) {
                *reference = encoded(&root, reference);
            }
        }
    });
}

/// Returns whether any reference needs encoding. Nearly no schema has one.
fn has_odd_reference(schema: &Value) -> bool {
    match schema {
        Value::Object(members) => members.iter().any(|(key, value)| match value {
            Value::String(text) => {
                REFERENCES.contains(&key.as_str()) && (text.contains('%') || encode(text, "") != *text)
            }
            value => has_odd_reference(value),
        }),
        Value::Array(elements) => elements.iter().any(has_odd_reference),
        _ => false,
    }
}

fn encoded(root: &Value, reference: &str) -> String {
    let Some(pointer) = reference.strip_prefix('#').filter(|pointer| pointer.starts_with('/')) else {
        return encode(reference, "");
    };
    // A name that looks percent-encoded is meant literally.
    let is_literal = pointer.contains('%') && root.pointer(pointer).is_some();
    format!("#{}", encode(pointer, if is_literal { "%#" } else { "#" }))
}

/// Encodes characters that a URI reference cannot have, a percent sign without two digits, and `also`.
fn encode(text: &str, also: &str) -> String {
    let mut encoded = String::with_capacity(text.len());
    let bytes = text.as_bytes();
    let is_hex = |at: usize| bytes.get(at).is_some_and(u8::is_ascii_hexdigit);
    let mut is_fragment = text.starts_with('/');
    for (at, byte) in bytes.iter().copied().enumerate() {
        let symbol = char::from(byte);
        let is_second = symbol == '#' && is_fragment;
        is_fragment |= symbol == '#';
        let is_allowed = match symbol {
            '%' => is_hex(at + 1) && is_hex(at + 2),
            '[' | ']' => !is_fragment,
            _ => symbol.is_ascii_alphanumeric() || "-._~:/?#@!$&'()*+,;=".contains(symbol),
        };
        if is_allowed && !is_second && !also.contains(symbol) {
            encoded.push(symbol);
        } else {
            // Writing into a text cannot fail.
            let _ = write!(encoded, "%{byte:02X}");
        }
    }
    encoded
}

/// Finds a reference that cannot be followed: returns the pointer to its keyword. `told`: the library's message about
/// it.
pub(super) fn place_of(schema: &Value, told: &str) -> Option<(String, &'static str)> {
    fn search(value: &Value, place: &str, told: &str) -> Option<(String, &'static str)> {
        match value {
            Value::Object(members) => {
                for keyword in REFERENCES {
                    let text = members.get(keyword).and_then(Value::as_str).map(|text| text.trim_start_matches('#'));
                    if text.is_some_and(|text| !text.is_empty() && told.contains(text)) {
                        return Some((format!("{place}/{keyword}"), keyword));
                    }
                }
                members.iter().find_map(|(key, value)| {
                    let key = key.replace('~', "~0").replace('/', "~1");
                    search(value, &format!("{place}/{key}"), told)
                })
            }
            Value::Array(elements) => {
                elements.iter().enumerate().find_map(|(at, value)| search(value, &format!("{place}/{at}"), told))
            }
            _ => None,
        }
    }
    search(schema, "", told)
}
