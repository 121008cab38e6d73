//! Tokens that models read and wrote.

use bailiwick_model::json::Json;

use super::entry::{member, number};

const FIELDS: [&str; 5] = ["inputTokens", "outputTokens", "cacheReadTokens", "cacheWriteTokens", "reasoningTokens"];

/// As many as JavaScript can count: what is more is cut off there.
const MOST: u64 = (1 << 53) - 1;

fn counted(value: &Json) -> Option<u64> {
    let number = value.as_f64().filter(|number| *number >= 0.0 && number.fract() == 0.0)?;
    Some(if number >= MOST as f64 { MOST } else { number as u64 })
}

/// Tokens of one model, in the order of [`FIELDS`].
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct TokenUsage([u64; 5]);

impl TokenUsage {
    /// Reads `{ inputTokens?, … }`. `None` for anything else.
    pub(crate) fn read(value: &Json) -> Option<Self> {
        let members = value.as_object()?;
        if members.iter().any(|(key, _)| !FIELDS.contains(&key.as_str())) {
            return None;
        }
        let mut counts = [0; 5];
        for (count, field) in counts.iter_mut().zip(FIELDS) {
            if let Some(value) = value.get(field) {
                *count = counted(value)?;
            }
        }
        Some(Self(counts))
    }

    /// What a provider told, as far as it can be read: a count is a whole number from 0 on, and what is none counts as 0. Also
    /// what could not be read.
    pub(crate) fn told(value: &Json) -> (Self, Option<String>) {
        if value.as_object().is_none() {
            return (Self::default(), Some(format!("usage must be an object, not {}", super::event::found(value))));
        }
        let (mut counts, mut wrong) = ([0; 5], None);
        for (count, field) in counts.iter_mut().zip(FIELDS) {
            match value.get(field) {
                None | Some(Json::Null) => {}
                Some(Json::Number(number)) if *number >= 0.0 => *count = (*number).min(MOST as f64) as u64,
                Some(Json::Number(_)) => wrong = Some(format!("usage.{field} must not be negative; it counts as 0")),
                Some(other) => {
                    let found = super::event::found(other);
                    wrong = Some(format!("usage.{field} must be a number, not {found}; it counts as 0"));
                }
            }
        }
        (Self(counts), wrong)
    }

    pub(crate) fn to_json(self) -> Json {
        Json::Object(FIELDS.iter().zip(self.0).map(|(field, count)| member(field, number(count))).collect())
    }

    /// Read and written together; what came from a cache is part of what was read.
    pub(crate) fn total(self) -> u64 {
        let [input, output, ..] = self.0;
        input.saturating_add(output)
    }

    fn add(&mut self, other: Self) {
        for (count, more) in self.0.iter_mut().zip(other.0) {
            *count = count.saturating_add(more).min(MOST);
        }
    }

    fn less(self, other: Self) -> Self {
        let mut counts = self.0;
        for (count, less) in counts.iter_mut().zip(other.0) {
            *count = count.saturating_sub(less);
        }
        Self(counts)
    }
}

/// Tokens by model, in the order in which the models were first used.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Usage(Vec<(String, TokenUsage)>);

impl Usage {
    pub(crate) fn read(value: &Json) -> Option<Self> {
        let models = value.as_object()?.iter();
        models.map(|(model, usage)| Some((model.clone(), TokenUsage::read(usage)?))).collect::<Option<_>>().map(Self)
    }

    pub(crate) fn to_json(&self) -> Json {
        Json::Object(self.0.iter().map(|(model, usage)| (model.clone(), usage.to_json())).collect())
    }

    pub(crate) fn add(&mut self, model: &str, usage: TokenUsage) {
        match self.0.iter_mut().find(|(name, _)| name == model) {
            Some((_, sum)) => sum.add(usage),
            None => self.0.push((model.to_owned(), usage)),
        }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(crate) fn add_all(&mut self, other: &Self) {
        other.0.iter().for_each(|(model, usage)| self.add(model, *usage));
    }

    /// What this has more than an earlier state of it.
    pub(crate) fn since(&self, before: &Self) -> Self {
        let earlier = |model: &str| before.0.iter().find(|(name, _)| name == model).map(|(_, usage)| *usage);
        let more = self.0.iter().map(|(model, usage)| (model.clone(), usage.less(earlier(model).unwrap_or_default())));
        Self(more.collect())
    }

    pub(crate) fn total(&self) -> u64 {
        self.0.iter().fold(0, |sum, (_, usage)| sum.saturating_add(usage.total()))
    }
}

#[cfg(test)]
mod tests {
    use super::{MOST, TokenUsage, Usage};
    use bailiwick_model::json;

    #[test]
    fn m9_a_sum_of_tokens_can_always_be_read_again() {
        let parsed = |text: &str| json::parse(text.as_bytes(), &json::Limits::default()).unwrap();
        let most = TokenUsage::read(&parsed(r#"{"inputTokens":9007199254740991,"outputTokens":1e300}"#)).unwrap();
        let mut usage = Usage::default();
        (0..3).for_each(|_| usage.add("model", most));
        assert_eq!(Usage::read(&usage.to_json()), Some(usage));
        for wrong in [r#"{"inputTokens":-1}"#, r#"{"inputTokens":0.5}"#, r#"{"inputTokens":"1"}"#, r#"{"tokens":1}"#] {
            assert_eq!(TokenUsage::read(&parsed(wrong)), None);
        }
    }

    #[test]
    fn w2_what_a_provider_tells_is_counted_as_far_as_it_can_be_read() {
        for (told, total, is_wrong) in [
            ("5", 0, true),
            ("{}", 0, false),
            (r#"{"inputTokens":7,"outputTokens":null,"cost":[1]}"#, 7, false),
            (r#"{"inputTokens":-1,"outputTokens":5}"#, 5, true),
            (r#"{"inputTokens":"12","outputTokens":1.9}"#, 1, true),
            (r#"{"inputTokens":1e300}"#, MOST, false),
        ] {
            let value = json::parse(told.as_bytes(), &json::Limits::default()).unwrap();
            let (usage, wrong) = TokenUsage::told(&value);
            assert_eq!((usage.total(), wrong.is_some()), (total, is_wrong), "{told}: {wrong:?}");
            assert_eq!(TokenUsage::read(&usage.to_json()), Some(usage), "what is kept can be read again");
        }
    }
}
