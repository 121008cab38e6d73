//! The result of a call: as its model sees it, and as a reference if it is large.

use bailiwick_model::Error;
use bailiwick_model::json::{self, Json};
use bailiwick_model::pace::{ahead, ahead_of};
use bailiwick_model::spec::AgentRole;

use crate::references::{ItemRules, ReadContent, Reference};
use crate::runs::agents::ToolRules;
use crate::runs::driver::{Driver, Stop};
use crate::runs::events::{Event, ReferenceCreated, ReferencedResult, ToolCompleted, ToolFailed, ToolFailure};

/// The longest message of a failure that is kept and told, in characters.
const MESSAGE_CHARACTERS: usize = 2000;
/// The mark where a message was cut.
const CUT: &str = "… [cut]";

/// The type of results for which the tool names none.
const RESULT_TYPE: &str = "result";

/// The form of a result: its first byte.
const JSON: u8 = 0;
const TEXT: u8 = 1;
const BYTES: u8 = 2;
const REFERENCE: u8 = 3;
/// JSON that the host has validated by the tool's own schema, which may have transformed it.
const VALIDATED: u8 = 4;

/// Why a result is not taken.
enum Refused {
    /// The call has failed, with what its model is told.
    Result(String),
    Run(Stop),
}

impl From<Error> for Refused {
    /// A result that may not be kept fails its call; everything else stops the run.
    fn from(error: Error) -> Self {
        match error {
            Error::InvalidInput(_) | Error::QuotaExceeded { .. } => Self::Result(error.to_string()),
            error => Self::Run(Stop::Error(error)),
        }
    }
}

fn wrong(message: &str) -> Refused {
    Refused::Result(message.to_owned())
}

/// A result as its model sees it.
enum Shown {
    Inline(Json),
    /// Kept as a reference that is made for it, or that the tool answered.
    New(ReferencedResult),
    Given(ReferencedResult),
}

/// Notes the value of a call: `u8 form ‖ bytes`.
pub(super) async fn note_value(
    run: &mut Driver<'_>,
    call_id: &str,
    rules: Option<&ToolRules>,
    value: Vec<u8>,
) -> Result<(), Stop> {
    match result(run, rules, value).await {
        Ok(shown) => note_result(run, call_id, shown).await,
        Err(Refused::Result(message)) => note_failure(run, call_id, ToolFailure::new("RESULT_INVALID", &message)).await,
        Err(Refused::Run(stop)) => Err(stop),
    }
}

/// Notes the output of an agent as the result of the call that it answers.
pub(in crate::runs::steps) async fn note_output(
    run: &mut Driver<'_>,
    call_id: &str,
    output: &Json,
) -> Result<(), Stop> {
    ahead(output.weight()).await;
    let mut value = vec![VALIDATED];
    json::append(&mut value, output);
    note_value(run, call_id, None, value).await
}

async fn note_result(run: &mut Driver<'_>, call_id: &str, shown: Shown) -> Result<(), Stop> {
    let (result, reference) = match shown {
        Shown::Inline(result) => (result, None),
        Shown::New(referenced) => {
            let reference = referenced.reference.clone();
            run.note(Event::ReferenceCreated(ReferenceCreated { reference: reference.clone() })).await?;
            (referenced.into_json(), Some(reference))
        }
        Shown::Given(referenced) => {
            let reference = referenced.reference.clone();
            (referenced.into_json(), Some(reference))
        }
    };
    let completed = ToolCompleted { call_id: call_id.to_owned(), result, reference };
    run.note(Event::ToolCompleted(completed)).await.map_err(Stop::from)
}

/// Takes a result. It is parsed once, and its text is gone before anything else is made of it.
async fn result(run: &mut Driver<'_>, rules: Option<&ToolRules>, mut value: Vec<u8>) -> Result<Shown, Refused> {
    let Some(form) = value.first().copied() else { return Err(wrong("The tool answered nothing.")) };
    let length = value.len() - 1;
    // Whatever its form, all of it is looked at or moved.
    ahead_of(length).await;
    let is_step = run.state.frames.last().is_some_and(|frame| frame.role == AgentRole::Executor);
    let is_small = !is_step && length as u64 <= run.handle.inline_result_bytes();
    let type_name = rules.and_then(|rules| rules.result.as_deref()).unwrap_or(RESULT_TYPE).to_owned();
    let schema = rules.filter(|rules| rules.has_output());
    let mut held = None;
    let content = match form {
        JSON | VALIDATED => {
            held = run.handle.parsing(value.get(1..).unwrap_or_default(), 1)?;
            // What the host has validated by the tool's own schema may have become something else.
            let schema = schema.filter(|_| form == JSON);
            let read = run.handle.references().read_json(&type_name, value, 1, is_small || schema.is_some()).await?;
            if let (Some(rules), ReadContent::Json(value, _)) = (schema, &read) {
                check_output(rules, value, length).await?;
            }
            read
        }
        TEXT => {
            value.remove(0);
            let text = String::from_utf8(value).map_err(|_| wrong("The result is not text."))?;
            ReadContent::Text(checked_text(schema, text, length).await?)
        }
        BYTES => {
            value.remove(0);
            ReadContent::Bytes(value)
        }
        REFERENCE => {
            let id = value.get(1..).map(String::from_utf8_lossy).unwrap_or_default();
            return given_reference(run, &id).await.map(Shown::Given);
        }
        _ => return Err(wrong("The tool answered in an unknown form.")),
    };
    match content {
        ReadContent::Json(value, _) if is_small => Ok(Shown::Inline(value)),
        ReadContent::Text(text) if is_small => Ok(Shown::Inline(Json::String(text))),
        content => {
            let shown = keep(run, type_name, content).await?;
            drop(held);
            Ok(Shown::New(shown))
        }
    }
}

/// Keeps a result as a reference, with the next commit.
async fn keep(run: &mut Driver<'_>, type_name: String, content: ReadContent) -> Result<ReferencedResult, Refused> {
    let item = ItemRules { type_name, ttl_ms: None, media_type: None };
    let value = run.handle.references().check_read(item, content).await?;
    let glimpse = json::parse(value.glimpse.as_bytes(), &json::Limits::default()).unwrap_or(Json::Null);
    let (type_name, byte_length) = (value.type_name.clone(), value.content.len() as u64);
    if run.kept.is_full() {
        run.flush().await.map_err(|error| Refused::Run(error.into()))?;
    }
    ahead_of(value.content.len()).await;
    let reference = run.kept.add(&run.access, value);
    Ok(ReferencedResult { reference, type_name, byte_length, glimpse })
}

/// # Errors
/// The result does not fit the tool's output schema.
async fn check_output(rules: &ToolRules, value: &Json, length: usize) -> Result<(), Refused> {
    ahead_of(length).await;
    match rules.wrong_output(value).await {
        None => Ok(()),
        Some(problems) => Err(Refused::Result(format!("The result does not fit the tool's output schema: {problems}"))),
    }
}

async fn checked_text(schema: Option<&ToolRules>, text: String, length: usize) -> Result<String, Refused> {
    let Some(rules) = schema else { return Ok(text) };
    let value = Json::String(text);
    check_output(rules, &value, length).await?;
    match value {
        Json::String(text) => Ok(text),
        _ => Err(wrong("The result is not text.")),
    }
}

/// A reference that a tool answered: it must be this tenant's.
async fn given_reference(run: &Driver<'_>, id: &str) -> Result<ReferencedResult, Refused> {
    match run.handle.references().describe(id).await {
        Ok(reference) => {
            let Reference { id, description, glimpse, .. } = reference;
            let glimpse = json::parse(glimpse.as_bytes(), &json::Limits::default())?;
            let (type_name, byte_length) = (description.type_name, description.byte_length);
            Ok(ReferencedResult { reference: id, type_name, byte_length, glimpse })
        }
        Err(Error::NotFound) => Err(wrong("The tool answered a reference that is not there.")),
        Err(error) => Err(Refused::Run(error.into())),
    }
}

pub(in crate::runs::steps) async fn note_failure(
    run: &mut Driver<'_>,
    call_id: &str,
    failure: ToolFailure,
) -> Result<(), Stop> {
    let error = ToolFailure { message: shortened(&failure.message), ..failure };
    run.note(Event::ToolFailed(ToolFailed { call_id: call_id.to_owned(), error })).await.map_err(Stop::from)
}

/// Returns the message of a failure as it is stored, with a mark where it is cut.
pub(in crate::runs::steps) fn shortened(message: &str) -> String {
    if message.chars().nth(MESSAGE_CHARACTERS).is_none() {
        return message.to_owned();
    }
    message.chars().take(MESSAGE_CHARACTERS - CUT.chars().count()).chain(CUT.chars()).collect()
}

#[cfg(test)]
mod tests {
    use super::{CUT, MESSAGE_CHARACTERS, shortened};

    #[test]
    fn a_message_is_cut_with_a_mark_between_whole_characters() {
        let most = "é".repeat(MESSAGE_CHARACTERS);
        assert_eq!(shortened(&most), most);
        let cut = shortened(&format!("{most}x"));
        assert_eq!(cut.chars().count(), MESSAGE_CHARACTERS);
        assert!(cut.ends_with(CUT));
    }
}
