//! What a prompt gets to see of a value.

use bailiwick_model::glimpse::{Content, MAX_BYTES, Options, glimpse};
use bailiwick_model::json::{self, Json, Limits};
use proptest::prelude::*;

fn parse(text: &str) -> Json {
    json::parse(text.as_bytes(), &Limits::default()).unwrap_or_else(|error| panic!("{error}: {text}"))
}

fn of_json(text: &str) -> String {
    glimpse(Content::Json(&parse(text)), &Options::default())
}

fn number(value: &Json, key: &str) -> f64 {
    value.get(key).and_then(Json::as_f64).unwrap_or_else(|| panic!("{key}: {value:?}"))
}

/// Strings that are hard to cut: long, escaped, of wide characters.
fn hard_string() -> impl Strategy<Value = String> {
    prop_oneof![
        ".{0,20}",
        ("[\\x00-\\x1f\"\\\\é€😀a]{1,8}", 1..800_usize).prop_map(|(part, times)| part.repeat(times)),
        Just("…".to_owned()),
        Just("__proto__".to_owned()),
    ]
}

fn any_json() -> impl Strategy<Value = Json> {
    let leaf = prop_oneof![
        Just(Json::Null),
        any::<bool>().prop_map(Json::Bool),
        any::<f64>().prop_map(|n| Json::Number(if n.is_finite() { n } else { 0.0 })),
        hard_string().prop_map(Json::String),
    ];
    leaf.prop_recursive(5, 200, 60, |inner| {
        let object = prop::collection::vec((hard_string(), inner.clone()), 0..60)
            .prop_map(|mut members| {
                let mut seen = std::collections::HashSet::new();
                members.retain(|(key, _)| key != "__proto__" && seen.insert(key.clone()));
                Json::Object(members)
            })
            .boxed();
        prop_oneof![
            prop::collection::vec(inner, 0..60).prop_map(Json::Array),
            prop::collection::vec(object.clone(), 0..20).prop_map(Json::Array),
            object,
        ]
    })
}

fn check(content: Content<'_>, options: &Options) -> Result<Json, TestCaseError> {
    let text = glimpse(content, options);
    prop_assert!(text.len() <= MAX_BYTES, "{} bytes: {text}", text.len());
    prop_assert!(text.len() <= options.bytes.max(256), "{} bytes: {text}", text.len());
    prop_assert_eq!(&text, &glimpse(content, options));
    let value = json::parse(text.as_bytes(), &Limits::default());
    prop_assert!(value.is_ok(), "{value:?}: {text}");
    Ok(value.unwrap())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]
    #[test]
    fn any_value_gives_valid_json_within_the_limit(value in any_json(), bytes in 0..2000_usize, first in 0..9_usize) {
        let seen = check(Content::Json(&value), &Options { bytes, first })?;
        if let (Some(rows), true) = (value.as_array(), seen.get("rows").is_some()) {
            prop_assert_eq!(number(&seen, "rows"), rows.len() as f64);
        }
    }

    #[test]
    fn any_text_gives_its_head(text in hard_string(), bytes in 0..2000_usize) {
        let seen = check(Content::Text(&text), &Options { bytes, first: 3 })?;
        prop_assert_eq!(number(&seen, "characters"), text.chars().count() as f64);
        let shown = seen.get("text").unwrap().as_str().unwrap();
        prop_assert!(shown == text || text.starts_with(shown.strip_suffix('…').unwrap()));
    }

    #[test]
    fn any_bytes_give_size_and_media_type(byte_length in any::<u64>(), media_type in hard_string()) {
        check(Content::Bytes { byte_length, media_type: &media_type }, &Options::default())?;
    }
}

#[test]
fn rows_show_count_columns_and_the_first() {
    let rows = r#"[{"title":"Alien","year":1979},{"title":"Brazil","year":null},{"title":"Cube","year":1997,"tags":["x"]},{"title":"Dune","year":2021}]"#;
    assert_eq!(
        of_json(rows),
        r#"{"rows":4,"columns":{"title":"string","year":"number|null","tags":"array"},"first":[{"title":"Alien","year":1979},{"title":"Brazil","year":null},{"title":"Cube","year":1997,"tags":["x"]}]}"#
    );
    assert_eq!(of_json("[{}]"), r#"{"rows":1,"columns":{},"first":[{}]}"#);
}

#[test]
fn small_values_show_themselves() {
    for text in ["null", "true", "1.5", r#""a""#, "[]", "{}", r#"{"b":[1,{"a":"é"}],"a":null}"#, r#"[1,{"a":2}]"#] {
        assert_eq!(of_json(text), text);
    }
    let exactly = format!("\"{}\"", "x".repeat(MAX_BYTES - 2));
    assert_eq!(of_json(&exactly), exactly);
}

#[test]
fn large_values_show_their_shape() {
    let members: Vec<String> = (0..500).map(|index| format!("\"key {index}\":[{index}]")).collect();
    let seen = parse(&of_json(&format!("{{{}}}", members.join(","))));
    assert_eq!((seen.get("type").unwrap().as_str(), number(&seen, "keys")), (Some("object"), 500.0));
    let shape = seen.get("shape").unwrap().as_object().unwrap();
    assert_eq!(shape[0], ("key 0".to_owned(), Json::from("array")));
    let hidden = 500 - (shape.len() - 1);
    assert_eq!(shape[shape.len() - 1], ("…".to_owned(), Json::String(format!("{hidden} more"))));

    let numbers: Vec<String> = (0..5000).map(|number| number.to_string()).collect();
    assert_eq!(
        of_json(&format!("[{},\"a\"]", numbers[..999].join(","))),
        r#"{"type":"array","length":1000,"items":"number|string","first":[0,1,2]}"#
    );

    let seen = parse(&of_json(&format!("\"{}\"", "ab\\n€".repeat(10_000))));
    assert_eq!(number(&seen, "characters"), 40_000.0);
    assert!(seen.get("text").unwrap().as_str().unwrap().starts_with("ab\n€ab\n€"));
}

#[test]
fn text_is_cut_at_a_character_and_fills_the_room() {
    let content = "😀".repeat(5000);
    let text = glimpse(Content::Text(&content), &Options::default());
    assert!(text.starts_with(r#"{"characters":5000,"text":"😀😀"#) && text.ends_with("😀…\"}"));
    assert!(text.len() > MAX_BYTES - 4 && text.len() <= MAX_BYTES);
    assert_eq!(glimpse(Content::Text("short"), &Options::default()), r#"{"characters":5,"text":"short"}"#);
    assert_eq!(glimpse(Content::Text(""), &Options::default()), r#"{"characters":0,"text":""}"#);
    let content = Content::Bytes { byte_length: 48213, media_type: "image/png" };
    assert_eq!(glimpse(content, &Options::default()), r#"{"bytes":48213,"mediaType":"image/png"}"#);
}

#[test]
fn long_rows_are_shortened_rather_than_left_out() {
    let row = format!("{{\"id\":7,\"body\":\"{}\",\"deep\":{{\"a\":{{\"b\":{{\"c\":1}}}}}}}}", "word ".repeat(1000));
    let seen = parse(&of_json(&format!("[{}]", vec![row; 50].join(","))));
    let first = seen.get("first").unwrap().as_array().unwrap();
    assert_eq!(first.len(), 3);
    assert_eq!(first[0].get("id"), Some(&Json::Number(7.0)));
    let body = first[0].get("body").unwrap().as_str().unwrap();
    assert!(body.starts_with("word word") && body.ends_with('…') && body.len() <= 120, "{body}");
}

#[test]
fn columns_that_differ_only_behind_the_cut_do_not_collide() {
    let long = "k".repeat(300);
    let seen = parse(&of_json(&format!("[{{\"{long}1\":1,\"{long}2\":2,\"…\":3,\"z\":4}}]")));
    let columns = seen.get("columns").unwrap().as_object().unwrap();
    let names: Vec<&str> = columns.iter().map(|(key, _)| key.as_str()).collect();
    assert_eq!(names[1..], ["z", "…"]);
    assert_eq!(columns[2].1, Json::from("2 more"));
}
