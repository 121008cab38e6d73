//! Who may be a tenant: ids are refused or kept as they are, never rewritten.

use std::collections::HashSet;

use bailiwick_model::tenant::is_tenant_id;
use bailiwick_model::{Error, Tenant};
use proptest::prelude::*;
use unicode_normalization::UnicodeNormalization;

#[test]
fn an_id_has_1_to_256_bytes() {
    for (id, accepted) in [
        (String::new(), false),
        ("a".repeat(256), true),
        ("a".repeat(257), false),
        ("é".repeat(128), true),
        ("é".repeat(128) + "a", false),
        ("😀".repeat(64), true),
    ] {
        assert_eq!(is_tenant_id(&id), accepted, "{} bytes", id.len());
    }
}

#[test]
fn both_ids_are_checked_and_every_problem_is_reported() {
    let Err(Error::Spec(issues)) = Tenant::new("", "e\u{301}") else { panic!("accepted") };
    let paths: Vec<_> = issues.into_iter().map(|issue| issue.path).collect();
    assert_eq!(paths, ["resourceId", "version"]);
}

#[test]
fn control_characters_are_refused_and_no_others() {
    for code in 0..0x300_u32 {
        let id = char::from_u32(code).unwrap().to_string();
        assert_eq!(is_tenant_id(&id), code > 0x1f && code != 0x7f, "U+{code:04X}");
    }
}

#[test]
fn twins_stay_distinct_or_are_refused() {
    let twins = [
        "acme",
        "Acme",
        "ACME",
        " acme",
        "acme ",
        "acme\u{a0}",
        "\u{200b}acme",
        "\u{feff}acme",
        "аcme",
        "acme/",
        "acme:",
        "acme*",
        "acme%",
        "acme_",
        "acme.",
        "..",
        "__proto__",
        "constructor",
        "ﬁ",
        "fi",
        "ß",
        "ss",
        "ı",
        "i",
        "é",
        "e\u{301}",
        "\u{212b}",
        "å",
        "\u{ff41}cme",
        "acme\u{0}",
        "acme\n",
    ];
    let accepted: Vec<_> = twins.iter().filter_map(|id| Tenant::new(*id, "v1").ok()).collect();
    assert!(accepted.len() >= 26);
    let distinct: HashSet<_> = accepted.iter().map(|tenant| tenant.id_bytes().to_vec()).collect();
    assert_eq!(distinct.len(), accepted.len());
    assert!(!is_tenant_id("e\u{301}") && !is_tenant_id("\u{212b}") && !is_tenant_id("acme\u{0}"));
}

proptest! {
    #[test]
    fn an_accepted_id_is_kept_byte_by_byte(id in "\\PC{0,80}") {
        if let Ok(tenant) = Tenant::new(id.clone(), "v1") {
            prop_assert_eq!(tenant.id_bytes(), id.as_bytes());
            prop_assert_eq!(tenant.resource_id(), id.as_str());
        }
    }

    #[test]
    fn an_id_is_accepted_exactly_by_the_rules(id in any::<String>()) {
        let nfc: String = id.nfc().collect();
        let controls = id.chars().any(|character| character < ' ' || character == '\u{7f}');
        prop_assert_eq!(is_tenant_id(&id), nfc == id && !controls && (1..=256).contains(&id.len()));
    }
}
