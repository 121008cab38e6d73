//! What is accepted as JSON, what is not, and what is written for it.

use bailiwick_model::json::{self, Json, Limits, MAX_DEPTH};
use bailiwick_model::{Error, Result};
use proptest::prelude::*;

fn parse(text: impl AsRef<[u8]>) -> Result<Json> {
    json::parse(text.as_ref(), &Limits::default())
}

fn message(text: impl AsRef<[u8]>) -> String {
    match parse(text.as_ref()) {
        Err(Error::InvalidInput(message)) => message,
        other => panic!("expected InvalidInput, got {other:?}"),
    }
}

/// Any value; its keys are unique and never `__proto__`.
fn any_json() -> impl Strategy<Value = Json> {
    let number = prop_oneof![any::<f64>().prop_filter("finite", |n| n.is_finite()), (-1000..1000).prop_map(f64::from)];
    let leaf = prop_oneof![
        Just(Json::Null),
        any::<bool>().prop_map(Json::Bool),
        number.prop_map(Json::Number),
        any::<String>().prop_map(Json::String),
    ];
    leaf.prop_recursive(5, 64, 40, |inner| {
        let key = prop_oneof![any::<String>(), "[a-c\u{e000}-\u{f8ff}\u{10000}-\u{10ffff}]{0,3}"];
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..8).prop_map(Json::Array),
            prop::collection::vec((key, inner), 0..40).prop_map(|mut members| {
                let mut seen = std::collections::HashSet::new();
                members.retain(|(key, _)| key != "__proto__" && seen.insert(key.clone()));
                Json::Object(members)
            }),
        ]
    })
}

/// JSON cannot tell the two zeros apart once they are written.
fn without_negative_zero(value: Json) -> Json {
    match value {
        Json::Number(number) => Json::Number(if number == 0.0 { 0.0 } else { number }),
        Json::Array(elements) => Json::Array(elements.into_iter().map(without_negative_zero).collect()),
        Json::Object(members) => {
            Json::Object(members.into_iter().map(|(k, v)| (k, without_negative_zero(v))).collect())
        }
        other => other,
    }
}

/// RFC 8785, written down as plainly as possible: serde_json for strings, UTF-16 for the order.
fn naive_canonical(value: &Json) -> String {
    match value {
        Json::Null => "null".to_owned(),
        Json::Bool(value) => value.to_string(),
        Json::Number(number) => naive_number(*number),
        Json::String(text) => serde_json::to_string(text).unwrap(),
        Json::Array(elements) => {
            format!("[{}]", elements.iter().map(naive_canonical).collect::<Vec<_>>().join(","))
        }
        Json::Object(members) => {
            let sorted: std::collections::BTreeMap<Vec<u16>, &(String, Json)> =
                members.iter().map(|member| (member.0.encode_utf16().collect(), member)).collect();
            let member = |(key, value): &&(String, Json)| {
                format!("{}:{}", serde_json::to_string(key).unwrap(), naive_canonical(value))
            };
            format!("{{{}}}", sorted.values().map(member).collect::<Vec<_>>().join(","))
        }
    }
}

/// ECMA-262, Number::toString: as few digits as `{:e}` needs, and of two that are equally close the even one, which the
/// exact form with a given number of digits picks.
fn naive_number(number: f64) -> String {
    if number == 0.0 {
        return "0".to_owned();
    }
    let shortest = format!("{:e}", number.abs());
    let decimals = shortest.find('e').unwrap().saturating_sub(2);
    let exact = format!("{:.decimals$e}", number.abs());
    let scientific = if exact.parse() == Ok(number.abs()) { exact } else { shortest };
    let (mantissa, exponent) = scientific.split_once('e').unwrap();
    let digits = mantissa.replace('.', "");
    let (k, n) = (digits.len() as i32, exponent.parse::<i32>().unwrap() + 1);
    let text = if k <= n && n <= 21 {
        format!("{digits}{}", "0".repeat((n - k) as usize))
    } else if 0 < n && n <= 21 {
        format!("{}.{}", &digits[..n as usize], &digits[n as usize..])
    } else if -6 < n && n <= 0 {
        format!("0.{}{digits}", "0".repeat(-n as usize))
    } else {
        let sign = if n > 0 { '+' } else { '-' };
        let point = if k == 1 { "" } else { "." };
        format!("{}{point}{}e{sign}{}", &digits[..1], &digits[1..], (n - 1).abs())
    };
    if number < 0.0 { format!("-{text}") } else { text }
}

proptest! {
    #[test]
    fn a_written_token_is_read_back(value in any_json()) {
        let value = without_negative_zero(value);
        prop_assert_eq!(&parse(json::write(&value)).unwrap(), &value);
    }

    #[test]
    fn canonical_json_follows_the_rfc(value in any_json()) {
        let canonical = String::from_utf8(json::canonical(&value)).unwrap();
        prop_assert_eq!(&canonical, &naive_canonical(&value));
        let again = json::canonicalize(canonical.as_bytes(), &Limits::default()).unwrap();
        prop_assert_eq!(again, canonical.as_bytes());
        let from_text = json::canonicalize(json::write(&value).as_bytes(), &Limits::default()).unwrap();
        prop_assert_eq!(from_text, canonical.as_bytes());
    }

    #[test]
    fn keys_sort_as_utf16(a in any::<String>(), b in any::<String>()) {
        let value = Json::Object(vec![(a.clone(), Json::Null), (b.clone(), Json::Null)]);
        let a_first = a.encode_utf16().le(b.encode_utf16());
        let (first, second) = if a_first { (a, b) } else { (b, a) };
        let expected = json::write(&Json::Object(vec![(first, Json::Null), (second, Json::Null)]));
        prop_assert_eq!(json::canonical(&value), expected.as_bytes());
    }

    #[test]
    fn numbers_are_read_exactly_as_rust_reads_them(text in "-?(0|[1-9][0-9]{0,30})(\\.[0-9]{1,40})?([eE][+-]?[0-9]{1,3})?") {
        let expected: f64 = text.parse().unwrap();
        match parse(&text) {
            Ok(Json::Number(number)) => prop_assert_eq!(number.to_bits(), expected.to_bits()),
            Ok(other) => prop_assert!(false, "{:?}", other),
            Err(_) => prop_assert!(expected.is_infinite()),
        }
    }

    #[test]
    fn any_bytes_are_answered(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let ours = parse(&bytes);
        if ours.is_ok() {
            prop_assert!(serde_json::from_slice::<serde_json::Value>(&bytes).is_ok());
        }
    }

    #[test]
    fn a_text_cut_anywhere_is_refused(value in any_json()) {
        let text = json::write(&Json::Array(vec![value]));
        for end in (0..text.len()).step_by(text.len() / 64 + 1) {
            prop_assert!(parse(&text.as_bytes()[..end]).is_err());
        }
    }
}

#[test]
fn rfc_8785_sample() {
    let text = r#"{
      "numbers": [333333333.33333329, 1E30, 4.50, 2e-3, 0.000000000000000000000000001],
      "string": "\u20ac$\u000F\u000aA'\u0042\u0022\u005c\\\"\/",
      "literals": [null, true, false]
    }"#;
    let expected = r#"{"literals":[null,true,false],"numbers":[333333333.3333333,1e+30,4.5,0.002,1e-27],"string":"€$\u000f\nA'B\"\\\\\"/"}"#;
    assert_eq!(String::from_utf8(json::canonicalize(text.as_bytes(), &Limits::default()).unwrap()).unwrap(), expected);
}

#[test]
fn rfc_8785_sorting() {
    let text = r#"{
      "\u20ac": "Euro Sign", "\r": "Carriage Return", "\ufb33": "Hebrew Letter Dalet With Dagesh", "1": "One",
      "\ud83d\ude00": "Emoji: Grinning Face", "\u0080": "Control", "\u00f6": "Latin Small Letter O With Diaeresis"
    }"#;
    let canonical = json::canonicalize(text.as_bytes(), &Limits::default()).unwrap();
    let order: Vec<String> = parse(canonical)
        .unwrap()
        .as_object()
        .unwrap()
        .iter()
        .map(|(_, value)| value.as_str().unwrap().into())
        .collect();
    let expected = [
        "Carriage Return",
        "One",
        "Control",
        "Latin Small Letter O With Diaeresis",
        "Euro Sign",
        "Emoji: Grinning Face",
        "Hebrew Letter Dalet With Dagesh",
    ];
    assert_eq!(order, expected);
}

#[test]
fn rfc_8785_numbers() {
    let table: &[(u64, &str)] = &[
        (0x0000000000000000, "0"),
        (0x8000000000000000, "0"),
        (0x0000000000000001, "5e-324"),
        (0x8000000000000001, "-5e-324"),
        (0x7fefffffffffffff, "1.7976931348623157e+308"),
        (0xffefffffffffffff, "-1.7976931348623157e+308"),
        (0x4340000000000000, "9007199254740992"),
        (0xc340000000000000, "-9007199254740992"),
        (0x4430000000000000, "295147905179352830000"),
        (0x44b52d02c7e14af5, "9.999999999999997e+22"),
        (0x44b52d02c7e14af6, "1e+23"),
        (0x44b52d02c7e14af7, "1.0000000000000001e+23"),
        (0x444b1ae4d6e2ef4e, "999999999999999700000"),
        (0x444b1ae4d6e2ef4f, "999999999999999900000"),
        (0x444b1ae4d6e2ef50, "1e+21"),
        (0x3eb0c6f7a0b5ed8c, "9.999999999999997e-7"),
        (0x3eb0c6f7a0b5ed8d, "0.000001"),
        (0x41b3de4355555553, "333333333.3333332"),
        (0x41b3de4355555554, "333333333.33333325"),
        (0x41b3de4355555555, "333333333.3333333"),
        (0x41b3de4355555556, "333333333.3333334"),
        (0x41b3de4355555557, "333333333.33333343"),
        (0xbecbf647612f3696, "-0.0000033333333333333333"),
        (0x43143ff3c1cb0959, "1424953923781206.2"),
    ];
    for (bits, expected) in table {
        let number = Json::Number(f64::from_bits(*bits));
        assert_eq!(json::write(&number), *expected);
        assert_eq!(naive_canonical(&number), *expected);
        if *bits != 0x8000000000000000 {
            assert_eq!(parse(expected).unwrap(), number);
        }
    }
    for not_finite in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY] {
        assert_eq!(json::write(&Json::Number(not_finite)), "null");
    }
}

#[test]
fn strings_are_escaped_as_javascript_does() {
    let all: String = (0..0x80_u8).map(char::from).chain("é€\u{2028}\u{feff}\u{ffff}😀".chars()).collect();
    let value = Json::String(all.clone());
    assert_eq!(json::write(&value), serde_json::to_string(&all).unwrap());
    assert!(
        json::write(&value).starts_with(r#""\u0000\u0001\u0002\u0003\u0004\u0005\u0006\u0007\b\t\n\u000b\f\r\u000e"#)
    );
    assert!(json::write(&value).ends_with("~\u{7f}é€\u{2028}\u{feff}\u{ffff}😀\""));
}

#[test]
fn numbers_at_the_edges() {
    for (text, expected) in [
        ("-0", -0.0),
        ("-0.0", -0.0),
        ("18446744073709551615", 18446744073709551615.0),
        ("18446744073709551616", 18446744073709551616.0),
        ("9007199254740993", 9007199254740992.0),
        ("-9223372036854775809", -9223372036854775808.0),
        ("1e-400", 0.0),
        ("2.2250738585072011e-308", 2.225073858507201e-308),
        ("1.7976931348623158e308", f64::MAX),
        ("4.9406564584124654e-324", 5e-324),
        ("0e999999999999999999999", 0.0),
    ] {
        match parse(text) {
            Ok(Json::Number(number)) => assert_eq!(number.to_bits(), f64::to_bits(expected), "{text}"),
            other => panic!("{text}: {other:?}"),
        }
    }
    for text in ["1e309", "-1e309", "1.7976931348623159e308", "1e99999999999999999999"] {
        assert!(message(text).contains("number out of range"), "{text}");
    }
    let long = format!("0.{}1", "0".repeat(1_000_000));
    assert_eq!(parse(&long).unwrap(), Json::Number(0.0));
    let long = format!("1{}", "0".repeat(1_000_000));
    assert!(message(&long).contains("number out of range"));
    let long = format!("0.{}", "3".repeat(1_000_000));
    assert_eq!(parse(&long).unwrap(), Json::Number(1.0 / 3.0));
}

#[test]
fn invalid_json_is_refused() {
    for text in [
        "",
        " ",
        "nul",
        "nulll",
        "True",
        "NaN",
        "Infinity",
        "-",
        "+1",
        "01",
        "1.",
        ".5",
        "1e",
        "0x10",
        "1_000",
        "'a'",
        "\"a",
        "[1,]",
        "[,1]",
        "[1 2]",
        "{\"a\":1,}",
        "{a:1}",
        "{\"a\" 1}",
        "{\"a\":}",
        "{1:1}",
        "[1]]",
        "1 2",
        "{}{}",
        "/**/1",
        "1//",
        "[1}",
        "\"\t\"",
        "\"\n\"",
        "\"\u{0}\"",
        "1\0",
        "\0",
        "\"\\x41\"",
        "\"\\u12\"",
        "\"\\u12g4\"",
        "\"\\\"",
        "\u{a0}1",
        "1\u{2028}",
        "\u{b}1",
    ] {
        assert!(parse(text).is_err(), "{text:?}");
    }
    assert_eq!(parse("\"\\u0000\"").unwrap(), Json::String("\0".to_owned()));
    assert_eq!(parse(" \t\r\n[ ] \n").unwrap(), Json::Array(vec![]));
}

#[test]
fn encodings_other_than_plain_utf8_are_refused() {
    assert!(message(b"\xef\xbb\xbf{}").contains("byte order mark"));
    assert_eq!(message(b"[\"abc\xff\"]"), "The JSON text is not valid UTF-8 at byte 5.");
    for bytes in
        [&b"\"\xed\xa0\x80\""[..], b"\"\xc0\x80\"", b"\"\xf5\x80\x80\x80\"", b"\xff\xfe[\0]\0", b"\"\xe2\x82\""]
    {
        assert!(parse(bytes).is_err(), "{bytes:?}");
    }
}

#[test]
fn lone_surrogates_are_refused() {
    for text in [
        r#""\ud800""#,
        r#""\udc00""#,
        r#""\ud800\ud800""#,
        r#""\udc00\ud800""#,
        r#""\ud83dx""#,
        r#"{"\udfff":1}"#,
        r#""\ud83d\n""#,
    ] {
        assert!(
            message(text).contains("surrogate") || message(text).contains("hex escape"),
            "{text}: {}",
            message(text)
        );
    }
    assert_eq!(parse(r#""\ud83d\ude00""#).unwrap(), Json::String("😀".to_owned()));
}

#[test]
fn the_prototype_key_is_refused_however_written() {
    for text in [
        r#"{"__proto__":1}"#,
        r#"{"\u005f_proto__":1}"#,
        r#"{"\u005F\u005f\u0070roto__":1}"#,
        r#"[{"a":{"__proto__":null}}]"#,
    ] {
        assert!(message(text).contains("`__proto__` is not allowed"), "{text}");
    }
    assert!(parse(r#"{"__proto":1,"proto__":2,"constructor":3,"a":"__proto__"}"#).is_ok());
}

#[test]
fn duplicate_keys_are_refused_in_small_and_huge_objects() {
    for text in [r#"{"a":1,"a":1}"#, r#"{"a":1,"b":2,"\u0061":3}"#, r#"[{"x":{"":0,"":0}}]"#] {
        assert!(message(text).contains("duplicate key"), "{text}");
    }
    for count in [2, 23, 24, 25, 26, 100_000] {
        let members: Vec<String> = (0..count).map(|index| format!("\"k{index}\":{index}")).collect();
        let unique = format!("{{{}}}", members.join(","));
        assert_eq!(parse(&unique).unwrap().as_object().unwrap().len(), count);
        for again in [0, count / 2, count - 1] {
            let twice = format!("{{{},\"k{again}\":0}}", members.join(","));
            assert!(message(&twice).contains("duplicate key"), "{count} {again}");
        }
    }
}

#[test]
fn nesting_is_bounded_and_never_overflows_the_stack() {
    let nested = |depth: usize| format!("{}{}", "[".repeat(depth), "]".repeat(depth));
    assert!(parse(nested(100)).is_ok());
    assert!(message(nested(101)).contains("nested too deeply"));
    assert!(message(nested(1_000_000)).contains("nested too deeply"));
    assert!(message("[".repeat(1_000_000)).contains("nested too deeply"));
    assert!(message("{\"a\":".repeat(1_000_000)).contains("nested too deeply"));
    let unlimited = Limits { depth: usize::MAX, ..Limits::default() };
    assert!(json::parse(nested(MAX_DEPTH).as_bytes(), &unlimited).is_ok());
    assert!(json::parse(nested(MAX_DEPTH + 1).as_bytes(), &unlimited).is_err());
    let flat = Limits { depth: 0, ..Limits::default() };
    assert!(json::parse(b"1", &flat).is_ok());
    assert!(json::parse(b"[]", &flat).is_err());
    // The deepest value fits a small thread.
    let text = nested(MAX_DEPTH);
    let small = std::thread::Builder::new().stack_size(128 * 1024);
    let thread = small.spawn(move || json::canonicalize(text.as_bytes(), &unlimited).unwrap().len()).unwrap();
    assert_eq!(thread.join().unwrap(), 2 * MAX_DEPTH);
}

#[test]
fn sizes_are_bounded() {
    let limits = Limits { bytes: 10, ..Limits::default() };
    assert!(json::parse(b"[12345678]", &limits).is_ok());
    assert!(json::parse(b"[123456789]", &limits).unwrap_err().to_string().contains("11 bytes"));
    let limits = Limits { elements: 4, ..Limits::default() };
    assert!(json::parse(br#"[1,{"a":[2]}]"#, &limits).is_ok());
    assert!(json::parse(br#"[1,{"a":[2,3]}]"#, &limits).unwrap_err().to_string().contains("too many"));
    assert!(json::parse(b"[[],[],[],[],[]]", &limits).is_err());
}

#[test]
fn errors_say_where_and_repeat_nothing() {
    assert_eq!(message("[1,\n 2,\n x]"), "The JSON text is not acceptable at byte 9: expected value.");
    assert_eq!(message("{} x"), "The JSON text is not acceptable at byte 3: trailing characters.");
    let secret = "s3cret".repeat(100);
    for text in [
        format!("[\"{secret}\" 1]"),
        format!("{{\"{secret}\":1,\"{secret}\":2}}"),
        format!("[{secret}]"),
        format!("\"{secret}"),
    ] {
        let message = message(&text);
        assert!(!message.contains("s3cret") && message.len() < 200, "{message}");
        assert!(message.contains("at byte"), "{message}");
    }
}
