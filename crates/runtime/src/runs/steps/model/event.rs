//! One event of a model's answer. What a model writes (names, ids, arguments), counts (usage) and hands back (metadata) is
//! taken whatever it is, and mended where it must be; what only the code of a `Model` can get wrong is told to its author.

use bailiwick_model::json::{self, Json};

use crate::runs::events::{FinishReason, TokenUsage, type_with_article};

const TYPES: [&str; 7] = ["text.delta", "reasoning.delta", "tool.call", "opaque", "usage", "warning", "finish"];
/// Why an answer ended.
const REASONS: [(&str, FinishReason); 6] = [
    ("stop", FinishReason::Stop),
    ("length", FinishReason::Length),
    ("tool-calls", FinishReason::ToolCalls),
    ("content-filter", FinishReason::ContentFilter),
    ("pause", FinishReason::Pause),
    ("other", FinishReason::Other),
];
/// The longest name of a provider, in bytes.
const PROVIDER_BYTES: usize = 256;
/// So many characters of a wrong word are repeated.
const QUOTED_CHARACTERS: usize = 40;

/// See the module's text.
#[derive(Debug, PartialEq)]
pub(super) enum Event {
    /// More of a text, or of a reasoning.
    Delta {
        is_text: bool,
        id: String,
        delta: String,
        metadata: Option<Json>,
    },
    /// A call: what the model wrote, which may be anything.
    Call {
        call_id: String,
        tool: String,
        input: String,
        metadata: Option<Json>,
    },
    /// A part that only its provider understands.
    Opaque {
        provider: String,
        data: Json,
    },
    /// What has been used so far.
    Usage(TokenUsage),
    /// What the provider did not do as asked.
    Warning(String),
    Finish {
        reason: FinishReason,
        usage: TokenUsage,
    },
}

/// An event that was read.
pub(super) struct Read {
    pub(super) event: Event,
    /// What was not as it should be and is taken all the same, for the author of the model.
    pub(super) mended: Vec<String>,
}

/// The members of an event, and which one it is: the first is event 1.
struct Fields {
    number: u64,
    kind: String,
    members: Vec<(String, Json)>,
    mended: Vec<String>,
}

/// Reads the event with this number.
///
/// # Errors
/// What is wrong with it: the event, the field, and what was found there.
pub(super) fn read(event: Json, number: u64) -> Result<Read, String> {
    let Json::Object(members) = event else {
        return Err(format!("event {number} must be an object with a type, not {}", type_with_article(&event)));
    };
    let mut fields = Fields { number, kind: String::new(), members, mended: Vec::new() };
    fields.kind = fields.word("type", &TYPES)?;
    let metadata = |fields: &mut Fields| fields.take("metadata");
    let event = match fields.kind.as_str() {
        kind @ ("text.delta" | "reasoning.delta") => Event::Delta {
            is_text: kind == "text.delta",
            id: fields.text("id")?,
            delta: fields.text("delta")?,
            metadata: metadata(&mut fields),
        },
        "tool.call" => Event::Call {
            call_id: fields.written("callId"),
            tool: fields.written("tool"),
            input: fields.written("input"),
            metadata: metadata(&mut fields),
        },
        "opaque" => Event::Opaque { provider: fields.provider()?, data: fields.required("data", "a JSON value")? },
        "usage" => Event::Usage(fields.usage()),
        "warning" => Event::Warning(fields.text("message")?),
        _ => Event::Finish { reason: fields.reason()?, usage: fields.usage() },
    };
    // What the host's side had to leave out of it.
    if let Some(Json::String(told)) = fields.take("mended") {
        let told = fields.at(&told);
        fields.mended.push(told);
    }
    Ok(Read { event, mended: fields.mended })
}

impl Fields {
    /// A field that is there. None is what is null.
    fn take(&mut self, key: &str) -> Option<Json> {
        let (_, value) = self.members.iter_mut().find(|(name, _)| name == key)?;
        Some(std::mem::replace(value, Json::Null)).filter(|value| *value != Json::Null)
    }

    fn at(&self, what: &str) -> String {
        let kind = if self.kind.is_empty() { String::new() } else { format!(" ({})", self.kind) };
        format!("event {}{kind}: {what}", self.number)
    }

    fn required(&mut self, key: &str, wanted: &str) -> Result<Json, String> {
        let is_there = self.members.iter().any(|(name, _)| name == key);
        match self.take(key) {
            Some(value) => Ok(value),
            None if is_there && key == "data" => Ok(Json::Null),
            None if is_there => Err(self.at(&format!("{key} must be {wanted}, not null"))),
            None => Err(self.at(&format!("{key} is missing; it must be {wanted}"))),
        }
    }

    /// A text that the code of a model gives.
    fn text(&mut self, key: &str) -> Result<String, String> {
        match self.required(key, "a string")? {
            Json::String(text) => Ok(text),
            other => Err(self.at(&format!("{key} must be a string, not {}", type_with_article(&other)))),
        }
    }

    fn word(&mut self, key: &str, words: &[&str]) -> Result<String, String> {
        let wanted = format!("one of {}", words.join(", "));
        let word = match self.required(key, &wanted)? {
            Json::String(word) => word,
            other => return Err(self.at(&format!("{key} must be {wanted}, not {}", type_with_article(&other)))),
        };
        if words.contains(&word.as_str()) {
            return Ok(word);
        }
        let short: String = word.chars().take(QUOTED_CHARACTERS).collect();
        let quoted = json::write(&Json::String(short));
        Err(self.at(&format!("{key} must be {wanted}, not {quoted}")))
    }

    fn reason(&mut self) -> Result<FinishReason, String> {
        let word = self.word("reason", &REASONS.map(|(name, _)| name))?;
        let reason = REASONS.into_iter().find(|(name, _)| *name == word);
        Ok(reason.map_or(FinishReason::Other, |(_, reason)| reason))
    }

    fn provider(&mut self) -> Result<String, String> {
        let provider = self.text("provider")?;
        if (1..=PROVIDER_BYTES).contains(&provider.len()) {
            return Ok(provider);
        }
        Err(self.at(&format!("provider must have 1 to {PROVIDER_BYTES} bytes, not {}", provider.len())))
    }

    /// What a model wrote, or its JSON if it came as another value.
    fn written(&mut self, key: &str) -> String {
        match self.take(key) {
            Some(Json::String(text)) => text,
            None => {
                self.mended.push(self.at(&format!("{key} is missing; it is taken as empty")));
                String::new()
            }
            Some(other) => {
                let what =
                    format!("{key} must be a string, not {}; it is taken as its JSON", type_with_article(&other));
                self.mended.push(self.at(&what));
                json::write(&other)
            }
        }
    }

    /// The counts that can be read; the others are 0.
    fn usage(&mut self) -> TokenUsage {
        match self.take("usage") {
            None => TokenUsage::default(),
            Some(told) => {
                let (usage, wrong) = TokenUsage::of_provider(&told);
                if let Some(wrong) = wrong {
                    self.mended.push(self.at(&wrong));
                }
                usage
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use bailiwick_model::json;

    use super::{Event, Read, read};

    fn parsed(text: &str) -> json::Json {
        json::parse(text.as_bytes(), &json::Limits::default()).unwrap()
    }

    #[test]
    fn a_mistake_of_a_models_code_names_the_event_the_field_and_the_value() {
        let types = "one of text.delta, reasoning.delta, tool.call, opaque, usage, warning, finish";
        let reasons = "one of stop, length, tool-calls, content-filter, pause, other";
        for (event, told) in [
            ("null", "event 3 must be an object with a type, not null".to_owned()),
            ("[]", "event 3 must be an object with a type, not an array".to_owned()),
            (r#""text""#, "event 3 must be an object with a type, not a string".to_owned()),
            ("{}", format!("event 3: type is missing; it must be {types}")),
            (r#"{"type":7}"#, format!("event 3: type must be {types}, not a number")),
            (r#"{"type":"text"}"#, format!("event 3: type must be {types}, not \"text\"")),
            (
                r#"{"type":"text.delta","delta":""}"#,
                "event 3 (text.delta): id is missing; it must be a string".to_owned(),
            ),
            (
                r#"{"type":"text.delta","id":1,"delta":""}"#,
                "event 3 (text.delta): id must be a string, not a number".to_owned(),
            ),
            (
                r#"{"type":"reasoning.delta","id":"","delta":null}"#,
                "event 3 (reasoning.delta): delta must be a string, not null".to_owned(),
            ),
            (
                r#"{"type":"text.delta","id":"","delta":{}}"#,
                "event 3 (text.delta): delta must be a string, not an object".to_owned(),
            ),
            (r#"{"type":"opaque","data":1}"#, "event 3 (opaque): provider is missing; it must be a string".to_owned()),
            (
                r#"{"type":"opaque","provider":"","data":1}"#,
                "event 3 (opaque): provider must have 1 to 256 bytes, not 0".to_owned(),
            ),
            (
                r#"{"type":"opaque","provider":"p"}"#,
                "event 3 (opaque): data is missing; it must be a JSON value".to_owned(),
            ),
            (
                r#"{"type":"warning","message":true}"#,
                "event 3 (warning): message must be a string, not a boolean".to_owned(),
            ),
            (r#"{"type":"finish"}"#, format!("event 3 (finish): reason is missing; it must be {reasons}")),
            (
                r#"{"type":"finish","reason":"end_turn"}"#,
                format!("event 3 (finish): reason must be {reasons}, not \"end_turn\""),
            ),
        ] {
            assert_eq!(read(parsed(event), 3).map(|read| read.event), Err(told), "{event}");
        }
    }

    #[test]
    fn any_output_of_a_model_is_accepted() {
        for (event, call, told) in [
            (r#"{"type":"tool.call"}"#, ["", "", ""], 3),
            (r#"{"type":"tool.call","callId":null,"tool":"x","input":""}"#, ["", "x", ""], 1),
            (r#"{"type":"tool.call","callId":5,"tool":["a"],"input":{"a":[1]}}"#, ["5", r#"["a"]"#, r#"{"a":[1]}"#], 3),
            (
                r#"{"type":"tool.call","callId":"\u0000","tool":"x<|channel|>json","input":"{","metadata":null}"#,
                ["\0", "x<|channel|>json", "{"],
                0,
            ),
        ] {
            let Read { event, mended } = read(parsed(event), 1).unwrap();
            let [call_id, tool, input] = call.map(str::to_owned);
            assert_eq!(event, Event::Call { call_id, tool, input, metadata: None });
            assert_eq!(mended.len(), told, "{mended:?}");
        }
        for usage in ["", r#","usage":null"#, r#","usage":[1]"#, r#","usage":{"inputTokens":null,"more":[]}"#] {
            for kind in [r#""finish","reason":"stop""#, r#""usage""#] {
                let event = parsed(&format!("{{\"type\":{kind}{usage}}}"));
                let Read { event, .. } = read(event, 1).unwrap();
                let (Event::Finish { usage, .. } | Event::Usage(usage)) = event else { panic!("{event:?}") };
                assert_eq!(usage.total(), 0);
            }
        }
    }
}
