//! Tokens that models read and wrote.

use std::fmt;

use bailiwick_model::json::{Json, SAFE_INTEGER};
use serde::de::{MapAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// Tokens of one model.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default, deny_unknown_fields)]
pub(crate) struct TokenUsage {
    #[serde(deserialize_with = "count")]
    input_tokens: u64,
    #[serde(deserialize_with = "count")]
    output_tokens: u64,
    #[serde(deserialize_with = "count")]
    cache_read_tokens: u64,
    #[serde(deserialize_with = "count")]
    cache_write_tokens: u64,
    #[serde(deserialize_with = "count")]
    reasoning_tokens: u64,
}

/// A whole number from 0 on, cut off at [`SAFE_INTEGER`].
fn count<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u64, D::Error> {
    let number = f64::deserialize(deserializer)?;
    if number >= 0.0 && number.fract() == 0.0 {
        Ok(number.min(SAFE_INTEGER as f64) as u64)
    } else {
        Err(serde::de::Error::custom("a count of tokens must be a whole number from 0 on"))
    }
}

impl TokenUsage {
    /// The counts with their names.
    fn counts(&mut self) -> [(&'static str, &mut u64); 5] {
        [
            ("inputTokens", &mut self.input_tokens),
            ("outputTokens", &mut self.output_tokens),
            ("cacheReadTokens", &mut self.cache_read_tokens),
            ("cacheWriteTokens", &mut self.cache_write_tokens),
            ("reasoningTokens", &mut self.reasoning_tokens),
        ]
    }

    /// Reads what a provider says: a count is a whole number from 0 on, and anything else counts as 0. Also says what could
    /// not be read.
    pub(crate) fn of_provider(value: &Json) -> (Self, Option<String>) {
        let mut usage = Self::default();
        if value.as_object().is_none() {
            return (usage, Some(format!("usage must be an object, not {}", super::type_with_article(value))));
        }
        let mut wrong = None;
        for (field, count) in usage.counts() {
            match value.get(field) {
                None | Some(Json::Null) => {}
                Some(Json::Number(number)) if *number >= 0.0 => *count = (*number).min(SAFE_INTEGER as f64) as u64,
                Some(Json::Number(_)) => wrong = Some(format!("usage.{field} must not be negative; it counts as 0")),
                Some(other) => {
                    let found = super::type_with_article(other);
                    wrong = Some(format!("usage.{field} must be a number, not {found}; it counts as 0"));
                }
            }
        }
        (usage, wrong)
    }

    /// Tokens read.
    pub(crate) fn input(self) -> u64 {
        self.input_tokens
    }

    /// Tokens read and written together. Those from a cache are among those that were read.
    pub(crate) fn total(self) -> u64 {
        self.input_tokens.saturating_add(self.output_tokens)
    }

    /// Combines the counts of two, one by one.
    fn with(mut self, mut other: Self, combine: impl Fn(u64, u64) -> u64) -> Self {
        for ((_, count), (_, more)) in self.counts().into_iter().zip(other.counts()) {
            *count = combine(*count, *more);
        }
        self
    }
}

/// Tokens by model, in the order in which the models were first used.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Usage(Vec<(String, TokenUsage)>);

impl Usage {
    pub(crate) fn add(&mut self, model: &str, usage: TokenUsage) {
        match self.0.iter_mut().find(|(name, _)| name == model) {
            Some((_, sum)) => *sum = sum.with(usage, |one, other| one.saturating_add(other).min(SAFE_INTEGER)),
            None => self.0.push((model.to_owned(), usage)),
        }
    }

    /// Adds those of another sum.
    pub(crate) fn add_all(&mut self, other: &Self) {
        other.0.iter().for_each(|(model, usage)| self.add(model, *usage));
    }

    /// Whether no model was used.
    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// What this has more than an earlier state of it.
    pub(crate) fn since(&self, before: &Self) -> Self {
        let earlier = |model: &str| before.0.iter().find(|(name, _)| name == model).map(|(_, usage)| *usage);
        let more = self
            .0
            .iter()
            .map(|(model, usage)| (model.clone(), usage.with(earlier(model).unwrap_or_default(), u64::saturating_sub)));
        Self(more.collect())
    }

    /// Tokens of all models, read and written together.
    pub(crate) fn total(&self) -> u64 {
        self.0.iter().fold(0, |sum, (_, usage)| sum.saturating_add(usage.total()))
    }
}

impl Serialize for Usage {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.0.iter().map(|(model, usage)| (model, usage)))
    }
}

impl<'de> Deserialize<'de> for Usage {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(InOrder)
    }
}

struct InOrder;

impl<'de> Visitor<'de> for InOrder {
    type Value = Usage;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("tokens by model")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut access: A) -> Result<Usage, A::Error> {
        let mut models = Vec::new();
        while let Some(model) = access.next_entry()? {
            models.push(model);
        }
        Ok(Usage(models))
    }
}

#[cfg(test)]
mod tests {
    use super::{SAFE_INTEGER, TokenUsage, Usage};
    use bailiwick_model::json;

    fn read(text: &str) -> bailiwick_model::Result<TokenUsage> {
        json::from_slice(text.as_bytes(), &json::Limits::default())
    }

    #[test]
    fn a_sum_of_tokens_can_always_be_read_again() {
        let most = read(r#"{"inputTokens":9007199254740991,"outputTokens":1e300}"#).unwrap();
        let mut usage = Usage::default();
        (0..3).for_each(|_| usage.add("model", most));
        let text = json::to_text(&usage);
        assert_eq!(json::from_slice::<Usage>(text.as_bytes(), &json::Limits::default()), Ok(usage));
        for wrong in [r#"{"inputTokens":-1}"#, r#"{"inputTokens":0.5}"#, r#"{"inputTokens":"1"}"#, r#"{"tokens":1}"#] {
            assert!(read(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn usage_of_a_provider_is_counted_as_far_as_it_can_be_read() {
        for (told, total, is_wrong) in [
            ("5", 0, true),
            ("{}", 0, false),
            (r#"{"inputTokens":7,"outputTokens":null,"cost":[1]}"#, 7, false),
            (r#"{"inputTokens":-1,"outputTokens":5}"#, 5, true),
            (r#"{"inputTokens":"12","outputTokens":1.9}"#, 1, true),
            (r#"{"inputTokens":1e300}"#, SAFE_INTEGER, false),
        ] {
            let value = json::parse(told.as_bytes(), &json::Limits::default()).unwrap();
            let (usage, wrong) = TokenUsage::of_provider(&value);
            assert_eq!((usage.total(), wrong.is_some()), (total, is_wrong), "{told}: {wrong:?}");
            assert_eq!(read(&json::to_text(&usage)), Ok(usage), "what is kept can be read again");
        }
    }
}
