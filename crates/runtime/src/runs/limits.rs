//! The limits of a run, as requests and entries have them.

use bailiwick_model::json::Json;
use bailiwick_model::spec::RunLimits;

use super::entry::{number, whole};

/// The names of a run's limits.
pub(super) const LIMITS: [&str; 4] = ["maxSteps", "maxToolCalls", "maxTokens", "maxDurationMs"];

/// Reads `{ maxSteps?, … }`: positive whole numbers. `None` for anything else.
pub(crate) fn read_limits(value: &Json) -> Option<RunLimits> {
    if value.as_object()?.iter().any(|(key, _)| !LIMITS.contains(&key.as_str())) {
        return None;
    }
    let mut limits = [None; 4];
    for (limit, name) in limits.iter_mut().zip(LIMITS) {
        if let Some(value) = value.get(name) {
            *limit = Some(whole(value).filter(|value| *value > 0)?);
        }
    }
    let [max_steps, max_tool_calls, max_tokens, max_duration_ms] = limits;
    Some(RunLimits { max_steps, max_tool_calls, max_tokens, max_duration_ms })
}

/// As [`read_limits`] reads them.
pub(crate) fn write_limits(limits: &RunLimits) -> Json {
    let values = [limits.max_steps, limits.max_tool_calls, limits.max_tokens, limits.max_duration_ms];
    let members = LIMITS.iter().zip(values).filter_map(|(name, value)| Some(((*name).to_owned(), number(value?))));
    Json::Object(members.collect())
}

/// The stricter of two.
pub(crate) fn stricter(one: &RunLimits, other: &RunLimits) -> RunLimits {
    let least = |one: Option<u64>, other: Option<u64>| one.into_iter().chain(other).min();
    RunLimits {
        max_steps: least(one.max_steps, other.max_steps),
        max_tool_calls: least(one.max_tool_calls, other.max_tool_calls),
        max_tokens: least(one.max_tokens, other.max_tokens),
        max_duration_ms: least(one.max_duration_ms, other.max_duration_ms),
    }
}
