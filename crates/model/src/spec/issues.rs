use std::collections::HashSet;

use crate::{Error, Issue, Json, Result};

/// Collects the problems of a spec, only the first of each place.
#[derive(Default)]
pub(super) struct Issues {
    list: Vec<Issue>,
    paths: HashSet<String>,
}

impl Issues {
    pub(super) fn add(&mut self, path: impl Into<String>, message: impl Into<String>) {
        let path = path.into();
        if self.paths.insert(path.clone()) {
            self.list.push(Issue { path, message: message.into() });
        }
    }

    /// Fails if there is any problem.
    pub(super) fn finish(self) -> Result<()> {
        if self.list.is_empty() { Ok(()) } else { Err(Error::Spec(self.list)) }
    }
}

/// Returns the path of a property: `agents[0].name`, `providers["open ai"]`.
pub(super) fn path_to(parent: &str, key: &str) -> String {
    let is_start = |first: char| first.is_ascii_alphabetic() || matches!(first, '_' | '$');
    let is_identifier =
        key.starts_with(is_start) && key.chars().all(|character| is_start(character) || character.is_ascii_digit());
    match (is_identifier, parent) {
        (false, _) => format!("{parent}[{}]", crate::json::write(&Json::from(key))),
        (true, "") => key.to_owned(),
        (true, _) => format!("{parent}.{key}"),
    }
}

/// Returns the path of an element: `agents[0]`.
pub(super) fn path_at(parent: &str, index: usize) -> String {
    format!("{parent}[{index}]")
}
