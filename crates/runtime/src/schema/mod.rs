//! JSON Schema: checks every value of a tenant. The library decides; this module limits what it may cost.
//!
//! A schema that branches and recurses can take a number of steps that doubles with each level of a value, and the
//! library cannot be stopped. So it sees values through [`view`], which counts every look, and a check that spends its
//! [`budget`] unwinds. A check first gives a yes or no, which is cheap for valid values and for most invalid ones.
//! Problems are searched for afterwards, with a budget of their own.

mod budget;
mod counted;
mod references;
#[cfg(test)]
mod refusal_tests;
#[cfg(test)]
mod suite_tests;
#[cfg(test)]
mod tests;
mod view;

use bailiwick_model::Issue;
use bailiwick_model::json::{self, Json};
use bailiwick_model::pace::{PIECE, ahead};
use jsonschema::error::ValidationErrorKind;
use jsonschema::{PatternOptions, Validator};

use budget::{Budget, Steps};
use view::{View, Viewed};

/// The steps that finding the problems of a value may cost: some milliseconds.
const STEPS_FOR_PROBLEMS: u64 = 200_000;
/// The bytes that a check counts as in the fair queue, if it takes longer than usual.
const LONG: u64 = PIECE + 1;
/// The most backtracking steps of one match. Patterns that do not look ahead or back never backtrack.
const BACKTRACKS: usize = 100_000;
/// The longest text of one problem, in characters: it may repeat the value.
const TEXT: usize = 200;

pub(crate) struct Schema {
    validator: Validator<View>,
    /// Whether a pattern of it may backtrack, so that its matches are timed.
    backtracks: bool,
}

/// The reason why a value is refused.
#[derive(Debug, PartialEq)]
pub(crate) enum Mismatch {
    /// The first problems, at least one.
    Problems(Vec<Problem>),
    /// It does not match, but finding the problems would have cost too much.
    Somewhere,
    /// Unknown: the check would have cost too much.
    TooCostly { levels: usize, steps: u64 },
}

/// One problem of a value.
#[derive(Debug, PartialEq)]
pub(crate) struct Problem {
    /// A JSON pointer into the value.
    pub(crate) place: String,
    /// A JSON pointer into the schema.
    pub(crate) rule: String,
    /// The problem, for the author of the value: it may repeat some of it.
    pub(crate) text: String,
}

/// The reason why a schema cannot be compiled, for its author.
#[derive(Debug, PartialEq)]
pub(crate) struct Refused {
    /// A JSON pointer into the schema: to the value of the keyword.
    pub(crate) place: String,
    pub(crate) keyword: String,
    pub(crate) reason: String,
}

impl Schema {
    /// Compiles a schema.
    ///
    /// # Errors
    /// The reason why it cannot be compiled, or is not supported.
    pub(crate) fn new(schema: &Json) -> Result<Self, Refused> {
        let mut schema = to_serde(schema);
        references::encode_references(&mut schema);
        let backtracks = counted::has_backtracking_pattern(&schema);
        counted::count_every_branch(&mut schema);
        let patterns = PatternOptions::fancy_regex().backtrack_limit(BACKTRACKS);
        let validator = jsonschema::options_for::<View>()
            .with_pattern_options(patterns)
            .build(&schema)
            .map_err(|error| Refused::new(&error, &schema))?;
        Ok(Self { validator, backtracks })
    }

    /// Returns whether a value matches. A check that takes longer than usual waits in the fair queue first.
    ///
    /// # Errors
    /// The problems of the value, at most `most` of them.
    pub(crate) async fn check(&self, value: &Json, most: usize) -> Result<(), Mismatch> {
        self.check_within(value, most, Steps::of(value)).await
    }

    async fn check_within(
        &self,
        value: &Json,
        most: usize,
        Steps { usual, most: steps }: Steps,
    ) -> Result<(), Mismatch> {
        let is_valid = |steps: u64| self.within(steps).during(|| self.validator.is_valid(Viewed(value)));
        let is_valid = match is_valid(usual) {
            None => {
                ahead(LONG).await;
                is_valid(steps)
            }
            is_valid => is_valid,
        };
        match is_valid {
            Some(true) => return Ok(()),
            Some(false) => {}
            None => return Err(Mismatch::TooCostly { levels: levels(value), steps }),
        }
        let all = |steps: u64| {
            let found = || self.validator.iter_errors(Viewed(value)).take(most).map(Problem::new).collect::<Vec<_>>();
            self.within(steps).during(found)
        };
        // The first problem costs as much as its path; all of them as much as the value is large.
        let first = |steps: u64| {
            let found = || self.validator.validate(Viewed(value)).err().map(Problem::new).into_iter().collect();
            self.within(steps).during(found)
        };
        let found = match all(usual.min(STEPS_FOR_PROBLEMS)) {
            None => {
                ahead(LONG).await;
                all(STEPS_FOR_PROBLEMS).or_else(|| first(STEPS_FOR_PROBLEMS.max(steps)))
            }
            found => found,
        };
        match found.filter(|problems| !problems.is_empty()) {
            Some(problems) => Err(Mismatch::Problems(problems)),
            None => Err(Mismatch::Somewhere),
        }
    }

    fn within(&self, steps: u64) -> Budget {
        Budget { steps, backtracks: self.backtracks }
    }
}

impl Refused {
    fn new(error: &jsonschema::ValidationError<'_>, schema: &serde_json::Value) -> Self {
        let told = error.to_string();
        let reason = told.chars().take(TEXT).collect();
        if let ValidationErrorKind::Referencing(_) = error.kind() {
            let found = references::place_of(schema, &told);
            let (place, keyword) = found.unwrap_or_else(|| (String::new(), "$ref"));
            return Self { place, keyword: keyword.to_owned(), reason };
        }
        let place = error.instance_path().to_string();
        let keyword = place.rsplit('/').find(|part| part.parse::<u64>().is_err()).unwrap_or_default().to_owned();
        Self { place, keyword, reason }
    }

    /// Returns the text for the author of the schema. `of` names its owner: "the tool search".
    pub(crate) fn said(&self, of: &str) -> String {
        let Self { place, keyword, reason } = self;
        let advice = if keyword == "$ref" {
            "Nothing is fetched: put what is referred to under \"$defs\"."
        } else {
            "JSON Schemas are read as draft 2020-12 unless \"$schema\" names another one (such as \
             \"http://json-schema.org/draft-07/schema#\")."
        };
        format!("The schema of {of} cannot be used: keyword {keyword:?} at {place:?}: {reason}. {advice}")
    }
}

impl Problem {
    #[allow(clippy::needless_pass_by_value, reason = "the errors of an iterator are owned")]
    fn new(error: jsonschema::ValidationError<'_>) -> Self {
        Self {
            place: error.instance_path().to_string(),
            rule: error.schema_path().to_string(),
            text: error.to_string().chars().take(TEXT).collect(),
        }
    }
}

impl Mismatch {
    /// Returns the text for the author of the value, such as a model: it may repeat some of the value.
    pub(crate) fn told(&self) -> String {
        match self {
            Self::Problems(problems) => {
                let told = problems.iter().map(|Problem { place, text, .. }| {
                    format!("at {:?}: {text}", if place.is_empty() { "/" } else { place.as_str() })
                });
                told.collect::<Vec<_>>().join("; ")
            }
            Self::Somewhere => {
                "it fits none of the alternatives (anyOf, oneOf) of the schema, and has too many levels to \
                say where. Check each level against the schema, or use fewer levels"
                    .to_owned()
            }
            Self::TooCostly { levels, steps } => format!(
                "checking it against the schema costs too much. It has {levels} {}, and {steps} steps were not enough. \
                 Use a flatter or smaller value, or a schema with fewer alternatives (anyOf, oneOf)",
                if *levels == 1 { "level" } else { "levels" },
            ),
        }
    }

    /// Returns the text for the caller: the place and the rule, and nothing of the value. `of` names the owner of the
    /// schema, `value` and `does_not` begin the sentences: "The value", "The value does not".
    pub(crate) fn said(&self, value: &str, does_not: &str, of: &str) -> String {
        match self {
            Self::Problems(problems) => {
                let first = problems.first();
                let (place, rule) = first.map_or(("", ""), |problem| (problem.place.as_str(), problem.rule.as_str()));
                format!("{does_not} match the schema of {of} at {place:?} (rule {rule}).")
            }
            Self::Somewhere => format!("{does_not} match the schema of {of}: {}.", self.told()),
            Self::TooCostly { .. } => format!("{value} cannot be checked against the schema of {of}: {}.", self.told()),
        }
    }
}

/// Returns the depth of a value: 0 for one that is neither an array nor an object.
fn levels(value: &Json) -> usize {
    match value {
        Json::Array(elements) => 1 + elements.iter().map(levels).max().unwrap_or(0),
        Json::Object(members) => 1 + members.iter().map(|(_, value)| levels(value)).max().unwrap_or(0),
        _ => 0,
    }
}

/// Converts a schema for the library. Numbers stay doubles.
fn to_serde(value: &Json) -> serde_json::Value {
    serde_json::from_str(&json::write(value)).unwrap_or(serde_json::Value::Null)
}

/// Compiles a schema. `Some(None)`: there is none; `None`: it cannot be compiled, and the issue was added. `of` names
/// its owner: "the tool search".
pub(crate) fn compile(
    schema: Option<&Json>,
    place: impl FnOnce() -> String,
    of: impl FnOnce() -> String,
    issues: &mut Vec<Issue>,
) -> Option<Option<Schema>> {
    let Some(schema) = schema else { return Some(None) };
    match Schema::new(schema) {
        Ok(schema) => Some(Some(schema)),
        Err(refused) => {
            issues.push(Issue { path: place(), message: refused.said(&of()) });
            None
        }
    }
}

/// Returns at most `most` problems of a value for its author, each with its place. `None`: it has none.
pub(crate) async fn problems(schema: &Schema, value: &Json, most: usize) -> Option<String> {
    schema.check(value, most).await.err().map(|mismatch| mismatch.told())
}
