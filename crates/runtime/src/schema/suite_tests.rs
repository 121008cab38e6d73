//! The JSON Schema test suite, draft 2020-12, in the folder that `BAILIWICK_JSON_SCHEMA_SUITE` names: `npm run
//! test:long` fetches it. A new version of the library or of the suite changes the numbers below; review them then.

use std::path::Path;

use bailiwick_model::json::{self, Json};
use serde_json::Value;

use super::Schema;

/// The number of verdicts, of those that differ from the suite, and of the schemas that are refused. Nearly all of the
/// latter refer to other files, which are never fetched. Values with the key `__proto__`, which JSON here may not have,
/// are left out.
const COUNTED: (usize, usize, usize) = (1199, 0, 23);

/// `None`: it has the key `__proto__`, which JSON here may not have.
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
