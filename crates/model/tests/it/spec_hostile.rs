//! The table of hostile specs that TypeScript runs too: both validators find the same problems in the same places.

use std::collections::BTreeMap;

use bailiwick_model::json::{Limits, parse};
use bailiwick_model::spec::{TenantPart, Topology};
use bailiwick_model::{Error, Issue, Json, RuntimeSpec};

fn table() -> Vec<Json> {
    let text = include_bytes!("../../../../test/fixtures/hostile-specs.json");
    let limits = Limits { depth: bailiwick_model::json::MAX_DEPTH, ..Limits::default() };
    parse(text, &limits).unwrap().as_array().unwrap().to_vec()
}

fn by_path(issues: Vec<Issue>) -> BTreeMap<String, String> {
    issues.into_iter().map(|issue| (issue.path, issue.message)).collect()
}

fn expected(row: &Json) -> BTreeMap<String, String> {
    let issues = row.get("issues").unwrap().as_object().unwrap().iter();
    issues.map(|(path, message)| (path.clone(), message.as_str().unwrap().to_owned())).collect()
}

#[test]
fn hostile_specs_have_the_problems_that_typescript_finds() {
    let table = table();
    assert!(table.len() >= 150);
    for row in &table {
        let name = row.get("name").unwrap().as_str().unwrap();
        match (row.get("error").and_then(Json::as_str), RuntimeSpec::from_json(row.get("dump").unwrap())) {
            (Some(code), Err(error)) => assert_eq!(error.code(), code, "{name}"),
            (None, Ok(_)) => assert_eq!(expected(row), BTreeMap::new(), "{name}"),
            (None, Err(Error::Spec(issues))) => assert_eq!(by_path(issues), expected(row), "{name}"),
            (_, other) => panic!("{name}: {other:?}"),
        }
    }
}

#[test]
fn the_parts_of_a_spec_have_the_problems_of_the_whole() {
    for row in &table() {
        let (Some(dump), None) = (row.get("dump").unwrap().as_object(), row.get("error")) else { continue };
        let is_tenants = |key: &str| matches!(key, "tenant" | "limits" | "retention");
        let (tenant, topology): (Vec<_>, Vec<_>) = dump.iter().cloned().partition(|(key, _)| is_tenants(key));
        let mut found = BTreeMap::new();
        for result in
            [TenantPart::from_json(&Json::Object(tenant)).err(), Topology::from_json(&Json::Object(topology)).err()]
        {
            match result {
                Some(Error::Spec(issues)) => found.extend(by_path(issues)),
                other => assert_eq!(other, None),
            }
        }
        let paths = |issues: BTreeMap<String, String>| issues.into_keys().collect::<Vec<_>>();
        assert_eq!(paths(found), paths(expected(row)), "{:?}", row.get("name"));
    }
}
