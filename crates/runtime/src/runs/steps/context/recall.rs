//! The built-in tool that gives a model back what is folded or shortened of its own conversation.

use bailiwick_model::Result;
use bailiwick_model::json::{self, Json};
use bailiwick_model::pace::ahead_of;

use super::conversation::{before, budget, fold, load, offers_recall};
use crate::context::{Found, RECALL, Wanted, excerpt, page, stored_text};
use crate::runs::driver::{Driver, Stop};
use crate::runs::events::{Event, STORED, ToolCompleted, ToolFailure};
use crate::runs::state::Call;
use crate::runs::steps::tools::{note_called, note_failure};
use crate::threads::{message_of, messages_before};

/// The most messages that a search shows, and the most bytes of each.
const SHOWN: usize = 8;
const EXCERPT: usize = 400;

/// The tool as its model sees it.
fn tool() -> Json {
    let property = |kind: &str, told: &str| Json::from([("type", Json::from(kind)), ("description", Json::from(told))]);
    let properties = Json::from([
        ("messageId", property("string", "The id of a message.")),
        ("text", property("string", "A text that is searched for, in whatever case, in what is folded.")),
        ("offset", property("integer", "With messageId: the byte of its text to begin at, for a long one.")),
    ]);
    let schema = Json::from([
        ("type", Json::from("object")),
        ("properties", properties),
        ("additionalProperties", Json::Bool(false)),
    ]);
    let told = "Gives back messages of this conversation that are folded or shortened: one by its messageId, or those that have a text.";
    Json::from([("name", Json::from(RECALL)), ("description", Json::from(told)), ("inputSchema", schema)])
}

/// Returns the configuration of an agent with the built-in tool.
pub(in crate::runs::steps) fn with_recall(config: &str) -> String {
    let Ok(Json::Object(mut members)) = json::parse(config.as_bytes(), &STORED) else { return config.to_owned() };
    if let Some((_, Json::Array(tools))) = members.iter_mut().find(|(key, _)| key == "tools") {
        tools.push(tool());
    }
    json::write(&Json::Object(members))
}

/// Whether a call is one of the built-in tool. A resumed run may not know yet what is folded of its thread.
pub(in crate::runs::steps) async fn is_recall(run: &mut Driver<'_>, call: &Call) -> Result<bool, Stop> {
    if call.tool != RECALL {
        return Ok(false);
    }
    load(run).await?;
    Ok(offers_recall(run))
}

/// Makes a call of the built-in tool.
pub(in crate::runs::steps) async fn answer(run: &mut Driver<'_>, call: &Call) -> Result<(), Stop> {
    run.check_tool_calls(1)?;
    note_called(run, call).await?;
    let wanted = match &call.unread {
        Some(problem) => Err(problem.clone()),
        None => Wanted::read(&call.input),
    };
    let found = match wanted {
        Ok(Wanted::Message { id, offset }) => {
            let found = run.unless_stopped(message(run, &id, offset)).await??;
            found.ok_or_else(|| ToolFailure::new("NOT_FOUND", "There is no message with this id in this conversation."))
        }
        Ok(Wanted::Text(text)) => Ok(run.unless_stopped(search(run, &text)).await??),
        Err(problem) => Err(ToolFailure::new("INPUT_INVALID", &problem)),
    };
    let result = match found {
        Ok(result) => result,
        Err(failure) => return note_failure(run, &call.call_id, failure).await,
    };
    let completed = ToolCompleted { call_id: call.call_id.clone(), result, reference: None };
    run.note(Event::ToolCompleted(completed)).await.map_err(Stop::from)
}

/// Returns a message of the conversation, or a part of a long one. `None`: there is none with this id.
async fn message(run: &Driver<'_>, id: &str, offset: usize) -> Result<Option<Json>> {
    let (base, _, _) = before(run);
    let begins = format!("{{\"messageId\":{},", json::to_text(id));
    let own =
        run.state.frames.last().and_then(|frame| frame.messages.iter().find(|message| message.starts_with(&begins)));
    let held = run.handle.held_bytes();
    let message = match own {
        Some(own) => own.clone(),
        None => match message_of(&run.access, &run.state.thread_id, base, id).await? {
            Some(stored) => stored,
            None => return Ok(None),
        },
    };
    let found = found(&message).await;
    drop(message);
    run.handle.give_back_to(held);
    // Escapes may double a text.
    let (shown, next) = page(&found.text, offset, (budget(run).largest() / 2).max(EXCERPT));
    let (shown, length) = (shown.to_owned(), found.text.len());
    let mut members = Found { text: shown, ..found }.members();
    if next.is_some() || offset > 0 {
        members.push(("length".to_owned(), Json::Number(length as f64)));
    }
    members.extend(next.map(|next| ("nextOffset".to_owned(), Json::Number(next as f64))));
    Ok(Some(Json::Object(members)))
}

/// Returns the newest messages that have a text, and how many others have it, among those that the model is not sent as they are.
async fn search(run: &Driver<'_>, text: &str) -> Result<Json> {
    let (base, _, _) = before(run);
    let (until, short) =
        (fold(run).map_or(0, |fold| fold.until), run.state.frames.last().and_then(|frame| frame.context.short));
    let is_hidden = |position: u64, message: &str| {
        position < until || short.is_some_and(|short| short.is_for(position, message.len()))
    };
    let mut search = Search { text, most: (budget(run).largest() / 2).max(EXCERPT), shown: Vec::new(), more: 0 };
    let own = run.state.frames.last().map(|frame| frame.messages.as_slice()).unwrap_or_default();
    for (at, message) in own.iter().enumerate().rev() {
        let position = base + at as u64;
        if is_hidden(position, message) {
            search.look_at(message).await;
        }
    }
    let mut position = base.min(until.max(short.map_or(0, |short| short.until)));
    if let Some(mut earlier) = messages_before(&run.access, &run.state.thread_id, position).await? {
        loop {
            let held = run.handle.held_bytes();
            let messages = earlier.next(&run.access).await?;
            if messages.is_empty() {
                break;
            }
            for message in &messages {
                position = position.saturating_sub(1);
                if is_hidden(position, message) {
                    search.look_at(message).await;
                }
            }
            drop(messages);
            run.handle.give_back_to(held);
        }
    }
    let shown = search.shown.into_iter().map(|found| Json::Object(found.members())).collect();
    Ok(Json::from([("messages", Json::Array(shown)), ("more", Json::Number(search.more as f64))]))
}

/// A search for a text, in lower case.
struct Search<'a> {
    text: &'a str,
    /// The bytes that may be shown.
    most: usize,
    shown: Vec<Found>,
    /// How many others have the text.
    more: u64,
}

impl Search<'_> {
    async fn look_at(&mut self, message: &str) {
        let found = found(message).await;
        let most = EXCERPT.min(self.most);
        let Some(text) = excerpt(&found.text, self.text, most) else { return };
        match self.most.checked_sub(text.len()) {
            Some(rest) if self.shown.len() < SHOWN && most > 0 => {
                self.most = rest;
                self.shown.push(Found { text, ..found });
            }
            _ => self.more += 1,
        }
    }
}

async fn found(message: &str) -> Found {
    ahead_of(2 * message.len()).await;
    let message = json::parse(message.as_bytes(), &STORED).unwrap_or(Json::Null);
    let text = |key: &str| message.get(key).and_then(Json::as_str).unwrap_or_default().to_owned();
    Found { id: text("messageId"), role: text("role"), text: stored_text(&message) }
}
