//! Canonical JSON that is written as it is read is what parsing and writing gives, and so is what a glimpse shows of it.

use bailiwick_model::Result;
use bailiwick_model::glimpse::{Content, MAX_BYTES, Options, glimpse};
use bailiwick_model::json::{self, Json, Limits, canonical_of};
use proptest::prelude::*;

fn any_json() -> impl Strategy<Value = Json> {
    let leaf = prop_oneof![
        Just(Json::Null),
        any::<bool>().prop_map(Json::Bool),
        any::<f64>().prop_map(|number| Json::Number(if number.is_finite() { number } else { 1e21 })),
        prop_oneof![
            ".{0,20}",
            ("[\\x00-\\x1f\"\\\\é€😀a]{1,8}", 1..200_usize).prop_map(|(part, times)| part.repeat(times))
        ]
        .prop_map(Json::String),
    ];
    leaf.prop_recursive(5, 100, 30, |inner| {
        // Keys may be twice in an object, and what is not allowed.
        let key = prop_oneof![
            any::<String>(),
            "[a-c\u{e000}-\u{f8ff}\u{10000}-\u{10ffff}]{0,2}",
            Just("__proto__".to_owned())
        ];
        let key = prop_oneof![30 => "[a-z]{3,9}", 1 => key];
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..30).prop_map(Json::Array),
            prop::collection::vec((key, inner), 0..20).prop_map(Json::Object),
        ]
    })
}

/// The canonical form and what is shown of it, by parsing. What fits into a glimpse itself is shown by its value alone.
fn by_parsing(text: &[u8], limits: &Limits) -> Result<(Vec<u8>, Option<String>)> {
    let value = json::parse(text, limits)?;
    let canonical = json::canonical(&value);
    let seen = (canonical.len() > MAX_BYTES).then(|| glimpse(Content::Json(&value), &Options::default()));
    Ok((canonical, seen))
}

/// The same as it is read; `None`: it takes too long that way.
fn by_reading(text: &[u8], limits: &Limits) -> Result<Option<(Vec<u8>, Option<String>)>> {
    let read = canonical_of(text, limits)?;
    Ok(read.map(|read| {
        let seen = || glimpse(Content::Sample(&read.sample), &Options::default());
        let seen = (read.text.len() > MAX_BYTES).then(seen);
        (read.text, seen)
    }))
}

fn assert_same(text: &[u8], limits: &Limits) {
    match by_reading(text, limits) {
        // Only what is parsed after all.
        Ok(None) => {}
        Ok(Some(read)) => assert_eq!(Ok(read), by_parsing(text, limits)),
        Err(error) => assert_eq!(Err(error), by_parsing(text, limits)),
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]
    #[test]
    fn streamed_reading_equals_parsing(
        value in any_json(), at in any::<prop::sample::Index>(), byte in any::<u8>(), elements in 0..200_usize
    ) {
        let mut text = json::write(&value).into_bytes();
        assert_same(&text, &Limits::default());
        assert_same(&text, &Limits { elements, depth: elements % 6, ..Limits::default() });
        if !text.is_empty() {
            let place = at.index(text.len());
            text[place] = byte;
            assert_same(&text, &Limits::default());
            text.truncate(place);
            assert_same(&text, &Limits::default());
        }
    }
}

#[test]
fn counts_are_exact_beyond_the_elements_that_are_kept() {
    let row = |number: usize| format!(r#"{{"title":"Row {number}","number":{number},"last":null}}"#);
    let rows: Vec<String> = (0..2500).map(row).collect();
    let of = |elements: &[String]| format!("[{}]", elements.join(","));
    let mut mixed = rows.clone();
    mixed[1800] = "7".to_owned();
    let numbers: Vec<String> = (0..5000).map(|number| number.to_string()).collect();
    let object = format!(r#"{{"z":{},"a":{},"n":[1]}}"#, of(&rows), of(&numbers));
    let text = json::write(&Json::String("long ".repeat(1000)));
    for text in [of(&rows), of(&mixed), of(&numbers), object, text] {
        assert_same(text.as_bytes(), &Limits::default());
    }
    let read = canonical_of(of(&rows).as_bytes(), &Limits::default()).unwrap().unwrap();
    assert!(glimpse(Content::Sample(&read.sample), &Options::default()).starts_with(r#"{"rows":2500,"#));
    assert!(json::write(&read.sample).len() < of(&rows).len() / 2, "more is kept than is looked at");
}

#[test]
fn objects_in_objects_out_of_order_do_not_take_for_ever() {
    let mut text = format!("\"{}\"", "x".repeat(100_000));
    for _ in 0..90 {
        text = format!(r#"{{"b":{text},"a":1}}"#);
    }
    assert_eq!(canonical_of(text.as_bytes(), &Limits::default()), Ok(None));
}
