//! Reference types, plan types and tools.

use super::issues::Issues;
use super::messages;
use super::reader::{
    Object, boolean, integer, name, object_that, one_of, positive, record, schema, string, string_that, text, tool_name,
};
use crate::Json;

/// The glimpse option of a reference type.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum GlimpseOption {
    /// By the kind of value.
    #[default]
    Automatic,
    /// No summary: the glimpse is `null`, so that no content reaches a model.
    Nothing,
    /// The first rows, 0 to 100.
    Rows(u8),
}

/// A type of references.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct ReferenceType {
    /// Its name.
    pub name: String,
    /// Its description.
    pub description: Option<String>,
    /// The JSON Schema of JSON values: an object.
    pub schema: Option<Json>,
    /// The media type of its values.
    pub media_type: Option<String>,
    /// The time for which references of this type are kept, in milliseconds; overrides the retention.
    pub ttl_ms: Option<u64>,
    /// Its glimpse option.
    pub glimpse: GlimpseOption,
}

/// A type of plans.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct PlanType {
    /// Its name.
    pub name: String,
    /// Its description.
    pub description: Option<String>,
    /// The JSON Schema of a plan's details: an object.
    pub details: Option<Json>,
}

/// Whether a person must approve each call of a tool.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum ApprovalPolicy {
    /// Never.
    #[default]
    Never,
    /// Always.
    Always,
    /// The host's `needsApproval` decides.
    Dynamic,
}

/// The effects of a tool.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum ToolEffects {
    /// None.
    Read,
    /// Effects that must not happen twice.
    #[default]
    Write,
}

/// What happens to a started `write` call without a result after a crash.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum InterruptedPolicy {
    /// It requires an approval.
    #[default]
    Ask,
    /// It is called again with the same idempotency key.
    Retry,
    /// It fails.
    Fail,
}

/// What an agent does while a call waits for something outside.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum WhileWaiting {
    /// It waits, too: its run is suspended once nothing else is left to do.
    #[default]
    Suspend,
    /// Its model is told that the call waits, and goes on.
    Continue,
}

/// A tool that agents may call.
#[derive(Debug, Clone, PartialEq)]
pub struct Tool {
    /// Its name.
    pub name: String,
    /// Its description for the model.
    pub description: String,
    /// The JSON Schema of its arguments: an object with `"type": "object"`.
    pub input: Json,
    /// The JSON Schema of its result: an object.
    pub output: Option<Json>,
    /// Whether a person must approve.
    pub approval: ApprovalPolicy,
    /// Its effects.
    pub effects: ToolEffects,
    /// What happens to a started call after a crash.
    pub on_interrupted: InterruptedPolicy,
    /// The timeout of a call in milliseconds.
    pub timeout_ms: Option<u64>,
    /// The properties of the input that take reference ids, each with its reference type; sorted by property.
    pub references: Vec<(String, String)>,
    /// The reference type of large results.
    pub result: Option<String>,
    /// Whether a `write` call with the same input may occur twice in one answer.
    pub allow_repeats: bool,
    /// What its agent does while a call waits.
    pub while_waiting: WhileWaiting,
    /// What makes it a question to a person, asked by the model.
    pub question: Option<Question>,
    /// Whether a call whose handler fails is made again.
    pub retry: Option<ToolRetry>,
}

/// How often a call is made whose handler fails, and how long the pauses are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ToolRetry {
    /// The most calls of the handler, the first included.
    pub attempts: u64,
    /// The first pause, in milliseconds; each further one is twice as long.
    pub backoff_ms: u64,
    /// The longest pause, in milliseconds.
    pub max_backoff_ms: u64,
}

impl ToolRetry {
    /// The first pause if the definition names none, in milliseconds.
    const BACKOFF_MS: u64 = 500;
    /// The longest pause if the definition names none, in milliseconds.
    const MAX_BACKOFF_MS: u64 = 30_000;

    /// Returns the longest pause after this many attempts, in milliseconds. `None`: there is no further attempt.
    #[must_use]
    pub fn pause_after(&self, attempts: u64) -> Option<u64> {
        let doubled = u32::try_from(attempts.saturating_sub(1)).ok().and_then(|times| 2_u64.checked_pow(times));
        let pause = self.backoff_ms.saturating_mul(doubled.unwrap_or(u64::MAX)).min(self.max_backoff_ms);
        (attempts < self.attempts).then_some(pause)
    }
}

/// A question to a person, of a tool without a handler.
#[derive(Debug, Clone, PartialEq)]
pub struct Question {
    /// The JSON Schema of the answer.
    pub answer: Json,
    /// The time to answer, in milliseconds. Default: 7 days.
    pub ttl_ms: Option<u64>,
}

pub(super) fn reference_type(json: &Json, path: &str, issues: &mut Issues) -> Option<ReferenceType> {
    let known = ["name", "description", "schema", "mediaType", "ttlMs", "glimpse"];
    let object = Object::open(json, path, &known, issues)?;
    Some(ReferenceType {
        name: object.required("name", issues, name).unwrap_or_default(),
        description: object.optional("description", issues, string),
        schema: object.optional("schema", issues, schema),
        media_type: object.optional("mediaType", issues, |json, path, issues| {
            string_that(crate::names::is_media_type, messages::MEDIA_TYPE, json, path, issues)
        }),
        ttl_ms: object.optional("ttlMs", issues, positive),
        glimpse: object.or_default("glimpse", issues, glimpse),
    })
}

fn glimpse(json: &Json, path: &str, issues: &mut Issues) -> Option<GlimpseOption> {
    match json {
        Json::Bool(true) => Some(GlimpseOption::Automatic),
        Json::Bool(false) => Some(GlimpseOption::Nothing),
        Json::Object(_) => {
            let object = Object::open(json, path, &["rows"], issues)?;
            object.required("rows", issues, rows).map(GlimpseOption::Rows)
        }
        _ => {
            issues.add(path, messages::GLIMPSE);
            None
        }
    }
}

fn rows(json: &Json, path: &str, issues: &mut Issues) -> Option<u8> {
    let rows = integer(json).and_then(|rows| u8::try_from(rows).ok()).filter(|rows| *rows <= 100);
    if rows.is_none() {
        issues.add(path, messages::GLIMPSE);
    }
    rows
}

pub(super) fn plan_type(json: &Json, path: &str, issues: &mut Issues) -> Option<PlanType> {
    let object = Object::open(json, path, &["name", "description", "details"], issues)?;
    Some(PlanType {
        name: object.required("name", issues, name).unwrap_or_default(),
        description: object.optional("description", issues, string),
        details: object.optional("details", issues, schema),
    })
}

pub(super) fn tool(json: &Json, path: &str, issues: &mut Issues) -> Option<Tool> {
    let known = [
        "name",
        "description",
        "input",
        "output",
        "approval",
        "effects",
        "onInterrupted",
        "timeoutMs",
        "references",
        "result",
        "allowRepeats",
        "whileWaiting",
        "question",
        "retry",
    ];
    let object = Object::open(json, path, &known, issues)?;
    Some(Tool {
        name: object.required("name", issues, tool_name).unwrap_or_default(),
        description: object.required("description", issues, text).unwrap_or_default(),
        input: object.required("input", issues, object_schema).unwrap_or(Json::Null),
        output: object.optional("output", issues, schema),
        approval: object.or_default("approval", issues, approval_policy),
        effects: object.or_default("effects", issues, effects),
        on_interrupted: object.or_default("onInterrupted", issues, interrupted_policy),
        timeout_ms: object.optional("timeoutMs", issues, positive),
        references: object
            .or_default("references", issues, |json, path, issues| record(json, path, issues, (|_| true, ""), string)),
        result: object.optional("result", issues, string),
        allow_repeats: object.optional("allowRepeats", issues, boolean).unwrap_or(false),
        while_waiting: object.or_default("whileWaiting", issues, while_waiting),
        question: object.optional("question", issues, question),
        retry: object.optional("retry", issues, retry),
    })
}

fn retry(json: &Json, path: &str, issues: &mut Issues) -> Option<ToolRetry> {
    let object = Object::open(json, path, &["attempts", "backoffMs", "maxBackoffMs"], issues)?;
    Some(ToolRetry {
        attempts: object.required("attempts", issues, positive).unwrap_or(1),
        backoff_ms: object.optional("backoffMs", issues, positive).unwrap_or(ToolRetry::BACKOFF_MS),
        max_backoff_ms: object.optional("maxBackoffMs", issues, positive).unwrap_or(ToolRetry::MAX_BACKOFF_MS),
    })
}

fn question(json: &Json, path: &str, issues: &mut Issues) -> Option<Question> {
    let object = Object::open(json, path, &["answer", "ttlMs"], issues)?;
    Some(Question {
        answer: object.required("answer", issues, schema).unwrap_or(Json::Null),
        ttl_ms: object.optional("ttlMs", issues, positive),
    })
}

fn object_schema(json: &Json, path: &str, issues: &mut Issues) -> Option<Json> {
    let schema = object_that(json, path, issues, messages::SCHEMA)?;
    if schema.get("type").and_then(Json::as_str) != Some("object") {
        issues.add(path, messages::OBJECT_SCHEMA);
    }
    Some(schema)
}

fn approval_policy(json: &Json, path: &str, issues: &mut Issues) -> Option<ApprovalPolicy> {
    let words =
        [("never", ApprovalPolicy::Never), ("always", ApprovalPolicy::Always), ("dynamic", ApprovalPolicy::Dynamic)];
    one_of(json, path, issues, &words)
}

fn effects(json: &Json, path: &str, issues: &mut Issues) -> Option<ToolEffects> {
    one_of(json, path, issues, &[("read", ToolEffects::Read), ("write", ToolEffects::Write)])
}

fn interrupted_policy(json: &Json, path: &str, issues: &mut Issues) -> Option<InterruptedPolicy> {
    let words =
        [("ask", InterruptedPolicy::Ask), ("retry", InterruptedPolicy::Retry), ("fail", InterruptedPolicy::Fail)];
    one_of(json, path, issues, &words)
}

fn while_waiting(json: &Json, path: &str, issues: &mut Issues) -> Option<WhileWaiting> {
    one_of(json, path, issues, &[("suspend", WhileWaiting::Suspend), ("continue", WhileWaiting::Continue)])
}
