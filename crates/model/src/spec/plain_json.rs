use super::issues::{Issues, path_at, path_to};
use super::messages;
use crate::Json;

/// The levels that a dump may have.
const MAX_DEPTH: usize = 100;

/// Notes what is JSON but not allowed in a dump: the key `__proto__`, and nesting that is too deep.
pub(super) fn check_plain_json(json: &Json, issues: &mut Issues) {
    check_at(json, &mut Vec::new(), issues);
}

enum Step<'a> {
    Key(&'a str),
    Index(usize),
}

/// `place` is the way to `json`; it becomes a path only where there is a problem.
fn check_at<'a>(json: &'a Json, place: &mut Vec<Step<'a>>, issues: &mut Issues) {
    let is_nested = matches!(json, Json::Array(_) | Json::Object(_));
    if is_nested && place.len() >= MAX_DEPTH {
        issues.add(path_of(place), messages::DEEP);
        return;
    }
    for (index, element) in json.as_array().unwrap_or_default().iter().enumerate() {
        place.push(Step::Index(index));
        check_at(element, place, issues);
        place.pop();
    }
    for (key, value) in json.as_object().unwrap_or_default() {
        place.push(Step::Key(key));
        if key == "__proto__" {
            issues.add(path_of(place), messages::RESERVED);
        } else {
            check_at(value, place, issues);
        }
        place.pop();
    }
}

fn path_of(place: &[Step<'_>]) -> String {
    place.iter().fold(String::new(), |path, step| match step {
        Step::Key(key) => path_to(&path, key),
        Step::Index(index) => path_at(&path, *index),
    })
}
