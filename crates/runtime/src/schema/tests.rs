//! For every schema and value, a check ends within its steps and agrees with the library.

use std::pin::pin;
use std::task::{Context, Poll, Waker};

use bailiwick_model::json::{self, Json};
use proptest::prelude::*;
use serde_json::{Value, json};

use super::budget::{Steps, parts, taken};
use super::{Mismatch, STEPS_FOR_PROBLEMS, Schema, to_serde};

/// The problems that models are told.
const MOST: usize = 5;

fn model(value: &Value) -> Json {
    json::parse(value.to_string().as_bytes(), &json::Limits::default()).unwrap()
}

fn schema(schema: &Value) -> Schema {
    Schema::new(&model(schema)).unwrap_or_else(|refused| panic!("no schema: {schema}: {refused:?}"))
}

impl Schema {
    /// The result of a check outside a fair queue.
    pub(super) fn says(&self, value: &Json, most: usize) -> Result<(), Mismatch> {
        at_once(self.check(value, most))
    }

    fn says_within(&self, value: &Json, steps: u64) -> Result<(), Mismatch> {
        at_once(self.check_within(value, MOST, Steps { usual: steps / 10, most: steps }))
    }
}

fn at_once<T>(future: impl Future<Output = T>) -> T {
    match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(output) => output,
        Poll::Pending => panic!("it waits"),
    }
}

/// The most steps that all parts of a check may take together.
fn bound(steps: u64) -> u64 {
    steps + steps / 10 + 2 * STEPS_FOR_PROBLEMS + STEPS_FOR_PROBLEMS.max(steps)
}

/// Schemas that branch into themselves, and how one level of a value for them is made of the next one.
type Family = (&'static str, Value, fn(Value) -> Value);

#[allow(clippy::too_many_lines, reason = "a table: a row for each family")]
fn families() -> Vec<Family> {
    fn args(inner: Value) -> Value {
        json!({ "args": [inner.clone(), inner], "op": "and" })
    }
    fn next(inner: Value) -> Value {
        json!({ "next": inner, "op": "x" })
    }
    fn list(inner: Value) -> Value {
        json!([inner])
    }
    let node = |op: &str| {
        json!({ "type": "object", "required": ["args", "op"], "properties": {
            "args": { "type": "array", "items": { "$ref": "#" } }, "op": { "const": op } } })
    };
    let step = |op: &str| json!({ "type": "object", "required": ["op"], "properties": { "next": { "$ref": "#" }, "op": { "const": op } } });
    let leaf = json!({ "type": "number" });
    let branches = |keyword: &str| json!({ keyword: [step("y"), step("z"), step("x"), leaf] });
    vec![
        (
            "anyOf over lists",
            json!({ "anyOf": [node("or"), node("not"), node("and"), leaf] }),
            |inner| json!({ "args": [inner], "op": "and" }),
        ),
        ("anyOf", branches("anyOf"), next),
        ("oneOf", branches("oneOf"), next),
        ("allOf", json!({ "type": ["object", "number"], "allOf": [step("x"), step("x"), step("x")] }), next),
        ("not", json!({ "anyOf": [{ "not": { "not": step("x") } }, { "not": { "not": step("y") } }, leaf] }), next),
        (
            "if, then, else",
            json!({ "type": ["object", "number"], "if": step("y"), "then": step("z"), "else": { "if": step("x"), "then": step("x"), "else": leaf } }),
            next,
        ),
        (
            "dependentSchemas",
            json!({ "type": ["object", "number"], "dependentSchemas": { "next": { "anyOf": [step("y"), step("x")] }, "op": { "anyOf": [step("z"), step("x")] } } }),
            next,
        ),
        (
            "unevaluatedProperties",
            json!({ "anyOf": [step("y"), step("x"), leaf], "unevaluatedProperties": false }),
            next,
        ),
        (
            "unevaluatedProperties over itself",
            json!({ "anyOf": [{ "type": "object", "allOf": [{ "required": ["op"] }], "unevaluatedProperties": { "anyOf": [{ "$ref": "#" }, { "const": "x" }] } }, leaf] }),
            next,
        ),
        (
            "contains",
            json!({ "anyOf": [{ "type": "array", "contains": { "$ref": "#" } }, { "type": "array", "contains": { "$ref": "#" }, "minItems": 2 }, leaf] }),
            list,
        ),
        (
            "unevaluatedItems",
            json!({ "anyOf": [{ "type": "array", "unevaluatedItems": { "$ref": "#" } }, { "type": "array", "unevaluatedItems": { "$ref": "#" }, "minItems": 2 }, leaf] }),
            list,
        ),
        (
            "dynamic references",
            json!({ "$dynamicAnchor": "node", "anyOf": [
                { "type": "object", "required": ["op"], "properties": { "next": { "$dynamicRef": "#node" }, "op": { "const": "y" } } },
                { "type": "object", "required": ["op"], "properties": { "next": { "$dynamicRef": "#node" }, "op": { "const": "x" } } },
                leaf] }),
            next,
        ),
        (
            "draft 7",
            json!({ "$schema": "http://json-schema.org/draft-07/schema#", "anyOf": [step("y"), step("x"), leaf] }),
            next,
        ),
        (
            "additionalProperties",
            json!({ "anyOf": [{ "type": "object", "additionalProperties": { "anyOf": [{ "$ref": "#" }, { "const": "x" }] }, "maxProperties": 1 }, { "type": "object", "additionalProperties": { "anyOf": [{ "$ref": "#" }, { "const": "x" }] } }, leaf] }),
            next,
        ),
        (
            "two of each",
            json!({ "anyOf": [node("and"), { "allOf": [node("and"), { "minProperties": 3 }] }, leaf] }),
            args,
        ),
    ]
}

#[test]
fn a_check_of_any_family_ends_within_its_steps() {
    for (name, schema_of_it, level) in families() {
        let schema = schema(&schema_of_it);
        for depth in (1..=12).chain([16, 24, 40]) {
            // Two inner values for each outer one grow by themselves.
            if name == "two of each" && depth > 10 {
                continue;
            }
            let mut value = json!("wrong");
            for _ in 0..depth {
                value = level(value);
            }
            let value = model(&value);
            let (before, steps) = (taken(), 50_000 + 64 * parts(&value));
            let outcome = schema.says_within(&value, steps);
            assert!(outcome.is_err(), "{name}, depth {depth}");
            let took = taken() - before;
            assert!(took <= bound(steps), "{name}, depth {depth}: {took} steps of {}", bound(steps));
            assert!(outcome.unwrap_err().told().len() < 2_000, "{name}, depth {depth}");
        }
    }
}

#[test]
fn every_way_to_backtrack_is_found_wherever_the_pattern_is() {
    let backtracks = |schema: &Value| super::counted::has_backtracking_pattern(schema);
    let ways =
        ["a(?=b)", "(?<!a)b", "(?>a)", "(a)\\1", "(?<n>a)\\k<n>", "a++b", "a*+b", "a?+b", "a{1,2}+b", "a\\Kb", "\\Gab"];
    for way in ways {
        assert!(backtracks(&json!({ "properties": { "a": { "pattern": way } } })), "{way}");
        assert!(backtracks(&json!({ "anyOf": [{ "patternProperties": { (way): true } }] })), "{way}");
    }
    for linear in ["^[a-z]+$", "(a{2}|b)+c?", "\\d{1,3}"] {
        assert!(!backtracks(&json!({ "pattern": linear })), "{linear}");
    }
}

/// Definitions that use the next one twice: no look at the value is needed, and the work doubles with each.
#[test]
fn branches_that_never_look_at_the_value_are_counted_too() {
    for (keyword, leaf) in [
        ("allOf", json!({})),
        ("allOf", json!(true)),
        ("anyOf", json!(false)),
        ("anyOf", json!({ "not": {} })),
        ("oneOf", json!(true)),
        ("oneOf", json!({})),
        ("allOf", json!({ "title": "anything" })),
    ] {
        let mut definitions = serde_json::Map::new();
        for number in 0..48 {
            let next = json!({ "$ref": format!("#/$defs/d{}", number + 1) });
            definitions.insert(format!("d{number}"), json!({ keyword: [next.clone(), next] }));
        }
        definitions.insert("d48".to_owned(), leaf.clone());
        let schema = schema(&json!({ "$ref": "#/$defs/d0", "$defs": definitions }));
        let before = taken();
        let outcome = schema.says_within(&Json::Null, 10_000);
        assert!(taken() - before <= bound(10_000), "{keyword} of {leaf}: {}", taken() - before);
        if keyword == "allOf" {
            assert!(matches!(outcome, Ok(()) | Err(Mismatch::TooCostly { .. })), "{keyword} of {leaf}: {outcome:?}");
        }
    }
}

#[test]
fn a_check_over_budget_gives_advice_and_does_not_change_the_next_check() {
    let schema = schema(&json!({ "type": "array", "items": { "type": "number" } }));
    let value = model(&json!([1, 2, [3]]));
    let failure = schema.says_within(&value, 3).unwrap_err();
    assert_eq!(failure, Mismatch::TooCostly { levels: 2, steps: 3 });
    assert_eq!(
        failure.said("The value", "The value does not", "the reference type t"),
        "The value cannot be checked against the schema of the reference type t: checking it against the schema costs \
         too much. It has 2 levels, and 3 steps were not enough. Use a flatter or smaller value, or a schema with fewer \
         alternatives (anyOf, oneOf)."
    );
    assert_eq!(schema.says(&value, MOST).unwrap_err().told(), "at \"/2\": [3] is not of type \"number\"");
    assert_eq!(schema.says(&model(&json!([1, 2])), MOST), Ok(()));
}

#[test]
fn a_large_good_value_has_the_steps_that_it_needs() {
    let row = json!({ "id": 1, "name": "row", "tags": ["a", "b"], "at": null });
    let rows = Json::Array(vec![model(&row); 20_000]);
    let schema = schema(&json!({ "type": "array", "items": { "type": "object", "required": ["id", "name"],
        "additionalProperties": false, "properties": { "id": { "type": "integer" }, "name": { "type": "string", "maxLength": 9 },
        "tags": { "type": "array", "uniqueItems": true, "items": { "enum": ["a", "b", "c"] } }, "at": { "type": ["string", "null"] } } } }));
    let before = taken();
    assert_eq!(schema.says(&rows, MOST), Ok(()));
    assert!(taken() - before < Steps::of(&rows).usual, "{} of {}", taken() - before, Steps::of(&rows).usual);
}

#[test]
fn a_wrong_value_at_the_end_of_a_large_one_is_found() {
    let mut numbers = vec![Json::Number(1.0); 300_000];
    numbers.push(Json::from("x"));
    let schema = schema(&json!({ "type": "array", "items": { "type": "number" } }));
    let Err(Mismatch::Problems(problems)) = schema.says(&Json::Array(numbers), MOST) else { panic!("no problem") };
    assert_eq!(problems[0].place, "/300000");
}

#[test]
fn a_problem_repeats_little_of_a_large_value() {
    let schema = schema(&json!({ "type": "number" }));
    let large = Json::Array(vec![Json::String("x".repeat(1000)); 10_000]);
    let before = taken();
    assert!(schema.says(&large, MOST).unwrap_err().told().len() < 1_000);
    assert!(taken() - before < 1_000, "{}", taken() - before);
}

#[test]
fn stack_is_a_bound_too() {
    let mut definitions = serde_json::Map::new();
    for number in 0..3_000 {
        definitions.insert(format!("d{number}"), json!({ "allOf": [{ "$ref": format!("#/$defs/d{}", number + 1) }] }));
    }
    definitions.insert("d3000".to_owned(), json!({ "items": { "$ref": "#/$defs/d0" } }));
    let document = json!({ "$ref": "#/$defs/d0", "$defs": definitions });
    let made = std::thread::Builder::new().stack_size(64 << 20).spawn(move || schema(&document)).unwrap();
    let schema = made.join().unwrap();
    let value = model(&json!([[[[[[[[[[[[[[[[[[[[[[[[]]]]]]]]]]]]]]]]]]]]]]]]));
    // The result does not matter, only that it returns: half of the stack is not enough for this one.
    let checked = std::thread::Builder::new().stack_size(4 << 20).spawn(move || schema.says(&value, MOST)).unwrap();
    assert!(matches!(checked.join().unwrap(), Err(Mismatch::TooCostly { .. })));
}

/// Small schemas of everything that branches, with a reference to the whole.
fn schemas() -> impl Strategy<Value = Value> {
    let plain = prop_oneof![
        Just(json!(true)),
        Just(json!({})),
        Just(json!({ "type": "number" })),
        Just(json!({ "type": "integer", "minimum": 0, "multipleOf": 2 })),
        Just(json!({ "type": ["string", "null"], "maxLength": 2 })),
        Just(json!({ "const": { "a": 1 } })),
        Just(json!({ "enum": [1, "x", null, [1], { "b": [] }] })),
        Just(json!({ "required": ["a"] })),
        Just(json!({ "uniqueItems": true, "minItems": 1 })),
        Just(json!({ "pattern": "^x(?!y)" })),
        Just(json!({ "minProperties": 1, "maxProperties": 2 })),
        Just(json!({ "propertyNames": { "maxLength": 1 } })),
        Just(json!({ "$ref": "#" })),
        Just(json!({ "$ref": "#/$defs/part" })),
    ];
    plain.prop_recursive(3, 24, 3, |inner| {
        let some = prop::collection::vec(inner.clone(), 1..3);
        prop_oneof![
            some.clone().prop_map(|all| json!({ "allOf": all })),
            some.clone().prop_map(|all| json!({ "anyOf": all })),
            some.clone().prop_map(|all| json!({ "oneOf": all })),
            inner.clone().prop_map(|one| json!({ "not": one })),
            (inner.clone(), inner.clone(), inner.clone())
                .prop_map(|(a, b, c)| json!({ "if": a, "then": b, "else": c })),
            (inner.clone(), inner.clone())
                .prop_map(|(a, b)| json!({ "properties": { "a": a }, "additionalProperties": b })),
            (inner.clone(), inner.clone())
                .prop_map(|(a, b)| json!({ "properties": { "a": a, "b": b }, "unevaluatedProperties": false })),
            (inner.clone(), inner.clone()).prop_map(|(a, b)| json!({ "allOf": [a], "unevaluatedProperties": b })),
            inner.clone().prop_map(|one| json!({ "patternProperties": { "^a": one } })),
            inner.clone().prop_map(|one| json!({ "dependentSchemas": { "a": one } })),
            (some.clone(), inner.clone()).prop_map(|(all, one)| json!({ "prefixItems": all, "items": one })),
            (some, inner.clone()).prop_map(|(all, one)| json!({ "prefixItems": all, "unevaluatedItems": one })),
            inner.prop_map(|one| json!({ "contains": one, "maxContains": 2 })),
        ]
    })
}

fn values() -> impl Strategy<Value = Value> {
    let plain = prop_oneof![
        Just(json!(null)),
        Just(json!(true)),
        Just(json!(-0.0)),
        Just(json!(1)),
        Just(json!(2.5)),
        Just(json!(1e21)),
        Just(json!(9_007_199_254_740_992_u64)),
        Just(json!("x")),
        Just(json!("xy")),
        Just(json!("é😀")),
    ];
    plain.prop_recursive(3, 16, 3, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..3).prop_map(Value::Array),
            prop::collection::btree_map("[abc]{1,2}", inner, 0..3).prop_map(|members| json!(members)),
        ]
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]
    #[test]
    fn verdicts_and_problems_are_those_of_the_library(whole in schemas(), part in schemas(), value in values()) {
        let mut document = json!({ "$defs": { "part": part } });
        match whole {
            Value::Object(members) => document.as_object_mut().unwrap().extend(members),
            other => document["allOf"] = json!([other]),
        }
        let value = model(&value);
        let (ours, theirs) = (schema(&document), jsonschema::validator_for(&document).unwrap());
        let plain = to_serde(&value);
        let expected: Vec<String> = theirs.iter_errors(&plain).map(|error| error.instance_path().to_string()).collect();
        match ours.says(&value, usize::MAX) {
            Ok(()) => prop_assert!(theirs.is_valid(&plain), "{document} takes {plain}"),
            Err(Mismatch::Problems(problems)) => {
                prop_assert!(!theirs.is_valid(&plain), "{document} does not take {plain}");
                let places: Vec<String> = problems.into_iter().map(|problem| problem.place).collect();
                prop_assert_eq!(places, expected, "{} and {}", document, plain);
            }
            Err(other) => prop_assert!(false, "{other:?} of {document} and {plain}"),
        }
    }
}
