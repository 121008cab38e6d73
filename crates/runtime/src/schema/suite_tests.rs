//! The JSON Schema test suite, draft 2020-12, where `BAILIWICK_JSON_SCHEMA_SUITE` says where it lies: `npm run test:long`
//! fetches it. What is counted here changes with a new version of the library or of the suite, and should be looked at then.

use std::path::Path;

use bailiwick_model::json::{self, Json};
use serde_json::Value;

use super::Schema;

/// The verdicts; how many of them are not those of the suite; the schemas that are refused, nearly all of which refer to other
/// files, which are never fetched. Values with the key `__proto__` are left out: no JSON here may have it.
const COUNTED: (usize, usize, usize) = (1199, 0, 23);

/// `None`: it has a key that no JSON here may have, `__proto__`.
fn model(value: &Value) -> Option<Json> {
    json::parse(value.to_string().as_bytes(), &json::Limits::default()).ok()
}

#[test]
fn verdicts_are_those_of_the_test_suite() {
    let Some(folder) = std::env::var_os("BAILIWICK_JSON_SCHEMA_SUITE") else { return };
    let mut files: Vec<_> = std::fs::read_dir(Path::new(&folder)).unwrap().map(|file| file.unwrap().path()).collect();
    files.retain(|path| path.extension().is_some_and(|extension| extension == "json"));
    files.sort();
    let (mut verdicts, mut unlike, mut refused) = (0, Vec::new(), Vec::new());
    for file in files {
        let groups: Vec<Value> = serde_json::from_slice(&std::fs::read(&file).unwrap()).unwrap();
        let name = file.file_stem().unwrap().to_string_lossy().into_owned();
        for group in groups {
            let Some(schema) = model(&group["schema"]).and_then(|schema| Schema::new(&schema).ok()) else {
                refused.push(format!("{name}, {}", group["description"]));
                continue;
            };
            for test in group["tests"].as_array().unwrap() {
                let Some(value) = model(&test["data"]) else { continue };
                verdicts += 1;
                if Value::Bool(schema.says(&value, 1).is_ok()) != test["valid"] {
                    unlike.push(format!("{name}, {}: {}", group["description"], test["description"]));
                }
            }
        }
    }
    assert_eq!((verdicts, unlike.len(), refused.len()), COUNTED, "{unlike:#?} {refused:#?}");
}
