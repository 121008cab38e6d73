//! Makes everything that a schema can repeat look at the value, so that it is counted.

use serde_json::{Map, Value, json};

/// Keywords whose values are schemas by name.
const MAPS: [&str; 6] = ["properties", "patternProperties", "$defs", "definitions", "dependentSchemas", "dependencies"];
/// Keywords whose values are never schemas.
const DATA: [&str; 4] = ["const", "enum", "default", "examples"];

/// Without references, at most as many subschemas apply to one place of a value as the schema has. With references the
/// number can double with each definition, and a subschema without keywords decides without a look. So each subschema
/// without a `type` gets one that allows everything: a `type` is checked before anything else.
pub(super) fn count_every_branch(schema: &mut Value) {
    if has_reference(schema) {
        count(schema);
    }
}

fn count(schema: &mut Value) {
    let all = json!(["array", "boolean", "integer", "null", "number", "object", "string"]);
    each_schema(schema, &mut |members| {
        if !members.contains_key("type") {
            members.insert("type".to_owned(), all.clone());
        }
    });
}

/// Visits each schema in a schema, the inner ones first.
pub(super) fn each_schema(schema: &mut Value, work: &mut impl FnMut(&mut Map<String, Value>)) {
    let members = match schema {
        Value::Object(members) => members,
        Value::Array(elements) => return elements.iter_mut().for_each(|element| each_schema(element, work)),
        _ => return,
    };
    for (key, value) in members.iter_mut() {
        match value {
            Value::Object(schemas) if MAPS.contains(&key.as_str()) => {
                schemas.values_mut().for_each(|schema| each_schema(schema, work));
            }
            value if !DATA.contains(&key.as_str()) => each_schema(value, work),
            _ => {}
        }
    }
    work(members);
}

fn has_reference(schema: &Value) -> bool {
    any(schema, &|members| ["$ref", "$dynamicRef", "$recursiveRef"].iter().any(|key| members.contains_key(*key)))
}

/// Returns whether a pattern looks ahead or back, or refers back to a group: only these backtrack.
pub(super) fn has_backtracking_pattern(schema: &Value) -> bool {
    let goes_back = |pattern: &str| {
        ["(?=", "(?!", "(?<", "(?>", "(?(", "\\k", "\\K", "\\G", "++", "*+", "?+", "}+"]
            .iter()
            .any(|sign| pattern.contains(sign))
            || pattern.as_bytes().windows(2).any(|pair| matches!(pair, [b'\\', b'1'..=b'9']))
    };
    any(schema, &|members| {
        members.get("pattern").and_then(Value::as_str).is_some_and(goes_back)
            || members
                .get("patternProperties")
                .and_then(Value::as_object)
                .is_some_and(|patterns| patterns.keys().any(|pattern| goes_back(pattern)))
    })
}

fn any(schema: &Value, is_one: &impl Fn(&Map<String, Value>) -> bool) -> bool {
    match schema {
        Value::Object(members) => is_one(members) || members.values().any(|value| any(value, is_one)),
        Value::Array(elements) => elements.iter().any(|value| any(value, is_one)),
        _ => false,
    }
}
