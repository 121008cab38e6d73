//! The limits of a run, as requests have them.

use bailiwick_model::json::Json;
use bailiwick_model::names::shown;
use bailiwick_model::spec::RunLimits;
use bailiwick_model::{Error, Result};

/// Reads `{ maxSteps?, … }`: positive whole numbers.
///
/// # Errors
/// `InvalidInput` says which limit is wrong.
pub(crate) fn read_limits(value: &Json) -> Result<RunLimits> {
    let mut limits = RunLimits::default();
    let mut places = [
        ("maxSteps", &mut limits.max_steps),
        ("maxToolCalls", &mut limits.max_tool_calls),
        ("maxTokens", &mut limits.max_tokens),
        ("maxDurationMs", &mut limits.max_duration_ms),
    ];
    let known = places.each_ref().map(|(name, _)| *name).join(", ");
    let Some(members) = value.as_object() else {
        return Err(Error::invalid(format!("limits must be an object with any of {known}.")));
    };
    for (key, value) in members {
        let Some((name, limit)) = places.iter_mut().find(|(name, _)| name == key) else {
            return Err(Error::invalid(format!("limits has no {}; known are {known}.", shown(key))));
        };
        **limit = value.as_whole().filter(|most| *most > 0);
        if limit.is_none() {
            let found = value.as_f64().map(|number| format!(", not {number}")).unwrap_or_default();
            return Err(Error::invalid(format!("limits.{name} must be a positive whole number{found}.")));
        }
    }
    Ok(limits)
}

/// The stricter of two, limit by limit.
pub(crate) fn stricter(one: &RunLimits, other: &RunLimits) -> RunLimits {
    let least = |one: Option<u64>, other: Option<u64>| one.into_iter().chain(other).min();
    RunLimits {
        max_steps: least(one.max_steps, other.max_steps),
        max_tool_calls: least(one.max_tool_calls, other.max_tool_calls),
        max_tokens: least(one.max_tokens, other.max_tokens),
        max_duration_ms: least(one.max_duration_ms, other.max_duration_ms),
    }
}
