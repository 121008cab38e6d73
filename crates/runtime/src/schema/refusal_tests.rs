//! Reports of schemas that cannot be used, and references accepted as libraries write them.

use bailiwick_model::json::{self, Json};
use serde_json::{Value, json};

use super::Schema;

fn model(value: &Value) -> Json {
    json::parse(value.to_string().as_bytes(), &json::Limits::default()).unwrap()
}

fn takes(schema: &Schema, value: &Value) -> bool {
    schema.says(&model(value), 1).is_ok()
}

/// The message, its keyword and its place.
fn refusal(schema: &Value) -> (String, String, String) {
    let Err(refused) = Schema::new(&model(schema)) else { panic!("taken: {schema}") };
    let said = refused.said("the tool \"search\"");
    assert!(said.contains("the tool \"search\"") && said.contains(&format!("{:?}", refused.place)), "{said}");
    (refused.keyword, refused.place, said)
}

#[test]
fn a_schema_that_cannot_be_used_is_refused_with_keyword_place_and_reason() {
    let property = |schema: Value| json!({ "type": "object", "properties": { "a": schema } });
    for (schema, keyword, place, reason) in [
        (property(json!({ "type": "any" })), "type", "/properties/a/type", "any"),
        (
            property(json!({ "type": "number", "exclusiveMinimum": true })),
            "exclusiveMinimum",
            "/properties/a/exclusiveMinimum",
            "number",
        ),
        (
            property(json!({ "type": "array", "items": [{ "type": "string" }] })),
            "items",
            "/properties/a/items",
            "object",
        ),
        (property(json!({ "type": "string", "required": true })), "required", "/properties/a/required", "array"),
        (property(json!({ "minLength": -1 })), "minLength", "/properties/a/minLength", "minimum"),
        (property(json!({ "allOf": [] })), "allOf", "/properties/a/allOf", "[]"),
        (property(json!({ "enum": "x" })), "enum", "/properties/a/enum", "array"),
        (property(json!({ "pattern": "\\k<n>" })), "pattern", "/properties/a/pattern", "regex"),
        (property(json!({ "pattern": "(" })), "pattern", "/properties/a/pattern", "regex"),
        (property(json!({ "$ref": "https://example.com/address.json" })), "$ref", "/properties/a/$ref", "example.com"),
        (property(json!({ "$ref": "other.json#/x" })), "$ref", "/properties/a/$ref", "other.json"),
        (property(json!({ "$ref": "#/$defs/none" })), "$ref", "/properties/a/$ref", "none"),
        (property(json!({ "$ref": "#none" })), "$ref", "/properties/a/$ref", "none"),
    ] {
        let (found, at, said) = refusal(&schema);
        assert_eq!((found.as_str(), at.as_str()), (keyword, place), "{schema}: {said}");
        assert!(said.contains(reason), "{said}");
        assert!(said.len() < 700, "{said}");
    }
}

#[test]
fn local_references_are_taken_as_libraries_write_them() {
    for name in [
        "A",
        "A B",
        "Größe",
        "List<Foo>",
        "a/b",
        "a~b",
        "C#",
        "100%",
        "a%20b",
        "List[Foo]",
        "x|y",
        "a\\b",
        "\"q\"",
        "😀",
        "^{}`",
    ] {
        let pointer = name.replace('~', "~0").replace('/', "~1");
        for reference in [pointer.clone(), encoded(&pointer)] {
            let schema = json!({
                "type": "object",
                "properties": { "a": { "$ref": format!("#/$defs/{reference}") } },
                "$defs": { name: { "type": "number" } },
            });
            let compiled = Schema::new(&model(&schema)).unwrap_or_else(|refused| panic!("{schema}: {refused:?}"));
            assert!(takes(&compiled, &json!({ "a": 1 })), "{schema}");
            assert!(!takes(&compiled, &json!({ "a": "x" })), "{schema}");
        }
    }
}

/// Everything but letters, digits and what separates tokens.
fn encoded(pointer: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'~';
    pointer
        .bytes()
        .map(|byte| if plain(byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") })
        .collect()
}

#[test]
fn odd_ids_are_taken_and_data_stays_as_it_is() {
    let schema = json!({
        "$id": "my schema <v1>",
        "type": "object",
        "properties": { "a": { "$ref": "#/$defs/A" }, "$ref": { "const": { "$ref": "#/a b" } } },
        "$defs": { "A": { "$id": "a part", "type": "number" } },
    });
    let compiled = Schema::new(&model(&schema)).unwrap();
    let fits = |value: Value| takes(&compiled, &value);
    assert!(fits(json!({ "a": 1, "$ref": { "$ref": "#/a b" } })));
    assert!(!fits(json!({ "a": "x" })));
    assert!(!fits(json!({ "$ref": { "$ref": "#/a%20b" } })));
}
